"""An engine in a process of its own that plays, for each request, the part that the request itself asks for.

The ``user`` field of a request holds one part for each rung of the ladder, with ``;`` between them; an engine whose
address begins with ``/rung/2`` plays the third. So whoever asks knows which fault every rung has met. Without such a
field the reply is a good one. Told to end, it prints how often each mode was played and what became of its sockets.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec
import uvloop

from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.ledger import Ledger
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.server import rehearsal_server

RUNG = "/rung/"
GOOD = Part()


class _Asked(msgspec.Struct):
    """The field that carries the parts."""

    user: str = ""


class Played(msgspec.Struct, kw_only=True):
    """What this engine saw."""

    modes: dict[str, int]
    attempts: int
    completed: int
    abandoned: int
    open_sockets: int


_asked = msgspec.json.Decoder(_Asked).decode


def chosen(heard: Heard) -> Part:
    """Return the part that a request wants from this rung."""
    if not heard.path.startswith(RUNG) or not heard.body:
        return GOOD
    parts = _asked(heard.body).user.split(";")
    rung = int(heard.path[len(RUNG) :].partition("/")[0])
    return Part.from_model(parts[rung]) if rung < len(parts) and parts[rung] else GOOD


def seen(ledger: Ledger) -> Played:
    """Return what the ledger holds."""
    return Played(
        modes={mode.value: ledger.count(mode=mode) for mode in Mode},
        attempts=ledger.attempts,
        completed=ledger.completed,
        abandoned=ledger.abandoned,
        open_sockets=ledger.open_sockets,
    )


async def serve() -> None:
    """Serve until told to end; SIGUSR1 asks for the counts in between."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    async with rehearsal_server(chosen) as stage:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        loop.add_signal_handler(signal.SIGUSR1, lambda: say(msgspec.json.encode(seen(stage.ledger)).decode()))
        say(str(stage.port))
        await stopped.wait()
        say(msgspec.json.encode(seen(stage.ledger)).decode())


if __name__ == "__main__":
    uvloop.run(serve())
