"""What the fitter makes is what a real validator accepts, and what it spoils is what one refuses."""

from __future__ import annotations

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.rehearsal.fit import Json, Unfit, fit, misfit

_NAMES = st.text("abcdef", min_size=1, max_size=4)


@st.composite
def _numbers(draw: st.DrawFn) -> dict[str, Json]:
    schema: dict[str, Json] = {"type": draw(st.sampled_from(["integer", "number"]))}
    low = draw(st.integers(-100, 100))
    schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = low + draw(st.integers(2, 50))
    return schema


@st.composite
def _strings(draw: st.DrawFn) -> dict[str, Json]:
    least = draw(st.integers(0, 10))
    return {"type": "string", "minLength": least, "maxLength": least + draw(st.integers(0, 10))}


def _objects(inner: st.SearchStrategy[dict[str, Json]]) -> st.SearchStrategy[dict[str, Json]]:
    def made(properties: dict[str, dict[str, Json]]) -> dict[str, Json]:
        closed: dict[str, Json] = {"type": "object", "additionalProperties": False}
        return closed | {"properties": properties, "required": list(properties)}

    return st.dictionaries(_NAMES, inner, min_size=1, max_size=4).map(made)


def _arrays(inner: st.SearchStrategy[dict[str, Json]]) -> st.SearchStrategy[dict[str, Json]]:
    def made(items: dict[str, Json], least: int) -> dict[str, Json]:
        return {"type": "array", "items": items, "minItems": least}

    return st.builds(made, inner, st.integers(0, 3))


_LEAVES: st.SearchStrategy[dict[str, Json]] = st.one_of(
    _numbers(),
    _strings(),
    st.just({"type": "boolean"}),
    st.just({"type": ["string", "null"]}),
    st.just({"const": 7}),
    st.lists(st.integers(0, 9) | st.booleans(), min_size=1, max_size=3).map(lambda values: {"enum": values}),
    st.sampled_from(["date", "date-time", "email", "uuid", "ipv4"]).map(
        lambda kind: {"type": "string", "format": kind}
    ),
)
_SCHEMAS = _objects(st.recursive(_LEAVES, lambda inner: st.one_of(_objects(inner), _arrays(inner)), max_leaves=8))


@given(_SCHEMAS)
def test_what_fits_is_accepted_and_what_is_spoilt_is_not(schema: dict[str, Json]) -> None:
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    value = fit(schema)
    validator.validate(value)
    assert not validator.is_valid(misfit(value))


def test_references_branches_and_depth_are_followed() -> None:
    schema: Json = {
        "$defs": {"place": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
        "type": "object",
        "properties": {
            "at": {"$ref": "#/$defs/place"},
            "next": {"anyOf": [{"type": "string", "pattern": "^z$"}, {"$ref": "#/$defs/place"}]},
            "all": {"allOf": [{"$ref": "#/$defs/place"}]},
        },
        "required": ["at", "next", "all"],
    }
    assert fit(schema) == {"at": {"x": 0}, "next": {"x": 0}, "all": {"x": 0}}


def test_a_recursive_schema_ends_where_it_may() -> None:
    node: dict[str, Json] = {"type": "object", "properties": {"name": {"type": "string"}, "child": {"$ref": "#"}}}
    value = fit(node)
    jsonschema_rs.validate(node, value)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^a$"},
        {"type": "object", "properties": {"again": {"$ref": "#"}}, "required": ["again"]},
        {"$ref": "#/$defs/nowhere"},
        {"enum": []},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "array", "minItems": 2, "uniqueItems": True},
        {"allOf": [{}, {}]},
        {"anyOf": [False]},
        {"type": "string", "minLength": 1_000_000},
        {"type": "frobnicate"},
        False,
    ],
)
def test_what_cannot_be_fitted_is_said(schema: Json) -> None:
    with pytest.raises(Unfit):
        fit(schema)


def test_a_spoilt_scalar_is_a_list() -> None:
    assert misfit(3) == ["wrong"]
    assert misfit({}) == ["wrong"]
    assert misfit({"a": 1, "b": "x"}) == {"a": "wrong", "b": {"wrong": True}}
