"""The guide to the API says what the code says: every field, wish, limit, code, route and deadline that there is."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import get_args

import msgspec
import pytest

from house.tree import ROOT, SRC
from tiercel.app.http.limits import LIMITS
from tiercel.app.http.wishes import SERVICE_TIERS
from tiercel.app.settings.shape import DEFAULTS
from tiercel.engines.anthropic.fields import FIELDS
from tiercel.route.spec import RouteSpec
from tiercel.terms.ask import Wishes
from tiercel.terms.errors import Exhausted, Late, NotBuilt, Shed, TooLarge, Unknown, Unsupported, WrongMethod
from tiercel.terms.reply import Outcome, Report

GUIDE = (ROOT / "docs" / "guides" / "api.md").read_text(encoding="utf-8")
DESCRIPTION = json.loads(files("tiercel.app.http").joinpath("openapi.json").read_bytes())
# A library's word and not a caller's.
UNSAID = {"hint_ms"}
# In the two places where it stands, what it means there is said in prose.
APART = {"tiercel", "service_tier"}


def table(first: str) -> dict[str, list[str]]:
    """Return the rows of the table whose head begins so; a cell that names several things is as many rows."""
    begin = GUIDE.index(f"| {first} |")
    rows: dict[str, list[str]] = {}
    for line in GUIDE[begin:].split("\n\n", 1)[0].splitlines()[2:]:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows.update(dict.fromkeys(re.findall(r"`([^`]+)`", name) or [name], cells))
    return rows


def test_every_field_is_there_and_what_becomes_of_it() -> None:
    rows = table("field")
    assert set(DESCRIPTION["components"]["schemas"]["ChatRequest"]["properties"]) - APART <= set(rows)
    for name, field in FIELDS.items():
        if name not in APART:
            assert field.fate in rows[name][1], name


def test_every_wish_is_there_with_its_header() -> None:
    rows = table("`tiercel` key")
    assert set(rows) == set(Wishes.__struct_fields__) - UNSAID
    described = {one["name"] for one in DESCRIPTION["paths"]["/v1/chat/completions"]["post"]["parameters"]}
    headers = {cells[0].strip("`") for cells in rows.values()} - {"-"}
    assert headers == described - {"x-request-id"}


def test_every_service_tier_is_there() -> None:
    line = next(line for line in GUIDE.splitlines() if line.startswith("- `service_tier`"))
    paragraph = GUIDE[GUIDE.index(line) :].split("\n- ", 1)[0]
    assert set(SERVICE_TIERS) <= set(re.findall(r"`(\w+)`", paragraph))


def test_every_limit_is_there_with_its_default() -> None:
    said = {name: float(cells[0].split()[0]) for name, cells in table("key | default").items()}
    assert said == msgspec.structs.asdict(LIMITS)


def test_every_key_of_the_report_and_every_outcome_is_there() -> None:
    assert set(table("key | header")) == set(Report.__struct_fields__)
    paragraph = GUIDE[GUIDE.index("An attempt's outcome") :].split("\n\n", 1)[0]
    assert set(re.findall(r"`(\w+)`", paragraph)) == set(get_args(Outcome))


def test_every_code_of_an_error_is_there() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (SRC / "app" / "http").glob("*.py"))
    errors = (Exhausted, Late, NotBuilt, Shed, TooLarge, Unknown, Unsupported, WrongMethod)
    codes = {*re.findall(r'code="(\w+)"', sources), *(error.code for error in errors), "internal", "policy"}
    begin = GUIDE.index("| status | `code` |")
    assert codes <= set(re.findall(r"`(\w+)`", GUIDE[begin:].split("\n\n", 1)[0]))


def test_every_route_is_there() -> None:
    begin = GUIDE.index("| route |")
    said = set(re.findall(r"`(?:GET|POST) (\S+)`", GUIDE[begin:].split("\n\n", 1)[0]))
    described = {path.replace("{model}", "{name}") for path in DESCRIPTION["paths"]}
    assert said == described | {"/"}


@pytest.mark.parametrize("tier", ["gold", "silver"])
def test_the_times_of_a_tier_are_its_defaults(tier: str) -> None:
    spec = {str(name): one for name, one in DEFAULTS.tiers.items()}[tier]
    assert table("asked for")[tier] == [words(spec.first_ms), words(spec.total_ms), words(spec.max_ms)]


def test_the_times_of_an_engine_are_the_defaults() -> None:
    route = RouteSpec()
    told = table("asked for")["an engine by name"]
    assert told[:2] == [words(route.named_first_ms), words(route.named_total_ms)]


def words(ms: float) -> str:
    """Say a time as a person does."""
    if ms > 60_000:
        return f"{ms / 60_000:g} min"
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"
