"""Saying how an answer was won: the record of every reply, made of what the run wrote down."""

from __future__ import annotations

import time

import msgspec

from tiercel.engines.catalogue.price import cost_of
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.chain.run import Run, Rung, Won
from tiercel.engines.chain.show import BYTES_PER_TOKEN, reply_id
from tiercel.engines.chain.stage import Served, Stage
from tiercel.engines.port import Tap
from tiercel.terms.reply import Report, Usage

__all__ = ["Screen", "report_of", "served_by"]


class Screen:
    """Shows a stream on the door's stage, with the report that is known when the first word comes."""

    def __init__(self, stage: Stage, run: Run) -> None:
        self._stage = stage
        self._run = run
        self.event = stage.event

    def begin(self) -> None:
        """Open the stage."""
        run = self._run
        rung = run.showing
        assert rung is not None  # noqa: S101 - content comes from a rung
        run.first_s = run.clock.now_s() - run.budget.start_s
        self._stage.begin(report_of(run, rung, cost=None))

    def bind(self, tap: Tap) -> None:
        """Hand the tap on."""
        self._stage.bind(tap)


def report_of(run: Run, rung: Rung | None, *, cost: float | None, counted_by_us: bool = False) -> Report:
    """Return the report of a run as it stands."""
    return Report(
        tier=run.tier,
        rung="none" if rung is None else rung.name,
        kind=None if rung is None else rung.kind,
        degraded=rung is not None and rung.degraded,
        ms=round((run.clock.now_s() - run.budget.start_s) * 1e3, 3),
        cost=cost,
        attempts=tuple(run.tried),
        usage_counted_by="tiercel" if counted_by_us else "engine",
        dropped=tuple(run.dropped),
        request_id=run.ask.id,
    )


def served_by(won: Won, run: Run, spec: EngineSpec) -> Served:
    """Return the reply of a run that was won."""
    usage = won.answer.usage or (run.show.usage if run.show is not None else None)
    counted_by_us = usage is None or won.rung.kind != "model"
    if usage is None:
        usage = _count(run, won)
    cost = _cost(run, usage, spec)
    report = report_of(run, won.rung, cost=cost, counted_by_us=counted_by_us)
    if run.show is None:
        return Served(report=report, body=won.answer.body, usage=usage)
    tail = list(run.show.held)
    if run.ask.include_usage:
        tail.append(_usage_chunk(run, usage))
    return Served(report=report, usage=usage, tail=tuple(tail))


def _cost(run: Run, usage: Usage, spec: EngineSpec) -> float | None:
    """Return the cost of the whole run: a model that was tried in vain may have worked, for a price nobody told us."""
    if run.paid_in_vain:
        return None
    return cost_of(usage, spec)


def _count(run: Run, won: Won) -> Usage:
    """Count the tokens ourselves: the engine did not say."""
    said = run.show.content_bytes if run.show is not None else len(won.answer.body)
    completion = int(said / BYTES_PER_TOKEN) + 1
    prompt = run.ask.prompt_tokens
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _usage_chunk(run: Run, usage: Usage) -> bytes:
    """Return the chunk that closes a stream whose caller asked for the usage."""
    return msgspec.json.encode(
        {
            "id": reply_id(run.ask.id),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": run.ask.model,
            "choices": [],
            "usage": usage,
        }
    )
