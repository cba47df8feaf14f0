"""The contract of the ``Http`` port, on every implementation of it."""

from __future__ import annotations

import pytest

from contracts.host import trusting
from contracts.http_contract import PATIENCE_S, HttpContract
from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.http.port import Http
from tiercel.engines.http.tls import TlsHttp

KEY = (("x-api-key", "secret"),)


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Prove it on both loops: each has sockets, and TLS, of its own."""
    return "asyncio", {"use_uvloop": request.param}


class TestPlainHttp(HttpContract):
    def client(self, url: str, *, connect_s: float = PATIENCE_S, max_connections: int = 4) -> Http:
        return PlainHttp(url, KEY, connect_s=connect_s, max_connections=max_connections)


class TestTlsHttp(HttpContract):
    tls = True

    def client(self, url: str, *, connect_s: float = PATIENCE_S, max_connections: int = 4) -> Http:
        return TlsHttp(url, KEY, connect_s=connect_s, max_connections=max_connections, verify=trusting())
