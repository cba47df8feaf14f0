"""What counting costs: nanoseconds for one cell, microseconds for one plain request, milliseconds for one scrape.

    python benchmarks/telemetry.py [--json]

Promises: at most 0.15 us for an add, 0.3 us for an observation, 2 us for everything that one plain request counts.
CPU time, best of several runs, and beside each the same done with prometheus_client's own cells.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import prometheus_client as theirs

from tiercel.telemetry.logs import LogSpec, Scribe, render_json
from tiercel.telemetry.meters import Meters
from tiercel.telemetry.product import OVERHEAD, ProductMeters
from tiercel.telemetry.prometheus import OPENMETRICS, expose
from tiercel.telemetry.redaction import Value
from tiercel.terms.reply import Usage

COMMAND = "python benchmarks/telemetry.py"
RESULTS = Path(__file__).with_name("results") / "telemetry.json"
ENGINES = ("fast", "small", "big", "template")
ROUNDS = 7
CALLS = 100_000
SCRAPES = 20

ADD_US, SEE_US, REQUEST_US = 0.15, 0.3, 2.0
IMPORTS = """
import asyncio, json, logging, uvicorn, msgspec, aiohttp, time
def kib(): return int(open("/proc/self/statm").read().split()[1]) * 4
before, start = kib(), time.perf_counter()
{load}
print(kib() - before, (time.perf_counter() - start) * 1e3)
"""
LOGS = "import tiercel.telemetry.outlet"
EXPOSITION = "import prometheus_client.exposition, prometheus_client.openmetrics.exposition"


class Result(msgspec.Struct):
    """What is kept in git."""

    command: str
    cpu: str
    cores: int
    python: str
    us: dict[str, float]
    scrape_ms: dict[str, float]
    scrape_lines: int
    import_in_a_server: dict[str, dict[str, float]]


def cost_us(act: Callable[[], object], calls: int = CALLS) -> float:
    """Return the CPU microseconds of one call, the empty loop taken off."""
    return best_us(act, calls) - best_us(None, calls)


def best_us(act: Callable[[], object] | None, calls: int) -> float:
    """Return the best of several runs of a loop."""
    runs = []
    for _ in range(ROUNDS):
        gc.disable()
        start = time.process_time()
        if act is None:
            for _ in range(calls):
                pass
        else:
            for _ in range(calls):
                act()
        runs.append((time.process_time() - start) / calls * 1e6)
        gc.enable()
    return min(runs)


def ours() -> tuple[dict[str, float], Meters]:
    """Measure our cells and everything that one request counts."""
    meters = Meters()
    counter = meters.counter("tries_total", "Tries.", {"engine": ENGINES}).at("fast")
    histogram = meters.histogram("seconds", "Seconds.", OVERHEAD).at()
    product = ProductMeters(meters, ENGINES)
    usage = Usage(prompt_tokens=300, completion_tokens=40)

    def plain() -> None:
        product.attempt("fast", "ok", 0.04)
        product.tokens("fast", usage)
        product.request("silver", "model", "ok")
        product.took("silver", 0.041, 3e-5, 0.0)

    scribe = Scribe(lambda line: bool(render_json(line)), LogSpec(repeats=10**9))
    silent = Scribe(lambda _line: True, LogSpec(repeats=1))
    fields: dict[str, Value] = {"tier": "gold", "left_ms": 9.5}
    costs = {
        "add": cost_us(counter.add),
        "see": cost_us(lambda: histogram.see(3e-4)),
        "plain_request": cost_us(plain),
        "log_line": cost_us(lambda: scribe.take("info", "route", "route.chosen", fields), CALLS // 10),
        "log_line_silenced": cost_us(lambda: silent.take("info", "route", "route.chosen", fields)),
    }
    return costs, meters


def other() -> dict[str, float]:
    """Measure prometheus_client's cells, bound beforehand like ours."""
    registry = theirs.CollectorRegistry()
    counter = theirs.Counter("tries", "Tries.", ["engine"], registry=registry).labels("fast")
    histogram = theirs.Histogram("seconds", "Seconds.", buckets=OVERHEAD, registry=registry)
    return {
        "prometheus_client_inc": cost_us(counter.inc),
        "prometheus_client_observe": cost_us(lambda: histogram.observe(3e-4)),
    }


def scrape_ms(meters: Meters, accept: str) -> float:
    """Return the CPU milliseconds of one scrape."""
    start = time.process_time()
    for _ in range(SCRAPES):
        expose(meters, accept)
    return (time.process_time() - start) / SCRAPES * 1e3


def import_cost(load: str) -> dict[str, float]:
    """Return what loading something adds to a process that has a server in it already."""
    program = [sys.executable, "-c", IMPORTS.format(load=load)]
    runs = [subprocess.run(program, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]  # noqa: S603 - our own program
    kib, ms = min(runs, key=lambda run: float(run[1]))
    return {"mib": round(int(kib) / 1024, 2), "ms": round(float(ms), 1)}


def main() -> None:
    """Measure, print, hold the promises, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")
    as_json = parser.parse_args().json
    costs, meters = ours()
    page = expose(meters)
    result = Result(
        command=COMMAND,
        cpu=processor(),
        cores=os.cpu_count() or 0,
        python=platform.python_version(),
        us={name: round(value, 3) for name, value in {**costs, **other()}.items()},
        scrape_ms={
            "plain": round(scrape_ms(meters, ""), 2),
            "openmetrics": round(scrape_ms(meters, OPENMETRICS), 2),
        },
        scrape_lines=page.body.count(b"\n"),
        import_in_a_server={"logs": import_cost(LOGS), "exposition": import_cost(EXPOSITION)},
    )
    text = msgspec.json.format(msgspec.json.encode(result), indent=2).decode() + "\n"
    print(text if as_json else show(result))
    assert costs["add"] <= ADD_US
    assert costs["see"] <= SEE_US
    assert costs["plain_request"] <= REQUEST_US
    RESULTS.write_text(text, encoding="utf-8")


def processor() -> str:
    """Return what the machine calls its processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def show(result: Result) -> str:
    """Return the result as a table for a person."""
    rows = [f"{name:<28}{value:>9.3f} us" for name, value in result.us.items()]
    rows += [f"{'scrape ' + name:<28}{value:>9.2f} ms" for name, value in result.scrape_ms.items()]
    rows += [
        f"{'import ' + name:<28}{cost['ms']:>9.1f} ms {cost['mib']:>7.2f} MiB"
        for name, cost in result.import_in_a_server.items()
    ]
    return "\n".join([f"{result.cpu}, {result.cores} cores, Python {result.python}", *rows])


if __name__ == "__main__":
    main()
