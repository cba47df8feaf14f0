"""The shape of the house: small files, honest names, a sentence on every door."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from house.tree import PROGRAMS, ROOT, SRC, parsed, texts

BANNED_NAMES = {"base", "common", "core", "helper", "helpers", "manager", "misc", "shared", "types", "util", "utils"}
MOST_LINES, USUAL_LINES = 500, 400
MOST_FUNCTION_LINES, USUAL_FUNCTION_LINES = 60, 40
# So many in a hundred may be longer than usual; none may be longer than the most.
EXCEPTIONS = 0.05

# Written in pieces, so that this file may pass its own rule.
MARKS = re.compile("TO" + "DO|FIX" + "ME|XX" + "X")
FOREIGN = re.compile(
    "/wo" + r"rk/|(?<![\w./-])sha" + r"red/|(?<![\w./-])evi" + r"dence/|\bwork" + r"place\b"
    "|py" + r"pi\.org|python" + r"hosted|npm" + r"js\.|deb\.deb" + r"ian\.org",
    re.IGNORECASE,
)


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def opening(path: Path) -> str:
    """Return the first paragraph of what a file says about itself."""
    return (ast.get_docstring(parsed(path)) or "").partition("\n\n")[0].rstrip()


def test_a_file_has_a_name_that_says_something() -> None:
    assert [place(path) for path in PROGRAMS if path.stem in BANNED_NAMES] == []


def test_a_file_opens_with_a_sentence_on_what_it_is_for() -> None:
    assert [place(path) for path in PROGRAMS if not opening(path).endswith((".", "?", ":"))] == []


def test_a_file_is_small() -> None:
    assert [(place(path), lines_of(path)) for path in PROGRAMS if lines_of(path) > MOST_LINES] == []


def test_a_function_is_small() -> None:
    lengths = [(place(path), name, lines) for path in PROGRAMS for name, lines in functions(path)]
    assert [found for found in lengths if found[2] > MOST_FUNCTION_LINES] == []


def test_long_files_and_functions_are_the_exception() -> None:
    files = [lines_of(path) for path in PROGRAMS]
    lengths = [lines for path in PROGRAMS for _, lines in functions(path)]
    assert sum(lines > USUAL_LINES for lines in files) <= EXCEPTIONS * len(files)
    assert sum(lines > USUAL_FUNCTION_LINES for lines in lengths) <= EXCEPTIONS * len(lengths)


def defined(tree: ast.Module) -> set[str]:
    named = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    return {node.name for node in named if not node.name.startswith("_")}


def exported(tree: ast.Module) -> set[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return set(ast.literal_eval(node.value))
    return None


def test_a_module_that_lists_its_names_lists_them_all() -> None:
    missing = []
    for path in sorted(SRC.rglob("*.py")):
        names = exported(parsed(path))
        if names is not None and not defined(parsed(path)) <= names:
            missing.append((place(path), sorted(defined(parsed(path)) - names)))
    assert missing == [], "list it in __all__, or begin its name with an underscore"


def test_no_work_is_left_as_a_mark_in_the_code() -> None:
    marked = [place for place, text in texts() if MARKS.search(text) and not place.startswith("requirements/")]
    assert marked == []


def test_the_tree_speaks_of_tiercel_alone() -> None:
    said = [(place, found[0]) for place, text in texts() for found in FOREIGN.finditer(text) if place != "LICENSE"]
    assert said == []
