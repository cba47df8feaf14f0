"""What an error of Anthropic's means for the request: the caller's mistake, ours, or a reason to try the next rung."""

from __future__ import annotations

import msgspec

from tiercel.engines.anthropic.words import NOT_JSON
from tiercel.engines.http.port import Reply
from tiercel.engines.openai.refusals import retry_after_of
from tiercel.terms.errors import BadRequest, EngineFailed, Failure, TiercelError, TooLarge, Unfit

__all__ = ["Fault", "failure_of", "fault_in"]

BY_STATUS: dict[int, Failure] = {
    401: "auth",
    402: "auth",
    403: "auth",
    404: "missing",
    405: "missing",
    408: "late",
    429: "rate_limited",
    503: "overloaded",
    504: "late",
    529: "overloaded",
}
BY_TYPE: dict[str, Failure] = {
    "authentication_error": "auth",
    "billing_error": "auth",
    "permission_error": "auth",
    "not_found_error": "missing",
    "timeout_error": "late",
    "rate_limit_error": "rate_limited",
    "overloaded_error": "overloaded",
}
CALLERS_FAULT = frozenset((400, 422))
TOO_LARGE = 413
LONGEST_MESSAGE = 500
# Told as a bad request, but it is our account that is empty.
BROKE = "credit balance is too low"
TOO_LONG = ("prompt is too long", "exceed context limit", "context window")


class Fault(msgspec.Struct):
    """The error of the API's envelope."""

    type: str = ""
    message: str = ""


class _Envelope(msgspec.Struct):
    error: Fault


def failure_of(reply: Reply, *, resumed: bool = False) -> TiercelError:
    """Return the error that a status other than 200 stands for; ``resumed``: the last words of the request are ours."""
    fault = _envelope(reply.body)
    if reply.status == TOO_LARGE:
        return TooLarge(_said(fault) or "the engine takes no request of this size")
    if reply.status in CALLERS_FAULT and fault is not None:
        if BROKE in fault.message:
            return EngineFailed("auth", "the account has no credit left")
        if resumed:
            return Unfit("the engine cannot take up somebody else's words")
        long = any(words in fault.message for words in TOO_LONG)
        return BadRequest(_said(fault), code="context_length_exceeded" if long else None)
    failure = BY_STATUS.get(reply.status, "server_error" if reply.status >= 500 else "malformed")  # noqa: PLR2004 - 5xx
    retry_after_s = retry_after_of(reply) if failure in {"rate_limited", "overloaded"} else None
    return EngineFailed(failure, f"status {reply.status}", retry_after_s=retry_after_s)


def fault_in(fault: Fault | None) -> EngineFailed:
    """Return the error that is told behind a status of 200, inside a stream or instead of a message."""
    kind = fault.type if fault is not None else ""
    return EngineFailed(BY_TYPE.get(kind, "server_error"), f"{kind or 'an error'} behind a status of 200")


def _said(fault: Fault | None) -> str:
    if fault is None or not fault.message:
        return ""
    return f"the engine refused the request: {fault.message[:LONGEST_MESSAGE]}"


def _envelope(body: bytes) -> Fault | None:
    try:
        return msgspec.json.decode(body, type=_Envelope).error
    except NOT_JSON:
        return None
