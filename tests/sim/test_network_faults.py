"""What can befall a connection: refusal, silence, resets, half-closing, leaving early; and nothing may be left over."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tiercel.sim import virtual
from tiercel.sim.network import Link, Listener
from tiercel.sim.transport import End
from tiercel.sim.verdicts import Deadlock, Leak


class Witness(asyncio.Protocol):
    """Remembers how its connection went."""

    def __init__(self, *, keeps_open: bool = False) -> None:
        self.keeps_open = keeps_open
        self.events: list[tuple[float, str]] = []
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, End)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> bool:
        self._note("eof")
        return self.keeps_open

    def connection_lost(self, exc: Exception | None) -> None:
        self._note(f"lost: {exc}")

    def _note(self, event: str) -> None:
        self.events.append((asyncio.get_running_loop().time(), event))


_RESET = "lost: [Errno 104] Connection reset by peer"


def _listen(link: Link | None = None, *, keeps_open: bool = False) -> tuple[Listener, list[Witness]]:
    served: list[Witness] = []

    def factory() -> Witness:
        served.append(Witness(keeps_open=keeps_open))
        return served[-1]

    return virtual.here().network.listen("engine", 80, factory, link=link or Link(latency_s=1.0)), served


async def _dial(port: int = 80, *, keeps_open: bool = False) -> Witness:
    loop = asyncio.get_running_loop()
    _, witness = await loop.create_connection(lambda: Witness(keeps_open=keeps_open), "engine", port)
    return witness


async def _time_of(fault: type[BaseException], act: Callable[[], Awaitable[object]]) -> float:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(fault):
        await act()
    return loop.time() - began_s


def test_a_port_nobody_listens_on_refuses_after_a_round_trip() -> None:
    async def story() -> None:
        _listen()
        virtual.here().network.link = Link(latency_s=0.25)
        assert await _time_of(ConnectionRefusedError, lambda: _dial(81)) == 0.5

    virtual.run(story())


def test_a_host_nobody_knows_does_not_resolve() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(socket.gaierror, match="nowhere"):
            await loop.create_connection(Witness, "nowhere", 80)
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(Witness, "10.0.0.1", 80)
        with pytest.raises(ValueError, match="host and a port"):
            await loop.create_connection(Witness)

    virtual.run(story())


def test_a_listener_that_goes_down_refuses_and_keeps_what_it_has_until_it_is_up_again() -> None:
    async def story() -> None:
        listener, served = _listen()
        first = await _dial()
        await asyncio.sleep(1.0)
        listener.down()
        first.transport.write(b"still here")
        assert await _time_of(ConnectionRefusedError, _dial) == 2.0
        assert served[0].data == b"still here"
        listener.up()
        second = await _dial()
        await asyncio.sleep(1.0)
        assert len(served) == 2
        first.transport.close()
        second.transport.close()

    virtual.run(story(), settle_s=2.0)


def test_a_listener_that_goes_down_during_the_handshake_refuses() -> None:
    async def story() -> None:
        listener, served = _listen()
        asyncio.get_running_loop().call_later(1.5, listener.down)
        assert await _time_of(ConnectionRefusedError, _dial) == 2.0
        assert served == []

    virtual.run(story())


def test_a_listener_that_goes_down_before_it_accepts_resets() -> None:
    async def story() -> None:
        listener, served = _listen()
        client = await _dial()
        listener.down()
        client.transport.write(b"anybody?")
        await asyncio.sleep(3.0)
        assert client.events == [(4.0, _RESET)]
        assert served == []
        assert virtual.here().network.meter.dropped_bytes == 8

    virtual.run(story())


def test_a_black_hole_never_answers_a_connect() -> None:
    async def story() -> None:
        listener, _ = _listen()
        listener.swallow()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_dial())
            await asyncio.sleep(1_000.0)
            listener.up()
            await asyncio.sleep(1_000.0)
            assert not waiting.done()
            assert virtual.here().network.unfinished() == ("connecting to engine:80",)
            waiting.cancel()
        assert virtual.here().network.unfinished() == ()

    virtual.run(story())


def test_waiting_on_a_black_hole_without_a_deadline_is_a_deadlock() -> None:
    async def story() -> None:
        listener, _ = _listen()
        listener.swallow()
        await _dial()

    with pytest.raises(Deadlock, match="in connect"):
        virtual.run(story())


@pytest.mark.parametrize("after_s", [0.0, 0.5, 1.0, 1.5])
def test_a_connect_given_up_before_its_answer_reaches_no_server(after_s: float) -> None:
    async def story() -> None:
        _, served = _listen()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_dial(), after_s)
        await asyncio.sleep(10.0)
        assert served == []

    virtual.run(story())


def test_a_connect_given_up_in_the_instant_it_succeeds_is_closed_again() -> None:
    async def story() -> None:
        _, served = _listen()
        task = asyncio.ensure_future(_dial())
        await asyncio.sleep(0)
        # Armed before the answer is, so that it cancels when the answer is there and nobody has read it.
        asyncio.get_running_loop().call_later(1.0, lambda: asyncio.get_running_loop().call_later(1.0, task.cancel))
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(10.0)
        assert [event for _, event in served[0].events] == ["eof", "lost: None"]

    virtual.run(story())


def test_a_reset_loses_the_other_end_after_what_was_sent_before_it() -> None:
    async def story() -> None:
        _, served = _listen()
        client = await _dial()
        await asyncio.sleep(1.0)
        served[0].transport.write(b"half an ans")
        served[0].transport.reset()
        await asyncio.sleep(2.0)
        assert client.data == b"half an ans"
        assert client.events == [(4.0, _RESET)]
        assert served[0].events == [(3.0, "lost: None")]
        assert client.transport.is_closing()

    virtual.run(story())


def test_a_process_that_dies_resets_every_connection_it_has() -> None:
    async def story() -> None:
        listener, served = _listen()
        clients = [await _dial() for _ in range(3)]
        await asyncio.sleep(1.0)
        listener.reset()
        await asyncio.sleep(1.0)
        assert [[event for _, event in client.events] for client in clients] == [[_RESET]] * 3
        assert len(served) == 3
        assert virtual.here().network.open_ends() == ()

    virtual.run(story())


def test_a_reset_drops_what_the_other_end_had_not_sent() -> None:
    async def story() -> None:
        _, served = _listen(Link(latency_s=1.0, window_bytes=10))
        client = await _dial()
        await asyncio.sleep(1.0)
        served[0].transport.pause_reading()
        client.transport.write(b"x" * 30)
        served[0].transport.reset()
        await asyncio.sleep(5.0)
        assert client.events == [(4.0, _RESET)]
        meter = virtual.here().network.meter
        assert (meter.delivered_bytes, meter.dropped_bytes, meter.sent_bytes) == (0, 30, 30)

    virtual.run(story())


def test_a_paused_reader_learns_of_a_reset_when_it_writes() -> None:
    async def story() -> None:
        _, served = _listen()
        client = await _dial()
        await asyncio.sleep(1.0)
        client.transport.pause_reading()
        served[0].transport.reset()
        await asyncio.sleep(100.0)
        assert client.events == []
        client.transport.write(b"hello?")
        await asyncio.sleep(0)
        assert client.events == [(103.0, _RESET)]

    virtual.run(story())


def test_a_half_closed_connection_carries_the_answer_when_the_server_keeps_it_open() -> None:
    async def story() -> None:
        _, served = _listen(keeps_open=True)
        client = await _dial()
        client.transport.write(b"question")
        client.transport.write_eof()
        await asyncio.sleep(5.0)
        (server,) = served
        assert (server.data, server.events) == (b"question", [(3.0, "eof")])
        assert not server.transport.is_closing()
        server.transport.write(b"answer")
        server.transport.close()
        await asyncio.sleep(5.0)
        assert client.data == b"answer"
        assert [event for _, event in client.events] == ["eof", "lost: None"]

    virtual.run(story())


def test_closing_sends_what_is_buffered_first() -> None:
    async def story() -> None:
        _, served = _listen(Link(latency_s=1.0, window_bytes=10))
        client = await _dial()
        client.transport.write(b"x" * 95)
        client.transport.close()
        assert client.transport.is_closing()
        await asyncio.sleep(20.0)
        assert served[0].data == b"x" * 95
        assert served[0].events[0][1] == "eof"

    virtual.run(story())


def test_an_end_of_file_waits_for_what_is_buffered() -> None:
    async def story() -> None:
        _, served = _listen(Link(latency_s=1.0, window_bytes=10), keeps_open=True)
        client = await _dial()
        client.transport.write(b"x" * 25)
        client.transport.write_eof()
        await asyncio.sleep(20.0)
        assert served[0].data == b"x" * 25
        assert [event for _, event in served[0].events] == ["eof"]
        client.transport.close()
        served[0].transport.close()

    virtual.run(story())


def test_aborting_drops_what_is_buffered() -> None:
    async def story() -> None:
        _, served = _listen(Link(latency_s=1.0, window_bytes=10))
        client = await _dial()
        client.transport.write(b"x" * 95)
        client.transport.abort()
        await asyncio.sleep(20.0)
        assert served[0].data == b"x" * 10
        assert client.events == [(2.0, "lost: None")]
        assert virtual.here().network.meter.dropped_bytes == 85

    virtual.run(story())


def test_aborting_a_close_that_waits_for_a_stuck_reader_ends_it() -> None:
    async def story() -> None:
        _, served = _listen(Link(latency_s=1.0, window_bytes=10))
        client = await _dial()
        await asyncio.sleep(1.0)
        served[0].transport.pause_reading()
        client.transport.write(b"x" * 95)
        client.transport.close()
        await asyncio.sleep(20.0)
        assert client.events == []
        client.transport.abort()
        await asyncio.sleep(0)
        assert client.events == [(23.0, "lost: None")]
        served[0].transport.close()

    virtual.run(story())


def test_closing_on_unread_bytes_resets_the_writer() -> None:
    async def story() -> None:
        _, served = _listen()
        client = await _dial()
        await asyncio.sleep(1.0)
        served[0].transport.pause_reading()
        client.transport.write(b"never read")
        await asyncio.sleep(2.0)
        served[0].transport.close()
        await asyncio.sleep(2.0)
        assert client.events == [(6.0, _RESET)]
        assert virtual.here().network.meter.dropped_bytes == 10

    virtual.run(story())


def test_writing_to_a_client_that_has_left_ends_in_a_reset() -> None:
    async def story() -> None:
        _, served = _listen(keeps_open=True)
        client = await _dial()
        await asyncio.sleep(1.0)
        client.transport.close()
        await asyncio.sleep(2.0)
        (server,) = served
        server.transport.write(b"data: a token\n\n")
        await asyncio.sleep(3.0)
        assert [event for _, event in server.events] == ["eof"]
        server.transport.write(b"data: another\n\n")
        await asyncio.sleep(0)
        assert [event for _, event in server.events] == ["eof", _RESET]

    virtual.run(story())


def test_a_writer_stuck_in_a_close_learns_that_the_reader_is_gone() -> None:
    async def story() -> None:
        _, served = _listen(Link(latency_s=1.0, window_bytes=10))
        client = await _dial()
        client.transport.write(b"x" * 1_000)
        client.transport.close()
        await asyncio.sleep(2.0)
        served[0].transport.abort()
        await asyncio.sleep(3.0)
        assert [event for _, event in client.events] == [_RESET]

    virtual.run(story())


def test_a_stream_ends_where_its_server_was_closed() -> None:
    async def story() -> None:
        listener, _ = _listen()
        async with listener:
            assert listener.is_serving()
            await listener.start_serving()
            assert listener.get_loop() is asyncio.get_running_loop()
            client = await _dial()
            await asyncio.sleep(1.0)
        assert not listener.is_serving()
        assert await _time_of(ConnectionRefusedError, _dial) == 0.0
        client.transport.write(b"the connection lives on")
        client.transport.close()

    virtual.run(story())


def test_a_server_serves_until_it_is_cancelled() -> None:
    async def story() -> None:
        listener, _ = _listen()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(listener.serve_forever(), 5.0)
        assert not listener.is_serving()
        await listener.wait_closed()

    virtual.run(story())


def test_two_servers_cannot_share_a_port_and_port_zero_is_any() -> None:
    async def story() -> None:
        network = virtual.here().network
        _listen()
        with pytest.raises(OSError, match="listened on already"):
            _listen()
        one, two = (network.listen("engine", 0, Witness) for _ in range(2))
        assert 0 < one.port != two.port

    virtual.run(story())


def test_a_failing_server_stops_the_world_and_not_its_client() -> None:
    class Broken(Witness):
        def data_received(self, data: bytes) -> None:
            raise LookupError("in the server")

    async def story() -> None:
        virtual.here().network.listen("engine", 80, Broken)
        client = await _dial()
        client.transport.write(b"x")
        await asyncio.sleep(1.0)
        pytest.fail("the world went on")

    with pytest.raises(LookupError, match="in the server"):
        virtual.run(story())


def test_a_connection_left_open_is_a_leak_that_names_both_its_ends() -> None:
    async def story() -> None:
        _listen()
        await _dial()

    with pytest.raises(Leak) as caught:
        virtual.run(story())
    assert "the client end of 127.0.0.1:32769 -> engine:80 is open" in str(caught.value)
    assert "the server end of engine:80 -> 127.0.0.1:32769 is open" in str(caught.value)
    virtual.run(story(), leftovers="drop")


def test_a_link_goes_neither_back_in_time_nor_without_room() -> None:
    with pytest.raises(ValueError, match="a link goes"):
        Link(latency_s=-1.0)
    with pytest.raises(ValueError, match="a link goes"):
        Link(spread_s=-1.0)
    with pytest.raises(ValueError, match="a link goes"):
        Link(window_bytes=0)
    with pytest.raises(ValueError, match="a link goes"):
        Link(fragment_bytes=-1)
