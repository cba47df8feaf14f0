"""Names the machine that a figure was measured on, and how much of it was idle meanwhile."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

__all__ = ["Machine", "Spare", "keep", "this_machine"]

RESULTS = Path(__file__).parents[1] / "results"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What every result says about where it comes from; the load is that of others, before anything was started."""

    cpu: str
    cores: int
    memory_gib: float
    system: str
    python: str
    load_1m: float


def this_machine() -> Machine:
    """Describe the machine that this runs on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=_processor(),
        cores=os.cpu_count() or 0,
        memory_gib=round(pages / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load_1m=round(os.getloadavg()[0], 2),
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


class Spare:
    """The share of all cores that nobody used since this was made."""

    def __init__(self) -> None:
        self._idle, self._all = _ticks()

    def share(self) -> float:
        """Return it, from 0 to 1."""
        idle, every = _ticks()
        return (idle - self._idle) / max(1, every - self._all)


def _ticks() -> tuple[int, int]:
    first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    ticks = [int(each) for each in first.split()[1:9]]
    # Waiting for a disk is idle too.
    return ticks[3] + ticks[4], sum(ticks)


def keep(result: msgspec.Struct, name: str) -> str:
    """Write a result where git keeps it, and return it as text."""
    text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    return text
