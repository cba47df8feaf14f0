"""What one connection, one address and all of them together may hold."""

from __future__ import annotations

import asyncio

from app.http.caller import chat, request
from app.http.small_door import Flood, gate_of, hangs, says
from tiercel.app.http.limits import Limits
from tiercel.sim import virtual
from tiercel.sim.network import Link


def test_the_connection_one_too_many_is_told_so() -> None:
    async def story() -> None:
        counted: list[str] = []
        gate, _ = gate_of({"a": says("a")}, limits=Limits(connections=2), tally=counted.append)
        async with gate.caller(), gate.caller() as second:
            async with gate.caller() as third:
                await third.until_closed()
                reply = await third.reply()
                assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "shed", "1")
                assert reply.headers["x-should-retry"] == "true"
            assert (await second.ask(chat("a"))).status == 200
            second.leave()
            await asyncio.sleep(0.1)
            async with gate.caller() as fourth:
                assert (await fourth.ask(chat("a"))).status == 200
        assert counted == ["refused.connections", "refused.shed"]

    virtual.run(story())


def test_one_address_cannot_take_all_connections() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, limits=Limits(connections_per_address=1))
        async with gate.caller() as first:
            async with gate.caller() as second:
                assert (await second.reply()).status == 503
            assert (await first.ask(chat("a"))).status == 200

    virtual.run(story())


def test_the_caps_can_be_taken_off() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, limits=Limits(connections=0, connections_per_address=0))
        async with gate.caller() as first, gate.caller() as second:
            assert (await first.ask(chat("a"))).status == (await second.ask(chat("a"))).status == 200

    virtual.run(story())


def test_half_bodies_are_bounded_over_all_connections() -> None:
    async def story() -> None:
        gate, _ = gate_of({"a": says("a")}, limits=Limits(partial_bytes=100_000))
        async with gate.caller() as first, gate.caller() as second:
            first.send(request(lines=["content-length: 90000"]) + b"x" * 60_000)
            await asyncio.sleep(0.1)
            reply = await second.ask(request(lines=["content-length: 90000"]) + b"x" * 60_000)
            assert (reply.status, reply.code) == (503, "shed")
            # What was held for the one that left is free again.
            first.leave()
            await asyncio.sleep(0.1)
            async with gate.caller() as third:
                assert (await third.ask(chat("a", user="x" * 80_000))).status == 200

    virtual.run(story())


def test_two_megabytes_are_a_request_and_one_byte_more_is_not() -> None:
    """Statement 43: accepted without being asked for, and the limit is in the description of the API."""

    async def story() -> None:
        gate, flow = gate_of({"a": says("a")})
        room = 2 * 1024 * 1024 - len(chat("a", user="").partition(b"\r\n\r\n")[2])
        async with gate.caller() as caller:
            assert (await caller.ask(chat("a", user="x" * room))).status == 200
            assert flow.asks[0].size_bytes == 2 * 1024 * 1024
            assert (await caller.ask(chat("a", user="x" * (room + 1)))).status == 413

    virtual.run(story())


def test_a_stream_nobody_reads_holds_its_engine() -> None:
    async def story() -> None:
        flood = Flood(1_000_000, 1_000)
        gate, flow = gate_of({"a": flood.turn}, link=Link(window_bytes=65_536))
        async with gate.caller() as caller:
            caller.transport.pause_reading()
            caller.send(chat("a", stream=True))
            await flow.until(lambda: flow.running == 1)
            await asyncio.sleep(10.0)
            meter = virtual.here().network.meter
            assert flood.held
            assert meter.buffered_bytes < 2 * 65_536
            # Nothing behind it is begun either.
            caller.send(chat("a"))
            await asyncio.sleep(10.0)
            assert len(flow.asks) == 1

    virtual.run(story())


def test_an_engine_that_comes_to_a_held_stream_is_held_from_the_start() -> None:
    async def story() -> None:
        first, second = Flood(200, 1_000), Flood(10, 1_000)

        async def turn(ask: object, stage: object) -> object:
            task = asyncio.ensure_future(first.turn(ask, stage))  # type: ignore[arg-type]
            await asyncio.sleep(1.0)
            task.cancel()
            stage.bind(second)  # type: ignore[attr-defined]
            await asyncio.Event().wait()
            return None

        gate, flow = gate_of({"a": turn}, link=Link(window_bytes=50_000))  # type: ignore[dict-item]
        async with gate.caller() as caller:
            caller.transport.pause_reading()
            caller.send(chat("a", stream=True))
            await flow.until(lambda: flow.running == 1)
            await asyncio.sleep(2.0)
            assert second.held
            caller.transport.resume_reading()
            await asyncio.sleep(0.1)
            assert not second.held

    virtual.run(story())


def test_replies_that_nobody_reads_hold_back_the_requests_behind_them() -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": says("x" * 30_000)}, link=Link(window_bytes=10_000))
        async with gate.caller() as caller:
            caller.transport.pause_reading()
            caller.send(chat("a") * 8)
            await asyncio.sleep(10.0)
            assert len(flow.asks) < 5
            caller.transport.resume_reading()
            assert len(await caller.replies(8)) == 8

    virtual.run(story())


def test_an_idle_connection_does_not_wait_for_a_busy_one() -> None:
    async def story() -> None:
        gate, flow = gate_of({"a": hangs(), "b": says("b")})
        async with gate.caller() as stuck, gate.caller() as free:
            stuck.send(chat("a"))
            await flow.until(lambda: flow.running == 1)
            assert (await free.ask(chat("b"))).status == 200
            assert (await free.ask(request("/healthz", method="GET"))).status == 200
            assert virtual.here().clock.now_s() == 0.0

    virtual.run(story())
