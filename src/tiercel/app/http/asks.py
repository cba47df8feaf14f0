"""A body becomes an ``Ask``: what the router needs is read and checked, all the rest stays the bytes that were sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from tiercel.app.http.complaints import not_json, wrong_field
from tiercel.app.http.limits import LIMITS, Limits
from tiercel.app.http.structure import check_depth, check_values
from tiercel.app.http.wishes import SERVICE_TIERS, merged, read_wishes
from tiercel.terms.ask import Ask, Shape, Wishes
from tiercel.terms.errors import BadRequest
from tiercel.terms.json import NOT_JSON

__all__ = ["read_chat", "read_embedding"]

# Fields by which other gateways let a caller choose the host that is called, or the key that it is shown.
_UPSTREAM = frozenset(
    {
        "api_base",
        "api_key",
        "api_type",
        "api_url",
        "api_version",
        "azure_ad_token",
        "azure_endpoint",
        "base_url",
        "custom_llm_provider",
        "endpoint_url",
        "extra_body",
        "extra_headers",
        "model_list",
        "proxy",
        "user_config",
        "vertex_credentials",
    }
)
_Name = Annotated[str, Meta(min_length=1, max_length=256)]
# Game engines have one kind of number and may write 64.0 for 64, which JSON takes for the same.
_Whole = int | Annotated[float, Meta(multiple_of=1)]
_MOST_TOKENS = 2**32 - 1
_Token = Annotated[int, Meta(ge=0, le=_MOST_TOKENS)] | Annotated[float, Meta(ge=0, le=_MOST_TOKENS, multiple_of=1)]
_MOST = 1_000_000_000
_Count = Annotated[int, Meta(ge=1, le=_MOST)] | Annotated[float, Meta(ge=1, le=_MOST, multiple_of=1)]
_Top = Annotated[int, Meta(ge=0, le=20)] | Annotated[float, Meta(ge=0, le=20, multiple_of=1)]


# None of these can be part of a circle, so the collector need not look at hundreds of messages.
class _Head(msgspec.Struct, gc=False):
    """Of a message only the role is read here."""

    role: str


class _Named(msgspec.Struct, gc=False):
    name: _Name


class _Tool(msgspec.Struct, gc=False):
    type: str
    function: _Named | None = None


class _Allowed(msgspec.Struct, gc=False):
    mode: Literal["auto", "required"]


class _Choice(msgspec.Struct, gc=False):
    type: str
    function: _Named | None = None
    allowed_tools: _Allowed | None = None


class _Format(msgspec.Struct, gc=False):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Named | None = None


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Chat(msgspec.Struct, gc=False):
    """The fields of a chat request that are read or checked; a field that is not here passes through."""

    model: _Name
    messages: Annotated[list[_Head], Meta(min_length=1)]
    stream: bool | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    n: _Count | None = None
    stop: str | Annotated[list[str], Meta(max_length=16)] | None = None
    seed: _Whole | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logprobs: bool | None = None
    top_logprobs: _Top | None = None
    stream_options: _StreamOptions | None = None
    tools: Annotated[list[_Tool], Meta(max_length=256)] | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _Format | None = None
    functions: Annotated[list[_Named], Meta(max_length=256)] | None = None
    function_call: Literal["none", "auto"] | _Named | None = None
    service_tier: str | None = None
    user: str | None = None


class _Embedding(msgspec.Struct, gc=False):
    """The fields of a request for vectors that are checked."""

    model: _Name
    # Words, several of them, or either as token numbers.
    input: Annotated[str, Meta(min_length=1)] | Annotated[list[str | _Token | list[_Token]], Meta(min_length=1)]
    dimensions: _Count | None = None
    encoding_format: Literal["float", "base64"] | None = None
    service_tier: str | None = None
    user: str | None = None


_T = TypeVar("_T")
_top = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_chat = msgspec.json.Decoder(_Chat).decode
_embedding = msgspec.json.Decoder(_Embedding).decode


def _decoded(body: bytes, decode: Callable[[bytes], _T], limits: Limits) -> tuple[dict[str, msgspec.Raw], _T]:
    check_values(body, limits)
    try:
        if not body.isascii():
            # What is passed on unread is not decoded by msgspec, and must be text all the same.
            body.decode()
        return _top(body), decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from error
    except NOT_JSON as error:
        raise not_json(error) from error


def _check_upstream(fields: dict[str, msgspec.Raw]) -> None:
    if not _UPSTREAM.isdisjoint(fields):
        name = min(_UPSTREAM.intersection(fields))
        raise BadRequest("a request cannot choose where it is sent", param=name, code="forbidden_field")


def _wishes(fields: dict[str, msgspec.Raw], service_tier: str | None, head: Wishes) -> Wishes:
    """Take out what is said to us, so that no engine sees it."""
    ours = fields.pop("tiercel", None)
    wishes = head if ours is None else merged(read_wishes(ours), head)
    if fields.pop("service_tier", None) is None or service_tier is None:
        return wishes
    if service_tier not in SERVICE_TIERS:
        raise BadRequest(f"known are {', '.join(SERVICE_TIERS)}", param="service_tier")
    sla = SERVICE_TIERS[service_tier]
    return wishes if sla is None or wishes.sla else msgspec.structs.replace(wishes, sla=sla)


def _shape(chat: _Chat) -> Shape:
    """Say what nothing but a model's true answer can be; where it may be words, they can be another rung's."""
    choice = chat.tool_choice
    if choice is None and chat.response_format is None and chat.function_call is None:
        return "text"
    forced = choice == "required" or (
        isinstance(choice, _Choice) and (choice.allowed_tools is None or choice.allowed_tools.mode == "required")
    )
    if forced or isinstance(chat.function_call, _Named):
        return "tool"
    kind = chat.response_format.type if chat.response_format else "text"
    return "schema" if kind == "json_schema" else "json" if kind == "json_object" else "text"


def _check_tools(chat: _Chat) -> None:
    for index, tool in enumerate(chat.tools or ()):
        if tool.type == "function" and tool.function is None:
            raise BadRequest("Object missing required field `function`", param=f"tools[{index}].function")
    if chat.tool_choice not in (None, "none", "auto") and not chat.tools:
        raise BadRequest("tool_choice needs tools", param="tool_choice")


def _check_chat(chat: _Chat, limits: Limits) -> None:
    if len(chat.messages) > limits.messages:
        raise BadRequest(f"more than {limits.messages} messages", param="messages", code="too_many_messages")
    if chat.n is not None and chat.n > limits.choices:
        raise BadRequest(f"Expected `int` <= {limits.choices}", param="n")
    if chat.tools is not None or chat.tool_choice is not None:
        _check_tools(chat)
    if chat.response_format is not None:
        named = chat.response_format.json_schema is not None
        if chat.response_format.type == "json_schema" and not named:
            raise BadRequest("Object missing required field `json_schema`", param="response_format.json_schema")
    if chat.stream_options is not None and not chat.stream:
        raise BadRequest("stream_options needs stream", param="stream_options")


def read_chat(
    body: bytes, wishes: Wishes, request_id: str, limits: Limits = LIMITS, *, received_s: float | None = None
) -> Ask:
    """Read the body of a chat request; ``wishes`` are those of its headers, over which the body's own win."""
    fields, chat = _decoded(body, _chat, limits)
    check_depth(body, len(chat.messages) - 1, limits)
    _check_upstream(fields)
    _check_chat(chat, limits)
    if "tiercel" in fields or "service_tier" in fields:
        wishes = _wishes(fields, chat.service_tier, wishes)
    most = chat.max_tokens if chat.max_completion_tokens is None else chat.max_completion_tokens
    return Ask(
        id=request_id,
        kind="chat",
        model=chat.model,
        fields=fields,
        size_bytes=len(body),
        received_s=received_s,
        stream=chat.stream is True,
        include_usage=chat.stream_options is not None and chat.stream_options.include_usage is True,
        shape=_shape(chat),
        tools=bool(chat.tools or chat.functions),
        max_tokens=None if most is None else int(most),
        n=1 if chat.n is None else int(chat.n),
        wishes=wishes,
    )


def _check_inputs(inputs: list[str | float | list[float]], limits: Limits) -> None:
    kinds = {float if isinstance(one, (int, float)) else type(one) for one in inputs}
    if len(kinds) > 1:
        raise BadRequest("Expected strings, token numbers or lists of these, not a mixture", param="input")
    if kinds != {float} and len(inputs) > limits.inputs:
        raise BadRequest(f"more than {limits.inputs} inputs", param="input", code="too_many_inputs")


def read_embedding(
    body: bytes, wishes: Wishes, request_id: str, limits: Limits = LIMITS, *, received_s: float | None = None
) -> Ask:
    """Read the body of a request for vectors."""
    fields, asked = _decoded(body, _embedding, limits)
    check_depth(body, 0, limits)
    _check_upstream(fields)
    if isinstance(asked.input, list):
        _check_inputs(asked.input, limits)
    return Ask(
        id=request_id,
        kind="embed",
        model=asked.model,
        fields=fields,
        size_bytes=len(body),
        received_s=received_s,
        shape="embedding",
        wishes=_wishes(fields, asked.service_tier, wishes),
    )
