"""Hears what a player wants from a few hundred characters, by fixed rules, in time linear in what is read.

Nothing a player typed is ever kept to be said again: a noun is known only when a book lists it, and it is the book's
own spelling that is spoken. So no answer can echo an insult, a link, markup or a hidden character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from tiercel.silver.speech.facts import FACTS, NOUNS, Intent

READ_CHARS: Final = 500
BREAK: Final = "^"
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|[.,;:!?\n\u061f\u3002\uff0c\uff1f\uff01]+")
_ASKS = re.compile(r"[?\u061f]")
_NARROW: Final = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x2019: "'", 0x3000: " "}
_WORD = re.compile(r"[^\W\d_]")

# Which meaning wins when a line holds several: danger first, then what is asked for, courtesy last.
_ORDER: Final[tuple[Intent, ...]] = (
    "threat",
    "insult",
    "ask_trade",
    "ask_work",
    "ask_place",
    "ask_person",
    "ask_help",
    "thanks",
    "farewell",
    "greet",
    "question",
)
HEARABLE: Final = (*_ORDER, "self")


class Noun(msgspec.Struct, frozen=True, kw_only=True):
    """A thing of the world that answers may refer to."""

    kind: str
    text: str


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What was understood: one intent, the facts to test conditions with, and the nouns to fill slots with."""

    intent: Intent
    facts: int
    nouns: Mapping[str, str]


class _Node:
    """One step of a phrase tree."""

    __slots__ = ("leaf", "next")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.leaf: str | Noun | None = None

    def add(self, tokens: Collection[str], leaf: str | Noun) -> None:
        node = self
        for token in tokens:
            node = node.next.setdefault(token, _Node())
        node.leaf = leaf


class Ears:
    """Phrases and nouns of a book, ready to be listened for."""

    def __init__(self, phrases: Mapping[str, str], nouns: Mapping[str, Noun]) -> None:
        self._phrases = _Node()
        self._nouns = _Node()
        for phrase, meaning in phrases.items():
            self._phrases.add(phrase.split(), meaning)
        for words, noun in nouns.items():
            self._nouns.add(words.split(), noun)
            if plural := _plural(words):
                many = Noun(kind=noun.kind, text=_plural(noun.text))
                self._nouns.add(plural.split(), many)

    def hear(self, line: str, *, own: Collection[str] = ()) -> Heard:
        """Understand a line; ``own`` are names of the speaker, which are not a topic when one is called by them."""
        plain = _plain(line[:READ_CHARS])
        tokens = _tokens(plain)
        cues = _scan(self._phrases, tokens)
        nouns = _heard_nouns(_scan(self._nouns, tokens), own)
        intent = _intent(cues, nouns, plain)
        facts = FACTS[intent]
        for noun in nouns:
            facts |= FACTS[noun]
        if intent == "ask_person" and "self" in cues and "person" not in nouns:
            facts |= FACTS["self"]
        return Heard(intent=intent, facts=facts, nouns=nouns)


def _plain(text: str) -> str:
    """Small letters, with accents composed and wide forms narrowed (NFKC would cost ten times as much at worst)."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_NARROW))
    return text.casefold()[:READ_CHARS]


def _tokens(plain: str) -> list[str]:
    """Words, with a mark wherever a sentence or clause begins or ends."""
    found = [BREAK]
    for token in _TOKEN.findall(plain):
        if _WORD.match(token):
            found.append(token)
        elif found[-1] != BREAK:
            found.append(BREAK)
    if found[-1] != BREAK:
        found.append(BREAK)
    return found


def _scan(tree: _Node, tokens: list[str]) -> dict[str | Noun, None]:
    """Everything the tree knows in these tokens, in order of appearance, the longest reading at each place."""
    found: dict[str | Noun, None] = {}
    for start, token in enumerate(tokens):
        node = tree.next.get(token)
        if node is None:
            continue
        leaf, at = node.leaf, start + 1
        while at < len(tokens) and (node := node.next.get(tokens[at])) is not None:
            leaf, at = node.leaf or leaf, at + 1
        if leaf is not None:
            found[leaf] = None
    return found


def _heard_nouns(found: Mapping[str | Noun, None], own: Collection[str]) -> dict[str, str]:
    """Take the first noun of each kind, and the first of all as the topic."""
    nouns: dict[str, str] = {}
    for noun in found:
        if isinstance(noun, Noun) and noun.text.casefold().removeprefix("the ") not in own:
            nouns.setdefault(NOUNS[0], noun.text)
            nouns.setdefault(noun.kind, noun.text)
    return nouns


def _intent(cues: Collection[str | Noun], nouns: Mapping[str, str], plain: str) -> Intent:
    if "self" in cues and not {"threat", "insult"} & {*cues}:
        return "ask_person"
    for intent in _ORDER:
        if intent in cues:
            # "Where is the king?" asks for a person, whatever the words around it.
            return "ask_person" if intent == "ask_place" and "person" in nouns and "place" not in nouns else intent
    if not _WORD.search(plain):
        return "unclear"
    return "question" if _ASKS.search(plain) else "statement"


def _plural(words: str) -> str:
    """Guess the regular plural of a common noun; nothing for a proper name or a word that forms none."""
    if words != words.casefold() or words.endswith("s"):
        return ""
    if words.endswith(("x", "ch", "sh")):
        return f"{words}es"
    if words.endswith("y") and words[-2:-1] not in "aeiou":
        return f"{words[:-1]}ies"
    return f"{words}s"
