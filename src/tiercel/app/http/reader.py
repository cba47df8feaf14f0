"""Bytes in, complete requests out: the parser of one connection, and every rule that a message must meet."""

from __future__ import annotations

import re
from collections import deque
from enum import IntEnum

import httptools

from tiercel.app.http import faults
from tiercel.app.http.job import Field, Job
from tiercel.app.http.limits import Limits
from tiercel.app.http.memo import Memo
from tiercel.app.http.visitors import Visitors, absolute_form
from tiercel.terms.clock import Clock
from tiercel.terms.errors import Refused, TiercelError

__all__ = ["Phase", "Reader"]

# httptools is fed no more than this at once, so that no rule is checked after megabytes were parsed.
_SLICE = 16 * 1024
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
# What is left out when a request that asked for another protocol is read as the HTTP/1.1 that it also is.
_UPGRADE_FIELDS = frozenset({b"connection", b"upgrade", b"http2-settings"})
_LESSONS = 4
_EXPECTED = b"100-continue"
# A path and maybe a query of printable ASCII, without what no URL may hold and servers read in two ways.
_ORIGIN_FORM = re.compile(rb"/[!$-;=?-\[\]-~]*")


class Phase(IntEnum):
    """Where the parser stands between two feeds."""

    BETWEEN = 0
    HEAD = 1
    BODY = 2


# Reading a member off its class costs more than the comparison that wants it.
_BETWEEN, _HEAD, _BODY = Phase


class Reader:
    """Feeds one connection's bytes to llhttp, with all of its leniencies off, and collects jobs in order.

    After the first refusal, and after a message that ends the connection, it is deaf: what follows is not read as HTTP.
    """

    __slots__ = (
        "_body",
        "_digits",
        "_fields",
        "_given",
        "_head",
        "_host",
        "_http10",
        "_known",
        "_lessons",
        "_limits",
        "_memo",
        "_method",
        "_now_s",
        "_parser",
        "_piece",
        "_quiet",
        "_raw",
        "_rest",
        "_target",
        "_twice",
        "_upgrade",
        "_visitors",
        "deaf",
        "expects",
        "jobs",
        "phase",
        "serial",
        "waiting_bytes",
    )

    def __init__(self, limits: Limits, visitors: Visitors, clock: Clock) -> None:
        self._limits = limits
        self._visitors = visitors
        self._now_s = clock.now_s
        self._digits = len(str(limits.body_bytes))
        self.jobs: deque[Job] = deque()
        # Bodies of the jobs that wait.
        self.waiting_bytes = 0
        self.phase = _BETWEEN
        # Counts messages, so that a clock can tell one half message from the next.
        self.serial = 0
        self.expects = False
        self.deaf = False
        # The last host and target that were found good: a client repeats itself.
        self._host = b""
        self._known = b""
        self._rest = b""
        self._method = b""
        self._head: dict[bytes, bytes] = {}
        # The fields of the head; those that come later are of the trailer, and nobody reads them.
        self._given: list[Field] = []
        self._http10 = False
        self._upgrade = False
        # The size of what is being parsed, of this message so far (it may count a neighbour's bytes, never too few),
        # and of what came since its body last grew.
        self._piece = 0
        self._raw = 0
        self._quiet = 0
        self._twice: tuple[Field, ...] = ()
        self._memo: Memo | None = None
        self._lessons = _LESSONS
        self._fields: list[Field] = []
        self._target = b""
        self._body: bytes | bytearray = b""
        self._parser = httptools.HttpRequestParser(self)

    @property
    def full(self) -> bool:
        """Whether as many requests wait as this connection may have."""
        return len(self.jobs) >= self._limits.queued or self.waiting_bytes > self._limits.body_bytes

    @property
    def partial_bytes(self) -> int:
        """What is held of a body that is still on its way."""
        return len(self._body)

    @property
    def unread(self) -> bool:
        """Whether bytes were received that have not been parsed, because the queue was full."""
        return bool(self._rest)

    def feed(self, data: bytes) -> None:
        """Take what the socket gave."""
        if self.deaf:
            return
        if len(data) > _SLICE or self._rest:
            self._rest += data
            self.go_on()
        elif self._memo is None:
            self._learn(data)
        else:
            job = self._memo.match(data, self._now_s()) if self.phase is _BETWEEN else None
            if job is None:
                self._learn(data)
            else:
                self.jobs.append(job)
                self.waiting_bytes += len(job.body)

    def _learn(self, data: bytes) -> None:
        """Parse, and remember the head when this was one whole message that many like it may follow."""
        alone = self.phase is _BETWEEN and not self.jobs
        self._feed(data)
        if alone and self._lessons and len(self.jobs) == 1 and self.phase is _BETWEEN and not self.deaf:
            # A client that changes its head all the time is not learnt again and again.
            self._lessons -= 1
            self._memo = Memo.of(data, self.jobs[0])

    def go_on(self) -> None:
        """Parse what was received before, as far as the queue allows."""
        view = memoryview(self._rest)
        at = 0
        while at < len(view) and not self.full and not self.deaf:
            self._feed(view[at : at + _SLICE])
            at += _SLICE
        self._rest = b"" if self.deaf else bytes(view[at:])

    def take(self) -> Job:
        """Return the next job."""
        job = self.jobs.popleft()
        self.waiting_bytes -= len(job.body)
        return job

    def end(self) -> None:
        """Let go of the parser, which holds this reader as this reader holds it."""
        self.deaf = True
        del self._parser

    def fail(self, refused: TiercelError) -> None:
        """End the conversation with this answer."""
        if not self.deaf:
            self.deaf = True
            self.phase = _BETWEEN
            self._body = b""
            self.jobs.append(
                Job(
                    method=self._method,
                    target=self._target,
                    # Also a request that is refused may have brought an id.
                    head=self._head,
                    body=b"",
                    received_s=self._now_s(),
                    http10=self._http10,
                    keep=False,
                    refused=refused,
                )
            )

    def _feed(self, data: bytes | memoryview) -> None:
        self._piece = size = len(data)
        self._raw += size
        self._quiet += size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_on(data, upgrade.args[0])
        except httptools.HttpParserCallbackError as error:
            refused = error.__context__
            if not isinstance(refused, TiercelError):
                raise
            self.fail(refused)
        except httptools.HttpParserError as error:
            self.fail(_complaint(error))
        # A message that came whole has nothing left to bound.
        if self.phase is not _BETWEEN:
            self._bound()

    def _bound(self) -> None:
        limits = self._limits
        if self.phase is _HEAD:
            # The head may have begun anywhere in its first piece.
            if self._raw > limits.head_bytes + _SLICE:
                self.fail(faults.too_large(f"the head is over {limits.head_bytes} bytes", 431))
            elif len(self._fields) > limits.head_fields:
                self.fail(faults.too_large(f"the head has more than {limits.head_fields} fields", 431))
        elif self._quiet > limits.head_bytes + _SLICE or len(self._fields) > limits.head_fields:
            # Chunk extensions and trailers: bytes that carry no body.
            self.fail(faults.too_large("the chunks carry more framing than body", 431))
        elif self._raw > 2 * limits.body_bytes + limits.head_bytes + _SLICE:
            self.fail(faults.too_large("the chunks carry more framing than body", 413))

    def _read_on(self, data: bytes | memoryview, offset: int) -> None:
        """Read a request for another protocol as plain HTTP/1.1, since nobody has to switch; its body may follow."""
        if self.deaf:
            return
        lines = [b"%b %b HTTP/1.%d\r\n" % (self._method, self._target, not self._http10)]
        lines += [b"%b: %b\r\n" % field for field in self._given if field[0].lower() not in _UPGRADE_FIELDS]
        # No more than this one: what such a client sends next may be another protocol's.
        lines.append(b"connection: close\r\n\r\n")
        self._upgrade = False
        self._fields = []
        self._target = self._body = b""
        self._parser = httptools.HttpRequestParser(self)
        self._feed(b"".join(lines))
        if not self.deaf:
            self._feed(bytes(data[offset:]))

    # What llhttp calls, in the order of a message.

    def on_message_begin(self) -> None:
        """Note a first byte that is not of an empty line."""
        self.phase = _HEAD
        self.serial += 1
        self._raw = self._piece

    def on_url(self, url: bytes) -> None:
        """Take the target, maybe in pieces."""
        self._target = self._target + url if self._target else url
        if len(self._target) > self._limits.target_bytes:
            raise faults.too_large(f"the target is over {self._limits.target_bytes} bytes", 414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head, or drop one of the trailer."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Judge all that can be judged before the body is there."""
        parser = self._parser
        self._given = fields = self._fields
        self._fields = []
        self._method = parser.get_method()
        self._head = head = {name.lower(): value for name, value in fields}
        if b"connection" in head or not parser.should_keep_alive():
            # Only here can the version be another than 1.1.
            self._check_version(parser.get_http_version())
        else:
            self._http10 = False
        if self._raw > self._limits.head_bytes or len(fields) > self._limits.head_fields:
            self._check_size()
        self._twice = () if len(head) == len(fields) else self._check_once()
        host = head.get(b"host")
        if host is None or host != self._host:
            self._check_host(host)
        if self._target != self._known:
            self._check_target(host or b"")
        self._upgrade = parser.should_upgrade()
        if self._upgrade and self._method == b"CONNECT":
            raise faults.malformed("this server is no proxy", 405)
        self._check_manner(head)
        self.phase = _BODY
        self._quiet = 0

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._quiet = 0
        body = self._body
        if not body:
            self._body = data
        elif isinstance(body, bytearray):
            body += data
        else:
            self._body = bytearray(body)
            self._body += data
        if len(self._body) > self._limits.body_bytes:
            raise faults.too_large(f"the body is over {self._limits.body_bytes} bytes", 413)

    def on_message_complete(self) -> None:
        """Make a job of a whole message, unless it asked for another protocol."""
        if self._upgrade:
            return
        keep = self._parser.should_keep_alive()
        body = bytes(self._body)
        self._fields = []
        self.jobs.append(
            Job(
                method=self._method,
                target=self._target,
                head=self._head,
                body=body,
                received_s=self._now_s(),
                http10=self._http10,
                keep=keep,
                fields=self._twice,
            )
        )
        self.waiting_bytes += len(body)
        self.phase = _BETWEEN
        self.expects = False
        self.deaf = not keep
        self._target = self._body = b""

    def _check_version(self, version: str) -> None:
        if version not in ("1.1", "1.0"):
            raise faults.malformed("this server speaks HTTP/1.1 and HTTP/1.0", 505)
        self._http10 = version == "1.0"

    def _check_size(self) -> None:
        limits = self._limits
        if len(self._given) > limits.head_fields:
            raise faults.too_large(f"the head has more than {limits.head_fields} fields", 431)
        # Each line has a colon, a space and a line end beside its two words.
        size = len(self._target) + 16 + sum(len(name) + len(value) + 4 for name, value in self._given)
        if size > limits.head_bytes:
            raise faults.too_large(f"the head is over {limits.head_bytes} bytes", 431)

    def _check_once(self) -> tuple[Field, ...]:
        """Refuse a second field of a name that must come once; return all of them for who wants the others."""
        seen: set[bytes] = set()
        for given, _ in self._given:
            name = given.lower()
            if name in seen and (name in _ONCE or name.startswith(_OURS)):
                raise faults.malformed(f"the field {name.decode('latin-1')!r} is given twice")
            seen.add(name)
        return tuple([(name.lower(), value) for name, value in self._given])

    def _check_host(self, host: bytes | None) -> None:
        if host is None:
            if not self._http10:
                raise faults.malformed("the Host header is missing")
            return
        self._visitors.check_host(host)
        self._host = host

    def _check_target(self, host: bytes) -> None:
        target = self._target
        if _ORIGIN_FORM.fullmatch(target):
            self._known = target
            return
        if target == b"*" and self._method == b"OPTIONS":
            return
        absolute = absolute_form(target)
        # Which of two names is meant would be a guess, so they must agree.
        if absolute is None or absolute[0].lower() != host.lower() or not _ORIGIN_FORM.fullmatch(absolute[1]):
            raise faults.malformed("the request target is not a path of printable ASCII")
        self._target = absolute[1]

    def _check_manner(self, head: dict[bytes, bytes]) -> None:
        """Judge the few fields that change how the message is read; most requests have none of them."""
        if b"transfer-encoding" in head and (self._http10 or head[b"transfer-encoding"].lower() != b"chunked"):
            raise faults.malformed("the transfer-encoding is not understood", 400 if self._http10 else 501)
        if len(head.get(b"content-length", b"")) >= self._digits:
            self._check_length(head[b"content-length"])
        if b"content-encoding" in head and head[b"content-encoding"].lower() != b"identity":
            raise faults.encoded(head[b"content-encoding"].decode("latin-1"))
        if b"origin" in head:
            self._visitors.check_origin(self._method, head[b"origin"], head.get(b"host", b""))
        if b"expect" in head and not self._http10:
            if head[b"expect"].lower() != _EXPECTED:
                raise faults.unexpected(head[b"expect"].decode("latin-1"))
            self.expects = True

    def _check_length(self, length: bytes) -> None:
        if int(length) > self._limits.body_bytes:
            raise faults.too_large(f"the body is over {self._limits.body_bytes} bytes", 413)


def _complaint(error: httptools.HttpParserError) -> Refused:
    # llhttp's own sentence: it names the rule, and holds nothing of what was sent.
    reason = str(error)
    return faults.malformed(f"this is no HTTP/1.1 request: {reason}", 505 if reason == "Invalid HTTP version" else 400)
