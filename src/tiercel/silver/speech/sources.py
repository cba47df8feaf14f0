"""Reads a TOML file and remembers on which line each value stands, so that a mistake can be pointed at."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tiercel.terms.errors import Misconfigured

# Sound only on text that tomllib has accepted already: it tells tokens apart, it does not check them.
_TOKEN = re.compile(
    r"(?P<comment>#[^\n]*)"
    r'|(?P<text>"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<newline>\n)|(?P<open>\[)|(?P<close>\])|(?P<equals>=)|(?P<bare>[^\s\[\]=,#\"'{}]+)",
    re.DOTALL,
)
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")


class Source:
    """One parsed TOML file: its tables, its path, and the line of every table, key and list item."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as wrong:
            raise Misconfigured(f"cannot be read: {wrong}", where=self.path) from wrong
        try:
            self.tables: dict[str, object] = dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as wrong:
            raise self._syntax(str(wrong), text) from wrong
        self._lines = _Scan(text).lines

    def line(self, table: str, key: str = "", index: int = -1) -> int:
        """Where a value stands; the nearest enclosing thing when the value itself was not found."""
        for spot in ((table, key, index), (table, key, -1), (table, "", -1)):
            if spot in self._lines:
                return self._lines[spot]
        return 1

    def wrong(self, message: str, table: str, key: str = "", index: int = -1) -> Misconfigured:
        """Make the error to raise about the value at that spot."""
        return Misconfigured(message, where=self.path, line=self.line(table, key, index))

    def _syntax(self, message: str, text: str) -> Misconfigured:
        found = _AT_LINE.search(message)
        line = int(found[1]) if found else text.count("\n") + 1
        if "overwrite" in message or "declare" in message:
            message = f"the same name twice: {message}"
        return Misconfigured(_AT_LINE.sub("", message), where=self.path, line=line)


class _Scan:
    """One walk over the tokens of a file, keeping (table, key, item) -> line."""

    def __init__(self, text: str) -> None:
        self.lines: dict[tuple[str, str, int], int] = {}
        self._table = self._key = ""
        self._depth = self._item = 0
        self._in_header = self._in_value = False
        line = 1
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup or ""
            if self._in_header:
                self._head(kind, token[0], line)
            elif self._in_value:
                self._value(kind, line)
            else:
                self._start(kind, token[0], line)
            line += token[0].count("\n")

    def _start(self, kind: str, word: str, line: int) -> None:
        if kind == "open":
            self._in_header, self._table = True, ""
        elif kind in {"bare", "text"}:
            self._key = word.strip("\"'")
            self.lines[self._table, self._key, -1] = line
        elif kind == "equals":
            self._in_value, self._item = True, 0

    def _head(self, kind: str, word: str, line: int) -> None:
        if kind == "close":
            self._in_header = False
            self.lines[self._table, "", -1] = line
        elif kind in {"bare", "text"}:
            self._table += word.strip("\"'")

    def _value(self, kind: str, line: int) -> None:
        if kind == "open":
            self._depth += 1
        elif kind == "close":
            self._depth -= 1
        elif kind in {"bare", "text"}:
            self.lines[self._table, self._key, self._item] = line
            self._item += 1
        elif kind == "newline" and self._depth == 0:
            self._in_value = False
