"""Runs the two programs that keep a measurement company: the engine that plays parts, and the probe of the noise."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rig.probe import Noise
from rig.processes import Child, started
from rig.understudy import Played

__all__ = ["Listener", "Understudy", "noise_beside", "understudy"]

_ENV = {"PYTHONPATH": str(Path(__file__).parents[1])}


class Understudy:
    """A running engine; its rungs differ by their address only."""

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port

    def url(self, rung: int) -> str:
        """Return the address of one rung."""
        return f"http://127.0.0.1:{self.port}/rung/{rung}/v1"

    def seen(self) -> Played:
        """Return what it has played so far."""
        os.kill(self.child.pid, signal.SIGUSR1)
        return msgspec.json.decode(_line(self.child), type=Played)


class Listener:
    """A running probe."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def noise(self) -> Noise:
        """End the probe and return what it has heard."""
        self._child.process.terminate()
        return msgspec.json.decode(_line(self._child), type=Noise)


@contextlib.contextmanager
def understudy(folder: Path) -> Iterator[Understudy]:
    """Run the engine."""
    with _python("understudy", folder) as child:
        yield Understudy(child, int(_line(child)))


@contextlib.contextmanager
def noise_beside(folder: Path) -> Iterator[Listener]:
    """Run the probe."""
    with _python("probe", folder) as child:
        yield Listener(child)


@contextlib.contextmanager
def _python(name: str, folder: Path) -> Iterator[Child]:
    with started(name, [sys.executable, "-m", f"rig.{name}"], folder, env=_ENV, piped=True) as child:
        yield child


def _line(child: Child) -> bytes:
    pipe = child.process.stdout
    assert pipe is not None
    line = pipe.readline()
    if not line:
        raise SystemExit(f"{child.name} ended:\n{child.log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
    return line
