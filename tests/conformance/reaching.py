"""Lets schemathesis reach models and tools: a name drawn at random would nearly always be one that nobody has."""

from __future__ import annotations

import zlib

import schemathesis
from schemathesis import HookContext

NAMES = ("auto", "gold", "silver", "plain", "template", "embedder", "nobody")
LONGEST = MOST = 256


@schemathesis.hook
def map_body(context: HookContext, body: object) -> object:  # noqa: ARG001 - the names are schemathesis' own
    """Put a model that means something where a valid one stood, and offer the tool that is demanded.

    Nothing else is touched: what was drawn to be wrong stays wrong.
    """
    if not isinstance(body, dict):
        return body
    mapped = dict(body)
    model = mapped.get("model")
    if is_name(model):
        mapped["model"] = NAMES[zlib.crc32(str(model).encode("utf-8", "replace")) % len(NAMES)]
    # That what is demanded fits into an engine's context is what no schema can say.
    for limit in ("max_tokens", "max_completion_tokens"):
        asked = mapped.get(limit)
        if isinstance(asked, (int, float)) and asked > MOST:
            mapped[limit] = MOST
    # Nor that the name is one of those.
    demanded = name_in(mapped.get("tool_choice"), "function")
    if demanded is not None and isinstance(tools := mapped.get("tools"), list) and len(tools) < MOST:
        mapped["tools"] = [{"type": "function", "function": {"name": demanded}}, *tools]
    demanded = name_in(mapped, "function_call")
    if demanded is not None and isinstance(functions := mapped.get("functions", []), list) and len(functions) < MOST:
        mapped["functions"] = [{"name": demanded}, *functions]
    return mapped


def is_name(value: object) -> bool:
    """Tell whether the description allows this as a name."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST


def name_in(thing: object, where: str) -> str | None:
    """Return the valid name that stands at a place of this, if one does."""
    inner = thing.get(where) if isinstance(thing, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    return str(name) if is_name(name) else None
