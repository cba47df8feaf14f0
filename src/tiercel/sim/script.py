"""What an understudy says, in the shapes in which an engine's client hands it on: chunks, or a whole body."""

from __future__ import annotations

from typing import Final

import msgspec

from tiercel.engines.port import Sink
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.sim.weather import NUMBER
from tiercel.terms.ask import Ask
from tiercel.terms.reply import Answer, Choice, Chunk, Delta, Usage

__all__ = ["TOOL", "Script"]

TOOL: Final = "open_gate"
_HEAD: Final = '{"id":"chatcmpl-understudy","object":"chat.completion%s","created":1767225600,"model":"understudy",'
_NO_WORDS: Final = frozenset({Mode.NO_CHOICES, Mode.EMPTY_CHOICES, Mode.BLANK})
_PROSE: Final = "Sure! Here it is:\n```json\n%s\n```"

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Chunk).decode


class Script:
    """One answer: its words with the request's number in each, or the call that was demanded."""

    __slots__ = ("_ask", "_mode", "_pieces", "_text", "_usage")

    def __init__(self, ask: Ask, part: Part) -> None:
        self._ask = ask
        self._mode = part.mode
        self._pieces = part.chunks
        self._text = self._spoiled(part.text).replace(NUMBER, ask.id) if ask.kind == "chat" else ""
        self._usage = Usage(part.prompt_tokens, part.chunks, part.prompt_tokens + part.chunks)

    def answer(self) -> Answer:
        """Return the answer as the client would: after a stream, only how it ended and what it cost."""
        if self._ask.stream:
            return Answer(usage=self._usage, finish=self._finish())
        return Answer(body=self._body(), usage=self._usage, finish=self._finish(), blank=self._blank())

    def open(self, sink: Sink) -> None:
        """Announce a stream."""
        sink.chunk(*self._chunk('{"role":"assistant","content":""}', Delta(content="")))

    def say(self, sink: Sink, piece: int, *, empty: bool) -> None:
        """Say one piece of it, in every choice."""
        if self._calls():
            sink.chunk(*self._called(piece))
            return
        text = "" if empty else self._piece(piece)
        for index in range(self._ask.n):
            sink.chunk(*self._chunk(f'{{"content":{_encode(text).decode()}}}', Delta(content=text), index))

    def close(self, sink: Sink) -> None:
        """End a stream well."""
        for index in range(self._ask.n):
            sink.chunk(*self._chunk("{}", Delta(), index, self._finish()))

    def _calls(self) -> bool:
        return self._ask.shape == "tool" and self._mode is not Mode.NO_TOOL

    def _finish(self) -> str:
        return "tool_calls" if self._calls() else "stop"

    def _blank(self) -> bool:
        return self._mode in _NO_WORDS and not self._calls()

    def _spoiled(self, text: str) -> str:
        if self._blank():
            return ""
        if self._ask.shape in {"json", "schema"}:
            if self._mode is Mode.WRONG_SHAPE:
                return '["wrong"]'
            return _PROSE % text if self._mode is Mode.FENCED else text
        return text

    def _piece(self, piece: int) -> str:
        edges = [len(self._text) * at // self._pieces for at in (piece, piece + 1)]
        return self._text[edges[0] : edges[1]]

    def _arguments(self) -> tuple[str, str]:
        name = "tool_nobody_offered" if self._mode is Mode.WRONG_TOOL else TOOL
        return name, '{"gat' if self._mode is Mode.CUT_ARGUMENTS else '{"gate":"east"}'

    def _called(self, piece: int) -> tuple[bytes, Chunk]:
        """Name the call in the first piece and give its arguments with it; the others add nothing."""
        name, arguments = self._arguments()
        function = {"name": name, "arguments": arguments} if piece == 0 else {"arguments": ""}
        told = {"index": 0, "id": "call_1", "type": "function", "function": function}
        payload, _ = self._chunk(f'{{"tool_calls":{_encode([told]).decode()}}}', Delta())
        return payload, _decode(payload)

    def _chunk(self, delta: str, seen: Delta, index: int = 0, finish: str | None = None) -> tuple[bytes, Chunk]:
        reason = "null" if finish is None else f'"{finish}"'
        text = f'{_HEAD % ".chunk"}"choices":[{{"index":{index},"delta":{delta},"finish_reason":{reason}}}]}}'
        choice = Choice(index=index, delta=seen, finish_reason=finish)
        return text.encode(), Chunk(id="chatcmpl-understudy", choices=(choice,))

    def _body(self) -> bytes:
        usage = _encode(self._usage).decode()
        if self._ask.kind == "embed":
            return f'{{"object":"list","data":[{{"index":0,"embedding":[0.5,0.25]}}],"usage":{usage}}}'.encode()
        message: dict[str, object] = {"role": "assistant", "content": self._text}
        if self._calls():
            name, arguments = self._arguments()
            call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
        said, finish = _encode(message).decode(), self._finish()
        choices = ",".join(
            f'{{"index":{index},"message":{said},"finish_reason":"{finish}"}}' for index in range(self._ask.n)
        )
        return f'{_HEAD % ""}"choices":[{choices}],"usage":{usage}}}'.encode()
