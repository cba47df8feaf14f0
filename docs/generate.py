"""Writes the parts of the documentation that the code knows better: `make docs` writes them, a test finds drift.

A page asks for one with a pair of comments, `<!-- generated: floors -->` and `<!-- end of floors -->`; what stands
between them is replaced.

    python docs/generate.py [--check]
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from figures import faults, gateways, promises

from tiercel.telemetry.product import PRODUCT, Metric

ROOT = Path(__file__).parents[1]
CITATION = re.compile(r"Statements? (?P<numbers>\d+(?:(?:, | and | to )\d+)*)")
BLOCK = re.compile(r"<!-- generated: (?P<name>[a-z-]+) -->\n(?P<body>.*?)<!-- end of (?P=name) -->", re.DOTALL)


def pages() -> Iterator[Path]:
    """Yield every page that may hold generated parts."""
    yield from sorted(ROOT.glob("*.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


def floors() -> str:
    """Return the floors of the house, top first, as import-linter holds them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "floors")
    return "".join(f"{number}. {_rooms(layer)}\n" for number, layer in enumerate(layers, start=1))


def metrics() -> str:
    """Return the table of metrics, as the product declares them."""
    head = "| metric | kind | labels | unit | what it tells | OpenTelemetry |\n|---|---|---|---|---|---|\n"
    return head + "".join(_row(metric) for metric in PRODUCT)


def values() -> str:
    """Return the closed set of values of each label."""
    sets: dict[tuple[str, str], list[str]] = {}
    for metric in PRODUCT:
        for label, allowed in metric.labels.items():
            sets.setdefault((label, ", ".join(f"`{value}`" for value in allowed)), []).append(f"`{metric.name}`")
    several = {label for label, _ in sets if sum(other == label for other, _ in sets) > 1}
    return "".join(
        f"- `{label}`{' of ' + ', '.join(where) if label in several else ''}: {allowed}\n"
        for (label, allowed), where in sets.items()
    )


def statements() -> str:
    """Return the table of statements, each with the tests that cite its number or the capability that will bring it."""
    known = tomllib.loads((ROOT / "docs" / "statements.toml").read_text(encoding="utf-8"))
    proofs = _citations()
    lines = ["| # | statement | seen in | proven by |", "|---|---|---|---|"]
    for number, entry in known.items():
        where = "<br>".join(f"`{test}`" for test in proofs.get(int(number), ()))
        later = f"later, with {entry['later']}" if "later" in entry else "**not yet**"
        lines.append(f"| {number} | {entry['says']} | {entry['seen']} | {where or later} |")
    return "\n".join(lines) + "\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "floors": floors,
    "metrics": metrics,
    "label-values": values,
    "statements": statements,
    "promises": promises,
    "gateways": gateways,
    "faults": faults,
}


def renewed(text: str) -> str:
    """Return a page with its generated parts as they should be; an unknown part is an error."""

    def fill(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- generated: {name} -->\n{PARTS[name]()}<!-- end of {name} -->"

    return BLOCK.sub(fill, text)


def _citations() -> dict[int, list[str]]:
    """Return for each statement the tests and benchmarks whose docstrings cite it."""
    found: dict[int, list[str]] = {}
    for folder in ("tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name, text in _docstrings(path):
                for cited in CITATION.finditer(text):
                    for number in _numbers(cited["numbers"]):
                        found.setdefault(number, []).append(f"{path.relative_to(ROOT)}::{name}" if name else path.name)
    return found


def _docstrings(path: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield "", ast.get_docstring(tree) or ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, ast.get_docstring(node) or ""


def _numbers(text: str) -> Iterator[int]:
    for part in re.split(r", | and ", text):
        first, _, last = part.partition(" to ")
        yield from range(int(first), int(last or first) + 1)


def _rooms(layer: str) -> str:
    return ", ".join(f"`{room.strip()}`" for room in layer.split("|"))


def _row(metric: Metric) -> str:
    kind = "histogram" if metric.bounds else "counter" if metric.name.endswith("_total") else "gauge"
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    otel = f"`{metric.otel}`" if metric.otel else ""
    return f"| `{metric.name}` | {kind} | {labels} | {metric.unit} | {metric.about} | {otel} |\n"


def main() -> int:
    """Write every page anew, or only name those that would change."""
    parser = argparse.ArgumentParser(description="Write the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail when something would change")
    check = parser.parse_args().check
    stale = [page for page in pages() if renewed(page.read_text(encoding="utf-8")) != page.read_text(encoding="utf-8")]
    for page in stale:
        print(f"{'stale' if check else 'written'}: {page.relative_to(ROOT)}")
        if not check:
            page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
