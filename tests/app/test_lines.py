"""An error in a TOML file points at the line where the key stands, however the file is written."""

from __future__ import annotations

import datetime as dt
import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.app.settings.lines import Path, dotted, locate

TEXT = '''\
# engines = { wrong = 1 }
title = "a # b [c]"   # not a table

[server]
host = "h"
"quoted key" = 1
'it em' = 2
sub.dotted . "deep.er" = 3

[engines."gpt-4.1"]
url = """
[not.a.table]
key = "no"
"""
more = \'\'\'
x = 1\'\'\'
price = { input = 1.5, output = 2, "as of" = { day = 2026-01-02 } }
stops = [
  "a]",  # one
  [ 1,
    2 ],
  { b = "}" },
]
after = 1

[[rules]]
name = "one"
[rules.inner]
deep = true
[[rules.list]]
n = 1
[[rules.list]]
n = 2
[[rules]]
name = "two"
'''

EXPECTED: dict[Path, int] = {
    ("title",): 2,
    ("server",): 4,
    ("server", "host"): 5,
    ("server", "quoted key"): 6,
    ("server", "it em"): 7,
    ("server", "sub", "dotted", "deep.er"): 8,
    ("engines", "gpt-4.1"): 10,
    ("engines", "gpt-4.1", "url"): 11,
    ("engines", "gpt-4.1", "more"): 15,
    ("engines", "gpt-4.1", "price"): 17,
    ("engines", "gpt-4.1", "price", "as of", "day"): 17,
    ("engines", "gpt-4.1", "stops"): 18,
    ("engines", "gpt-4.1", "stops", 0): 19,
    ("engines", "gpt-4.1", "stops", 1, 0): 20,
    ("engines", "gpt-4.1", "stops", 1, 1): 21,
    ("engines", "gpt-4.1", "stops", 2, "b"): 22,
    ("engines", "gpt-4.1", "after"): 24,
    ("rules", 0, "name"): 27,
    ("rules", 0, "inner", "deep"): 29,
    ("rules", 0, "list", 1, "n"): 33,
    ("rules", 1): 34,
    ("rules", 1, "name"): 35,
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_way_to_write_a_key_is_found_on_its_line(newline: str) -> None:
    lines = locate(TEXT.replace("\n", newline))
    assert {path: lines[path] for path in EXPECTED} == EXPECTED


def paths_in(value: object, path: Path = ()) -> set[Path]:
    found = {path} if path else set()
    if isinstance(value, dict):
        for name, below in value.items():
            found |= paths_in(below, (*path, str(name)))
    if isinstance(value, list):
        for index, below in enumerate(value):
            found |= paths_in(below, (*path, index))
    return found


names = st.sampled_from(["a", "b-c", "x.y", "", "7", "ключ", 'q"t', "é", "#", "] =", "a=b", "'"])
scalars = st.one_of(
    st.integers(-9, 10**9),
    st.floats(allow_nan=False),
    st.booleans(),
    st.text("aZ09 #[]=\"'\\.,{}\té☃", max_size=8),
    st.just(dt.date(2026, 1, 2)),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


def inline(value: object) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{json.dumps(k)} = {inline(v)}" for k, v in value.items()) + " }"
        case list():
            return "[ # a list\n" + "".join(f"\n  {inline(v)}," for v in value) + "]"
        case dt.date() | float():
            return str(value)
        case str() if "'" not in value and '"' in value:
            return f"'{value}'"
        case str() if value.isalpha():
            return f'"""\n{value}"""'
        case _:
            return json.dumps(value)


@given(st.dictionaries(names, st.dictionaries(names, values, max_size=4), max_size=4))
def test_whatever_toml_finds_is_located_and_nothing_else(tree: dict[str, dict[str, object]]) -> None:
    text = "".join(
        f"\n[{json.dumps(table)}] # {json.dumps(table)}\n"
        + "".join(f"{json.dumps(key)} = {inline(value)} # = [x]\n" for key, value in pairs.items())
        for table, pairs in tree.items()
    )
    lines = locate(text)
    assert set(lines) == paths_in(tomllib.loads(text))
    source = text.split("\n")
    for path, line in lines.items():
        if isinstance(path[-1], str):
            assert json.dumps(path[-1]) in source[line - 1]


@given(st.lists(st.tuples(st.integers(0, 3), names), max_size=8))
def test_lists_of_tables_keep_their_own_lines(items: list[tuple[int, str]]) -> None:
    text, expected = "", {}
    for index, (blank, name) in enumerate(items):
        text += "\n" * blank + f"[[many]]\n{json.dumps(name)}.x = 1\n"
        expected["many", index, name, "x"] = text.count("\n")
    lines = locate(text)
    assert set(lines) == paths_in(tomllib.loads(text))
    assert {path: lines[path] for path in expected} == expected


def test_a_path_is_written_as_toml_writes_it() -> None:
    assert dotted(("engines", "gpt-4.1", "rungs", 2)) == 'engines."gpt-4.1".rungs[2]'
