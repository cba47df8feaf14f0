"""What can be set: one frozen struct per room, put together, with defaults that work on a bare machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tiercel.app.http.limits import LIMITS, Limits
from tiercel.app.settings.lines import Path, dotted
from tiercel.app.settings.secrets import Secret
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.route.spec import RouteSpec, TierSpec
from tiercel.telemetry.logs import LogSpec
from tiercel.terms.ask import Tier

__all__ = ["DEFAULTS", "Loaded", "Origin", "Origins", "ServerSpec", "Settings"]


class ServerSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the door is, and how much it takes in.

    ``behind_proxy`` states that something in front of us decides who may come in; without it only this machine can.
    ``allowed_hosts`` are further names a request's Host may carry, beside the loopback ones and ``host`` itself.
    """

    host: str = "127.0.0.1"
    port: int = 8484
    behind_proxy: bool = False
    allowed_hosts: tuple[str, ...] = ()
    # Requests that are being answered at one moment; the one too many is told so at once.
    max_running: int = 10_000
    # What running requests get to end in after Ctrl-C.
    drain_ms: float = 5_000.0
    limits: Limits = LIMITS


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set."""

    server: ServerSpec = ServerSpec()
    engines: dict[str, EngineSpec] = {}
    tiers: dict[Tier, TierSpec] = {}
    route: RouteSpec = RouteSpec()
    log: LogSpec = LogSpec()


DEFAULTS = Settings(
    engines={"template": EngineSpec(kind="template"), "policy": EngineSpec(kind="policy")},
    tiers={
        "gold": TierSpec(rungs=("policy",), first_ms=16.0, total_ms=16.0),
        "silver": TierSpec(rungs=("template",), first_ms=250.0, total_ms=2000.0),
        "bronze": TierSpec(rungs=(), first_ms=600_000.0, total_ms=600_000.0, max_ms=3_600_000.0),
    },
)


class Origin(msgspec.Struct, frozen=True):
    """Where a value was set: by default, on a line of a file, by a variable or by a flag."""

    source: Literal["default", "file", "env", "flag"] = "default"
    name: str = ""
    line: int = 0

    def __str__(self) -> str:
        match self.source:
            case "default":
                return "default"
            case "file":
                return f"{self.name}:{self.line}"
            case _:
                return f"{self.source} {self.name}"


Origins = Mapping[Path, Origin]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, and for every key that somebody set, where; a key that is not in ``origins`` has its default."""

    settings: Settings
    origins: Origins = {}
    secrets: Mapping[str, Secret] = {}  # by engine
    file: str = ""  # the TOML file that was read, if any

    def origin(self, *path: str | int) -> Origin:
        """Say where this key, or the nearest table above it that was set, comes from."""
        for length in range(len(path), 0, -1):
            found = self.origins.get(path[:length])
            if found is not None:
                return found
        return Origin()

    def leaves(self) -> list[tuple[str, object, Origin]]:
        """List every key with its value and origin, in the order of the structs."""
        plain: object = msgspec.to_builtins(self.settings)
        return [(dotted(path), value, self.origins.get(path, Origin())) for path, value in _leaves(plain, ())]


def _leaves(value: object, path: Path) -> list[tuple[Path, object]]:
    if isinstance(value, dict) and (value or not path):
        return [leaf for name, below in value.items() for leaf in _leaves(below, (*path, str(name)))]
    return [(path, value)]
