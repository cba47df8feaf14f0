"""Judges a request when it is over: its time, the truth of its report, its cost, and whether its error was needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tiercel.engines.rehearsal.modes import Mode
from tiercel.sim.case import Case, Play, Try
from tiercel.sim.chronicle import KNOWN_GOOD_S, TOLERANCE_S, Chronicle
from tiercel.sim.replies import Reader
from tiercel.sim.scenario import Scenario
from tiercel.sim.troubles import made_of
from tiercel.terms.reply import Report, Tried

__all__ = ["Critic"]

_SKIPS: Final = frozenset({"skipped", "breaker_open", "unfit", "shed"})
# How the chain may judge what a client gave as an answer.
_JUDGED: Final = frozenset({"ok", "wrong_shape", "malformed"})
_CUT_OFF: Final = frozenset({"unreachable", "truncated", "malformed"})
# Vectors have no choices that could be missing.
_ABOUT_CHOICES: Final = frozenset({Mode.NO_CHOICES, Mode.EMPTY_CHOICES})
_ANSWERED: Final = frozenset({"answered"})
# What an engine does without any work on words.
_FREE: Final = frozenset(
    {
        Mode.RATE_LIMITED,
        Mode.BUSY,
        Mode.OVERLOADED,
        Mode.BROKEN,
        Mode.UNAUTHORIZED,
        Mode.NO_MODEL,
        Mode.REDIRECT,
        Mode.HTML,
        Mode.ERROR_IN_200,
        Mode.ERROR_BEFORE,
        Mode.HANGUP,
        Mode.REFUSE,
        Mode.SILENT,
        Mode.TLS,
        Mode.GARBAGE_STATUS,
        Mode.CUT_HEADERS,
        Mode.CUT_ROLE,
    }
)
# An engine whose good answer takes less than this share of a budget gets enough of it wherever it stands.
_SURE_SHARE: Final = 0.02
# Dollars: what two orders of the same sum may differ by.
_ROUNDING: Final = 1e-12


class Critic:
    """Closes cases."""

    def __init__(self, scenario: Scenario, chronicle: Chronicle) -> None:
        self._scenario = scenario
        self._chronicle = chronicle
        self._referee = chronicle.referee
        self._reader = Reader(chronicle.referee)
        self._specs = scenario.specs

    def close(self, case: Case) -> None:
        """Judge one request."""
        wrong = self._referee.wrong
        if case.told != 1:
            wrong("ledger", f"the tally was told {case.told} times: {case}")
        if case.open_tries:
            wrong("left-at-once", f"{case.open_tries} attempts go on after its end: {case}")
        if case.left_s is not None and case.ended_s > case.left_s:
            wrong("left-at-once", f"it went on for {case.ended_s - case.left_s:.6f} s: {case}")
        self._check_time(case)
        for tried in case.tries:
            self._check_truth(case, tried)
        if case.fate == "refused":
            self._check_refused(case)
            return
        if case.fate != "left":
            self._check_noted(case)
        if case.fate == "served":
            self._check_report(case)
            self._reader.served(case)
        elif case.ask.stream:
            self._reader.broken_off(case)
        if case.fate == "failed":
            self._check_needed(case)

    def _check_time(self, case: Case) -> None:
        seat = case.seat
        began_s = seat.began_s if seat is not None else None
        first = case.ask.stream and began_s is None
        due_s = case.first_by_s if first else case.total_by_s
        # A stream that ends well without a word begins with its end.
        if case.ended_s > due_s + TOLERANCE_S:
            self._referee.wrong("on-time", f"over {case.ended_s - due_s:.6f} s late: {case}")
        if began_s is not None and began_s > case.first_by_s + TOLERANCE_S:
            self._referee.wrong("on-time", f"its first content came {began_s - case.first_by_s:.6f} s late: {case}")

    def _check_refused(self, case: Case) -> None:
        # Anthropic's API gives one answer to a request, and says so before it is asked.
        specs = self._specs
        many = case.ask.n > 1 and any(spec.kind == "anthropic" for spec in specs.values())
        unknown = case.ask.model in {"nobody", "bronze"}
        # What fits into no engine that could serve it at all is the caller's to shorten.
        noted = () if case.run is None else case.run.tried
        long = any(one.reason == "context" for one in noted) and all(one.outcome == "unfit" for one in noted)
        if not (many or unknown or long or any(tried.outcome == "refused" for tried in case.tries)):
            self._referee.wrong("bug", f"nobody refused it: {case}")

    # What the report says of the attempts, and whether that is true.

    def _check_noted(self, case: Case) -> None:
        noted = [one for one in case.run.tried if one.outcome not in _SKIPS] if case.run is not None else []
        for tried in case.tries:
            if tried.outcome in {"unfit", "refused"}:
                continue
            found = next((one for one in noted if _notes(one, tried)), None)
            if found is None:
                self._referee.wrong("label", f"the attempt at {tried.engine} is not in the report: {case}")
            noted.remove(found)
        if noted:
            self._referee.wrong("label", f"{noted[0]} never happened: {case}")

    def _check_truth(self, case: Case, tried: Try) -> None:
        """Whether an engine's client reported what the engine did."""
        actor = self._chronicle.actors.get(tried.engine)
        outcome = tried.outcome
        if actor is None:
            if outcome not in {"answered", "gone"}:
                self._referee.wrong("no-needless-error", f"the last resort failed: {case}")
            return
        if not tried.plays:
            reason = actor.spell.wire != "up" or actor.wire_changed_s >= tried.began_s - 4 * actor.hop_s - TOLERANCE_S
            if outcome not in {"gone", "unfit", "refused"} and not (outcome == "unreachable" and reason):
                self._referee.wrong("label", f"{tried.engine} was not asked and is said to be {outcome}: {case}")
            return
        play = tried.plays[-1]
        allowed = made_of(play.mode, stream=case.ask.stream, dialect=play.dialect)
        if case.ask.kind == "embed" and play.mode in _ABOUT_CHOICES:
            allowed = allowed | _ANSWERED
        if outcome == "gone":
            if "answered" in allowed:
                self._check_in_time(case, tried, play)
        elif outcome not in allowed and not ((play.struck or play.tainted) and outcome in _CUT_OFF):
            rule = "clean-end" if outcome == "answered" else "label"
            self._referee.wrong(rule, f"{tried.engine} played {play.mode} and is said to be {outcome}: {case}")

    def _check_in_time(self, case: Case, tried: Try, play: Play) -> None:
        """Object when an answer that was there is called late."""
        if case.left_s is not None or not play.whole or play.over_s is None or tried.ended_s is None:
            return
        hop_s = self._chronicle.actors[tried.engine].hop_s
        held_s = case.seat.held_s if case.seat is not None else -1.0
        if play.over_s + hop_s + TOLERANCE_S < tried.ended_s and held_s < tried.began_s:
            lost_race = any(one.hedged for one in case.tries)
            if not lost_race:
                self._referee.wrong("label", f"{tried.engine} had answered at {play.over_s:.6f}: {case}")

    # What the report says of the answer.

    def _check_report(self, case: Case) -> None:
        served = case.served
        assert served is not None  # noqa: S101 - that is what its fate says
        report, wrong = served.report, self._referee.wrong
        winner = case.last_try(report.rung)
        if winner is None or winner.outcome != "answered":
            wrong("label", f"it says {report.rung} answered: {case}")
        spec = self._specs[report.rung]
        kind = spec.kind if not spec.is_model else "model"
        if report.kind != kind or report.request_id != case.ask.id:
            wrong("label", f"it says a {report.kind} answered {report.request_id}: {case}")
        if (report.tier is None) != case.named:
            wrong("label", f"it says the tier is {report.tier}: {case}")
        best = report.rung if report.tier is None else self._scenario.tiers[report.tier].rungs[0]
        if report.kind == "model" and report.degraded != (report.rung != best):
            wrong("label", f"it says degraded is {report.degraded}, and {best} is the best: {case}")
        if abs(report.ms / 1e3 - (case.ended_s - case.began_s)) > TOLERANCE_S:
            wrong("label", f"it says {report.ms} ms: {case}")
        self._check_cost(case, report, winner)

    def _check_cost(self, case: Case, report: Report, winner: Try) -> None:
        served = case.served
        play = winner.plays[-1] if winner.plays else None
        usage = served.usage if served is not None else None
        if usage is None:
            self._referee.wrong("cost", f"no usage: {case}")
        if play is not None and case.ask.kind == "chat":
            engine_said = report.usage_counted_by == "engine"
            if engine_said != play.usage or (engine_said and usage.prompt_tokens != play.prompt_tokens):
                self._referee.wrong("cost", f"{usage}, counted by {report.usage_counted_by}: {case}")
        in_vain = [one for one in case.tries if one is not winner and one.engine in self._chronicle.actors]
        price = self._specs[winner.engine].price
        if report.cost is None:
            if (price is not None or play is None) and not in_vain:
                self._referee.wrong("cost", f"the cost is known and not told: {case}")
            return
        for tried in in_vain:
            if any(_worked(case, tried, one) for one in tried.plays):
                self._referee.wrong("cost", f"{tried.engine} worked as well, and {report.cost} is told: {case}")
        due = 0.0
        if play is not None and price is not None:
            due = (usage.prompt_tokens * price.input + usage.completion_tokens * price.output) / 1e6
        if (play is not None and price is None) or abs(report.cost - due) > _ROUNDING:
            self._referee.wrong("cost", f"{report.cost} is told and {due} is due: {case}")

    # Whether an error was needed.

    def _check_needed(self, case: Case) -> None:
        """No error while something healthy had the time to answer; what is doubtful counts for the product."""
        if case.last_resort and self._may_go_on(case):
            self._referee.wrong("no-needless-error", f"{case.last_resort} could have answered: {case}")
        if case.ask.wishes.max_cost is not None or (case.ask.wishes.fallback == "none" and len(case.models) > 1):
            return
        for name in case.models:
            if self._known_good(case, name) and self._could(case, name):
                self._referee.wrong("no-needless-error", f"{name} is good and had the time: {case}")

    def _may_go_on(self, case: Case) -> bool:
        """Whether another rung could have taken over: nothing was shown, or words that may be taken up."""
        if case.seat is None or case.seat.began_s is None:
            return True
        continues = self._scenario.tiers["silver"].after_content == "continue"
        return continues and not case.named and case.ask.shape == "text" and not case.ask.tools and case.ask.n == 1

    def _known_good(self, case: Case, name: str) -> bool:
        actor = self._chronicle.actors[name]
        since_s = actor.good_since_s
        if since_s is None or since_s > case.began_s - KNOWN_GOOD_S or actor.role.crowded:
            return False
        return name in case.fresh and name not in case.shut

    def _could(self, case: Case, name: str) -> bool:
        actor = self._chronicle.actors[name]
        tried = case.last_try(name)
        begun = case.seat is not None and case.seat.began_s is not None
        if begun:
            if tried is not None or not self._may_go_on(case):
                return False
            below = [one.engine for one in case.tries][-1:]
            ladder: Mapping[str, int] = {rung: i for i, rung in enumerate(case.models)}
            if any(ladder.get(one, -1) > ladder[name] for one in below):
                return False
            return case.total_by_s - case.ended_s > actor.whole_bound_s + 0.01
        bound_s = actor.first_bound_s if case.ask.stream else actor.whole_bound_s
        due_s = case.first_by_s if case.ask.stream else case.total_by_s
        sure = bound_s < _SURE_SHARE * (due_s - case.began_s)
        if tried is None:
            return sure or due_s - case.ended_s > bound_s
        return sure


def _notes(noted: Tried, tried: Try) -> bool:
    """Whether this line of the report is about this attempt."""
    if noted.rung != tried.engine or tried.ended_s is None:
        return False
    if noted.outcome == "lost_race":
        return tried.outcome == "gone"
    if tried.outcome == "gone":
        matches = noted.outcome == "late"
    elif tried.outcome == "answered":
        matches = noted.outcome in _JUDGED
    else:
        matches = noted.outcome == tried.outcome
    return matches and abs(noted.ms / 1e3 - (tried.ended_s - tried.began_s)) <= TOLERANCE_S


def _worked(case: Case, tried: Try, play: Play) -> bool:
    """Whether a model certainly produced words that somebody will be charged for."""
    if play.mode in _FREE or (play.mode is Mode.ERROR_AFTER and (not case.ask.stream or play.k == 0)):
        return False
    until_s = play.over_s if play.over_s is not None else tried.ended_s
    return until_s is not None and until_s - play.began_s >= play.first_s and play.k > 0
