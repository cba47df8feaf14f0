"""On one connection replies leave in the order of their requests, whatever takes how long."""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.http.caller import CHAT, chat, request
from app.http.small_door import gate_of, says
from tiercel.app.http.limits import Limits
from tiercel.sim import virtual
from tiercel.sim.network import Link

GET = request("/v1/models", method="GET")
UNKNOWN = request("/nowhere", method="GET")
BAD_JSON = request(CHAT, b"{")


def test_a_slow_hot_request_is_answered_before_the_plain_one_behind_it() -> None:
    async def story() -> None:
        gate, _ = gate_of({"slow": says("slow", seconds=1.0)})
        async with gate.caller() as caller:
            caller.send(chat("slow") + GET)
            first, second = await caller.replies(2)
            assert first.json()["choices"][0]["message"]["content"] == "slow"
            assert second.json()["object"] == "list"

    virtual.run(story())


def test_a_slow_plain_request_is_answered_before_the_hot_one_behind_it() -> None:
    async def story() -> None:
        gate, _ = gate_of({"slow": says("slow", seconds=1.0), "quick": says("quick")})
        async with gate.caller() as caller:
            caller.send(chat("slow").replace(b"completions ", b"completions?plain "), chat("quick"))
            words = [reply.json()["choices"][0]["message"]["content"] for reply in await caller.replies(2)]
            assert words == ["slow", "quick"]

    virtual.run(story())


def test_one_request_of_a_connection_is_served_at_a_time() -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": says("a", seconds=1.0)})
        async with gate.caller() as caller:
            caller.send(chat("a") * 5)
            await caller.replies(2)
            assert flow.running == 1
            assert len(flow.asks) == 3

    virtual.run(story())


# What is sent, and how its reply is known: by its words, its kind, or its code.
KINDS = {
    "slow": (chat("slow"), "slow"),
    "quick": (chat("quick"), "quick"),
    "stream": (chat("quick", stream=True), "stream"),
    "slow stream": (chat("slow", stream=True), "stream"),
    "models": (GET, "list"),
    "nowhere": (UNKNOWN, "not_found"),
    "bad json": (BAD_JSON, "invalid_json"),
    "unknown": (chat("nobody"), "model_not_found"),
    "slow plain": (chat("slow").replace(b"completions ", b"completions?plain "), "slow"),
}


def known(headers: dict[str, str], body: bytes) -> str:
    if headers["content-type"] == "text/event-stream":
        return "stream" if body.endswith(b"data: [DONE]\n\n") else "cut"
    data = msgspec.json.decode(body)
    if "error" in data:
        return str(data["error"]["code"])
    return "list" if data["object"] == "list" else str(data["choices"][0]["message"]["content"])


@settings(max_examples=60)
@given(
    mix=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=14),
    pieces=st.integers(0, 200),
    window=st.sampled_from([300, 65_536]),
    seed=st.integers(0, 2**16),
)
def test_pipelined_mixes_are_answered_in_order(mix: list[str], pieces: int, window: int, seed: int) -> None:
    async def story() -> None:
        link = Link(latency_s=0.001, spread_s=0.001, fragment_bytes=pieces, window_bytes=window)
        script = {"slow": says("slow", seconds=0.3), "quick": says("quick")}
        gate, _ = gate_of(script, link=link, limits=Limits(queued=3))
        async with gate.caller() as caller:
            caller.send(b"".join([KINDS[kind][0] for kind in mix]))
            replies = await caller.replies(len(mix))
            assert [known(reply.headers, reply.body) for reply in replies] == [KINDS[kind][1] for kind in mix]
            assert sum(len(reply.raw) for reply in replies) == len(caller.heard), "and nothing else"
            assert gate.state.total_requests == len(mix)

    virtual.run(story(), seed=seed, jitter=True)


def test_the_last_of_a_pipeline_that_closes_is_the_last() -> None:
    async def story() -> None:
        gate, flow = gate_of({"slow": says("slow", seconds=1.0)})
        async with gate.caller() as caller:
            caller.send(chat("slow") + chat("slow", lines=["connection: close"]) + chat("slow"))
            await caller.until_closed()
            one, two = await caller.replies(2)
            assert "connection" not in one.headers
            assert two.headers["connection"] == "close"
            assert len(flow.asks) == 2

    virtual.run(story())


def test_what_came_before_a_broken_request_is_answered_first() -> None:
    async def story() -> None:
        gate, _ = gate_of({"slow": says("slow", seconds=1.0)})
        async with gate.caller() as caller:
            caller.send(chat("slow") + b"GET / HTTP/1.1\r\nhost: a,b\r\n\r\n" + chat("slow"))
            await caller.until_closed()
            one, two = await caller.replies(2)
            assert one.status == 200
            assert (two.status, two.code, two.headers["connection"]) == (400, "malformed_http", "close")

    virtual.run(story())


def test_deadlines_count_from_the_moment_a_request_was_here_not_from_its_turn() -> None:
    async def story() -> None:
        gate, flow = gate_of({"slow": says("slow", seconds=1.0)})
        async with gate.caller() as caller:
            await asyncio.sleep(0.5)
            caller.send(chat("slow") + chat("slow"))
            await caller.replies(2)
            assert [ask.received_s for ask in flow.asks] == [0.5, 0.5]
            assert virtual.here().clock.now_s() == 2.5

    virtual.run(story())


def test_more_requests_than_may_wait_are_left_unread() -> None:
    async def story() -> None:
        gate, flow = gate_of(
            {"a": says("a", seconds=9.0), "b": says("b")}, limits=Limits(queued=4), link=Link(window_bytes=1000)
        )
        async with gate.caller() as caller:
            caller.send(chat("a") + chat("b") * 1_000)
            await flow.until(lambda: bool(flow.asks))
            await asyncio.sleep(5.0)
            # What the door took in is a handful; the rest is still the client's.
            assert virtual.here().network.meter.buffered_bytes > 100_000
            assert len(flow.asks) == 1
        # A door that does not read cannot see the client leave; the next word to it does.
        await asyncio.sleep(5.0)
        assert gate.state.connections == set()

    virtual.run(story())
