"""The lines before a body: status, date, connection, and the headers that say how an answer was won."""

from __future__ import annotations

import http
import re
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

from tiercel.terms.reply import Report

__all__ = ["Calendar", "block_of", "connection_line", "pairs_of", "status_line", "token"]

_OUTSIDE = re.compile(r"[^a-z0-9._-]")
_MAX_TOKEN = 64
_MICRODOLLAR = 1e-6
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}


def status_line(status: int) -> bytes:
    """Return the first line of a reply."""
    return _STATUS.get(status) or b"HTTP/1.1 %d \r\n" % status


def connection_line(*, keep: bool, http10: bool) -> bytes:
    """Say what happens to the connection, where the version does not say it already."""
    if not keep:
        return b"connection: close\r\n"
    return b"connection: keep-alive\r\n" if http10 else b""


class Calendar:
    """The ``date`` line, made once a second."""

    def __init__(self, wall_s: Callable[[], float]) -> None:
        self._wall_s = wall_s
        self._until_s = 0.0
        self._line = b""

    def line(self) -> bytes:
        """Return the line for now."""
        now_s = self._wall_s()
        if not self._until_s - 1 <= now_s < self._until_s:
            self._until_s = float(int(now_s) + 1)
            self._line = f"date: {formatdate(int(now_s), usegmt=True)}\r\n".encode()
        return self._line


@lru_cache(maxsize=4096)
def token(text: str) -> str:
    """Return these words in the closed alphabet of our headers, so that nothing can end a header early."""
    return _OUTSIDE.sub("_", text.lower())[:_MAX_TOKEN] or "_"


@lru_cache(maxsize=4096)
def _fixed(tier: str | None, rung: str, kind: str | None, degraded: bool) -> str:  # noqa: FBT001 - a cache key
    return (
        f"x-tiercel-tier: {token(tier or 'none')}\r\nx-tiercel-rung: {token(rung)}\r\n"
        f"x-tiercel-kind: {token(kind or 'none')}\r\nx-tiercel-degraded: {str(degraded).lower()}\r\n"
    )


def _cost(cost: float | None) -> str:
    if cost is None:
        return "unknown"
    # Below a microdollar the digits still matter: zero would read as free.
    return f"{cost:.6f}" if cost == 0 or cost >= _MICRODOLLAR else f"{cost:.9f}"


def block_of(request_id: str, report: Report | None) -> bytes:
    """Return the header lines that every reply of a tier carries; the same bytes on every route."""
    if report is None:
        return b"x-request-id: %b\r\n" % request_id.encode()
    attempts = ",".join([f"{token(tried.rung)}:{tried.outcome}:{round(tried.ms)}" for tried in report.attempts])
    lines = (
        f"{_fixed(report.tier, report.rung, report.kind, report.degraded)}x-tiercel-ms: {report.ms:.1f}\r\n"
        f"x-tiercel-attempts: {attempts or 'none'}\r\nx-tiercel-cost: {_cost(report.cost)}\r\n"
        f"x-request-id: {request_id}\r\n"
    )
    if report.dropped:
        lines += f"x-tiercel-dropped: {','.join([token(name) for name in report.dropped])}\r\n"
    return lines.encode()


def pairs_of(block: bytes) -> list[tuple[bytes, bytes]]:
    """Return header lines as ASGI wants them."""
    lines = [line.split(b": ", 1) for line in block.split(b"\r\n") if line]
    return [(name, value) for name, value in lines]
