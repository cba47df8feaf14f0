"""A busy server: liveness is still answered in its turn, memory stays where it is, and its own work is shown."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import urllib.request
from collections.abc import Iterator

import openai
import pytest

from conformance.live import Live, engine, running
from conformance.questions import MESSAGES, report_of
from tiercel.route.spec import TierSpec

BODY = json.dumps({"model": "silver", "messages": MESSAGES}).encode()
CHAT = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
STREAMED = json.dumps({"model": "silver", "messages": MESSAGES, "stream": True}).encode()
STREAM = CHAT.replace(b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY), b"content-length: %d\r\n\r\n%b") % (
    len(STREAMED),
    STREAMED,
)
ALIVE = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
CALLERS = 32
ROUNDS = 150
ENOUGH = 1000


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run a model and the template below it."""
    with running({"plain": engine()}, TierSpec(rungs=("plain", "template"))) as live:
        yield live


class Caller(asyncio.Protocol):
    """Asks again as soon as it is answered; a stream ends with its last chunk, anything else with its body."""

    def __init__(self, request: bytes, times: int) -> None:
        self._request = request
        self._left = times
        self._end = b"0\r\n\r\n" if request is STREAM else b"}"
        self.done = asyncio.get_running_loop().create_future()
        self._wire: asyncio.WriteTransport
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports keep the interface without the class.
        self._wire = transport  # type: ignore[assignment]
        self._wire.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._heard = self._heard[-8:] + data
        if not self._heard.endswith(self._end):
            return
        self._left -= 1
        if self._left:
            self._wire.write(self._request)
        elif not self.done.done():
            self.done.set_result(None)
            self._wire.close()


async def call(house: Live, request: bytes, times: int) -> Caller:
    """Connect a caller that asks so often."""
    loop = asyncio.get_running_loop()
    _, caller = await loop.create_connection(lambda: Caller(request, times), "127.0.0.1", house.port)
    return caller


@pytest.mark.slow
def test_liveness_waits_for_a_few_requests_and_not_for_the_crowd(house: Live) -> None:
    """Statement 37: counted in requests that went before it, which no slow machine can change."""

    async def crowded() -> tuple[int, int]:
        crowd = [await call(house, CHAT, ROUNDS) for _ in range(CALLERS)]
        state = house.server.server_state
        waits = []
        for _ in range(10):
            before = state.total_requests
            await (await call(house, ALIVE, 1)).done
            waits.append(state.total_requests - before)
        still_busy = sum(not caller.done.done() for caller in crowd)
        for caller in crowd:
            await caller.done
        return max(waits), still_busy

    waited, still_busy = house.run(crowded)
    assert still_busy == CALLERS
    # Each caller has one request in hand, and the loop comes by every socket in turn: connecting, asking and
    # answering take a few of its rounds.
    assert waited <= 8 * CALLERS


def test_liveness_answers_when_the_house_is_full() -> None:
    """Statement 37: at the limit of running requests, liveness and metrics are not turned away."""
    engines = {"stall": engine("stall:k=1", gap_ms=60_000.0)}
    with (
        running(engines, max_running=1) as live,
        openai.OpenAI(base_url=live.url, api_key="none", max_retries=0) as client,
        client.chat.completions.create(model="stall", messages=MESSAGES, stream=True) as held,
    ):
        next(held)
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="stall", messages=MESSAGES)
        assert caught.value.code == "shed"
        assert caught.value.response.headers["x-should-retry"] == "true"
        for path in ("healthz", "readyz", "metrics", "v1/engines", "v1/models"):
            with urllib.request.urlopen(f"{live.origin}/{path}") as reply:  # noqa: S310 - our own address
                assert reply.status == 200


@pytest.mark.slow
@pytest.mark.parametrize("request_", [CHAT, STREAM], ids=["whole", "streamed"])
def test_memory_does_not_grow_with_requests(house: Live, request_: bytes) -> None:
    """Statement 22: blocks of memory in use, after a warm-up, over two thousand requests and more."""

    async def served(count: int) -> None:
        callers = [await call(house, request_, count // 8) for _ in range(8)]
        for caller in callers:
            await caller.done

    def in_use() -> int:
        house.run(lambda: served(ENOUGH))
        gc.collect()
        return sys.getallocatedblocks()

    in_use()
    first, *rest = [in_use() for _ in range(3)]
    # A leak of one object for each request would be thousands.
    assert min(rest) - first < 300


def scraped(house: Live) -> str:
    """Fetch the metrics."""
    with urllib.request.urlopen(f"{house.origin}/metrics") as reply:  # noqa: S310 - our own address
        return str(reply.read().decode())


def value(text: str, series: str) -> float:
    """Return one number of the metrics."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert found, series
    return float(found[1])


def test_our_own_overhead_is_published_for_every_request(house: Live, client: openai.OpenAI) -> None:
    """Statement 45: in the metrics, and in every reply as what is left of its time beside the attempts'."""
    before = scraped(house)
    replies = [client.chat.completions.create(model="silver", messages=MESSAGES) for _ in range(5)]
    stream = list(client.chat.completions.create(model="silver", messages=MESSAGES, stream=True))
    after = scraped(house)
    for report in [report_of(reply) for reply in [*replies, stream[-1]]]:
        assert 0 <= report["ms"] - sum(tried.get("ms", 0.0) for tried in report["attempts"]) <= report["ms"]
    for name in ("overhead", "request", "lateness"):
        series = f'tiercel_{name}_seconds_count{{tier="silver"}}'
        assert value(after, series) - value(before, series) == 6
    spent, own = (
        value(after, series) - value(before, series)
        for series in ('tiercel_request_seconds_sum{tier="silver"}', 'tiercel_overhead_seconds_sum{tier="silver"}')
    )
    assert 0 < own < spent
