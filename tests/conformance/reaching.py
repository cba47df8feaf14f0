"""Lets schemathesis reach models: a name drawn at random would nearly always be one that nobody has."""

from __future__ import annotations

import zlib

import schemathesis
from schemathesis import HookContext

NAMES = ("auto", "gold", "silver", "plain", "template", "embedder", "nobody")
LONGEST = 256


@schemathesis.hook
def map_body(context: HookContext, body: object) -> object:
    """Put a name that means something where a valid one stood."""
    if isinstance(body, dict) and isinstance(model := body.get("model"), str) and 0 < len(model) <= LONGEST:
        name = NAMES[zlib.crc32(model.encode("utf-8", "replace")) % len(NAMES)]
        return {**body, "model": name}
    return body
