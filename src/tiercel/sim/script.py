"""What an understudy says, in the shapes in which an engine's client hands it on: chunks, or a whole body."""

from __future__ import annotations

import functools
from typing import Final

import msgspec

from tiercel.engines.port import Sink
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.sim.weather import NUMBER
from tiercel.terms.ask import Ask, Shape
from tiercel.terms.reply import Answer, Choice, Chunk, Delta, Usage

__all__ = ["TOOL", "Script"]

TOOL: Final = "open_gate"
_HEAD: Final = '{"id":"chatcmpl-understudy","object":"chat.completion%s","created":1767225600,"model":"understudy",'
_BLANK: Final = NUMBER.encode()
_NO_WORDS: Final = frozenset({Mode.NO_CHOICES, Mode.EMPTY_CHOICES, Mode.BLANK})
_PROSE: Final = "Sure! Here it is:\n```json\n%s\n```"

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(Chunk).decode


class _Line(msgspec.Struct, frozen=True, gc=False):
    """One chunk, as bytes and as read; one with a number in its words is made anew for every request."""

    payload: bytes
    chunk: Chunk
    text: str = ""
    index: int = 0

    def put(self, sink: Sink, stamp: str) -> None:
        if not self.text:
            sink.chunk(self.payload, self.chunk)
            return
        delta = Delta(content=self.text.replace(NUMBER, stamp))
        chunk = Chunk(id="chatcmpl-understudy", choices=(Choice(index=self.index, delta=delta),))
        sink.chunk(self.payload.replace(_BLANK, stamp.encode()), chunk)


class _Lines(msgspec.Struct, frozen=True, gc=False):
    """All that one answer can consist of, but for the number of its request."""

    opening: _Line
    pieces: tuple[tuple[_Line, ...], ...]
    empty: tuple[_Line, ...]
    closing: tuple[_Line, ...]
    whole: Answer
    end: Answer


class Script:
    """One answer: its words with the request's number in each, or the call that was demanded."""

    __slots__ = ("_lines", "_stamp")

    def __init__(self, ask: Ask, part: Part) -> None:
        self._stamp = ask.id
        shape = "embedding" if ask.kind == "embed" else ask.shape
        self._lines = _lines(part.mode, part.text, part.chunks, part.prompt_tokens, shape, ask.n)

    def whole(self) -> Answer:
        """Return the answer in one piece."""
        answer = self._lines.whole
        body = answer.body.replace(_BLANK, self._stamp.encode())
        return Answer(body=body, usage=answer.usage, finish=answer.finish, blank=answer.blank)

    def end(self) -> Answer:
        """Return what is left to say after a stream: how it ended and what it cost."""
        return self._lines.end

    def open(self, sink: Sink) -> None:
        """Announce a stream."""
        self._lines.opening.put(sink, self._stamp)

    def say(self, sink: Sink, piece: int, *, empty: bool) -> None:
        """Say one piece of it, in every choice."""
        for line in self._lines.empty if empty else self._lines.pieces[piece]:
            line.put(sink, self._stamp)

    def close(self, sink: Sink) -> None:
        """End a stream well."""
        for line in self._lines.closing:
            line.put(sink, self._stamp)


@functools.lru_cache(maxsize=2048)
def _lines(mode: Mode, text: str, pieces: int, prompt_tokens: int, shape: Shape, n: int) -> _Lines:
    calls = shape == "tool" and mode is not Mode.NO_TOOL
    blank = mode in _NO_WORDS and not calls
    finish = "tool_calls" if calls else "stop"
    said = "" if blank else _spoiled(mode, text, shape)
    usage = Usage(prompt_tokens, pieces, prompt_tokens + pieces)
    choices = range(n)
    return _Lines(
        opening=_line('{"role":"assistant","content":""}'),
        pieces=tuple(
            (_called(mode, piece),) if calls else tuple(_word(_cut(said, piece, pieces), i) for i in choices)
            for piece in range(pieces)
        ),
        empty=tuple(_word("", i) for i in choices),
        closing=tuple(_line("{}", i, finish) for i in choices),
        whole=Answer(body=_body(mode, said, usage, shape, n), usage=usage, finish=finish, blank=blank),
        end=Answer(usage=usage, finish=finish),
    )


def _spoiled(mode: Mode, text: str, shape: Shape) -> str:
    if shape in {"json", "schema"}:
        if mode is Mode.WRONG_SHAPE:
            return '["wrong"]'
        return _PROSE % text if mode is Mode.FENCED else text
    return text


def _cut(text: str, piece: int, pieces: int) -> str:
    return text[len(text) * piece // pieces : len(text) * (piece + 1) // pieces]


def _word(text: str, index: int) -> _Line:
    line = _line(f'{{"content":{_encode(text).decode()}}}', index)
    return _Line(line.payload, line.chunk, text, index) if NUMBER in text else line


def _arguments(mode: Mode) -> tuple[str, str]:
    name = "tool_nobody_offered" if mode is Mode.WRONG_TOOL else TOOL
    return name, '{"gat' if mode is Mode.CUT_ARGUMENTS else '{"gate":"east"}'


def _called(mode: Mode, piece: int) -> _Line:
    """Name the call in the first piece and give its arguments with it; the others add nothing."""
    name, arguments = _arguments(mode)
    function = {"name": name, "arguments": arguments} if piece == 0 else {"arguments": ""}
    told = {"index": 0, "id": "call_1", "type": "function", "function": function}
    return _line(f'{{"tool_calls":{_encode([told]).decode()}}}')


def _line(delta: str, index: int = 0, finish: str | None = None) -> _Line:
    reason = "null" if finish is None else f'"{finish}"'
    text = f'{_HEAD % ".chunk"}"choices":[{{"index":{index},"delta":{delta},"finish_reason":{reason}}}]}}'
    return _Line(text.encode(), _decode(text))


def _body(mode: Mode, said: str, usage: Usage, shape: Shape, n: int) -> bytes:
    spent = _encode(usage).decode()
    if shape == "embedding":
        return f'{{"object":"list","data":[{{"index":0,"embedding":[0.5,0.25]}}],"usage":{spent}}}'.encode()
    message: dict[str, object] = {"role": "assistant", "content": said}
    finish = "stop"
    if shape == "tool" and mode is not Mode.NO_TOOL:
        name, arguments = _arguments(mode)
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
        message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    told = _encode(message).decode()
    choices = ",".join(f'{{"index":{index},"message":{told},"finish_reason":"{finish}"}}' for index in range(n))
    return f'{_HEAD % ""}"choices":[{choices}],"usage":{spent}}}'.encode()
