"""Why a simulated world ended other than by its own result, and where its tasks stood when it did."""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["Deadlock", "Leak", "Livelock", "OutsideWorld", "SimulationError", "describe", "roll_call"]

_LISTED = 20


class SimulationError(Exception):
    """The world broke a rule of the simulation itself; never an answer that product code should handle."""


class Deadlock(SimulationError):
    """Work is unfinished and nothing will ever happen again."""


class Livelock(SimulationError):
    """Callbacks keep calling each other and virtual time cannot move on."""


class OutsideWorld(SimulationError):
    """Simulated code reached for a thread, a socket, a signal or a process."""


class Leak(SimulationError):
    """The main task is done and something it started is not."""


def describe(task: asyncio.Task[object]) -> str:
    """Say which task this is, and the innermost line it stands at."""
    coro: object = task.get_coro()
    name = getattr(coro, "__qualname__", type(coro).__name__)
    return f"{task.get_name()} ({name}) at {_place(coro)}"


def roll_call(tasks: Iterable[asyncio.Task[object]]) -> str:
    """One line per task, the first twenty of them."""
    lines = [describe(task) for task in tasks]
    more = [f"... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "".join(f"\n  {line}" for line in lines[:_LISTED] + more)


def _place(coro: object) -> str:
    """Follow what awaits what down to the frame that really waits: the outermost one says little."""
    place = "its start"
    while coro is not None:
        # Coroutines, generators and async generators carry the same two things under three prefixes.
        for prefix in ("cr", "gi", "ag"):
            frame = getattr(coro, f"{prefix}_frame", None)
            if isinstance(frame, FrameType):
                place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
                coro = getattr(coro, f"{prefix}_await", None) or getattr(coro, "gi_yieldfrom", None)
                break
        else:
            return place
    return place
