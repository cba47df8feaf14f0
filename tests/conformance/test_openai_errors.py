"""What the real openai client makes of our errors: the class, the code, the field that is wrong, and no second try."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import openai
import pytest

from conformance.live import CANARY_KEY, Live, engine, running
from conformance.questions import MESSAGES, TOOLS, words_of
from tiercel.route.spec import TierSpec

if TYPE_CHECKING:
    import httpx2

# Engines that cannot answer, each in its own way, and the class of an attempt that fails so.
FAILING = {
    "broken": ("broken", "server_error"),
    "busy": ("busy:retry=0.01", "overloaded"),
    "hangup": ("hangup", "unreachable"),
    "html": ("html", "malformed"),
    "error-in-200": ("error_in_200", "server_error"),
    "no-choices": ("no_choices", "malformed"),
    "bad-json": ("bad_json", "malformed"),
    "garbage": ("garbage_status", "malformed"),
    "locked": ("unauthorized", "auth"),
    "missing": ("no_model", "missing"),
}
ENGINES = {
    "plain": engine(),
    "silent": engine("silent"),
    "limited": engine("rate_limited:retry=7"),
    **{name: engine(part) for name, (part, _) in FAILING.items()},
}


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run one good engine and many bad ones."""
    with running(ENGINES, TierSpec(rungs=("plain", "template"))) as live:
        yield live


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"temperature": "warm"}, "temperature", "invalid_value"),
        ({"n": 99}, "n", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"content": "nobody says this"}]}, "messages[0].role", "invalid_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "fly"}}},
            "tool_choice",
            "invalid_value",
        ),
        ({"functions": [{"name": "walk"}], "function_call": {"name": "fly"}}, "function_call", "invalid_value"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "invalid_value"),
        ({"response_format": {"type": "yaml"}}, "response_format.type", "invalid_value"),
        ({"service_tier": "first class"}, "service_tier", "invalid_value"),
        ({"api_base": "http://elsewhere.invalid"}, "api_base", "forbidden_field"),
        ({"tiercel": {"sla": "yesterday"}}, "tiercel.sla", "invalid_value"),
        ({"tiercel": {"total_ms": -1}}, "tiercel.total_ms", "invalid_value"),
        ({"tiercel": {"personna": "smith"}}, "tiercel.personna", "invalid_value"),
    ],
)
def test_a_wrong_field_is_named_and_no_engine_is_asked(
    client: openai.OpenAI, house: Live, fields: dict[str, object], param: str, code: str
) -> None:
    """Statement 16: the caller's mistakes are 400, at once and once."""
    before = house.ledger.attempts
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="silver", messages=MESSAGES, extra_body=fields)
    error = caught.value
    assert (error.param, error.code, error.type) == (param, code, "invalid_request_error")
    assert error.request_id
    assert error.response.headers["x-should-retry"] == "false"
    assert house.ledger.attempts == before


@pytest.mark.parametrize(
    ("header", "value"), [("x-tiercel-total-ms", "soon"), ("x-tiercel-quality", "best"), ("x-tiercel-first", "10")]
)
def test_a_wrong_header_is_named(client: openai.OpenAI, header: str, value: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="silver", messages=MESSAGES, extra_headers={header: value})
    assert caught.value.param == header


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-9", messages=MESSAGES)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_an_unknown_route_and_a_wrong_method_have_the_same_envelope(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.post("/responses", body={}, cast_to=object)
    with pytest.raises(openai.APIStatusError) as wrong:
        client.get("/chat/completions", cast_to=object)
    assert unknown.value.code == "not_found"
    assert (wrong.value.status_code, wrong.value.code) == (405, "method_not_allowed")
    assert "POST" in wrong.value.response.headers["allow"]
    assert unknown.value.request_id
    assert wrong.value.request_id


def test_a_body_of_another_kind_is_not_read(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(
            model="silver", messages=MESSAGES, extra_headers={"content-type": "application/xml"}
        )
    assert (caught.value.status_code, caught.value.code) == (415, "unsupported_media_type")


def test_bronze_says_that_it_is_not_built(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="bronze", messages=MESSAGES)
    assert (caught.value.status_code, caught.value.code) == (501, "not_built")


@pytest.mark.parametrize("name", FAILING)
def test_an_engine_that_fails_is_an_error_and_never_half_an_answer(
    client: openai.OpenAI, house: Live, name: str
) -> None:
    """Statements 4 and 15: every try is told; at the provider there are one or two, and none of the client's."""
    before = house.attempts(name)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=name, messages=MESSAGES)
    assert (caught.value.status_code, caught.value.code) == (503, "exhausted")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.response.headers["x-request-id"] == caught.value.request_id
    assert 1 <= house.attempts(name) - before <= 2
    report = caught.value.response.json()["tiercel"]
    assert [tried["outcome"] for tried in report["attempts"]] == [FAILING[name][1]] * (house.attempts(name) - before)
    assert (report["rung"], report["kind"], report["cost"]) == ("none", None, None)
    assert caught.value.response.headers["x-tiercel-attempts"].startswith(f"{name}:{FAILING[name][1]}:")


def test_a_key_of_ours_that_is_refused_is_no_fault_of_the_callers(client: openai.OpenAI, house: Live) -> None:
    """Statement 44: our key goes to the engine and nowhere else, not even into the error about it."""
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="locked", messages=MESSAGES)
    heard = [one for one in house.ledger.heard if one.model == "locked"]
    assert all(one.headers["authorization"] == f"Bearer {CANARY_KEY}" for one in heard)
    assert heard
    shown = client.get("/engines", cast_to=object)
    assert CANARY_KEY not in caught.value.response.text + json.dumps(shown)


def test_a_late_engine_is_an_error_by_the_deadline_after_one_try(client: openai.OpenAI, house: Live) -> None:
    before = house.attempts("silent")
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="silent", messages=MESSAGES, extra_body={"tiercel": {"total_ms": 100}})
    assert (caught.value.status_code, caught.value.code) == (504, "deadline")
    (tried,) = caught.value.response.json()["tiercel"]["attempts"]
    assert (tried["outcome"], tried["rung"]) == ("late", "silent")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert house.attempts("silent") - before == 1


def test_a_rate_limit_is_told_with_the_time_that_the_engine_asked_for(client: openai.OpenAI, house: Live) -> None:
    """Statement 35: the envelope, and the Retry-After of the limit that refused."""
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="limited", messages=MESSAGES)
    assert caught.value.type == "requests"
    assert caught.value.code == "exhausted"
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["retry-after-ms"] == "7000"
    # The next request is told the same, with what is left of that time, and the engine is left in peace.
    with pytest.raises(openai.RateLimitError) as again:
        client.chat.completions.create(model="limited", messages=MESSAGES)
    assert 0 < int(again.value.response.headers["retry-after-ms"]) <= 7000
    assert house.attempts("limited") == 1


def test_a_closed_engine_is_shown_with_the_reason_and_the_end(client: openai.OpenAI) -> None:
    """Statement 18, as everybody sees it."""
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="limited", messages=MESSAGES)
    shown = client.get("/engines", cast_to=object)
    assert isinstance(shown, dict)
    engines = {one["name"]: one for one in shown["data"]}
    (breaker,) = engines["limited"]["breakers"]
    assert (engines["limited"]["state"], breaker["failure"]) == ("open", "rate_limited")
    assert 0 < breaker["until_in_s"] <= 7
    assert (engines["plain"]["state"], engines["plain"]["breakers"]) == ("closed", [])


def test_an_engine_that_refuses_the_request_says_why(client: openai.OpenAI, house: Live) -> None:
    before = house.attempts("plain")
    schema = {"type": "object", "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}}, "required": ["name"]}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="silver",
            messages=MESSAGES,
            extra_body={"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}},
        )
    assert caught.value.param == "response_format"
    assert "a pattern" in caught.value.message
    assert house.attempts("plain") - before == 1


def test_the_client_repeats_what_was_turned_away_at_the_door() -> None:
    """Statement 35, for our own limit: it was not tried, so it may be repeated, and the answer says when."""
    seen: list[tuple[str, int]] = []
    engines = {"plain": engine(), "stall": engine("stall:k=1", gap_ms=60_000)}
    with running(engines, max_running=1) as live, openai.OpenAI(base_url=live.url, api_key="none") as first:
        held = first.chat.completions.create(model="stall", messages=MESSAGES, stream=True)
        next(held)

        def note(response: httpx2.Response) -> None:
            seen.append((response.request.headers["x-stainless-retry-count"], response.status_code))
            held.close()
            live.until(lambda: live.ledger.abandoned == 1)

        with (
            openai.DefaultHttpxClient(event_hooks={"response": [note]}) as http,
            openai.OpenAI(base_url=live.url, api_key="none", http_client=http) as second,
        ):
            reply = second.chat.completions.create(model="plain", messages=MESSAGES)
    assert words_of(reply)
    assert seen == [("0", 503), ("1", 200)]
