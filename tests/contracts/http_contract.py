"""What every implementation of the ``Http`` port promises."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from contracts.host import END, Host, Visit, chunked, json_reply, opened_host, stream_head
from tiercel.engines.http.port import MAX_BODY_BYTES, Http, Reply
from tiercel.engines.port import Tap
from tiercel.terms.clock import Deadline, ManualClock, SystemClock
from tiercel.terms.errors import EngineFailed

EVENT = b'data: {"n":1}\n\n'
PATIENCE_S = 10.0
MORE_THAN_BUFFERS = 16 * 1024 * 1024


class Taker:
    """A feed that keeps what it gets."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.taps: list[Tap] = []
        self.data = b""
        self.taken = 0
        self.came = asyncio.Event()
        self._refuses = refuses

    def opened(self, tap: Tap) -> None:
        assert not self.taken
        self.taps.append(tap)

    def feed(self, data: bytes) -> None:
        if self._refuses:
            raise EngineFailed("malformed", "not what was asked for")
        self.taken += len(data)
        if self.taken < MORE_THAN_BUFFERS // 16:
            self.data += data
        self.came.set()


def soon() -> Deadline:
    return Deadline.after(PATIENCE_S, SystemClock())


async def fetch(http: Http, feed: Taker | None = None, *, body: bytes = b"{}", path: str = "/v1/chat") -> Reply:
    return await http.send("POST", path, body, soon(), feed)


async def failing(http: Http, feed: Taker | None = None) -> EngineFailed:
    with pytest.raises(EngineFailed) as caught:
        await fetch(http, feed)
    return caught.value


MALFORMED = {
    "noise": b"\x15\x03\x01\x00\x02\x02\x28 this is no HTTP at all\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nOKx",
    "a negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
    "length and chunks": stream_head("content-length: 2") + chunked(b"OK") + END,
    "a negative chunk": stream_head() + b"-2\r\nOK\r\n0\r\n\r\n",
    "a chunk of lies": stream_head() + b"1\r\nOK\r\n0\r\n\r\n",
    "a bare return in a header": b"HTTP/1.1 200 OK\r\nx: a\rset-cookie: b\r\ncontent-length: 2\r\n\r\nOK",
    "a zero byte in a header": b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 2\r\n\r\nOK",
    "a head without end": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000,
    "a thousand headers": b"HTTP/1.1 200 OK\r\n" + b"x: a\r\n" * 1000 + b"content-length: 2\r\n\r\nOK",
    "a compressed body": json_reply(b"\x1f\x8b", lines=("content-encoding: gzip",)),
    "a body beyond all bounds": b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n" + bytes(MAX_BODY_BYTES + 1),
}

TRUNCATED = {
    "a short body": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
    "a head without its body": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n",
    "a stream between chunks": stream_head() + chunked(EVENT),
    "a stream within a chunk": stream_head() + b"ff\r\ndata: ",
}


@pytest.mark.anyio
class HttpContract:
    """Subclass it, say how a client is made and whether its hosts speak TLS; the promises come along."""

    tls = False

    def client(self, url: str, *, connect_s: float = PATIENCE_S, max_connections: int = 4) -> Http:
        """Return a client for this address that sends ``x-api-key: secret``."""
        raise NotImplementedError

    def host(
        self, answer: bytes | Callable[[Visit], None] = b"", *, close: bool = False
    ) -> AbstractAsyncContextManager[Host]:
        return opened_host(answer or json_reply(), tls=self.tls, close=close)

    async def test_a_request_goes_out_whole_under_its_path_with_our_headers_once(self) -> None:
        async with self.host() as host:
            http = self.client(f"{host.url}/prefix/")
            reply = await fetch(http, body=b'{"a":1}', path="/v1/chat?x=1")
            await http.aclose()
        assert (reply.status, reply.body) == (200, b'{"ok":true}')
        head, _, body = host.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        assert lines[0] == "post /prefix/v1/chat?x=1 http/1.1"
        wanted = {
            f"host: {host.url.partition('://')[2]}",
            "x-api-key: secret",
            "accept-encoding: identity",
            "content-type: application/json",
            "content-length: 7",
        }
        assert wanted <= set(lines)
        assert len({line.partition(":")[0] for line in lines}) == len(lines)
        assert body == b'{"a":1}'

    async def test_a_large_request_arrives_unharmed(self) -> None:
        body = bytes(range(32, 127)) * 25_000
        async with self.host() as host:
            http = self.client(host.url)
            assert (await fetch(http, body=body)).status == 200
            await http.aclose()
        assert host.requests[0].endswith(b"\r\n\r\n" + body)

    async def test_the_next_request_uses_the_same_connection(self) -> None:
        async with self.host() as host:
            http = self.client(host.url)
            for _ in range(3):
                assert (await fetch(http)).status == 200
            await http.aclose()
        assert len(host.visits) == 1
        assert len(host.requests) == 3

    async def test_a_stream_leaves_its_connection_for_the_next_request(self) -> None:
        async with self.host(stream_head() + chunked(EVENT) + END) as host:
            http = self.client(host.url)
            for _ in range(3):
                await fetch(http, Taker())
            await http.aclose()
        assert len(host.visits) == 1

    async def test_a_connection_that_the_host_wants_closed_is_not_used_again(self) -> None:
        async with self.host(json_reply(lines=("connection: close",))) as host:
            http = self.client(host.url)
            await fetch(http)
            await fetch(http)
            await http.aclose()
        assert len(host.visits) == 2

    async def test_a_connection_that_the_host_closed_in_silence_is_not_used_again(self) -> None:
        async with self.host() as host:
            http = self.client(host.url)
            await fetch(http)
            host.visits[0].close()
            await host.visits[0].gone.wait()
            assert (await fetch(http)).status == 200
            await http.aclose()
        assert len(host.visits) == 2

    async def test_more_requests_than_connections_wait_for_their_turn(self) -> None:
        most = asyncio.Event()

        def late(_visit: Visit) -> None:
            if len(host.requests) == 2:
                most.set()

        async with self.host(late) as host, asyncio.TaskGroup() as group:
            http = self.client(host.url, max_connections=2)
            tasks = [group.create_task(fetch(http)) for _ in range(5)]
            await most.wait()
            assert len(host.visits) == 2
            while not all(task.done() for task in tasks):
                for visit in host.visits:
                    if visit.requests:
                        visit.requests.clear()
                        visit.write(json_reply())
                await asyncio.sleep(0)
            assert len(host.visits) == 2
            await http.aclose()

    async def test_an_event_stream_goes_to_the_feed_and_leaves_no_body(self) -> None:
        feed = Taker()
        async with self.host(stream_head() + chunked(EVENT, EVENT) + END) as host:
            http = self.client(host.url)
            reply = await fetch(http, feed)
            await http.aclose()
        assert (reply.status, reply.body, feed.data, len(feed.taps)) == (200, b"", EVENT * 2, 1)
        assert reply.headers["content-type"].startswith("text/event-stream")

    async def test_bytes_reach_the_feed_as_they_arrive(self) -> None:
        feed = Taker()
        async with (
            self.host(lambda visit: visit.write(stream_head() + chunked(EVENT))) as host,
            asyncio.TaskGroup() as group,
        ):
            http = self.client(host.url)
            task = group.create_task(fetch(http, feed))
            await feed.came.wait()
            assert feed.data == EVENT
            assert not task.done()
            host.visits[0].write(chunked(EVENT) + END)
            await task
            await http.aclose()
        assert feed.data == EVENT * 2

    @pytest.mark.parametrize(
        "reply",
        [
            json_reply(),
            json_reply(b'{"ok":true}', status="529 Busy"),
            b"HTTP/1.1 500 Oh\r\ncontent-type: text/event-stream\r\ncontent-length: 11\r\n\r\n" + b'{"ok":true}',
        ],
        ids=["json", "an error", "an error that calls itself a stream"],
    )
    async def test_whatever_is_no_good_event_stream_comes_back_as_a_body(self, reply: bytes) -> None:
        feed = Taker()
        async with self.host(reply) as host:
            http = self.client(host.url)
            answer = await fetch(http, feed)
            await http.aclose()
        assert (answer.body, feed.taken, feed.taps) == (b'{"ok":true}', 0, [])

    async def test_a_body_may_end_with_its_connection(self) -> None:
        whole = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"ok":true}'
        async with self.host(whole, close=True) as host:
            http = self.client(host.url)
            assert (await fetch(http)).body == b'{"ok":true}'
            await http.aclose()

    async def test_interim_replies_are_passed_over(self) -> None:
        interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        async with self.host(interim + json_reply()) as host:
            http = self.client(host.url)
            reply = await fetch(http)
            await http.aclose()
        assert (reply.status, reply.body) == (200, b'{"ok":true}')

    async def test_only_the_headers_that_adapters_read_come_along(self) -> None:
        forged = ("x-tiercel-tier: gold", "set-cookie: a=b", "retry-after: 3", "server: x", "x-request-id: y")
        async with self.host(json_reply(status="429 Slow down", lines=forged)) as host:
            http = self.client(host.url)
            reply = await fetch(http)
            await http.aclose()
        assert reply.headers["retry-after"] == "3"
        assert not set(reply.headers) & {"x-tiercel-tier", "set-cookie", "server", "x-request-id"}

    async def test_a_cookie_is_not_sent_back(self) -> None:
        async with self.host(json_reply(lines=("set-cookie: a=b; path=/",))) as host:
            http = self.client(host.url)
            await fetch(http)
            await fetch(http)
            await http.aclose()
        assert b"cookie" not in b"".join(host.requests).lower()

    async def test_a_redirect_is_an_answer_and_not_a_way_to_go(self) -> None:
        async with self.host() as elsewhere:
            away = json_reply(b"", status="307 Over there", lines=(f"location: {elsewhere.url}/v1/chat",))
            async with self.host(away) as host:
                http = self.client(host.url)
                assert (await fetch(http)).status == 307
                await http.aclose()
            assert not elsewhere.visits

    @pytest.mark.parametrize("said", MALFORMED.values(), ids=MALFORMED)
    async def test_bytes_that_are_no_reply_are_malformed(self, said: bytes) -> None:
        async with self.host(said) as host:
            http = self.client(host.url)
            assert (await failing(http)).failure == "malformed"
            await host.visits[0].gone.wait()
            await http.aclose()

    @pytest.mark.parametrize("said", TRUNCATED.values(), ids=TRUNCATED)
    async def test_a_body_that_stops_before_its_end_is_truncated(self, said: bytes) -> None:
        async with self.host(said, close=True) as host:
            http = self.client(host.url)
            assert (await failing(http, Taker())).failure == "truncated"
            await http.aclose()

    async def test_noise_in_the_middle_of_a_stream_is_malformed(self) -> None:
        feed = Taker()
        async with (
            self.host(lambda visit: visit.write(stream_head() + chunked(EVENT))) as host,
            asyncio.TaskGroup() as group,
        ):
            http = self.client(host.url)
            task = group.create_task(failing(http, feed))
            await feed.came.wait()
            host.visits[0].write(b"zz\r\nnoise\r\n0\r\n\r\n")
            assert (await task).failure == "malformed"
            await http.aclose()

    async def test_a_second_reply_never_reaches_the_next_request(self) -> None:
        def greedy(visit: Visit) -> None:
            visit.write(json_reply() + (json_reply(b'{"poison":true}') if len(host.requests) == 1 else b""))

        async with self.host(greedy) as host:
            http = self.client(host.url)
            # Whether the surplus is seen in time is chance; if it is, it is an error and not an answer.
            with contextlib.suppress(EngineFailed):
                assert (await fetch(http)).body == b'{"ok":true}'
            assert (await fetch(http)).body == b'{"ok":true}'
            await http.aclose()
        assert len(host.visits) == 2

    async def test_a_reply_that_nobody_asked_for_answers_nobody(self) -> None:
        async with self.host() as host:
            http = self.client(host.url)
            await fetch(http)
            host.visits[0].write(json_reply(b'{"poison":true}'))
            for _ in range(20):
                await asyncio.sleep(0)
            assert (await fetch(http)).body == b'{"ok":true}'
            await http.aclose()
        assert len(host.visits) == 2

    async def test_a_host_that_hangs_up_before_a_byte_is_unreachable(self) -> None:
        async with self.host(lambda visit: visit.close()) as host:
            http = self.client(host.url)
            assert (await failing(http)).failure == "unreachable"
            await http.aclose()

    async def test_a_port_where_nobody_listens_is_unreachable(self) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            http = self.client(f"{'https' if self.tls else 'http'}://127.0.0.1:{held.getsockname()[1]}")
            failure = await failing(http)
            await http.aclose()
        assert failure.failure == "unreachable"
        assert "127.0.0.1" in str(failure)

    async def test_a_name_that_nobody_knows_is_unreachable(self) -> None:
        http = self.client(f"{'https' if self.tls else 'http'}://engine.invalid")
        failure = await failing(http)
        await http.aclose()
        assert failure.failure == "unreachable"
        assert "engine.invalid" in str(failure)

    @pytest.mark.parametrize(("connect_s", "left_s"), [(0.02, 60.0), (60.0, 0.02), (60.0, 0.0)])
    async def test_connecting_takes_no_longer_than_its_limit_and_what_is_left(
        self, connect_s: float, left_s: float
    ) -> None:
        with socket.socket() as full, socket.socket() as first, socket.socket() as second:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for one in (first, second):
                # Whoever comes after these two gets no answer to his first packet.
                one.setblocking(False)  # noqa: FBT003 - the socket's own signature
                one.connect_ex(full.getsockname())
            http = self.client(
                f"{'https' if self.tls else 'http'}://127.0.0.1:{full.getsockname()[1]}", connect_s=connect_s
            )
            with pytest.raises(EngineFailed) as caught:
                await http.send("POST", "/", b"{}", Deadline.after(left_s, ManualClock()))
            await http.aclose()
        assert caught.value.failure == "unreachable"

    async def test_leaving_before_the_head_closes_the_connection(self) -> None:
        async with self.host(lambda _visit: None) as host:
            http = self.client(host.url)
            await self._leave(http, host, Taker(), host.waiting)
            await http.aclose()

    async def test_leaving_in_the_middle_of_a_stream_closes_the_connection(self) -> None:
        feed = Taker()
        async with self.host(lambda visit: visit.write(stream_head() + chunked(EVENT))) as host:
            http = self.client(host.url)
            await self._leave(http, host, feed, feed.came)
            await http.aclose()

    async def test_leaving_while_the_stream_is_held_closes_the_connection(self) -> None:
        feed = Taker()
        async with self.host(lambda visit: visit.write(stream_head() + chunked(EVENT))) as host:
            http = self.client(host.url)
            await self._leave(http, host, feed, feed.came, hold=True)
            await http.aclose()

    async def _leave(self, http: Http, host: Host, feed: Taker, when: asyncio.Event, *, hold: bool = False) -> None:
        task = asyncio.create_task(fetch(http, feed))
        await when.wait()
        if hold:
            feed.taps[0].pause_reading()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await host.visits[0].gone.wait()

    async def test_a_feed_that_refuses_ends_the_request_and_the_connection(self) -> None:
        async with self.host(lambda visit: visit.write(stream_head() + chunked(EVENT))) as host:
            http = self.client(host.url)
            assert str(await failing(http, Taker(refuses=True))) == "not what was asked for"
            await host.visits[0].gone.wait()
            await http.aclose()

    async def test_a_stream_that_is_held_stops_the_host_and_loses_nothing(self) -> None:
        feed = Taker()
        async with (
            self.host(lambda visit: visit.write(stream_head() + chunked(EVENT))) as host,
            asyncio.TaskGroup() as group,
        ):
            http = self.client(host.url)
            task = group.create_task(fetch(http, feed))
            await feed.came.wait()
            feed.taps[0].pause_reading()
            for _ in range(16):
                host.visits[0].write(chunked(bytes(MORE_THAN_BUFFERS // 16)))
            host.visits[0].write(END)
            await host.visits[0].held.wait()
            while not task.done() and await self._moved(feed):
                pass
            assert feed.taken < MORE_THAN_BUFFERS // 2
            feed.taps[0].resume_reading()
            await task
            await http.aclose()
        assert feed.taken == MORE_THAN_BUFFERS + len(EVENT)

    async def _moved(self, feed: Taker) -> bool:
        before = feed.taken
        for _ in range(50):
            await asyncio.sleep(0)
        return feed.taken != before

    async def test_closing_ends_the_connections_that_are_kept(self) -> None:
        async with self.host() as host:
            http = self.client(host.url)
            await fetch(http)
            await http.aclose()
            await host.visits[0].gone.wait()
