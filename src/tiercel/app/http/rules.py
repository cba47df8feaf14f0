"""What a head must be like before its body is read: one host, a plain target, nothing that can be read in two ways."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tiercel.app.http import faults
from tiercel.app.http.job import Field
from tiercel.app.http.limits import Limits
from tiercel.app.http.visitors import Visitors, absolute_form

__all__ = ["Rules"]

# Where a second field of the same name would let two readers of one request see two requests.
_ONCE = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"origin",
        b"transfer-encoding",
        b"x-request-id",
        b"x-stainless-read-timeout",
    }
)
_OURS = b"x-tiercel-"
_EXPECTED = b"100-continue"
# A path and maybe a query of printable ASCII, without what no URL may hold and servers read in two ways.
_ORIGIN_FORM = re.compile(rb"/[!$-;=?-\[\]-~]*")
# What the lines of a head have beside their words: a colon, a space and a line end; and the request line its version.
_LINE_BYTES = 4
_REQUEST_LINE_BYTES = 16


class Rules:
    """The rules of one house; every check raises ``Refused`` with the status that the fault has in HTTP."""

    def __init__(self, limits: Limits, visitors: Visitors) -> None:
        self.limits = limits
        self._visitors = visitors
        # A length with fewer digits needs no look.
        self._digits = len(str(limits.body_bytes))

    def is_http10(self, version: str) -> bool:
        """Tell HTTP/1.0 from HTTP/1.1, and refuse the others."""
        if version not in ("1.1", "1.0"):
            raise faults.malformed("this server speaks HTTP/1.1 and HTTP/1.0", 505)
        return version == "1.0"

    def check_size(self, target: bytes, fields: Sequence[Field]) -> None:
        """Measure a head exactly."""
        limits = self.limits
        if len(fields) > limits.head_fields:
            raise faults.too_large(f"the head has more than {limits.head_fields} fields", 431)
        size = _REQUEST_LINE_BYTES + len(target) + sum(len(name) + len(value) + _LINE_BYTES for name, value in fields)
        if size > limits.head_bytes:
            raise faults.too_large(f"the head is over {limits.head_bytes} bytes", 431)

    def check_once(self, fields: Sequence[Field]) -> tuple[Field, ...]:
        """Refuse a second field of a name that must come once; return all fields, for who wants the others."""
        seen: set[bytes] = set()
        lowered = [(name.lower(), value) for name, value in fields]
        for name, _ in lowered:
            if name in seen and (name in _ONCE or name.startswith(_OURS)):
                raise faults.malformed(f"the field {name.decode('latin-1')!r} is given twice")
            seen.add(name)
        return tuple(lowered)

    def check_host(self, host: bytes | None, *, http10: bool) -> None:
        """Refuse any but one valid host that is ours; only HTTP/1.0 knows requests without."""
        if host is not None:
            self._visitors.check_host(host)
        elif not http10:
            raise faults.malformed("the Host header is missing")

    def origin_form(self, target: bytes, method: bytes, host: bytes) -> bytes:
        """Return the target as a path, or the ``*`` of OPTIONS."""
        if _ORIGIN_FORM.fullmatch(target) or (target == b"*" and method == b"OPTIONS"):
            return target
        absolute = absolute_form(target)
        # Which of two names is meant would be a guess, so they must agree.
        if absolute is None or absolute[0].lower() != host.lower() or not _ORIGIN_FORM.fullmatch(absolute[1]):
            raise faults.malformed("the request target is not a path of printable ASCII")
        return absolute[1]

    def check_manner(self, head: dict[bytes, bytes], method: bytes, *, http10: bool) -> bool:
        """Judge the fields that change how a message is read; return whether the client waits for a word of ours."""
        if b"transfer-encoding" in head and (http10 or head[b"transfer-encoding"].lower() != b"chunked"):
            raise faults.malformed("the transfer-encoding is not understood", 400 if http10 else 501)
        if len(head.get(b"content-length", b"")) >= self._digits:
            self._check_length(head[b"content-length"])
        if b"content-encoding" in head and head[b"content-encoding"].lower() != b"identity":
            raise faults.encoded(head[b"content-encoding"].decode("latin-1"))
        if b"origin" in head:
            self._visitors.check_origin(method, head[b"origin"], head.get(b"host", b""))
        if b"expect" not in head or http10:
            return False
        if head[b"expect"].lower() != _EXPECTED:
            raise faults.unexpected(head[b"expect"].decode("latin-1"))
        return True

    def _check_length(self, length: bytes) -> None:
        if int(length) > self.limits.body_bytes:
            raise faults.too_large(f"the body is over {self.limits.body_bytes} bytes", 413)
