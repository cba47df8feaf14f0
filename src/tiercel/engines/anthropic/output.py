"""The form that an answer must have, and the surest way the model has to keep it."""

from __future__ import annotations

import msgspec

from tiercel.engines.anthropic.parts import Block, decoded, text_block
from tiercel.engines.anthropic.schemas import expressible
from tiercel.engines.anthropic.traits import Traits
from tiercel.terms.errors import BadRequest

__all__ = ["Output", "read_output"]

_ANSWER_TOOL = "give_answer"
NULL = msgspec.Raw(b"null")
_ANY_OBJECT = msgspec.Raw(b'{"type":"object"}')
_JSON_ONLY = "Answer with one JSON object and nothing else: no fence, no word before or after it."


class _Schema(msgspec.Struct):
    name: str = ""
    description: str | None = None
    schema: msgspec.Raw = NULL


class _Format(msgspec.Struct):
    type: str
    json_schema: _Schema | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """At most one of three: the API's own ``format``, a ``tool`` whose input is the answer, or words in ``system``."""

    wanted: bool = False
    format: Block | None = None
    tool: Block | None = None
    system: tuple[Block, ...] = ()


def read_output(raw: msgspec.Raw | None, traits: Traits) -> Output:
    """Choose. The API's own way comes first; a tool takes the schemas that it cannot express."""
    if raw is None:
        return Output()
    told = decoded(raw, _Format, "response_format")
    if told.type == "text":
        return Output()
    if told.type == "json_object":
        return _by_tool(_ANY_OBJECT, None, traits)
    if told.type != "json_schema" or told.json_schema is None or bytes(told.json_schema.schema) == b"null":
        raise BadRequest("must be text, json_object, or json_schema with a schema", param="response_format")
    schema = told.json_schema.schema
    if traits.schemas and expressible(schema):
        return Output(wanted=True, format={"type": "json_schema", "schema": schema})
    return _by_tool(schema, told.json_schema.description, traits)


def _by_tool(schema: msgspec.Raw, description: str | None, traits: Traits) -> Output:
    members = decoded(schema, dict[str, msgspec.Raw], "response_format")
    if not traits.forces_tools or bytes(members.get("type", NULL)) != b'"object"':
        demand = _JSON_ONLY if schema is _ANY_OBJECT else f"{_JSON_ONLY} It fits this schema: {bytes(schema).decode()}"
        return Output(wanted=True, system=(text_block(demand),))
    tool: Block = {
        "name": _ANSWER_TOOL,
        "description": description or "Give the answer.",
        "input_schema": schema,
    }
    return Output(wanted=True, tool=tool)
