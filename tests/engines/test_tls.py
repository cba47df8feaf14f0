"""What TLS adds to the client's promises: nothing is said to a host that cannot prove its name."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

import pytest

from contracts.host import chunked, json_reply, opened_host, stream_head, trusting
from scripted_http import soon
from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.http.port import Http
from tiercel.engines.http.tls import TlsHttp
from tiercel.engines.port import Tap
from tiercel.terms.errors import EngineFailed, Misconfigured

KEY = (("x-api-key", "secret"),)


class Socket:
    """A feed that looks at the socket behind the stream."""

    def __init__(self) -> None:
        self.nodelay = 0

    def opened(self, tap: Tap) -> None:
        held: socket.socket = cast("asyncio.Transport", tap).get_extra_info("socket")
        self.nodelay = held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def feed(self, data: bytes) -> None:
        pass


@pytest.mark.anyio
async def test_a_host_that_a_stranger_vouches_for_hears_nothing() -> None:
    async with opened_host(json_reply(), tls=True) as host:
        http = TlsHttp(host.url, KEY, connect_s=10.0)
        with pytest.raises(EngineFailed, match="certificate") as caught:
            await http.send("POST", "/", b"{}", soon())
        assert caught.value.failure == "unreachable"
        assert not host.requests
        await http.aclose()


@pytest.mark.anyio
async def test_a_host_under_another_name_than_its_certificate_hears_nothing() -> None:
    async with opened_host(json_reply(), tls=True, at="127.0.0.2") as host:
        http = TlsHttp(host.url, KEY, connect_s=10.0, verify=trusting())
        with pytest.raises(EngineFailed, match=r"127\.0\.0\.2") as caught:
            await http.send("POST", "/", b"{}", soon())
        assert caught.value.failure == "unreachable"
        assert not host.requests
        await http.aclose()


@pytest.mark.anyio
async def test_a_host_that_speaks_no_tls_hears_nothing() -> None:
    async with opened_host(json_reply(), greeting=b"220 mail.example ESMTP\r\n") as host:
        http = TlsHttp(host.url.replace("http:", "https:"), KEY, connect_s=10.0, verify=trusting())
        with pytest.raises(EngineFailed) as caught:
            await http.send("POST", "/", b"{}", soon())
        assert caught.value.failure == "unreachable"
        assert not host.requests
        await http.aclose()


@pytest.mark.parametrize("address", ["http://api.example", "https://", "api.example", "ftp://api.example"])
def test_an_address_without_tls_is_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(Misconfigured):
        TlsHttp(address, KEY)


@pytest.mark.anyio
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_small_requests_leave_at_once(tls: bool) -> None:
    async with opened_host(stream_head() + chunked(b"data: {}\n\n") + b"0\r\n\r\n", tls=tls) as host:
        http: Http = (
            TlsHttp(host.url, connect_s=10.0, verify=trusting()) if tls else PlainHttp(host.url, connect_s=10.0)
        )
        seen = Socket()
        await http.send("POST", "/", b"{}", soon(), seen)
        await http.aclose()
    assert seen.nodelay
