"""Measures how soon ``tiercel up`` answers, and what it weighs while nobody asks it anything.

    python benchmarks/start.py [--runs 7] [--imports] [--json]

Ready is the time from the start of the process to the first 200 of a chat, with nothing configured. The very first
start on a machine, when Python has not compiled anything yet, stands apart. ``--imports`` prints instead which packages
the time of a start goes to. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec

from rig.caller import chat_request
from rig.machine import Machine, keep, this_machine
from rig.processes import Child, free_ports, started, stops_on_signals
from rig.server import program
from rig.spread import middle

COMMAND = "python benchmarks/start.py"
MOST_READY_S, MOST_IDLE_MIB = 1.5, 60.0
PATIENCE_S = 30.0
LOOK_S = 0.001
IDLE_AFTER_S = 2.0
SHOWN = 25
QUESTION = b'{"model":"silver","messages":[{"role":"user","content":"hello"}],"tiercel":{"persona":"blacksmith"}}'
IMPORTED = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)", re.MULTILINE)


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One start: until its port was open, until it answered, and what that took; its memory when all was quiet."""

    open_s: float
    ready_s: float
    cpu_s: float
    idle_mib: float
    threads: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept in git; the figures are medians of all starts but the first."""

    command: str
    machine: Machine
    ready_s: float
    slowest_s: float
    cpu_s: float
    idle_mib: float
    first: Start
    others: tuple[Start, ...]
    kept: dict[str, bool]


def start(folder: Path, compiled: Path) -> Start:
    """Start it once, ask once, and look at it after a while."""
    (port,) = free_ports(1)
    began_s = time.perf_counter()
    command = [program(), "up", "--port", str(port), "--no-open"]
    with started("tiercel", command, folder, env={"PYTHONPYCACHEPREFIX": str(compiled)}) as child:
        open_s = _opened(child, port) - began_s
        _ask(port)
        ready_s, cpu_s = time.perf_counter() - began_s, child.cpu_s()
        time.sleep(IDLE_AFTER_S)
        return Start(
            open_s=round(open_s, 3),
            ready_s=round(ready_s, 3),
            cpu_s=round(cpu_s, 3),
            idle_mib=round(child.rss_mib(), 1),
            threads=child.threads(),
        )


def _opened(child: Child, port: int) -> float:
    until_s = time.perf_counter() + PATIENCE_S
    while time.perf_counter() < until_s and child.alive:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return time.perf_counter()
        time.sleep(LOOK_S)
    raise SystemExit(f"it did not start:\n{child.log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _ask(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as wire:
        wire.sendall(chat_request(QUESTION, port))
        answer = wire.recv(1 << 16)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"the first answer was none: {answer[:300]!r}")


def imports() -> str:
    """Return which packages a start's time goes to, and its slowest modules."""
    with tempfile.TemporaryDirectory(prefix="tiercel-bench-") as place:
        folder = Path(place)
        start(folder, folder / "compiled")
        (port,) = free_ports(1)
        command = [sys.executable, "-X", "importtime", program(), "up", "--port", str(port), "--no-open"]
        env = {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        with started("imports", command, folder, env=env) as child:
            _opened(child, port)
            _ask(port)
        said = child.log.read_text(encoding="utf-8", errors="replace")
    rows = [(int(own), int(whole), len(depth), name) for own, whole, depth, name in IMPORTED.findall(said)]
    packages = Counter[str]()
    for own, _, _, name in rows:
        packages[name.partition(".")[0] if not name.startswith("tiercel.") else ".".join(name.split(".")[:2])] += own
    total_ms = sum(own for own, *_ in rows) / 1e3
    lines = [f"{len(rows)} modules, {total_ms:.0f} ms", "", "by package, ms of its own:"]
    lines += [f"{us / 1e3:>9.1f}  {name}" for name, us in packages.most_common(SHOWN)]
    lines += ["", "by module, ms with all that it imports first:"]
    lines += [f"{row[1] / 1e3:>9.1f}  {row[3]}" for row in sorted(rows, key=lambda row: -row[1])[:SHOWN]]
    return "\n".join(lines)


def measure(runs: int) -> Result:
    """Start it often enough."""
    machine = this_machine()
    with tempfile.TemporaryDirectory(prefix="tiercel-bench-") as place:
        folder = Path(place)
        first, *others = (start(folder, folder / "compiled") for _ in range(runs + 1))
    ready_s, idle_mib = middle([each.ready_s for each in others], 3), middle([each.idle_mib for each in others], 1)
    return Result(
        command=f"{COMMAND} --runs {runs}",
        machine=machine,
        ready_s=ready_s,
        slowest_s=max(each.ready_s for each in others),
        cpu_s=middle([each.cpu_s for each in others], 3),
        idle_mib=idle_mib,
        first=first,
        others=tuple(others),
        kept={
            f"ready within {MOST_READY_S:g} s": ready_s <= MOST_READY_S,
            f"at rest at most {MOST_IDLE_MIB:g} MiB": idle_mib <= MOST_IDLE_MIB,
        },
    )


def main() -> None:
    """Start it, print, keep the result."""
    chosen = options()
    with stops_on_signals():
        if chosen.imports:
            print(imports())
            return
        result = measure(chosen.runs)
    text = keep(result, "start")
    print(text if chosen.json else show(result))
    broken = [promise for promise, kept in result.kept.items() if not kept]
    if broken:
        sys.exit("not kept: " + "; ".join(broken))


class Options(argparse.Namespace):
    """What was asked for."""

    runs: int
    imports: bool
    json: bool


def options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="starts after the first")
    parser.add_argument("--imports", action="store_true", help="print what is imported and how long it takes")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    return parser.parse_args(namespace=Options())


def show(result: Result) -> str:
    """Lay the result out for people."""
    machine = result.machine
    lines = [
        f"{machine.cpu}, {machine.cores} cores, Python {machine.python}, load {machine.load_1m}, {os.uname().release}"
    ]
    lines.append(f"{'':<14}{'port open s':>12}{'ready s':>9}{'CPU s':>8}{'idle MiB':>10}{'threads':>9}")
    for name, each in (("the very first", result.first), *(("", other) for other in result.others)):
        row = f"{each.open_s:>12.3f}{each.ready_s:>9.3f}{each.cpu_s:>8.3f}{each.idle_mib:>10.1f}{each.threads:>9}"
        lines.append(f"{name:<14}{row}")
    lines.append(f"{'median':<14}{'':>12}{result.ready_s:>9.3f}{result.cpu_s:>8.3f}{result.idle_mib:>10.1f}")
    lines += [f"{promise}: {'kept' if kept else 'NOT KEPT'}" for promise, kept in result.kept.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
