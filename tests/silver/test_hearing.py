"""What a player wants is heard by fixed rules, from the first five hundred characters, and never echoed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.silver.speech.book import Book
from tiercel.silver.speech.ears import READ_CHARS
from tiercel.silver.speech.facts import FACTS, INTENTS

BOOK = Book.load()
WORDS = ("hello", "where is", "the bridge", "?", "!", "kill you", "king", "\u05e9\u05dc\u05d5\u05dd", "\U0001f600")
SPOKEN = st.one_of(
    st.text(max_size=700),
    st.lists(
        st.sampled_from(WORDS),
        max_size=200,
    ).map(" ".join),
)


@pytest.mark.parametrize(
    ("line", "intent"),
    [
        ("Hello!", "greet"),
        ("hey there", "greet"),
        ("HAIL, friend", "greet"),
        ("\uff28\uff45\uff4c\uff4c\uff4f", "greet"),
        ("Goodbye.", "farewell"),
        ("thanks, see you later", "thanks"),
        ("I must go now", "farewell"),
        ("Where is the mill?", "ask_place"),
        ("hello, which way to the old bridge", "ask_place"),
        ("Where\u2019s the tavern", "ask_place"),
        ("Where is the king?", "ask_person"),
        ("Who rules this city?", "ask_person"),
        ("Who are you?", "ask_person"),
        ("hi, what's your name?", "ask_person"),
        ("How much for the sword?", "ask_trade"),
        ("I want to buy a horse", "ask_trade"),
        ("where can i buy bread?", "ask_trade"),
        ("Do you have any work for me?", "ask_work"),
        ("any quests", "ask_work"),
        ("How can I help?", "ask_work"),
        ("Help!", "ask_help"),
        ("can you help me please", "ask_help"),
        ("i'm lost", "ask_help"),
        ("Thank you so much", "thanks"),
        ("Thanks for the help", "thanks"),
        ("You idiot.", "insult"),
        ("you are a fool", "insult"),
        ("I was a fool to come", "statement"),
        ("I will kill you", "threat"),
        ("hello. hand over the gold or else", "threat"),
        ("Can we kill the dragon?", "question"),
        ("What do you think about wolves?", "question"),
        ("Wo ist die Br\u00fccke?", "question"),
        ("\u05d0\u05d9\u05e4\u05d4 \u05d4\u05d2\u05e9\u05e8?", "question"),
        ("The harvest was poor.", "statement"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442", "statement"),
        ("", "unclear"),
        ("   \n\t ", "unclear"),
        ("...", "unclear"),
        ("12345", "unclear"),
        ("\U0001f600\U0001f5e1\ufe0f", "unclear"),
        ("\u200b\u200e\u202e", "unclear"),
    ],
)
def test_what_a_player_wants_is_heard(line: str, intent: str) -> None:
    assert BOOK.ears.hear(line).intent == intent


@pytest.mark.parametrize(
    ("line", "nouns"),
    [
        ("Where is the Bridge?", {"topic": "the bridge", "place": "the bridge"}),
        ("tell me about dragons", {"topic": "the dragons", "person": "the dragons"}),
        ("parties and witches", {"topic": "the witches", "person": "the witches"}),
        ("the gate guard hit me", {"topic": "the gate guard", "person": "the gate guard"}),
        (
            "the king at the market square",
            {"topic": "the king", "person": "the king", "place": "the market square"},
        ),
        ("where is <script>alert(1)</script>?", {}),
        ("where is {topic} and [[x]]", {}),
        ("tell me about Podthat", {}),
    ],
)
def test_a_noun_is_taken_up_only_when_a_book_lists_it(line: str, nouns: dict[str, str]) -> None:
    assert BOOK.ears.hear(line).nouns == nouns


def test_a_speaker_called_by_its_trade_is_not_its_own_topic() -> None:
    smith = BOOK.personas["blacksmith"]
    assert BOOK.ears.hear("Good day, smith, how is the weather?", own=smith.names).nouns["topic"] == "the weather"


def test_who_are_you_is_about_the_speaker_and_who_is_the_king_is_not() -> None:
    assert BOOK.ears.hear("Who are you?").facts & FACTS["self"]
    assert not BOOK.ears.hear("Who is the king?").facts & FACTS["self"]


@given(SPOKEN)
def test_only_the_first_five_hundred_characters_are_read(line: str) -> None:
    long = line.ljust(READ_CHARS) + "I will kill you " * 600
    assert BOOK.ears.hear(long) == BOOK.ears.hear(long[:READ_CHARS])


@given(SPOKEN)
def test_any_line_has_one_intent_and_only_nouns_of_the_book(line: str) -> None:
    heard = BOOK.ears.hear(line)
    assert heard.intent in INTENTS
    assert heard.facts & FACTS[heard.intent]
    for kind, noun in heard.nouns.items():
        assert heard.facts & FACTS[kind]
        assert len(noun) <= 32
        assert all(letter.isalpha() or letter in " '-" for letter in noun)


@pytest.mark.parametrize("piece", ["where is the ", "?!", "\ufdfa", "a", "\U0001f600", "\u0301", "\ud800", "' ", "^ "])
def test_ten_kilobytes_of_anything_are_heard(piece: str) -> None:
    assert BOOK.ears.hear(piece * 10_000).intent in INTENTS
