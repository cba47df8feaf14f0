"""Holds what was written against the structs: every key known, every value of its type and within its bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Literal, TypeGuard, Union, get_args, get_origin

import msgspec

from tiercel.app.settings.lines import Path, dotted
from tiercel.app.settings.problems import Problems, nearest, shown

__all__ = ["Tree", "check_fields"]

Tree = dict[str, object]

_DAY_MS = 86_400_000.0

# Lowest and highest value by the last part of the key, or by its last two where one name means two things.
_BOUNDS: dict[str, tuple[float, float]] = {
    "port": (0, 65_535),
    "max_running": (1, 1_000_000),
    "max_connections": (1, 65_535),
    "context_tokens": (1, 100_000_000),
    "input": (0, 1_000_000),
    "output": (0, 1_000_000),
    "connect_ms": (1, 60_000),
    "hedge_ms": (0, _DAY_MS),
    "retry_share": (0, 1),
    "hedge_share": (0, 1),
    "limits.target_bytes": (256, 64 * 1024),
    "limits.head_bytes": (1_024, 1024 * 1024),
    "limits.head_fields": (8, 1_000),
    "limits.body_bytes": (1_024, 256 * 1024 * 1024),
    "limits.json_depth": (8, 512),
    "limits.connections": (0, 1_000_000),
    "limits.connections_per_address": (0, 1_000_000),
    "limits.body_bytes_per_s": (0, 1_000_000_000),
}
# Otherwise by the unit that its name ends with; what has none is a count.
_BY_UNIT: dict[str, tuple[float, float]] = {"ms": (1, _DAY_MS), "s": (0.05, 86_400), "bytes": (1_024, 16 * 1024**3)}
_COUNT = (1, 100_000_000)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_fields(tree: Mapping[str, object], kind: object, raws: Mapping[Path, str], problems: Problems) -> Tree:
    """Return the tree with the texts of environment variables settled, having noted everything that is wrong with it.

    ``raws`` holds, for values that came from the environment, the text as it stood there: where a text is wanted,
    ``8000`` means the text and not the number.
    """
    checked = _Walk(raws, problems).value(tree, kind, ())
    return checked if isinstance(checked, dict) else {}


class _Walk:
    def __init__(self, raws: Mapping[Path, str], problems: Problems) -> None:
        self._raws = raws
        self._problems = problems

    def value(self, value: object, kind: object, path: Path) -> object:
        if _is_struct(kind):
            return self._struct(value, kind, path)
        if get_origin(kind) is dict:
            return self._table(value, kind, path)
        if get_origin(kind) in (Union, UnionType):
            if value is None:
                return None
            (inner,) = (k for k in get_args(kind) if k is not NoneType)
            return self.value(value, inner, path)
        return self._leaf(value, kind, path)

    def _struct(self, value: object, kind: type[msgspec.Struct], path: Path) -> Tree | None:
        if not isinstance(value, Mapping):
            self._not_a_table(value, path)
            return None
        known = {field.name: field for field in msgspec.structs.fields(kind)}
        out: Tree = {}
        for name, inner in value.items():
            if name in known:
                out[name] = self.value(inner, known[name].type, (*path, name))
            else:
                self._unknown((*path, name), list(known))
        for name, field in known.items():
            if field.required and name not in value:
                needs = f"{dotted(path)} needs {name}: {_wanted(field.type)}"
                self._problems.add(path, needs)
        return out

    def _table(self, value: object, kind: object, path: Path) -> Tree | None:
        if not isinstance(value, Mapping):
            self._not_a_table(value, path)
            return None
        key_kind, value_kind = get_args(kind)
        names = get_args(key_kind) if get_origin(key_kind) is Literal else ()
        out: Tree = {}
        for name, inner in value.items():
            if names and name not in names:
                self._unknown((*path, name), list(names))
            else:
                out[name] = self.value(inner, value_kind, (*path, name))
        return out

    def _leaf(self, value: object, kind: object, path: Path) -> object:
        for attempt in (value, self._raws.get(path)):
            try:
                done: object = msgspec.convert(attempt, kind)
            except msgspec.ValidationError:
                continue
            return self._bounded(done, path)
        hint = nearest(value, get_args(kind)) if isinstance(value, str) and get_origin(kind) is Literal else ""
        # What stands where a secret's place should be named may be the secret.
        said = "" if path[-1] == "key" else f" = {shown(value)}"
        self._problems.add(path, f"{dotted(path)}{said}: expected {_wanted(kind)}.{hint}", _item(value, path))
        return value

    def _bounded(self, value: object, path: Path) -> object:
        name = str(path[-1])
        if isinstance(value, float | int) and not isinstance(value, bool):
            low, high = (
                _BOUNDS.get(f"{path[-2]}.{name}")
                or _BOUNDS.get(name)
                or _BY_UNIT.get(name.rpartition("_")[2])
                or _COUNT
            )
            if not low <= value <= high:  # also false for a value that is not a number
                self._problems.add(path, f"{dotted(path)} = {value:g}: allowed are {low:g} to {high:.0f}")
        elif name == "as_of" and not _DATE.fullmatch(str(value)):
            self._problems.add(path, f"{dotted(path)} = {shown(value)}: write the day of that price as YYYY-MM-DD")
        return list(value) if isinstance(value, tuple) else value

    def _unknown(self, path: Path, known: list[str]) -> None:
        name = str(path[-1])
        where = dotted(path[:-1]) or "the top level"
        allowed = ", ".join(sorted(known))
        hint = nearest(name, known)
        self._problems.add(path, f"{dotted(path)}: no such key.{hint} Allowed in {where}: {allowed}")

    def _not_a_table(self, value: object, path: Path) -> None:
        self._problems.add(path, f"{dotted(path)} = {shown(value)}: expected a table, [{dotted(path)}]")


def _is_struct(kind: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _item(value: object, path: Path) -> Path:
    """Point at the first item of a list that is not a text, so that its own line is shown."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if not isinstance(item, str):
                return (*path, index)
    return path


def _wanted(kind: object) -> str:
    """Say in words what a type allows."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(shown(one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return 'a list of texts, ["...", "..."]'
    words = {str: 'a text, "..."', bool: "true or false", int: "a whole number", float: "a number"}
    return words.get(kind, "a table") if isinstance(kind, type) else "another kind of value"
