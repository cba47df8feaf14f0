"""A value that fits a JSON schema, so that a rehearsed engine keeps the contract a request demands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""What JSON can say."""

Schema = Mapping[str, Json]

_DEEPEST: Final = 32
_OPTIONAL_UNTIL: Final = 4
_MOST_ITEMS: Final = 1000
_LONGEST: Final = 1 << 16
_FORMATS: Final = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "npc@rehearsal.invalid",
    "hostname": "rehearsal.invalid",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "http://rehearsal.invalid/",
}
_BOUNDS: Final = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")


class Unfit(ValueError):
    """The schema asks for what this small fitter cannot make (a pattern, or depth without end)."""


def fit(schema: Json) -> Json:
    """Make the plainest value that fits; raises ``Unfit``."""
    return _Fitting(schema).value(schema, 0)


def misfit(value: Json) -> Json:
    """Spoil a fitting value: every property gets another type, and what has none becomes a list of one word."""
    if isinstance(value, Mapping) and value:
        return {name: "wrong" if not isinstance(inner, str) else {"wrong": True} for name, inner in value.items()}
    return ["wrong"]


class _Fitting:
    """One walk through one schema; ``root`` is where its references point."""

    def __init__(self, root: Json) -> None:
        self._root = root

    def value(self, schema: Json, depth: int) -> Json:
        if depth > _DEEPEST:
            raise Unfit("the schema demands depth without end")
        if schema is False:
            raise Unfit("nothing fits a schema that is false")
        if not isinstance(schema, Mapping):
            return "anything"
        for keyword, resolve in _RESOLVERS.items():
            if keyword in schema:
                return resolve(self, schema[keyword], depth)
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        return self._array(schema, depth) if kind == "array" else _scalar(kind, schema)

    def reference(self, where: Json, depth: int) -> Json:
        found = self._root
        for step in str(where).removeprefix("#").strip("/").split("/"):
            if step and not (isinstance(found, Mapping) and step in found):
                raise Unfit(f"nothing is at {where!r}")
            found = found[step] if step and isinstance(found, Mapping) else found
        return self.value(found, depth + 1)

    def constant(self, value: Json, depth: int) -> Json:
        return value

    def choice(self, values: Json, depth: int) -> Json:
        return _listed(values)[0]

    def branch(self, branches: Json, depth: int) -> Json:
        for branch in _listed(branches):
            try:
                return self.value(branch, depth + 1)
            except Unfit:
                continue
        raise Unfit("no branch can be fitted")

    def only(self, branches: Json, depth: int) -> Json:
        listed = _listed(branches)
        if len(listed) != 1:
            raise Unfit("allOf of several schemas")
        return self.value(listed[0], depth + 1)

    def _object(self, schema: Schema, depth: int) -> Json:
        properties = schema.get("properties")
        named: Schema = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required")
        wanted = [str(name) for name in required] if isinstance(required, Sequence) else []
        if depth < _OPTIONAL_UNTIL:
            wanted += [name for name in named if name not in wanted]
        return {name: self.value(named.get(name, True), depth + 1) for name in wanted}

    def _array(self, schema: Schema, depth: int) -> Json:
        least = int(_number(schema, "minItems", 0))
        most = int(_number(schema, "maxItems", _MOST_ITEMS))
        if least > _MOST_ITEMS or (least > 1 and schema.get("uniqueItems") is True):
            raise Unfit("that many items, or items that must differ")
        wanted = max(least, 1 if most >= 1 and depth < _OPTIONAL_UNTIL else 0)
        return [self.value(schema.get("items", True), depth + 1)] * wanted if wanted else []


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return str(kind if isinstance(kind, str) else _listed(kind)[0])


def _listed(value: Json) -> Sequence[Json]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise Unfit("a list of values is missing")
    return value


def _scalar(kind: str, schema: Schema) -> Json:
    match kind:
        case "string":
            return _string(schema)
        case "integer":
            return int(_within(schema, whole=True))
        case "number":
            return _within(schema, whole=False)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            raise Unfit(f"no such type: {kind!r}")


def _string(schema: Schema) -> str:
    if "pattern" in schema:
        raise Unfit("a pattern")
    word = _FORMATS.get(str(schema.get("format", "")), "word")
    least, most = int(_number(schema, "minLength", 0)), int(_number(schema, "maxLength", _LONGEST))
    if least > _LONGEST:
        raise Unfit("a string that long")
    return (word + "." * (least - len(word)))[:most]


def _within(schema: Schema, *, whole: bool) -> int | float:
    """Try zero, every bound, the steps beside them and the middle; the first that keeps all rules is it."""
    step = _number(schema, "multipleOf", 1)
    bounds = [_number(schema, keyword, 0) for keyword in _BOUNDS]
    for anchor in (0, *bounds, (max(bounds) + min(bounds)) / 2):
        for value in (anchor, anchor + step, anchor - step, anchor // step * step, -(-anchor // step) * step):
            if _keeps(schema, value) and (not whole or value == int(value)):
                return value
    raise Unfit("no plain number fits the bounds")


def _keeps(schema: Schema, value: float) -> bool:
    return (
        value >= _number(schema, "minimum", value)
        and value <= _number(schema, "maximum", value)
        and value > _number(schema, "exclusiveMinimum", value - 1)
        and value < _number(schema, "exclusiveMaximum", value + 1)
        and value % _number(schema, "multipleOf", value or 1) == 0
    )


def _number(schema: Schema, keyword: str, otherwise: float) -> int | float:
    value = schema.get(keyword)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


_RESOLVERS: Final[dict[str, Callable[[_Fitting, Json, int], Json]]] = {
    "$ref": _Fitting.reference,
    "const": _Fitting.constant,
    "enum": _Fitting.choice,
    "anyOf": _Fitting.branch,
    "oneOf": _Fitting.branch,
    "allOf": _Fitting.only,
}
