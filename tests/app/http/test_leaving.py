"""A client that leaves takes its request with it, in every phase; a bug of ours answers 500 and says nothing else."""

from __future__ import annotations

import asyncio

import pytest

from app.http.caller import CHAT, Caller, chat, request
from app.http.small_door import Gate, ScriptedFlow, fails, gate_of, hangs, says
from tiercel.app.http.asgi import Message, Receive, Send
from tiercel.sim import virtual
from tiercel.telemetry.logs import captured

both_ways = pytest.mark.parametrize("hot", [True, False], ids=["hot", "plain"])


async def left_behind(gate: Gate, flow: ScriptedFlow) -> None:
    """Nothing of a request that nobody waits for is left."""
    await flow.until(lambda: flow.running == 0)
    for _ in range(20):
        await asyncio.sleep(0.0)
    assert gate.state.connections == set()
    assert gate.state.tasks == set()


@both_ways
@pytest.mark.parametrize("words", [[], ["so"], ["so", "far"]], ids=["before a word", "after one", "in the middle"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_a_client_that_leaves_cancels_its_request_at_once(hot: bool, words: list[str], stream: bool) -> None:
    """Statement 12: in every phase, also before the first word."""

    async def story() -> None:
        gate, flow = gate_of({"a": hangs(words=words if stream else [])}, hot=hot)
        async with gate.caller() as caller:
            caller.send(chat("a", stream=stream))
            await flow.until(lambda: flow.running == 1)
            await asyncio.sleep(1.0)
            caller.leave()
            await left_behind(gate, flow)
            assert flow.cancelled == ["a"]
            assert virtual.here().clock.now_s() == 1.0

    virtual.run(story())


@both_ways
def test_a_client_that_leaves_in_the_instant_of_its_request_leaves_nothing(hot: bool) -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": hangs()}, hot=hot)
        async with gate.caller() as caller:
            caller.send(chat("a"))
        await asyncio.sleep(0.1)
        await left_behind(gate, flow)

    virtual.run(story())


@both_ways
def test_a_client_that_says_it_has_no_more_to_send_has_left(hot: bool) -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": hangs()}, hot=hot)
        async with gate.caller() as caller:
            caller.send(chat("a"))
            await flow.until(lambda: flow.running == 1)
            caller.transport.write_eof()
            await left_behind(gate, flow)
            assert caller.heard == b""

    virtual.run(story())


def test_the_requests_behind_one_that_is_abandoned_are_not_begun() -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": hangs(), "b": says("b")})
        async with gate.caller() as caller:
            caller.send(chat("a") + chat("b"))
            await flow.until(lambda: flow.running == 1)
            caller.leave()
            await left_behind(gate, flow)
            assert [ask.model for ask in flow.asks] == ["a"]

    virtual.run(story())


def test_a_thousand_abandoned_streams_leave_nothing() -> None:
    """Statement 13: tasks and connections; memory is weighed in benchmarks/soak.py."""

    async def story() -> None:
        gate, flow = gate_of({"a": hangs(words=["so", "far"])})
        callers: list[Caller] = []
        for _ in range(1_000):
            _, caller = await gate.world.network.connect(Caller, "gate", 80)
            caller.send(chat("a", stream=True))
            callers.append(caller)
        await flow.until(lambda: flow.running == 1_000)
        for caller in callers:
            caller.leave()
        await left_behind(gate, flow)
        assert len(flow.cancelled) == 1_000

    virtual.run(story())


@both_ways
def test_a_bug_answers_500_and_tells_the_log_where_it_is_and_nobody_what_was_said(hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": fails(KeyError("the words of a player"))}, hot=hot)
        async with gate.caller() as caller:
            with captured() as lines:
                reply = await caller.ask(chat("a", lines=["x-request-id: mine"]))
            assert (reply.status, reply.code) == (500, "internal")
            assert reply.headers["x-should-retry"] == "false"
            assert reply.headers["x-request-id"] == "mine"
            (line,) = lines
            assert (line.event, line.fields["request_id"], line.fields["error"]) == ("http.bug", "mine", "KeyError")
            assert "small_door.py" in str(line.fields["where"])
            assert "player" not in str(line) + str(reply.raw)
            assert (await caller.ask(request("/healthz", method="GET"))).status == 200, "the connection is fine"

    virtual.run(story())


@both_ways
def test_a_bug_in_the_middle_of_a_stream_ends_it_with_an_error(hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": fails(ZeroDivisionError(), words=["so", "far"])}, hot=hot)
        async with gate.caller() as caller:
            with captured() as lines:
                reply = await caller.ask(chat("a", stream=True))
            assert b'"code":"internal"' in reply.events[-1]
            assert len(reply.events) == 3
            assert [line.event for line in lines] == ["http.bug"]

    virtual.run(story())


def test_a_bug_after_the_client_left_is_logged_too() -> None:
    async def turn(_ask: object, _stage: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    async def story() -> None:
        gate, flow = gate_of({"a": turn})  # type: ignore[dict-item]
        async with gate.caller() as caller:
            caller.send(chat("a"))
            await flow.until(lambda: flow.running == 1)
            with captured() as lines:
                caller.leave()
                await left_behind(gate, flow)
            assert [line.event for line in lines] == ["http.bug"]

    virtual.run(story())


def test_a_task_that_a_server_stops_cuts_the_connection() -> None:
    """As uvicorn does when the time for a graceful end is over."""

    async def story() -> None:
        gate, flow = gate_of({"a": hangs(words=["so"])})
        async with gate.caller() as caller:
            caller.send(chat("a", stream=True))
            await flow.until(lambda: flow.running == 1)
            for task in gate.state.tasks:
                task.cancel()
            await caller.until_closed()
            assert caller.heard.endswith(b"\n\n\r\n"), "no clean end"

    virtual.run(story())


def test_a_graceful_end_lets_the_running_request_finish_and_tells_the_client() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a", seconds=1.0)})
        async with gate.caller() as busy, gate.caller() as idle:
            busy.send(chat("a") + chat("a"))
            await asyncio.sleep(0.5)
            for connection in list(gate.state.connections):
                connection.shutdown()
            await idle.until_closed()
            assert virtual.here().clock.now_s() == 0.5
            await busy.until_closed()
            (reply,) = await busy.replies(1)
            assert (reply.status, reply.headers["connection"]) == (200, "close")

    virtual.run(story())


def test_an_application_that_fails_is_contained() -> None:
    async def silent(scope: Message, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/raises":
            raise ZeroDivisionError
        if scope["path"] == "/header":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nset-cookie: b")]})
        if scope["path"] in ("/half", "/long"):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
            await send({"type": "http.response.body", "body": b"12" if scope["path"] == "/half" else b"12345"})
        if scope["path"] == "/turn":
            await send({"type": "http.response.body", "body": b""})

    async def story() -> None:
        gate, _ = gate_of({}, hot=False, app=silent)
        for path, heard in [
            ("/raises", b'"code":"internal"'),
            ("/nothing", b'"code":"internal"'),
            ("/header", b""),
            ("/half", b""),
            ("/long", b""),
            ("/turn", b'"code":"internal"'),
        ]:
            async with gate.caller() as caller:
                with captured() as lines:
                    caller.send(request(path, method="GET"))
                    await caller.until(lambda: caller.closed or b"}" in caller.heard)
                assert heard in caller.heard, path
                assert b"set-cookie" not in caller.heard
                assert [line.event for line in lines] == ["http.bug"], path

    virtual.run(story())


def test_the_body_of_a_request_that_was_cut_short_reaches_nobody() -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": says("a")})
        async with gate.caller() as caller:
            caller.send(chat("a")[:-1])
            await asyncio.sleep(1.0)
        await asyncio.sleep(0.1)
        assert flow.asks == []
        assert gate.state.connections == set()

    virtual.run(story())


def test_bytes_that_are_lost_in_the_middle_of_a_reply_are_not_replaced_by_others() -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": hangs(words=["so"])})
        async with gate.caller() as caller:
            caller.send(chat("a", stream=True) + request(CHAT, b"{"))
            await flow.until(lambda: flow.running == 1)
            gate.listener.reset()
            await left_behind(gate, flow)
            assert caller.heard.count(b"HTTP/1.1") == 1

    virtual.run(story())
