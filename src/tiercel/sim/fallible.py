"""How a failure anywhere ends a simulated world: it is noticed, it stops the loop, and it is raised out of the run.

A harness that lets a task die unnoticed proves nothing: the assertion that failed was in it. So whoever starts a task
reads its failure in the instant it fails (a TaskGroup, gather, wait and await all do); code that means to look later,
or never, says so with ``task.add_done_callback(lambda done: done.cancelled() or done.exception())``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from tiercel.sim.outside import WalledLoop
from tiercel.sim.verdicts import SimulationError

__all__ = ["FallibleLoop"]

# asyncio's own name for what it hands to an exception handler.
_Report = dict[str, Any]
_Handler = Callable[[asyncio.AbstractEventLoop, _Report], object]


class FallibleLoop(WalledLoop):
    """The part of an event loop that deals with what goes wrong."""

    def __init__(self) -> None:
        self._stopping = False
        self._failure: BaseException | None = None
        self._fell = False
        self._unread: list[asyncio.Task[Any]] = []
        self._handler: _Handler | None = None

    def signature(self) -> str:
        """Say which run this is, for the notes of what it raises."""
        raise NotImplementedError

    def end_world(self, fault: BaseException) -> None:
        if self._failure is None:
            self._failure = fault
        elif self._failure is not fault:
            self._failure.add_note(f"and in the same instant: {fault!r}")
        self._stopping = True

    @property
    def fallen(self) -> bool:
        """Whether this world has failed and is only being cleared away."""
        return self._fell or self._failure is not None

    def task_failed(self, task: asyncio.Task[Any], fault: BaseException) -> None:
        """Take note of a task that raised."""
        if isinstance(fault, AssertionError):
            # Somebody may be about to swallow it, and an assertion is never an answer.
            task.exception()
            self.end_world(fault)
        else:
            self._unread.append(task)

    def end_if_unread(self) -> None:
        """End the world for failures that nobody looked at in the instant they happened; called as it ends."""
        unread, self._unread = self._unread, []
        for task in unread:
            # From the side, for asking for .exception() is reading it.
            if task._log_traceback and (fault := task.exception()) is not None:  # noqa: SLF001
                fault.add_note(f"nobody read the failure of {task.get_name()} in the instant it failed")
                self.end_world(fault)

    def raise_failure(self) -> None:
        """Raise what ended the world, if anything did."""
        if self._failure is not None:
            fault, self._failure = self._failure, None
            raise fault

    def fall(self, fault: BaseException) -> None:
        """Say on what is being raised out of the run which run it was, once, and what else went wrong."""
        self._fell = True
        other, self._failure = self._failure, None
        if other is not None and other is not fault:
            fault.add_note(f"and in the same instant: {other!r}")
        if not any(note.startswith("simulated world: ") for note in getattr(fault, "__notes__", ())):
            fault.add_note(f"simulated world: {self.signature()}")

    # What asyncio itself reports: futures and tasks dropped with an unread failure, protocols that break.

    def call_exception_handler(self, context: _Report) -> None:
        if self.is_closed():
            # The finalizer of something the world left behind: there is no run left to stop.
            self.default_exception_handler(context)
            return
        if self._handler is not None:
            self._handler(self, context)
        fault = context.get("exception")
        if isinstance(fault, BaseException):
            fault.add_note(str(context.get("message")))
            self.end_world(fault)
        else:
            self.end_world(SimulationError(str(context)))

    def default_exception_handler(self, context: _Report) -> None:
        # After a fall the first failure has been told, and what it broke is no news.
        if not self._fell:
            logging.getLogger("asyncio").error("%s", context)

    def set_exception_handler(self, handler: _Handler | None) -> None:
        """Have ``handler`` told, too; the world stops all the same."""
        self._handler = handler

    def get_exception_handler(self) -> _Handler | None:
        return self._handler
