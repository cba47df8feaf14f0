"""The house as its checks see it: which files there are, which rooms, which ports."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import tiercel

__all__ = ["PROGRAMS", "ROOT", "SRC", "floors", "modules", "pages", "parsed", "project", "rooms_with_code", "texts"]

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "tiercel"
# Where Python lives, ours and the checks' alike.
PROGRAMS = sorted(path for folder in ("src", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py"))
# What tools build and remember; nobody reads it.
BUILT = {".git", ".venv", "__pycache__", "build", "dist", ".coverage", ".hypothesis"}
TEXT = {
    ".md",
    ".py",
    ".toml",
    ".txt",
    ".in",
    ".json",
    ".html",
    ".css",
    ".js",
    ".svg",
    ".h",
    ".lua",
    ".yaml",
    ".yml",
    "",
}


@cache
def parsed(path: Path) -> ast.Module:
    """Return a program's syntax."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def floors() -> list[list[str]]:
    """Return the rooms floor by floor, top first, as import-linter holds them."""
    (layers,) = (c["layers"] for c in project()["tool"]["importlinter"]["contracts"] if c["id"] == "floors")
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def rooms_with_code() -> list[str]:
    """Return the rooms that hold more than a door sign."""
    rooms = sorted(path.stem for path in SRC.iterdir() if path.is_dir() or path.suffix == ".py")
    return [room for room in rooms if not room.startswith("__") and _has_code(room)]


def _has_code(room: str) -> bool:
    files = [SRC / f"{room}.py"] if (SRC / f"{room}.py").exists() else sorted((SRC / room).rglob("*.py"))
    return any(isinstance(node, ast.ClassDef | ast.FunctionDef) for file in files for node in ast.walk(parsed(file)))


@cache
def modules() -> tuple[ModuleType, ...]:
    """Import every module of the package."""
    found = pkgutil.walk_packages(tiercel.__path__, "tiercel.")
    return (
        tiercel,
        *(importlib.import_module(module.name) for module in found if not module.name.endswith("__main__")),
    )


def pages() -> list[Path]:
    """Return every page of the documentation."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text in the tree, ours and not built, with its place."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        built = any(part in BUILT or part.endswith(("_cache", ".egg-info")) for part in parts)
        if path.is_file() and not built and path.suffix in TEXT:
            yield "/".join(parts), path.read_text(encoding="utf-8")
