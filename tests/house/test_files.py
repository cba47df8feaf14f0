"""The shape of the house: small files, honest names, a sentence on every door."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from house.tree import PROGRAMS, ROOT, SRC, parsed, texts

BANNED_NAMES = {"base", "common", "core", "helper", "helpers", "manager", "misc", "shared", "types", "util", "utils"}
MOST_LINES, USUAL_LINES = 500, 400
MOST_FUNCTION_LINES, USUAL_FUNCTION_LINES = 60, 40
# So many in a hundred may be longer than usual; none may be longer than the most.
EXCEPTIONS = 0.05

# Written in pieces, so that this file may pass its own rule.
MARKS = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")
FOREIGN = re.compile(
    "/wo" + r"rk/|(?<![\w./-])sha" + r"red/|(?<![\w./-])evi" + r"dence/|\bwork" + r"place\b|\bsit" + r"tings?\b"
    "|py" + r"pi\.org|python" + r"hosted|npm" + r"js\.|deb\.deb" + r"ian\.org",
    re.IGNORECASE,
)

each_program = pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@each_program
def test_a_file_has_a_name_that_says_something(path: Path) -> None:
    assert path.stem not in BANNED_NAMES


@each_program
def test_a_file_opens_with_a_sentence_on_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(parsed(path)) or ""
    first = docstring.partition("\n\n")[0].rstrip()
    assert first.endswith((".", "?")), "the first paragraph is one sentence on what this file is for"


@each_program
def test_a_file_and_its_functions_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert [(name, lines) for name, lines in functions(path) if lines > MOST_FUNCTION_LINES] == []


def test_long_files_and_functions_are_the_exception() -> None:
    files = [len(path.read_text(encoding="utf-8").splitlines()) for path in PROGRAMS]
    lengths = [lines for path in PROGRAMS for _, lines in functions(path)]
    assert sum(lines > USUAL_LINES for lines in files) <= EXCEPTIONS * len(files)
    assert sum(lines > USUAL_FUNCTION_LINES for lines in lengths) <= EXCEPTIONS * len(lengths)


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda path: str(path.relative_to(SRC)))
def test_a_module_says_what_others_may_use(path: Path) -> None:
    tree = parsed(path)
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    exported: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            exported = set(ast.literal_eval(node.value))
    assert defined <= exported, "a public name is in __all__, any other begins with an underscore"


def test_no_work_is_left_as_a_mark_in_the_code() -> None:
    marked = [place for place, text in texts() if MARKS.search(text) and not place.startswith("requirements/")]
    assert marked == []


def test_the_tree_speaks_of_tiercel_alone() -> None:
    said = [(place, found[0]) for place, text in texts() for found in FOREIGN.finditer(text) if place != "LICENSE"]
    assert said == []
