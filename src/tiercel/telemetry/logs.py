"""Structured logs: events with fields, one line each, never a prompt or a key.

``log = logger("route")`` at the top of a file, then ``log.info("route.chosen", tier="gold", left_ms=9)``. Who writes
them, where and in which form, is set once by ``app`` (``install``) and by tests (``captured``).

This is a small logger of ours and not structlog: that one adds 4.3 MiB and 37 ms to a server that may be idle on
60 MiB and ready in 1.5 s, its pipeline would need our field rules, bounds and escaping written for it all the same,
and nothing here logs on the hot path, where its speed would count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

import msgspec

from tiercel.telemetry.redaction import Value, clean, is_forbidden
from tiercel.telemetry.repeats import Repeats
from tiercel.terms.clock import Clock, SystemClock

__all__ = [
    "Level",
    "Line",
    "LogSpec",
    "Logger",
    "Scribe",
    "captured",
    "install",
    "logger",
    "render_json",
    "render_text",
]

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Mapping[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
COLOURS: Mapping[Level, str] = {"debug": "2", "info": "36", "warning": "33", "error": "31"}
# Characters that a readable line shows as they are; a value with any other is written as a JSON string.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/+-@,<>")


class LogSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of logs; more than ``repeats`` of one event in ``window_s`` are counted and not written.

    ``auto`` is for people on a terminal and JSON everywhere else.
    """

    level: Level = "info"
    form: Literal["auto", "json", "text"] = "auto"
    repeats: int = 20
    window_s: float = 10.0


DEFAULT = LogSpec()
EVERYTHING = LogSpec(level="debug")


class Line(msgspec.Struct, frozen=True):
    """One event, cleaned and ready to be shown."""

    wall_s: float
    level: Level
    room: str
    event: str
    fields: Mapping[str, object]


class Scribe:
    """Decides what is written and hands each line to ``write``, which returns whether it was taken.

    ``strict`` is for tests: a forbidden field raises there, and is left out with a mark in production.
    """

    def __init__(
        self,
        write: Callable[[Line], bool],
        spec: LogSpec = DEFAULT,
        *,
        strict: bool = False,
        clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._least = LEVELS[spec.level]
        self._strict = strict
        self._wall = wall
        self._repeats = Repeats(spec.repeats, spec.window_s, clock or SystemClock())
        self._lost = 0

    def take(self, level: Level, room: str, event: str, fields: Mapping[str, Value]) -> None:
        """Write one event, unless its level is too low or it repeats too often."""
        forbidden = [name for name in fields if is_forbidden(name)]
        if forbidden and self._strict:
            raise ValueError(f"{event}: a log line may not have the fields {forbidden}")
        if LEVELS[level] < self._least:
            return
        silenced = self._repeats.admit((room, event))
        if silenced is None:
            return
        shown = {name: clean(value) for name, value in fields.items() if name not in forbidden}
        if forbidden:
            shown["left_out"] = [name[:40] for name in forbidden]
        if silenced:
            shown["silenced"] = silenced
        self._put(level, room, event, shown)

    def flush(self) -> None:
        """Say what was counted and not written; called once, at the end."""
        for (room, event), silenced in self._repeats.rest():
            self._put("info", room, event, {"silenced": silenced})

    def _put(self, level: Level, room: str, event: str, fields: dict[str, object]) -> None:
        if self._lost:
            fields["lost"] = self._lost
        if self._write(Line(self._wall(), level, room, event, fields)):
            self._lost = 0
        else:
            self._lost += 1


class _Desk:
    """Holds the scribe of this process, so that a logger made at import time reaches the one installed later."""

    def __init__(self) -> None:
        # A program that installs none (a test, a script, somebody's library) is not talked to.
        self.scribe = Scribe(lambda _line: True, LogSpec(level="error"))


_desk = _Desk()


class Logger:
    """One room's way to say what happened."""

    __slots__ = ("_room",)

    def __init__(self, room: str) -> None:
        self._room = room

    def debug(self, event: str, /, **fields: Value) -> None:
        """Tell a developer."""
        _desk.scribe.take("debug", self._room, event, fields)

    def info(self, event: str, /, **fields: Value) -> None:
        """Tell what happened."""
        _desk.scribe.take("info", self._room, event, fields)

    def warning(self, event: str, /, **fields: Value) -> None:
        """Tell what somebody should look at one day."""
        _desk.scribe.take("warning", self._room, event, fields)

    def error(self, event: str, /, **fields: Value) -> None:
        """Tell what somebody should look at now."""
        _desk.scribe.take("error", self._room, event, fields)


def logger(room: str) -> Logger:
    """Return the logger of a room."""
    return Logger(room)


def install(scribe: Scribe) -> Scribe:
    """Let this scribe write for the whole process, and return the one it replaces."""
    before, _desk.scribe = _desk.scribe, scribe
    return before


@contextmanager
def captured(spec: LogSpec = EVERYTHING, *, strict: bool = True) -> Iterator[list[Line]]:
    """Collect every line instead of writing it, as a test wants it."""
    lines: list[Line] = []

    def keep(line: Line) -> bool:
        lines.append(line)
        return True

    before = install(Scribe(keep, spec, strict=strict))
    try:
        yield lines
    finally:
        install(before)


def render_json(line: Line) -> str:
    """Return a line as one JSON object in ASCII, so that nothing in a value can end the line or move a cursor."""
    head = {"at": _stamp(line.wall_s), "level": line.level, "room": line.room, "event": line.event}
    # A field that is called like one of ours gets a tail, and both are kept.
    rest = {f"{name}_" if name in head else name: value for name, value in line.fields.items()}
    return json.dumps(head | rest, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def render_text(line: Line, *, colour: bool = False) -> str:
    """Return a line for a person at a terminal, with everything escaped that a terminal would obey."""
    time_of_day = _stamp(line.wall_s)[11:23]
    level = f"{line.level:<7}"
    if colour:
        level = f"\x1b[{COLOURS[line.level]}m{level}\x1b[0m"
    fields = "".join(f" {_plain(name)}={_plain(value)}" for name, value in line.fields.items())
    return f"{time_of_day} {level} {_plain(line.event)}{fields}"


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    return text if text and PLAIN.issuperset(text) else json.dumps(value, ensure_ascii=True)


def _stamp(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
