"""What an engine says when it does not serve a request: status, and the words each dialect has for it."""

from __future__ import annotations

from typing import Final

import msgspec

from tiercel.engines.rehearsal.heard import Problem
from tiercel.engines.rehearsal.modes import Mode


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One error, in both dialects' words."""

    status: int
    message: str
    openai: str
    code: str | None = None
    param: str | None = None
    anthropic: str


FAULTS: Final[dict[Mode, Refusal]] = {
    Mode.RATE_LIMITED: Refusal(
        status=429,
        message="Rate limit reached for requests.",
        openai="requests",
        code="rate_limit_exceeded",
        anthropic="rate_limit_error",
    ),
    Mode.BROKEN: Refusal(status=500, message="The server had an error.", openai="server_error", anthropic="api_error"),
    Mode.BUSY: Refusal(status=503, message="The engine is overloaded.", openai="server_error", anthropic="api_error"),
    Mode.OVERLOADED: Refusal(
        status=529, message="Overloaded", openai="server_error", code="overloaded", anthropic="overloaded_error"
    ),
    Mode.UNAUTHORIZED: Refusal(
        status=401,
        message="Incorrect API key provided.",
        openai="invalid_request_error",
        code="invalid_api_key",
        anthropic="authentication_error",
    ),
    Mode.NO_MODEL: Refusal(
        status=404,
        message="The model does not exist or you do not have access to it.",
        openai="invalid_request_error",
        code="model_not_found",
        param="model",
        anthropic="not_found_error",
    ),
    Mode.EARLY: Refusal(
        status=413,
        message="The request is too large.",
        openai="invalid_request_error",
        code="request_too_large",
        anthropic="request_too_large",
    ),
    Mode.ERROR_IN_200: Refusal(
        status=200, message="The engine failed behind a 200.", openai="server_error", anthropic="api_error"
    ),
    Mode.ERROR_BEFORE: Refusal(
        status=200, message="The engine failed before the first word.", openai="server_error", anthropic="api_error"
    ),
    Mode.ERROR_AFTER: Refusal(
        status=200, message="The engine failed in the middle.", openai="server_error", anthropic="overloaded_error"
    ),
}


def _invalid(message: str, param: str | None = None, *, status: int = 400, kind: str = "") -> Refusal:
    return Refusal(
        status=status,
        message=message,
        openai="invalid_request_error",
        param=param,
        anthropic=kind or "invalid_request_error",
    )


UNFIT: Final = _invalid("The schema or the tools cannot be followed.", "response_format")

PROBLEMS: Final[dict[Problem, Refusal]] = {
    "not_found": _invalid("There is no such path.", status=404, kind="not_found_error"),
    "method": _invalid("The path does not serve this method.", status=405),
    "bad_body": _invalid("The body is not JSON of the expected shape."),
    "bad_part": _invalid("No such part.", "model"),
    "too_large": _invalid("The body is too large.", status=413, kind="request_too_large"),
    "model": _invalid("model: field required", "model"),
    "messages": _invalid("messages: at least one message is required", "messages"),
    "input": _invalid("input: field required", "input"),
    "max_tokens": _invalid("max_tokens: field required", "max_tokens"),
    "many": _invalid("n: more choices than this engine makes", "n"),
    "key": _invalid("x-api-key header is required", status=401, kind="authentication_error"),
    "version": _invalid("anthropic-version: header is required"),
}
