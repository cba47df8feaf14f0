"""What an engine's error status means for the request: the caller's mistake, or a reason to try the next rung."""

from __future__ import annotations

import msgspec

from tiercel.engines.http.port import Reply
from tiercel.terms.errors import BadRequest, EngineFailed, Failure, TiercelError, TooLarge
from tiercel.terms.json import NOT_JSON

__all__ = ["failure_of", "retry_after_of"]

# Statuses that blame the request. 404 is not here: that the engine lacks the model is our configuration's mistake.
CALLERS_FAULT = frozenset((400, 413, 422))
BY_STATUS: dict[int, Failure] = {
    401: "auth",
    403: "auth",
    404: "missing",
    408: "late",
    429: "rate_limited",
    503: "overloaded",
    529: "overloaded",
}
TOO_LARGE = 413
LONGEST_MESSAGE = 500


class _Error(msgspec.Struct):
    message: str = ""
    param: str | None = None
    code: str | int | None = None


class _Envelope(msgspec.Struct):
    error: _Error | str


def failure_of(reply: Reply) -> TiercelError:
    """Return the error that a status other than 200 stands for."""
    said = _envelope(reply.body)
    if reply.status in CALLERS_FAULT:
        message = f"the engine refused the request: {said.message[:LONGEST_MESSAGE] or reply.status}"
        kind = TooLarge if reply.status == TOO_LARGE else BadRequest
        code = said.code if isinstance(said.code, str) and said.code.isidentifier() else None
        return kind(message, param=said.param, code=code)
    failure = BY_STATUS.get(reply.status, "server_error" if reply.status >= 500 else "malformed")  # noqa: PLR2004 - 5xx
    retry_after_s = retry_after_of(reply) if failure in {"rate_limited", "overloaded"} else None
    return EngineFailed(failure, f"status {reply.status}", retry_after_s=retry_after_s)


def retry_after_of(reply: Reply) -> float | None:
    """Return the seconds of a Retry-After header; a date, which nobody sends here, counts as none."""
    text = reply.headers.get("retry-after", "").strip()
    if not text or len(text) > len("86400.000") or not text.replace(".", "", 1).isdigit():
        return None
    return float(text)


def _envelope(body: bytes) -> _Error:
    try:
        error = msgspec.json.decode(body, type=_Envelope).error
    except NOT_JSON:
        return _Error()
    return _Error(message=error) if isinstance(error, str) else error
