"""Promises to call something, now or later: asyncio's handles without the bookkeeping that costs time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context

__all__ = ["Moment", "Soon"]


class Soon(asyncio.Handle):
    """A call due at the present instant."""

    # The parent's slots are reused and its __init__ is not called: it asks the loop for its debug flag each time.
    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...], context: Context | None) -> None:
        self._callback = callback
        self._args = args
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def run(self) -> None:
        """Call it, unless it was cancelled; what it raises goes to the loop."""
        if not self._cancelled:
            self._context.run(self._callback, *self._args)

    def cancel(self) -> None:
        self._cancelled = True
        # Whatever the callback holds on to must not live until the loop comes by here.
        self._callback = _nothing
        self._args = ()

    def __repr__(self) -> str:
        return f"<Soon {'cancelled' if self._cancelled else self._callback!r}>"


class Moment(asyncio.TimerHandle):
    """A call due at an instant to come."""

    __slots__ = ("_on_cancel",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[object, ...],
        context: Context | None,
        on_cancel: Callable[[], None] | None,
    ) -> None:
        self._when = when
        self._callback = callback
        self._args = args
        self._context = copy_context() if context is None else context
        self._cancelled = False
        self._on_cancel = on_cancel

    def take(self) -> bool:
        """Leave the loop's heap; whether the call is still wanted."""
        self._on_cancel = None
        return not self._cancelled

    def run(self) -> None:
        """Call it, unless it was cancelled; what it raises goes to the loop."""
        if not self._cancelled:
            self._context.run(self._callback, *self._args)

    def cancel(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        self._callback = _nothing
        self._args = ()
        if self._on_cancel is not None:
            self._on_cancel()

    # Two timers are never "equal": the loop orders them by when they were armed.
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<Moment {self._when} {'cancelled' if self._cancelled else self._callback!r}>"


def _nothing() -> None:
    """Stand in for the callback of a cancelled handle."""
