"""Anthropic's event stream as OpenAI's chunks, and the judgement whether it came to its end."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tiercel.engines.anthropic.chunks import ChunkWriter
from tiercel.engines.anthropic.faults import Fault, fault_in
from tiercel.engines.anthropic.request import Translation
from tiercel.engines.anthropic.words import NOT_JSON, Details, Tokens, compact, finish_of, refusal_of, usage_of
from tiercel.engines.port import Sink, Tap
from tiercel.engines.sse import EventReader
from tiercel.terms.errors import EngineFailed
from tiercel.terms.reply import Answer

__all__ = ["MessageReader"]


class _Message(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: Tokens | None = None


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_details: Details | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: Tokens | None = None
    error: Fault | None = None


class _Open:
    """A tool's block that has begun and not ended."""

    __slots__ = ("index", "initial", "partial")

    def __init__(self, index: int, initial: bytes) -> None:
        # Which of the reply's calls it is; the answer's own tool is none of them.
        self.index = index
        self.initial = initial
        self.partial = False


_event = msgspec.json.Decoder(_Event).decode
_ANSWER = -1


class MessageReader:
    """A ``Feed`` that turns one message's events into chunks for a sink."""

    def __init__(self, sink: Sink, translation: Translation, created: int, *, resumed: bool = False) -> None:
        self._sink = sink
        self._answer_tool = translation.answer_tool
        self._trim = translation.trimmed
        self._resumed = resumed
        self._created = created
        self._events = EventReader(self._take)
        self.feed = self._events.feed
        self._writer: ChunkWriter | None = None
        self._tokens = Tokens()
        self._reason = ""
        self._details: Details | None = None
        self._calls = 0
        self._tools: dict[int, _Open] = {}
        self._answer: Answer | None = None
        self.started = False
        self._verbs: dict[str, Callable[[_Event], None]] = {
            "message_start": self._begin,
            "content_block_start": self._open,
            "content_block_delta": self._go_on,
            "content_block_stop": self._close,
            "message_delta": self._note,
            "message_stop": self._stop,
            "error": self._fail,
        }

    def opened(self, tap: Tap) -> None:
        """Hand the tap on."""
        self.started = True
        self._sink.opened(tap)

    def answer(self) -> Answer:
        """Judge the end. Only ``message_stop`` ends a message; a stream without it was cut, however politely."""
        self._events.finish()
        if self._answer is None:
            raise EngineFailed("truncated", "the stream stopped before the end of the message")
        return self._answer

    def _take(self, payload: bytes) -> None:
        if self._answer is not None:
            raise EngineFailed("malformed", "the stream goes on after its end")
        try:
            event = _event(payload)
        except NOT_JSON:
            raise EngineFailed("malformed", "an event of the stream is none of a message") from None
        verb = self._verbs.get(event.type)
        # Pings, and kinds of events that are yet to be invented, say nothing to us.
        if verb is not None:
            verb(event)

    def _begin(self, event: _Event) -> None:
        if event.message is None or self._writer is not None:
            raise EngineFailed("malformed", "a message begins twice, or without itself")
        message = event.message
        self._writer = ChunkWriter(self._sink, message.id, message.model, self._created)
        if message.usage is not None:
            self._tokens.update(message.usage)
        if not self._resumed:
            self._writer.role()

    def _open(self, event: _Event) -> None:
        block, writer = event.content_block, self._begun()
        if block is None:
            raise EngineFailed("malformed", "a block begins without itself")
        if block.type == "tool_use":
            self._open_tool(event.index, block, writer)
        elif block.type == "text":
            self._say(block.text)
        elif block.type == "thinking" and block.thinking:
            writer.think(block.thinking)

    def _open_tool(self, index: int, block: _Block, writer: ChunkWriter) -> None:
        if not block.id or not block.name:
            raise EngineFailed("malformed", "a tool call has no id or no name")
        if block.name == self._answer_tool:
            self._tools[index] = _Open(_ANSWER, bytes(block.input))
            return
        self._tools[index] = _Open(self._calls, bytes(block.input))
        writer.call(self._calls, block.id, block.name)
        self._calls += 1

    def _go_on(self, event: _Event) -> None:
        delta = event.delta
        if delta is None:
            raise EngineFailed("malformed", "a block goes on without a word")
        if delta.type == "text_delta":
            self._say(delta.text)
        elif delta.type == "input_json_delta":
            self._argue(event.index, delta.partial_json)
        elif delta.type == "thinking_delta" and delta.thinking:
            self._begun().think(delta.thinking)

    def _say(self, text: str) -> None:
        writer = self._begun()
        if self._answer_tool:
            # The answer is what the tool is given; words beside it would spoil it.
            return
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        if text:
            writer.say(text)

    def _argue(self, index: int, partial: str) -> None:
        tool = self._tools.get(index)
        if tool is None:
            raise EngineFailed("malformed", "arguments for a tool that was not called")
        if partial:
            tool.partial = True
            self._put(tool, partial)

    def _close(self, event: _Event) -> None:
        tool = self._tools.pop(event.index, None)
        if tool is None or tool.partial:
            return
        # A tool without parameters is often called without a fragment: its arguments stood in the block's beginning.
        try:
            self._put(tool, compact(tool.initial).decode())
        except UnicodeDecodeError:
            raise EngineFailed("malformed", "the arguments of a tool call are no text") from None

    def _put(self, tool: _Open, text: str) -> None:
        if tool.index == _ANSWER:
            self._begun().say(text)
        else:
            self._begun().argue(tool.index, text)

    def _note(self, event: _Event) -> None:
        self._begun()
        if event.usage is not None:
            self._tokens.update(event.usage)
        if event.delta is not None and event.delta.stop_reason:
            self._reason = event.delta.stop_reason
            self._details = event.delta.stop_details

    def _stop(self, event: _Event) -> None:
        writer = self._begun()
        if not self._reason:
            raise EngineFailed("truncated", "the message stopped without a reason")
        refusal = refusal_of(self._reason, self._details)
        if refusal is not None:
            writer.refuse(refusal)
        finish, usage = finish_of(self._reason, calls=self._calls > 0), usage_of(self._tokens)
        self._answer = Answer(usage=usage, finish=finish)
        writer.finish(finish)
        writer.spent(usage)

    def _fail(self, event: _Event) -> None:
        raise fault_in(event.error)

    def _begun(self) -> ChunkWriter:
        if self._writer is None:
            raise EngineFailed("malformed", "the stream does not begin with a message")
        return self._writer
