"""Bytes in, complete requests out: the parser of one connection, and every rule that a message must meet."""

from __future__ import annotations

from collections import deque
from enum import IntEnum

import httptools

from tiercel.app.http import faults
from tiercel.app.http.job import Field, Job
from tiercel.app.http.memo import Memo
from tiercel.app.http.rules import Rules
from tiercel.terms.clock import Clock
from tiercel.terms.errors import Refused, TiercelError

__all__ = ["Phase", "Reader"]

# httptools is fed no more than this at once, so that no rule is checked after megabytes were parsed.
_SLICE = 16 * 1024
# What is left out when a request that asked for another protocol is read as the HTTP/1.1 that it also is.
_UPGRADE_FIELDS = frozenset({b"connection", b"upgrade", b"http2-settings"})
# How many heads of one connection are learnt.
_LESSONS = 4


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
        "_rules",
        "_target",
        "_twice",
        "_upgrade",
        "deaf",
        "expects",
        "jobs",
        "phase",
        "serial",
        "waiting_bytes",
    )

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self._rules = rules
        self._limits = rules.limits
        self._now_s = clock.now_s
        self.jobs: deque[Job] = deque()
        # Bodies of the jobs that wait.
        self.waiting_bytes = 0
        self.phase = _BETWEEN
        # Counts messages, so that a clock can tell one half message from the next.
        self.serial = 0
        self.expects = False
        self.deaf = False
        # The last host and target that were found good: a client repeats itself.
        self._host: bytes | None = None
        self._known: bytes | None = None
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
        if self._rest:
            self._rest += data
            self.go_on()
            return
        if self._memo is not None and self.phase is _BETWEEN:
            job = self._memo.match(data, self._now_s())
            if job is not None:
                self.jobs.append(job)
                self.waiting_bytes += len(job.body)
                return
        self._learn(data)

    def _learn(self, data: bytes) -> None:
        """Parse, and remember the head when this was one whole message that many like it may follow."""
        alone = self.phase is _BETWEEN and not self.jobs
        if len(data) <= _SLICE:
            self._feed(data)
        else:
            self._rest = data
            self.go_on()
        if alone and len(self.jobs) == 1 and self._lessons and self.phase is _BETWEEN and not self.deaf:
            job = self.jobs[0]
            if b"content-length" in job.head:
                # A client that changes its head all the time is not learnt again and again.
                self._lessons -= 1
                self._memo = Memo.of(data, job, self._limits.body_bytes)

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
            self.fail(faults.too_large("the chunks have more extensions or trailers than a head may have", 431))
        elif self._raw > 2 * len(self._body) + 2 * limits.head_bytes + _SLICE:
            # Each chunk costs us far more than its few bytes cost the sender.
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
        # Should this one fail early, it must not be answered as the one before it.
        self._head = {}
        self._method = b""

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
        if self._method == b"CONNECT":
            raise faults.malformed("this server is no proxy", 405)
        self._head = head = {name.lower(): value for name, value in fields}
        rules = self._rules
        # Only with one of these can the version be another than 1.1.
        odd = b"connection" in head or not parser.should_keep_alive()
        self._http10 = odd and rules.is_http10(parser.get_http_version())
        if self._raw > self._limits.head_bytes or len(fields) > self._limits.head_fields:
            rules.check_size(self._target, fields)
        self._twice = () if len(head) == len(fields) else rules.check_once(fields)
        host = head.get(b"host")
        if host is None or host != self._host:
            rules.check_host(host, http10=self._http10)
            self._host = host
        if self._target != self._known:
            self._target = rules.origin_form(self._target, self._method, host or b"")
            # The star is good for one method only.
            self._known = self._target if self._target != b"*" else None
        self._upgrade = parser.should_upgrade()
        self.expects = rules.check_manner(head, self._method, http10=self._http10)
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


def _complaint(error: httptools.HttpParserError) -> Refused:
    # llhttp's own sentence: it names the rule, and holds nothing of what was sent.
    reason = str(error)
    return faults.malformed(f"this is no HTTP/1.1 request: {reason}", 505 if reason == "Invalid HTTP version" else 400)
