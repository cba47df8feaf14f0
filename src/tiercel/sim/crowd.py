"""The callers: they come, wait, read, and some of them leave; each is judged in the instant it is done."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import Counter
from typing import Final

from tiercel.engines.chain.stage import Stage
from tiercel.flow import Flow
from tiercel.sim.case import Case
from tiercel.sim.chronicle import Chronicle
from tiercel.sim.critic import Critic
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.scenario import Scenario
from tiercel.sim.seat import Nowhere, Seat
from tiercel.sim.wants import Wants
from tiercel.terms.errors import Refused, TiercelError, Unavailable

__all__ = ["Crowd"]

_BURST_EVERY: Final = 400
_CALM_GAP_S: Final = 0.2


class Crowd:
    """Sends the requests of one world into its house."""

    def __init__(self, scenario: Scenario, chronicle: Chronicle, critic: Critic, flow: Flow, loop: VirtualLoop) -> None:
        self.crc = 0
        self.rungs: Counter[str] = Counter()
        self.fates: Counter[str] = Counter()
        self._traffic = scenario.traffic
        self._chronicle = chronicle
        self._critic = critic
        self._flow = flow
        self._loop = loop
        self._rng: random.Random = loop.rng("crowd")
        self._wants = Wants(scenario, self._rng)
        # Whoever did not ask for a stream sees none.
        self._nowhere = Nowhere(chronicle.referee)
        self._open = 0
        self._left_to_come = scenario.requests
        self._all_done: asyncio.Future[None] = loop.create_future()

    async def storm(self) -> None:
        """Send every request of the scenario, and return when the last one is done."""
        self._come()
        await self._all_done

    async def calm(self, models: tuple[str, ...], for_s: float) -> None:
        """Ask every model and tier now and then, patiently."""
        until_s = self._loop.time() + for_s
        names = (*models, "silver")
        while self._loop.time() < until_s:
            for name in names:
                self._send(self._wants.plain(self._chronicle.begun, self._loop.time(), name))
            await asyncio.sleep(_CALM_GAP_S)
        if self._open:
            self._all_done = self._loop.create_future()
            await self._all_done

    def _come(self) -> None:
        traffic, rng = self._traffic, self._rng
        now_s = self._loop.time()
        count = traffic.burst if traffic.burst and rng.random() * _BURST_EVERY < 1.0 else 1
        for _ in range(min(count, self._left_to_come)):
            self._left_to_come -= 1
            self._send(self._wants.draw(self._chronicle.begun, now_s))
        if self._left_to_come:
            self._loop.call_at(now_s + rng.expovariate(traffic.rate_per_s), self._come)

    def _send(self, case: Case) -> None:
        chronicle, rng, traffic = self._chronicle, self._rng, self._traffic
        health = chronicle.health
        assert health is not None  # noqa: S101 - the house stands
        if health.troubled:
            view = health.view
            case.shut = frozenset(name for name in case.models if view[name].open_until_s > 0.0)
        case.fresh = chronicle.fresh
        seat: Stage = self._nowhere
        if case.ask.stream:
            seat = case.seat = Seat(case, self._loop, chronicle.referee)
            if rng.random() < traffic.slow_readers:
                case.seat.read_slowly(rng.randint(1, 4), rng.uniform(0.01, 0.6))
        chronicle.open(case)
        self._open += 1
        task = self._loop.create_task(self._visit(case, seat))
        if rng.random() < traffic.leavers:
            patience_s = rng.random() ** 2 * (case.total_by_s - case.began_s)
            self._loop.call_later(patience_s, self._leave, case, task)

    def _leave(self, case: Case, task: asyncio.Task[None]) -> None:
        if not case.over:
            case.left_s = self._loop.time()
            task.cancel()

    async def _visit(self, case: Case, seat: Stage) -> None:
        fate = "left"
        try:
            case.served = await self._flow.serve(case.ask, seat)
            fate = "served"
        except Refused as error:
            case.error, fate = error, "refused"
        except Unavailable as error:
            case.error, fate = error, "failed"
        except TiercelError as error:
            case.error = error
            self._chronicle.referee.wrong("bug", f"{error!r} is nothing a caller can use: {case}")
        except asyncio.CancelledError:
            if self._loop.fallen:
                raise
            if case.left_s is None:
                self._chronicle.referee.wrong("answered-once", f"cancelled by nobody: {case}")
        self._done(case, fate)

    def _done(self, case: Case, fate: str) -> None:
        if case.over:
            self._chronicle.referee.wrong("answered-once", f"over twice: {case}")
        case.ended_s = self._loop.time()
        case.fate = fate
        self._critic.close(case)
        self._chronicle.retire(case)
        rung = case.served.report.rung if case.served is not None else fate
        self.rungs[rung] += 1
        self.fates[fate] += 1
        told = f"{case.number} {int(case.ended_s * 1e6)} {rung}"
        if case.run is not None:
            for one in case.run.tried:
                told += one.rung + one.outcome
        self.crc = zlib.crc32(told.encode(), self.crc)
        self._open -= 1
        if not self._open and not self._left_to_come and not self._all_done.done():
            self._all_done.set_result(None)
