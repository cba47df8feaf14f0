"""Runs the product itself, ``tiercel up`` in a process of its own, from a configuration written for a benchmark."""

from __future__ import annotations

import contextlib
import os
import selectors
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rig.processes import Child, started

__all__ = ["Server", "counted", "tiercel_up"]

UP_S = 20.0


class _Line(msgspec.Struct):
    """What ``tiercel up --json`` prints when it takes connections."""

    url: str
    pid: int


class Server:
    """A running ``tiercel up``."""

    def __init__(self, child: Child, url: str) -> None:
        self.child = child
        self.url = url
        self.port = int(url.rpartition(":")[2])

    def metrics(self) -> dict[str, float]:
        """Return every sample of /metrics, by its name with its labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as page:  # noqa: S310 - our own server
            lines = page.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}


def counted(samples: dict[str, float], family: str, *having: str) -> float:
    """Add up the samples of one metric whose labels hold all of these texts."""
    return sum(
        value
        for name, value in samples.items()
        if name.partition("{")[0] == family and all(text in name for text in having)
    )


@contextlib.contextmanager
def tiercel_up(toml: str, folder: Path, *, name: str = "tiercel") -> Iterator[Server]:
    """Start the server on a free port, and stop it when the block ends."""
    config = folder / f"{name}.toml"
    config.write_text(toml, encoding="utf-8")
    command = [program(), "up", "--config", str(config), "--port", "0", "--no-open", "--json"]
    with started(name, command, folder, piped=True) as child:
        yield Server(child, _told(child).url)


def program() -> str:
    """Return the ``tiercel`` that belongs to this Python."""
    return str(Path(sys.executable).with_name("tiercel"))


def _told(child: Child) -> _Line:
    """Wait for the line that says where it is; whatever else it says instead is shown."""
    pipe = child.process.stdout
    assert pipe is not None
    said, until_s = b"", time.perf_counter() + UP_S
    with selectors.DefaultSelector() as ears:
        ears.register(pipe, selectors.EVENT_READ)
        while b"\n" not in said and time.perf_counter() < until_s:
            if ears.select(0.1):
                heard = os.read(pipe.fileno(), 4096)
                if not heard:
                    break
                said += heard
    try:
        return msgspec.json.decode(said.partition(b"\n")[0], type=_Line)
    except msgspec.DecodeError:
        log = child.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(f"{child.name} did not come up within {UP_S:.0f} s:\n{said.decode()}{log}") from None
