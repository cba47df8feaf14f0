"""What the door alone costs a request: parsing, checks, reply and framing, before a flow that answers at once.

    python benchmarks/door.py [--rounds 3] [--seconds 3] [--json]

Beside it stand a protocol that reads and writes without looking (the floor that any Python server pays, most of it the
kernel's), the same requests on the plain ASGI route, and that route behind uvicorn's own protocol. One load has the
few headers of wrk, the other the sixteen of an OpenAI client. Medians of CPU microseconds over alternating rounds; the
promise is what the door costs above the floor, for a reply and for a stream of 32 chunks. Needs Linux and wrk (on
Debian: wrk).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from door_parts.serve import CONTENDERS
from gateway_parts.load import Point, StreamPoint, Target, streams, whole_replies
from rig.machine import Machine, Spare, keep, this_machine
from rig.processes import free_ports, started, stops_on_signals, wait_for
from rig.spread import middle

COMMAND = "python benchmarks/door.py"
FLOOR, HOT, PLAIN, GUEST = CONTENDERS
CONNECTIONS = (1, 16, 64)
STREAMS = 16
# Above the floor, at 16 connections or more: 0.02 ms is half of what a whole plain request may cost.
PROMISED_US = 20.0
PROMISED_STREAM_MS = 0.5
CLIENT = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "OpenAI/Python 3.52.0",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "3.52.0",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Runtime-Version": "3.11.7",
    "Authorization": "Bearer none",
    "X-Stainless-Async": "false",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
}
LOADS = {"few headers": {}, "an OpenAI client's headers": CLIENT}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One contender under one load; zero where it has no such figure."""

    contender: str
    load: str
    connections: int
    cpu_us: float
    rps: float
    errors: int


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """Streams of 32 chunks, 10 ms apart."""

    contender: str
    connections: int
    cpu_ms: float
    first_p50_ms: float
    broken: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, on what, by which command."""

    command: str
    machine: Machine
    idle_share: float
    rows: tuple[Row, ...]
    streams: tuple[Streamed, ...]
    above_floor_us: dict[str, float]
    above_floor_stream_ms: float
    kept: bool


def main() -> None:
    """Measure, print, keep the result, hold it against the promise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    machine, spare = this_machine(), Spare()
    with stops_on_signals(), tempfile.TemporaryDirectory(prefix="tiercel-bench-") as place, field(Path(place)) as ready:
        points, stream_points = measure(ready, chosen.rounds, chosen.seconds, Path(place))
    rows, above = tuple(rows_of(points)), {}
    for connections in CONNECTIONS[1:]:
        cost = {
            row.contender: row.cpu_us for row in rows if row.connections == connections and row.load == "few headers"
        }
        above[f"{connections} connections"] = round(cost[HOT] - cost[FLOOR], 2)
    streamed = tuple(streams_of(stream_points))
    stream_ms = {one.contender: one.cpu_ms for one in streamed}
    above_stream_ms = round(stream_ms[HOT] - stream_ms[FLOOR], 3)
    report = Report(
        command=f"{COMMAND} --rounds {chosen.rounds} --seconds {chosen.seconds}",
        machine=machine,
        idle_share=round(spare.share(), 2),
        rows=rows,
        streams=streamed,
        above_floor_us=above,
        above_floor_stream_ms=above_stream_ms,
        kept=max(above.values()) <= PROMISED_US
        and above_stream_ms <= PROMISED_STREAM_MS
        and not any(row.errors for row in rows)
        and not any(one.broken for one in streamed),
    )
    text = keep(report, "door")
    print(text if chosen.json else shown(report))
    if not report.kept:
        sys.exit(f"not kept: at most {PROMISED_US} us above the floor, {PROMISED_STREAM_MS} ms a stream, and no error")


@contextmanager
def field(folder: Path) -> Iterator[list[Target]]:
    """Start every contender."""
    program = Path(__file__).with_name("door_parts") / "serve.py"
    ports = free_ports(len(CONTENDERS))
    chat = {
        "model": "auto",
        "messages": [{"role": "system", "content": "x" * 300}, {"role": "user", "content": "y" * 380}],
    }
    body = msgspec.json.encode({**chat, "temperature": 0.7, "max_tokens": 64})
    stream_body = msgspec.json.encode({**chat, "stream": True})
    with ExitStack() as stack:
        targets = []
        for number, (name, port) in enumerate(zip(CONTENDERS, ports, strict=True)):
            command = [sys.executable, str(program), str(port), str(number)]
            child = stack.enter_context(started(f"contender-{number}", command, folder))
            wait_for(child, port, 10.0)
            targets.append(
                Target(
                    name=name,
                    whole=port,
                    streams=port,
                    body=body,
                    stream_body=stream_body,
                    child=child,
                    stream_child=child,
                )
            )
        yield targets


def measure(
    targets: list[Target], rounds: int, seconds: int, folder: Path
) -> tuple[dict[str, list[Point]], list[StreamPoint]]:
    """Load every contender in turn, round after round."""
    points: dict[str, list[Point]] = {load: [] for load in LOADS}
    stream_points: list[StreamPoint] = []
    for target in targets:
        whole_replies(target, 16, 1, 0, folder)
    for round_ in range(rounds):
        for connections in CONNECTIONS:
            for load, headers in LOADS.items():
                if headers and connections != 16:
                    continue
                for target in targets:
                    loaded = msgspec.structs.replace(target, headers=headers)
                    points[load].append(whole_replies(loaded, connections, seconds, round_, folder))
        stream_points += [
            streams(target, STREAMS, seconds, round_) for target in targets if target.name in (FLOOR, HOT, PLAIN)
        ]
    return points, stream_points


def rows_of(points: dict[str, list[Point]]) -> Iterator[Row]:
    """Take medians over the rounds."""
    for load, found in points.items():
        for name, connections in dict.fromkeys((point.target, point.concurrency) for point in found):
            same = [point for point in found if (point.target, point.concurrency) == (name, connections)]
            yield Row(
                contender=name,
                load=load,
                connections=connections,
                cpu_us=middle([point.cpu_ms * 1e3 for point in same], 2),
                rps=middle([point.rps for point in same], 0),
                errors=sum(point.errors for point in same),
            )


def streams_of(points: list[StreamPoint]) -> Iterator[Streamed]:
    """Take medians over the rounds."""
    for name in dict.fromkeys(point.target for point in points):
        same = [point for point in points if point.target == name]
        yield Streamed(
            contender=name,
            connections=STREAMS,
            cpu_ms=middle([point.cpu_ms for point in same], 3),
            first_p50_ms=middle([point.first_p50_ms for point in same], 3),
            broken=sum(point.broken for point in same),
        )


def shown(report: Report) -> str:
    """Return the result as a table."""
    lines = [
        f"{report.machine.cpu}, {report.machine.cores} cores, load {report.machine.load_1m}, idle {report.idle_share}"
    ]
    lines += [
        f"{row.cpu_us:8.2f} us  {row.rps:9.0f}/s  {row.connections:3d} connections  {row.contender}, {row.load}"
        for row in report.rows
    ]
    lines += [
        f"{one.cpu_ms:8.3f} ms a stream, first event {one.first_p50_ms:.2f} ms  {one.contender}"
        for one in report.streams
    ]
    return "\n".join(
        [*lines, f"above the floor: {report.above_floor_us} us, {report.above_floor_stream_ms} ms a stream"]
    )


if __name__ == "__main__":
    main()
