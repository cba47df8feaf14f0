"""From rung to rung: try the best first, leave time for the next, and stop where another try would change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tiercel.engines.chain.attempt import Attempt, Times
from tiercel.engines.chain.hedge import race
from tiercel.engines.chain.run import Run, Rung, Won, outcome_of
from tiercel.engines.chain.verdict import why_exhausted
from tiercel.engines.judge.health import Health
from tiercel.engines.judge.retries import ExtraWork
from tiercel.engines.judge.view import size_of
from tiercel.engines.port import Engine
from tiercel.engines.shape import check_whole, is_shaped
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Clock
from tiercel.terms.errors import EngineFailed, Late, Refused, Unavailable, Unfit
from tiercel.terms.reply import Answer, Outcome

__all__ = ["Chain"]

# What a stream's end leaves for a last resort to finish the sentence.
CLOSING_S = 0.004
# Failures that came at once and may be gone at once. A timeout is never one of them.
PASSING = frozenset(("unreachable", "server_error", "overloaded", "malformed", "truncated"))
# A late engine is to blame when it had this many times its usual time, or, while that is unknown, this long.
FAIR_TIMES = 2.0
FAIR_UNKNOWN_S = 0.25


class Chain:
    """All engines, tried in the order that a decision gives.

    Only ``Unavailable`` moves on to the next rung; a refusal or a bug stops the chain, because another engine would
    not make either of them right.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine],
        health: Health,
        extra: ExtraWork,
        clock: Clock,
        *,
        gaps_s: Mapping[str, float],
        on_attempt: Callable[[str, Outcome, float], None],
    ) -> None:
        self._engines = engines
        self._health = health
        self._extra = extra
        self._clock = clock
        self._gaps_s = gaps_s
        self._on_attempt = on_attempt

    async def descend(self, run: Run, rungs: Sequence[Rung]) -> Won:
        """Return the first good answer; raise ``Exhausted`` with every rung's reason when there is none."""
        raced, passed_over = "", list[Rung]()
        for i, rung in enumerate(rungs):
            if not run.can_go_on():
                break
            below = rungs[i + 1] if i + 1 < len(rungs) else None
            if rung.name == raced:
                continue
            if self._too_late_for(rung, below, run):
                passed_over.append(rung)
                continue
            if rung.hedge_after_s > 0 and below is not None and below.kind == "model":
                won, both = await race(self, (rung, below), run, rungs[-1])
                raced = below.name if both else ""
                if won is not None:
                    return won
                continue
            again = True
            while again:
                try:
                    return Won(await self.attempt(rung, run, rungs[-1]), rung)
                except Unavailable as failure:
                    again = self._worth_again(rung, run, failure)
        return await self._come_back(passed_over, run, rungs)

    async def _come_back(self, passed_over: Sequence[Rung], run: Run, rungs: Sequence[Rung]) -> Won:
        """Ask those that were too slow for their share, now that the others failed and left them theirs."""
        for rung in passed_over:
            whole = msgspec.structs.replace(rung, until_s=rungs[-1].until_s)
            if run.can_go_on() and rung.usual_s <= self._first_s(whole, run) - self._clock.now_s():
                try:
                    return Won(await self.attempt(whole, run, rungs[-1]), rung)
                except Unavailable:
                    # It is in the run's list of failures now.
                    continue
        raise why_exhausted(run, self._health.view, self._clock.now_s())

    async def attempt(self, rung: Rung, run: Run, last: Rung, claim: Callable[[], bool] | None = None) -> Answer:
        """Try one engine once, and tell the judge what came of it."""
        engine, ask = self._engines[rung.name], run.ask
        if run.begun and run.show is not None:
            ask = msgspec.structs.replace(ask, said=run.show.said)
        probe = False
        try:
            dropped = self._drops(engine, ask, is_last=rung is last)
            probe = rung.kind == "model" and self._health.enter(rung.name)
        except Unavailable as failure:
            run.fail(rung.name, failure, 0.0)
            raise
        claims = None if run.show is None else _Claim(rung, run, claim, dropped)
        attempt = Attempt(ask, self._clock, self._times(rung, run, last), run.show, claims)
        try:
            answer = await attempt.run(engine)
            _check(run, attempt, answer)
        except Unavailable as failure:
            self._lost(rung, run, attempt, failure, probe=probe)
            raise
        except BaseException:
            # The caller's own mistake, or its leaving, says nothing about the engine.
            if rung.kind == "model":
                self._health.left(rung.name, probe=probe)
            raise
        attempt.flush()
        run.dropped = dropped
        self._won(rung, run, attempt, probe=probe)
        return answer

    def _drops(self, engine: Engine, ask: Ask, *, is_last: bool) -> Sequence[str]:
        """Return what an engine would leave out. What only this one cannot take is the next rung's chance."""
        try:
            return engine.drops(ask)
        except Refused as refusal:
            if is_last:
                raise
            raise Unfit(str(refusal)) from refusal

    def _won(self, rung: Rung, run: Run, attempt: Attempt, *, probe: bool) -> None:
        took_s = self._clock.now_s() - attempt.started_s
        run.engine_s += took_s
        if rung.kind == "model":
            waited_s = attempt.first_took_s if run.ask.stream else took_s
            self._health.succeeded(rung.name, size_of(run.ask), waited_s, probe=probe)
        run.note(rung.name, "ok", took_s)
        self._on_attempt(rung.name, "ok", took_s)

    def _lost(self, rung: Rung, run: Run, attempt: Attempt, failure: Unavailable, *, probe: bool) -> None:
        took_s = self._clock.now_s() - attempt.started_s
        run.engine_s += took_s
        if rung.kind == "model":
            self._health.failed(rung.name, failure, fair=_fair(failure, rung, attempt, took_s), probe=probe)
        # A stream that began was being written by somebody, whatever ended it.
        run.in_vain = run.in_vain or attempt.streaming or (isinstance(failure, EngineFailed) and failure.asked)
        run.fail(rung.name, failure, took_s)
        self._on_attempt(rung.name, outcome_of(failure), took_s)
        if run.show is not None:
            # What this attempt kept back was the end of nothing.
            run.show.cut()

    def may_add(self, rung: Rung) -> bool:
        """Take one extra attempt out of the purse, unless the rung is closed: nothing is paid for a refusal."""
        return self._health.may_enter(rung.name) and self._extra.spend()

    def _worth_again(self, rung: Rung, run: Run, failure: Unavailable) -> bool:
        """Whether a rung gets one more try: a passing failure, where only something lesser would follow."""
        if not rung.retry or not isinstance(failure, EngineFailed) or failure.failure not in PASSING:
            return False
        if (
            failure.timed_out
            or failure.retry_after_s
            or run.begun
            or sum(tried.rung == rung.name for tried in run.tried) > 1
        ):
            return False
        left_s = run.budget.start_s + rung.until_s - self._clock.now_s()
        return left_s > max(rung.usual_s, 0.0) and self.may_add(rung)

    def _too_late_for(self, rung: Rung, below: Rung | None, run: Run) -> bool:
        """Predict, then skip: an engine that usually needs more than is left would only spend the next one's time."""
        if rung.kind != "model":
            return False
        left_s = self._first_s(rung, run) - self._clock.now_s()
        if left_s <= 0:
            run.note(rung.name, "skipped", reason="no time left")
            return True
        if rung.usual_s <= left_s or below is None or self._health.may_try_slow(rung.name):
            return False
        run.note(rung.name, "skipped", reason=f"usually {rung.usual_s * 1e3:.0f} ms, {left_s * 1e3:.0f} ms left")
        return True

    def _first_s(self, rung: Rung, run: Run) -> float:
        """Return the moment at which a rung must have shown something."""
        return run.budget.end_s - CLOSING_S if run.begun else run.budget.start_s + rung.until_s

    def _times(self, rung: Rung, run: Run, last: Rung) -> Times:
        end_s = run.budget.end_s
        if run.show is None:
            end_s = run.budget.start_s + rung.until_s
        elif run.continues and last.kind != "model" and rung.kind == "model":
            end_s -= CLOSING_S
        return Times(self._first_s(rung, run), end_s, self._gaps_s.get(rung.name, end_s))


class _Claim:
    """Asked when an attempt has its first content: may it be shown? If so, its rung is the one that answers."""

    __slots__ = ("_claim", "_dropped", "_run", "_rung")

    def __init__(self, rung: Rung, run: Run, claim: Callable[[], bool] | None, dropped: Sequence[str]) -> None:
        self._rung, self._run, self._claim, self._dropped = rung, run, claim, dropped

    def __call__(self) -> bool:
        if self._claim is not None and not self._claim():
            return False
        self._run.showing = self._rung
        # Told in the head of the stream, which goes out now.
        self._run.dropped = self._dropped
        return True


def _check(run: Run, attempt: Attempt, answer: Answer) -> None:
    """Raise when an answer is none: it breaks the request's contract, or says nothing where a tier promised words."""
    ask = run.ask
    if is_shaped(ask):
        if ask.stream:
            attempt.check_shape()
        else:
            check_whole(ask, answer.body)
    said_nothing = not attempt.content if ask.stream else answer.blank
    if said_nothing and run.tier is not None and not run.begun and ask.kind == "chat":
        raise EngineFailed("malformed", "an empty answer")


def _fair(failure: Unavailable, rung: Rung, attempt: Attempt, took_s: float) -> bool:
    """Return whether lateness is the engine's fault, and not an impatient caller's."""
    if not isinstance(failure, Late):
        return True
    if failure.phase == "gap":
        return True
    if attempt.content:
        # It spoke in time and did not stop: only the time for the whole was too short.
        return False
    return took_s >= (FAIR_TIMES * rung.usual_s if rung.usual_s > 0 else FAIR_UNKNOWN_S)
