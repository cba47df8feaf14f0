"""Reads ``--silver`` and ``--gold``: a model put in front of a tier's ladder from the command line."""

from __future__ import annotations

import msgspec

from tiercel.app.settings.rules import is_near, why_not_a_url
from tiercel.app.settings.shape import Origin
from tiercel.app.settings.sources import Layer
from tiercel.terms.ask import Tier
from tiercel.terms.errors import Misconfigured

__all__ = ["CLOUDS", "Extra", "names_of", "put_in_front", "read_extra"]

# The clouds that need no address: where they are, and the variable that holds their key.
CLOUDS = {
    "openai": ("https://api.openai.com/v1", "env:OPENAI_API_KEY"),
    "anthropic": ("https://api.anthropic.com", "env:ANTHROPIC_API_KEY"),
}

# How long a connect may take, so that the tier's usual promise still leaves time for a first word.
_CONNECT_MS = {"silver": 20.0, "gold": 2.0, "bronze": 1000.0}
_CONNECT_FAR_MS = 100.0


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """An engine from the command line; ``model`` is empty while its server has to be asked for one."""

    tier: Tier
    kind: str
    url: str
    model: str
    key: str = ""

    @property
    def flag(self) -> str:
        """The flag that gave it."""
        return f"--{self.tier}"

    def named(self, model: str) -> Extra:
        """Return the same with the model that its server named."""
        return msgspec.structs.replace(self, model=model)


def read_extra(text: str, tier: Tier) -> Extra:
    """Read ``URL``, ``URL#model``, ``openai/<model>`` or ``anthropic/<model>``; raises ``Misconfigured``."""
    flag = f"--{tier}"
    cloud, slash, model = text.partition("/")
    if cloud in CLOUDS and slash and model:
        url, key = CLOUDS[cloud]
        return Extra(tier=tier, kind=cloud, url=url, model=model, key=key)
    url, _, model = text.partition("#")
    wrong = why_not_a_url(url)
    if wrong:
        message = (
            f"{wrong}; write the address of an OpenAI-compatible server (http://127.0.0.1:8000/v1), "
            "openai/<model> or anthropic/<model>"
        )
        raise Misconfigured(message, where=flag)
    return Extra(tier=tier, kind="openai", url=url.rstrip("/"), model=model)


def names_of(extras: tuple[Extra, ...], taken: set[str]) -> list[str]:
    """Name them ``silver-model``, ``silver-model-2``, ...; never like an engine that exists."""
    names: list[str] = []
    for extra in extras:
        number, name = 1, f"{extra.tier}-model"
        while name in taken or name in names:
            number += 1
            name = f"{extra.tier}-model-{number}"
        names.append(name)
    return names


def put_in_front(layer: Layer, extras: tuple[Extra, ...], names: list[str]) -> None:
    """Add each engine to the layer, and set it before the rungs that its tier has already."""
    for extra, name in zip(extras, names, strict=True):
        origin = Origin("flag", extra.flag)
        usual_ms = _CONNECT_MS[extra.tier] if is_near(extra.url) else _CONNECT_FAR_MS
        given: dict[str, object] = {"kind": extra.kind, "url": extra.url, "model": extra.model}
        for key, value in given.items():
            layer.put(("engines", name, key), value, origin)
        # What the flag only implies gives way to what a variable says.
        implied: dict[str, object] = {"connect_ms": usual_ms, **({"key": extra.key} if extra.key else {})}
        for key, value in implied.items():
            if ("engines", name, key) not in layer.origins:
                layer.put(("engines", name, key), value, origin)
    for tier in dict.fromkeys(extra.tier for extra in extras):
        mine = [name for extra, name in zip(extras, names, strict=True) if extra.tier == tier]
        below = layer.at("tiers", tier, "rungs")
        if isinstance(below, list):
            layer.put(("tiers", tier, "rungs"), [*mine, *below], Origin("flag", f"--{tier}"))
