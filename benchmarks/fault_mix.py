"""Measures whether every request is answered in time and in shape while engines fail in every way we know.

    python benchmarks/fault_mix.py [--requests 20000] [--rate 120] [--seed 7] [--nice 0] [--json]

A real ``tiercel up`` stands before an engine that plays all faults of the rehearsal, which fault for whom drawn
beforehand (``fault_parts/plan.py`` says how). Requests arrive as players do, at a rate that leaves most of the machine
idle, each with a deadline between 50 ms and 2 s; three of four ask a tier for a persona's words, and each of those must
get some. Beside them: schemas and forced tools, engines by name, and ``fallback: none``, where an honest error in time
is an answer too. Lateness is what the caller sees. How late a sleeping process wakes on the same machine in the same
minutes is printed beside it, because nobody can be more punctual than that. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec
import uvloop

from fault_parts.checks import verdict_on
from fault_parts.plan import RUNGS, Kind, Plan, drawn, request_of
from fault_parts.tally import Case, OfKind, Tally
from rig.caller import Lines
from rig.company import Understudy, noise_beside, understudy
from rig.machine import Machine, Spare, keep, this_machine
from rig.probe import Stall
from rig.processes import Child, stops_on_signals
from rig.server import Server, counted, tiercel_up
from rig.spread import Spread, spread_of

COMMAND = "python benchmarks/fault_mix.py"
MOST_LATE_MS = 20.0
PUNCTUAL = f"p99.9 of lateness is at most {MOST_LATE_MS:g} ms (asked of a quiet machine)"
# A machine on which a process that sleeps wakes later than this, once in a thousand times, is not a quiet one.
QUIET_MS = 5.0
# An engine may blame the request; that is passed on to the caller and not asked of another engine.
REFUSED = "413 request_too_large"
GRACE_S = 5.0
WARM = 200
TICK_S = 0.005

CONFIG = """
[server]
drain_ms = 1000
[engines.one]
kind = "openai"
url = "{one}"
model = "rehearsal"
connect_ms = 10
[engines.two]
kind = "openai"
url = "{two}"
model = "rehearsal"
connect_ms = 10
[engines.three]
kind = "openai"
url = "{three}"
model = "rehearsal"
connect_ms = 10
[engines.shut]  # nobody listens
kind = "openai"
url = "http://127.0.0.1:1/v1"
model = "rehearsal"
connect_ms = 10
[engines.lost]  # a name that nobody knows
kind = "openai"
url = "http://engine.invalid/v1"
model = "rehearsal"
connect_ms = 10
[engines.sealed]  # TLS to a server that speaks none
kind = "openai"
url = "{sealed}"
model = "rehearsal"
connect_ms = 10
[tiers.silver]
rungs = ["one", "two", "three", "template"]
[tiers.gold]
rungs = ["shut", "lost", "sealed", "three", "policy"]
first_ms = 250
total_ms = 2000
"""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept in git."""

    command: str
    machine: Machine
    idle_share: float
    seconds: float
    lateness: Spread
    kinds: tuple[OfKind, ...]
    attempts: dict[str, int]
    played: dict[str, int]
    noise_beside: Spread
    noise_in_the_caller: Spread
    # Milliseconds in each second that they could have run and had no core.
    waited_for_a_core: dict[str, float]
    lateness_the_server_saw: dict[str, int]
    kept: dict[str, bool]
    cases: tuple[Case, ...]


class Watch:
    """How late the caller's own loop runs, and how long the others of this play wait for a core while they could run.

    Both are part of what is measured, and neither is the server's doing.
    """

    def __init__(self, *waiting: Child) -> None:
        self.lates: list[float] = []
        self.stalls: list[Stall] = []
        self._waiting = waiting
        self.waited_s = dict.fromkeys((child.name for child in waiting), 0.0)

    async def keep(self) -> None:
        """Look every few milliseconds, until cancelled."""
        known_s = [child.waited_s() for child in self._waiting]
        while True:
            before_s = time.perf_counter()
            await asyncio.sleep(TICK_S)
            late_s = time.perf_counter() - before_s - TICK_S
            self.lates.append(late_s)
            self._note(before_s, late_s)
            for i, child in enumerate(self._waiting):
                waited_s = child.waited_s()
                self._note(before_s, waited_s - known_s[i])
                self.waited_s[child.name] += waited_s - known_s[i]
                known_s[i] = waited_s

    def _note(self, at_s: float, late_s: float) -> None:
        if late_s > TICK_S:
            self.stalls.append(Stall(at_s, late_s))


async def play(plans: Sequence[Plan], server: Server, tally: Tally, watch: Watch) -> None:
    """Ask everything at its time."""
    lines, port = Lines(server.port), server.port

    async def one(plan: Plan) -> None:
        reply = await lines.ask(request_of(plan, port), patience_s=plan.total_ms / 1e3 + GRACE_S)
        tally.add(plan, reply, verdict_on(plan, reply))

    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(watch.keep())
        async with asyncio.TaskGroup() as asking:
            began_s = time.perf_counter()
            for plan in plans:
                ahead_s = began_s + plan.at_s - time.perf_counter()
                if ahead_s > 0:
                    await asyncio.sleep(ahead_s)
                asking.create_task(one(plan))
        ticking.cancel()
    lines.close()


def main() -> None:
    """Ask, judge, print, keep the result."""
    chosen = options()
    machine, tally = this_machine(), Tally()
    # Whatever is started from here on inherits it.
    os.nice(chosen.nice)
    plans = list(drawn(chosen.seed, chosen.requests, chosen.rate))
    with stops_on_signals(), tempfile.TemporaryDirectory(prefix="tiercel-bench-") as place:
        folder = Path(place)
        with understudy(folder) as engine, tiercel_up(config(engine), folder) as server:
            # Unmeasured: everything is loaded and every connection made once.
            uvloop.run(play(list(drawn(chosen.seed + 1, WARM, chosen.rate)), server, Tally(), Watch()))
            watch = Watch(server.child, engine.child)
            with noise_beside(folder) as listener:
                spare, began_s = Spare(), time.perf_counter()
                uvloop.run(play(plans, server, tally, watch))
                idle, seconds = spare.share(), time.perf_counter() - began_s
                noise = listener.noise()
            played, samples = engine.seen().modes, server.metrics()
    kinds, lateness = tuple(tally.of_kind(kind) for kind in get_args(Kind)), tally.lateness()
    nice = f" --nice {chosen.nice}" if chosen.nice else ""
    result = Result(
        command=f"{COMMAND} --requests {chosen.requests} --rate {chosen.rate:g} --seed {chosen.seed}{nice}",
        machine=machine,
        idle_share=round(idle, 2),
        seconds=round(seconds, 1),
        lateness=lateness,
        kinds=kinds,
        attempts=dict(tally.outcomes.most_common()),
        played=played,
        noise_beside=noise.spread,
        noise_in_the_caller=spread_of(watch.lates),
        waited_for_a_core={name: round(waited * 1e3 / seconds, 1) for name, waited in watch.waited_s.items()},
        lateness_the_server_saw=server_side(samples),
        kept=promises(kinds, played) | {PUNCTUAL: lateness.p999_ms <= MOST_LATE_MS or noise.spread.p999_ms > QUIET_MS},
        cases=tally.cases([*noise.stalls, *watch.stalls]),
    )
    text = keep(result, "fault_mix")
    print(text if chosen.json else show(result))
    broken = [promise for promise, kept in result.kept.items() if not kept]
    if broken:
        sys.exit("not kept: " + "; ".join(broken))


class Options(argparse.Namespace):
    """What was asked for."""

    requests: int
    rate: float
    seed: int
    nice: int
    json: bool


def options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000, help="for a tier's words; a quarter more of others")
    parser.add_argument("--rate", type=float, default=120.0, help="requests a second")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--nice", type=int, default=0, help="the priority of all that takes part, below 0 for more")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    return parser.parse_args(namespace=Options())


def config(engine: Understudy) -> str:
    """Write the ladders."""
    urls = {name: engine.url(rung) for rung, name in enumerate(RUNGS)}
    return CONFIG.format(**urls, sealed=f"https://127.0.0.1:{engine.port}/v1")


def server_side(samples: dict[str, float]) -> dict[str, int]:
    """Return how many answers the server itself saw whole by so many seconds after their deadlines."""
    bounds = dict.fromkeys(
        name.partition('le="')[2].partition('"')[0] for name in samples if name.startswith("tiercel_lateness_seconds_b")
    )
    return {bound: int(counted(samples, "tiercel_lateness_seconds_bucket", f'le="{bound}"')) for bound in bounds}


def promises(kinds: Sequence[OfKind], played: dict[str, int]) -> dict[str, bool]:
    """Say which promises were kept, but for punctuality, which can only be asked of a quiet machine."""
    words, others = kinds[0], kinds[1:]
    failed = words.errors.keys() - {REFUSED}
    whole = all(kind.requests == kind.answered + sum(kind.errors.values()) for kind in kinds)
    lost = [code for kind in others for code in kind.errors if code.startswith("no reply")]
    return {
        "every request to a tier for a persona is answered": whole and not failed,
        "no answer is blank or in a wrong shape, and none says what is not so": not any(kind.wrong for kind in kinds),
        "where no rung may stand in, the answer or an honest error": whole and not lost,
        "every fault was played": all(played.values()),
    }


def show(result: Result) -> str:
    """Lay the result out for people."""
    machine = result.machine
    where = f"{machine.cpu}, {machine.cores} cores, {result.idle_share:.0%} idle, Python {machine.python}"
    heads = f"{'':<14}{'requests':>9}{'answered':>9}{'errors':>8}{'wrong':>7}{'late: p50':>11}{'p99':>8}{'p99.9':>8}"
    lines = [f"{where}, {result.seconds:.0f} s", "", f"{heads}{'max':>9}   {'first: p99.9':>12}{'max':>9}"]
    lines += [
        f"{k.kind:<14}{k.requests:>9}{k.answered:>9}{sum(k.errors.values()):>8}{sum(k.wrong.values()):>7}"
        f"{k.lateness.p50_ms:>11.2f}{k.lateness.p99_ms:>8.2f}{k.lateness.p999_ms:>8.2f}{k.lateness.max_ms:>9.2f}"
        f"   {k.late_first_words.p999_ms:>12.2f}{k.late_first_words.max_ms:>9.2f}"
        for k in result.kinds
    ]
    late = result.lateness
    lines.append(f"{'all of them':<47}{late.p50_ms:>11.2f}{late.p99_ms:>8.2f}{late.p999_ms:>8.2f}{late.max_ms:>9.2f}")
    for name, noise in (("a sleeper beside", result.noise_beside), ("in the caller", result.noise_in_the_caller)):
        lines.append(
            f"noise, {name:<41}{noise.p50_ms:>11.2f}{noise.p99_ms:>8.2f}{noise.p999_ms:>8.2f}{noise.max_ms:>9.2f}"
        )
    lines.append(f"waited for a core, ms in each second: {result.waited_for_a_core}")
    lines.append(f"the server's own lateness, answers by seconds: {result.lateness_the_server_saw}")
    for k in result.kinds:
        lines += ["", f"{k.kind}: rungs {k.rungs}, {k.degraded} degraded, kinds {k.kinds}"]
        lines += [f"  errors {k.errors}"] if k.errors else []
        lines += [f"  WRONG {k.wrong}"] if k.wrong else []
        lines.append(f"  late by more than (ms): {k.late_by_more_than_ms}")
    fewest = sorted(result.played.items(), key=lambda each: each[1])
    lines += ["", f"{len(fewest)} modes played; fewest: {dict(fewest[:6])}; attempts: {result.attempts}", ""]
    for case in result.cases[:12]:
        lines.append(f"look at: {msgspec.json.encode(case).decode()}")
    lines += [f"{promise}: {'kept' if kept else 'NOT KEPT'}" for promise, kept in result.kept.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
