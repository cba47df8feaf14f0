"""Model servers on this machine are found in a moment, named for what they are, and never believed too much."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from tiercel.app.nearby import USUAL_PORTS, Found, ask_models, look_around
from tiercel.engines.http.port import Feed, Http, Reply
from tiercel.engines.rehearsal.server import refused_url, rehearsal_server
from tiercel.terms.clock import Deadline, SystemClock
from tiercel.terms.errors import EngineFailed

Listed = list[dict[str, str]]


class Neighbour:
    """A host that answers with one reply, fails, or says nothing."""

    def __init__(self, reply: Reply | EngineFailed | None) -> None:
        self._reply = reply
        self.closed = False

    async def send(self, method: str, path: str, body: bytes, deadline: Deadline, feed: Feed | None = None) -> Reply:
        assert (method, path) == ("GET", "/models")
        if self._reply is None:
            await asyncio.Event().wait()
        if isinstance(self._reply, Reply):
            return self._reply
        raise self._reply or EngineFailed("late", "")

    async def aclose(self) -> None:
        self.closed = True


def listing(*models: dict[str, str]) -> Reply:
    return Reply(200, {}, msgspec.json.encode({"object": "list", "data": models}))


async def found_among(neighbours: Mapping[int, Neighbour]) -> tuple[Found, ...]:
    def connect(base_url: str) -> Http:
        return neighbours[int(base_url.split(":")[2].partition("/")[0])]

    found = await look_around(SystemClock(), tuple(neighbours), connect)
    assert all(neighbour.closed for neighbour in neighbours.values())
    return found


@pytest.mark.anyio
async def test_each_is_named_by_its_own_signature_and_else_by_its_port() -> None:
    found = await found_among(
        {
            11434: Neighbour(listing({"id": "qwen3:4b", "owned_by": "library"}, {"id": "b", "owned_by": "library"})),
            8000: Neighbour(listing({"id": "m", "owned_by": "sglang"})),
            8080: Neighbour(listing({"id": "m.gguf", "owned_by": "somebody"})),
        }
    )
    assert [(one.product, one.flag) for one in found] == [
        ("Ollama", "http://127.0.0.1:11434/v1#qwen3:4b"),
        ("SGLang", "http://127.0.0.1:8000/v1"),
        ("an OpenAI-compatible server on llama.cpp's usual port", "http://127.0.0.1:8080/v1"),
    ]


@pytest.mark.anyio
async def test_whoever_is_no_model_server_is_passed_over() -> None:
    assert not await found_among(
        {
            1: Neighbour(EngineFailed("unreachable", "refused")),
            2: Neighbour(Reply(404, {}, b"")),
            3: Neighbour(Reply(200, {}, b"<html>")),
            4: Neighbour(Reply(200, {}, b'{"data": 1}')),
            5: Neighbour(listing()),
            6: Neighbour(listing({"id": "silver", "owned_by": "tiercel"})),
        }
    )


@pytest.mark.anyio
async def test_a_silent_one_costs_no_more_than_the_probe() -> None:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    assert not await found_among(dict.fromkeys(USUAL_PORTS, Neighbour(None)))
    assert loop.time() - start_s >= 0.14


@pytest.mark.anyio
async def test_names_that_would_command_a_terminal_are_not_taken() -> None:
    (found,) = await found_among({8000: Neighbour(listing({"id": "\x1b[2Jx"}, {"id": "y" * 300}, {"id": "good"}))})
    assert found.models == ("good",)


@pytest.mark.anyio
async def test_a_real_server_is_asked_for_its_models() -> None:
    async with rehearsal_server() as stage:
        assert "plain" in await ask_models(stage.url, Deadline.after(5, SystemClock()))
    with refused_url() as url, pytest.raises(EngineFailed, match="no connection"):
        await ask_models(url, Deadline.after(5, SystemClock()))
