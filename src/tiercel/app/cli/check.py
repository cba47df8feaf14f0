"""``tiercel check``: proves a configuration before it runs, and says which line to change where it cannot hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tiercel.app.cli.board import board, columns
from tiercel.app.cli.exits import PROBLEM, honest
from tiercel.app.cli.options import Config, Gold, Json, Silver, extras_of, sources_of
from tiercel.app.cli.paint import clean, green, money, print_json, red, yellow
from tiercel.app.cli.program import example_text
from tiercel.app.proof import Finding, Verdict, check_settings
from tiercel.app.settings import examine
from tiercel.route.proof import COMPLETION_TOKENS, PROMPT_TOKENS, ChainProof

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    text = example_text(
        "Prove a configuration: each tier's worst-case time, attempts and cost.",
        "tiercel check",
        "tiercel check deploy/tiercel.toml --json",
        "tiercel check --silver http://127.0.0.1:8000/v1#qwen-3b",
    )
    app.command("check", help=text)(_check)


def _check(
    file: Annotated[Path | None, typer.Argument(help="The TOML file; otherwise the one that `up` would read.")] = None,
    config: Config = None,
    silver: Silver = None,
    gold: Gold = None,
    *,
    as_json: Json = False,
) -> None:
    with honest(as_json=as_json):
        verdict = check_settings(examine(sources_of(file or config, extras=extras_of(silver, gold))))
    if as_json:
        print_json(verdict)
    else:
        _print(verdict)
    if not verdict.ok:
        raise typer.Exit(PROBLEM)


def _print(verdict: Verdict) -> None:
    for proof in verdict.tiers:
        _print_tier(proof)
    _list("note", verdict.notes, yellow)
    _list("error", verdict.problems, red)
    if verdict.ok:
        sys.stdout.write(f"{green('ok')} {verdict.file or 'the defaults'}: every promise can be kept\n")


def _print_tier(proof: ChainProof) -> None:
    console = board()
    if not proof.rungs:
        console.print(Text(f"{proof.tier}: no rungs\n", style="bold"))
        return
    console.print(Text(f"{proof.tier}", style="bold"))
    table = columns("  rung", "kind", "sure of (stream)", "sure of (whole)", "needs", "cost of one try", right=4)
    for rung in proof.rungs:
        short = rung.first_share_ms < rung.needs_ms
        table.add_row(
            f"  {rung.rung}",
            rung.kind,
            Text(f"{rung.first_share_ms:g} ms", style="bold red" if short else ""),
            f"{rung.total_share_ms:g} ms",
            f"{rung.needs_ms:g} ms",
            money(rung.cost),
        )
    console.print(table)
    console.print(Text(f"  {_worst(proof)}\n", style="dim"))


def _worst(proof: ChainProof) -> str:
    cost = money(proof.cost) if proof.cost is not None else f"cost unknown (no price for {', '.join(proof.unpriced)})"
    tries = "1 attempt" if proof.attempts == 1 else f"{proof.attempts} attempts"
    return (
        f"at the worst: first word at {proof.first_ms:g} ms, the end at {proof.total_ms:g} ms, {tries}, "
        f"{cost} for {PROMPT_TOKENS} + {COMPLETION_TOKENS} tokens"
    )


def _list(word: str, findings: Sequence[Finding], paint: Callable[[str], str]) -> None:
    for finding in findings:
        sys.stdout.write(f"{paint(word)} {clean(str(finding))}\n")
