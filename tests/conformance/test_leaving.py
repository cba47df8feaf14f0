"""A client that leaves: the engine is let go at once, in every phase and manner, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator

import openai
import pytest

from conformance.live import Live, engine, running
from conformance.questions import MESSAGES

# So far away that nothing but the client's leaving can be what ends a request here.
PATIENT = {"total_ms": 600_000, "first_ms": 600_000}
HOUR_MS = 3_600_000.0
ENGINES = {
    "silent": engine("silent"),
    "stall": engine("stall:k=2", gap_ms=HOUR_MS),
    "drip": engine("drip:chunks=10000,gap=0.01", gap_ms=HOUR_MS),
    "endless": engine("endless", gap_ms=HOUR_MS),
}
# By phase: which engine is left, whether it was asked for a stream, and what the client has seen of it by then.
PHASES = {
    "before the first word": ("silent", True, b""),
    "in the middle of a stream": ("endless", True, b"word1"),
    "while a stream has stalled": ("stall", True, b"word2"),
    "while a whole reply is made": ("silent", False, b""),
    "while a whole reply drips": ("drip", False, b""),
}
STREAMS = 1000
BATCH = 50
# Beyond what the engines' own ledger remembers of its last requests.
WARM_UP = 400


@pytest.fixture(scope="module")
def house() -> Iterator[Live]:
    """Run engines that never come to an end."""
    with running(ENGINES) as live:
        yield live


def request(model: str, *, stream: bool) -> bytes:
    """Write a request by hand."""
    body = json.dumps({"model": model, "messages": MESSAGES, "stream": stream, "tiercel": PATIENT}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def read_until(wire: socket.socket, mark: bytes) -> None:
    """Read up to these bytes."""
    seen = b""
    while mark not in seen:
        data = wire.recv(65536)
        assert data, seen
        seen += data


def hang_up(wire: socket.socket) -> None:
    """Leave politely."""
    wire.close()


def reset(wire: socket.socket) -> None:
    """Leave as a process does that was killed."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def say_no_more(wire: socket.socket) -> None:
    """Close one's own side."""
    wire.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("leave", [hang_up, reset, say_no_more])
@pytest.mark.parametrize("phase", PHASES)
def test_the_engines_socket_closes_when_the_client_leaves(
    house: Live, phase: str, leave: Callable[[socket.socket], None]
) -> None:
    """Statement 12, on real sockets: minutes before any deadline."""
    model, stream, mark = PHASES[phase]
    asked, abandoned = house.ledger.attempts, house.ledger.abandoned
    with contextlib.closing(socket.create_connection(("127.0.0.1", house.port))) as wire:
        wire.sendall(request(model, stream=stream))
        house.until(lambda: house.ledger.attempts == asked + 1)
        if mark:
            read_until(wire, mark)
        leave(wire)
        house.until(lambda: house.ledger.abandoned == abandoned + 1)
    assert house.ledger.departures[-1].model == model
    house.settle()
    assert house.built.house.door.inside == 0


@pytest.mark.anyio
async def test_closing_the_clients_stream_closes_the_engines(aclient: openai.AsyncOpenAI, house: Live) -> None:
    abandoned = house.ledger.abandoned
    stream = await aclient.chat.completions.create(
        model="endless", messages=MESSAGES, stream=True, extra_body={"tiercel": PATIENT}
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    house.until(lambda: house.ledger.abandoned == abandoned + 1)


@pytest.mark.anyio
async def test_cancelling_the_clients_task_lets_the_engine_go(aclient: openai.AsyncOpenAI, house: Live) -> None:
    asked, abandoned = house.ledger.attempts, house.ledger.abandoned
    waiting = asyncio.create_task(
        aclient.chat.completions.create(model="silent", messages=MESSAGES, extra_body={"tiercel": PATIENT})
    )
    await asyncio.to_thread(house.until, lambda: house.ledger.attempts == asked + 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    house.until(lambda: house.ledger.abandoned == abandoned + 1)


def test_a_client_whose_own_time_is_over_lets_the_engine_go(client: openai.OpenAI, house: Live) -> None:
    asked, abandoned = house.attempts("silent"), house.ledger.abandoned
    hasty = client.with_options(timeout=openai.Timeout(30, read=0.3), max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        hasty.chat.completions.create(model="silent", messages=MESSAGES, extra_body={"tiercel": PATIENT})
    house.until(lambda: house.ledger.abandoned == abandoned + 1)
    assert house.attempts("silent") == asked + 1


def test_a_thousand_abandoned_streams_leave_nothing_behind(house: Live) -> None:
    """Statement 13: tasks, sockets and memory are back at the baseline."""
    abandon(house, WARM_UP)
    before = census(house)
    abandon(house, STREAMS)
    after = census(house)
    assert after["objects"] - before["objects"] < STREAMS / 10
    assert {**after, "objects": 0} == {**before, "objects": 0}
    assert after["engine sockets"] == after["client sockets"] == after["requests"] == 0


def abandon(house: Live, count: int) -> None:
    """Leave so many streams, every other one before its first word."""
    for _ in range(count // BATCH):
        asked, abandoned = house.ledger.attempts, house.ledger.abandoned
        wires = [socket.create_connection(("127.0.0.1", house.port)) for _ in range(BATCH)]
        for index, wire in enumerate(wires):
            wire.sendall(request("silent" if index % 2 else "stall", stream=True))
        house.until(lambda: house.ledger.attempts >= asked + BATCH)  # noqa: B023 - called in this round only
        for wire in wires[::2]:
            read_until(wire, b"word2")
        for wire in wires:
            wire.close()
        house.until(lambda: house.ledger.abandoned >= abandoned + BATCH)  # noqa: B023 - the same


def census(house: Live) -> dict[str, int]:
    """Count what a stream may leave behind."""
    house.settle()
    gc.collect()
    return {
        "tasks": house.tasks(),
        "engine sockets": house.ledger.open_sockets,
        "client sockets": len(house.server.server_state.connections),
        "running": len(house.server.server_state.tasks),
        "requests": house.built.house.door.inside,
        "open files": len(os.listdir("/dev/fd")),  # noqa: PTH208 - names are all we count
        "objects": len(gc.get_objects()),
    }
