"""Which JSON schemas the API can hold an answer to by itself; the others go to a tool that takes them."""

from __future__ import annotations

import msgspec

from tiercel.engines.anthropic.words import NOT_JSON

__all__ = ["expressible"]

_TYPES = frozenset(("object", "array", "string", "integer", "number", "boolean", "null"))
_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"),
)
_REMARKS = frozenset(("title", "description", "$defs", "definitions", "$schema"))
_MEMBERS = {
    "object": frozenset(("properties", "required", "additionalProperties")),
    "array": frozenset(("items", "minItems")),
    "string": frozenset(("format",)),
}


def expressible(raw: msgspec.Raw) -> bool:
    """Return whether the API takes this schema as it is: closed objects, no bounds, no recursion."""
    try:
        schema = msgspec.json.decode(raw)
        return isinstance(schema, dict) and _Judge(schema).fits()
    except NOT_JSON:
        return False


class _Judge:
    """Walks one schema."""

    def __init__(self, root: dict[str, object]) -> None:
        self._root = root
        # References seen so far: whether what they name fits. One that is still open leads back to itself.
        self._known: dict[str, bool] = {}

    def fits(self) -> bool:
        """Return whether every part can be kept."""
        named = [self._root.get(key, {}) for key in ("$defs", "definitions")]
        return self._node(self._root) and all(
            isinstance(group, dict) and all(map(self._node, group.values())) for group in named
        )

    def _node(self, node: object) -> bool:
        if not isinstance(node, dict):
            return False
        rest = set(node) - _REMARKS
        if rest == {"$ref"}:
            return self._reference(str(node["$ref"]))
        if rest == {"anyOf"}:
            return isinstance(node["anyOf"], list) and bool(node["anyOf"]) and all(map(self._node, node["anyOf"]))
        if "enum" in rest or "const" in rest:
            values = node.get("enum", [node.get("const")])
            return rest <= {"enum", "const", "type"} and isinstance(values, list) and all(map(_plain, values))
        return self._typed(node, rest)

    def _typed(self, node: dict[str, object], rest: set[str]) -> bool:
        kind = node.get("type")
        if not isinstance(kind, str) or kind not in _TYPES or not rest <= {"type"} | _MEMBERS.get(kind, frozenset()):
            return False
        if kind == "object":
            properties = node.get("properties", {})
            return (
                node.get("additionalProperties") is False
                and isinstance(properties, dict)
                and all(map(self._node, properties.values()))
            )
        if kind == "array":
            return node.get("minItems", 0) in (0, 1) and self._node(node.get("items"))
        return str(node.get("format", "uuid")) in _FORMATS

    def _reference(self, target: str) -> bool:
        """Follow a reference once; recursion cannot be kept."""
        known = self._known.get(target)
        if known is not None:
            return known
        group, _, name = target.removeprefix("#/").partition("/")
        held = self._root.get(group)
        self._known[target] = False
        fits = group in {"$defs", "definitions"} and isinstance(held, dict) and self._node(held.get(name))
        self._known[target] = fits
        return fits


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
