"""The door's side of a reply: where a stream is shown, and what is handed over at the end."""

from __future__ import annotations

from typing import Protocol

import msgspec

from tiercel.engines.port import Tap
from tiercel.terms.reply import Report, Usage

__all__ = ["Served", "Stage"]


class Stage(Protocol):
    """Where a streamed reply is shown."""

    def begin(self, report: Report) -> None:
        """Let the head go out: the first content is here, and from now on no other answer can be given."""
        ...

    def event(self, payload: bytes) -> None:
        """Show one chunk's JSON."""
        ...

    def bind(self, tap: Tap) -> None:
        """Hold this tap, and no earlier one, whenever the reader at the far end is slow."""
        ...


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A reply and how it was won.

    ``body`` is the JSON object of a reply in one piece. After a stream it is empty and ``tail`` holds the last chunks,
    kept back until the end was known to be clean; the door adds the report to the last of them.
    """

    report: Report
    body: bytes = b""
    usage: Usage | None = None
    tail: tuple[bytes, ...] = ()
