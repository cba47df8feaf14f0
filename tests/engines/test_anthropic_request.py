"""Every field of a chat request towards Anthropic: mapped, refused or dropped by name, and never silent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_type_hints

import msgspec
import pytest
from openai.types.chat import completion_create_params

from scripted_http import chat
from tiercel.engines.anthropic.fields import FIELDS
from tiercel.engines.anthropic.request import DEFAULT_MAX_TOKENS, translate
from tiercel.engines.anthropic.traits import Traits
from tiercel.terms.errors import BadRequest, Unfit

NEW = "claude-sonnet-5"
RESTLESS = "claude-opus-5-5"
OLD = "claude-haiku-4-5"
STRANGER = "small-npc-model"
MODELS = (NEW, RESTLESS, OLD, STRANGER)

PARAMETERS = {"type": "object", "properties": {"wide": {"type": "boolean"}}, "required": ["wide"]}
STRICT = {**PARAMETERS, "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "open_gate", "description": "Opens.", "parameters": PARAMETERS}}
OTHER = {"type": "function", "function": {"name": "close_gate"}}
SCHEMA = {
    "type": "object",
    "properties": {"mood": {"enum": ["calm"]}},
    "required": ["mood"],
    "additionalProperties": False,
}
LOOSE = {"type": "object", "properties": {"mood": {"type": "string", "maxLength": 9}}}

# A value of every field that asks for something.
SAMPLES: dict[str, object] = {
    "messages": [{"role": "user", "content": "Who goes there?"}],
    "model": "silver",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 17,
    "max_completion_tokens": 18,
    "stop": ["\n\nPlayer:"],
    "tools": [TOOL],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    "reasoning_effort": "low",
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 5,
    "user": "player-7",
    "safety_identifier": "player-8",
    "service_tier": "default",
    "thinking": {"type": "adaptive"},
    "tiercel": {"sla": "realtime"},
    "n": 2,
    "functions": [{"name": "f"}],
    "function_call": {"name": "f"},
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "web_search_options": {},
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "logit_bias": {"1": 2},
    "logprobs": True,
    "top_logprobs": 2,
    "seed": 7,
    "store": True,
    "metadata": {"a": "b"},
    "moderation": {"model": "m"},
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "prompt_cache_options": {"ttl": "12h"},
    "prompt_cache_retention": "24h",
    "verbosity": "high",
}
# These have no say of their own: the model is the engine's, streaming is the ask's, ours are read at the door.
ELSEWHERE = {"model", "stream", "stream_options", "tiercel"}


def sent(engine: str = NEW, told: Mapping[str, object] | None = None, /, **more: object) -> dict[str, object]:
    ask = chat({**(told or {}), **more})
    body: dict[str, object] = msgspec.json.decode(translate(ask, engine, Traits.of(engine)).body)
    return body


def dropped(engine: str = NEW, told: Mapping[str, object] | None = None, /, **more: object) -> set[str]:
    return set(translate(chat({**(told or {}), **more}), engine, Traits.of(engine)).dropped)


def test_every_field_that_openais_client_can_send_has_a_fate() -> None:
    known: set[str] = set()
    for kind in ("CompletionCreateParamsNonStreaming", "CompletionCreateParamsStreaming"):
        known |= set(get_type_hints(getattr(completion_create_params, kind)))
    assert known <= set(FIELDS)
    assert set(SAMPLES) == set(FIELDS)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "name", [name for name, field in FIELDS.items() if field.fate == "mapped" and name not in ELSEWHERE]
)
def test_a_mapped_field_changes_what_is_sent_or_is_named(name: str, model: str) -> None:
    base = {"tools": [TOOL]} if name in {"tool_choice", "parallel_tool_calls"} else {}
    assert sent(model, {**base, name: SAMPLES[name]}) != sent(model, base) or name in dropped(
        model, **{name: SAMPLES[name]}
    )


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.fate == "refused"])
def test_a_refused_field_is_named_by_its_error(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        sent(NEW, {name: SAMPLES[name]})
    assert caught.value.param == name


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.fate == "dropped"])
def test_a_dropped_field_is_named_and_leaves_no_trace(name: str) -> None:
    assert dropped(NEW, {name: SAMPLES[name]}) == {name}
    assert sent(NEW, {name: SAMPLES[name]}) == sent()


def test_an_unknown_field_is_dropped_by_its_name() -> None:
    assert dropped(repetition_penalty=1.1, guided_json={}) == {"repetition_penalty", "guided_json"}


@pytest.mark.parametrize("name", FIELDS)
def test_null_asks_for_nothing(name: str) -> None:
    if name == "messages":
        with pytest.raises(BadRequest):
            sent(messages=None)
    else:
        assert dropped(NEW, {name: None}) == set()
        assert sent(NEW, {name: None}) == sent()


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, field in FIELDS.items() for value in field.moot]
    + [("temperature", 1), ("top_p", 1.0), ("response_format", {"type": "text"}), ("frequency_penalty", 0.0)],
)
def test_a_value_that_asks_for_the_usual_is_neither_sent_nor_named(name: str, value: object) -> None:
    assert dropped(NEW, {name: value}) == set()
    assert sent(NEW, {name: value}) == sent()


def test_the_limit_of_tokens_is_the_callers_or_a_default() -> None:
    assert sent()["max_tokens"] == DEFAULT_MAX_TOKENS
    assert sent(max_tokens=17)["max_tokens"] == 17
    assert sent(max_tokens=17, max_completion_tokens=18)["max_tokens"] == 18


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", "many"),
        ("temperature", "hot"),
        ("stop", [7]),
        ("tools", {}),
        ("tools", [{"type": "custom", "custom": {"name": "sing"}}]),
        ("tool_choice", "maybe"),
        ("tool_choice", {"type": "custom", "custom": {"name": "sing"}}),
        ("tool_choice", {"type": "function", "function": {"name": "nobody_offered_it"}}),
        ("tool_choice", "required"),
        ("response_format", {"type": "grammar"}),
        ("response_format", {"type": "json_schema"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x"}}),
        ("messages", "hello"),
        ("user", 7),
        ("stream_options", []),
    ],
)
def test_a_field_of_the_wrong_form_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(BadRequest) as caught:
        sent(NEW, {name: value})
    assert caught.value.param is not None
    assert caught.value.param.startswith(name)


def test_only_models_that_take_a_temperature_get_one() -> None:
    assert "temperature" not in sent(NEW, temperature=0.5)
    assert dropped(NEW, temperature=0.5, top_p=0.9, top_k=5) == {"temperature", "top_p", "top_k"}
    assert sent(OLD, temperature=0.5)["temperature"] == 0.5
    assert sent(OLD, top_p=0.9, top_k=5).items() >= {"top_p": 0.9, "top_k": 5}.items()


def test_a_temperature_beyond_anthropics_scale_is_dropped_and_not_bent() -> None:
    assert dropped(OLD, temperature=1.2) == {"temperature"}
    assert "temperature" not in sent(OLD, temperature=1.2)


def test_of_temperature_and_top_p_the_api_takes_one() -> None:
    body = sent(OLD, temperature=0.5, top_p=0.9)
    assert (body["temperature"], "top_p" in body) == (0.5, False)
    assert dropped(OLD, temperature=0.5, top_p=0.9) == {"top_p"}


@pytest.mark.parametrize(
    ("model", "effort", "config", "thinking"),
    [
        (NEW, "minimal", {"effort": "low"}, None),
        (NEW, "xhigh", {"effort": "xhigh"}, None),
        (NEW, "none", None, {"type": "disabled"}),
        ("claude-sonnet-5-5", "none", None, {"type": "between_tools"}),
        ("claude-opus-4-8", "none", None, None),
        ("claude-opus-4-6", "xhigh", {"effort": "high"}, None),
        ("claude-opus-4-6", "max", {"effort": "max"}, None),
        ("claude-opus-4-5-20251101", "max", {"effort": "high"}, None),
    ],
)
def test_effort_is_the_nearest_that_the_model_knows(model: str, effort: str, config: object, thinking: object) -> None:
    body = sent(model, reasoning_effort=effort)
    assert (body.get("output_config"), body.get("thinking")) == (config, thinking)
    assert dropped(model, reasoning_effort=effort) == set()


@pytest.mark.parametrize(
    ("model", "effort"),
    [(OLD, "high"), (RESTLESS, "none"), ("claude-fable-5", "none"), (STRANGER, "low"), (NEW, "huge")],
)
def test_effort_that_a_model_cannot_spend_is_dropped_by_name(model: str, effort: str) -> None:
    assert dropped(model, reasoning_effort=effort) == {"reasoning_effort"}


def test_a_stop_of_white_space_alone_is_dropped_and_the_others_stay() -> None:
    assert sent(stop=["\n", "END"])["stop_sequences"] == ["END"]
    assert dropped(stop=["\n", "END"]) == {"stop"}
    assert sent(stop="END")["stop_sequences"] == ["END"]
    assert "stop_sequences" not in sent(stop="\n")


def test_the_caller_is_told_apart_by_one_name() -> None:
    assert sent(user="a", safety_identifier="b")["metadata"] == {"user_id": "b"}
    assert dropped(user="a", safety_identifier="b") == {"user"}
    assert dropped(user="x" * 300) == {"user"}


def test_a_service_tier_that_does_not_exist_there_is_dropped() -> None:
    assert sent(service_tier="default")["service_tier"] == "standard_only"
    assert dropped(service_tier="flex") == {"service_tier"}


def test_options_of_a_stream_that_we_do_not_know_are_named() -> None:
    assert dropped(stream_options={"include_usage": True, "include_obfuscation": True}) == {
        "stream_options.include_obfuscation"
    }


def test_tools_go_through_with_their_schemas_byte_for_byte() -> None:
    schema = b'{"type":"object","properties":{"z":{"const":12345678901234567890.10},"a":{"const":"\\u00e9"}}}'
    ask = chat(tools=[{"type": "function", "function": {"name": "f", "parameters": msgspec.Raw(schema)}}])
    assert schema in translate(ask, NEW, Traits.of(NEW)).body


def test_a_tool_without_parameters_takes_an_object() -> None:
    tools = sent(tools=[OTHER, {"type": "function", "function": {"name": "g", "parameters": {"properties": {}}}}])[
        "tools"
    ]
    assert tools == [
        {"name": "close_gate", "input_schema": {"type": "object"}},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_strict_is_kept_where_the_api_can_keep_it_and_named_where_it_cannot() -> None:
    def strict(parameters: object) -> list[object]:
        return [{"type": "function", "function": {"name": "f", "parameters": parameters, "strict": True}}]

    tool = msgspec.convert(sent(tools=strict(STRICT))["tools"], list[dict[str, object]])[0]
    assert tool["strict"] is True
    assert dropped(tools=strict(PARAMETERS)) == {"tools.strict"}


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, {"type": "auto"}),
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "open_gate"}}, {"type": "tool", "name": "open_gate"}),
    ],
)
def test_the_choice_among_tools_keeps_its_meaning(choice: object, wanted: dict[str, object]) -> None:
    assert sent(tools=[TOOL, OTHER], tool_choice=choice)["tool_choice"] == wanted
    single = {**wanted, "disable_parallel_tool_use": True} if wanted["type"] != "none" else wanted
    assert sent(tools=[TOOL, OTHER], tool_choice=choice, parallel_tool_calls=False)["tool_choice"] == single


def test_a_model_that_cannot_be_forced_is_asked_for_a_call() -> None:
    assert "calling one of the tools" in str(sent(RESTLESS, tools=[TOOL], tool_choice="required")["system"])


def test_a_model_that_cannot_be_forced_is_offered_only_what_is_demanded() -> None:
    body = sent(RESTLESS, tools=[TOOL, OTHER], tool_choice={"type": "function", "function": {"name": "open_gate"}})
    assert body["tool_choice"] == {"type": "auto"}
    assert [tool["name"] for tool in msgspec.convert(body["tools"], list[dict[str, object]])] == ["open_gate"]


def test_allowed_tools_leave_the_others_out() -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}}
    body = sent(tools=[TOOL, OTHER], tool_choice=allowed)
    assert body["tool_choice"] == {"type": "any"}
    assert [tool["name"] for tool in msgspec.convert(body["tools"], list[dict[str, object]])] == ["close_gate"]


def by_schema(schema: object) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}


def test_a_schema_that_the_api_knows_goes_to_the_api() -> None:
    body = sent(response_format=by_schema(SCHEMA), reasoning_effort="low")
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}
    assert "tools" not in body


@pytest.mark.parametrize(("model", "schema"), [(NEW, LOOSE), (OLD, LOOSE), (STRANGER, SCHEMA)])
def test_any_other_schema_becomes_the_input_of_a_tool_that_must_be_called(model: str, schema: object) -> None:
    translation = translate(chat(response_format=by_schema(schema)), model, Traits.of(model))
    body = msgspec.json.decode(translation.body)
    assert translation.answer_tool == "give_answer"
    assert body["tool_choice"] == {"type": "tool", "name": "give_answer"}
    assert body["tools"][0]["input_schema"] == schema


def test_a_model_that_cannot_be_forced_is_told_the_schema_in_words() -> None:
    body = sent(RESTLESS, response_format=by_schema(LOOSE))
    assert "maxLength" in str(body["system"])
    assert "tools" not in body
    assert "JSON object" in str(sent(RESTLESS, response_format={"type": "json_object"})["system"])


def test_a_schema_and_tools_leave_the_model_the_choice_between_them() -> None:
    named = {"type": "function", "function": {"name": "give_answer"}}
    translation = translate(chat(response_format={"type": "json_object"}, tools=[named]), NEW, Traits.of(NEW))
    body = msgspec.json.decode(translation.body)
    assert [tool["name"] for tool in body["tools"]] == ["give_answer", translation.answer_tool]
    assert len({tool["name"] for tool in body["tools"]}) == 2
    assert body["tool_choice"] == {"type": "any"}


def test_a_forced_tool_leaves_no_room_for_an_answer_by_tool() -> None:
    translation = translate(
        chat(response_format={"type": "json_object"}, tools=[TOOL], tool_choice="required"), NEW, Traits.of(NEW)
    )
    assert translation.answer_tool == ""


def test_tools_that_are_only_remembered_are_defined_and_forbidden() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    body = sent(
        messages=[
            {"role": "user", "content": "?"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "a gate"},
        ]
    )
    assert (body["tools"], body["tool_choice"]) == (
        [{"name": "look", "input_schema": {"type": "object"}}],
        {"type": "none"},
    )


def test_an_embedding_is_another_engines_work() -> None:
    with pytest.raises(Unfit):
        translate(msgspec.structs.replace(chat(input="x"), kind="embed"), NEW, Traits.of(NEW))


def test_an_answer_of_prescribed_form_is_not_taken_up_in_the_middle() -> None:
    with pytest.raises(Unfit):
        translate(chat(said='{"mood":', response_format=by_schema(SCHEMA)), NEW, Traits.of(NEW))


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        (SCHEMA, True),
        (LOOSE, False),
        ({"type": "object", "additionalProperties": False}, True),
        ({"type": "object"}, False),
        ({"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1}, True),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, False),
        ({"type": "array"}, False),
        ({"type": "string", "format": "regex"}, False),
        ({"type": "string", "pattern": "^a"}, False),
        ({"type": ["string", "null"]}, False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
        ({"anyOf": []}, False),
        ({"enum": ["a", 1, None]}, True),
        ({"enum": [{}]}, False),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}}, False),
        ({"$ref": "#/$defs/b", "$defs": {}}, False),
        ({"$ref": "http://x/y"}, False),
        ([], False),
    ],
)
def test_the_api_gets_only_schemas_that_it_can_hold_an_answer_to(schema: object, fits: object) -> None:
    body = sent(response_format=by_schema(schema)) if isinstance(schema, dict) else {}
    assert ("output_config" in body) == fits


@pytest.mark.parametrize(
    ("model", "version", "prefill", "forces"),
    [
        ("claude-3-5-haiku-20241022", "2023-06-01", True, True),
        ("claude-3-opus-20240229", "2023-06-01", True, True),
        ("claude-opus-4-20250514", "2023-06-01", True, True),
        ("claude-haiku-4-5-20251001", "2023-06-01", True, True),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "2023-06-01", True, True),
        ("claude-sonnet-4-6", "2023-06-01", False, True),
        ("claude-opus-4-7", "2026-10-21", False, True),
        ("claude-sonnet-5", "2026-10-21", False, True),
        ("claude-haiku-5-5", "2026-10-21", False, True),
        ("claude-fable-5", "2026-10-21", False, True),
        ("claude-fable-5-1", "2026-10-21", False, False),
        ("claude-opus-5-5", "2026-10-21", False, False),
        ("claude-mythos-preview", "2026-10-21", False, False),
        ("small-npc-model", "2023-06-01", False, True),
    ],
)
def test_a_models_name_tells_its_generation(model: str, version: str, prefill: object, forces: object) -> None:
    traits = Traits.of(model)
    assert (traits.version, traits.prefill, traits.forces_tools) == (version, prefill, forces)
