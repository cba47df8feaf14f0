"""Reads one book file into checked values: the shape of the tables, before the rules are joined and proved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tiercel.silver.speech.ears import BREAK, HEARABLE, Noun
from tiercel.silver.speech.facts import MOODS, NOUNS
from tiercel.silver.speech.grammar import Rule, read
from tiercel.silver.speech.names import LATIN, MAX_NAME
from tiercel.silver.speech.sources import Source
from tiercel.terms.errors import Misconfigured

TABLES: Final = ("persona", "moods", "hear", "topics", "rules")
MAX_NOUN: Final = 24
_NOUN = re.compile(rf"[{LATIN}]+(?:[ '-][{LATIN}]+){{0,2}}")
_PHRASE = re.compile(rf"(?:\{BREAK} )?[^\W\d_]+(?:'[^\W\d_]+)*(?: [^\W\d_]+(?:'[^\W\d_]+)*)*(?: \{BREAK})?")
_VALUE = re.compile(r"[^{}<>\[\]()|@\x00-\x1f]{1,40}")
_RULE = re.compile(r"[a-z][a-z0-9_]*")
_LISTS: Final = ("also", "instead")


class Page:
    """One file of a book."""

    def __init__(self, path: Path) -> None:
        self.id = path.stem
        self.source = Source(path)
        if not _RULE.fullmatch(self.id):
            raise Misconfigured(f"{self.id!r} is no persona name: small letters, digits, _", where=str(path))
        for table, content in self.source.tables.items():
            if table not in TABLES or not isinstance(content, dict):
                raise self.source.wrong(f"unknown table {table!r} (known: {', '.join(TABLES)})", table)
        self.also = self._persona_list("also")
        self.instead = self._persona_list("instead")
        self.values = self._persona_values()
        self.rules = self._rules()
        self.moods = self._words("moods", MOODS)
        self.phrases = self._words("hear", HEARABLE)
        self.nouns = self._nouns()

    def _table(self, name: str) -> Mapping[str, object]:
        table = self.source.tables.get(name, {})
        return table if isinstance(table, dict) else {}

    def _strings(self, table: str, key: str) -> list[str]:
        found = self._table(table).get(key, [])
        if not isinstance(found, list):
            raise self.source.wrong(f"{key!r} must be a list of strings", table, key)
        for index, each in enumerate(found):
            if not isinstance(each, str):
                raise self.source.wrong(f"{key!r} must be a list of strings", table, key, index)
        return [str(each) for each in found]

    def _persona_list(self, key: str) -> tuple[str, ...]:
        return tuple(each.casefold() for each in self._strings("persona", key))

    def _persona_values(self) -> dict[str, str]:
        values: dict[str, str] = {}
        for key, value in self._table("persona").items():
            if key in _LISTS:
                continue
            if not isinstance(value, str) or not _VALUE.fullmatch(value):
                raise self.source.wrong(f"{key!r} must be 1 to {MAX_NAME} plain characters", "persona", key)
            if key == "mood" and value not in MOODS:
                raise self.source.wrong(f"unknown mood {value!r} (known: {', '.join(MOODS)})", "persona", key)
            values[key] = value
        return values

    def _rules(self) -> dict[str, Rule]:
        rules: dict[str, Rule] = {}
        for name in self._table("rules"):
            line = self.source.line("rules", name)
            texts = self._strings("rules", name)
            if not _RULE.fullmatch(name):
                raise self.source.wrong(f"{name!r} is no rule name: small letters, digits, _", "rules", name)
            if not texts:
                raise self.source.wrong(f"rule {name!r} has no alternatives", "rules", name)
            alternatives = tuple(
                read(text, where=self.source.path, line=self.source.line("rules", name, index))
                for index, text in enumerate(texts)
            )
            rules[name] = Rule(name, alternatives, where=self.source.path, line=line)
        return rules

    def _words(self, table: str, known: tuple[str, ...]) -> dict[str, str]:
        """Phrase to meaning, refusing a phrase with two meanings."""
        found: dict[str, str] = {}
        for meaning in self._table(table):
            if meaning not in known:
                raise self.source.wrong(f"unknown {table} {meaning!r} (known: {', '.join(known)})", table, meaning)
            for index, each in enumerate(self._strings(table, meaning)):
                phrase = each.casefold()
                if not _PHRASE.fullmatch(phrase):
                    raise self.source.wrong(f"{each!r} is no phrase of plain words", table, meaning, index)
                if found.setdefault(phrase, meaning) != meaning:
                    raise self.source.wrong(f"{each!r} means {found[phrase]!r} already", table, meaning, index)
        return found

    def _nouns(self) -> dict[str, Noun]:
        found: dict[str, Noun] = {}
        for kind in self._table("topics"):
            if kind not in NOUNS[1:]:
                raise self.source.wrong(f"unknown kind {kind!r} (known: {', '.join(NOUNS[1:])})", "topics", kind)
            for index, text in enumerate(self._strings("topics", kind)):
                if not _NOUN.fullmatch(text) or len(text) > MAX_NOUN:
                    message = f"{text!r} is no noun: up to three words of Latin letters, {MAX_NOUN} characters"
                    raise self.source.wrong(message, "topics", kind, index)
                # A proper name stands alone; a common noun is spoken with its article.
                spoken = text if text != text.lower() else f"the {text}"
                noun = Noun(kind=kind, text=spoken)
                if found.setdefault(text.casefold().replace("-", " "), noun) != noun:
                    raise self.source.wrong(f"{text!r} is listed as two kinds of thing", "topics", kind, index)
        return found
