"""Watches every attempt as it happens, at the engines' port and inside them, and stops the world at a wrong one."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from tiercel.engines.chain.run import Run
from tiercel.engines.chain.stage import Served
from tiercel.engines.judge.health import Health
from tiercel.engines.port import Engine, Sink
from tiercel.sim.case import Case, Play, Try
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.rules import Referee
from tiercel.sim.scenario import Scenario
from tiercel.sim.weather import Actor
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline
from tiercel.terms.errors import EngineFailed, Refused, Unfit
from tiercel.terms.reply import Answer, Outcome

__all__ = ["KNOWN_GOOD_S", "TOLERANCE_S", "Chronicle", "Witness"]

TOLERANCE_S = 1e-6
# An engine is known to be good when nothing was wrong with it for as long as a return may take.
KNOWN_GOOD_S = 5.0
# The product's own numbers, said again on purpose: changing them is changing a promise.
IN_A_ROW, FIRST_COOLDOWN_S, LONGEST_RETRY_AFTER_S = 3, 0.5, 60.0
# What says nothing about the next request.
_UNCOUNTED = frozenset(("ok", "late", "wrong_shape"))
# What the chain is told of by an exception that says nothing about the engine.
_UNFINISHED = frozenset(("gone", "refused"))
# So many requests that are over are kept: far more than end within one latency.
_REMEMBERED = 256
_WAITS = frozenset(("rate_limited", "overloaded"))


class Chronicle:
    """The book of one world: implements the flow's ``Tally``, and is told of every attempt."""

    def __init__(self, scenario: Scenario, loop: VirtualLoop, referee: Referee, actors: Mapping[str, Actor]) -> None:
        # Every request that is open, and the last ones that were: bytes of theirs may still be under way.
        self.cases: dict[int, Case] = {}
        self.begun = 0
        self.tried: Counter[str] = Counter()
        self.finished = 0
        self._over: deque[int] = deque()
        self.referee = referee
        self.actors = actors
        self.health: Health | None = None
        self.extras = 0
        self.attempts: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.heard_by: Counter[str] = Counter()
        # Engines whose last finished attempt was a good answer.
        self.fresh: frozenset[str] = frozenset()
        self._loop = loop
        self._share = scenario.route.retry_share
        self._probes: Counter[str] = Counter()
        self._alone_until_s: dict[str, float] = {}
        self._promised_s: dict[str, float] = {}
        self._rows: dict[str, Counter[str]] = {name: Counter() for name in actors}
        # The latest attempts that were given up, for whoever asks why a breaker opened.
        self._gone: deque[Case] = deque(maxlen=8)

    def open(self, case: Case) -> None:
        """Begin to watch a request."""
        self.cases[case.number] = case
        self.begun += 1

    def retire(self, case: Case) -> None:
        """Forget the request that is over for longest, now that this one is."""
        self._over.append(case.number)
        if len(self._over) > _REMEMBERED:
            del self.cases[self._over.popleft()]

    # At the engines' port.

    def begin_try(self, engine: str, ask: Ask) -> Try:
        """Take note of an attempt that begins, and check that it may."""
        now_s = self._loop.time()
        case = self.cases[int(ask.id)]
        actor = self.actors.get(engine)
        tried = Try(engine, now_s)
        if case.over or case.left_s is not None:
            self.referee.wrong("left-at-once", f"{engine} is asked for a caller who is gone: {case}")
        if actor is not None:
            self._check_again(case, tried)
            self._check_closed(case, tried, now_s)
            if case.open_tries:
                tried.hedged = True
                self._extra(case)
        case.tries.append(tried)
        case.open_tries += 1
        self._check_order(case, tried, ask)
        self.attempts[engine] += 1
        return tried

    def end_try(self, tried: Try, ask: Ask) -> None:
        """Take note of its end."""
        now_s = tried.ended_s = self._loop.time()
        self.cases[int(ask.id)].open_tries -= 1
        self.tried[tried.engine] += 1
        self.finished += tried.outcome not in _UNFINISHED
        if tried.probe:
            self._probes[tried.engine] -= 1
        if tried.outcome != "answered":
            if tried.engine in self.fresh:
                self.fresh -= {tried.engine}
            self._gone.append(self.cases[int(ask.id)])
        if tried.outcome in _WAITS and tried.plays:
            wait_s = min(tried.plays[-1].retry_after_s, LONGEST_RETRY_AFTER_S)
            if wait_s > 0:
                until_s = max(self._promised_s.get(tried.engine, 0.0), now_s + wait_s)
                self._promised_s[tried.engine] = self.actors[tried.engine].promised_s = until_s

    def _check_again(self, case: Case, tried: Try) -> None:
        """Take a second attempt at one engine for extra work, and for a wrong one after a timeout."""
        before = case.last_try(tried.engine)
        if before is None:
            return
        ended_s = before.ended_s
        if ended_s is None:
            self.referee.wrong("attempts", f"{tried.engine} is asked twice at once: {case}")
        role = self.actors[tried.engine].role
        # With few connections, the time may have gone into waiting for one of them.
        most_s = math.inf if role.crowded else role.spec.connect_ms / 1e3
        connecting = (
            before.outcome == "unreachable" and not before.plays and ended_s - before.began_s > most_s - TOLERANCE_S
        )
        if before.outcome == "gone" or connecting:
            self.referee.wrong("timeout-not-retried", f"{tried.engine} is asked again: {case}")
        self._extra(case)

    def _extra(self, case: Case) -> None:
        self.extras += 1
        allowed = self._share * self.begun + (1.0 if self._share else 0.0)
        if self.extras > allowed + TOLERANCE_S:
            self.referee.wrong(
                "extra-work", f"{self.extras} extra attempts in {self.begun} requests at {self._share}: {case}"
            )

    def _check_closed(self, case: Case, tried: Try, now_s: float) -> None:
        assert self.health is not None  # noqa: S101 - set before the first request
        engine = tried.engine
        open_until_s = self.health.view[engine].open_until_s
        if now_s < open_until_s:
            self.referee.wrong("open-breaker", f"{engine} is closed until {open_until_s:.6f}: {case}")
        if now_s < self._alone_until_s.get(engine, 0.0) - TOLERANCE_S:
            self.referee.wrong("open-breaker", f"{engine} has just failed {IN_A_ROW} times alike: {case}")
        if now_s < self._promised_s.get(engine, 0.0) - TOLERANCE_S:
            self.referee.wrong("retry-after", f"{engine} asked for quiet until {self._promised_s[engine]:.6f}: {case}")
        if open_until_s > 0.0:
            tried.probe = True
            self._probes[engine] += 1
            if self._probes[engine] > 1:
                self.referee.wrong("one-probe", f"{self._probes[engine]} probes of {engine} at once: {case}")

    def _check_order(self, case: Case, tried: Try, ask: Ask) -> None:
        if len(case.tries) > case.most_tries:
            self.referee.wrong("attempts", f"more than {case.most_tries} attempts: {case}")
        if tried.engine not in case.models and tried.engine != case.last_resort:
            self.referee.wrong("attempts", f"{tried.engine} may not be asked: {case}")
        tried.said = ask.said

    # Inside the engines.

    def heard(self, play: Play) -> None:
        """Take note of a request that reached its engine."""
        case = self._case_of(play)
        tried = case.last_try(play.engine)
        if tried is None:
            self.referee.wrong("ledger", f"{play.engine} was asked without an attempt: {case}")
        if tried.plays and not _wordless(tried.plays[-1]):
            self.referee.wrong("ledger", f"{play.engine} was asked twice for one attempt: {case}")
        tried.plays.append(play)
        self.heard_by[play.engine] += 1

    def dropped(self, play: Play) -> None:
        """Take note of a connection that was lost in the middle of a play."""
        now_s = play.over_s = self._loop.time()
        case = self._case_of(play)
        tried = case.last_try(play.engine)
        if tried is None or tried.ended_s is None:
            # Whoever waits has not let go of it.
            play.struck = True
        elif now_s > max(tried.ended_s, play.began_s) + self.actors[play.engine].hop_s + TOLERANCE_S:
            self.referee.wrong("left-at-once", f"{play.engine} was let go of at {now_s:.6f}: {case}")

    def _case_of(self, play: Play) -> Case:
        case = self.cases.get(play.number)
        if case is None:
            if 0 <= play.number < self.begun:
                self.referee.wrong("left-at-once", f"{play.engine} is still busy with request {play.number}")
            self.referee.wrong("ledger", f"{play.engine} was asked for request {play.number}, which nobody made")
        return case

    # What the product counts.

    def attempt(self, engine: str, outcome: Outcome, took_s: float) -> None:
        """Take note of what the chain made of an attempt."""
        self.outcomes[outcome] += 1
        row = self._rows.get(engine)
        if row is None:
            return
        if outcome == "ok":
            if row:
                row.clear()
            if engine not in self.fresh:
                self.fresh |= {engine}
        elif outcome not in _UNCOUNTED:
            row[outcome] += 1
            if row[outcome] >= IN_A_ROW:
                self._alone_until_s[engine] = self._loop.time() + FIRST_COOLDOWN_S

    def breaker(self, engine: str, failure: str, is_open: bool) -> None:  # noqa: FBT001 - the judge's callback
        """Take note of a breaker that opens or closes."""
        actor = self.actors.get(engine)
        # Who waits for one of few connections may call that late, and is not wrong.
        good_since_s = actor.good_since_s if actor is not None and not actor.role.crowded else None
        if is_open and good_since_s is not None and good_since_s <= self._loop.time() - KNOWN_GOOD_S:
            lately = "; ".join(str(case) for case in self._gone if case.last_try(engine) is not None)
            self.referee.wrong(
                "breaker-cause",
                f"{engine}'s breaker opens for {failure!r}; it has been good since {good_since_s:.6f}: {lately}",
            )

    def served(self, served: Served, run: Run) -> None:
        """Take note of a reply."""
        case = self.cases[int(run.ask.id)]
        case.told += 1
        case.run = run

    def failed(self, ask: Ask, run: Run | None, error: BaseException) -> None:
        """Take note of an error, or of a caller who left."""
        case = self.cases[int(ask.id)]
        case.told += 1
        case.run = run


def _wordless(play: Play) -> bool:
    """Whether the connection ended before a byte of a reply, so that it may have been closed before it was asked."""
    return play.struck or play.tainted or play.mode.value in {"hangup", "refuse"}


class Witness:
    """An engine that is watched at its port."""

    def __init__(self, engine: Engine, chronicle: Chronicle) -> None:
        self.name = engine.name
        self.drops = engine.drops
        self._engine = engine
        self._chronicle = chronicle

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Let it answer, and write down when and how that ended."""
        tried = self._chronicle.begin_try(self.name, ask)
        try:
            answer = await self._engine.answer(ask, deadline, sink)
            tried.outcome = "answered"
        except asyncio.CancelledError:
            tried.outcome = "gone"
            raise
        except EngineFailed as failure:
            tried.outcome = failure.failure
            tried.retry_after_s = failure.retry_after_s
            raise
        except Unfit:
            tried.outcome = "unfit"
            raise
        except Refused:
            tried.outcome = "refused"
            raise
        finally:
            self._chronicle.end_try(tried, ask)
        return answer

    async def models(self, deadline: Deadline) -> Sequence[str]:
        """Hand on."""
        return await self._engine.models(deadline)

    async def aclose(self) -> None:
        """Hand on."""
        await self._engine.aclose()
