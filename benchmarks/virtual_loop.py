"""How many requests the virtual loop plays in a second of one core, beside stock asyncio with its waiting taken out.

    python benchmarks/virtual_loop.py [--requests 20000] [--rounds 5]

A request is one sleep under one ``asyncio.timeout``, from a hundred callers or in a task of its own; over the network
it is one small question and answer on a connection that is kept, or that is made and closed for it. Each round runs
all loads once, so that a slow moment of the machine meets them alike; medians of CPU time are kept. The promise is
45,000 requests (sleep and timeout) in a CPU second, and the program fails when it is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import resource
import selectors
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tiercel.sim import virtual
from tiercel.sim.network import Link

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

COMMAND = "python benchmarks/virtual_loop.py"
RESULTS = Path(__file__).with_name("results") / "virtual_loop.json"
PROMISED_PER_S = 45_000
CALLERS = 100
WORK_S = 0.01
PATIENCE_S = 1.0
QUESTION = b"x" * 300
ANSWER = b"y" * 600

Load = Callable[[int], Coroutine[Any, Any, None]]


class Row(msgspec.Struct, kw_only=True):
    """One load on one loop."""

    load: str
    loop: str
    requests_per_cpu_s: int
    slowest_round: int
    fastest_round: int


class Report(msgspec.Struct, kw_only=True):
    """What was measured, on what, by which command."""

    command: str
    cpu: str
    cores: int
    python: str
    requests: int
    rounds: int
    promised_per_cpu_s: int
    rows: list[Row]
    # Median over rounds of (virtual / stock) in the same round.
    times_stock_callers: float
    times_stock_tasks: float
    peak_rss_mib: float


class Leaping(selectors.BaseSelector):
    """A selector that waits by moving a dial, for stock asyncio without its waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now_s += max(0.0, timeout or 0.0)
        return []

    def register(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        return self._real.get_map()


class StockLoop(asyncio.SelectorEventLoop):
    """Stock asyncio on that dial."""

    def __init__(self) -> None:
        self._dial = Leaping()
        super().__init__(self._dial)

    def time(self) -> float:
        return self._dial.now_s


async def request() -> None:
    """Wait under a deadline that is never reached, as a request to a healthy engine does."""
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.sleep(WORK_S)


async def callers(requests: int) -> None:
    """Have a hundred callers make one request after the other."""

    async def caller() -> None:
        for _ in range(requests // CALLERS):
            await request()

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


async def tasks(requests: int) -> None:
    """Give each request a task of its own, arriving at a steady rate."""
    async with asyncio.TaskGroup() as group:
        for _ in range(requests // CALLERS):
            for _ in range(CALLERS):
                group.create_task(request())
            await asyncio.sleep(WORK_S / 2)


class Engine(asyncio.Protocol):
    """Answers every question."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a transport that cannot write")
        self.transport = transport
        self.seen = 0

    def data_received(self, data: bytes) -> None:
        self.seen += len(data)
        while self.seen >= len(QUESTION):
            self.seen -= len(QUESTION)
            self.transport.write(ANSWER)


class Client(asyncio.Protocol):
    """Asks one question at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a transport that cannot write")
        self.transport = transport
        self.left = 0
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left == 0:
            self.answer.set_result(None)

    async def ask(self) -> None:
        """Send a question and wait for all of its answer."""
        self.left = len(ANSWER)
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(QUESTION)
        await self.answer


async def kept_connections(requests: int) -> None:
    """Let a hundred clients ask, each on one connection."""
    virtual.here().network.listen("engine", 80, Engine, link=Link(latency_s=0.001))

    async def client() -> None:
        transport, protocol = await asyncio.get_running_loop().create_connection(Client, "engine", 80)
        for _ in range(requests // CALLERS):
            await protocol.ask()
        transport.close()

    await asyncio.gather(*(client() for _ in range(CALLERS)))


async def new_connections(requests: int) -> None:
    """Let a hundred clients ask, on a new connection for every question."""
    virtual.here().network.listen("engine", 80, Engine, link=Link(latency_s=0.001))

    async def client() -> None:
        for _ in range(requests // CALLERS):
            transport, protocol = await asyncio.get_running_loop().create_connection(Client, "engine", 80)
            await protocol.ask()
            transport.close()

    await asyncio.gather(*(client() for _ in range(CALLERS)))


def on_virtual(load: Load, requests: int) -> float:
    """Count requests in a CPU second, on the virtual loop."""
    gc.collect()
    began = time.process_time()
    virtual.run(load(requests))
    return requests / (time.process_time() - began)


def on_stock(load: Load, requests: int) -> float:
    """Count requests in a CPU second, on stock asyncio without the waiting."""
    loop = StockLoop()
    try:
        gc.collect()
        began = time.process_time()
        loop.run_until_complete(load(requests))
        return requests / (time.process_time() - began)
    finally:
        loop.close()


RUNS: tuple[tuple[str, str, Callable[[int], float]], ...] = (
    ("sleep and timeout, callers", "virtual", lambda requests: on_virtual(callers, requests)),
    ("sleep and timeout, callers", "stock", lambda requests: on_stock(callers, requests)),
    ("sleep and timeout, tasks", "virtual", lambda requests: on_virtual(tasks, requests)),
    ("sleep and timeout, tasks", "stock", lambda requests: on_stock(tasks, requests)),
    ("question over a kept connection", "virtual", lambda requests: on_virtual(kept_connections, requests)),
    ("question over a new connection", "virtual", lambda requests: on_virtual(new_connections, requests)),
)


def measure(requests: int, rounds: int) -> Report:
    """Run every load in every round."""
    speeds = [[run(requests) for _, _, run in RUNS] for _ in range(rounds)]
    rows = [
        Row(
            load=load,
            loop=loop,
            requests_per_cpu_s=round(statistics.median(column)),
            slowest_round=round(min(column)),
            fastest_round=round(max(column)),
        )
        for (load, loop, _), column in zip(RUNS, zip(*speeds, strict=True), strict=True)
    ]
    return Report(
        command=f"{COMMAND} --requests {requests} --rounds {rounds}",
        cpu=cpu_model(),
        cores=os.cpu_count() or 0,
        python=platform.python_version(),
        requests=requests,
        rounds=rounds,
        promised_per_cpu_s=PROMISED_PER_S,
        rows=rows,
        times_stock_callers=round(statistics.median(speed[0] / speed[1] for speed in speeds), 2),
        times_stock_tasks=round(statistics.median(speed[2] / speed[3] for speed in speeds), 2),
        peak_rss_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def cpu_model() -> str:
    """Name the processor, as Linux knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Measure, print the table, keep the result, hold it against the promise."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    report = measure(chosen.requests, chosen.rounds)
    print(f"{report.cpu}, {report.cores} cores, Python {report.python}, {report.peak_rss_mib} MiB at most")
    for row in report.rows:
        print(f"{row.load:32} {row.loop:8} {row.requests_per_cpu_s:>9,} requests per CPU second")
    print(f"times stock asyncio: {report.times_stock_callers} (callers), {report.times_stock_tasks} (tasks)")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    if any(
        row.requests_per_cpu_s < PROMISED_PER_S
        for row in report.rows
        if row.load.startswith("sleep") and row.loop == "virtual"
    ):
        sys.exit(f"fewer than the promised {PROMISED_PER_S:,} requests per CPU second")


if __name__ == "__main__":
    main()
