"""HTTP as the best servers speak it: close, HTTP/1.0, HEAD, OPTIONS, Expect, Upgrade, hosts and origins."""

from __future__ import annotations

import asyncio

import pytest

from app.http.caller import CHAT, chat, request
from app.http.small_door import gate_of, says
from tiercel.app.http.limits import Limits
from tiercel.sim import virtual

both_ways = pytest.mark.parametrize("hot", [True, False], ids=["hot", "plain"])


@both_ways
def test_close_is_honoured(hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, hot=hot)
        async with gate.caller() as caller:
            caller.send(chat("a", lines=["Connection: close"]))
            await caller.until_closed()
            assert (await caller.reply()).headers["connection"] == "close"

    virtual.run(story())


@both_ways
def test_http10_is_closed_unless_it_asks_to_be_kept(hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, hot=hot)
        async with gate.caller() as caller:
            caller.send(chat("a", version="1.0"))
            await caller.until_closed()
            assert (await caller.reply()).headers["connection"] == "close"
        async with gate.caller() as caller:
            for _ in range(2):
                reply = await caller.ask(chat("a", version="1.0", lines=["connection: Keep-Alive"]))
                assert reply.headers["connection"] == "keep-alive"

    virtual.run(story())


@both_ways
def test_a_stream_to_http10_has_no_chunks_and_ends_with_the_connection(hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("one two")}, hot=hot)
        async with gate.caller() as caller:
            caller.send(chat("a", version="1.0", stream=True, lines=["connection: keep-alive"]))
            await caller.until_closed()
            reply = await caller.reply()
            assert "transfer-encoding" not in reply.headers
            assert "content-length" not in reply.headers
            assert reply.headers["connection"] == "close"
            assert reply.events[-1] == b"[DONE]"

    virtual.run(story())


def test_head_has_the_head_of_get_and_no_body() -> None:
    async def story() -> None:
        gate, _ = gate_of({})
        async with gate.caller() as caller:
            get = await caller.ask(request("/v1/models", method="GET", lines=["x-request-id: one"]))
        async with gate.caller() as caller:
            caller.send(request("/v1/models", method="HEAD", lines=["x-request-id: one"]) * 2)
            first, second = await caller.replies(2, heads=True)
            assert first.headers == second.headers == get.headers

    virtual.run(story())


@pytest.mark.parametrize(
    ("method", "target", "status", "allow"),
    [
        ("OPTIONS", "*", 204, "GET, HEAD, OPTIONS, POST"),
        ("OPTIONS", CHAT, 204, "OPTIONS, POST"),
        ("OPTIONS", "/v1/models", 204, "GET, HEAD, OPTIONS"),
        ("OPTIONS", "/nowhere", 404, None),
        ("GET", CHAT, 405, "OPTIONS, POST"),
        ("DELETE", "/v1/models", 405, "GET, HEAD, OPTIONS"),
        ("TRACE", "/", 405, "GET, HEAD, OPTIONS"),
        ("PROPFIND", "/v1/models/x", 405, "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods_are_told_what_a_route_takes(method: str, target: str, status: int, allow: str | None) -> None:
    async def story() -> None:
        gate, _ = gate_of({})
        async with gate.caller() as caller:
            reply = await caller.ask(request(target, method=method))
            assert (reply.status, reply.headers.get("allow")) == (status, allow)
            assert not [name for name in reply.headers if name.startswith("access-control")]

    virtual.run(story())


def test_an_unknown_method_is_refused() -> None:
    async def story() -> None:
        gate, _ = gate_of({})
        async with gate.caller() as caller:
            assert (await caller.ask(request("/", method="FETCH"))).status == 400

    virtual.run(story())


def test_upgrade_is_ignored_and_the_request_answered() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")})
        lines = ["connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABkAAQAoAAAAAIAAAAA"]
        async with gate.caller() as caller:
            caller.send(chat("a", lines=lines))
            await caller.until_closed()
            reply = await caller.reply()
            assert (reply.status, reply.headers["connection"]) == (200, "close")

    virtual.run(story())


def test_a_client_that_expects_is_told_to_continue_and_then_answered() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")})
        data = chat("a", lines=["expect: 100-Continue"])
        head, body = data[: data.index(b"\r\n\r\n") + 4], data[data.index(b"\r\n\r\n") + 4 :]
        async with gate.caller() as caller:
            assert (await caller.ask(head)).status == 100
            assert (await caller.ask(body)).status == 200
            # Who sends the body without waiting needs no word.
            assert (await caller.ask(data)).status == 200

    virtual.run(story())


def test_the_word_to_continue_waits_for_its_turn_and_no_clock_runs_before() -> None:
    async def story() -> None:
        gate, _ = gate_of({"slow": says("slow", seconds=20.0), "a": says("a")}, limits=Limits(body_grace_s=5))
        data = chat("a", lines=["expect: 100-continue"])
        end = data.index(b"\r\n\r\n") + 4
        async with gate.caller() as caller:
            caller.send(chat("slow") + data[:end])
            first, second = await caller.replies(2)
            assert (first.status, second.status) == (200, 100)
            await asyncio.sleep(4.0)
            assert (await caller.ask(data[end:])).status == 200

    virtual.run(story())


def test_a_client_that_expects_too_much_is_refused_before_it_sends_its_body() -> None:
    async def story() -> None:
        gate, _ = gate_of({})
        for line, status in [("expect: the-moon", 417), ("expect: 100-continue\r\ncontent-length: 9999999", 413)]:
            async with gate.caller() as caller:
                assert (await caller.ask(request(lines=[line, "x: y"]))).status == status

    virtual.run(story())


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["origin: http://localhost"], 200),
        (["origin: https://localhost"], 200),
        (["origin: http://localhost:80"], 403),
        (["origin: null"], 403),
        (["origin: http://evil.example"], 403),
        (["origin: http://localhost.evil.example"], 403),
        (["origin: http://127.0.0.1"], 403),
        (["origin: https://studio.example"], 200),
        (["host: evil.example", "origin: http://evil.example"], 421),
        (["host: game.example"], 200),
    ],
)
@both_ways
def test_a_page_of_another_site_can_change_nothing_here(lines: list[str], status: int, hot: bool) -> None:
    async def story() -> None:
        gate, flow = gate_of(
            {"a": says("a")},
            hot=hot,
            hosts=frozenset({"localhost", "game.example"}),
            origins=frozenset({"https://studio.example"}),
        )
        async with gate.caller() as caller:
            reply = await caller.ask(chat("a", lines=lines))
            assert reply.status == status
            assert "access-control-allow-origin" not in reply.headers
            assert len(flow.asks) == (status == 200)

    virtual.run(story())


def test_a_page_of_another_site_may_look_and_is_not_shown() -> None:
    async def story() -> None:
        gate, _ = gate_of({})
        async with gate.caller() as caller:
            reply = await caller.ask(request("/v1/models", method="GET", lines=["origin: http://evil.example"]))
            assert reply.status == 200
            assert "access-control-allow-origin" not in reply.headers

    virtual.run(story())


def test_a_public_server_answers_to_any_valid_name() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, hosts=None)
        async with gate.caller() as caller:
            assert (await caller.ask(chat("a", lines=["host: ai.game.example"]))).status == 200
            assert (await caller.ask(chat("a", lines=["host: a,b"]))).status == 400

    virtual.run(story())


@both_ways
@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("content-type: application/json", 200),
        ("content-type: application/json; charset=utf-8", 200),
        ("Content-Type: Application/JSON", 200),
        ("x: no type at all", 200),
        ("content-type: text/plain", 415),
        ("content-type: application/x-www-form-urlencoded", 415),
        ("content-encoding: gzip", 415),
        ("content-encoding: identity", 200),
    ],
)
def test_only_json_as_it_is_is_read(line: str, status: int, hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, hot=hot)
        async with gate.caller() as caller:
            assert (await caller.ask(chat("a", lines=[line]))).status == status

    virtual.run(story())


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-DEF_1.2", True), ("a" * 64, True), ("a" * 65, False), ("", False), ("a b", False), ("a:b", False)],
)
@both_ways
def test_a_request_id_of_harmless_characters_is_kept(given: str, kept: bool, hot: bool) -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": says("a")}, hot=hot)
        async with gate.caller() as caller:
            reply = await caller.ask(chat("a", lines=[f"x-request-id: {given}"]))
            assert reply.headers["x-request-id"] == (given if kept else "r-1")
            assert flow.asks[0].id == reply.headers["x-request-id"]

    virtual.run(story())


def test_every_refusal_has_an_id_and_the_envelope() -> None:
    async def story() -> None:
        gate, _ = gate_of({})
        for data in (b"\x00\r\n\r\n", request(CHAT, b"{"), request("/nowhere"), chat("nobody"), request("/\x7f")):
            async with gate.caller() as caller:
                reply = await caller.ask(data)
                assert reply.headers["x-request-id"].startswith("r-")
                assert reply.headers["x-should-retry"] == "false"
                assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
                assert reply.json()["error"]["type"] == "invalid_request_error"
                assert "server" not in reply.headers
                assert reply.headers["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"

    virtual.run(story())
