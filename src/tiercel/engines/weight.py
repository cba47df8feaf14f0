"""How much work a JSON schema can make of one value: a few lines of it can ask for more than a lifetime.

``{"allOf": [x, x]}`` checks a value twice; thirty such steps, each referring to the next, check it a billion times,
and no validator can be interrupted. So the work is counted before it is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tiercel.terms.errors import BadRequest

__all__ = ["MOST_WEIGHT", "Weigher"]

# Checks of one value by one part of a schema; so many take some tens of milliseconds.
MOST_WEIGHT = 2_000_000
# A pattern that looks around has to be tried in many ways; all others take one look at each character.
LOOKING_AROUND = ("(?=", "(?!", "(?<", "\\1", "\\k")
PATTERN_WEIGHT = 100.0
# A schema that contains itself is weighed for values of this depth before any is there.
TYPICAL_DEPTH = 6
DEEPEST = 64
PARAM = "response_format"

# Parts that look at the same value.
SAME_LISTS = ("allOf", "anyOf", "oneOf")
SAME = ("not", "if", "then", "else")
SAME_MAPS = ("dependentSchemas", "dependencies")
# Parts that look at the values inside; of a map's, one value meets one, save for patterns.
INNER = (
    "additionalProperties", "unevaluatedProperties", "propertyNames", "items", "additionalItems", "unevaluatedItems",
    "contains",
)  # fmt: skip
INNER_LISTS = ("items", "prefixItems")
# To know what is left over, the parts beside it are gone through once more.
TWICE = ("unevaluatedProperties", "unevaluatedItems")
UNHEARD = ("$dynamicRef", "$recursiveRef")


class Weigher:
    """Weighs one schema; what it found is kept, so that weighing again costs a look."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._known: dict[tuple[int, int | None], float] = {}
        self._open: set[int] = set()
        # What the schema weighs on any value, however deep; unknown for one that contains itself.
        self._most: float | None = None
        try:
            self._most = weight = self._weigh(root, None)
        except _Endless:
            weight = self._weigh(root, TYPICAL_DEPTH)
        if weight > MOST_WEIGHT:
            raise BadRequest("the schema refers to itself too often to be checked", param=PARAM)

    def weight(self, value: object) -> float:
        """Return how many checks one place of this value can cost."""
        if self._most is not None:
            return self._most
        depth = _depth(value)
        return self._weigh(self._root, depth) if depth <= DEEPEST else float("inf")

    def _weigh(self, node: object, depth: int | None) -> float:
        """Weigh a part on a value with so many values within each other; None: with as many as there may be."""
        if not isinstance(node, Mapping):
            return 1.0
        key = (id(node), depth)
        known = self._known.get(key)
        if known is not None:
            return known
        if depth is None:
            if id(node) in self._open:
                raise _Endless
            self._open.add(id(node))
        else:
            # Whoever comes back here for the same value walks in a circle and never ends.
            self._known[key] = float("inf")
        weight = _patterns(node) + sum(self._weigh(part, depth) for part in self._on_the_same(node))
        if depth != 0:
            below = None if depth is None else depth - 1
            weight += sum(self._heaviest(parts, below) for parts in _inside(node))
        if any(word in node for word in TWICE):
            weight *= 2.0
        self._open.discard(id(node))
        self._known[key] = weight
        return weight

    def _heaviest(self, parts: Iterable[object], depth: int | None) -> float:
        return max((self._weigh(part, depth) for part in parts), default=0.0)

    def _on_the_same(self, node: Mapping[str, object]) -> Iterator[object]:
        if any(word in node for word in UNHEARD):
            raise BadRequest("a schema refers to its parts by $ref only", param=PARAM)
        if "$ref" in node:
            yield self._target(node["$ref"])
        yield from _listed(node, SAME_LISTS)
        yield from (node[word] for word in SAME if word in node)
        yield from _mapped(node, SAME_MAPS)

    def _target(self, reference: object) -> object:
        """Follow a reference into the schema itself; there is no other."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise BadRequest("a schema refers to its own parts only, as in #/$defs/name", param=PARAM)
        found = self._root
        for step in reference[2:].split("/") if reference != "#" else ():
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            else:
                raise BadRequest(f"the schema has no {reference[:80]}", param=PARAM)
        return found


class _Endless(Exception):
    """The schema contains itself."""


def _patterns(node: Mapping[str, object]) -> float:
    """Weigh a part by itself: one look, and more for patterns that look around."""
    named = node.get("patternProperties")
    patterns = [node.get("pattern"), *(named if isinstance(named, Mapping) else ())]
    return 1.0 + PATTERN_WEIGHT * sum(any(sign in str(one) for sign in LOOKING_AROUND) for one in patterns)


def _depth(value: object) -> int:
    """Return how many values a value has within each other."""
    depth, layer = 0, [value]
    while True:
        inner = [part for one in layer for part in _within(one)]
        if not inner:
            return depth
        depth, layer = depth + 1, inner


def _within(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _inside(node: Mapping[str, object]) -> Iterator[Iterable[object]]:
    """Group the parts for values inside, by what can meet the same one."""
    properties = node.get("properties")
    if isinstance(properties, Mapping):
        yield properties.values()
    for part in _mapped(node, ("patternProperties",)):
        yield (part,)
    for word in INNER_LISTS:
        parts = node.get(word)
        if isinstance(parts, list):
            yield parts
    for word in INNER:
        part = node.get(word)
        if isinstance(part, Mapping):
            yield (part,)


def _listed(node: Mapping[str, object], words: Iterable[str]) -> Iterator[object]:
    for word in words:
        parts = node.get(word)
        if isinstance(parts, list):
            yield from parts


def _mapped(node: Mapping[str, object], words: Iterable[str]) -> Iterator[object]:
    for word in words:
        parts = node.get(word)
        if isinstance(parts, Mapping):
            yield from parts.values()
