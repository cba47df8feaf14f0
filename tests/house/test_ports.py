"""The ports: each says what it promises, and whoever adapts one is in its contract suite."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from house.tree import ROOT, SRC, modules, parsed

REGISTRY = ROOT / "tests" / "contracts" / "registry.toml"


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One port, the suite of its contract, and who must keep it."""

    port: str
    suite: str
    adapters: list[str]
    # Classes that happen to have the same verbs, each with the reason why it is no adapter.
    others: dict[str, str] = {}


def registry() -> tuple[list[Entry], dict[str, str]]:
    found = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    return msgspec.convert(found["port"], list[Entry]), found["roles"]


def protocols(path: Path) -> Iterator[ast.ClassDef]:
    for node in parsed(path).body:
        if isinstance(node, ast.ClassDef) and any(
            ast.unparse(parent).partition("[")[0] == "Protocol" for parent in node.bases
        ):
            yield node


def place(path: Path, name: str) -> str:
    return "tiercel." + ".".join(path.relative_to(SRC).with_suffix("").parts) + f":{name}"


def verbs(protocol: type) -> set[str]:
    """Return what an adapter must be able to do; what it merely has (a name) may be set when it is made."""
    own = (vars(parent) for parent in protocol.__mro__ if parent.__module__.startswith("tiercel."))
    return {name for names in own for name, verb in names.items() if not name.startswith("_") and callable(verb)}


def classes() -> dict[str, type]:
    return {
        f"{module.__name__}:{name}": found
        for module in modules()
        for name, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__
    }


ENTRIES, ROLES = registry()


def silent(protocol: ast.ClassDef) -> Iterator[str]:
    """Yield what a protocol leaves unsaid: its own promise, or that of a verb."""
    if not ast.get_docstring(protocol):
        yield protocol.name
    for verb in protocol.body:
        if isinstance(verb, ast.FunctionDef | ast.AsyncFunctionDef) and not verb.name.startswith("_"):
            said = ast.get_docstring(verb)
            if not said:
                yield f"{protocol.name}.{verb.name}"


def test_a_protocol_says_what_it_and_each_of_its_verbs_promises() -> None:
    found = [
        (str(path.relative_to(SRC)), unsaid)
        for path in sorted(SRC.rglob("*.py"))
        for protocol in protocols(path)
        if not protocol.name.startswith("_")
        for unsaid in silent(protocol)
    ]
    assert found == []


def test_every_protocol_in_a_port_file_is_registered() -> None:
    found = {place(path, protocol.name) for path in SRC.rglob("port.py") for protocol in protocols(path)}
    registered = {entry.port for entry in ENTRIES} | set(ROLES)
    assert found == registered


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.port)
def test_whoever_has_the_verbs_of_a_port_is_in_its_suite(entry: Entry) -> None:
    known = classes()
    wanted = verbs(known[entry.port])
    able = {
        where
        for where, found in known.items()
        if not getattr(found, "_is_protocol", False) and all(hasattr(found, verb) for verb in wanted)
    }
    assert able == {*entry.adapters, *entry.others}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.port)
def test_a_suite_runs_every_adapter_it_is_registered_for(entry: Entry) -> None:
    suite = (ROOT / entry.suite).read_text(encoding="utf-8")
    assert [where for where in entry.adapters if where.partition(":")[2] not in suite] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.port)
def test_a_port_has_few_verbs(entry: Entry) -> None:
    assert 1 <= len(verbs(classes()[entry.port])) <= 6
