"""Measures what a hundred thousand requests and a thousand callers who leave their streams leave behind: nothing.

    python benchmarks/soak.py [--requests 100000] [--streams 1000] [--json]

A real ``tiercel up`` stands before an engine. Its memory is read every few thousand requests, and the line through
those readings must be flat. Then callers leave: before the first word, in the middle of a stream, or without ever
reading, some of them without leaving either. Within 5 s its sockets, its requests in flight and its connections to the
engine must be what they were before. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec
import uvloop

from rig.caller import Lines, Reply, chat_request, get_request
from rig.company import Understudy, understudy
from rig.leaver import Visit, ignoring, visit
from rig.machine import Machine, keep, this_machine
from rig.processes import stops_on_signals
from rig.server import Server, tiercel_up

COMMAND = "python benchmarks/soak.py"
CALLERS = 16
WARM = 20_000
READINGS = 20
MOST_KIB_PER_1000 = 10.0
MOST_GROWN_MIB = 4.0
BACK_WITHIN_S = 5.0
CLOSED_WITHIN_MS = 200.0
# How many leave together; of those who do not read fewer, as each of them makes megabytes pile up on its way.
WAVE, SILENT_WAVE = 50, 10
STALLED_S = 1.5
# How long callers stay: after the request or the first word; without reading, until all on the way to them is full.
STAY_S, IGNORE_S, MOST_STAY_S = 0.1, 3.0, 20.0
ABANDONED = "tiercel_streams_abandoned_total"
FAT_WORD = "x" * 2000

CONFIG = """
[server.limits]
stalled_s = {stalled}
[engines.one]
kind = "openai"
url = "{one}"
model = "rehearsal"
[tiers.silver]
rungs = ["one", "template"]
"""


Manner = Literal["before the first word", "in the middle", "never reading", "never reading nor leaving"]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What the server's process held at one moment."""

    rss_mib: float
    sockets: int
    threads: int
    in_flight: int
    engine_sockets: int


class Leaving(msgspec.Struct, frozen=True, kw_only=True):
    """All who left in one manner; ``closed_ms`` is the worst wave's time from the last leaving to a quiet engine."""

    manner: Manner
    streams: int
    with_words: int
    closed_ms: float
    cut_s: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept in git."""

    command: str
    machine: Machine
    requests: int
    failed: int
    seconds: float
    rss_mib: tuple[float, ...]
    kib_per_1000: float
    before: Reading
    after: Reading
    back_s: float
    leavings: tuple[Leaving, ...]
    counted_as_abandoned: int
    held: int
    kept: dict[str, bool]


class Play:
    """The server, its engine, and the requests that they are worn with."""

    def __init__(self, server: Server, engine: Understudy) -> None:
        self.server, self.engine = server, engine
        self.rss_mib: list[float] = []
        self.failed = 0
        self._requests = _mixed(server.port)

    def wear(self, requests: int, *, readings: int = 0) -> None:
        """Make so many requests, and read the memory so many times on the way."""
        uvloop.run(self._wear(requests, requests // readings if readings else 0))

    async def _wear(self, requests: int, every: int) -> None:
        lines, number = Lines(self.server.port), 0

        async def caller() -> None:
            nonlocal number
            while number < requests:
                number += 1
                if every and number % every == 0:
                    self.rss_mib.append(round(self.server.child.rss_mib(), 3))
                status, request = self._requests[number % len(self._requests)]
                self.failed += not _good(await lines.ask(request), status)

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(caller())
        lines.close()

    def read(self) -> Reading:
        """Look at the server from outside."""
        child, in_flight = self.server.child, int(self.server.metrics()["tiercel_in_flight"])
        return Reading(
            rss_mib=round(child.rss_mib(), 2),
            sockets=child.sockets(),
            threads=child.threads(),
            in_flight=in_flight,
            engine_sockets=self.engine.seen().open_sockets,
        )

    def settled(self, than: Reading) -> tuple[Reading, float]:
        """Wait until the server holds no more than before, or the time for that is over."""
        began_s = time.perf_counter()
        while True:
            now, took_s = self.read(), time.perf_counter() - began_s
            if took_s > BACK_WITHIN_S or _no_more(now, than):
                return now, took_s
            time.sleep(0.05)

    def leave(self, manner: Manner, count: int, quiet: int) -> Leaving:
        """Have so many callers leave in one manner, a wave at a time."""
        leave, wave = (self._unread, SILENT_WAVE) if manner.startswith("never") else (self._visited, WAVE)
        request, with_words, closed_s, cut_s = _stream(manner, self.server.port), 0, 0.0, 0.0
        for start in range(0, count, wave):
            left_s, words, stayed_s = leave(manner, request, min(wave, count - start))
            while self.engine.seen().open_sockets > quiet and time.perf_counter() - left_s < BACK_WITHIN_S:
                time.sleep(0.002)
            closed_s = max(closed_s, time.perf_counter() - left_s)
            with_words, cut_s = with_words + words, max(cut_s, stayed_s)
        return Leaving(
            manner=manner,
            streams=count,
            with_words=with_words,
            closed_ms=round(closed_s * 1e3, 1),
            cut_s=round(cut_s, 2),
        )

    def _visited(self, manner: Manner, request: bytes, count: int) -> tuple[float, int, float]:
        """Return when the last of them left, and how many had words."""

        async def all_of_them() -> list[Visit]:
            hears, port = manner == "in the middle", self.server.port
            asked = [visit(request, port, STAY_S, hears=hears, abruptly=each % 2 == 0) for each in range(count)]
            return list(await asyncio.gather(*asked))

        visits = uvloop.run(all_of_them())
        return max(each.left_s for each in visits), sum(each.got_bytes > 0 for each in visits), 0.0

    def _unread(self, manner: Manner, request: bytes, count: int) -> tuple[float, int, float]:
        """Return when they left, and how long those who would not leave were let stay."""
        began_s = time.perf_counter()
        with ignoring(request, self.server.port, count):
            if manner == "never reading":
                time.sleep(IGNORE_S)
                stayed_s = 0.0
            else:
                while self.server.metrics()["tiercel_in_flight"] and time.perf_counter() - began_s < MOST_STAY_S:
                    time.sleep(0.05)
                stayed_s = time.perf_counter() - began_s
        return time.perf_counter(), 0, stayed_s


def _good(reply: Reply, status: int) -> bool:
    return reply.status == status and (b"data:" not in reply.body or reply.body.endswith(b"[DONE]\n\n"))


def _no_more(now: Reading, before: Reading) -> bool:
    return (
        now.sockets <= before.sockets
        and now.in_flight == 0
        and now.threads <= before.threads
        and now.engine_sockets <= before.engine_sockets
    )


def _mixed(port: int) -> list[tuple[int, bytes]]:
    """Write forty requests as they come in life, each with the status it must get: whole, streamed, wrong, others."""
    words = [{"role": "user", "content": "Any news from the road? " * 8}]
    requests: list[tuple[int, bytes]] = []
    for number in range(40):
        wishes = {"persona": "innkeeper", "npc_id": f"npc-{number}", "session": f"s{number % 7}"}
        body = {"model": "silver", "messages": words, "tiercel": wishes, "user": "plain", "stream": number % 8 == 1}
        if number % 8 == 3:
            body |= {"model": "one"}
            del body["tiercel"]
        elif number % 8 == 5:
            body |= {"model": "template", "stream": number % 16 == 5}
        elif number % 20 == 7:
            body |= {"model": "nobody"}
        requests.append((404 if body["model"] == "nobody" else 200, chat_request(msgspec.json.encode(body), port)))
    return [*requests, (200, get_request("/v1/models", port)), (200, get_request("/healthz", port))]


def _stream(manner: Manner, port: int) -> bytes:
    """Ask for a stream without end: of no words yet, of small ones, or of such that soon fill every buffer."""
    part = f"endless:text={FAT_WORD},chunks=1,gap=0.001"
    if manner == "before the first word":
        part = "plain:first=60"
    elif manner == "in the middle":
        part = "endless:gap=0.01"
    body = {
        "model": "silver",
        "stream": True,
        "messages": [{"role": "user", "content": "Tell me everything."}],
        "user": part,
        "tiercel": {"persona": "innkeeper", "total_ms": 60_000, "first_ms": 60_000},
    }
    return chat_request(msgspec.json.encode(body), port)


def slope(readings: Sequence[float], requests: int) -> float:
    """Return the KiB that memory grows with each thousand requests."""
    steps = [number * requests / len(readings) / 1000 for number in range(len(readings))]
    return round(statistics.linear_regression(steps, readings).slope * 1024, 2)


def main() -> None:
    """Wear it, look, print, keep the result."""
    chosen = options()
    machine = this_machine()
    with stops_on_signals(), tempfile.TemporaryDirectory(prefix="tiercel-bench-") as place:
        folder = Path(place)
        with understudy(folder) as engine:
            toml = CONFIG.format(one=engine.url(0), stalled=STALLED_S)
            with tiercel_up(toml, folder) as server:
                result = measure(Play(server, engine), chosen, machine)
    text = keep(result, "soak")
    print(text if chosen.json else show(result))
    broken = [promise for promise, kept in result.kept.items() if not kept]
    if broken:
        sys.exit("not kept: " + "; ".join(broken))


class Options(argparse.Namespace):
    """What was asked for."""

    requests: int
    streams: int
    json: bool


def options() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--streams", type=int, default=1000, help="abandoned ones")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of a table")
    return parser.parse_args(namespace=Options())


def measure(play: Play, chosen: Options, machine: Machine) -> Result:
    """Do all of it."""
    play.wear(WARM)
    began_s = time.perf_counter()
    play.wear(chosen.requests, readings=READINGS)
    seconds = time.perf_counter() - began_s
    manners: tuple[Manner, ...] = get_args(Manner)
    shares = (0.45, 0.45, 0.08, 0.02)
    quiet = play.read().engine_sockets
    for manner in manners:
        # A first wave of each, for what is made once and kept: it is what later ones add that counts.
        play.leave(manner, SILENT_WAVE if manner.startswith("never") else WAVE, quiet)
    counted = play.server.metrics()[ABANDONED]
    time.sleep(1.0)
    before = play.read()
    leavings = tuple(
        play.leave(manner, round(chosen.streams * share), before.engine_sockets)
        for manner, share in zip(manners, shares, strict=True)
    )
    after, back_s = play.settled(before)
    samples = play.server.metrics()
    kib = slope(play.rss_mib, chosen.requests)
    return Result(
        command=f"{COMMAND} --requests {chosen.requests} --streams {chosen.streams}",
        machine=machine,
        requests=chosen.requests,
        failed=play.failed,
        seconds=round(seconds, 1),
        rss_mib=tuple(play.rss_mib),
        kib_per_1000=kib,
        before=before,
        after=after,
        back_s=round(back_s, 2),
        leavings=leavings,
        counted_as_abandoned=int(samples[ABANDONED] - counted),
        held=int(samples["tiercel_stream_holds_total"]),
        kept={
            "every request got what it asked for": play.failed == 0,
            f"memory grows by at most {MOST_KIB_PER_1000:g} KiB with a thousand requests": kib <= MOST_KIB_PER_1000,
            f"sockets, threads and requests in flight are back within {BACK_WITHIN_S:g} s": _no_more(after, before),
            "memory is back as well": after.rss_mib - before.rss_mib <= MOST_GROWN_MIB,
            f"who never reads is cut off within {MOST_STAY_S:g} s": leavings[-1].cut_s < MOST_STAY_S,
            f"an engine is let go within {CLOSED_WITHIN_MS:g} ms of its caller's leaving": all(
                leaving.closed_ms <= CLOSED_WITHIN_MS for leaving in leavings
            ),
        },
    )


def show(result: Result) -> str:
    """Lay the result out for people."""
    machine = result.machine
    lines = [
        f"{machine.cpu}, {machine.cores} cores, Python {machine.python}",
        f"{result.requests} requests in {result.seconds} s, {result.failed} failed",
        f"memory {result.rss_mib[0]} to {result.rss_mib[-1]} MiB, {result.kib_per_1000} KiB with each thousand",
    ]
    lines += [
        f"{each.manner:<28}{each.streams:>5} streams, {each.with_words} had words, engine quiet again after"
        f" {each.closed_ms} ms" + (f", cut off after {each.cut_s} s" if each.cut_s else "")
        for each in result.leavings
    ]
    lines += [
        f"before {msgspec.json.encode(result.before).decode()}",
        f"after  {msgspec.json.encode(result.after).decode()} (after {result.back_s} s)",
        f"abandoned as the server counts: {result.counted_as_abandoned}, engines held {result.held} times",
    ]
    lines += [f"{promise}: {'kept' if kept else 'NOT KEPT'}" for promise, kept in result.kept.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
