"""A line whose speaker was cut off is finished so that it reads as one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.silver.speech.book import Book
from tiercel.silver.speech.speaker import Speaker

BOOK = Book.load()
SPEAKER = Speaker(BOOK)
DASH = "\u2014 "


@pytest.mark.parametrize(
    ("so_far", "start"),
    [
        ("The road past the mill is", DASH),
        ("The road past the mill is ", DASH),
        ("The road past the mi", DASH),
        ("The road, ", ""),
        ("The road,", " "),
        ("The road is closed.", " "),
        ("The road is closed. ", ""),
        ("Hm...", " "),
        ("", ""),
        ("*wipes his ha", "...* "),
    ],
)
def test_the_ending_joins_what_was_said(so_far: str, start: str) -> None:
    text = SPEAKER.close(so_far, persona="blacksmith").text
    assert text.startswith(start)
    assert text[len(start)] != " "


@pytest.mark.parametrize("so_far", ["The road", "The road, ", "I said that I"])
def test_an_ending_within_a_sentence_goes_on_in_small_letters(so_far: str) -> None:
    for _ in range(30):
        assert SPEAKER.close(so_far, persona="scholar").text.lstrip(" \u2014")[0].islower()


@pytest.mark.parametrize(("so_far", "mark"), [('He said: "come', '"'), ("He said: \u201ccome", "\u201d")])
def test_an_open_quotation_is_closed(so_far: str, mark: str) -> None:
    assert SPEAKER.close(so_far).text.endswith(mark)


@given(so_far=st.text(max_size=900), persona=st.sampled_from(sorted(BOOK.personas)))
def test_any_cut_gets_a_short_clean_ending(so_far: str, persona: str) -> None:
    text = SPEAKER.close(so_far, persona=persona, session="s").text
    assert 0 < len(text) <= 130
    assert text.isprintable()
    assert not set(text) & set("{}<>[]()|@")
    assert text.rstrip('"\u201d')[-1] in ".?!"


def test_endings_of_one_npc_do_not_follow_each_other_twice() -> None:
    texts = [SPEAKER.close("The road", persona="merchant", npc_id="m").text for _ in range(60)]
    assert all(one != other for one, other in pairwise(texts))
    assert len(set(texts)) >= 10
