"""How many simulated requests a core plays in a second, each of them checked; and that the same seeds tell the same.

python benchmarks/simulation.py [--requests 1000000] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import resource
import sys

import msgspec

from rig.machine import Machine, keep, this_machine
from tiercel.sim.harness import Season, season, worlds

# What was asked of a million requests.
TARGET_S = 90.0
MILLION = 1_000_000


class Result(msgspec.Struct, kw_only=True):
    """What is kept."""

    command: str
    machine: Machine
    season: Season
    million_s: float
    target_s: float
    peak_rss_mib: float
    replays_alike: bool


def main() -> None:
    """Play, check the replay of the first worlds, print and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=MILLION)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    played = season(options.seed, worlds(options.seed, options.requests))
    again = [season(options.seed, worlds(options.seed, 4000)).crc for _ in range(2)]
    result = Result(
        command=f"python benchmarks/simulation.py --requests {options.requests} --seed {options.seed}",
        machine=this_machine(),
        season=played,
        million_s=round(played.cpu_s * MILLION / played.requests, 1),
        target_s=TARGET_S,
        peak_rss_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        replays_alike=again[0] == again[1],
    )
    keep(result, "simulation")
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result)).decode() + "\n")
        return
    sys.stdout.write(
        f"{played.requests:,} requests ({played.requests_as_bytes:,} as bytes) in {played.worlds} worlds, "
        f"{played.virtual_s:,.0f} simulated s: {played.cpu_s} CPU-s, {played.per_s:,.0f} a second; a million takes "
        f"{result.million_s} s (asked: {TARGET_S:.0f}); {result.peak_rss_mib} MiB; "
        f"replays {'alike' if result.replays_alike else 'DIFFER'}\n"
    )


if __name__ == "__main__":
    main()
