"""Counts what became of all requests, and keeps the few that somebody has to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from fault_parts.checks import Verdict
from fault_parts.plan import Kind, Plan
from rig.caller import Reply
from rig.probe import Stall
from rig.spread import Spread, spread_of

__all__ = ["Case", "OfKind", "Tally"]

# Late by more than this is looked at, whatever the reason.
WORTH_A_LOOK_S = 0.02
MOST_CASES = 60


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One request that went wrong or was late, with all that is needed to see why."""

    plan: Plan
    late_ms: float
    took_ms: float
    first_ms: float | None
    code: str
    wrong: tuple[str, ...]
    attempts: str
    # How long processes of this machine did not get to run while this request was under way, as the probes saw it.
    stalled_ms: float


class OfKind(msgspec.Struct, frozen=True, kw_only=True):
    """All requests of one kind. ``lateness`` is time past the deadline, 0 for everything on time."""

    kind: Kind
    requests: int
    answered: int
    errors: dict[str, int]
    wrong: dict[str, int]
    late_by_more_than_ms: dict[str, int]
    lateness: Spread
    late_first_words: Spread
    rungs: dict[str, int]
    kinds: dict[str, int]
    degraded: int


class Tally:
    """Everything that was asked and what came of it."""

    def __init__(self) -> None:
        self._seen: list[tuple[Plan, Reply, Verdict]] = []
        self.outcomes: Counter[str] = Counter()

    def add(self, plan: Plan, reply: Reply, verdict: Verdict) -> None:
        """Take one in; the pieces of its body are let go."""
        reply.pieces = []
        self._seen.append((plan, reply, verdict))
        if verdict.report is not None:
            self.outcomes.update(f"{tried.rung}: {tried.outcome}" for tried in verdict.report.attempts)

    def of_kind(self, kind: Kind) -> OfKind:
        """Sum up one kind."""
        mine = [each for each in self._seen if each[0].kind == kind]
        reports = [verdict.report for _, _, verdict in mine if verdict.answered and verdict.report is not None]
        lates = [late_s(plan, reply) for plan, reply, _ in mine]
        firsts = [first_late_s(plan, verdict) for plan, _, verdict in mine if verdict.first_s is not None]
        return OfKind(
            kind=kind,
            requests=len(mine),
            answered=len(reports),
            errors=_counts(verdict.code for _, _, verdict in mine if verdict.code),
            wrong=_counts(wrong for _, _, verdict in mine for wrong in verdict.wrong),
            late_by_more_than_ms={f"{ms:g}": sum(late > ms / 1e3 for late in lates) for ms in (0, 1, 5, 10, 20, 50)},
            lateness=spread_of([max(0.0, late) for late in lates]),
            late_first_words=spread_of([max(0.0, late) for late in firsts]),
            rungs=_counts(report.rung for report in reports),
            kinds=_counts(report.kind for report in reports),
            degraded=sum(report.degraded for report in reports),
        )

    def lateness(self) -> Spread:
        """Return how late all replies were, errors included, by the worse of first word and end."""
        return spread_of([max(0.0, _worst(plan, reply, verdict)) for plan, reply, verdict in self._seen])

    def cases(self, stalls: Sequence[Stall]) -> tuple[Case, ...]:
        """Return those that need a look, the wrong ones first and then the latest."""
        found = [
            _case(plan, reply, verdict, stalls)
            for plan, reply, verdict in self._seen
            if verdict.wrong or _worst(plan, reply, verdict) > WORTH_A_LOOK_S or (verdict.code and plan.kind == "tier")
        ]
        found.sort(key=lambda case: (not case.wrong, not case.code, -case.late_ms))
        return tuple(found[:MOST_CASES])


def late_s(plan: Plan, reply: Reply) -> float:
    """Return by how much a reply was whole after its deadline, seen from the caller."""
    return reply.took_s - plan.total_ms / 1e3


def first_late_s(plan: Plan, verdict: Verdict) -> float:
    """Return by how much the first word came after its deadline."""
    return (verdict.first_s or 0.0) - plan.first_ms / 1e3


def _worst(plan: Plan, reply: Reply, verdict: Verdict) -> float:
    return max(late_s(plan, reply), first_late_s(plan, verdict))


def _counts(words: object) -> dict[str, int]:
    return dict(Counter(words).most_common())  # type: ignore[call-overload]  # any iterable of texts


def _case(plan: Plan, reply: Reply, verdict: Verdict, stalls: Sequence[Stall]) -> Case:
    report = verdict.report
    tried = "" if report is None else ", ".join(f"{t.rung} {t.outcome} {t.ms:.0f} {t.reason}" for t in report.attempts)
    during = [stall.late_s for stall in stalls if reply.asked_s - stall.late_s < stall.at_s < reply.ended_s]
    return Case(
        plan=plan,
        late_ms=round(_worst(plan, reply, verdict) * 1e3, 2),
        took_ms=round(reply.took_s * 1e3, 2),
        first_ms=None if verdict.first_s is None else round(verdict.first_s * 1e3, 2),
        code=verdict.code,
        wrong=tuple(verdict.wrong),
        attempts=tried,
        stalled_ms=round(max(during, default=0.0) * 1e3, 2),
    )
