"""Does an answer keep what the request asks for? JSON, a schema, a tool call, vectors: the real thing or an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from tiercel.engines.schema import Schema, compiled
from tiercel.terms.ask import Ask
from tiercel.terms.errors import BadRequest, EngineFailed
from tiercel.terms.json import NOT_JSON
from tiercel.terms.reply import Chunk

__all__ = ["StreamShape", "check_request", "check_whole", "is_shaped"]

# What a stream's JSON and arguments may come to before they are no answer any more.
MOST_KEPT_CHARS = 4 * 1024 * 1024
MOST_CALLS = 256
MOST_CHOICES = 128
NULL = msgspec.Raw(b"null")
LONGEST_COMPLAINT = 200

T = TypeVar("T")


class _Named(msgspec.Struct):
    # Later fragments of a stream leave out the name, or say null.
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int = 0
    function: _Named | None = None
    custom: _Named | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Named | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class _Vector(msgspec.Struct):
    embedding: list[float] | str


class _Vectors(msgspec.Struct):
    data: list[_Vector]


class _JsonSchema(msgspec.Struct):
    # An absent schema is as good as null; msgspec reads ``Raw | None`` as "null and nothing else".
    schema: msgspec.Raw = NULL


class _Format(msgspec.Struct):
    type: str = "text"
    json_schema: _JsonSchema | None = None


class _Allowed(msgspec.Struct):
    tools: list[_Call] = []


class _Chosen(msgspec.Struct):
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _Allowed | None = None


class _Said:
    """What one choice said, as far as it matters here."""

    __slots__ = ("calls", "chars", "content", "refused")

    def __init__(self) -> None:
        self.content: list[str] = []
        self.refused = False
        # Of each call its name and the pieces of its arguments; None for a tool that takes words.
        self.calls: dict[int, tuple[str, list[str] | None]] = {}
        self.chars = 0


_completion = msgspec.json.Decoder(_Completion).decode
_vectors = msgspec.json.Decoder(_Vectors).decode
_call = msgspec.json.Decoder(_Call).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def is_shaped(ask: Ask) -> bool:
    """Return whether there is anything to check: words without tools may be any words."""
    return ask.shape != "text" or ask.tools


def check_request(ask: Ask) -> None:
    """Raise ``BadRequest`` when no answer could be right.

    The schema is wrong, too large or too costly; or the tool that must be called is none of those that are offered.
    """
    if ask.shape == "schema":
        _schema_of(ask)
    elif ask.shape == "tool" and ask.tools:
        chosen = _chosen_in(ask)
        named = chosen.function or chosen.custom
        if named is not None and named.name not in _offered_in(ask, _Chosen()):
            told = "function_call" if _is_mode(ask, "tool_choice") else "tool_choice"
            raise BadRequest("no tool has this name", param=told)


def check_whole(ask: Ask, body: bytes) -> None:
    """Raise ``EngineFailed('wrong_shape')`` when a reply in one piece breaks the request's contract."""
    if not is_shaped(ask):
        return
    try:
        if ask.shape == "embedding":
            _check_vectors(ask, _vectors(body).data)
            return
        choices = _completion(body).choices
    except NOT_JSON:
        raise _wrong("it is no answer at all") from None
    if not choices:
        raise _wrong("it has no choices")
    rule = _Rule(ask)
    for choice in choices:
        rule.check(_heard(choice.message))


class StreamShape:
    """Listens to a stream's chunks and judges it at its end; keeps words only where their form is prescribed."""

    def __init__(self, ask: Ask) -> None:
        self._rule = _Rule(ask) if is_shaped(ask) else None
        self._keeps_words = ask.shape in {"json", "schema"}
        self._said: dict[int, _Said] = {}

    def take(self, chunk: Chunk) -> None:
        """Listen. Raises ``EngineFailed`` when there is more than any answer has."""
        if self._rule is None:
            return
        for choice in chunk.choices:
            delta = choice.delta
            if delta is None:
                continue
            said = self._said.get(choice.index)
            if said is None:
                said = self._said[choice.index] = _Said()
                if len(self._said) > MOST_CHOICES:
                    raise _wrong("it has too many choices")
            said.refused = said.refused or bool(delta.refusal)
            if delta.content and self._keeps_words:
                said.chars += len(delta.content)
                said.content.append(delta.content)
            if delta.tool_calls is not None:
                _add_calls(said, delta.tool_calls)
            if delta.function_call is not None:
                _add_legacy(said, delta.function_call)
            if said.chars > MOST_KEPT_CHARS:
                raise _wrong("it is larger than any answer")

    def check(self) -> None:
        """Judge the whole. Raises ``EngineFailed('wrong_shape')``."""
        if self._rule is None:
            return
        if not self._said:
            raise _wrong("it has no choices")
        for said in self._said.values():
            self._rule.check(said)


class _Rule:
    """What every choice of one answer must keep."""

    def __init__(self, ask: Ask) -> None:
        self._schema = _schema_of(ask) if ask.shape == "schema" else None
        self._is_json = ask.shape == "json"
        self._must_call = ask.shape == "tool"
        chosen = _chosen_in(ask) if ask.tools else _Chosen()
        named = chosen.function or chosen.custom
        self._named = (named.name if named is not None else None) or ""
        self._offered = _offered_in(ask, chosen) if ask.tools else frozenset[str]()

    def check(self, said: _Said) -> None:
        # A model may decline, and says so in a place of its own.
        if said.refused:
            return
        self._check_calls(said)
        if said.calls and not self._must_call:
            return
        if self._is_json and not _is_object("".join(said.content)):
            raise _wrong("it is no JSON object")
        if self._schema is not None:
            complaint = self._schema.complaint("".join(said.content))
            if complaint:
                raise _wrong(complaint)

    def _check_calls(self, said: _Said) -> None:
        if self._must_call and not any(name == self._named or not self._named for name, _ in said.calls.values()):
            raise _wrong("it does not call the tool that was demanded")
        for name, arguments in said.calls.values():
            if name not in self._offered:
                raise _wrong("it calls a tool that was not offered")
            if arguments is not None and not _is_object("".join(arguments) or "{}"):
                raise _wrong("the arguments of its tool call are no JSON object")


def _heard(message: _Message) -> _Said:
    said = _Said()
    said.refused = bool(message.refusal)
    if message.content:
        said.content.append(message.content)
    for place, call in enumerate(message.tool_calls or ()):
        _add(said, place, call)
    if message.function_call is not None:
        _add_call(said, 0, message.function_call, takes_words=False)
    return said


def _add_calls(said: _Said, fragments: Sequence[msgspec.Raw]) -> None:
    for fragment in fragments:
        try:
            call = _call(fragment)
        except NOT_JSON:
            raise _wrong("its tool call is none") from None
        _add(said, call.index, call)
    if len(said.calls) > MOST_CALLS:
        raise _wrong("it has too many tool calls")


def _add_legacy(said: _Said, fragment: Mapping[str, msgspec.Raw]) -> None:
    try:
        named = msgspec.convert({name: msgspec.json.decode(raw) for name, raw in fragment.items()}, _Named)
    except (msgspec.ValidationError, *NOT_JSON):
        raise _wrong("its function call is none") from None
    _add_call(said, 0, named, takes_words=False)


def _add(said: _Said, place: int, call: _Call) -> None:
    if call.custom is not None:
        _add_call(said, place, call.custom, takes_words=True)
    elif call.function is not None:
        _add_call(said, place, call.function, takes_words=False)


def _add_call(said: _Said, place: int, named: _Named, *, takes_words: bool) -> None:
    """Begin a call or add to it; only its first fragment has the name."""
    name, arguments = said.calls.get(place, ("", None if takes_words else []))
    if arguments is not None and named.arguments:
        arguments.append(named.arguments)
        said.chars += len(named.arguments)
    said.calls[place] = (name or named.name or "", arguments)


def _is_object(text: str) -> bool:
    try:
        _object(text)
    except NOT_JSON:
        return False
    return True


def _schema_of(ask: Ask) -> Schema:
    told = _part(ask, "response_format", _Format)
    if told is None or told.json_schema is None or bytes(told.json_schema.schema) == b"null":
        raise BadRequest("json_schema needs a schema", param="response_format")
    return compiled(bytes(told.json_schema.schema))


def _chosen_in(ask: Ask) -> _Chosen:
    """Return the choice among the tools; a mode alone chooses none of them."""
    if not _is_mode(ask, "tool_choice"):
        return _part(ask, "tool_choice", _Chosen) or _Chosen()
    return _Chosen(function=None if _is_mode(ask, "function_call") else _part(ask, "function_call", _Named))


def _is_mode(ask: Ask, name: str) -> bool:
    return bytes(ask.fields.get(name, NULL))[:1] in {b"n", b'"'}


def _offered_in(ask: Ask, chosen: _Chosen) -> frozenset[str]:
    allowed = chosen.allowed_tools
    tools = allowed.tools if allowed is not None else _part(ask, "tools", list[_Call]) or []
    functions = _part(ask, "functions", list[_Named]) or []
    named: Sequence[_Named | None] = [*(tool.function or tool.custom for tool in tools), *functions]
    return frozenset(one.name for one in named if one is not None and one.name)


def _part(ask: Ask, name: str, kind: type[T]) -> T | None:
    raw = ask.fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except NOT_JSON as error:
        raise BadRequest(str(error)[:LONGEST_COMPLAINT], param=name) from None


def _check_vectors(ask: Ask, vectors: Sequence[_Vector]) -> None:
    if len(vectors) != _inputs(ask):
        raise _wrong("it has not one vector for each input")
    sizes = {len(vector.embedding) for vector in vectors}
    if len(sizes) != 1 or 0 in sizes:
        raise _wrong("its vectors are not of one size")


def _inputs(ask: Ask) -> int:
    """Count the texts: one text and the tokens of one text are one."""
    raw = ask.fields.get("input", msgspec.Raw(b'""'))
    if bytes(raw)[:1] != b"[":
        return 1
    parts = _part(ask, "input", list[msgspec.Raw]) or []
    return len(parts) if parts and bytes(parts[0])[:1] in {b'"', b"["} else 1


def _wrong(why: str) -> EngineFailed:
    return EngineFailed("wrong_shape", f"the answer breaks the request: {why}")
