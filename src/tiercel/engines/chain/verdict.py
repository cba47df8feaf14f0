"""Why nothing could answer, in the words and numbers that a caller can act on."""

from __future__ import annotations

from tiercel.engines.chain.run import Run
from tiercel.engines.judge.view import View
from tiercel.terms.errors import BadRequest, Exhausted, Late, TiercelError

__all__ = ["why_exhausted"]

RATE_LIMITED_STATUS = 429


def why_exhausted(run: Run, view: View, now_s: float) -> TiercelError:
    """Return the error of a run that is out of rungs: what stopped it, and when another try may be worth it."""
    if any(tried.reason == "context" for tried in run.tried) and all(tried.outcome == "unfit" for tried in run.tried):
        # The code by which clients know to shorten the conversation.
        return BadRequest(
            "the messages do not fit into the context of any engine", param="messages", code="context_length_exceeded"
        )
    budget = run.budget
    spent = now_s >= budget.end_s or (run.ask.stream and not run.begun and now_s >= budget.first_s)
    if spent or (run.failures and all(isinstance(failure, Late) for failure in run.failures)):
        return Exhausted("no rung could answer in time", run.failures, code=Late.code)
    if not run.failures and all(tried.outcome == "unfit" for tried in run.tried):
        return Exhausted("no rung may answer this request", run.failures, code="policy")
    error = Exhausted("no rung could answer", run.failures)
    shut = [tried.rung for tried in run.tried if tried.outcome == "breaker_open" and tried.rung in view]
    opens = [max(0.0, view[name].open_until_s - now_s) for name in shut]
    error.retry_after_s = min([*opens, *([] if error.retry_after_s is None else [error.retry_after_s])], default=None)
    if _only_limits(run):
        # Every engine that could serve this says "slow down", and so do we.
        error.status = RATE_LIMITED_STATUS
    return error


def _only_limits(run: Run) -> bool:
    """Whether rate limits, met now or a moment ago, are all that stood in the way."""
    met = [tried for tried in run.tried if tried.outcome != "unfit"]
    return bool(met) and all(
        tried.outcome == "rate_limited" or (tried.outcome == "breaker_open" and "rate_limited" in tried.reason)
        for tried in met
    )
