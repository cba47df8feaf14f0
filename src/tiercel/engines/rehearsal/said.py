"""What a reply says, before any dialect: words or tool calls, why it ends, and what it costs."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from tiercel.engines.rehearsal.fit import Json, fit, misfit
from tiercel.engines.rehearsal.heard import Asked
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part

Finish = Literal["stop", "length", "content_filter", "tool_calls"]
"""Why a reply ends, in OpenAI's words."""

WRONG_TOOL: Final = "tool_nobody_offered"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One tool call; ``pieces`` join to the arguments' JSON text."""

    name: str
    pieces: tuple[str, ...]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one reply; cached ones are a part of the prompt's, reasoning ones of the completion's."""

    prompt: int
    completion: int
    cached: int
    reasoning: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one reply: words in ``pieces``, or ``calls``, never both."""

    pieces: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    finish: Finish = "stop"
    cost: Cost

    @property
    def text(self) -> str:
        """The words, joined."""
        return "".join(self.pieces)


class _Tool(msgspec.Struct, frozen=True):
    """A tool as either dialect offers it."""

    name: str = ""
    input_schema: msgspec.Raw = msgspec.Raw(b"")
    parameters: msgspec.Raw = msgspec.Raw(b"")
    function: _Tool | None = None

    @property
    def offered(self) -> _Tool:
        return self.function or self

    @property
    def schema(self) -> Json:
        return _schema(self.input_schema if self.function is None else self.function.parameters)


class _Choice(msgspec.Struct, frozen=True):
    type: str = ""
    name: str = ""
    function: _Tool | None = None


class _SchemaFormat(msgspec.Struct, frozen=True):
    schema: msgspec.Raw = msgspec.Raw(b"")


class _Format(msgspec.Struct, frozen=True):
    type: str = "text"
    json_schema: _SchemaFormat | None = None


_TOOLS: Final = msgspec.json.Decoder(list[_Tool])
_CHOICE: Final = msgspec.json.Decoder(str | _Choice)
_FORMAT: Final = msgspec.json.Decoder(_Format)


def say(asked: Asked, part: Part) -> Said:
    """Decide what to say; raises ``Unfit`` for a schema that cannot be fitted and ``DecodeError`` for broken tools."""
    calls = _calls(asked, part)
    pieces = () if calls else _words(asked, part)
    spent = len(pieces) + sum(len(call.pieces) + 1 for call in calls)
    completion = part.completion_tokens if part.completion_tokens >= 0 else spent * asked.n + part.reasoning_tokens
    cost = Cost(
        prompt=part.prompt_tokens,
        completion=completion,
        cached=part.cached_tokens,
        reasoning=min(part.reasoning_tokens, completion),
    )
    return Said(pieces=pieces, calls=calls, finish="tool_calls" if calls else _finish(part), cost=cost)


def _finish(part: Part) -> Finish:
    return "length" if part.finish == "length" else "content_filter" if part.finish == "content_filter" else "stop"


def _calls(asked: Asked, part: Part) -> tuple[Call, ...]:
    if not asked.tools or part.mode is Mode.NO_TOOL:
        return ()
    tools = _TOOLS.decode(asked.tools)
    named = _named(asked.tool_choice) or part.tool
    if not named or not tools or _forbidden(asked.tool_choice):
        return ()
    first = next((index for index, tool in enumerate(tools) if tool.offered.name == named), 0)
    return tuple(_call(tools[(first + index) % len(tools)], part) for index in range(part.calls))


def _named(raw: bytes) -> str:
    """Find the tool that the request forces; ``*``: any; empty: none."""
    choice = _CHOICE.decode(raw) if raw else "auto"
    if isinstance(choice, str):
        return "*" if choice == "required" else ""
    forced = choice.function.name if choice.function else choice.name
    return forced or ("*" if choice.type == "any" else "")


def _forbidden(raw: bytes) -> bool:
    choice = _CHOICE.decode(raw) if raw else "auto"
    return choice == "none" if isinstance(choice, str) else choice.type == "none"


def _call(tool: _Tool, part: Part) -> Call:
    arguments = part.arguments or _text(fit(tool.schema))
    if part.mode is Mode.CUT_ARGUMENTS:
        arguments = arguments[: max(1, len(arguments) // 2)]
    name = WRONG_TOOL if part.mode is Mode.WRONG_TOOL else tool.offered.name
    return Call(name=name, pieces=_cut(arguments, max(1, part.chunks - 1)))


def _words(asked: Asked, part: Part) -> tuple[str, ...]:
    if part.mode is Mode.BLANK:
        return ("",)
    shape = _FORMAT.decode(asked.response_format) if asked.response_format else _Format()
    if shape.type != "text":
        return _cut(_shaped(shape, part), part.chunks)
    if part.text:
        return _cut(part.text, part.chunks)
    return (*(f"word{index} " for index in range(1, part.chunks)), "end.")


def _shaped(shape: _Format, part: Part) -> str:
    value = fit(_schema(shape.json_schema.schema if shape.json_schema else msgspec.Raw(b"")))
    if part.mode is Mode.WRONG_SHAPE:
        return _text(misfit(value))
    fitting = part.text or _text(value)
    return f"Sure! Here it is:\n```json\n{fitting}\n```" if part.mode is Mode.FENCED else fitting


def _schema(raw: msgspec.Raw) -> Json:
    """Decode a schema; one that was not given demands an object."""
    found: Json = msgspec.json.decode(raw) if len(raw) else None
    return {"type": "object"} if found is None else found


def _text(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def _cut(text: str, chunks: int) -> tuple[str, ...]:
    """Cut text into so many pieces of like length, or fewer when it is too short; they join to the text."""
    count = max(1, min(chunks, len(text)))
    edges = [len(text) * index // count for index in range(count + 1)]
    return tuple(text[edges[index] : edges[index + 1]] for index in range(count))
