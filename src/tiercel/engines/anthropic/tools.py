"""Tools and the choice among them, in Anthropic's words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tiercel.engines.anthropic.parts import Block, decoded, is_string
from tiercel.engines.anthropic.schemas import expressible
from tiercel.terms.errors import BadRequest

__all__ = ["Choice", "choice_of", "narrowed", "read_choice", "read_tools", "remembered"]

NULL = msgspec.Raw(b"null")
OBJECT = msgspec.Raw(b'"object"')
_KINDS = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}
ANYTHING = msgspec.Raw(b'{"type":"object"}')


class _Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = NULL
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: str = "function"
    function: _Function | None = None


class _Named(msgspec.Struct):
    name: str = ""


class _Allowed(msgspec.Struct):
    mode: str = "auto"
    tools: list[_Tool] = []


class _Choice(msgspec.Struct):
    type: str = ""
    function: _Named | None = None
    allowed_tools: _Allowed | None = None


class Choice(msgspec.Struct, frozen=True):
    """What the caller allows: ``auto``, ``none``, ``required`` or ``tool`` with a name; ``only`` narrows the tools."""

    mode: str = "auto"
    name: str = ""
    only: tuple[str, ...] = ()


def read_tools(raw: msgspec.Raw | None, lost: dict[str, None]) -> list[Block]:
    """Translate the definitions; schemas go through as the bytes they are."""
    if raw is None:
        return []
    return [_tool(tool, f"tools[{index}]", lost) for index, tool in enumerate(decoded(raw, list[_Tool], "tools"))]


def read_choice(raw: msgspec.Raw) -> Choice:
    """Read ``tool_choice`` in any of its forms."""
    if is_string(raw):
        mode = decoded(raw, str, "tool_choice")
        if mode in {"auto", "none", "required"}:
            return Choice(mode)
        raise BadRequest("must be auto, none, required or one of the tools", param="tool_choice")
    chosen = decoded(raw, _Choice, "tool_choice")
    if chosen.type == "function" and chosen.function is not None and chosen.function.name:
        return Choice("tool", chosen.function.name)
    if chosen.type == "allowed_tools" and chosen.allowed_tools is not None:
        names = tuple(tool.function.name for tool in chosen.allowed_tools.tools if tool.function is not None)
        mode = chosen.allowed_tools.mode
        if mode in {"auto", "required"} and names:
            return Choice(mode, only=names)
    raise BadRequest("this engine knows no such choice", param="tool_choice")


def choice_of(chosen: Choice, *, forces: bool, parallel: bool) -> Block:
    """Return the ``tool_choice`` to send; a model that cannot be forced is asked, and its answer checked."""
    kind = _KINDS[chosen.mode]
    choice: Block = {"type": kind if forces or kind == "none" else "auto"}
    if choice["type"] == "tool":
        choice["name"] = chosen.name
    if not parallel and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return choice


def remembered(names: Iterable[str]) -> list[Block]:
    """Define tools that are only called in the conversation so far: the API wants them defined all the same."""
    return [{"name": name, "input_schema": ANYTHING} for name in names]


def narrowed(tools: Sequence[Block], chosen: Choice, *, forces: bool) -> list[Block]:
    """Keep the tools that the choice leaves; raises when it names one that was not offered."""
    wanted = (chosen.name,) if chosen.mode == "tool" else chosen.only
    missing = [name for name in wanted if all(tool["name"] != name for tool in tools)]
    if missing or (chosen.mode == "required" and not tools):
        raise BadRequest("tool_choice names a tool that is not offered", param="tool_choice")
    if chosen.only or (chosen.mode == "tool" and not forces):
        return [tool for tool in tools if tool["name"] in wanted]
    return list(tools)


def _tool(tool: _Tool, where: str, lost: dict[str, None]) -> Block:
    function = tool.function
    if function is None or tool.type != "function":
        raise BadRequest("only functions can be offered to this engine", param=f"{where}.type")
    block: Block = {"name": function.name}
    if function.description:
        block["description"] = function.description
    block["input_schema"] = _schema(function.parameters, f"{where}.function.parameters")
    if function.strict:
        if expressible(function.parameters):
            block["strict"] = True
        else:
            lost["tools.strict"] = None
    return block


def _schema(parameters: msgspec.Raw, where: str) -> msgspec.Raw:
    if bytes(parameters) == b"null":
        return ANYTHING
    members = decoded(parameters, dict[str, msgspec.Raw], where)
    if "type" in members:
        return parameters
    return msgspec.Raw(msgspec.json.encode({"type": OBJECT, **members}))
