"""A part travels inside a model's name and comes out unchanged; a wrong name says what would be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import TROUBLE, Mode
from tiercel.engines.rehearsal.part import Part, UnknownPart, known_words
from tiercel.engines.rehearsal.player import by_name

_SECONDS = st.floats(min_value=0, max_value=1e6, allow_nan=False)
_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=40)
_PARTS = st.builds(
    Part,
    mode=st.sampled_from(Mode),
    head_s=_SECONDS,
    first_s=_SECONDS,
    gap_s=_SECONDS,
    chunks=st.integers(1, 100),
    k=st.integers(0, 100),
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    finish=st.sampled_from(["stop", "length", "content_filter"]),
    tool=_LINE,
    arguments=_LINE,
    calls=st.integers(1, 8),
    prompt_tokens=st.integers(100, 1000),
    cached_tokens=st.integers(0, 100),
    retry_after_s=_SECONDS,
    megabytes=st.floats(min_value=0, max_value=256, allow_nan=False),
    location=_LINE,
)


@given(_PARTS)
def test_a_part_comes_back_unchanged_from_the_name_it_gives_a_model(part: Part) -> None:
    assert Part.from_model(part.as_model()) == part


@given(_PARTS)
def test_a_name_is_one_word_of_a_path(part: Part) -> None:
    name = part.as_model()
    assert name.isascii()
    assert not set(name) & set("/ ?#\r\n")


def test_a_name_says_only_what_is_not_the_default() -> None:
    assert Part().as_model() == "plain"
    assert Part(mode=Mode.CUT, k=3, first_s=0.01).as_model() == "cut:first=0.01,k=3"
    assert Part.from_model("cut:k=3,first=0.01") == Part(mode=Mode.CUT, k=3, first_s=0.01)
    assert Part.from_model("cut:first_s=0.01") == Part(mode=Mode.CUT, first_s=0.01)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cutt", "not a mode; known are"),
        ("cut:j=3", "known are"),
        ("cut:k", "known are"),
        ("cut:k=many", "k is a number"),
        ("cut:chunks=0", "chunks is 1 to"),
        ("cut:first=-1", "from 0 up"),
        ("cut:first=nan", "finite"),
        ("huge_line:mb=1000", "mb is at most"),
        ("plain:finish=boredom", "finish is"),
        ("plain:cached=20,prompt=10", "part of the prompt"),
        ("plain:calls=9", "calls is 1 to"),
        ("redirect:location=a%0Ab", "one line"),
    ],
)
def test_a_wrong_name_says_what_would_be_right(name: str, hint: str) -> None:
    with pytest.raises(UnknownPart, match=hint):
        Part.from_model(name)


def test_every_mode_says_why_it_is_there() -> None:
    assert list(TROUBLE) == list(Mode)
    reasons = [mode.reason for mode in Mode]
    assert len(set(reasons)) == len(reasons)
    assert all(reason and "\n" not in reason for reason in reasons)
    assert {mode.layer for mode in Mode} == {"good", "time", "cut", "status", "body", "framing"}


def test_every_parameter_has_one_word() -> None:
    assert len(set(known_words())) == len(known_words()) == len(Part.__struct_fields__) - 1


@pytest.mark.parametrize("name", ["gpt-4o", "llama3:8b", "meta/llama-3", ""])
def test_a_model_that_is_no_mode_gets_a_good_reply(name: str) -> None:
    body = b'{"model":"%s","messages":[{"role":"user","content":"x"}]}' % name.encode()
    assert by_name(Heard.of("POST", "/v1/chat/completions", {}, body)) == Part()
