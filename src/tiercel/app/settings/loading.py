"""Puts all sources together into one ``Loaded``, or stops with everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

import msgspec

from tiercel.app.settings.fields import Tree, check_fields
from tiercel.app.settings.models import CLOUDS, Extra, names_of, put_in_front
from tiercel.app.settings.problems import Problem, Problems, stop_for
from tiercel.app.settings.rules import check_rules
from tiercel.app.settings.secrets import Secret, SecretError, fetch
from tiercel.app.settings.shape import DEFAULTS, Loaded, Origin, Settings
from tiercel.app.settings.sources import Flag, Layer, choose_file, read_env, read_file
from tiercel.terms.errors import Misconfigured

__all__ = ["Examined", "Sources", "examine", "load"]


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look: the file that was named, the environment, the flags, and the folder we are in."""

    config: FilePath | None = None
    environ: Mapping[str, str] = {}
    flags: tuple[Flag, ...] = ()
    extras: tuple[Extra, ...] = ()
    folder: FilePath = FilePath()


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What looking at a configuration found: the settings, unless something is wrong with them, and what is.

    ``secrets`` are those that cannot be fetched here; the machine that checks a configuration need not hold the keys
    of the one that runs it.
    """

    loaded: Loaded | None
    problems: tuple[Problem, ...] = ()
    secrets: tuple[Problem, ...] = ()

    def insist(self) -> Loaded:
        """Return the settings; raises ``Misconfigured`` when there are none."""
        stop_for(self.problems)
        if self.loaded is None:
            raise Misconfigured("no settings were read")
        return self.loaded


def load(sources: Sources) -> Loaded:
    """Return the settings with their origins and secrets; raises ``Misconfigured``, which names every problem."""
    loaded, problems = _read(sources)
    stop_for(problems)
    secrets, missing = _secrets(loaded, sources.environ)
    stop_for(missing)
    return msgspec.structs.replace(loaded, secrets=secrets)


def examine(sources: Sources) -> Examined:
    """Look at the settings, with or without their secrets; raises ``Misconfigured`` only where there is no TOML."""
    loaded, problems = _read(sources)
    if problems:
        return Examined(loaded=None, problems=problems)
    _, missing = _secrets(loaded, sources.environ)
    return Examined(loaded=loaded, secrets=missing)


def _read(sources: Sources) -> tuple[Loaded, tuple[Problem, ...]]:
    path, named_by = choose_file(sources.config, sources.environ, sources.folder)
    layer = Layer(values=_defaults())
    if path is not None:
        layer.cover(read_file(path, named_by))
    engines = layer.at("engines")
    taken = set(engines) if isinstance(engines, dict) else set()
    extra_names = names_of(sources.extras, taken)
    layer.cover(read_env(sources.environ, {"engines": [*taken, *extra_names]}))
    put_in_front(layer, sources.extras, extra_names)
    for flag in sources.flags:
        layer.put(flag.path, flag.value, Origin("flag", flag.name))
    problems = Problems(layer.origins)
    checked = check_fields(layer.values, Settings, layer.raws, problems)
    settings = DEFAULTS
    if not problems.found:
        # Rules hold between values, so that each value has to be right first.
        settings = msgspec.convert(_with_clouds(checked), Settings)
        check_rules(settings, problems)
    file = "" if path is None else str(path)
    return Loaded(settings=settings, origins=layer.origins, file=file), problems.found


def _defaults() -> Tree:
    return msgspec.json.decode(msgspec.json.encode(DEFAULTS), type=Tree)


def _with_clouds(values: Tree) -> Tree:
    """Fill in a cloud's address, and with it the place of its key, where an engine names neither."""
    engines = values.get("engines")
    for engine in engines.values() if isinstance(engines, dict) else ():
        if engine["kind"] in CLOUDS and not engine.get("url") and engine.get("api", "openai") == "openai":
            url, key = CLOUDS[engine["kind"]]
            engine["url"] = url
            engine["key"] = engine.get("key") or key
    return values


def _secrets(loaded: Loaded, environ: Mapping[str, str]) -> tuple[dict[str, Secret], tuple[Problem, ...]]:
    secrets, problems = {}, Problems(loaded.origins)
    for name, engine in loaded.settings.engines.items():
        if not engine.key:
            continue
        try:
            secrets[name] = fetch(engine.key, environ)
        except SecretError as error:
            problems.add(("engines", name, "key"), f"engines.{name}.key: {error}")
    return secrets, problems.found
