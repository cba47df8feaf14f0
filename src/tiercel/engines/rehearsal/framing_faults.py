"""Responses whose HTTP is wrong: lengths that lie, codings that contradict, a second response behind the first."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Final

from tiercel.engines.rehearsal.cue import ANSWER, HEAD, NOW, Cue, End
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.wrapping import LAST, chunk, head

Lines = tuple[tuple[str, str], ...]
"""The header fields every reply of this request has."""

_MORE: Final = 64
_POISON: Final = b'{"id":"poison","object":"chat.completion","choices":[],"poison":true}'
_ALERT: Final = b"\x15\x03\x03\x00\x02\x02\x46"
_NOISE: Final = b"\x00\xffNOT-HTTP/9.9 hello\r\nx: y\r\n\r\n{}"

_UNSPOKEN: Final[dict[Mode, Cue]] = {
    Mode.SILENT: (NOW, b"", "hang"),
    Mode.REFUSE: (NOW, b"", "reset"),
    Mode.HANGUP: (HEAD, b"", "close"),
    Mode.TLS: (HEAD, _ALERT, "close"),
    Mode.GARBAGE_STATUS: (HEAD, _NOISE, "close"),
}


def unspoken(mode: Mode) -> tuple[Cue, ...] | None:
    """Play the modes that need no reply at all; None: this is not one of them."""
    found = _UNSPOKEN.get(mode)
    return None if found is None else (found,)


def misframed(mode: Mode, status: int, lines: Lines, payload: bytes) -> tuple[Cue, ...] | None:
    """Send this payload in the mode's wrong (or compressed) frame; None: the mode frames well."""
    frame = _FRAMES.get(mode)
    if frame is None:
        return None
    data, end = frame(status, lines, payload)
    return ((ANSWER, data, end),)


def _sized(status: int, lines: Lines, *lengths: int) -> bytes:
    return head(status, (*lines, *(("content-length", str(length)) for length in lengths)))


def _long(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    return _sized(status, lines, len(payload) + _MORE) + payload, "hang"


def _short(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    return _sized(status, lines, len(payload) // 2) + payload, ""


def _two(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    return _sized(status, lines, len(payload), len(payload) + _MORE) + payload, ""


def _negative(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    return _sized(status, lines, -1) + payload, "close"


def _both(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    both = (*lines, ("content-length", "5"), ("transfer-encoding", "chunked"))
    return head(status, both) + chunk(payload) + LAST, ""


def _chunked(lines: Lines) -> Lines:
    return (*lines, ("transfer-encoding", "chunked"))


def _negative_chunk(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    return head(status, _chunked(lines)) + b"-2\r\n" + payload + b"\r\n" + LAST, ""


def _overfull_chunk(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    return head(status, _chunked(lines)) + b"5\r\n" + payload + b"\r\n" + LAST, ""


def _poison(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    second = _sized(200, (("content-type", "application/json"),), len(_POISON)) + _POISON
    return _sized(status, lines, len(payload)) + payload + second, ""


def _gzip(status: int, lines: Lines, payload: bytes) -> tuple[bytes, End]:
    packed = gzip.compress(payload, mtime=0)
    return _sized(status, (*lines, ("content-encoding", "gzip")), len(packed)) + packed, ""


_FRAMES: Final[dict[Mode, Callable[[int, Lines, bytes], tuple[bytes, End]]]] = {
    Mode.LONG_LENGTH: _long,
    Mode.SHORT_LENGTH: _short,
    Mode.TWO_LENGTHS: _two,
    Mode.NEGATIVE_LENGTH: _negative,
    Mode.LENGTH_AND_CHUNKED: _both,
    Mode.NEGATIVE_CHUNK: _negative_chunk,
    Mode.BAD_CHUNK: _overfull_chunk,
    Mode.POISON: _poison,
    Mode.GZIP: _gzip,
}
