"""``tiercel sim``: the whole flow in virtual time, against engines whose faults come from a seed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tiercel.app.cli.exits import PROBLEM
from tiercel.app.cli.options import Json
from tiercel.app.cli.paint import green, print_json, red
from tiercel.app.cli.program import example_text

if TYPE_CHECKING:
    from tiercel.sim.harness import Season
    from tiercel.sim.world import Outcome

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Play requests over simulated engines that fail in ways drawn from a seed, and check every reply.",
        "tiercel sim --requests 20000",
        "tiercel sim --seed 1234 --requests 2000     # play one world again, exactly",
    )
    app.command("sim", help=text)(_sim)


def _sim(
    seed: Annotated[int, typer.Option("--seed", help="The first world; each further one has the next number.")] = 0,
    requests: Annotated[int, typer.Option("--requests", min=1, help="How many, in worlds of 2,000.")] = 20_000,
    faults: Annotated[str | None, typer.Option("--faults", help="Only these, separated by commas.")] = None,
    level: Annotated[
        Literal["bytes", "port"] | None, typer.Option("--level", help="Where the engines are played.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    # The simulator is read when it is called for: nothing else of the command line needs it.
    from tiercel.sim.harness import season, worlds  # noqa: PLC0415
    from tiercel.sim.rules import RuleBroken  # noqa: PLC0415

    only = [name.strip() for name in faults.split(",")] if faults else None
    played = worlds(seed, requests, faults=only, level=level)
    try:
        result = season(seed, played if as_json else _shown(played, requests))
    except RuleBroken as broken:
        if as_json:
            print_json({"ok": False, "rule": broken.rule, "why": broken.why, "replay": broken.replay})
        else:
            sys.stderr.write(f"\n{red('broken')} {broken}\n")
        raise typer.Exit(PROBLEM) from None
    if as_json:
        print_json({"ok": True, "season": result})
    else:
        _print(result)


def _shown(outcomes: Iterator[Outcome], requests: int) -> Iterator[Outcome]:
    """Pass worlds on, and show on a terminal how far they are."""
    done = 0
    for outcome in outcomes:
        done += outcome.requests
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done:,} of {requests:,} requests")
            sys.stderr.flush()
        yield outcome
    if sys.stderr.isatty():
        sys.stderr.write("\n")


def _print(result: Season) -> None:
    sys.stdout.write(
        f"{green('ok')} {result.requests:,} requests in {result.worlds} worlds, {result.virtual_s:,.0f} simulated "
        f"seconds in {result.cpu_s} s of CPU; crc {result.crc:08x}\n"
    )
    for title, counts in (("rungs", result.rungs), ("fates", result.fates), ("attempts", result.outcomes)):
        sys.stdout.write(f"  {title:<9}{', '.join(f'{name} {count:,}' for name, count in counts.items())}\n")
