"""Writes ``chat.completion.chunk``s: the JSON for the caller and the same decoded for ourselves, in one go."""

from __future__ import annotations

import msgspec

from tiercel.engines.port import Sink
from tiercel.terms.reply import Choice, Chunk, Delta, Usage

__all__ = ["ChunkWriter"]

_encode = msgspec.json.Encoder().encode


class ChunkWriter:
    """All chunks of one reply; what never changes in them is encoded once."""

    def __init__(self, sink: Sink, reply_id: str, model: str, created: int) -> None:
        self._sink = sink
        self._id = reply_id
        head = {"id": reply_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = _encode(head)[:-1] + b',"choices":['
        self._open = self._head + b'{"index":0,"delta":'
        self._close = b',"logprobs":null,"finish_reason":null}]}'

    def role(self) -> None:
        """Announce who speaks; says nothing yet."""
        self._put(b'{"role":"assistant","content":""}', Delta(content=""))

    def say(self, text: str) -> None:
        """Add words to the content."""
        self._put(b'{"content":%b}' % _encode(text), Delta(content=text))

    def think(self, text: str) -> None:
        """Add words to the thoughts before the content."""
        self._put(b'{"reasoning_content":%b}' % _encode(text), Delta(reasoning_content=text))

    def refuse(self, text: str) -> None:
        """Say that there will be no answer."""
        self._put(b'{"refusal":%b}' % _encode(text), Delta(refusal=text))

    def call(self, index: int, call_id: str, name: str) -> None:
        """Begin a tool call: only this first fragment of it has the id and the name."""
        self._tool(
            b'{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":""}}'
            % (index, _encode(call_id), _encode(name))
        )

    def argue(self, index: int, text: str) -> None:
        """Add to the arguments of a call."""
        self._tool(b'{"index":%d,"function":{"arguments":%b}}' % (index, _encode(text)))

    def finish(self, reason: str) -> None:
        """Say why it ended."""
        payload = b'%b{},"logprobs":null,"finish_reason":%b}]}' % (self._open, _encode(reason))
        self._sink.chunk(payload, Chunk(self._id, (Choice(0, Delta(), reason),)))

    def spent(self, usage: Usage) -> None:
        """Say what it cost."""
        self._sink.chunk(b'%b],"usage":%b}' % (self._head, _encode(usage)), Chunk(self._id, (), usage))

    def _tool(self, call: bytes) -> None:
        self._put(b'{"tool_calls":[%b]}' % call, Delta(tool_calls=(msgspec.Raw(call),)))

    def _put(self, delta: bytes, decoded: Delta) -> None:
        self._sink.chunk(b"%b%b%b" % (self._open, delta, self._close), Chunk(self._id, (Choice(0, decoded),)))
