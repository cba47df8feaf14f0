"""The real openai client is content: replies, models, vectors, what it sends along, and what we say beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import openai
import pytest

from conformance.live import Live, engine, running
from conformance.questions import MESSAGES, report_of, words_of
from tiercel.engines.catalogue.spec import Price
from tiercel.engines.rehearsal.embeddings import vector
from tiercel.route.spec import TierSpec

ENGINES = {
    "plain": msgspec.structs.replace(
        engine("plain:text=hello%20there,cached=4,reasoning=3"), price=Price(input=0.5, output=2.0, as_of="2026-11-01")
    ),
    "embedder": msgspec.structs.replace(engine(), embeddings=True, chat=False),
}


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run a model that says hello above the template, and one that makes vectors."""
    with running(ENGINES, TierSpec(rungs=("plain", "embedder", "template"))) as live:
        yield live


def explained(
    client: openai.OpenAI, body: dict[str, object], headers: dict[str, str] | None = None
) -> dict[str, object]:
    """Ask how a request would be routed."""
    whole = {"model": "silver", "messages": MESSAGES, **body}
    found = client.post("/route/explain", body=whole, options={"headers": headers or {}}, cast_to=object)
    assert isinstance(found, dict)
    return found


def test_a_completion_is_whole(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="silver", messages=MESSAGES)
    (choice,) = reply.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "hello there", "stop")
    assert reply.object == "chat.completion"
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 4
    assert reply.usage.completion_tokens_details is not None
    assert reply.usage.completion_tokens_details.reasoning_tokens == 3


@pytest.mark.anyio
async def test_the_asynchronous_client_gets_the_same(aclient: openai.AsyncOpenAI) -> None:
    reply = await aclient.chat.completions.create(model="silver", messages=MESSAGES)
    assert words_of(reply) == "hello there"
    assert report_of(reply)["rung"] == "plain"


def test_the_reply_says_how_it_was_won_in_its_body_and_in_its_headers(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="silver", messages=MESSAGES)
    report = report_of(raw.parse())
    assert {name: report[name] for name in ("tier", "rung", "kind", "degraded", "usage_counted_by", "dropped")} == {
        "tier": "silver",
        "rung": "plain",
        "kind": "model",
        "degraded": False,
        "usage_counted_by": "engine",
        "dropped": [],
    }
    left_out, attempt = report["attempts"]
    assert left_out == {"rung": "embedder", "outcome": "unfit", "reason": "no chat"}
    assert (attempt["rung"], attempt["outcome"]) == ("plain", "ok")
    assert 0 < attempt["ms"] <= report["ms"]
    # 12 tokens at 0.5 and 11 at 2 US dollars per million.
    assert report["cost"] == pytest.approx((12 * 0.5 + 11 * 2.0) / 1e6)
    assert raw.headers["x-tiercel-tier"] == "silver"
    assert raw.headers["x-tiercel-rung"] == "plain"
    assert raw.headers["x-tiercel-kind"] == "model"
    assert raw.headers["x-tiercel-degraded"] == "false"
    assert raw.headers["x-tiercel-attempts"].startswith("embedder:unfit:0,plain:ok:")
    assert float(raw.headers["x-tiercel-ms"]) == pytest.approx(report["ms"], abs=0.06)
    assert float(raw.headers["x-tiercel-cost"]) == pytest.approx(report["cost"], abs=1e-6)
    assert raw.headers["x-request-id"] == report["request_id"]


def test_the_request_id_is_the_clients_or_ours(client: openai.OpenAI) -> None:
    ours = client.chat.completions.create(model="silver", messages=MESSAGES)
    theirs = client.chat.completions.create(
        model="silver", messages=MESSAGES, extra_headers={"x-request-id": "quest-7.a_B"}
    )
    forged = client.chat.completions.create(
        model="silver", messages=MESSAGES, extra_headers={"x-request-id": "quest 7; drop"}
    )
    assert ours._request_id == report_of(ours)["request_id"]
    assert theirs._request_id == "quest-7.a_B"
    assert forged._request_id not in {None, "quest 7; drop", ours._request_id}


def test_what_the_client_sends_reaches_the_engine_as_it_was(client: openai.OpenAI, house: Live) -> None:
    """Statement 31, for engines of OpenAI's kind: nothing is dropped, known to us or not."""
    raw = client.chat.completions.with_raw_response.create(
        model="silver",
        messages=MESSAGES,
        seed=7,
        stop=["\n", "END"],
        temperature=0.3,
        top_p=0.9,
        max_completion_tokens=40,
        user="player-1",
        metadata={"quest": "bridge"},
        extra_body={"min_p": 0.05, "guided_regex": "a|b", "tiercel": {"persona": "smith"}},
        service_tier="priority",
    )
    heard = {name: json.loads(bytes(value)) for name, value in house.body_heard("plain").items()}
    assert heard == {
        "model": "plain",
        "messages": MESSAGES,
        "seed": 7,
        "stop": ["\n", "END"],
        "temperature": 0.3,
        "top_p": 0.9,
        "max_completion_tokens": 40,
        "user": "player-1",
        "metadata": {"quest": "bridge"},
        "min_p": 0.05,
        "guided_regex": "a|b",
    }
    assert "x-tiercel-dropped" not in raw.headers


def test_several_choices_with_their_probabilities(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="silver", messages=MESSAGES, n=2, logprobs=True)
    assert [choice.message.content for choice in reply.choices] == ["hello there"] * 2
    logprobs = reply.choices[1].logprobs
    assert logprobs is not None
    assert "".join(token.token for token in logprobs.content or ()) == "hello there"


@pytest.mark.parametrize(
    ("model", "tier", "rung"),
    [("auto", "silver", "plain"), ("silver", "silver", "plain"), ("gold", "gold", "policy"), ("plain", None, "plain")],
)
def test_a_model_is_a_tier_or_an_engine(client: openai.OpenAI, model: str, tier: str | None, rung: str) -> None:
    report = report_of(client.chat.completions.create(model=model, messages=MESSAGES))
    assert (report["tier"], report["rung"]) == (tier, rung)


def test_a_template_can_be_asked_for_and_says_what_it_is(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="template", messages=MESSAGES, extra_body={"tiercel": {"persona": "innkeeper", "npc_id": "7"}}
    )
    assert words_of(reply)
    assert (report_of(reply)["kind"], report_of(reply)["usage_counted_by"]) == ("template", "tiercel")
    assert report_of(reply)["cost"] == 0.0


def test_wishes_come_in_the_body_or_in_headers_and_the_body_wins(client: openai.OpenAI) -> None:
    by_header = explained(client, {}, {"x-tiercel-total-ms": "900", "x-tiercel-first-ms": "90"})
    by_body = explained(client, {"tiercel": {"total_ms": 900, "first_ms": 90}})
    both = explained(client, {"tiercel": {"total_ms": 800}}, {"x-tiercel-total-ms": "900", "x-tiercel-first-ms": "90"})
    assert (by_header["total_s"], by_header["first_s"]) == (0.9, 0.09)
    assert by_header == by_body
    assert (both["total_s"], both["first_s"]) == (0.8, 0.09)


@pytest.mark.parametrize(
    ("wish", "tier"),
    [
        ({"tiercel": {"sla": "realtime"}}, "gold"),
        ({"tiercel": {"sla": "interactive"}}, "silver"),
        ({"service_tier": "priority"}, "silver"),
        ({"tiercel": {"total_ms": 16}}, "gold"),
        ({"service_tier": "default"}, "silver"),
        ({"service_tier": "flex", "tiercel": {"sla": "realtime"}}, "gold"),
    ],
)
def test_an_auto_request_finds_its_tier_by_what_it_wishes(
    client: openai.OpenAI, wish: dict[str, object], tier: str
) -> None:
    assert explained(client, {"model": "auto", **wish})["tier"] == tier


def test_the_clients_own_timeout_is_a_hint_for_the_deadline(client: openai.OpenAI) -> None:
    patient = client.with_options(timeout=300)
    hasty = client.with_options(timeout=0.75)
    assert explained(patient, {})["total_s"] == 2.0
    assert 0.5 < float(str(explained(hasty, {})["total_s"])) <= 0.75
    assert explained(hasty, {"tiercel": {"total_ms": 3000}})["total_s"] == 3.0


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names == ["auto", "gold", "silver", "template", "policy", "plain", "embedder"]
    assert client.models.retrieve("plain").id == "plain"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-9")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_vectors_come_packed_or_as_numbers(client: openai.OpenAI, house: Live) -> None:
    packed = client.embeddings.create(model="embedder", input=["a", "b"], dimensions=8)
    assert bytes(house.body_heard("embedder")["encoding_format"]) == b'"base64"'
    plain = client.embeddings.create(model="embedder", input="a", encoding_format="float")
    tokens = client.embeddings.create(model="embedder", input=[[1, 2], [3]])
    assert packed.data[1].embedding == pytest.approx(vector("b", 8))
    assert plain.data[0].embedding == pytest.approx(vector("a", 16))
    assert len(tokens.data) == 2
    assert packed.usage.total_tokens == 2


def test_a_tier_makes_vectors_with_the_rung_that_can(client: openai.OpenAI) -> None:
    reply = client.embeddings.create(model="silver", input="a")
    assert report_of(reply)["rung"] == "embedder"
    tried = {one["rung"]: one.get("reason", one["outcome"]) for one in report_of(reply)["attempts"]}
    assert tried == {"plain": "no embeddings", "template": "no embeddings", "embedder": "ok"}
