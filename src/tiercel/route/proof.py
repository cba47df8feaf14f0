"""Proves, before the first request, what a tier's ladder can promise: time per rung, attempts, cost, at the worst.

Nothing here runs: the shares are those that the router gives while it knows no engine's speed, and an answer's time is
bounded by the deadline whatever happens. What can fail is the use of that time, and that is what is proved: every
model that is counted on gets enough of it to connect and to say a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.route.shares import LAST_RESORT_S, cutoffs
from tiercel.route.spec import RouteSpec, TierSpec
from tiercel.terms.ask import Tier

__all__ = ["COMPLETION_TOKENS", "PROMPT_TOKENS", "USEFUL_MS", "Broken", "ChainProof", "RungProof", "prove"]

# After its connect a model needs at least this to say a word: one pass of a small model, and the way there and back.
USEFUL_MS = 8.0
# The request whose cost is stated.
PROMPT_TOKENS, COMPLETION_TOKENS = 2000, 512


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that cannot be kept: the settings it lies between, the inequality in numbers, what would mend it."""

    keys: tuple[tuple[str, ...], ...]
    inequality: str
    next_step: str


class RungProof(msgspec.Struct, frozen=True, kw_only=True):
    """One rung: the time it is sure of in a stream and in a reply in one piece, what it needs, what it may cost."""

    rung: str
    kind: str
    first_share_ms: float
    total_share_ms: float
    needs_ms: float
    cost: float | None


class ChainProof(msgspec.Struct, frozen=True, kw_only=True):
    """What a tier promises at the worst.

    ``cost`` is in US dollars for one request of ``PROMPT_TOKENS`` and ``COMPLETION_TOKENS`` that every attempt is
    billed for in full; null when the price of an engine in ``unpriced`` is not known.
    """

    tier: Tier
    rungs: tuple[RungProof, ...]
    first_ms: float
    total_ms: float
    attempts: int
    cost: float | None
    unpriced: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every promise can be kept."""
        return not self.broken


def prove(tier: Tier, spec: TierSpec, engines: Mapping[str, EngineSpec], route: RouteSpec) -> ChainProof:
    """Return what this tier can promise; the same arguments always give the same proof."""
    models = [name for name in spec.rungs if engines[name].is_model]
    resorts = [name for name in spec.rungs if not engines[name].is_model]
    first = _shares(spec.first_ms, len(models), last_resort=bool(resorts))
    total = _shares(spec.total_ms, len(models), last_resort=bool(resorts))
    proofs = [
        RungProof(
            rung=name,
            kind=engines[name].kind,
            first_share_ms=first[i],
            total_share_ms=total[i],
            needs_ms=engines[name].connect_ms + USEFUL_MS,
            cost=_cost(engines[name], said_tokens=_said(spec, i)),
        )
        for i, name in enumerate(models)
    ]
    retries = 1 if models and route.retry_share > 0 else 0
    costs = [proof.cost for proof in proofs]
    return ChainProof(
        tier=tier,
        rungs=(*proofs, *(_last_resort(name, engines[name], spec, alone=not models) for name in resorts)),
        first_ms=min(spec.first_ms, spec.total_ms),
        total_ms=spec.total_ms,
        attempts=len(models) + retries + min(1, len(resorts)),
        cost=_worst_cost(costs, retries),
        unpriced=tuple(proof.rung for proof in proofs if proof.cost is None),
        broken=tuple(_broken(tier, spec, proofs, engines)),
        notes=tuple(_notes(tier, spec, models, resorts)),
    )


def _shares(budget_ms: float, models: int, *, last_resort: bool) -> list[float]:
    """Return the milliseconds that each model is sure of when all before it were silent to their end."""
    ends = cutoffs(budget_ms / 1e3, [0.0] * models, last_resort=last_resort)
    return [round((end - begin) * 1e3, 3) for begin, end in zip([0.0, *ends], ends, strict=False)]


def _last_resort(name: str, engine: EngineSpec, spec: TierSpec, *, alone: bool) -> RungProof:
    first_ms, total_ms = (
        budget_ms if alone else min(LAST_RESORT_S * 1e3, budget_ms / 2) for budget_ms in (spec.first_ms, spec.total_ms)
    )
    return RungProof(
        rung=name, kind=engine.kind, first_share_ms=first_ms, total_share_ms=total_ms, needs_ms=0.0, cost=0.0
    )


def _said(spec: TierSpec, index: int) -> int:
    """Return how many more tokens a rung below the first reads when it goes on with a stream that others began."""
    return COMPLETION_TOKENS if index and spec.after_content == "continue" else 0


def _cost(engine: EngineSpec, *, said_tokens: int) -> float | None:
    if engine.price is None:
        return None
    dollars = (PROMPT_TOKENS + said_tokens) * engine.price.input + COMPLETION_TOKENS * engine.price.output
    return dollars / 1e6


def _worst_cost(costs: Sequence[float | None], retries: int) -> float | None:
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return None
    # Only the last model may be asked again.
    return sum(known) + retries * (known[-1] if known else 0.0)


def _broken(tier: Tier, spec: TierSpec, proofs: Sequence[RungProof], engines: Mapping[str, EngineSpec]) -> list[Broken]:
    found = [_too_little(tier, spec, proof) for proof in proofs if proof.first_share_ms < proof.needs_ms]
    for proof in proofs:
        gap_ms = engines[proof.rung].gap_ms
        if gap_ms >= spec.total_ms:
            found.append(
                Broken(
                    keys=(("engines", proof.rung, "gap_ms"), ("tiers", tier, "total_ms")),
                    inequality=f"engines.{proof.rung}.gap_ms {gap_ms:g} < tiers.{tier}.total_ms {spec.total_ms:g}",
                    next_step=(
                        "a stalled stream would be noticed only after its end; "
                        f"set engines.{proof.rung}.gap_ms to {spec.total_ms / 4:g} or so"
                    ),
                )
            )
    if proofs and spec.hedge_ms >= proofs[0].first_share_ms:
        share_ms = proofs[0].first_share_ms
        found.append(
            Broken(
                keys=(("tiers", tier, "hedge_ms"),),
                inequality=f"tiers.{tier}.hedge_ms {spec.hedge_ms:g} < {share_ms:g}, the share of {proofs[0].rung}",
                next_step=f"the hedge would never start; set tiers.{tier}.hedge_ms to {share_ms / 2:g} or so",
            )
        )
    return found


def _too_little(tier: Tier, spec: TierSpec, proof: RungProof) -> Broken:
    # Shares grow with the budget, so that the budget that would do follows from this one.
    enough_ms = int(LAST_RESORT_S * 1e3 + proof.needs_ms * spec.first_ms / max(proof.first_share_ms, 1e-3)) + 1
    connect_ms = proof.needs_ms - USEFUL_MS
    both = "" if enough_ms <= spec.total_ms else " and total_ms"
    steps = [f"raise tiers.{tier}.first_ms{both} to {enough_ms}"]
    if proof.first_share_ms > USEFUL_MS + 1:
        steps.append(f"lower engines.{proof.rung}.connect_ms to {int(proof.first_share_ms - USEFUL_MS)}")
    steps.append(f"take {proof.rung} out of tiers.{tier}.rungs")
    return Broken(
        keys=(("engines", proof.rung, "connect_ms"), ("tiers", tier, "first_ms"), ("tiers", tier, "rungs")),
        inequality=(
            f"engines.{proof.rung}.connect_ms {connect_ms:g} + {USEFUL_MS:g} for a first word "
            f"<= {proof.first_share_ms:g}, its share of tiers.{tier}.first_ms {spec.first_ms:g}"
        ),
        next_step=", or ".join(steps),
    )


def _notes(tier: Tier, spec: TierSpec, models: Sequence[str], resorts: Sequence[str]) -> list[str]:
    """Say what a person may not expect although it breaks no promise."""
    if not spec.rungs:
        return [f"{tier} has no rungs: it answers every request with an error that says so"]
    notes = []
    if not resorts:
        notes.append("no last resort: when every model fails, the caller gets an error, on time")
    if not models:
        notes.append(f"no model: every answer comes from {resorts[0]}")
    if spec.hedge_ms > 0 and len(models) == 1:
        notes.append(f"hedge_ms {spec.hedge_ms:g} does nothing: there is no second model to start")
    return notes
