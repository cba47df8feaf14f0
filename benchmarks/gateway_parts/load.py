"""The load: wrk for whole replies, our own caller for streams, and the CPU that the target spent meanwhile."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from gateway_parts.upstream import CHUNKS, GAP_S
from rig.caller import Lines, Reply, chat_request
from rig.processes import Child
from rig.spread import at_share

__all__ = ["Point", "StreamPoint", "Target", "streams", "whole_replies"]

_PATIENCE_S: Final = 30.0
_DONE: Final = b"[DONE]"
_SCRIPT: Final = """
local file = io.open(os.getenv("BENCH_BODY"), "r")
wrk.body = file:read("*a"); file:close()
wrk.method = "POST"; wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
for name, value in string.gmatch(os.getenv("BENCH_HEADERS") or "", "([^:\\n]+): ([^\\n]+)") do
  wrk.headers[name] = value
end
done = function(summary, latency, requests)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('\\nJSON {"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
"""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Something to measure; without a process it is the engine itself."""

    name: str
    whole: int
    streams: int
    body: bytes
    stream_body: bytes
    child: Child | None = None
    stream_child: Child | None = None
    headers: Mapping[str, str] = {}


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Whole replies from one target at one concurrency in one round."""

    target: str
    round: int
    concurrency: int
    requests: int
    errors: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    cores: float


class StreamPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Streams from one target at one concurrency in one round."""

    target: str
    round: int
    concurrency: int
    streams: int
    broken: int
    first_p50_ms: float
    first_p99_ms: float
    whole_p50_ms: float
    cpu_ms: float


class _Heard(msgspec.Struct):
    """What wrk found."""

    requests: int
    us: int
    p50_us: float
    p99_us: float
    errors: int


def whole_replies(target: Target, concurrency: int, seconds: int, round_: int, folder: Path) -> Point:
    """Load a target with whole replies for some seconds."""
    body, script = folder / "body.json", folder / "load.lua"
    body.write_bytes(target.body)
    script.write_text(_SCRIPT, encoding="utf-8")
    headers = "\n".join(f"{name}: {value}" for name, value in target.headers.items())
    env = {**os.environ, "BENCH_BODY": str(body), "BENCH_HEADERS": headers}
    command = [shutil.which("wrk") or "wrk", "-t1", f"-c{concurrency}", f"-d{seconds}s", "--timeout", "20s"]
    command += ["-s", str(script), f"http://127.0.0.1:{target.whole}/"]
    before_s = _cpu_s(target.child)
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)  # noqa: S603 - our own command
    spent_s = _cpu_s(target.child) - before_s
    line = next(line for line in ran.stdout.splitlines() if line.startswith("JSON "))
    heard = msgspec.json.decode(line[5:], type=_Heard)
    return Point(
        target=target.name,
        round=round_,
        concurrency=concurrency,
        requests=heard.requests,
        errors=heard.errors,
        rps=round(heard.requests / heard.us * 1e6, 1),
        p50_ms=heard.p50_us / 1e3,
        p99_ms=heard.p99_us / 1e3,
        cpu_ms=round(spent_s * 1e3 / max(1, heard.requests), 5),
        cores=round(spent_s / (heard.us / 1e6), 2),
    )


def streams(target: Target, concurrency: int, seconds: float, round_: int) -> StreamPoint:
    """Load a target with streams for some seconds; every one of them must bring all of its chunks."""
    before_s = _cpu_s(target.stream_child)
    replies = uvloop.run(_call(target, concurrency, seconds))
    spent_s = _cpu_s(target.stream_child) - before_s
    good = [reply for reply in replies if reply.status == 200 and _chunks(reply) == CHUNKS]
    firsts, wholes = sorted(reply.first_s for reply in good), sorted(reply.took_s for reply in good)
    return StreamPoint(
        target=target.name,
        round=round_,
        concurrency=concurrency,
        streams=len(good),
        broken=len(replies) - len(good),
        first_p50_ms=round(at_share(firsts, 0.5) * 1e3, 3),
        first_p99_ms=round(at_share(firsts, 0.99) * 1e3, 3),
        whole_p50_ms=round(at_share(wholes, 0.5) * 1e3, 1),
        cpu_ms=round(spent_s * 1e3 / max(1, len(good)), 4),
    )


async def _call(target: Target, concurrency: int, seconds: float) -> list[Reply]:
    lines, replies = Lines(target.streams), list[Reply]()
    request = chat_request(target.stream_body, target.streams, target.headers)
    until_s = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        # Not all in step: a first event is measured among others' later ones, as it would be met.
        await asyncio.sleep(number * CHUNKS * GAP_S / concurrency)
        while time.perf_counter() < until_s:
            replies.append(await lines.ask(request, patience_s=_PATIENCE_S))

    async with asyncio.TaskGroup() as callers:
        for number in range(concurrency):
            callers.create_task(caller(number))
    lines.close()
    return replies


def _chunks(reply: Reply) -> int:
    """Count the events of a stream that has its end mark."""
    body = reply.body
    return body.count(b"data:") - 1 if _DONE in body[-32:] else -1


def _cpu_s(child: Child | None) -> float:
    return 0.0 if child is None else child.cpu_s()
