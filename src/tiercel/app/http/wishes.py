"""What a caller says to us and not to a model: read from headers and from the ``tiercel`` object, and merged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from tiercel.app.http.complaints import wrong_field
from tiercel.terms.ask import NO_WISHES, Sla, Wishes
from tiercel.terms.errors import BadRequest

__all__ = ["SERVICE_TIERS", "merged", "read_wishes", "wishes_of"]

_PREFIX = "x-tiercel-"
_MARK = b"x-tiercel-"
_READ_TIMEOUT = b"x-stainless-read-timeout"
_MAX_MS = 86_400_000.0
_MAX_COST = 1_000_000_000.0
_MAX_WORDS = 128
_MAX_LEGAL = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# The same names with the header's dashes; ``legal`` is a list and only fits a body, ``hint_ms`` is the library's word.
_HEADERS = {
    name: f"{_PREFIX}{name.replace('_', '-')}" for name in Wishes.__struct_fields__ if name not in ("legal", "hint_ms")
}
_FIELDS = {header: name for name, header in _HEADERS.items()}

# What clients send with every request and none of it means anything to us: no need to look at each of these.
_USUAL = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"openai-organization",
        b"openai-project",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
        b"user-agent",
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
        b"x-stainless-arch",
        b"x-stainless-async",
        b"x-stainless-helper-method",
        b"x-stainless-lang",
        b"x-stainless-os",
        b"x-stainless-package-version",
        b"x-stainless-raw-response",
        b"x-stainless-read-timeout",
        b"x-stainless-retry-count",
        b"x-stainless-runtime",
        b"x-stainless-runtime-version",
        b"x-stainless-timeout",
    }
).issuperset

# OpenAI's own word for how soon an answer is wanted, as ours.
SERVICE_TIERS: Mapping[str, Sla | None] = {
    "auto": None,
    "default": None,
    "scale": None,
    "standard": None,
    "priority": "interactive",
    "flex": "async",
}


def wishes_of(head: Mapping[bytes, bytes]) -> Wishes:
    """Return what the headers of one request wish for."""
    if not _USUAL(head):
        given = [pair for pair in head.items() if pair[0].startswith(_MARK)]
        if given:
            return _from_headers(tuple(given), head.get(_READ_TIMEOUT))
    timeout = head.get(_READ_TIMEOUT)
    return NO_WISHES if timeout is None else _from_headers((), timeout)


@lru_cache(maxsize=1024)
def _from_headers(pairs: tuple[tuple[bytes, bytes], ...], timeout: bytes | None) -> Wishes:
    given: dict[str, str] = {}
    for raw_name, raw in pairs:
        header = raw_name.decode("latin-1")
        field = _FIELDS.get(header)
        if field is None:
            raise BadRequest(f"unknown header; known are {', '.join(sorted(_FIELDS))}", param=header[:64])
        if not raw.isascii():
            raise BadRequest("a header is printable ASCII; other words go into the body's tiercel object", param=header)
        given[field] = raw.decode()
    try:
        wishes = msgspec.convert(given, Wishes, strict=False)
    except msgspec.ValidationError as error:
        wrong = wrong_field(error)
        wrong.param = _HEADERS.get(wrong.param or "", wrong.param)
        raise wrong from error
    for field in given:
        if getattr(wishes, field) is None:
            # msgspec reads the word "null" as nothing; a header that is sent means something.
            raise BadRequest("Expected a value, got `null`", param=_HEADERS[field])
    _check(wishes, _HEADERS)
    hint_ms = None if timeout is None or wishes.total_ms is not None else _hint(timeout)
    if hint_ms is not None:
        wishes = msgspec.structs.replace(wishes, hint_ms=hint_ms)
    return wishes


def _hint(raw: bytes) -> float | None:
    """Read how long the client's library will wait; a library's odd value is no reason to refuse its request."""
    try:
        seconds = float(raw)
    except ValueError:
        return None
    return min(seconds * 1000.0, _MAX_MS) if seconds > 0 else None


def read_wishes(raw: msgspec.Raw) -> Wishes:
    """Read the ``tiercel`` object of a body."""
    try:
        wishes = msgspec.json.decode(raw, type=Wishes)
    except msgspec.ValidationError as error:
        raise wrong_field(error, "tiercel") from error
    if wishes.hint_ms is not None:
        raise BadRequest("Object contains unknown field `hint_ms`", param="tiercel.hint_ms")
    _check(wishes, {name: f"tiercel.{name}" for name in Wishes.__struct_fields__})
    return wishes


def _check(wishes: Wishes, params: Mapping[str, str]) -> None:
    """Refuse numbers and words that no request can mean."""
    for name in ("first_ms", "total_ms"):
        ms = getattr(wishes, name)
        if ms is not None and not 0 < ms <= _MAX_MS:
            raise BadRequest(f"Expected milliseconds above 0 and at most {_MAX_MS:.0f}", param=params[name])
    if wishes.max_cost is not None and not 0 <= wishes.max_cost <= _MAX_COST:
        raise BadRequest(f"Expected US dollars, 0 to {_MAX_COST:.0f}", param=params["max_cost"])
    for name in ("persona", "npc_id", "session", "mood"):
        words = getattr(wishes, name)
        if len(words) > _MAX_WORDS or _CONTROL.search(words):
            raise BadRequest(f"Expected at most {_MAX_WORDS} printable characters", param=params[name])
    if len(wishes.legal) > _MAX_LEGAL or any(len(word) > _MAX_WORDS for word in wishes.legal):
        raise BadRequest(f"Expected at most {_MAX_LEGAL} names of {_MAX_WORDS} characters", param=params["legal"])


def merged(body: Wishes, head: Wishes) -> Wishes:
    """Join both: what the body says wins over a header, which a proxy or a library may have set for all requests."""
    if head is NO_WISHES:
        return body
    said = {name: value for name in Wishes.__struct_fields__ if (value := getattr(body, name)) not in (None, "", ())}
    if "total_ms" in said:
        said["hint_ms"] = None
    return msgspec.structs.replace(head, **said)
