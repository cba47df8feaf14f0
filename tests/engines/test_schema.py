"""Checking answers against a caller's schema: right, bounded, and never off this machine."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.engines.schema import MOST_BYTES, compiled
from tiercel.engines.weight import MOST_WEIGHT, Weigher
from tiercel.terms.errors import BadRequest

LINE = {
    "type": "object",
    "properties": {"mood": {"enum": ["calm", "angry"]}, "line": {"type": "string", "maxLength": 20}},
    "required": ["mood", "line"],
    "additionalProperties": False,
}
TREE = {"$ref": "#/$defs/node", "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}, "type": "object"}}}
TWINS = {"allOf": [{"properties": {"next": {"$ref": "#"}}}, {"properties": {"next": {"$ref": "#"}}}]}


def raw(schema: object) -> bytes:
    return msgspec.json.encode(schema)


def doubling(steps: int, last: object = None) -> dict[str, object]:
    """Write a schema that checks one value 2 ** steps times."""
    parts: dict[str, object] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(steps)}
    return {"$defs": {**parts, f"d{steps}": last or {"type": "string"}}, "$ref": "#/$defs/d0"}


def nested(depth: int) -> str:
    return '{"next":' * depth + "{}" + "}" * depth


def test_an_answer_that_fits_draws_no_complaint() -> None:
    assert compiled(raw(LINE)).complaint('{"mood":"calm","line":"Well met."}') == ""


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Well met.",
        '{"mood":"calm"}',
        '{"mood":"glad","line":""}',
        '["mood"]',
        '{"mood":"calm","line":"x",}',
        "\ud800",
    ],
)
def test_an_answer_that_does_not_fit_draws_one(answer: str) -> None:
    assert compiled(raw(LINE)).complaint(answer)


def test_a_complaint_names_the_place_in_the_schema_and_none_of_the_words() -> None:
    complaint = compiled(raw(LINE)).complaint('{"mood":"calm","line":"the treasure lies under the old oak"}')
    assert "/properties/line/maxLength" in complaint
    assert "treasure" not in complaint


@pytest.mark.parametrize(
    "schema",
    [
        b'{"type":"strin"}',
        b"[]",
        b'{"type":',
        b"7",
        b'{"pattern":"("}',
        b'{"a":"\xff"}',
        b'{"not":' * 5000,
        b'{"minimum":"x"}',
    ],
)
def test_what_is_no_schema_is_the_callers_mistake(schema: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        compiled(schema)
    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    "reference",
    [
        "http://127.0.0.1:9/x",
        "file:///etc/passwd",
        "other.json",
        "#anchor",
        "#/$defs/missing",
        "http://json-schema.org/draft-07/schema#",
        7,
    ],
)
def test_a_schema_refers_to_nothing_but_itself(reference: object) -> None:
    with pytest.raises(BadRequest):
        compiled(raw({"properties": {"a": {"$ref": reference}}, "$defs": {}}))


@pytest.mark.parametrize("word", ["$schema", "$id"])
def test_naming_another_place_fetches_nothing(word: str) -> None:
    schema = raw({word: "http://127.0.0.1:9/x", "type": "string"})
    if word == "$schema":
        with pytest.raises(BadRequest):
            compiled(schema)
    else:
        assert compiled(schema).complaint('"x"') == ""


def test_a_schema_that_is_too_large_is_refused_unread() -> None:
    with pytest.raises(BadRequest, match=str(MOST_BYTES)):
        compiled(b" " * (MOST_BYTES + 1))


@pytest.mark.parametrize(
    "schema",
    [
        doubling(30),
        {"properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": doubling(30)["$defs"]},
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"},
        {"$dynamicRef": "#x"},
    ],
    ids=["doubling", "doubling inside", "itself", "itself inside", "a circle of two", "dynamic"],
)
def test_a_few_lines_that_would_take_forever_are_refused(schema: object) -> None:
    with pytest.raises(BadRequest):
        compiled(raw(schema))


def test_a_pattern_cannot_take_forever() -> None:
    schema = compiled(raw({"type": "string", "pattern": "^(?=(a+)+$)(a+)+$"}))
    assert schema.complaint(raw("a" * 60 + "b").decode())


def test_a_pattern_that_looks_around_is_taken_and_weighed() -> None:
    decimal = {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"}
    assert compiled(raw(decimal)).complaint('"12.50"') == ""
    assert compiled(raw(decimal)).complaint('"+-"')
    many = doubling(12, decimal)
    assert "too large" in compiled(raw({"items": {"$ref": "#/$defs/d0"}, "$defs": many["$defs"]})).complaint(
        '["1","2","3","4","5","6"]'
    )


def test_parts_are_found_by_any_pointer() -> None:
    schema = {"anyOf": [{"$ref": "#/$defs/a~1b"}, {"$ref": "#/anyOf/0"}], "$defs": {"a/b": {"type": "string"}}}
    assert compiled(raw(schema)).complaint('"x"') == ""
    assert compiled(raw(schema)).complaint("7")


@pytest.mark.parametrize(
    "schema",
    [
        {"items": [{"type": "string"}], "$schema": "http://json-schema.org/draft-07/schema#"},
        {"prefixItems": [{"type": "string"}], "unevaluatedItems": False},
        {"contains": {"type": "string"}, "dependentSchemas": {"a": {"required": ["b"]}}},
    ],
)
def test_every_way_to_look_inside_is_weighed_and_checked(schema: object) -> None:
    assert compiled(raw(schema)).complaint('["x"]') == ""
    assert compiled(raw(schema)).complaint("[7]")


def test_a_list_of_any_length_and_a_tree_may_contain_themselves() -> None:
    tree = compiled(raw(TREE))
    assert tree.complaint(nested(30)) == ""
    assert tree.complaint('{"next":{"next":7}}')


def test_an_answer_too_deep_for_a_schema_that_multiplies_is_not_checked_but_turned_down() -> None:
    twins = compiled(raw(TWINS))
    assert twins.complaint(nested(3)) == ""
    assert "too large" in twins.complaint(nested(40))


SCHEMAS: st.SearchStrategy[dict[str, object]] = st.deferred(
    lambda: st.one_of(
        st.just({"type": "string"}),
        st.just({"$ref": "#/$defs/a"}),
        st.lists(SCHEMAS, min_size=1, max_size=3).map(lambda parts: {"allOf": parts}),
        st.lists(SCHEMAS, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        SCHEMAS.map(lambda part: {"properties": {"n": part}}),
        SCHEMAS.map(lambda part: {"items": part}),
    )
)


@given(
    root=SCHEMAS,
    part=SCHEMAS,
    answer=st.recursive(st.just("x"), lambda v: st.fixed_dictionaries({"n": v}) | st.lists(v, max_size=3)),
)
def test_every_schema_is_either_refused_or_checked_with_bounded_work(
    root: object, part: object, answer: object
) -> None:
    schema = {"$defs": {"a": part}, "allOf": [root]}
    try:
        weigher = Weigher(schema)
    except BadRequest:
        return
    if weigher.weight(answer) <= MOST_WEIGHT:
        compiled(raw(schema)).complaint(raw(answer).decode())
