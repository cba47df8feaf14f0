"""No half-open state lasts: every one of them has a clock."""

from __future__ import annotations

import asyncio

import pytest

from app.http.caller import chat, request
from app.http.small_door import Flood, gate_of, hangs, says
from tiercel.app.http.limits import Limits
from tiercel.sim import virtual
from tiercel.sim.network import Link

LIMITS = Limits(idle_s=75, head_s=10, body_s=30, body_grace_s=5, body_bytes_per_s=1000, stalled_s=30, linger_s=2)


def now_s() -> float:
    return virtual.here().clock.now_s()


def test_a_client_that_connects_and_says_nothing_is_let_go() -> None:
    async def story() -> None:
        counted: list[str] = []
        gate, _ = gate_of({}, limits=LIMITS, tally=counted.append)
        async with gate.caller() as caller:
            await caller.until_closed()
            assert (now_s(), bytes(caller.heard), counted) == (75.0, b"", ["clock.idle"])

    virtual.run(story())


def test_a_kept_connection_is_let_go_when_it_was_idle_long_enough() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, limits=LIMITS)
        async with gate.caller() as caller:
            await caller.ask(chat("a"))
            await asyncio.sleep(70)
            await caller.ask(chat("a"))
            # Empty lines are no request.
            await asyncio.sleep(10)
            caller.send(b"\r\n\r\n")
            await caller.until_closed()
            assert now_s() == 145.0

    virtual.run(story())


def test_a_request_may_take_longer_than_an_idle_connection() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a", seconds=200)}, limits=LIMITS)
        async with gate.caller() as caller:
            assert (await caller.ask(chat("a"))).status == 200
            await caller.until_closed()
            assert now_s() == 275.0

    virtual.run(story())


def test_a_head_that_comes_byte_by_byte_has_ten_seconds() -> None:
    async def story() -> None:
        counted: list[str] = []
        gate, _ = gate_of({}, limits=LIMITS, tally=counted.append)
        async with gate.caller() as caller:
            await asyncio.sleep(50)
            for byte in request("/", method="GET"):
                if caller.closed:
                    break
                caller.send(bytes([byte]))
                await asyncio.sleep(1)
            await caller.until_closed()
            reply = await caller.reply()
            assert (reply.status, reply.code) == (408, "request_timeout")
            assert 60.0 <= now_s() <= 62.0
            assert "clock.head" in counted

    virtual.run(story())


@pytest.mark.parametrize(
    ("every_s", "piece", "ends_s"),
    [(1.0, 1, 5), (1.0, 500, 10), (0.1, 1000, 30), (100.0, 0, 5)],
    ids=["a drip", "just too slow", "fast enough but endless", "silence"],
)
def test_a_body_comes_fast_enough_or_not_at_all(every_s: float, piece: int, ends_s: float) -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": says("a")}, limits=LIMITS)
        async with gate.caller() as caller:
            caller.send(request(lines=["content-length: 2000000"]))
            while not caller.closed:
                caller.send(b"x" * piece)
                await asyncio.sleep(every_s) if every_s < 50 else await caller.until_closed()
            reply = await caller.reply()
            assert (reply.status, reply.code) == (408, "request_timeout")
            # Then it has two seconds to hear of it.
            assert ends_s <= now_s() <= ends_s + 3
            assert flow.asks == []

    virtual.run(story())


def test_a_body_that_is_fast_enough_is_read_to_its_end() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, limits=LIMITS)
        async with gate.caller() as caller:
            data = chat("a", user="x" * 20_000)
            for at in range(0, len(data), 1000):
                caller.send(data[at : at + 1000])
                await asyncio.sleep(0.9)
            assert (await caller.reply()).status == 200

    virtual.run(story())


def test_half_a_request_behind_a_running_one_is_timed_and_refused_in_its_turn() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a", seconds=20)}, limits=LIMITS)
        async with gate.caller() as caller:
            caller.send(chat("a") + b"GET / HT")
            await caller.until_closed()
            one, two = await caller.replies(2)
            assert (one.status, two.status) == (200, 408)
            assert 20.0 <= now_s() <= 22.0

    virtual.run(story())


def test_a_client_that_does_not_read_its_reply_is_cut_off() -> None:
    async def story() -> None:
        flood = Flood(10_000, 1_000)
        counted: list[str] = []
        gate, flow = gate_of({"a": flood.turn}, limits=LIMITS, link=Link(window_bytes=50_000), tally=counted.append)
        async with gate.caller() as caller:
            caller.transport.pause_reading()
            caller.send(chat("a", stream=True))
            await flow.until(lambda: bool(flow.cancelled))
            assert now_s() == 30.0
            assert counted == ["clock.stalled"]
            assert flood.held
            # 64 KiB with us, the rest with the network.
            assert 10_000 - flood.left < 130

    virtual.run(story())


def test_a_small_reply_nobody_reads_is_given_up_in_the_end() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a " * 10_000)}, limits=LIMITS, link=Link(window_bytes=4_000))
        async with gate.caller() as caller:
            caller.transport.pause_reading()
            caller.send(chat("a"))
            await asyncio.sleep(120)
            assert gate.state.connections == set()

    virtual.run(story())


def test_a_slow_reader_that_reads_is_not_cut_off() -> None:
    async def story() -> None:
        flood = Flood(400, 1_000)
        gate, _ = gate_of({"a": flood.turn}, limits=LIMITS, link=Link(window_bytes=20_000))
        async with gate.caller() as caller:
            caller.send(chat("a", stream=True))
            for _ in range(60):
                caller.transport.pause_reading()
                await asyncio.sleep(2)
                caller.transport.resume_reading()
                await asyncio.sleep(0.01)
            reply = await caller.reply()
            assert reply.events[-1] == b"[DONE]"
            assert len(reply.events) == 402
            assert flood.holds > 3

    virtual.run(story())


def test_a_refused_client_that_goes_on_sending_hears_why_and_is_cut_off() -> None:
    async def story() -> None:
        gate, _ = gate_of({}, limits=LIMITS)
        async with gate.caller() as caller:
            caller.stubborn = True
            caller.send(request(lines=["content-length: 999999999"]))
            while not caller.closed:
                caller.send(b"x" * 10_000)
                await asyncio.sleep(0.1)
            assert (await caller.reply()).status == 413
            assert 1.9 < now_s() < 2.3

    virtual.run(story())


def test_no_timer_is_left_when_a_connection_is_gone() -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": hangs()}, limits=LIMITS)
        async with gate.caller() as caller:
            caller.send(chat("a"))
            await flow.until(lambda: bool(flow.asks))
        await asyncio.sleep(0.1)
        loop = virtual.here().loop
        assert [moment for _, _, moment in loop._heap if not moment.cancelled()] == []

    virtual.run(story())
