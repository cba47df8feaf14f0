"""One world from its seed to its end: the storm, the calm after it, and what must be left of both, which is nothing."""

from __future__ import annotations

import asyncio

import msgspec

from tiercel.sim import virtual
from tiercel.sim.building import Built, Workshop, build, lines
from tiercel.sim.chronicle import KNOWN_GOOD_S, TOLERANCE_S, Chronicle
from tiercel.sim.critic import Critic
from tiercel.sim.crowd import Crowd
from tiercel.sim.lead import Venue
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.rules import Referee
from tiercel.sim.scenario import Scenario
from tiercel.sim.weather import Actor

__all__ = ["Outcome", "play"]

SETTLE_S = 1.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a world came to: its story as one number, and the counts that a person wants to see."""

    seed: int
    level: str
    requests: int
    crc: int
    virtual_s: float
    rungs: dict[str, int]
    fates: dict[str, int]
    outcomes: dict[str, int]
    extras: int


def play(scenario: Scenario, *, workshop: Workshop | None = None, replay: str = "") -> Outcome:
    """Play a world to its end; raises ``RuleBroken`` in the instant when a rule is broken."""
    lines()
    story = _World(scenario, workshop or Workshop(), replay)
    return virtual.run(story.run(), seed=scenario.seed, jitter=scenario.jitter, settle_s=SETTLE_S)


class _World:
    """The parts of one world, and the order in which they act."""

    def __init__(self, scenario: Scenario, workshop: Workshop, replay: str) -> None:
        self._scenario = scenario
        self._workshop = workshop
        self._replay = replay

    async def run(self) -> Outcome:
        scenario = self._scenario
        loop = virtual.here().loop
        referee = Referee(loop, self._replay)
        actors = {role.name: Actor(role, scenario.faults, loop) for role in scenario.roles}
        chronicle = Chronicle(scenario, loop, referee, actors)
        venues = [Venue(actor, chronicle, loop) for actor in actors.values()] if scenario.level == "bytes" else []
        built = build(scenario, chronicle, loop, self._workshop)
        crowd = Crowd(scenario, chronicle, Critic(scenario, chronicle), built.flow, loop)
        for actor in actors.values():
            actor.start()
        await crowd.storm()
        await self._recover(crowd, actors, built, referee)
        await _check_ends(loop, chronicle, built, venues)
        return Outcome(
            seed=scenario.seed,
            level=scenario.level,
            requests=chronicle.begun,
            crc=crowd.crc,
            virtual_s=round(loop.time(), 3),
            rungs=dict(sorted(crowd.rungs.items())),
            fates=dict(sorted(crowd.fates.items())),
            outcomes=dict(sorted(chronicle.outcomes.items())),
            extras=chronicle.extras,
        )

    async def _recover(self, crowd: Crowd, actors: dict[str, Actor], built: Built, referee: Referee) -> None:
        """Let all engines be good; within five seconds, or what they asked for themselves, every breaker is closed."""
        loop = virtual.here().loop
        for actor in actors.values():
            actor.calm()
        promised_s = max(actor.promised_s for actor in actors.values())
        await crowd.calm(tuple(actors), max(0.0, promised_s - loop.time()) + KNOWN_GOOD_S)
        for name, states in built.health.states().items():
            if states:
                referee.wrong("recovery", f"{name} has been good for {KNOWN_GOOD_S} s: {states}")


async def _check_ends(loop: VirtualLoop, chronicle: Chronicle, built: Built, venues: list[Venue]) -> None:
    """Look for what is left when all callers are gone."""
    wrong = chronicle.referee.wrong
    if built.door.inside:
        wrong("nothing-left", f"{built.door.inside} requests are inside the house")
    for name in built.engines:
        if built.health.in_flight(name):
            wrong("nothing-left", f"{built.health.in_flight(name)} attempts are counted as under way at {name}")
    tasks = [task for task in loop.tasks() if task is not asyncio.current_task()]
    if tasks:
        wrong("nothing-left", f"{len(tasks)} tasks are left: {tasks[:5]}")
    _check_books(chronicle, built, venues)
    for engine in built.engines.values():
        await engine.aclose()
    # Whoever was let go of hears of it one latency later.
    await asyncio.sleep(max((actor.hop_s for actor in chronicle.actors.values()), default=0.0) + TOLERANCE_S)
    for venue in venues:
        if venue.ledger.open_sockets:
            wrong("nothing-left", f"{venue.ledger.open_sockets} connections to {venue.actor.role.name} are left")
        venue.close()


def _check_books(chronicle: Chronicle, built: Built, venues: list[Venue]) -> None:
    wrong = chronicle.referee.wrong
    if chronicle.tried != chronicle.attempts:
        wrong("ledger", f"{chronicle.attempts} attempts were counted, {chronicle.tried} were made")
    # One that is settled by something else in the very instant it was paid for is never made.
    if not chronicle.extras <= built.extra.spent <= 1.05 * chronicle.extras + 3:
        wrong("ledger", f"{built.extra.spent} extra attempts were paid for, {chronicle.extras} were made")
    for venue in venues:
        name = venue.actor.role.name
        if venue.ledger.attempts != chronicle.heard_by[name]:
            wrong(
                "ledger", f"{name} was asked {venue.ledger.attempts} times, and {chronicle.heard_by[name]} reached it"
            )
    if sum(chronicle.outcomes.values()) < chronicle.finished:
        wrong("ledger", f"{sum(chronicle.outcomes.values())} outcomes for {chronicle.finished} finished attempts")
