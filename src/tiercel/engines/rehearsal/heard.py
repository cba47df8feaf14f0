"""The request an engine received, reduced to what its reply may depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal
from urllib.parse import unquote

import msgspec

from tiercel.engines.rehearsal.part import Part

Place = Literal["chat", "messages", "embeddings", "models", "anthropic_models", "health", "nowhere"]
"""Which door of the engine the request came to."""

Problem = Literal[
    "",
    "not_found",
    "method",
    "bad_body",
    "bad_part",
    "too_large",
    "model",
    "messages",
    "input",
    "max_tokens",
    "many",
    "key",
    "version",
]
"""Why a sound engine would refuse the request; empty when it would not."""

_AS: Final = "/as/"
_MOST_CHOICES: Final = 8
_DOORS: Final[dict[str, Place]] = {
    "/chat/completions": "chat",
    "/messages": "messages",
    "/embeddings": "embeddings",
    "/models": "models",
    "/health": "health",
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the reply may depend on, and nothing else: equal questions get equal bytes."""

    place: Place
    problem: Problem = ""
    model: str = ""
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    logprobs: bool = False
    tools: bytes = b""
    tool_choice: bytes = b""
    response_format: bytes = b""
    input: bytes = b""
    base64: bool = False
    dimensions: int = 0
    detail: str = ""
    """What is wrong with the part that was named, if that is the problem."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived; header names are in lower case, of a repeated header the last counts."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    asked: Asked

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Heard:
        """Read the request's parts."""
        path = target.partition("?")[0]
        return cls(method=method, path=path, headers=headers, body=body, asked=_asked(method, path, headers, body))

    @property
    def model(self) -> str:
        """The model it asks for; empty when it names none."""
        return self.asked.model

    @property
    def stream(self) -> bool:
        """Whether it asks for a stream."""
        return self.asked.stream

    @property
    def named(self) -> Part | None:
        """The part that the path demands, as in ``/as/cut:k=3/v1/chat/completions``; raises ``UnknownPart``."""
        if not self.path.startswith(_AS):
            return None
        return Part.from_model(unquote(self.path[len(_AS) :].partition("/")[0]))


# As engines written in Python take it: 8.0 is a whole number too.
_Whole = int | Annotated[float, msgspec.Meta(multiple_of=1)]


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Form(msgspec.Struct):
    schema: msgspec.Raw


class _Output(msgspec.Struct):
    """Where Anthropic's clients prescribe the form of an answer."""

    format: _Form | None = None


class _Body(msgspec.Struct):
    """The body's fields that an engine looks at; the rest is skipped, not parsed."""

    model: str = ""
    stream: bool | None = False
    stream_options: _Options | None = None
    n: _Whole | None = 1
    logprobs: bool | None = False
    messages: msgspec.Raw = msgspec.Raw(b"")
    tools: msgspec.Raw = msgspec.Raw(b"")
    tool_choice: msgspec.Raw = msgspec.Raw(b"")
    response_format: msgspec.Raw = msgspec.Raw(b"")
    output_config: _Output | None = None
    max_tokens: _Whole | None = None
    input: msgspec.Raw = msgspec.Raw(b"")
    encoding_format: str | None = None
    dimensions: _Whole | None = None


_DECODER: Final = msgspec.json.Decoder(_Body)
_ABSENT: Final = frozenset({b"", b"null", b"[]", b"{}"})
_LONGEST_ABSENT: Final = 4


def _asked(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Asked:
    place = _place(path, headers)
    wanted = "GET" if place in {"models", "anthropic_models", "health"} else "POST"
    if place == "nowhere" or method != wanted:
        return Asked(place=place, problem="not_found" if place == "nowhere" else "method")
    if wanted == "GET":
        return Asked(place=place, problem=_unsigned(headers) if place == "anthropic_models" else "")
    try:
        told = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return Asked(place=place, problem="bad_body")
    if place == "messages":
        return _read(place, told, _unsigned(headers) or _lacking(place, told))
    return _read(place, told, _lacking(place, told))


def _place(path: str, headers: Mapping[str, str]) -> Place:
    for ending, place in _DOORS.items():
        if path.endswith(ending):
            return "anthropic_models" if place == "models" and "anthropic-version" in headers else place
    return "nowhere"


def _unsigned(headers: Mapping[str, str]) -> Problem:
    """Anthropic serves nobody without a version and a key, in either of the headers its clients use."""
    bearer = headers.get("authorization", "").partition("Bearer ")[2]
    if not (headers.get("x-api-key") or bearer):
        return "key"
    return "" if headers.get("anthropic-version") else "version"


def _lacking(place: Place, told: _Body) -> Problem:
    if not told.model:
        return "model"
    if place == "embeddings":
        return "input" if _absent(told.input) else ""
    if _absent(told.messages):
        return "messages"
    if place == "messages" and (told.max_tokens is None or told.max_tokens < 1):
        return "max_tokens"
    return "" if 1 <= (told.n or 1) <= _MOST_CHOICES else "many"


def _read(place: Place, told: _Body, problem: Problem) -> Asked:
    if place == "embeddings":
        return Asked(
            place=place,
            problem=problem,
            model=told.model,
            input=bytes(told.input),
            base64=told.encoding_format == "base64",
            dimensions=int(told.dimensions or 0),
        )
    return Asked(
        place=place,
        problem=problem,
        model=told.model,
        stream=bool(told.stream),
        include_usage=told.stream_options is not None and told.stream_options.include_usage,
        n=int(told.n or 1),
        logprobs=bool(told.logprobs),
        tools=_present(told.tools),
        tool_choice=_present(told.tool_choice),
        response_format=_form(told.output_config) if place == "messages" else _present(told.response_format),
    )


def _form(output: _Output | None) -> bytes:
    """Return a prescribed form in the other dialect's words."""
    if output is None or output.format is None:
        return b""
    return b'{"type":"json_schema","json_schema":{"schema":%b}}' % bytes(output.format.schema)


def _present(raw: msgspec.Raw) -> bytes:
    return b"" if _absent(raw) else bytes(raw)


def _absent(raw: msgspec.Raw) -> bool:
    return len(raw) <= _LONGEST_ABSENT and bytes(raw) in _ABSENT
