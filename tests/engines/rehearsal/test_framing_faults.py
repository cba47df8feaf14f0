"""What is wrong with the HTTP: each mode as the bytes that leave, and as a strict parser's verdict."""

from __future__ import annotations

import httptools
import msgspec
import pytest

from tiercel.engines.rehearsal.bare import Parsed
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.script import rehearse

_BOTH = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


def played(mode: Mode, *, stream: bool) -> tuple[bytes, str]:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": stream}
    heard = Heard.of("POST", "/v1/chat/completions", {}, msgspec.json.encode(body))
    beats = rehearse(heard, Part(mode=mode, megabytes=1))
    return b"".join(beat.data for beat in beats), beats[-1].end


def head_of(data: bytes) -> bytes:
    return data[: data.index(b"\r\n\r\n")].lower()


@_BOTH
@pytest.mark.parametrize(
    "mode",
    [
        Mode.TWO_LENGTHS,
        Mode.NEGATIVE_LENGTH,
        Mode.LENGTH_AND_CHUNKED,
        Mode.NEGATIVE_CHUNK,
        Mode.BAD_CHUNK,
        Mode.GARBAGE_STATUS,
        Mode.BARE_CR,
        Mode.NUL_HEADER,
        Mode.SHORT_LENGTH,
        Mode.TLS,
    ],
)
def test_a_strict_parser_refuses_it(mode: Mode, stream: bool) -> None:
    with pytest.raises(httptools.HttpParserError):
        Parsed(played(mode, stream=stream)[0])


@_BOTH
def test_a_length_that_is_too_long_is_never_filled(stream: bool) -> None:
    data, end = played(Mode.LONG_LENGTH, stream=stream)
    parsed = Parsed(data)
    assert (parsed.complete, end) == (0, "hang")
    assert int(parsed.headers["content-length"]) == len(parsed.body) + 64


@_BOTH
def test_a_length_that_is_too_short_leaves_a_surplus(stream: bool) -> None:
    data, end = played(Mode.SHORT_LENGTH, stream=stream)
    length = int(head_of(data).split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(data) > data.index(b"\r\n\r\n") + 4 + length
    assert end == ""


@_BOTH
def test_a_second_response_follows_the_first(stream: bool) -> None:
    parsed = Parsed(played(Mode.POISON, stream=stream)[0])
    assert (parsed.statuses, parsed.complete) == ([200, 200], 2)
    assert parsed.body.endswith(b'"poison":true}')


@_BOTH
def test_lengths_and_codings_contradict_each_other(stream: bool) -> None:
    assert head_of(played(Mode.TWO_LENGTHS, stream=stream)[0]).count(b"content-length: ") == 2
    both = head_of(played(Mode.LENGTH_AND_CHUNKED, stream=stream)[0])
    assert b"content-length: 5" in both
    assert b"transfer-encoding: chunked" in both
    assert b"content-length: -1" in head_of(played(Mode.NEGATIVE_LENGTH, stream=stream)[0])
    assert b"\r\n\r\n-2\r\n" in played(Mode.NEGATIVE_CHUNK, stream=stream)[0]


@_BOTH
def test_headers_are_forged_split_folded_or_without_end(stream: bool) -> None:
    forged = head_of(played(Mode.FORGED_HEADERS, stream=stream)[0])
    for line in (b"x-tiercel-tier: gold", b"set-cookie: ", b"connection: x-request-id", b"x-should-retry: true"):
        assert line in forged
    assert b"split\rset-cookie" in head_of(played(Mode.BARE_CR, stream=stream)[0])
    assert b"zero\0byte" in head_of(played(Mode.NUL_HEADER, stream=stream)[0])
    assert b"first\r\n second" in head_of(played(Mode.FOLDED_HEADER, stream=stream)[0])
    assert 1_000_000 < len(head_of(played(Mode.HUGE_HEAD, stream=stream)[0])) < 1_100_000


@_BOTH
def test_trailers_and_early_hints_are_good_http(stream: bool) -> None:
    trailers = Parsed(played(Mode.TRAILERS, stream=stream)[0])
    assert trailers.headers["x-tiercel-tier"] == "gold"
    assert Parsed(played(Mode.INFORMATIONAL, stream=stream)[0]).statuses == [100, 103, 200]
    old, end = played(Mode.OLD_HTTP, stream=stream)
    assert old.startswith(b"HTTP/1.0 200 OK\r\n")
    assert end == "close"


@pytest.mark.parametrize(
    ("mode", "data", "end"),
    [
        (Mode.SILENT, b"", "hang"),
        (Mode.REFUSE, b"", "reset"),
        (Mode.HANGUP, b"", "close"),
        (Mode.TLS, b"\x15\x03\x03\x00\x02\x02\x46", "close"),
    ],
)
def test_some_engines_never_say_a_word_of_http(mode: Mode, data: bytes, end: str) -> None:
    assert played(mode, stream=True) == (data, end)


def test_a_mute_engine_is_mute_for_nonsense_too() -> None:
    (beat,) = rehearse(Heard.of("BREW", "/coffee", {}, b""), Part(mode=Mode.SILENT))
    assert (beat.data, beat.end) == (b"", "hang")
