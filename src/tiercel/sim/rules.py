"""The rules that hold in every world whatever befalls it, by name, and what happens when one is broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from tiercel.sim.loop import VirtualLoop

__all__ = ["RULES", "Referee", "RuleBroken"]

RULES: Final[Mapping[str, str]] = {
    "answered-once": "every request ends exactly once: with a reply, an honest error, or its caller's leaving",
    "on-time": "the first content, the end and every error come by their deadline",
    "attempts": "a request is tried no more often than its ladder and one retry allow, and only where it may be",
    "timeout-not-retried": "no engine is asked again in a request that it let run into a timeout",
    "open-breaker": "no engine is asked while its breaker is open, and three like failures in a row open it",
    "one-probe": "while a breaker is not closed, one attempt at most is under way to find out",
    "breaker-cause": "a breaker opens for what the engine did, never for what callers did",
    "retry-after": "an engine is left alone for as long as it asked for",
    "extra-work": "retries and hedges stay below their share of live requests",
    "no-needless-error": "no caller gets an error while something healthy had the time to answer",
    "left-at-once": "when the caller leaves, everything done for it stops in the same instant",
    "label": "the report names the rung that answered and what became of every attempt, with its time",
    "cost": "a stated cost is all that the request cost",
    "shape": "an answer has the form that the request demands, or there is no answer",
    "words": "the words shown are those the engines said for this request, each taken up where the last one stopped",
    "one-stream": "a stream has one beginning and one id, and nothing after its end",
    "clean-end": "a stream ends cleanly only when its engine's did",
    "recovery": "every breaker closes within five seconds of an engine's return",
    "ledger": "what was counted is what happened",
    "nothing-left": "when all callers are gone, no request, attempt, task or connection is left",
    "replay": "the same seed tells the same story",
    "bug": "nothing raises but what a caller is meant to see",
}


class RuleBroken(AssertionError):
    """A rule did not hold; the message ends with the command that shows it again."""

    def __init__(self, rule: str, why: str, replay: str) -> None:
        super().__init__(f"{rule} ({RULES[rule]}): {why}\nto see it again: {replay}")
        self.rule = rule
        self.why = why
        self.replay = replay


class Referee:
    """Ends the world when a rule is broken, whoever is on the stack and whatever they would do with an exception."""

    def __init__(self, loop: VirtualLoop, replay: str) -> None:
        self._loop = loop
        self._replay = replay

    def wrong(self, rule: str, why: str) -> NoReturn:
        """Say which rule is broken, and stop everything."""
        broken = RuleBroken(rule, f"at {self._loop.time():.6f} s, {why}", self._replay)
        self._loop.end_world(broken)
        raise broken
