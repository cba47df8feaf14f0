"""The door's side of a reply: where a stream is shown, what is handed over at the end, and who counts it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from tiercel.engines.chain.run import Run
from tiercel.engines.port import Tap
from tiercel.terms.ask import Ask
from tiercel.terms.reply import Report, Usage

__all__ = ["Served", "Stage", "Tally"]


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


class Tally(Protocol):
    """Who counts requests; called once for each, whatever became of it."""

    def served(self, served: Served, run: Run) -> None:
        """Count a reply."""
        ...

    def failed(self, ask: Ask, run: Run | None, error: BaseException) -> None:
        """Count a request that got an error, or whose caller left."""
        ...
