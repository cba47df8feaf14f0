"""Proves, before a book is ever spoken from, that none of its rules can fail, loop, print a slot or run on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tiercel.silver.speech.facts import NOUNS
from tiercel.silver.speech.grammar import Alternative, Call, Either, Maybe, Part, Rule, Slot
from tiercel.terms.errors import Misconfigured

ENTRIES: Final = ("line", "last", "close_word", "close_comma", "close_stop")
MAX_DEPTH: Final = 16
MAX_CHARS: Final = 300
MAX_CLOSE: Final = 120
MAX_ALTERNATIVES: Final = 255  # an index is kept in one byte per listener


def check(rules: Mapping[str, Rule], lengths: Mapping[str, int], *, where: str) -> None:
    """Raise Misconfigured at the first flaw; ``lengths`` holds every known slot and its longest filling."""
    for entry in ENTRIES:
        if entry not in rules:
            raise Misconfigured(f"no rule {entry!r}, which every book needs", where=where)
    for rule in rules.values():
        _check_rule(rule, rules, lengths)
    walk = _Walk(rules, lengths)
    for entry in ENTRIES:
        walk.longest(entry, (), rules[entry].alternatives[0])
    for rule in rules.values():
        if rule.name not in walk.seen:
            raise Misconfigured(
                f"nothing speaks the rule {rule.name!r}{_meant(rule.name, walk.seen)}", where=rule.where, line=rule.line
            )
    for entry in ENTRIES:
        _check_length(rules[entry], walk, MAX_CLOSE if entry.startswith("close") else MAX_CHARS)


def _check_rule(rule: Rule, rules: Mapping[str, Rule], lengths: Mapping[str, int]) -> None:
    if len(rule.alternatives) > MAX_ALTERNATIVES:
        many = rule.alternatives[MAX_ALTERNATIVES]
        raise many.wrong(f"more than {MAX_ALTERNATIVES} alternatives for {rule.name!r}; split the rule")
    said: dict[str, str] = {}
    for each in rule.alternatives:
        if each.text in said:
            raise each.wrong(f"the same alternative twice in rule {rule.name!r} (first in {said[each.text]})")
        said[each.text] = f"{Path(each.where).name}:{each.line}"
        for part in _every(each.parts):
            if isinstance(part, Slot) and part.name not in lengths:
                raise each.wrong(f"unknown slot {{{part.name}}}{_meant(part.name, lengths)}")
            if isinstance(part, Call) and part.rule not in rules:
                raise each.wrong(f"unknown rule <{part.rule}>{_meant(part.rule, rules)}")
    if not any(each.is_sure() for each in rule.alternatives):
        nouns = " ".join(f"{{{noun}}}" for noun in NOUNS)
        raise Misconfigured(
            f"rule {rule.name!r} needs one alternative that always fits: no condition (or @else), and none of {nouns}",
            where=rule.where,
            line=rule.line,
        )


def _check_length(rule: Rule, walk: _Walk, limit: int) -> None:
    """Blame the longest leaf, since that is the text which a writer can shorten."""
    if walk.lengths_of[rule.name] <= limit:
        return
    each = rule.alternatives[0]
    name: str | None = rule.name
    while name is not None:
        each = max(walk.rules[name].alternatives, key=walk.length)
        calls = [part.rule for part in _every(each.parts) if isinstance(part, Call)]
        name = max(calls, key=walk.lengths_of.__getitem__, default=None)
    over = walk.lengths_of[rule.name]
    raise each.wrong(f"{rule.name!r} may run to {over} characters, {limit} at most; shorten this, its longest part,")


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _every(parts: tuple[Part, ...]) -> Iterator[Part]:
    """All parts, those within optional words and choices included."""
    for part in parts:
        yield part
        if isinstance(part, Maybe):
            yield from _every(part.parts)
        elif isinstance(part, Either):
            for branch in part.branches:
                yield from _every(branch)


class _Walk:
    """Follows every call once, finding circles and the longest thing a rule can say."""

    def __init__(self, rules: Mapping[str, Rule], slots: Mapping[str, int]) -> None:
        self.rules = rules
        self.lengths_of: dict[str, int] = {}
        self._slots = slots

    @property
    def seen(self) -> Iterable[str]:
        return self.lengths_of.keys()

    def longest(self, name: str, path: tuple[str, ...], caller: Alternative) -> int:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise caller.wrong(f"rules call each other in a circle, {circle},")
        if len(path) >= MAX_DEPTH:
            raise caller.wrong(f"rules call rules more than {MAX_DEPTH} deep,")
        if name not in self.lengths_of:
            inner = (*path, name)
            for each in self.rules[name].alternatives:
                for part in _every(each.parts):
                    if isinstance(part, Call):
                        self.longest(part.rule, inner, each)
            self.lengths_of[name] = max(self.length(each) for each in self.rules[name].alternatives)
        return self.lengths_of[name]

    def length(self, each: Alternative) -> int:
        return self._sum(each.parts)

    def _sum(self, parts: tuple[Part, ...]) -> int:
        return sum(self._one(part) for part in parts)

    def _one(self, part: Part) -> int:
        if isinstance(part, str):
            return len(part)
        if isinstance(part, Slot):
            return self._slots[part.name]
        if isinstance(part, Call):
            return self.lengths_of[part.rule]
        if isinstance(part, Maybe):
            return self._sum(part.parts)
        return max(self._sum(branch) for branch in part.branches)
