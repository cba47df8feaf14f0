"""Events out of bytes: however the bytes are cut, the same events come out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.sse import MAX_LINE_BYTES, EventReader
from tiercel.terms.errors import EngineFailed


def read(*pieces: bytes) -> list[bytes]:
    events: list[bytes] = []
    reader = EventReader(events.append)
    for piece in pieces:
        reader.feed(piece)
    reader.finish()
    return events


def test_comments_names_and_ids_are_passed_over() -> None:
    assert read(b": ping\n\nevent: message\nid: 7\nretry: 10\ndata: one\n\n") == [b"one"]


def test_the_space_after_the_colon_is_optional_and_only_one_is_taken() -> None:
    assert read(b"data:one\n\ndata:  two\n\n") == [b"one", b" two"]


def test_several_data_lines_are_one_event() -> None:
    assert read(b"data: one\ndata: two\n\n") == [b"one\ntwo"]


def test_a_last_event_without_its_empty_line_still_counts() -> None:
    assert read(b"data: one\n\ndata: [DONE]\n") == [b"one", b"[DONE]"]


def test_a_line_without_end_is_refused() -> None:
    reader = EventReader(lambda _: None)
    reader.feed(b"x" * MAX_LINE_BYTES)
    with pytest.raises(EngineFailed):
        reader.feed(b"x")


words = st.lists(st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), min_size=1), max_size=8)


@given(words, st.booleans(), st.data())
def test_the_cuts_between_packets_do_not_matter(texts: list[str], crlf: bool, data: st.DataObject) -> None:
    end = b"\r\n" if crlf else b"\n"
    stream = b"".join(b"data: " + text.encode() + end + end for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert read(*pieces) == [text.encode() for text in texts]
