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
    model = body.get("model")
    if isinstance(model, str) and 0 < len(model) <= LONGEST:
        body = {**body, "model": NAMES[zlib.crc32(model.encode("utf-8", "replace")) % len(NAMES)]}
    # What no schema can say: this name is one of those.
    offered = {name_of(tool, "function") for tool in listed(body, "tools")}
    offered |= {name_of({"": one}, "") for one in listed(body, "functions")}
    demanded = name_of(body.get("tool_choice"), "function"), name_of(body, "function_call")
    if not (offered | {None}).issuperset(demanded):
        body = {name: value for name, value in body.items() if name not in {"tool_choice", "function_call"}}
    return body


def listed(body: dict[str, object], name: str) -> list[object]:
    """Return a list of the body, or an empty one in the place of anything else."""
    value = body.get(name)
    return value if isinstance(value, list) else []


def name_of(thing: object, where: str) -> str | None:
    """Return the name that stands at a place of this, if one does."""
    inner = thing.get(where) if isinstance(thing, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else None
