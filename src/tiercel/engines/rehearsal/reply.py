"""The two forms a reply has before HTTP: one JSON body, or the events of a stream, by what they mean."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tiercel.engines.rehearsal.heard import Asked
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.refusals import Refusal
from tiercel.engines.rehearsal.said import Said


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """One body with its status."""

    status: int = 200
    kind: str = "application/json"
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    spoken: bool = False
    """Whether it holds words, which take their time one after another."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream's events, each complete with its blank line, sorted by what a fault may do to them."""

    opening: tuple[bytes, ...]
    """Role chunk, ``message_start``: what says nothing yet."""
    content: tuple[bytes, ...]
    """The words, or the fragments of a call."""
    closing: tuple[bytes, ...]
    """Why it ended, and what it cost."""
    done: bytes
    """The mark after which nothing comes."""
    error: bytes
    """What the dialect says when it fails in the middle."""
    void: bytes
    """An event that says nothing and may be repeated for ever."""
    broken: bytes
    """An event whose data is not JSON."""
    huge: tuple[bytes, bytes]
    """The beginning and the end of an event with room for megabytes of one word between."""

    def whole(self) -> bytes:
        """Join the stream to one piece."""
        return b"".join((*self.opening, *self.content, *self.closing, self.done))


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How one vendor's protocol writes replies; each verb is pure."""

    name: str
    identity: str
    """The header that carries a request's id."""
    reply: Callable[[Asked, Part, Said], bytes]
    stream: Callable[[Asked, Part, Said], Stream]
    refuse: Callable[[Refusal], bytes]
