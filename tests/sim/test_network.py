"""A simulated connection carries bytes as a socket does: late, in order, cut anywhere, and not without limit."""

from __future__ import annotations

import asyncio
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.sim import virtual
from tiercel.sim.network import Link, Listener
from tiercel.sim.transport import End


class Diary(asyncio.Protocol):
    """Writes down what happens to a connection and when."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str]] = []
        self.data = b""
        self.sizes: list[int] = []

    def note(self, event: str) -> None:
        self.events.append((asyncio.get_running_loop().time(), event))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, End)
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.sizes.append(len(data))
        self.note(f"got {len(data)}")

    def eof_received(self) -> None:
        self.note("eof")

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.note(f"lost {type(exc).__name__ if exc else 'cleanly'}")

    def names(self) -> list[str]:
        return [event for _, event in self.events]


async def pair(link: Link) -> tuple[Diary, Diary, Listener]:
    """Connect two diaries."""
    server = Diary()
    listener = virtual.here().network.listen("engine", 80, lambda: server, link=link)
    _, client = await asyncio.get_running_loop().create_connection(Diary, "engine", 80)
    await asyncio.sleep(link.latency_s + link.spread_s)
    await asyncio.sleep(0)
    return client, server, listener


def test_a_connection_takes_a_round_trip_and_its_bytes_one_way_each() -> None:
    async def story() -> tuple[list[tuple[float, str]], list[tuple[float, str]]]:
        client, server, _ = await pair(Link(latency_s=1.0))
        client.transport.write(b"ping")
        await asyncio.sleep(1.5)
        server.transport.write(b"answer")
        await asyncio.sleep(1.5)
        client.transport.close()
        await asyncio.sleep(5.0)
        return client.events, server.events

    client, server = virtual.run(story())
    assert client == [(2.0, "made"), (5.5, "got 6"), (6.0, "lost cleanly")]
    assert server == [(3.0, "made"), (4.0, "got 4"), (7.0, "eof"), (7.0, "lost cleanly")]


def test_what_a_client_says_at_once_arrives_with_its_connection() -> None:
    class Eager(Diary):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.write(b"hello")

    async def story() -> list[tuple[float, str]]:
        network = virtual.here().network
        server = Diary()
        network.listen("engine", 80, lambda: server, link=Link(latency_s=1.0))
        transport, _ = await asyncio.get_running_loop().create_connection(Eager, "engine", 80)
        transport.close()
        await asyncio.sleep(2.0)
        return server.events

    assert virtual.run(story())[:2] == [(3.0, "made"), (3.0, "got 5")]


def test_without_latency_bytes_still_never_arrive_inside_a_write() -> None:
    async def story() -> None:
        client, server, _ = await pair(Link())
        client.transport.write(b"ping")
        assert server.data == b""
        await asyncio.sleep(0)
        assert server.data == b"ping"
        assert asyncio.get_running_loop().time() == 0.0
        client.transport.close()
        assert "lost cleanly" not in client.names()

    virtual.run(story())


def test_writes_that_arrive_in_one_instant_are_read_as_one() -> None:
    async def story() -> list[int]:
        client, server, _ = await pair(Link(latency_s=0.5))
        client.transport.write(b"a" * 3)
        client.transport.writelines([b"b" * 2, bytearray(b"c"), memoryview(b"d")])
        await asyncio.sleep(1.0)
        client.transport.write(b"e")
        client.transport.close()
        await asyncio.sleep(1.0)
        assert server.data == b"aaabbcde"
        return server.sizes

    assert virtual.run(story()) == [7, 1]


@given(
    st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=10),
    st.integers(min_value=0, max_value=7),
    st.sampled_from([0.0, 0.3]),
    st.integers(min_value=1, max_value=300),
    st.booleans(),
)
def test_every_byte_arrives_once_and_in_order(
    chunks: list[bytes],
    fragment_bytes: int,
    spread_s: float,
    window_bytes: int,
    jitter: bool,
) -> None:
    link = Link(latency_s=0.1, spread_s=spread_s, fragment_bytes=fragment_bytes, window_bytes=window_bytes)

    async def story() -> None:
        client, server, _ = await pair(link)
        for chunk in chunks:
            client.transport.write(chunk)
            meter = virtual.here().network.meter
            assert meter.sent_bytes == (
                meter.delivered_bytes + meter.dropped_bytes + meter.buffered_bytes + meter.flying_bytes
            )
            await asyncio.sleep(0.05)
        client.transport.close()
        await asyncio.sleep(10_000.0)
        assert server.names()[-2:] == ["eof", "lost cleanly"]
        assert server.data == b"".join(chunks)
        assert (
            virtual.here().network.meter.delivered_bytes == virtual.here().network.meter.sent_bytes == len(server.data)
        )

    virtual.run(story(), seed=len(chunks), jitter=jitter)


def test_a_fragmenting_link_shows_a_parser_every_boundary() -> None:
    message = bytes(range(40))

    def cuts(seed: int) -> list[int]:
        async def story() -> list[int]:
            client, server, _ = await pair(Link(fragment_bytes=5))
            client.transport.write(message)
            client.transport.close()
            await asyncio.sleep(1.0)
            assert server.data == message
            return server.sizes

        return virtual.run(story(), seed=seed)

    assert set(cuts(1)) <= {1, 2, 3, 4, 5}
    assert cuts(1) == cuts(1) != cuts(2)
    seen = {sum(sizes[:number]) for seed in range(40) for sizes in [cuts(seed)] for number in range(1, len(sizes))}
    assert seen == set(range(1, 40))


def test_other_things_happen_between_two_fragments() -> None:
    async def story() -> None:
        client, server, _ = await pair(Link(fragment_bytes=1))
        client.transport.write(b"abc")
        await asyncio.sleep(0)
        assert server.data == b"a"
        await asyncio.sleep(0)
        assert server.data == b"ab"
        client.transport.close()

    virtual.run(story())


def test_latency_is_drawn_from_the_seed_and_changes_with_the_weather() -> None:
    def arrivals(seed: int) -> list[float]:
        async def story() -> list[float]:
            client, server, listener = await pair(Link(latency_s=0.1, spread_s=0.1))
            for _ in range(20):
                client.transport.write(b"x")
                await asyncio.sleep(0.3)
            listener.link = Link(latency_s=10.0)
            client.transport.write(b"x")
            client.transport.close()
            await asyncio.sleep(15.0)
            return [at_s for at_s, event in server.events if event.startswith("got")]

        return virtual.run(story(), seed=seed)

    first = arrivals(1)
    assert first == arrivals(1) != arrivals(2)
    assert len({round(after - before, 6) for before, after in pairwise(first[:-1])}) > 10
    assert first[-1] - first[-2] > 9.0


def test_a_slow_reader_makes_the_writer_pause_and_reading_on_lets_it_resume() -> None:
    async def story() -> None:
        client, server, _ = await pair(Link(latency_s=0.1, window_bytes=1_000))
        client.transport.set_write_buffer_limits(high=500, low=100)
        assert client.transport.get_write_buffer_limits() == (100, 500)
        server.transport.pause_reading()
        assert not server.transport.is_reading()
        client.transport.write(b"x" * 1_500)
        assert (client.transport.get_write_buffer_size(), "pause" in client.names()) == (500, False)
        client.transport.write(b"y")
        assert "pause" in client.names()
        await asyncio.sleep(10.0)
        assert server.data == b""
        assert virtual.here().network.meter.flying_bytes == 1_000
        server.transport.resume_reading()
        assert server.data == b"", "reading on must not deliver inside the call"
        await asyncio.sleep(0)
        assert len(server.data) == 1_000
        assert client.names()[-1] == "resume"
        await asyncio.sleep(1.0)
        assert server.data == b"x" * 1_500 + b"y"
        client.transport.close()

    virtual.run(story())


def test_a_reader_may_pause_and_resume_inside_its_own_callback() -> None:
    class Hesitant(Diary):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(1.0, self.transport.resume_reading)

    async def story() -> list[tuple[float, str]]:
        server = Hesitant()
        virtual.here().network.listen("engine", 80, lambda: server)
        transport, _ = await asyncio.get_running_loop().create_connection(Diary, "engine", 80)
        transport.write(b"one")
        await asyncio.sleep(0.5)
        transport.write(b"two!")
        transport.close()
        await asyncio.sleep(3.0)
        return server.events

    assert virtual.run(story()) == [
        (0.0, "made"),
        (0.0, "got 3"),
        (1.0, "got 4"),
        (2.0, "eof"),
        (2.0, "lost cleanly"),
    ]


def test_a_transport_knows_its_addresses_and_has_no_socket() -> None:
    async def story() -> None:
        client, server, _ = await pair(Link())
        assert client.transport.get_extra_info("peername") == ("engine", 80)
        assert client.transport.get_extra_info("sockname") == server.transport.get_extra_info("peername")
        assert client.transport.get_extra_info("socket") is None
        assert client.transport.get_extra_info("cipher", "none") == "none"
        assert client.transport.get_protocol() is client
        client.transport.close()

    virtual.run(story())


def test_a_protocol_can_be_exchanged_on_an_open_connection() -> None:
    async def story() -> None:
        client, server, _ = await pair(Link())
        other = Diary()
        server.transport.set_protocol(other)
        client.transport.write(b"for the other")
        client.transport.close()
        await asyncio.sleep(1.0)
        assert (server.data, other.data) == (b"", b"for the other")

    virtual.run(story())


def test_only_plain_protocols_are_simulated() -> None:
    async def story() -> None:
        client, _, _ = await pair(Link())
        with pytest.raises(TypeError, match="BufferedProtocol"):
            client.transport.set_protocol(asyncio.BufferedProtocol())
        client.transport.close()

    virtual.run(story())


def test_writing_is_checked_as_asyncio_checks_it() -> None:
    async def story() -> int:
        client, server, _ = await pair(Link())
        with pytest.raises(TypeError, match="bytes-like"):
            client.transport.write("text")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="high"):
            client.transport.set_write_buffer_limits(high=1, low=2)
        client.transport.set_write_buffer_limits(low=10)
        assert client.transport.get_write_buffer_limits() == (10, 40)
        client.transport.write(b"")
        assert client.transport.can_write_eof()
        client.transport.write_eof()
        client.transport.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            client.transport.write(b"more")
        server.transport.close()
        server.transport.write(b"too late")
        client.transport.close()
        return virtual.here().network.meter.late_writes

    assert virtual.run(story()) == 1


def test_streams_of_asyncio_run_on_it_unchanged() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def story() -> bytes:
        server = await asyncio.start_server(echo, "engine", 7)
        async with server:
            reader, writer = await asyncio.open_connection("engine", 7)
            writer.write(b"one\ntwo\n")
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        return answer

    assert virtual.run(story()) == b"ONE\nTWO\n"


def _talk(seed: int, *, jitter: bool) -> int:
    """Many clients, one echo, random sizes and pauses; the CRC of all that anybody saw."""

    class Echo(Diary):
        def data_received(self, data: bytes) -> None:
            self.transport.write(data)

    trace: list[str] = []

    async def client(number: int) -> None:
        world = virtual.here()
        rng = world.rng(f"client {number}")
        await asyncio.sleep(rng.random())
        reader, writer = await asyncio.open_connection("engine", 80)
        for _ in range(5):
            message = rng.randbytes(rng.randint(1, 2_000))
            writer.write(message)
            assert await reader.readexactly(len(message)) == message
            trace.append(f"{world.clock.now_s()!r} {number} {len(message)}")
        writer.close()
        await writer.wait_closed()

    async def story() -> None:
        link = Link(latency_s=0.01, spread_s=0.02, fragment_bytes=300, window_bytes=1_000)
        virtual.here().network.listen("engine", 80, Echo, link=link)
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(client(number))

    virtual.run(story(), seed=seed, jitter=jitter)
    assert len(trace) == 50
    return zlib.crc32("\n".join(trace).encode())


@pytest.mark.parametrize("jitter", [False, True])
def test_one_seed_tells_one_story_over_the_network_too(jitter: bool) -> None:
    assert [_talk(seed, jitter=jitter) for seed in range(3)] == [_talk(seed, jitter=jitter) for seed in range(3)]
    assert len({_talk(seed, jitter=jitter) for seed in range(3)}) == 3
