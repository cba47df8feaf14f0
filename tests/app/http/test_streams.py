"""Streams as clients read them: one frame a write, an honest end, our report in the last chunk."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from app.http.caller import chat
from app.http.small_door import REPORT, chunk, fails, gate_of, says
from tiercel.flow import Served, Stage
from tiercel.sim import virtual
from tiercel.terms.ask import Ask
from tiercel.terms.errors import EngineFailed, Exhausted

both_ways = pytest.mark.parametrize("hot", [True, False], ids=["hot", "plain"])


@both_ways
def test_a_stream_is_told_in_events_and_ends_with_the_report_and_the_mark(hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("one two three")}, hot=hot)
        async with gate.caller() as caller:
            reply = await caller.ask(chat("a", stream=True))
            assert reply.headers["content-type"] == "text/event-stream"
            assert reply.headers["x-tiercel-rung"] == "fast"
            *words, last, mark = reply.events
            assert words == [chunk("one"), chunk("two"), chunk("three")]
            assert msgspec.json.decode(last)["tiercel"]["attempts"] == [{"rung": "fast", "outcome": "ok", "ms": 12.4}]
            assert mark == b"[DONE]"
            assert (await caller.ask(chat("a"))).status == 200, "the connection is kept"

    virtual.run(story())


def test_the_head_waits_for_the_first_event_and_each_event_is_one_write() -> None:
    async def turn(_ask: Ask, stage: Stage) -> Served:
        stage.begin(REPORT)
        for word in ("one", "two", "three"):
            await asyncio.sleep(0.01)
            stage.event(chunk(word))
        await asyncio.sleep(0.01)
        return Served(report=REPORT, tail=(chunk("", "stop"), chunk("usage")))

    async def story() -> None:
        gate, _ = gate_of({"a": turn})
        async with gate.caller() as caller:
            await caller.ask(chat("a", stream=True))
            assert len(caller.reads) == 4
            assert b"one" in caller.reads[0]
            assert caller.reads[1].startswith(b"%x\r\ndata: " % (len(chunk("two")) + 8))
            assert caller.reads[3].endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")

    virtual.run(story())


@both_ways
def test_a_stream_that_breaks_ends_with_an_error_event_and_without_the_mark(hot: bool) -> None:
    """Statement 7: the client is told inside the stream, where its library looks."""

    async def story() -> None:
        broken = Exhausted("no rung could answer", [EngineFailed("truncated", "it stopped")])
        gate, _ = gate_of({"a": fails(broken, words=["so", "far"])}, hot=hot)
        async with gate.caller() as caller:
            reply = await caller.ask(chat("a", stream=True))
            error = msgspec.json.decode(reply.events[-1])["error"]
            assert error["code"] == "exhausted"
            assert error["type"] == "server_error"
            assert b"[DONE]" not in reply.body
            assert len(reply.events) == 3

    virtual.run(story())


@both_ways
def test_an_error_before_the_first_word_of_a_stream_is_an_ordinary_error(hot: bool) -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": fails(Exhausted("too late", code="deadline"))}, hot=hot)
        async with gate.caller() as caller:
            reply = await caller.ask(chat("a", stream=True))
            assert (reply.status, reply.code) == (504, "deadline")
            assert reply.headers["x-should-retry"] == "false"

    virtual.run(story())


@both_ways
def test_a_stream_whose_words_are_all_in_its_tail_has_a_head_too(hot: bool) -> None:
    async def turn(_ask: Ask, _stage: Stage) -> Served:
        return Served(report=REPORT, tail=(chunk("all of it", "stop"),))

    async def story() -> None:
        gate, _ = gate_of({"a": turn}, hot=hot)
        async with gate.caller() as caller:
            reply = await caller.ask(chat("a", stream=True))
            assert reply.headers["content-type"] == "text/event-stream"
            assert len(reply.events) == 2

    virtual.run(story())


@both_ways
def test_line_ends_in_the_json_of_an_engine_cannot_end_an_event(hot: bool) -> None:
    async def turn(_ask: Ask, stage: Stage) -> Served:
        stage.begin(REPORT)
        stage.event(b'{"a":1,\r\n\r\n"b":2\n}')
        return Served(report=REPORT, tail=(b'{\n"c":3}',))

    async def story() -> None:
        gate, _ = gate_of({"a": turn}, hot=hot)
        async with gate.caller() as caller:
            first, last, _ = (await caller.ask(chat("a", stream=True))).events
            assert msgspec.json.decode(first) == {"a": 1, "b": 2}
            assert msgspec.json.decode(last)["c"] == 3

    virtual.run(story())


def test_what_an_engine_still_says_when_the_client_is_gone_goes_nowhere() -> None:
    async def turn(_ask: Ask, stage: Stage) -> Served:
        stage.begin(REPORT)
        stage.event(chunk("one"))
        try:
            await asyncio.Event().wait()
        finally:
            stage.event(chunk("two"))
        return Served(report=REPORT)

    async def story() -> None:
        gate, flow = gate_of({"a": turn})
        async with gate.caller() as caller:
            caller.send(chat("a", stream=True))
            await flow.until(lambda: flow.running == 1)
            caller.leave()
            await flow.until(lambda: flow.running == 0)
            assert virtual.here().network.meter.late_writes == 0

    virtual.run(story())
