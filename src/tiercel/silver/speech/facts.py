"""The closed vocabulary that a condition in a book may name: moods, intents and what was noticed in a line."""

from __future__ import annotations

from typing import Final, Literal, get_args

Mood = Literal["calm", "glad", "wary", "angry", "afraid", "tired"]
Intent = Literal[
    "greet",
    "farewell",
    "ask_place",
    "ask_person",
    "ask_trade",
    "ask_work",
    "ask_help",
    "thanks",
    "insult",
    "threat",
    "question",
    "statement",
    "unclear",
]

MOODS: Final[tuple[Mood, ...]] = get_args(Mood)
INTENTS: Final[tuple[Intent, ...]] = get_args(Intent)

# What a listener may have noticed. The first four are slots too: they hold the book's own spelling of a noun.
NOUNS: Final = ("topic", "place", "person", "thing")
CUES: Final = (*NOUNS, "self", "name")

# One bit per word, so that a condition is two integer operations when a line is chosen.
FACTS: Final[dict[str, int]] = {word: 1 << bit for bit, word in enumerate((*MOODS, *INTENTS, *CUES))}
