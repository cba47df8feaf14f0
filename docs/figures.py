"""Reads the kept results of the benchmarks and writes the tables of docs/benchmarks.md, so that no figure is typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["faults", "gateways", "promises"]

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
BUSY = 16
KEPT, BROKEN = "kept", "**not kept**"
REFUSED = "413 request_too_large"
# A machine on which a sleeper wakes later than this, once in a thousand times, is not a quiet one.
QUIET_MS = 5.0
OURS = "Tiercel, by tier"


def result(name: str) -> Any:
    """Return what a benchmark has kept."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def promises() -> str:
    """Return the table of promises: the figure, the target, and the command and machine that the figure comes from."""
    lines = ["| promise | at most | figure | | measured by |", "|---|---|---|---|---|"]
    for name, rows in ROWS.items():
        kept = result(name)
        command = f"`{kept['command']}`"
        lines += [f"| {r.promise} | {r.target} | {r.figure} | {r.verdict} | {command} |" for r in rows(kept)]
    machines = sorted({_machine(result(name)) for name in ROWS})
    return "\n".join([*lines, "", *(f"Machine: {machine}." for machine in machines)]) + "\n"


def gateways() -> str:
    """Return what one request costs in each gateway of the last run, whole and as a stream."""
    kept = result("gateway")
    head = (
        "| whole replies | connections | CPU-ms a request | (rounds) | times nginx | times vllm-router | RPS | p50 ms |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row['gateway']} | {row['concurrency']} | {_cost(row['cpu_ms'], 4)}"
        f" | {row['cpu_ms_lowest']:.4f} to {row['cpu_ms_highest']:.4f} | {_times(row['times_nginx'])}"
        f" | {_times(row['times_router'])} | {row['rps']:,.0f} | {row['p50_ms']:.2f} |"
        for row in kept["whole"]
        if row["concurrency"] > 1
    ]
    lines += ["", "| streams of 32 chunks | connections | CPU-ms a stream | first event, ms | over direct, ms |"]
    lines += ["|---|---|---|---|---|"]
    lines += [
        f"| {row['gateway']} | {row['concurrency']} | {_cost(row['cpu_ms'], 2)} | {row['first_p50_ms']:.2f}"
        f" | {row['over_direct_ms']:.2f} |"
        for row in kept["streams"]
    ]
    lines += ["", "| | ready s | CPU s until then | MiB at rest |", "|---|---|---|---|"]
    lines += [
        f"| {r['gateway']} | {r['ready_s']:.2f} | {r['cpu_s']:.2f} | {r['idle_mib']:.1f} |" for r in kept["starts"]
    ]
    return "\n".join(lines) + "\n"


def faults() -> str:
    """Return what became of the requests of the fault mix, the noise of its machine, and who answered."""
    kept = result("fault_mix")
    lines = ["| asked for | requests | answered | honest errors | wrong | late, ms: p99 | p99.9 | most |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for kind in kept["kinds"]:
        late, errors, wrong = kind["lateness"], sum(kind["errors"].values()), sum(kind["wrong"].values())
        lines.append(
            f"| {KINDS[kind['kind']]} | {kind['requests']} | {kind['answered']} | {errors} | {wrong}"
            f" | {late['p99_ms']:.2f} | {late['p999_ms']:.2f} | {late['max_ms']:.2f} |"
        )
    late = kept["lateness"]
    lines.append(
        f"| all of them | {late['count']} | | | | {late['p99_ms']:.2f} | {late['p999_ms']:.2f} | {late['max_ms']:.2f} |"
    )
    noise = kept["noise_beside"]
    lines.append(
        f"| *a process that only sleeps, beside it* | {noise['count']} | | | | {noise['p99_ms']:.2f}"
        f" | {noise['p999_ms']:.2f} | {noise['max_ms']:.2f} |"
    )
    rungs = ", ".join(f"{name} {count}" for name, count in kept["kinds"][0]["rungs"].items())
    cores = f"{kept['idle_share']:.0%} of the cores were idle"
    return "\n".join([*lines, "", f"Rungs that gave a persona its words: {rungs}. Meanwhile {cores}."]) + "\n"


KINDS = {
    "tier": "a tier's words for a persona",
    "contract": "a schema or a forced tool call",
    "engine": "an engine by its name",
    "no fallback": "a tier, with `fallback: none`",
}


class Row(NamedTuple):
    """One promise, its target, its figure, and whether it was kept."""

    promise: str
    target: str
    figure: str
    verdict: str


def at_most(promise: str, figure: float, limit: float, unit: str, digits: int = 2) -> Row:
    """Return a promise that is kept when the figure does not pass its limit."""
    verdict = KEPT if figure <= limit else BROKEN
    return Row(promise, f"{limit:g} {unit}".strip(), f"{figure:.{digits}f} {unit}".strip(), verdict)


def _gateway(kept: Any) -> Iterator[Row]:
    row = next(row for row in kept["whole"] if row["gateway"] == OURS and row["concurrency"] == BUSY)
    yield at_most("A plain request, all of Tiercel passed", row["cpu_ms"], 0.05, "CPU-ms", 4)
    if row["times_router"]:
        yield at_most("Beside vllm-router (Rust)", row["times_router"], 1, "times its CPU")
    stream = next(row for row in kept["streams"] if row["gateway"] == OURS)
    yield at_most("A stream of 32 chunks", stream["cpu_ms"], 1, "CPU-ms")
    yield at_most("The first event of a stream, over direct", stream["over_direct_ms"], 1, "ms")


def _fault_mix(kept: Any) -> Iterator[Row]:
    words = kept["kinds"][0]
    refused = words["errors"].get(REFUSED, 0)
    figure = f"{words['answered']:,} of {words['requests']:,}" + (
        f", {refused} refused by an engine" if refused else ""
    )
    verdict = KEPT if words["answered"] + refused == words["requests"] else BROKEN
    yield Row("A tier answers a persona, whatever engines do", "100 %", figure, verdict)
    wrong = sum(sum(kind["wrong"].values()) for kind in kept["kinds"])
    yield at_most("Blank, wrong-shaped or untrue answers", wrong, 0, "", 0)
    row = at_most("Past the deadline, p99.9", kept["lateness"]["p999_ms"], 20, "ms", 1)
    noise = kept["noise_beside"]["p999_ms"]
    # What the machine itself does to a sleeper is not ours to keep or to break.
    verdict = row.verdict if noise <= QUIET_MS else "the machine was not quiet"
    yield row._replace(figure=f"{row.figure}; a mere sleeper is {noise:.1f} ms late", verdict=verdict)


def _soak(kept: Any) -> Iterator[Row]:
    before, after = kept["before"], kept["after"]
    yield at_most("Memory, for each thousand of 100,000 requests", kept["kib_per_1000"], 10, "KiB", 1)
    back = all(after[name] <= before[name] for name in ("sockets", "threads", "in_flight", "engine_sockets"))
    row = at_most("Sockets and requests in flight are back after 1,000 left streams", kept["back_s"], 5, "s", 1)
    yield row if back else row._replace(verdict=BROKEN)
    yield at_most("Memory has grown with these by", after["rss_mib"] - before["rss_mib"], 4, "MiB", 1)
    yield at_most("From a caller's leaving to its engine's end", max(_closed_ms(kept)), 200, "ms", 0)


def _closed_ms(kept: Any) -> Iterator[float]:
    return (each["closed_ms"] for each in kept["leavings"])


def _start(kept: Any) -> Iterator[Row]:
    yield at_most("From start to first answer", kept["ready_s"], 1.5, "s")
    yield at_most("Memory at rest", kept["idle_mib"], 60, "MiB", 1)


def _telemetry(kept: Any) -> Iterator[Row]:
    yield at_most("All that one request counts", kept["us"]["plain_request"], 2, "us")


def _speech(kept: Any) -> Iterator[Row]:
    slowest = max(row["us_per_line"] for row in kept["rows"])
    yield Row("A line in character without a model", "", f"{slowest:.0f} us", "")


def _virtual_loop(kept: Any) -> Iterator[Row]:
    promised = [row for row in kept["rows"] if row["loop"] == "virtual" and row["load"].startswith("sleep")]
    slowest, least = min(row["requests_per_cpu_s"] for row in promised), kept["promised_per_cpu_s"]
    verdict = KEPT if slowest >= least else BROKEN
    yield Row("The virtual-time loop, requests in a CPU second", f"{least:,}", f"{slowest:,}", verdict)


ROWS: dict[str, Callable[[Any], Iterator[Row]]] = {
    "gateway": _gateway,
    "fault_mix": _fault_mix,
    "soak": _soak,
    "start": _start,
    "telemetry": _telemetry,
    "speech": _speech,
    "virtual_loop": _virtual_loop,
}


def _machine(kept: Any) -> str:
    machine = kept.get("machine") or kept
    return f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}"


def _cost(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if value else "-"


def _times(value: float) -> str:
    return f"{value:.2f}" if value else "-"
