"""Everything that is not hot: models, engines, health, metrics, the decision without the call, the page."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.http.caller import CHAT, EMBEDDINGS, Reply, request
from app.http.small_door import gate_of, says
from tiercel.app.http.page import load_page
from tiercel.sim import virtual


def get(target: str, *lines: str, method: str = "GET", body: bytes = b"", **others: Any) -> Reply:
    async def story() -> Reply:
        gate, _ = gate_of({"auto": says("x"), "e": says("x")}, **others)
        async with gate.caller() as caller:
            return await caller.ask(request(target, body, method=method, lines=lines))

    return virtual.run(story())


def test_the_names_that_may_be_asked_for_are_listed() -> None:
    listed = get("/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["auto", "silver", "org/fast"]
    assert listed["object"] == "list"


def test_one_name_is_looked_up_also_with_a_slash_in_it() -> None:
    assert get("/v1/models/silver").json() == {"id": "silver", "object": "model", "created": 0, "owned_by": "tiercel"}
    assert get("/v1/models/org/fast").json()["id"] == "org/fast"
    assert get("/v1/models/org%2Ffast").json()["id"] == "org/fast"
    missing = get("/v1/models/nobody")
    assert (missing.status, missing.code) == (404, "model_not_found")


def test_engines_are_shown() -> None:
    assert [engine["id"] for engine in get("/v1/engines").json()["data"]] == ["fast"]


def test_health_is_told() -> None:
    assert get("/healthz").json() == {"status": "ok"}
    assert get("/readyz").json() == {"status": "ready"}
    waiting = get("/readyz", ready=lambda: "no engine answers")
    assert (waiting.status, waiting.json()["reason"]) == (503, "no engine answers")
    assert get("/healthz", ready=lambda: "no engine answers").status == 200


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"model": "auto", "messages": [{"role": "user"}]}, 200, "asked for auto"),
        ({"model": "e", "input": "x"}, 200, "asked for e"),
        ({"model": "nobody", "messages": [{"role": "user"}]}, 404, "model_not_found"),
        ({"model": "auto"}, 400, "messages"),
        ({"model": "e", "input": ""}, 400, "input"),
    ],
)
def test_a_decision_is_explained_without_a_call(body: dict[str, object], status: int, told: str) -> None:
    reply = get("/v1/route/explain", method="POST", body=msgspec.json.encode(body))
    assert reply.status == status
    assert told in reply.body.decode()


def test_a_broken_request_for_an_explanation_is_refused_as_any_other() -> None:
    for body in (b"", b"{", b"[" * 5_000, b"\xff"):
        assert get("/v1/route/explain", method="POST", body=body).status == 400


@pytest.mark.parametrize(
    "target", ["/nowhere", "/v1", "/v1/", "/v1/chat/completions/", "/..%2f..%2fetc/passwd", "/%00"]
)
def test_an_unknown_route_is_told_in_the_envelope(target: str) -> None:
    reply = get(target)
    assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize("target", [CHAT, EMBEDDINGS, "/v1/route/explain"])
def test_a_wrong_method_is_told_in_the_envelope(target: str) -> None:
    reply = get(target)
    assert (reply.status, reply.code, reply.headers["allow"]) == (405, "method_not_allowed", "OPTIONS, POST")


def test_a_query_does_not_change_the_route() -> None:
    body = b'{"model":"auto","messages":[{"role":"user"}]}'
    assert get(CHAT + "?api-version=2024-06-01", method="POST", body=body).status == 200


def test_the_page_is_served_and_nothing_foreign_runs_on_it() -> None:
    reply = get("/")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"Tiercel" in reply.body


def test_a_file_that_has_not_changed_is_not_sent_again() -> None:
    tag = get("/").headers["etag"]
    reply = get("/", f"if-none-match: {tag}")
    assert (reply.status, reply.body) == (304, b"")
    assert get("/", 'if-none-match: "other"').status == 200


def test_every_file_of_the_page_is_served_under_its_name() -> None:
    for path, file in load_page().items():
        reply = get(path)
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, file.body, file.media)


def test_a_bug_in_a_route_is_a_500_in_the_envelope() -> None:
    def broken() -> str:
        raise ZeroDivisionError

    reply = get("/readyz", ready=broken)
    assert (reply.status, reply.code) == (500, "internal")
