"""Reads what a server says, as far as a person at a terminal wants to know it; forgiving towards newer servers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tiercel.app.cli.paint import clean, dim, money
from tiercel.engines.port import Tap
from tiercel.engines.sse import EventReader
from tiercel.terms.clock import Clock
from tiercel.terms.errors import TiercelError
from tiercel.terms.json import NOT_JSON

__all__ = [
    "Call",
    "Heard",
    "Listener",
    "Said",
    "ServerError",
    "Story",
    "Try",
    "Usage",
    "in_one_line",
    "read_error",
    "read_whole",
]

_DONE = b"[DONE]"


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One rung that was tried or skipped."""

    rung: str = ""
    outcome: str = ""
    ms: float = 0.0
    reason: str = ""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """How the answer was won: the ``tiercel`` object of a reply."""

    tier: str | None = None
    rung: str = ""
    kind: str | None = None
    degraded: bool = False
    ms: float = 0.0
    cost: float | None = None
    attempts: tuple[Try, ...] = ()
    dropped: tuple[str, ...] = ()
    request_id: str = ""
    usage_counted_by: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens, as the reply counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Function(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that a model wants called."""

    function: _Function = _Function()


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Words, in a message or in a piece of one."""

    content: str | None = None
    tool_calls: tuple[Call, ...] | None = None


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    message: Said = Said()
    delta: Said = Said()
    finish_reason: str | None = None


class _Fault(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""
    code: str | None = None


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    choices: tuple[_Choice, ...] = ()
    usage: Usage | None = None
    error: _Fault | None = None
    tiercel: Story | None = None


class Heard(msgspec.Struct, kw_only=True):
    """A reply: its words and its story, with the times at which they were here."""

    text: str = ""
    finish: str = ""
    tool_calls: tuple[Call, ...] = ()
    first_ms: float | None = None
    total_ms: float = 0.0
    usage: Usage | None = None
    story: Story = Story()


class ServerError(TiercelError):
    """The server answered with an error; its own words and code."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Listener:
    """Takes a stream event by event, shows its words at once and keeps the rest; a ``Feed`` for our HTTP clients."""

    def __init__(self, clock: Clock, on_text: Callable[[str], None]) -> None:
        self.heard = Heard()
        self._clock = clock
        self._on_text = on_text
        self._start_s = clock.now_s()
        self._events = EventReader(self.event)
        self.started = False

    def opened(self, tap: Tap) -> None:
        """Learn that a stream has begun; a terminal is never too slow to be waited for."""
        self.started = True

    def feed(self, data: bytes) -> None:
        """Take bytes of an event stream."""
        self._events.feed(data)

    def event(self, payload: bytes) -> None:
        """Take one event's data; raises ``ServerError`` for an error inside the stream."""
        if payload.strip() == _DONE:
            return
        body = _decoded(payload)
        if body.error is not None:
            raise ServerError(body.error.message, body.error.code or "stream", 0)
        heard = self.heard
        for choice in body.choices[:1]:
            if choice.delta.content:
                heard.first_ms = heard.first_ms if heard.first_ms is not None else self._ms()
                heard.text += choice.delta.content
                self._on_text(choice.delta.content)
            heard.finish = choice.finish_reason or heard.finish
        heard.usage = body.usage or heard.usage
        heard.story = body.tiercel or heard.story

    def done(self) -> Heard:
        """Return all of it."""
        self.heard.total_ms = self._ms()
        return self.heard

    def whole(self, body: bytes) -> Heard:
        """Return a reply that came in one piece."""
        self.heard = read_whole(body)
        if self.heard.text:
            self._on_text(self.heard.text)
        return self.done()

    def _ms(self) -> float:
        return round((self._clock.now_s() - self._start_s) * 1e3, 1)


def read_whole(payload: bytes) -> Heard:
    """Read a reply in one piece; raises ``ServerError`` when it is an error."""
    body = _decoded(payload)
    if body.error is not None:
        raise ServerError(body.error.message, body.error.code or "error", 0)
    if not body.choices:
        raise ServerError("the reply holds no answer", "malformed", 0)
    choice = body.choices[0]
    return Heard(
        text=choice.message.content or "",
        finish=choice.finish_reason or "",
        tool_calls=choice.message.tool_calls or (),
        usage=body.usage,
        story=body.tiercel or Story(),
    )


def read_error(payload: bytes, status: int) -> ServerError:
    """Read an error's envelope, or say that what answers is no Tiercel."""
    try:
        body = _decoded(payload)
    except ServerError:
        body = _Body()
    if body.error is None:
        return ServerError(f"what answers there (status {status}) does not speak like Tiercel", "malformed", status)
    return ServerError(body.error.message, body.error.code or "error", status)


def in_one_line(heard: Heard) -> str:
    """Say in one line which rung answered, when, at which cost, and after which attempts."""
    story = heard.story
    parts = [story.tier or "by name", story.rung or "?"]
    if story.degraded:
        parts.append("degraded")
    if heard.first_ms is not None:
        parts.append(f"first {heard.first_ms:.0f} ms")
    parts += [f"{heard.total_ms:.0f} ms", money(story.cost)]
    # What the answering rung itself took is said already; what came to nothing before it is not.
    before = [f"{one.rung} {one.outcome} {one.ms:.0f} ms" for one in story.attempts if one.outcome != "ok"]
    if before:
        parts.append(f"before it: {', '.join(before)}")
    return dim(clean(" · ".join(parts)))


def _decoded(payload: bytes) -> _Body:
    try:
        return msgspec.json.decode(payload, type=_Body)
    except NOT_JSON as error:
        raise ServerError("what answers there does not speak like Tiercel", "malformed", 0) from error
