"""What the documentation shows is true: its Python runs, its commands exist.

A fence that opens with ```python run is run, together with the others of its page, in one new interpreter; any other
```python fence must at least be Python. In a ```sh or ```console fence every `tiercel` command and every `make` target
must exist.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from house.tree import ROOT, pages
from tiercel.app.cli.program import COMMANDS

FENCE = re.compile(r"^```(?P<kind>\w+)(?P<run> run)?[^\n]*\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
SHELLS = {"sh", "bash", "shell", "console"}
TIERCEL = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?tiercel(?: (?P<command>[a-z][a-z-]*))?", re.MULTILINE)
MAKE = re.compile(r"^(?:\$ )?make (?P<target>[a-z]+)", re.MULTILINE)
WHOLE_PAGE_S = 30


def fences(page: Path) -> list[re.Match[str]]:
    return list(FENCE.finditer(page.read_text(encoding="utf-8")))


def to_run(page: Path) -> list[str]:
    return [fence["body"] for fence in fences(page) if fence["kind"] == "python" and fence["run"]]


def shell(page: Path) -> str:
    return "\n".join(fence["body"] for fence in fences(page) if fence["kind"] in SHELLS)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", pages(), ids=name)


@every_page
def test_python_in_a_page_is_python(page: Path) -> None:
    for fence in fences(page):
        if fence["kind"] == "python":
            ast.parse(fence["body"])


@pytest.mark.parametrize("page", [page for page in pages() if to_run(page)], ids=name)
def test_python_that_is_marked_runs(page: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-W", "error", "-c", "\n".join(to_run(page))]
    ran = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=WHOLE_PAGE_S)  # noqa: S603 - our own page
    assert ran.returncode == 0, ran.stderr


@every_page
def test_every_command_in_a_page_exists(page: Path) -> None:
    shown = {found["command"] for found in TIERCEL.finditer(shell(page)) if found["command"]}
    assert shown <= set(COMMANDS)


@every_page
def test_every_make_target_in_a_page_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    prose = re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8"))
    assert {found["target"] for found in MAKE.finditer(shell(page))} | set(prose) <= targets
