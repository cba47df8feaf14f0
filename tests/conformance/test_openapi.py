"""The description that we serve is true: every route is in it, and nothing drawn from it finds us doing otherwise."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from conformance.live import Live, engine, running
from tiercel.app.http.routes import api_routes
from tiercel.app.server import parts_of
from tiercel.app.settings import ServerSpec
from tiercel.route.spec import TierSpec

HERE = Path(__file__).parent
SEED = "20261121"
EXAMPLES = "25"
LIMIT_S = 90


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run a house that can answer all that is described."""
    engines = {"plain": engine(), "embedder": msgspec.structs.replace(engine(), embeddings=True)}
    with running(engines, TierSpec(rungs=("plain", "embedder", "template"), templates_for_all=True)) as live:
        yield live


@pytest.fixture(scope="module")
def description(house: Live) -> dict[str, Any]:
    """Fetch the description as a client would."""
    with urllib.request.urlopen(f"{house.origin}/openapi.json") as reply:  # noqa: S310 - our own address
        assert reply.headers["content-type"] == "application/json"
        found = json.load(reply)
    assert isinstance(found, dict)
    return found


def test_every_route_is_described_and_nothing_else(house: Live, description: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"{\w+(:\w+)?}", "{}", route.path), method)
        for route in api_routes(parts_of(house.built, ServerSpec()))
        for method in route.methods or ("POST",)
        if method != "HEAD"
    }
    described = {
        (re.sub(r"{\w+}", "{}", path), method.upper()) for path, item in description["paths"].items() for method in item
    }
    assert described == routes


def test_the_description_is_whole(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1.")
    text = json.dumps(description)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found: Any = description
        for step in reference.split("/"):
            found = found[step]
    names = [operation["operationId"] for item in description["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)
    for schema in description["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@pytest.mark.timeout(LIMIT_S)
def test_schemathesis_finds_nothing(house: Live, tmp_path: Path) -> None:
    """Thousands of requests, right and wrong, drawn from the description: each gets what the description says."""
    told = ["--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", SEED]
    ran = subprocess.run(  # noqa: S603 - our own programs
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"),
            *(f"{house.origin}/openapi.json", *told, "--continue-on-failure", "--generation-database", "none"),
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "conformance.reaching", "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    # A body that fails may be megabytes.
    assert ran.returncode == 0, "\n".join(line[:2000] for line in (ran.stdout + ran.stderr).splitlines())
    assert "9 selected / 9 total" in ran.stdout
