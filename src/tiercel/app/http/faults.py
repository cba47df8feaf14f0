"""The refusals that only a server of HTTP makes: a status, a code and a sentence."""

from __future__ import annotations

from tiercel.terms.errors import BadRequest, Refused, Shed, TooLarge, Unsupported

__all__ = ["busy", "encoded", "foreign", "malformed", "not_json", "slow", "too_large", "unexpected"]


def _with_status(error: Refused, status: int) -> Refused:
    # One tree of errors for the whole house; the statuses that only HTTP knows are set on the instance.
    error.status = status
    return error


def malformed(message: str, status: int = 400) -> Refused:
    """Say that these bytes are no HTTP message that we accept."""
    return _with_status(BadRequest(message, code="malformed_http"), status)


def too_large(message: str, status: int) -> Refused:
    """Say which documented limit was passed: 413 body, 414 target, 431 head."""
    return _with_status(TooLarge(message), status)


def encoded(encoding: str) -> Refused:
    """Refuse a compressed body: a small one can be a large one."""
    return Unsupported(f"content-encoding {encoding[:40]!r} is not accepted; send the body as it is")


def not_json(media_type: str) -> Refused:
    """Refuse a body of another media type."""
    return Unsupported(f"content-type {media_type[:80]!r} is not accepted; send application/json")


def unexpected(expectation: str) -> Refused:
    """Refuse an ``Expect`` that we do not know."""
    return _with_status(BadRequest(f"expectation {expectation[:40]!r} cannot be met", code="expectation_failed"), 417)


def foreign(message: str, status: int) -> Refused:
    """Refuse a browser or a name that does not belong here: 403 for an origin, 421 for a host."""
    return _with_status(BadRequest(message, code="foreign"), status)


def slow(message: str) -> Refused:
    """Give up on half a request."""
    return _with_status(BadRequest(message, code="request_timeout"), 408)


def busy(message: str) -> Shed:
    """Refuse work that this process cannot hold now."""
    return Shed(message)
