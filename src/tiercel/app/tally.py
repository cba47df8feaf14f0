"""Counts what the flow did: metrics for every request, a log line only for those that somebody should look at."""

from __future__ import annotations

import asyncio

from tiercel.engines.chain.run import Run
from tiercel.flow import Served
from tiercel.telemetry.logs import Logger
from tiercel.telemetry.product import SKIPS, Fate, ProductMeters
from tiercel.terms.ask import Ask
from tiercel.terms.errors import Late, Refused, TiercelError, Unavailable

__all__ = ["MeteredTally", "fate_of"]


class MeteredTally:
    """Implements the flow's ``Tally``."""

    def __init__(self, meters: ProductMeters, log: Logger) -> None:
        self._meters = meters
        self._log = log

    def served(self, served: Served, run: Run) -> None:
        """Count a reply, its times, its tokens and the rungs that were left out on the way to it."""
        report, meters = served.report, self._meters
        now_s = run.clock.now_s()
        seconds = now_s - run.budget.start_s
        meters.request(report.tier, report.kind, "ok", degraded=report.degraded)
        meters.took(
            report.tier,
            seconds,
            max(0.0, seconds - run.engine_s),
            max(0.0, now_s - run.budget.end_s),
            run.first_s,
        )
        if served.usage is not None:
            meters.tokens(report.rung, served.usage)
        if len(run.tried) > 1:
            self._skips(run)

    def failed(self, ask: Ask, run: Run | None, error: BaseException) -> None:
        """Count an error by whose it was; our own bugs are logged with everything but the words."""
        fate = fate_of(error, begun=run is not None and run.begun)
        kind = run.showing.kind if fate == "broken" and run is not None and run.showing is not None else None
        self._meters.request(None if run is None else run.tier, kind, fate)
        if run is not None:
            self._skips(run)
            if fate == "left" and ask.stream:
                self._meters.abandoned()
        if fate == "bug":
            self._log.error("request.bug", request_id=ask.id, error=type(error).__name__)
        elif fate in {"failed", "late", "broken"}:
            tried = "" if run is None else ",".join(f"{t.rung}:{t.outcome}" for t in run.tried)
            self._log.warning("request.failed", request_id=ask.id, fate=fate, tried=tried)

    def _skips(self, run: Run) -> None:
        for tried in run.tried:
            if tried.outcome in SKIPS:
                self._meters.attempt(tried.rung, tried.outcome, 0.0)


def fate_of(error: BaseException, *, begun: bool) -> Fate:
    """Return the word for a request that was not answered."""
    if isinstance(error, asyncio.CancelledError):
        return "left"
    if isinstance(error, Refused):
        return "refused"
    if isinstance(error, Unavailable):
        if begun:
            return "broken"
        return "late" if error.code == Late.code else "failed"
    return "failed" if isinstance(error, TiercelError) else "bug"
