"""What goes out: bodies with our report in them, the frames of a stream, and every error in OpenAI's envelope.

The hot path and the plain route take their bytes from here, so that a client cannot tell which of them it met.
"""

from __future__ import annotations

import math
import traceback

import msgspec

from tiercel.app.http.heads import block_of
from tiercel.telemetry.logs import logger
from tiercel.terms.errors import OverQuota, Refused, Shed, TiercelError
from tiercel.terms.reply import Report

__all__ = [
    "DONE",
    "ErrorReply",
    "Internal",
    "error_event",
    "error_reply",
    "framed",
    "grave",
    "should_retry",
    "stream_tail",
    "with_report",
]

_log = logger("http")
_encode = msgspec.json.Encoder().encode
_loose = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_KEY = b'"tiercel"'
# The beginning of a JSON escape that could spell the same key.
_ESCAPE = b"\\u00"
# As numbers: a single byte is found eight times as fast by its number as by a string of it.
_LF, _CR, _BACKSLASH = b"\n\r\\"
DONE = b"[DONE]"
_MAX_MESSAGE = 500
_TOO_MANY = 429
_SERVER_SIDE = 500


class Internal(TiercelError):
    """A failure of our own that nobody foresaw; the client learns no more than that."""

    def __init__(self) -> None:
        super().__init__("an internal error; the request id finds it in the log")


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True):
    """An error as HTTP: what the hot path joins and the plain route sends."""

    status: int
    # Header lines, ``x-request-id`` among them; the content's type and length come first on every route.
    block: bytes
    body: bytes


class _Detail(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    type: str
    param: str | None
    code: str


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    error: _Detail
    tiercel: Report | None = None


def grave(error: BaseException, request_id: str) -> Internal:
    """Log a failure that is a bug, by its kind and place: its message could hold a caller's words."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames[-4:]]
    _log.error("http.bug", request_id=request_id, error=type(error).__name__, where=where)
    return Internal()


def should_retry(error: TiercelError) -> bool:
    """Decide for the client's library whether the same request may be sent again.

    Only when the request was turned away before any work was done: after that we have tried all that could help, and
    a client that repeats a late request triples the load that made it late.
    """
    return isinstance(error, (OverQuota, Shed))


def _retry_after_s(error: TiercelError) -> float | None:
    seconds = getattr(error, "retry_after_s", None)
    if seconds is None:
        return 1.0 if isinstance(error, Shed) else None
    return float(seconds)


def _type_of(status: int) -> str:
    if status == _TOO_MANY:
        return "requests"
    return "server_error" if status >= _SERVER_SIDE else "invalid_request_error"


def _detail(error: TiercelError) -> _Detail:
    param = error.param if isinstance(error, Refused) else None
    message = str(error)[:_MAX_MESSAGE].encode("utf-8", "replace").decode()
    return _Detail(message=message, type=_type_of(error.status), param=param, code=error.code)


def error_reply(error: TiercelError, request_id: str, *, extra: bytes = b"") -> ErrorReply:
    """Return an error in OpenAI's envelope, with what was tried before it; ``extra`` are more header lines."""
    lines = b"x-should-retry: true\r\n" if should_retry(error) else b"x-should-retry: false\r\n"
    seconds = _retry_after_s(error)
    if seconds is not None and math.isfinite(seconds):
        seconds = min(max(seconds, 0.0), 86_400.0)
        lines += b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (math.ceil(seconds), math.ceil(seconds * 1000))
    return ErrorReply(
        status=error.status,
        block=block_of(request_id, error.report) + lines + extra,
        body=_encode(_Envelope(error=_detail(error), tiercel=error.report)),
    )


def error_event(error: TiercelError) -> bytes:
    """Return the event that tells a client in the middle of a stream that the rest will not come."""
    return _encode(_Envelope(error=_detail(error), tiercel=error.report))


def with_report(body: bytes, report: Report) -> bytes:
    """Return this JSON object with the report as its last key, without decoding it."""
    body = body.strip()
    # From the right: it is the faster search, and nearly always it finds nothing.
    if body.rfind(_KEY) >= 0 or (_BACKSLASH in body and body.rfind(_ESCAPE) >= 0):
        body = _without_ours(body)
    start = body[:-1].rstrip()
    return b'%b%b"tiercel":%b}' % (start, b"" if start == b"{" else b",", _encode(report))


def _without_ours(body: bytes) -> bytes:
    """Drop a top-level key of ours that an engine has written: it must not speak in our name."""
    fields = _loose(body)
    if "tiercel" not in fields:
        return body
    del fields["tiercel"]
    return _encode(fields)


def framed(payload: bytes, *, chunked: bool) -> bytes:
    """Return one event as it goes on the wire, the chunk around it included, so that it takes one write."""
    if _LF in payload or _CR in payload:
        # Between tokens JSON may have line ends; in an event stream they would end the event.
        payload = payload.replace(b"\r", b" ").replace(b"\n", b" ")
    if chunked:
        return b"%x\r\ndata: %b\n\n\r\n" % (len(payload) + 8, payload)
    return b"data: %b\n\n" % payload


def stream_tail(tail: tuple[bytes, ...], report: Report) -> list[bytes]:
    """Return the last payloads of a clean stream: our report in the last chunk, then the end mark."""
    return [*tail[:-1], *[with_report(last, report) for last in tail[-1:]], DONE]
