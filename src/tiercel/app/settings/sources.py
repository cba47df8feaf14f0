"""Reads the places that settings come from, in order: a TOML file, the environment, the command line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath

import msgspec

from tiercel.app.settings.lines import Path, dotted, locate
from tiercel.app.settings.problems import nearest
from tiercel.app.settings.shape import Origin
from tiercel.terms.errors import Misconfigured

__all__ = [
    "CONFIG_VARIABLE",
    "MAX_FILE_BYTES",
    "OWN_VARIABLES",
    "Flag",
    "Layer",
    "choose_file",
    "read_env",
    "read_file",
]

CONFIG_VARIABLE = "TIERCEL_CONFIG"
DEFAULT_FILE = "tiercel.toml"
MAX_FILE_BYTES = 1024 * 1024
# Variables that begin like settings and are none.
OWN_VARIABLES = (CONFIG_VARIABLE, "TIERCEL_URL")
_PREFIX = "TIERCEL_"
# What Kubernetes puts into every container beside a service that is called "tiercel".
_SERVICE_LINK = re.compile(r"TIERCEL_(?:SERVICE_(?:HOST|PORT\w*)|PORT(?:_\d+_(?:TCP|UDP|SCTP)\w*)?)")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column (\d+)\)")


class Flag(msgspec.Struct, frozen=True):
    """One value given on the command line, and the flag that gave it."""

    path: Path
    value: object
    name: str


class Layer(msgspec.Struct, kw_only=True):
    """What one source says: values, where each stands, and texts that may also be meant as texts."""

    values: dict[str, object] = {}
    origins: dict[Path, Origin] = {}
    raws: dict[Path, str] = {}

    def put(self, path: Path, value: object, origin: Origin) -> None:
        """Set one value; raises ``Misconfigured`` where the same source has put a plain value above it."""
        *above, last = (str(part) for part in path)
        table = self.values
        for name in above:
            below = table.setdefault(name, {})
            if not isinstance(below, dict):
                message = f"{dotted(path)} lies below a key that has a value of its own"
                raise Misconfigured(message, where=str(origin))
            table = below
        table[last] = value
        for length in range(1, len(path) + 1):
            self.origins.setdefault(path[:length], origin)
        self.origins[path] = origin

    def at(self, *path: str) -> object:
        """Return the value at a path, or nothing."""
        value: object = self.values
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def cover(self, upper: Layer) -> None:
        """Lay another source over this one: its values win, tables are merged, lists are replaced."""
        self._merge(self.values, upper.values, (), upper)
        self.raws.update(upper.raws)

    def _merge(self, lower: dict[str, object], upper: Mapping[str, object], path: Path, source: Layer) -> None:
        for name, value in upper.items():
            here = (*path, name)
            below = lower.get(name)
            if isinstance(value, dict) and isinstance(below, dict):
                self._merge(below, value, here, source)
                self.origins.setdefault(here, source.origins.get(here, Origin()))
                continue
            lower[name] = value
            for old in [p for p in self.origins if p[: len(here)] == here]:
                del self.origins[old]
            for old in [p for p in self.raws if p[: len(here)] == here]:
                del self.raws[old]
            self.origins.update({p: o for p, o in source.origins.items() if p[: len(here)] == here})


def choose_file(config: FilePath | None, environ: Mapping[str, str], folder: FilePath) -> tuple[FilePath | None, str]:
    """Return the file to read and who named it; nothing where nobody did and there is no ``tiercel.toml`` here."""
    if config is not None:
        return config, "--config"
    if environ.get(CONFIG_VARIABLE):
        return FilePath(environ[CONFIG_VARIABLE]), f"env {CONFIG_VARIABLE}"
    usual = folder / DEFAULT_FILE
    return (usual, "found") if usual.is_file() else (None, "")


def read_file(path: FilePath, named_by: str) -> Layer:
    """Read a TOML file; raises ``Misconfigured`` with the line where it is none."""
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        message = (
            f"cannot read it: {error.strerror}; `tiercel config example > {DEFAULT_FILE}` writes one to start from"
        )
        raise Misconfigured(message, where=name if named_by == "found" else f"{named_by} {name}") from error
    if len(data) > MAX_FILE_BYTES:
        message = f"larger than {MAX_FILE_BYTES} bytes; that is no configuration"
        raise Misconfigured(message, where=name)
    text = _decoded(data, name)
    values = _parsed(text, name)
    origins = {path: Origin("file", name, line) for path, line in locate(text).items()}
    return Layer(values=values, origins=origins)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Misconfigured("not UTF-8 text", where=name, line=line) from error


def _parsed(text: str, name: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found.group(1)) if found else text.count("\n") + 1
        message = f"not TOML: {_AT_LINE.sub('', str(error))}"
        raise Misconfigured(message, where=name, line=line) from error
    except RecursionError as error:
        raise Misconfigured("nested too deeply", where=name) from error


def read_env(environ: Mapping[str, str], tables: Mapping[str, Iterable[str]]) -> Layer:
    """Read every ``TIERCEL_ROOM__KEY``.

    ``tables`` names what exists already in a table of names (``engines``), since a variable cannot be called
    ``TIERCEL_ENGINES__GPT-4.1__URL``: ``GPT_4_1`` finds it.
    """
    layer = Layer()
    for variable in sorted(v for v in environ if v.startswith(_PREFIX)):
        if variable in OWN_VARIABLES or _SERVICE_LINK.fullmatch(variable):
            continue
        origin = Origin("env", variable)
        parts = variable.removeprefix(_PREFIX).lower().split("__")
        if not all(parts) or len(parts) == 1:
            hint = nearest(variable, OWN_VARIABLES)
            message = f"a setting is written TIERCEL_ROOM__KEY, as in TIERCEL_SERVER__PORT.{hint}"
            raise Misconfigured(message, where=str(origin))
        if parts[0] in tables:
            parts[1] = _existing(parts[1], tables[parts[0]], origin)
        text = environ[variable]
        layer.put(tuple(parts), _meant(text), origin)
        layer.raws[tuple(parts)] = text
    return layer


def _existing(name: str, names: Iterable[str], origin: Origin) -> str:
    alike = [one for one in names if re.sub("[.-]", "_", one) == name]
    if len(alike) > 1 and name not in alike:
        message = f"{name} may mean {' or '.join(sorted(alike))}; set this one in the file"
        raise Misconfigured(message, where=str(origin))
    return name if name in alike or not alike else alike[0]


def _meant(text: str) -> object:
    """Read a value as TOML writes it; what is not TOML is a text."""
    try:
        values = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return values["value"] if len(values) == 1 else text
