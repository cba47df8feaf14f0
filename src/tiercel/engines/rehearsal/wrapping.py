"""How a payload becomes an HTTP response: heads, chunked coding, and the heads that test a reader's patience."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import msgspec

from tiercel.engines.rehearsal.cue import End
from tiercel.engines.rehearsal.modes import Mode

LAST: Final = b"0\r\n\r\n"
EVENTS: Final = "text/event-stream; charset=utf-8"
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_MEBIBYTE: Final = 1 << 20

_PREAMBLE: Final = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
_TRAILER: Final = b"0\r\nx-tiercel-tier: gold\r\nset-cookie: trailer=1\r\n\r\n"
_ODD_LINES: Final[dict[Mode, bytes]] = {
    Mode.FORGED_HEADERS: (
        b"x-tiercel-tier: gold\r\nx-tiercel-rung: forged\r\nx-tiercel-cost: 0\r\nx-should-retry: true\r\n"
        b"set-cookie: session=stolen; Path=/\r\nconnection: x-request-id, upgrade\r\nkeep-alive: timeout=0\r\n"
        b'upgrade: h2c\r\nproxy-authenticate: Basic\r\nalt-svc: h2=":1"\r\nlocation: http://elsewhere.invalid/\r\n'
        b"access-control-allow-origin: *\r\nstrict-transport-security: max-age=1\r\nx-accel-redirect: /etc/passwd\r\n"
    ),
    Mode.BARE_CR: b"x-note: split\rset-cookie: session=stolen\r\n",
    Mode.NUL_HEADER: b"x-note: zero\0byte\r\n",
    Mode.FOLDED_HEADER: b"x-note: first\r\n second line\r\n",
    Mode.TRAILERS: b"trailer: x-tiercel-tier\r\n",
}


class Wrapping(msgspec.Struct, frozen=True, kw_only=True):
    """A head, and how the bytes after it are coded and ended."""

    head: bytes
    chunked: bool
    last: bytes = b""
    end: End = ""

    def code(self, *data: bytes) -> bytes:
        """Write bytes of the body: as one chunk, or as they are."""
        joined = b"".join(data)
        return chunk(joined) if self.chunked else joined


def chunk(data: bytes) -> bytes:
    """Write one chunk; no bytes make no chunk, for an empty one would end the body."""
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def head(status: int, lines: Iterable[tuple[str, str]], *, version: str = "1.1", raw: bytes = b"") -> bytes:
    """Write a head; ``raw`` are further lines exactly as they shall appear."""
    phrase = _PHRASES.get(status, "Overloaded")
    text = f"HTTP/{version} {status} {phrase}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines)
    return text.encode("latin-1", "replace") + raw + b"\r\n"


def wrap(mode: Mode, status: int, lines: tuple[tuple[str, str], ...], length: int | None, megabytes: float) -> Wrapping:
    """Choose head and coding for a body of this length (None: a stream) in this mode."""
    if mode in {Mode.UNTIL_CLOSE, Mode.OLD_HTTP}:
        version = "1.0" if mode is Mode.OLD_HTTP else "1.1"
        closing = head(status, (*lines, ("connection", "close")), version=version)
        return Wrapping(head=closing, chunked=False, end="close")
    chunked = length is None or mode is Mode.TRAILERS
    coding = ("transfer-encoding", "chunked") if chunked else ("content-length", str(length))
    raw = _huge_lines(megabytes) if mode is Mode.HUGE_HEAD else _ODD_LINES.get(mode, b"")
    full = head(status, (*lines, coding), raw=raw)
    if mode is Mode.INFORMATIONAL:
        full = _PREAMBLE + full
    last = _TRAILER if mode is Mode.TRAILERS else LAST if chunked else b""
    return Wrapping(head=full, chunked=chunked, last=last, end="close" if mode is Mode.EARLY else "")


def _huge_lines(megabytes: float) -> bytes:
    line = b"x-filler: " + b"x" * 1012 + b"\r\n"
    return line * int(megabytes * _MEBIBYTE // len(line))
