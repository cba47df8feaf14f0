"""Asks the servers that ``--silver`` and ``--gold`` name for their models, where the flag names none."""

from __future__ import annotations

import asyncio

from tiercel.app.cli.caller import client_for
from tiercel.app.cli.exits import Unreachable
from tiercel.app.nearby import ask_models
from tiercel.app.settings import Extra
from tiercel.terms.clock import Deadline, SystemClock
from tiercel.terms.errors import EngineFailed, Misconfigured

__all__ = ["name_models"]

_PATIENCE_S = 3.0
_SHOWN = 8


def name_models(extras: tuple[Extra, ...]) -> tuple[Extra, ...]:
    """Return the same with every model named; raises ``Unreachable`` and ``Misconfigured``."""
    return asyncio.run(_name_all(extras))


async def _name_all(extras: tuple[Extra, ...]) -> tuple[Extra, ...]:
    return tuple([extra if extra.model else extra.named(await _the_model(extra)) for extra in extras])


async def _the_model(extra: Extra) -> str:
    try:
        models = await ask_models(extra.url, Deadline.after(_PATIENCE_S, SystemClock()), client_for)
    except EngineFailed as error:
        message = f"{extra.flag} {extra.url}: cannot ask it for its model: {error}"
        next_step = f"start that server first, or name its model and start without it: {extra.flag} '{extra.url}#MODEL'"
        raise Unreachable(message, next_step) from None
    if len(models) == 1:
        return models[0]
    if not models:
        raise Misconfigured(f"{extra.url} has no model loaded", where=extra.flag)
    listed = ", ".join(models[:_SHOWN]) + (", ..." if len(models) > _SHOWN else "")
    message = f"{extra.url} has {len(models)} models, choose one: {extra.flag} '{extra.url}#{models[0]}' ({listed})"
    raise Misconfigured(message, where=extra.flag)
