"""Whatever a request gives as a persona or a mood, somebody speaks, under a safe name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.silver.speech.book import Book
from tiercel.silver.speech.facts import MOODS
from tiercel.silver.speech.names import MAX_NAME, spoken_name

BOOK = Book.load()


@pytest.mark.parametrize(
    ("given_persona", "cast", "name"),
    [
        ("", "narrator", ""),
        ("blacksmith", "blacksmith", ""),
        ("  Gate_Guard ", "gate_guard", ""),
        ("smith", "blacksmith", ""),
        ("old blacksmith Gunnar", "blacksmith", "old blacksmith Gunnar"),
        ("a weary town guard", "gate_guard", "the weary town guard"),
        ("pirate captain Mora", "narrator", "pirate captain Mora"),
        ("You are Mora, a pirate captain who hates the sea.", "narrator", "Mora"),
        ("Mora, a blacksmith from Holm who hates guards", "blacksmith", "Mora"),
        ("captain of the guard", "narrator", "the captain of the guard"),
        ("a grumpy miller", "narrator", "the grumpy miller"),
        ("MORA THE RED", "narrator", "Mora The Red"),
        ("\u00c6lfgifu", "narrator", "\u00c6lfgifu"),
        ("<b>{topic}</b>", "narrator", ""),
        ("\U0001f600", "narrator", ""),
        ("\u05e9\u05dc\u05d5\u05dd", "narrator", ""),
    ],
)
def test_a_persona_is_known_or_its_name_is_kept(given_persona: str, cast: str, name: str) -> None:
    persona, kept = BOOK.cast(given_persona)
    assert (persona.id, kept) == (cast, name)


@given(st.text(max_size=300))
def test_a_name_is_short_and_of_a_closed_alphabet(text: str) -> None:
    name = spoken_name(text)
    assert len(name) <= MAX_NAME
    assert name == name.strip()
    assert all(letter in " '-" or (letter.isalpha() and letter < "\u0250") for letter in name)


@pytest.mark.parametrize(
    ("word", "mood"),
    [("Angry", "angry"), ("furious", "angry"), ("", "glad"), ("tangerine", "glad"), ("x" * 9999, "glad")],
)
def test_a_mood_is_one_of_six_or_the_usual_one(word: str, mood: str) -> None:
    assert BOOK.mood(word, "glad") == mood
    assert mood in MOODS
