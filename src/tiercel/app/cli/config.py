"""``tiercel config``: every setting with its value and where it was set, an example to start from, the file in use."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from tiercel.app.cli.board import board, columns
from tiercel.app.cli.exits import USAGE, honest
from tiercel.app.cli.options import Config, Gold, Json, Silver, extras_of, sources_of
from tiercel.app.cli.paint import print_json
from tiercel.app.cli.program import example_text
from tiercel.app.presets import example
from tiercel.app.settings import Origin, examine
from tiercel.app.settings.problems import nearest, shown
from tiercel.app.settings.sources import CONFIG_VARIABLE, choose_file

__all__ = ["register"]

_Leaf = tuple[str, object, Origin]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    config = typer.Typer(help="Settings: what they are and where they come from.", no_args_is_help=True)
    text = example_text(
        "Print every setting, its value and where it was set.",
        "tiercel config explain",
        "tiercel config explain tiers.silver",
        "tiercel config explain server.port --json",
    )
    config.command("explain", help=text)(_explain)
    text = example_text("Print a commented tiercel.toml.", "tiercel config example > tiercel.toml")
    config.command("example", help=text)(_example)
    text = example_text("Print which file is read.", "tiercel config path")
    config.command("path", help=text)(_path)
    app.add_typer(config, name="config")


def _explain(
    key: Annotated[str, typer.Argument(help="One key, or the table above several.", show_default=False)] = "",
    config: Config = None,
    silver: Silver = None,
    gold: Gold = None,
    *,
    as_json: Json = False,
) -> None:
    with honest(as_json=as_json):
        loaded = examine(sources_of(config, extras=extras_of(silver, gold))).insist()
        leaves = _below(key, loaded.leaves())
        if as_json:
            rows = [{"key": name, "value": value, "origin": str(origin)} for name, value, origin in leaves]
            print_json({"file": loaded.file or None, "settings": rows})
        else:
            _print(leaves)


def _below(key: str, leaves: list[_Leaf]) -> list[_Leaf]:
    """Keep the leaves at or below a key."""
    kept = [leaf for leaf in leaves if not key or leaf[0] == key or leaf[0].startswith(f"{key}.")]
    if not kept:
        known = [name for name, _, _ in leaves]
        tables = {name.rpartition(".")[0] for name in known}
        sys.stderr.write(f"error {key} is no setting.{nearest(key, [*known, *sorted(tables)])}\n")
        raise typer.Exit(USAGE)
    return kept


def _print(leaves: list[_Leaf]) -> None:
    table = columns("setting", "value", "from")
    for name, value, origin in leaves:
        style = "dim" if origin.source == "default" else ""
        table.add_row(*(Text(text, style=style) for text in (name, shown(value), str(origin))))
    board().print(table)


def _example() -> None:
    sys.stdout.write(example())


def _path(config: Config = None, *, as_json: Json = False) -> None:
    with honest(as_json=as_json):
        path, named_by = choose_file(config, os.environ, Path())
        if as_json:
            print_json({"file": None if path is None else str(path), "named_by": named_by or None})
        elif path is None:
            sys.stdout.write(f"no file: all defaults. Looked at --config, {CONFIG_VARIABLE} and ./tiercel.toml\n")
        else:
            sys.stdout.write(f"{path} ({'in this folder' if named_by == 'found' else named_by})\n")
