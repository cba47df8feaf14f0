"""Finds model servers that already run on this machine, so that they can be offered; nothing is used unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.http.port import Http
from tiercel.terms.clock import Clock, Deadline
from tiercel.terms.errors import EngineFailed
from tiercel.terms.json import NOT_JSON

__all__ = ["PROBE_S", "USUAL_PORTS", "Connect", "Found", "ask_models", "look_around", "plainly"]

# Who usually listens where.
USUAL_PORTS = {11434: "Ollama", 8000: "vLLM", 30000: "SGLang", 8080: "llama.cpp", 1234: "LM Studio"}
PROBE_S = 0.15

# How servers sign the models that they list.
_SIGNATURES = {
    "library": "Ollama",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "organization_owner": "LM Studio",
    "trtllm": "TensorRT-LLM",
    "tiercel": "Tiercel",
}
_MOST_MODELS = 200
_LONGEST_NAME = 200
_OK = 200


class _Listed(msgspec.Struct):
    id: str
    owned_by: str = ""


class _Listing(msgspec.Struct):
    data: list[_Listed]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One server: what it seems to be, where, and the models it lists."""

    product: str
    url: str
    models: tuple[str, ...]

    @property
    def flag(self) -> str:
        """What to give to ``--silver`` for its first model."""
        return f"{self.url}#{self.models[0]}" if len(self.models) > 1 else self.url


class Connect(Protocol):
    """How a host is reached; tests and TLS bring their own."""

    def __call__(self, base_url: str) -> Http:
        """Return the way to this host; nothing is opened yet."""
        ...


def plainly(base_url: str) -> Http:
    """Reach a host over plain HTTP."""
    return PlainHttp(base_url, connect_s=PROBE_S)


async def look_around(
    clock: Clock, ports: Sequence[int] = tuple(USUAL_PORTS), connect: Connect = plainly
) -> tuple[Found, ...]:
    """Ask all usual ports at once and return whoever answered like a model server within ``PROBE_S``."""
    deadline = Deadline.after(PROBE_S, clock)
    async with asyncio.TaskGroup() as group:
        probes = [group.create_task(_probe(port, deadline, connect)) for port in ports]
    return tuple(found for probe in probes if (found := probe.result()) is not None)


async def ask_models(base_url: str, deadline: Deadline, connect: Connect = plainly) -> tuple[str, ...]:
    """Return the ids of the models that a server lists; raises ``EngineFailed``."""
    return tuple(model.id for model in await _listing(base_url, deadline, connect))


async def _probe(port: int, deadline: Deadline, connect: Connect) -> Found | None:
    url = f"http://127.0.0.1:{port}/v1"
    try:
        models = await _listing(url, deadline, connect)
    except EngineFailed:
        return None
    product = next((_SIGNATURES[m.owned_by.lower()] for m in models if m.owned_by.lower() in _SIGNATURES), "")
    if not models or product == "Tiercel":
        return None
    usual = USUAL_PORTS.get(port, "")
    guess = f"an OpenAI-compatible server on {usual}'s usual port" if usual else "an OpenAI-compatible server"
    return Found(product=product or guess, url=url, models=tuple(model.id for model in models))


async def _listing(base_url: str, deadline: Deadline, connect: Connect) -> list[_Listed]:
    http = connect(base_url)
    try:
        async with asyncio.timeout(deadline.left_s()):
            reply = await http.send("GET", "/models", b"", deadline)
    except TimeoutError:
        raise EngineFailed("late", f"{base_url}/models did not answer in time") from None
    finally:
        await http.aclose()
    if reply.status != _OK:
        raise EngineFailed("malformed", f"{base_url}/models answered {reply.status}")
    try:
        models = msgspec.json.decode(reply.body, type=_Listing).data
    except NOT_JSON:
        raise EngineFailed("malformed", f"{base_url}/models is no list of models") from None
    # What a stranger calls its models goes to a terminal and into a request: only plain names are taken.
    return [m for m in models[:_MOST_MODELS] if m.id.isprintable() and 0 < len(m.id) <= _LONGEST_NAME]
