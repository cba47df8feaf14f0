"""What one request costs in Tiercel, beside nginx's plain proxy and other gateways, all in the same minutes.

    python benchmarks/gateway.py [--rounds 3] [--litellm] [--no-peers] [--peers DIR] [--json]

Every gateway stands before the same mock engine and gets the same load, round after round, in alternating order. The
figure is CPU milliseconds, user and system, of a gateway's processes for each request; what a wall clock says on a
machine that others use too is a floor. The program fails when a promise is not kept, so that it can be a gate.
Needs Linux, nginx with its echo module, and wrk (on Debian: nginx-light, wrk).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import msgspec

from gateway_parts.field import Field, the_field
from gateway_parts.load import Point, StreamPoint, streams, whole_replies
from gateway_parts.verdict import judge, show
from rig.machine import Spare, keep, this_machine
from rig.processes import stops_on_signals

COMMAND = "python benchmarks/gateway.py"
CONCURRENCIES = (1, 16, 64)
STREAMS = 16
WARM_S = 1


def main() -> None:
    """Measure, print, keep the result, hold it against the promises."""
    chosen = options()
    machine = this_machine()
    spare = Spare()
    with (
        stops_on_signals(),
        tempfile.TemporaryDirectory(prefix="tiercel-bench-") as folder,
        the_field(Path(folder), chosen.peers, router=not chosen.no_peers, litellm=chosen.litellm) as field,
    ):
        points, stream_points = measure(field, chosen, Path(folder))
        served = tuple(server.metrics() for server in field.servers)
    report = judge(field, points, stream_points, served)
    flags = " --litellm" if chosen.litellm else ""
    report = msgspec.structs.replace(
        report,
        command=f"{COMMAND} --rounds {chosen.rounds} --seconds {chosen.seconds}{flags}",
        machine=machine,
        idle_share=round(spare.share(), 2),
    )
    text = keep(report, "gateway")
    print(text if chosen.json else show(report))
    broken = [check for check in report.checks if not check.kept and check.hard]
    if broken:
        sys.exit("\n".join(f"not kept: {check.promise}: {check.figure} against {check.limit}" for check in broken))


class Options(argparse.Namespace):
    """What was asked for."""

    rounds: int
    seconds: int
    stream_seconds: float
    peers: Path
    no_peers: bool
    litellm: bool
    json: bool


def options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cache = os.environ.get("BENCH_PEERS") or Path.home() / ".cache" / "tiercel-benchmarks"
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="for each gateway, concurrency and round")
    parser.add_argument("--stream-seconds", type=float, default=3.0)
    parser.add_argument("--peers", type=Path, default=Path(cache), help="where other gateways are installed, once")
    parser.add_argument("--no-peers", action="store_true", help="leave vllm-router out")
    parser.add_argument("--litellm", action="store_true", help="measure LiteLLM too (740 MB, minutes to install)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")
    return parser.parse_args(namespace=Options())


def measure(field: Field, chosen: Options, folder: Path) -> tuple[list[Point], list[StreamPoint]]:
    """Load every target in every round, forwards in one and backwards in the next."""
    points: list[Point] = []
    stream_points: list[StreamPoint] = []
    for target in field.targets:
        whole_replies(target, STREAMS, WARM_S, -1, folder)
        streams(target, STREAMS, WARM_S / 2, -1)
    for number in range(chosen.rounds):
        turn = field.targets if number % 2 == 0 else field.targets[::-1]
        for concurrency in CONCURRENCIES:
            points += [whole_replies(target, concurrency, chosen.seconds, number, folder) for target in turn]
        stream_points += [streams(target, STREAMS, chosen.stream_seconds, number) for target in turn]
    return points, stream_points


if __name__ == "__main__":
    main()
