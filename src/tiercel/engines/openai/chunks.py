"""Reading a stream: each event checked, small repairs made, and the end judged - finished, or cut off."""

from __future__ import annotations

import msgspec

from tiercel.engines.port import Sink, Tap
from tiercel.engines.sse import EventReader
from tiercel.terms.errors import EngineFailed
from tiercel.terms.json import NOT_JSON
from tiercel.terms.reply import Answer, Chunk, Usage

__all__ = ["ChunkReader"]

_chunk = msgspec.json.Decoder(Chunk).decode


class ChunkReader:
    """A ``Feed`` that turns an engine's event stream into chunks for a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._events = EventReader(self._event)
        # The reader is its own fast path: no method of ours stands between the connection and the event reader.
        self.feed = self._events.feed
        self._finish = ""
        self._usage: Usage | None = None
        self._done = False
        self.started = False

    def opened(self, tap: Tap) -> None:
        """Hand the tap on."""
        self.started = True
        self._sink.opened(tap)

    def answer(self) -> Answer:
        """Judge the end. A stream without a finish reason was cut, however politely the connection ended."""
        self._events.finish()
        if not self._finish:
            raise EngineFailed("truncated", "the stream stopped without a finish reason")
        return Answer(usage=self._usage, finish=self._finish)

    def _event(self, payload: bytes) -> None:
        if self._done:
            raise EngineFailed("malformed", "the stream goes on after its end")
        if payload == b"[DONE]":
            self._done = True
            return
        try:
            chunk = _chunk(payload)
        except NOT_JSON:
            raise EngineFailed("malformed", "an event of the stream is no chunk") from None
        if chunk.error is not None:
            raise EngineFailed("server_error", "an error inside the stream")
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices:
            reason = choice.finish_reason
            if reason:
                self._finish = reason
            elif reason is not None:
                # An empty finish reason ends the stream in some clients.
                payload = _without_empty_finish(payload)
        self._sink.chunk(payload, chunk)


def _without_empty_finish(payload: bytes) -> bytes:
    whole = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    choices = msgspec.json.decode(whole["choices"], type=list[dict[str, msgspec.Raw]])
    for choice in choices:
        if bytes(choice.get("finish_reason", b"")) == b'""':
            choice["finish_reason"] = msgspec.Raw(b"null")
    whole["choices"] = msgspec.Raw(msgspec.json.encode(choices))
    return msgspec.json.encode(whole)
