"""Medians over the rounds, ratios within them, and whether the promises were kept."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway_parts.field import BY_NAME, BY_TIER, DIRECT, NGINX, ROUTER, WITH_WISHES, Field, Start
from gateway_parts.load import Point, StreamPoint
from rig.machine import Machine
from rig.server import counted
from rig.spread import middle

__all__ = ["Check", "Report", "judge", "show"]

MOST_CPU_MS, WANTED_CPU_MS = 0.05, 0.04
MOST_STREAM_CPU_MS = 1.0
MOST_FIRST_MS = 1.0
# With more of the answers from elsewhere than the engine, we would have measured our templates.
MOST_BY_OTHERS = 0.001
OURS = (BY_TIER, BY_NAME)
# At one connection cores fall asleep between requests, and waking them is most of what is measured.
BUSY = (16, 64)


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """Whole replies of one gateway at one concurrency: medians over the rounds."""

    gateway: str
    concurrency: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    cpu_ms_lowest: float
    cpu_ms_highest: float
    times_nginx: float
    times_router: float
    errors: int


class Streamed(msgspec.Struct, frozen=True, kw_only=True):
    """Streams of one gateway: medians over the rounds; ``over_direct_ms`` is the first event's delay."""

    gateway: str
    concurrency: int
    streams: int
    cpu_ms: float
    first_p50_ms: float
    first_p99_ms: float
    over_direct_ms: float
    times_router: float
    broken: int


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One promise and the figure that it is held against; one that is not hard is a target and only noted."""

    promise: str
    figure: float
    limit: float
    kept: bool
    hard: bool = True


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, on what, by which command."""

    command: str = ""
    machine: Machine | None = None
    idle_share: float = 0.0
    checks: tuple[Check, ...]
    starts: tuple[Start, ...]
    whole: tuple[Whole, ...]
    streams: tuple[Streamed, ...]
    left_out: tuple[str, ...]
    answered_by_model: float
    rounds: tuple[Point, ...]
    stream_rounds: tuple[StreamPoint, ...]


def judge(
    field: Field, points: Sequence[Point], streams: Sequence[StreamPoint], served: Sequence[dict[str, float]]
) -> Report:
    """Return the report; who ran it, where and when is for the caller to add."""
    names = [target.name for target in field.targets]
    whole = [_whole(name, concurrency, points) for concurrency in _seen(points) for name in names]
    streamed = [_streamed(name, streams) for name in names]
    # Who leaves when the load ends is counted by us and answered by nobody.
    every = sum(
        counted(samples, "tiercel_requests_total") - counted(samples, "tiercel_requests_total", 'outcome="left"')
        for samples in served
    )
    by_model = sum(counted(samples, "tiercel_requests_total", 'kind="model"', 'outcome="ok"') for samples in served)
    share = by_model / max(1.0, every)
    return Report(
        checks=tuple(_checks(whole, streamed, share)),
        starts=field.starts,
        whole=tuple(whole),
        streams=tuple(streamed),
        left_out=field.left_out,
        answered_by_model=round(share, 6),
        rounds=tuple(points),
        stream_rounds=tuple(streams),
    )


def _seen(points: Sequence[Point]) -> list[int]:
    return sorted({point.concurrency for point in points})


def _whole(name: str, concurrency: int, points: Sequence[Point]) -> Whole:
    mine = [point for point in points if point.target == name and point.concurrency == concurrency]
    cpu = [point.cpu_ms for point in mine]
    return Whole(
        gateway=name,
        concurrency=concurrency,
        rps=middle([point.rps for point in mine], 0),
        p50_ms=middle([point.p50_ms for point in mine], 3),
        p99_ms=middle([point.p99_ms for point in mine], 3),
        cpu_ms=middle(cpu),
        cpu_ms_lowest=round(min(cpu), 4),
        cpu_ms_highest=round(max(cpu), 4),
        times_nginx=_times(mine, NGINX, points),
        times_router=_times(mine, ROUTER, points),
        errors=sum(point.errors for point in mine),
    )


def _times(mine: Sequence[Point], other: str, points: Sequence[Point]) -> float:
    """Return the median of our cost over another's in the same round; 0 when it was not measured."""
    theirs = {(point.round, point.concurrency): point.cpu_ms for point in points if point.target == other}
    pairs = [(point.cpu_ms, theirs.get((point.round, point.concurrency), 0.0)) for point in mine]
    return middle([ours / their for ours, their in pairs if their > 0], 2)


def _streamed(name: str, points: Sequence[StreamPoint]) -> Streamed:
    mine = [point for point in points if point.target == name]
    direct = {point.round: point.first_p50_ms for point in points if point.target == DIRECT}
    router = {point.round: point.cpu_ms for point in points if point.target == ROUTER}
    return Streamed(
        gateway=name,
        concurrency=mine[0].concurrency,
        streams=sum(point.streams for point in mine),
        cpu_ms=middle([point.cpu_ms for point in mine], 3),
        first_p50_ms=middle([point.first_p50_ms for point in mine], 3),
        first_p99_ms=middle([point.first_p99_ms for point in mine], 3),
        over_direct_ms=middle([point.first_p50_ms - direct[point.round] for point in mine], 3),
        times_router=middle([point.cpu_ms / router[point.round] for point in mine if router.get(point.round)], 2),
        broken=sum(point.broken for point in mine),
    )


def _checks(whole: Sequence[Whole], streams: Sequence[Streamed], by_model: float) -> list[Check]:
    checks = []
    for name in OURS:
        rows = [row for row in whole if row.gateway == name and row.concurrency in BUSY]
        for row in rows:
            what = f"{name}, {row.concurrency} connections: CPU-ms a request"
            checks += [_at_most(what, row.cpu_ms, MOST_CPU_MS), _at_most(what, row.cpu_ms, WANTED_CPU_MS, hard=False)]
            if row.times_router:
                what = f"{name}, {row.concurrency} connections: times vllm-router's CPU-ms"
                checks.append(_at_most(what, row.times_router, 1.0))
        stream = next(row for row in streams if row.gateway == name)
        checks.append(_at_most(f"{name}: CPU-ms a stream of 32 chunks", stream.cpu_ms, MOST_STREAM_CPU_MS))
        checks.append(_at_most(f"{name}: first event, ms over direct", stream.over_direct_ms, MOST_FIRST_MS))
    failed = sum(row.errors for row in whole if row.gateway in (*OURS, WITH_WISHES))
    failed += sum(row.broken for row in streams if row.gateway in (*OURS, WITH_WISHES))
    checks.append(_at_most("failed requests and broken streams", failed, 0))
    checks.append(_at_most("share of answers that are not the engine's", round(1 - by_model, 6), MOST_BY_OTHERS))
    return checks


def _at_most(promise: str, figure: float, limit: float, *, hard: bool = True) -> Check:
    return Check(promise=promise, figure=figure, limit=limit, kept=figure <= limit, hard=hard)


def show(report: Report) -> str:
    """Lay the report out for people."""
    machine = report.machine
    lines = [f"{machine.cpu}, {machine.cores} cores, Python {machine.python}" if machine else "", ""]
    lines.append(f"{'':<32}{'ready s':>9}{'CPU s':>7}{'idle MiB':>10}")
    lines += [f"{row.gateway:<32}{row.ready_s:>9.2f}{row.cpu_s:>7.2f}{row.idle_mib:>10.1f}" for row in report.starts]
    lines += [
        "",
        f"{'whole replies':<32}{'c':>4}{'CPU-ms':>9}{'x nginx':>9}{'x router':>10}{'RPS':>9}{'p50':>8}{'p99':>8}",
    ]
    lines += [
        f"{row.gateway:<32}{row.concurrency:>4}{row.cpu_ms:>9.4f}{row.times_nginx:>9.2f}{row.times_router:>10.2f}"
        f"{row.rps:>9.0f}{row.p50_ms:>8.2f}{row.p99_ms:>8.2f}{'  ERRORS' if row.errors else ''}"
        for row in report.whole
    ]
    lines += [
        "",
        f"{'streams of 32 chunks':<32}{'c':>4}{'CPU-ms':>9}{'x router':>10}{'first ms':>10}{'over direct':>13}",
    ]
    lines += [
        f"{row.gateway:<32}{row.concurrency:>4}{row.cpu_ms:>9.3f}{row.times_router:>10.2f}{row.first_p50_ms:>10.2f}"
        f"{row.over_direct_ms:>13.2f}{'  BROKEN' if row.broken else ''}"
        for row in report.streams
    ]
    lines += ["", *(f"left out: {each}" for each in report.left_out)]
    for check in report.checks:
        word = "kept" if check.kept else "NOT KEPT" if check.hard else "above the target"
        lines.append(f"{check.promise:<64}{check.figure:>9.4f} <= {check.limit:<7g}{word}")
    return "\n".join(lines)
