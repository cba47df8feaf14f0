"""Starts programs, weighs them with everything that they start, and stops them again, whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

__all__ = ["Child", "free_ports", "started", "stops_on_signals", "wait_for"]

STOP_S = 6.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Child:
    """One program that was started, and its descendants."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.pid = process.pid
        self.log = log

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def tree(self) -> list[int]:
        """Return its process and all below it."""
        children: dict[int, list[int]] = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo.extend(children.get(pid, ()))
        return found

    def cpu_s(self) -> float:
        """Return the CPU seconds, user and system, that the tree has used."""
        return sum(map(_cpu_s, self.tree()))

    def waited_s(self) -> float:
        """Return the seconds that the first process's own thread could have run and had no core."""
        with contextlib.suppress(OSError):
            return int(Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
        return 0.0

    def rss_mib(self) -> float:
        """Return the resident memory of the tree."""
        return sum(map(_rss_pages, self.tree())) * _PAGE / 2**20

    def sockets(self) -> int:
        """Return how many sockets the first process holds open."""
        held = 0
        for entry in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                held += str(entry.readlink()).startswith("socket:")
        return held

    def threads(self) -> int:
        """Return how many threads the first process has."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/task").iterdir())

    def stop(self) -> None:
        """Ask it to end, and end by its id whatever of the tree does not."""
        tree = self.tree() if self.alive else []
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        for pid in tree:
            # The first of them is reaped by nobody but us, so its number cannot be another's.
            if pid != self.pid or self.alive:
                _end(pid, tree)
        self.process.wait()


def _end(pid: int, tree: Sequence[int]) -> None:
    """Kill a process of ours: one that lost its parent belongs to init, anything else is a stranger by now."""
    with contextlib.suppress(OSError):
        if int(_stat(pid)[1]) in {*tree, os.getpid(), 1}:
            os.kill(pid, signal.SIGKILL)


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return text[text.rindex(")") + 2 :].split()


def _cpu_s(pid: int) -> float:
    """Read the process's own CPU clock, which counts nanoseconds; /proc only knows hundredths of a second."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    with contextlib.suppress(OSError):
        fields = _stat(pid)
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return 0.0


def _rss_pages(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(_stat(pid)[21])
    return 0


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str], folder: Path, *, env: Mapping[str, str] | None = None, piped: bool = False
) -> Iterator[Child]:
    """Run a program for as long as the block; what it says goes to a log, or its output to a pipe."""
    log = folder / f"{name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603 - programs that the benchmarks name
            command,
            cwd=folder,
            env={**_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else said,
            stderr=said,
            # Ctrl-C is for us: we stop them.
            start_new_session=True,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        child.stop()
        if process.stdout is not None:
            process.stdout.close()


def _environment() -> dict[str, str]:
    """Return ours without what would set the product up otherwise, or make every start of Python a first one."""
    unwanted = "PYTHONDONTWRITEBYTECODE"
    return {name: value for name, value in os.environ.items() if not name.startswith("TIERCEL_") and name != unwanted}


@contextlib.contextmanager
def stops_on_signals() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that everything that was started is stopped."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as held:
        doors = [held.enter_context(socket.socket()) for _ in range(count)]
        for door in doors:
            door.bind(("127.0.0.1", 0))
        return [door.getsockname()[1] for door in doors]


def wait_for(child: Child, port: int, patience_s: float) -> float:
    """Return the seconds until a port is open; ends the program when its process dies or takes too long."""
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < patience_s and child.alive:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.perf_counter() - began_s
        time.sleep(0.002)
    said = child.log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise SystemExit(f"{child.name} did not come up within {patience_s:.0f} s:\n{said}")
