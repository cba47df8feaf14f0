"""Reads one alternative of a rule, as a writer typed it, into parts that can be spoken.

``{slot}`` is filled in, ``<rule>`` is spoken in its turn, ``[words]`` are said half the time, ``(one|other)`` is one
of the two. ``@glad,calm`` in front means "only when glad or calm"; several such marks must all hold; ``@!glad``
means "not when glad"; ``@else`` means "only when no conditional alternative of this rule fits".
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tiercel.silver.speech.facts import FACTS, NOUNS
from tiercel.terms.errors import Misconfigured

MAX_NESTING: Final = 4
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?")
_MARK = re.compile(r"@(\S+)\s+")
_PLAIN = re.compile(r"[^{}<>\[\]()|@]+")


class Slot(msgspec.Struct, frozen=True):
    """A word filled in when the line is spoken."""

    name: str


class Call(msgspec.Struct, frozen=True):
    """Another rule, spoken in this place."""

    rule: str


class Maybe(msgspec.Struct, frozen=True):
    """Words said half the time, and never when a noun they need was not heard."""

    parts: tuple[Part, ...]
    need: tuple[int, ...]


class Either(msgspec.Struct, frozen=True):
    """One of a few wordings, for variety too small to deserve a rule."""

    branches: tuple[tuple[Part, ...], ...]


Part = str | Slot | Call | Maybe | Either


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a rule may say, when it may say it, and where it was written."""

    parts: tuple[Part, ...]
    need: tuple[int, ...]
    bar: int
    otherwise: bool
    text: str
    where: str
    line: int

    def fits(self, facts: int) -> bool:
        """Say whether the conditions hold; ``@else`` is the rule's business, not asked here."""
        if facts & self.bar:
            return False
        return all(facts & mask for mask in self.need)

    def is_sure(self) -> bool:
        """Say whether this alternative can be spoken whatever was heard, so that its rule never falls silent."""
        return not self.need and not self.bar

    def wrong(self, message: str) -> Misconfigured:
        """Make the error to raise about this alternative."""
        return Misconfigured(f"{message} in {self.text!r}", where=self.where, line=self.line)


class Rule:
    """A name and the things it may say."""

    __slots__ = ("_answers", "_asked", "alternatives", "line", "name", "where")

    def __init__(self, name: str, alternatives: tuple[Alternative, ...], *, where: str, line: int) -> None:
        self.name = name
        self.alternatives = alternatives
        self.where = where
        self.line = line
        self._asked = 0
        for each in alternatives:
            for mask in (*each.need, each.bar):
                self._asked |= mask
        # Kept answers: one per combination of the facts this rule asks about, a few hundred for the largest rule.
        self._answers: dict[int, tuple[int, ...]] = {}

    def fitting(self, facts: int) -> tuple[int, ...]:
        """Which alternatives may be said now; never none, because a checked rule has a sure one."""
        asked = facts & self._asked
        found = self._answers.get(asked)
        if found is None:
            fits = [i for i, each in enumerate(self.alternatives) if each.fits(asked)]
            found = self._answers[asked] = tuple(i for i in fits if not self.alternatives[i].otherwise) or tuple(fits)
        return found


def read(text: str, *, where: str, line: int) -> Alternative:
    """Parse one alternative; raises Misconfigured with its place when it cannot be understood."""
    try:
        need, bar, otherwise, rest = _conditions(text)
        parts = _Reader(rest).whole()
    except _Unreadable as wrong:
        raise Misconfigured(f"{wrong} in {text!r}", where=where, line=line) from None
    need = (*need, *(FACTS[slot] for slot in NOUNS if slot in _nouns(parts)))
    return Alternative(parts=parts, need=need, bar=bar, otherwise=otherwise, text=text, where=where, line=line)


class _Unreadable(Exception):
    """What is wrong with the text, before its place is known."""


def _conditions(text: str) -> tuple[tuple[int, ...], int, bool, str]:
    need: list[int] = []
    bar, otherwise = 0, False
    rest = text.lstrip() + " "
    while found := _MARK.match(rest):
        rest = rest[found.end() :]
        mark = found[1]
        if mark == "else":
            otherwise = True
        elif mark.startswith("!"):
            bar |= _mask(mark[1:])
        else:
            need.append(_mask(mark))
    return tuple(need), bar, otherwise, rest


def _mask(words: str) -> int:
    mask = 0
    for word in words.split(","):
        if word not in FACTS:
            raise _Unreadable(f"unknown condition {word!r} (known: {', '.join(FACTS)})")
        mask |= FACTS[word]
    return mask


def _nouns(parts: tuple[Part, ...]) -> set[str]:
    """Name the heard nouns that these parts cannot do without."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Slot) and part.name in NOUNS:
            found.add(part.name)
        elif isinstance(part, Either):
            found.update(*(_nouns(branch) for branch in part.branches))
    return found


class _Reader:
    """A recursive-descent reader over one alternative, bounded in depth."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._at = 0
        self._depth = 0

    def whole(self) -> tuple[Part, ...]:
        if not self._text:
            raise _Unreadable("an empty alternative")
        parts = self._parts("")
        if self._at < len(self._text):
            raise _Unreadable(f"a stray {self._text[self._at]!r}")
        return parts

    def _parts(self, until: str) -> tuple[Part, ...]:
        """Read up to one of the closing marks, which is left for the caller."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise _Unreadable(f"brackets nested deeper than {MAX_NESTING}")
        found: list[Part] = []
        while self._at < len(self._text) and self._text[self._at] not in until:
            found.append(self._part())
        self._depth -= 1
        return tuple(found)

    def _part(self) -> Part:
        plain = _PLAIN.match(self._text, self._at)
        if plain:
            self._at = plain.end()
            return plain[0]
        mark = self._text[self._at]
        self._at += 1
        if mark == "{":
            return Slot(self._name("}"))
        if mark == "<":
            return Call(self._name(">"))
        if mark == "[":
            parts = self._parts("]")
            self._close("]")
            return Maybe(parts, tuple(FACTS[slot] for slot in NOUNS if slot in _nouns(parts)))
        if mark == "(":
            return self._either()
        raise _Unreadable(f"a stray {mark!r}")

    def _either(self) -> Either:
        branches = [self._parts("|)")]
        while self._at < len(self._text) and self._text[self._at] == "|":
            self._at += 1
            branches.append(self._parts("|)"))
        self._close(")")
        if len(branches) == 1:
            raise _Unreadable("( ) holds a choice and needs a |; it cannot be spoken")
        return Either(tuple(branches))

    def _name(self, closing: str) -> str:
        found = _NAME.match(self._text, self._at)
        if not found:
            raise _Unreadable(f"no name before {closing!r}")
        self._at = found.end()
        self._close(closing)
        return found[0]

    def _close(self, mark: str) -> None:
        if self._at >= len(self._text) or self._text[self._at] != mark:
            raise _Unreadable(f"no closing {mark!r}")
        self._at += 1
