"""What has to be true between settings: names, ladders, times, and who may reach the door."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from tiercel.app.settings.lines import dotted
from tiercel.app.settings.problems import Problems, nearest
from tiercel.app.settings.secrets import names_a_place
from tiercel.app.settings.shape import ServerSpec, Settings
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.route.spec import TierSpec
from tiercel.terms.ask import Tier

__all__ = ["check_rules", "is_loopback", "is_near", "why_not_a_url"]

_ENGINE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_TIER_WORDS = ("gold", "silver", "bronze", "auto")
_LAST_RESORT: dict[Tier, str] = {"silver": "template", "gold": "policy"}
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


def check_rules(settings: Settings, problems: Problems) -> None:
    """Note every rule that these settings break."""
    _server(settings.server, problems)
    for name, engine in settings.engines.items():
        _engine(name, engine, problems)
    for tier, spec in settings.tiers.items():
        _ladder(tier, spec, settings, problems)
        _times(tier, spec, problems)
    auto = settings.route.auto
    if not settings.tiers[auto].rungs:
        message = f'route.auto = "{auto}", and tiers.{auto}.rungs is empty: nobody would answer a plain request'
        problems.add(("route", "auto"), message, ("tiers", auto, "rungs"))
    route = settings.route
    if route.named_first_ms > route.named_total_ms:
        message = f"route.named_first_ms = {route.named_first_ms:g} is above named_total_ms = {route.named_total_ms:g}"
        problems.add(("route", "named_first_ms"), message, ("route", "named_total_ms"))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_near(url: str) -> bool:
    """Whether this address is on this machine or in its own network."""
    host = urlsplit(url).hostname or ""
    if is_loopback(host):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host


def why_not_a_url(url: str) -> str:
    """Say why this cannot be the address of an engine, or nothing when it can."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        return f"not an address: {error}"
    if parts.scheme not in ("http", "https"):
        return "an address begins with http:// or https://"
    if parts.username is not None or parts.password is not None:
        return "an address holds no user or password; name the secret's place in key"
    if not host or port == 0:
        return "an address needs a host"
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        return "an address is a host and a path, without ?, # or blanks"
    return ""


def _server(server: ServerSpec, problems: Problems) -> None:
    if not is_loopback(server.host) and not server.behind_proxy:
        message = (
            f'server.host = "{server.host}" can be reached from other machines, and this version has no keys to ask '
            "for. Listen on 127.0.0.1, or put a proxy that checks who comes in before it and say so: --behind-proxy"
        )
        problems.add(("server", "host"), message)
    for index, host in enumerate(server.allowed_hosts):
        if not _HOST_NAME.fullmatch(host):
            message = f'server.allowed_hosts[{index}] = "{host}": expected a host name without scheme, port or path'
            problems.add(("server", "allowed_hosts", index), message, ("server", "allowed_hosts"))


def _engine(name: str, engine: EngineSpec, problems: Problems) -> None:
    path = ("engines", name)
    if name in _TIER_WORDS:
        problems.add(path, f"{dotted(path)}: that is the name of a tier; call the engine something else")
    elif not _ENGINE_NAME.fullmatch(name):
        message = f"{dotted(path)}: an engine's name is 1 to 32 of a-z 0-9 . _ - and begins with a letter or digit"
        problems.add(path, message)
    if engine.key and not names_a_place(engine.key):
        message = f'{dotted((*path, "key"))} must say where the secret is, and not hold it: "env:NAME" or "file:PATH"'
        problems.add((*path, "key"), message)
    if not engine.is_model:
        for field in ("url", "model", "key"):
            if getattr(engine, field):
                message = f"{dotted((*path, field))}: a {engine.kind} engine runs in this process and has no {field}"
                problems.add((*path, field), message)
        return
    wrong = why_not_a_url(engine.url)
    if wrong:
        problems.add((*path, "url"), f"{dotted((*path, 'url'))}: {wrong}")
    if not engine.model:
        problems.add((*path, "model"), f"{dotted(path)} needs model, the name its server knows it by")
    if not (engine.chat or engine.embeddings):
        problems.add((*path, "chat"), f"{dotted(path)} does neither chat nor embeddings; set one of them to true")


def _ladder(tier: Tier, spec: TierSpec, settings: Settings, problems: Problems) -> None:
    path = ("tiers", tier, "rungs")
    last_resort = ""
    for index, rung in enumerate(spec.rungs):
        here, label = (*path, index), f"tiers.{tier}.rungs[{index}]"
        engine = settings.engines.get(rung)
        if engine is None:
            hint = nearest(rung, settings.engines)
            message = f'{label} = "{rung}": no such engine.{hint} There are: {_listed(settings.engines)}'
        elif rung in spec.rungs[:index]:
            message = f'{label} = "{rung}" stands there twice; a rung that has failed is not asked again'
        elif engine.is_model and last_resort:
            message = f'{label} = "{rung}" would never be asked: "{last_resort}" before it cannot fail'
        elif not engine.is_model and engine.kind != _LAST_RESORT.get(tier):
            fits = _LAST_RESORT.get(tier)
            message = f'{label} = "{rung}": a {engine.kind} cannot answer for {tier}'
            message += f"; its last resort is a {fits}" if fits else ", which has no last resort"
        else:
            last_resort = rung if not engine.is_model else last_resort
            continue
        problems.add(here, message, path)


def _times(tier: Tier, spec: TierSpec, problems: Problems) -> None:
    for lower, upper in (("first_ms", "total_ms"), ("total_ms", "max_ms")):
        low, high = getattr(spec, lower), getattr(spec, upper)
        if low > high:
            message = f"tiers.{tier}.{lower} = {low:g} is above {upper} = {high:g}"
            problems.add(("tiers", tier, lower), message, ("tiers", tier, upper))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
