"""Brings everything up that is measured side by side, and says how long each took and what it weighs at rest."""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway_parts import peers
from gateway_parts.load import Target
from gateway_parts.upstream import Mock, mock_engine, plain_proxy, question
from rig.processes import Child, wait_for
from rig.server import Server, tiercel_up

__all__ = ["BY_NAME", "BY_TIER", "DIRECT", "LITELLM", "NGINX", "ROUTER", "WITH_WISHES", "Field", "Start", "the_field"]

DIRECT, NGINX = "direct", "nginx proxy_pass"
BY_TIER, BY_NAME, WITH_WISHES = "Tiercel, by tier", "Tiercel, by engine", "Tiercel, persona and deadline"
ROUTER, LITELLM = "vllm-router", "LiteLLM"
_SETTLED_S: Final = 1.0
_PATIENCE_S: Final = 120.0
_CONFIG: Final = """
[engines.mock]
kind = "openai"
url = "http://127.0.0.1:{port}/v1"
model = "mock"
[tiers.silver]
rungs = ["mock", "template"]
"""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """From the start of a process to its first answer, and its memory a second later."""

    gateway: str
    ready_s: float
    cpu_s: float
    idle_mib: float


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """All that is measured."""

    targets: tuple[Target, ...]
    starts: tuple[Start, ...]
    servers: tuple[Server, ...]
    left_out: tuple[str, ...]


@contextlib.contextmanager
def the_field(folder: Path, cache: Path, *, router: bool, litellm: bool) -> Iterator[Field]:
    """Start the engine, and before it the proxy, ourselves and our peers."""
    with contextlib.ExitStack() as stack:
        mock = stack.enter_context(mock_engine(folder))
        build = _Build(stack, folder, mock)
        build.direct()
        build.nginx()
        build.tiercel()
        if router:
            build.router(peers.installed(peers.VLLM_ROUTER, cache))
        if litellm:
            build.litellm(peers.installed(peers.LITELLM, cache))
        yield Field(
            targets=tuple(build.targets),
            starts=tuple(build.starts),
            servers=tuple(build.servers),
            left_out=tuple(build.left_out),
        )


class _Build:
    def __init__(self, stack: contextlib.ExitStack, folder: Path, mock: Mock) -> None:
        self._stack, self._folder, self._mock = stack, folder, mock
        self.targets: list[Target] = []
        self.starts: list[Start] = []
        self.servers: list[Server] = []
        self.left_out: list[str] = []

    def direct(self) -> None:
        self.targets.append(_target(DIRECT, self._mock, "mock"))

    def nginx(self) -> None:
        began_s = time.perf_counter()
        child, fronts = self._stack.enter_context(plain_proxy(self._folder, self._mock))
        target = _target(NGINX, fronts, "mock", child, child)
        self._ready(target, began_s)
        self.targets.append(target)

    def tiercel(self) -> None:
        """Start it twice, as the mock's streams have a port of their own."""
        began_s = time.perf_counter()
        whole = self._stack.enter_context(tiercel_up(_config(self._mock.whole), self._folder))
        self._ready(_target("Tiercel", Mock(whole=whole.port, streams=0), "silver", whole.child), began_s)
        streams = self._stack.enter_context(tiercel_up(_config(self._mock.streams), self._folder, name="tiercel-sse"))
        self.servers += [whole, streams]
        fronts = Mock(whole=whole.port, streams=streams.port)
        for name, model in ((BY_TIER, "silver"), (BY_NAME, "mock")):
            self.targets.append(_target(name, fronts, model, whole.child, streams.child))
        wishes: dict[str, str | float] = {"persona": "guard", "npc_id": "brennan", "total_ms": 1500.0}
        target = _target(WITH_WISHES, fronts, "silver", whole.child, streams.child)
        bodies = [question("silver", stream=stream, wishes=wishes) for stream in (False, True)]
        self.targets.append(msgspec.structs.replace(target, body=bodies[0], stream_body=bodies[1]))

    def router(self, programs: Path | str) -> None:
        if isinstance(programs, str):
            self.left_out.append(programs)
            return
        began_s = time.perf_counter()
        whole = self._stack.enter_context(peers.vllm_router(programs, self._mock.whole, "vllm-router", self._folder))
        target = _target(ROUTER, Mock(whole=whole.port, streams=0), "mock", whole.child)
        if not self._ready(target, began_s):
            return
        sse = self._stack.enter_context(peers.vllm_router(programs, self._mock.streams, "vllm-sse", self._folder))
        wait_for(sse.child, sse.port, _PATIENCE_S)
        self.targets.append(msgspec.structs.replace(target, streams=sse.port, stream_child=sse.child))

    def litellm(self, programs: Path | str) -> None:
        if isinstance(programs, str):
            self.left_out.append(programs)
            return
        began_s = time.perf_counter()
        proxy = self._stack.enter_context(peers.litellm(programs, self._mock, self._folder))
        fronts = Mock(whole=proxy.port, streams=proxy.port)
        target = _target(LITELLM, fronts, "mock", proxy.child, proxy.child)
        headers = {"Authorization": f"Bearer {peers.LITELLM_KEY}"}
        target = msgspec.structs.replace(target, stream_body=question("mock-s", stream=True), headers=headers)
        if self._ready(target, began_s):
            self.targets.append(target)

    def _ready(self, target: Target, began_s: float) -> bool:
        """Wait for the first answer to a chat; a peer that never gives one is left out."""
        child = target.child
        assert child is not None
        while time.perf_counter() - began_s < _PATIENCE_S and child.alive:
            if _answers(target):
                ready_s, cpu_s = time.perf_counter() - began_s, child.cpu_s()
                time.sleep(_SETTLED_S)
                start = Start(
                    gateway=target.name,
                    ready_s=round(ready_s, 2),
                    cpu_s=round(cpu_s, 2),
                    idle_mib=round(child.rss_mib(), 1),
                )
                self.starts.append(start)
                return True
            time.sleep(0.01)
        said = child.log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
        self.left_out.append(f"{target.name} did not answer: {said[:200]}")
        return False


def _config(port: int) -> str:
    return _CONFIG.format(port=port)


def _answers(target: Target) -> bool:
    headers = {"Content-Type": "application/json", **target.headers}
    url = f"http://127.0.0.1:{target.whole}/v1/chat/completions"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, target.body, headers), timeout=20) as reply:
            return bool(msgspec.json.decode(reply.read(), type=_Said).choices)
    except (OSError, urllib.error.URLError, msgspec.DecodeError):
        return False


class _Said(msgspec.Struct):
    choices: list[msgspec.Raw]


def _target(name: str, fronts: Mock, model: str, child: Child | None = None, streams: Child | None = None) -> Target:
    return Target(
        name=name,
        whole=fronts.whole,
        streams=fronts.streams,
        body=question(model),
        stream_body=question(model, stream=True),
        child=child,
        stream_child=streams,
    )
