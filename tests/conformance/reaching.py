"""Lets schemathesis reach models: a name drawn at random would nearly always be one that nobody has."""

from __future__ import annotations

import zlib

import schemathesis
from schemathesis import HookContext

NAMES = ("auto", "gold", "silver", "plain", "template", "embedder", "nobody")
LONGEST = 256


@schemathesis.hook
def map_body(context: HookContext, body: object) -> object:
    """Put a model that means something where a valid one stood, and demand no tool that is not offered."""
    if not isinstance(body, dict):
        return body
    model, choice, tools = body.get("model"), body.get("tool_choice"), body.get("tools")
    if isinstance(model, str) and 0 < len(model) <= LONGEST:
        body = {**body, "model": NAMES[zlib.crc32(model.encode("utf-8", "replace")) % len(NAMES)]}
    if isinstance(choice, dict) and isinstance(tools, list):
        # What no schema can say: this name is one of those.
        demanded = choice.get("function")
        if isinstance(demanded, dict) and demanded.get("name") not in {name_of(tool) for tool in tools}:
            body = {name: value for name, value in body.items() if name != "tool_choice"}
    return body


def name_of(tool: object) -> object:
    """Return the name of a tool, if it has one."""
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None
