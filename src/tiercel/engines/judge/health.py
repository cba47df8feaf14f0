"""The health of all engines: what they did lately, which may be asked now, and the same as data for the router."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from tiercel.engines.judge.breaker import Breaker
from tiercel.engines.judge.speed import Speed
from tiercel.engines.judge.view import EngineView, View
from tiercel.engines.judge.window import Window
from tiercel.terms.clock import Clock
from tiercel.terms.errors import EngineFailed, Failure, Late, Tripped, Unavailable

__all__ = ["BreakerState", "Health"]

# These say that the next request would fail alike: one is enough.
AT_ONCE: frozenset[Failure] = frozenset(("rate_limited", "auth", "missing"))
# These say something about one request only.
NOT_COUNTED: frozenset[Failure] = frozenset(("wrong_shape",))
# No engine can close itself for longer than this, whatever its Retry-After says.
LONGEST_RETRY_AFTER_S = 60.0
# With this many outcomes in the window, more failures than successes open the breaker, whatever their order.
ENOUGH = 10
# An engine skipped because it is usually too slow is tried this often all the same, or it could never show otherwise.
TRY_SLOW_EVERY_S = 1.0


class BreakerState(msgspec.Struct, frozen=True, kw_only=True):
    """One tripped breaker, for people and for ``/v1/engines``."""

    failure: str
    until_in_s: float
    probing: bool


class _Record:
    """What is remembered of one engine."""

    __slots__ = ("breakers", "in_flight", "last_slow_try_s", "speed", "tripped", "window")

    def __init__(self) -> None:
        self.breakers: dict[str, Breaker] = {}
        self.tripped: list[str] = []
        self.speed = Speed()
        self.window = Window()
        self.in_flight = 0
        self.last_slow_try_s = -TRY_SLOW_EVERY_S


class Health:
    """The judge. It is told what every attempt came to, and never waits, asks or sleeps."""

    def __init__(
        self, names: Iterable[str], clock: Clock, *, on_change: Callable[[str, str, bool], None] | None = None
    ) -> None:
        self._clock = clock
        self._records = {name: _Record() for name in names}
        self._views: dict[str, EngineView] = {name: EngineView(name=name) for name in self._records}
        self._on_change = on_change
        # Grows with every change of the view.
        self.version = 0
        # How many engines have a tripped breaker.
        self.troubled = 0

    @property
    def view(self) -> View:
        """The state of all engines; each entry is replaced when it changes, never altered."""
        return self._views

    def enter(self, name: str) -> bool:
        """Begin an attempt; return whether it is a probe. Raises ``Tripped`` while the breaker is open."""
        record = self._records[name]
        probe = False
        if record.tripped:
            closed = self._closed_by(record)
            if closed:
                raise Tripped(f"{name}: {closed}")
            for failure in record.tripped:
                record.breakers[failure].probing = True
            probe = True
        record.in_flight += 1
        return probe

    def may_enter(self, name: str) -> bool:
        """Return whether an attempt may begin now."""
        return not self._closed_by(self._records[name])

    def succeeded(self, name: str, size: int, took_s: float, *, probe: bool) -> None:
        """Note an answer, and how long the caller waited for its first content (stream) or its end."""
        record = self._records[name]
        record.in_flight -= 1
        record.window.see(self._clock.now_s(), failed=False)
        changed = record.speed.see(size, took_s)
        if record.breakers and (probe or not record.tripped):
            changed = self._close(name, record) or changed
        if changed:
            self._refresh(name)

    def failed(self, name: str, failure: Unavailable, *, fair: bool, probe: bool) -> None:
        """Note a failure. ``fair`` says whether a late engine had the time that it usually needs."""
        record = self._records[name]
        record.in_flight -= 1
        kind: Failure = failure.failure if isinstance(failure, EngineFailed) else "late"
        if kind in NOT_COUNTED or (isinstance(failure, Late) and not fair):
            self._release(record, probe=probe)
            return
        now_s = self._clock.now_s()
        breaker = record.breakers.setdefault(kind, Breaker())
        record.window.see(now_s, failed=True)
        crowd = record.window.count >= ENOUGH and record.window.failure_share > 0.5  # noqa: PLR2004 - the majority
        for_s = None
        if isinstance(failure, EngineFailed) and failure.retry_after_s is not None:
            for_s = min(failure.retry_after_s, LONGEST_RETRY_AFTER_S)
        was_open = breaker.tripped
        is_open = breaker.fail(now_s, at_once=kind in AT_ONCE or crowd or probe, for_s=for_s)
        self._release(record, probe=probe)
        if is_open:
            if not was_open:
                self.troubled += not record.tripped
                record.tripped.append(kind)
                self._tell(name, kind, is_open=True)
            self._refresh(name)

    def left(self, name: str, *, probe: bool) -> None:
        """Note that the caller went away first: nobody learns anything from that, and a probe's place is free again."""
        record = self._records[name]
        record.in_flight -= 1
        self._release(record, probe=probe)

    def may_try_slow(self, name: str) -> bool:
        """Return whether an engine that is usually too slow gets its chance now to show that it is not any more."""
        record = self._records[name]
        now_s = self._clock.now_s()
        if now_s - record.last_slow_try_s < TRY_SLOW_EVERY_S:
            return False
        record.last_slow_try_s = now_s
        return True

    def in_flight(self, name: str) -> int:
        """Return how many attempts are under way at an engine."""
        return self._records[name].in_flight

    def states(self) -> Mapping[str, tuple[BreakerState, ...]]:
        """Return every tripped breaker of every engine."""
        now_s = self._clock.now_s()
        return {
            name: tuple(
                BreakerState(
                    failure=failure,
                    until_in_s=max(0.0, record.breakers[failure].open_until_s - now_s),
                    probing=record.breakers[failure].probing,
                )
                for failure in record.tripped
            )
            for name, record in self._records.items()
        }

    def _close(self, name: str, record: _Record) -> bool:
        """Close every breaker that has had its time; return whether one was open.

        One that opened while the probe was under way keeps its time: the engine's word (Retry-After) may be in it.
        """
        now_s, were_open = self._clock.now_s(), record.tripped
        record.tripped = [failure for failure in were_open if record.breakers[failure].open_until_s > now_s]
        record.breakers = {failure: record.breakers[failure] for failure in record.tripped}
        for failure in were_open:
            if failure in record.breakers:
                record.breakers[failure].probing = False
            else:
                self._tell(name, failure, is_open=False)
        self.troubled -= bool(were_open) and not record.tripped
        return bool(were_open)

    def _closed_by(self, record: _Record) -> str:
        """Return the failure for which nobody may enter now, or nothing."""
        if record.tripped:
            now_s = self._clock.now_s()
            for failure in record.tripped:
                breaker = record.breakers[failure]
                if breaker.open_until_s > now_s or breaker.probing:
                    return failure
        return ""

    def _release(self, record: _Record, *, probe: bool) -> None:
        if probe:
            for failure in record.tripped:
                record.breakers[failure].probing = False

    def _refresh(self, name: str) -> None:
        self.version += 1
        record = self._records[name]
        worst, until_s = "", 0.0
        for failure in record.tripped:
            at_s = record.breakers[failure].open_until_s
            if at_s > until_s:
                worst, until_s = failure, at_s
        self._views[name] = EngineView(name=name, open_until_s=until_s, reason=worst, p50_s=record.speed.p50_s)

    def _tell(self, name: str, failure: str, *, is_open: bool) -> None:
        if self._on_change is not None:
            self._on_change(name, failure, is_open)
