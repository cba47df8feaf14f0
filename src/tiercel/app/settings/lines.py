"""Finds on which line of a TOML text each key stands, so that an error can point at it.

``tomllib`` says whether the text is TOML and what it means, and keeps no positions. This walks a text that ``tomllib``
has already accepted, so that it may assume correct syntax and needs to know only where keys and values begin and end.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

__all__ = ["Path", "dotted", "locate"]

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# One closed string: three quotes may be followed by two more that belong to the text.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def dotted(path: Path) -> str:
    """Write a path as TOML would: ``engines."gpt-4.1".url``, ``tiers.silver.rungs[1]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE_KEY.fullmatch(part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
            text += f".{name}" if text else name
    return text


def locate(text: str) -> dict[Path, int]:
    """Return the line of every table, key and list item of a text that ``tomllib`` accepts."""
    return _Walk(text).run()


class _Walk:
    """One pass over the text; ``at`` is the next character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(m.end() for m in re.finditer(r"\n", text))]
        self._lines: dict[Path, int] = {}
        self._last: dict[Path, int] = {}  # how far each list of tables has got

    def run(self) -> dict[Path, int]:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._peek("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        return self._lines

    def _peek(self, token: str) -> bool:
        return self._text.startswith(token, self._at)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:  # cannot happen in a text that tomllib accepted; better loud than a wrong line
            message = f"no key or value found on line {bisect_right(self._starts, self._at)}"
            raise ValueError(message)
        self._at = found.end()
        return found.group()

    def _skip(self) -> None:
        self._take(_BLANK)

    def _mark(self, path: Path) -> None:
        self._lines.setdefault(path, bisect_right(self._starts, self._at))

    def _key(self) -> list[str]:
        """Read a key: bare, quoted, or several with dots between."""
        parts = []
        while True:
            self._skip()
            if self._peek('"') or self._peek("'"):
                parts.append(str(tomllib.loads(f"key = {self._take(_STRING)}")["key"]))
            else:
                parts.append(self._take(_BARE_KEY))
            self._skip()
            if not self._peek("."):
                return parts
            self._at += 1

    def _header(self) -> Path:
        """Read ``[table]`` or ``[[list of tables]]`` and return the path that its keys belong to."""
        begin, many = self._at, self._peek("[[")
        self._at += 2 if many else 1
        *above, name = self._key()
        end, self._at = self._at + (2 if many else 1), begin
        path: Path = ()
        for part in above:
            path = self._current((*path, part))
            self._mark(path)
        path = (*path, name)
        self._mark(path)
        if many:
            self._last[path] = self._last.get(path, -1) + 1
        path = self._current(path)
        self._mark(path)
        self._at = end
        return path

    def _current(self, path: Path) -> Path:
        """Step into the newest item when the path names a list of tables."""
        return (*path, self._last[path]) if path in self._last else path

    def _pair(self, table: Path) -> None:
        begin = self._at
        parts = self._key()
        end, self._at = self._at, begin
        path = table
        for part in parts:
            path = (*path, part)
            self._mark(path)
        self._at = end + 1  # the equals sign
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        if self._peek("{"):
            self._inside("}", path)
        elif self._peek("["):
            self._inside("]", path)
        elif self._peek('"') or self._peek("'"):
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _inside(self, close: str, path: Path) -> None:
        """Read what stands in braces (pairs) or brackets (values), with or without a last comma."""
        self._at += 1
        count = 0
        self._skip()
        while not self._peek(close):
            if close == "}":
                self._pair(path)
            else:
                self._mark((*path, count))
                self._value((*path, count))
                count += 1
            self._skip()
            if self._peek(","):
                self._at += 1
                self._skip()
        self._at += 1
