"""The book of what may be said: personas, shared lines, and the words by which a player is understood.

A folder holds one TOML file per persona and ``everyone.toml``, whose lines all personas share. Loading proves every
persona (see checks.py), so speaking cannot fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, cast

import msgspec

from tiercel.silver.speech.checks import check
from tiercel.silver.speech.ears import Ears, Noun
from tiercel.silver.speech.facts import MOODS, NOUNS, Mood
from tiercel.silver.speech.grammar import Rule
from tiercel.silver.speech.names import MAX_NAME, spoken_name, words_of
from tiercel.silver.speech.page import MAX_NOUN, Page
from tiercel.terms.errors import Misconfigured

BOOKS: Final = Path(__file__).with_name("books")
EVERYONE: Final = "everyone"
NARRATOR: Final = "narrator"
_ARTICLE_AND_PLURAL: Final = len("the es")
_READ: Final = 200


class Persona(msgspec.Struct, frozen=True, kw_only=True):
    """One voice: the rules it speaks by, its own words for slots, and how it feels when nothing else is said."""

    id: str
    names: frozenset[str]
    mood: Mood
    slots: Mapping[str, str]
    rules: Mapping[str, Rule]


class Book:
    """All personas of one world."""

    def __init__(self, pages: Iterable[Page]) -> None:
        by_id = {page.id: page for page in pages}
        for needed in (EVERYONE, NARRATOR):
            if needed not in by_id:
                raise Misconfigured(f"no {needed}.toml, which every book needs")
        self._everyone = by_id[EVERYONE]
        self.personas = {page.id: self._bind(page) for page in by_id.values() if page.id != EVERYONE}
        self._aliases = _aliases(by_id.values())
        self._moods = {word: mood for page in by_id.values() for word, mood in page.moods.items()}
        self.ears = Ears(_phrases(by_id.values()), _nouns(by_id.values()))

    @classmethod
    def load(cls, folder: Path = BOOKS, *more: Path) -> Book:
        """Read one folder, or several; a file in a later folder replaces the one of the same name before it."""
        paths: dict[str, Path] = {}
        for each in (folder, *more):
            found = sorted(each.glob("*.toml"))
            if not found:
                raise Misconfigured("no book files (*.toml) in this folder", where=str(each))
            paths.update({path.stem: path for path in found})
        return cls(Page(path) for path in paths.values())

    def cast(self, text: str) -> tuple[Persona, str]:
        """Find who speaks for a persona given as free text, and the name to use, empty when the book's own will do."""
        plain = text[:_READ].strip().casefold().replace("_", " ")
        known = self._aliases.get(plain)
        if known or not plain:
            return self.personas[known or NARRATOR], ""
        words = words_of(text)
        for last in range(len(words), 0, -1):
            for size in (2, 1):
                known = self._aliases.get(" ".join(words[max(0, last - size) : last]))
                if known:
                    return self.personas[known], spoken_name(text)
        return self.personas[NARRATOR], spoken_name(text)

    def mood(self, text: str, usual: Mood) -> Mood:
        """Choose the nearest of the six moods, or the usual one for a word nobody listed."""
        plain = text[:_READ].strip().casefold()
        found = plain if plain in MOODS else self._moods.get(plain, usual)
        return cast("Mood", found)

    def _bind(self, page: Page) -> Persona:
        everyone = self._everyone
        for unknown in set(page.instead) - set(page.rules):
            raise page.source.wrong(f"{unknown!r} is in 'instead' but has no rule in this file", "persona", "instead")
        rules = dict(everyone.rules)
        for name, rule in page.rules.items():
            shared = everyone.rules.get(name)
            if shared and name not in page.instead:
                joined = (*shared.alternatives, *rule.alternatives)
                rules[name] = Rule(name, joined, where=rule.where, line=rule.line)
            else:
                rules[name] = rule
        slots = {f"persona.{key}": value for key, value in {**everyone.values, **page.values}.items()}
        lengths = {name: len(value) for name, value in slots.items()}
        lengths["persona.name"] = MAX_NAME
        lengths |= dict.fromkeys(NOUNS, MAX_NOUN + _ARTICLE_AND_PLURAL)
        check(rules, lengths, where=page.source.path)
        mood = page.values.get("mood", everyone.values.get("mood", "calm"))
        names = frozenset((page.id.replace("_", " "), *page.also))
        return Persona(id=page.id, names=names, mood=cast("Mood", mood), slots=slots, rules=rules)


def _aliases(pages: Iterable[Page]) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in pages:
        if page.id == EVERYONE:
            continue
        for alias in (page.id.replace("_", " "), *page.also):
            if found.setdefault(alias, page.id) != page.id:
                message = f"{alias!r} already names the persona {found[alias]!r}"
                raise page.source.wrong(message, "persona", "also")
    return found


def _phrases(pages: Iterable[Page]) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in pages:
        for phrase, meaning in page.phrases.items():
            if found.setdefault(phrase, meaning) != meaning:
                raise page.source.wrong(f"{phrase!r} means {found[phrase]!r} already", "hear", meaning)
    return found


def _nouns(pages: Iterable[Page]) -> dict[str, Noun]:
    found: dict[str, Noun] = {}
    for page in pages:
        for words, noun in page.nouns.items():
            if found.setdefault(words, noun) != noun:
                raise page.source.wrong(f"{words!r} is listed as another kind of thing already", "topics", noun.kind)
    return found
