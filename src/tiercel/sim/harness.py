"""Plays world after world, each from its own seed, and says what they came to; the first broken rule ends it."""

from __future__ import annotations

import gc
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from tiercel.sim.building import Workshop
from tiercel.sim.scenario import Level, draw
from tiercel.sim.world import Outcome, play

__all__ = ["PER_WORLD", "Season", "replay_command", "season", "worlds"]

# Enough for every part of a world to fail and come back, few enough to be read when one goes wrong.
PER_WORLD = 2000


class Season(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of worlds came to."""

    first_seed: int
    worlds: int
    requests: int
    # Requests whose engines were bytes under the real client; the others were played at the engine's port.
    requests_as_bytes: int
    virtual_s: float
    cpu_s: float
    per_s: float
    # All stories as one number: the same seeds give the same one, on any machine.
    crc: int
    rungs: dict[str, int]
    fates: dict[str, int]
    outcomes: dict[str, int]


def replay_command(seed: int, requests: int, faults: Sequence[str] | None = None, level: Level | None = None) -> str:
    """Return the one command that plays a world again."""
    more = f" --faults {','.join(faults)}" if faults is not None else ""
    return f"tiercel sim --seed {seed} --requests {requests}{more}{f' --level {level}' if level else ''}"


def worlds(
    seed: int,
    requests: int,
    *,
    faults: Sequence[str] | None = None,
    level: Level | None = None,
    workshop: Workshop | None = None,
) -> Iterator[Outcome]:
    """Play as many worlds as the requests fill, from this seed up; raises ``RuleBroken`` at the first wrong thing."""
    while requests > 0:
        mine = min(requests, PER_WORLD)
        scenario = draw(seed, mine, faults=faults, level=level)
        # Collected between worlds and never within one: when a cycle is found must not depend on the machine.
        gc.collect()
        gc.disable()
        try:
            yield play(scenario, workshop=workshop, replay=replay_command(seed, mine, faults, level))
        finally:
            gc.enable()
        requests -= mine
        seed += 1


def season(seed: int, outcomes: Iterator[Outcome]) -> Season:
    """Play them all and add them up."""
    begun_s = time.process_time()
    rungs: Counter[str] = Counter()
    fates: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    count = requests = as_bytes = crc = 0
    virtual_s = 0.0
    for outcome in outcomes:
        count += 1
        requests += outcome.requests
        as_bytes += outcome.requests if outcome.level == "bytes" else 0
        virtual_s += outcome.virtual_s
        crc = zlib.crc32(outcome.crc.to_bytes(8, "big"), crc)
        rungs.update(outcome.rungs)
        fates.update(outcome.fates)
        tried.update(outcome.outcomes)
    cpu_s = time.process_time() - begun_s
    return Season(
        first_seed=seed,
        worlds=count,
        requests=requests,
        requests_as_bytes=as_bytes,
        virtual_s=round(virtual_s, 3),
        cpu_s=round(cpu_s, 2),
        per_s=round(requests / cpu_s) if cpu_s else 0.0,
        crc=crc,
        rungs=dict(rungs.most_common()),
        fates=dict(fates.most_common()),
        outcomes=dict(tried.most_common()),
    )
