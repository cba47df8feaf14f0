"""All planted bugs, with the rules by which each of them is found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from tiercel.engines.chain.chain import Chain
from tiercel.engines.judge.health import Health
from tiercel.sim.building import Workshop
from tiercel.sim.mutants import chains, judges

__all__ = ["PLANTED", "Mutant"]


class Mutant(msgspec.Struct, frozen=True):
    """A house with one wrong part, and the rules of which it breaks one first."""

    workshop: Workshop
    found_by: frozenset[str]


def _judge(kind: type[Health], *found_by: str) -> Mutant:
    return Mutant(Workshop(health=kind), frozenset(found_by))


def _chain(kind: type[Chain], *found_by: str) -> Mutant:
    return Mutant(Workshop(chain=kind), frozenset(found_by))


PLANTED: Final[Mapping[str, Mutant]] = {
    "two probes at once": _judge(judges.LetsEverybodyProbe, "one-probe"),
    "the probe's place is lost when its caller leaves": _judge(judges.ForgetsProbes, "recovery", "no-needless-error"),
    "attempts are not counted out when callers leave": _judge(judges.LeaksInFlight, "nothing-left", "ledger"),
    "a breaker never closes": _judge(judges.NeverCloses, "recovery", "breaker-cause", "no-needless-error"),
    "an engine is blamed for impatient callers": _judge(judges.CountsImpatience, "breaker-cause"),
    "an engine is asked before its Retry-After": _judge(judges.ShortensRetryAfter, "retry-after"),
    "retries have no budget": Mutant(Workshop(purse=judges.IgnoresTheBudget), frozenset(("extra-work",))),
    "no time is left for the rungs below": _chain(chains.LeavesNoTime, "on-time"),
    "a timeout is retried on the same engine": _chain(chains.AsksTheLateAgain, "timeout-not-retried"),
    "the report names another rung": _chain(chains.NamesTheWrongRung, "label"),
    "a cut stream ends cleanly": Mutant(Workshop(openai=chains.CallsCutsClean), frozenset(("clean-end", "cost"))),
    "leaving is swallowed": Mutant(Workshop(around=chains.SwallowsLeaving), frozenset(("on-time", "left-at-once"))),
    "words are sent twice": Mutant(Workshop(around=chains.RepeatsWords), frozenset(("one-stream", "words"))),
}
