"""The lines that come with Tiercel: honest, short, enough of them, and each where it belongs."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tiercel.silver.speech.book import BOOKS, Book
from tiercel.silver.speech.facts import INTENTS, MOODS, Intent
from tiercel.silver.speech.listener import Print
from tiercel.silver.speech.speaker import Speaker

BOOK = Book.load()
VOICES = sorted(BOOK.personas)
LINES = [
    (persona, name, each.text)
    for persona in VOICES
    for name, rule in BOOK.personas[persona].rules.items()
    for each in rule.alternatives
]
HEARD: dict[Intent, tuple[str, ...]] = {
    "greet": ("Hello!",),
    "farewell": ("Goodbye.",),
    "ask_place": ("Where is the bridge?", "Where is Podthat?"),
    "ask_person": ("Who is the king?", "Who are you?", "Who is that?"),
    "ask_trade": ("How much for the sword?", "What do you sell?"),
    "ask_work": ("Any work with the harvest?", "Any quests?"),
    "ask_help": ("Help me, a wolf!", "Can you help me?"),
    "thanks": ("Thanks.",),
    "insult": ("You fool!",),
    "threat": ("I will kill you.",),
    "question": ("What of the wolves?", "Why?"),
    "statement": ("The harvest was poor.", "So be it."),
    "unclear": ("", "?!"),
}
# A number with something countable, a way to go, a promise or a tale: things a line without knowledge may not claim.
CLAIMS = re.compile(
    r"\d"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|few|many|some)\s+"
    r"(?:gold|silver|copper|coins?|crowns?|pieces?|miles?|leagues?|days?|hours?|doors?|streets?)\b"
    r"|\b(?:north|south|east|west|left at|right at|turn left|turn right|upstairs|downstairs|next door|past the)\b"
    r"|\b(?:quests?|bount(?:y|ies)|rewards?|discount|free of charge)\b"
    r"|\b(?:costs? you|sells? for|i will pay|i can pay|you will find (?:it|him|her|them)|i will give you)\b"
    r"|\b(?:the king is|the queen is|is dead|was killed|is closed|is open|last night|yesterday|tomorrow)\b"
    r"|\b(?:language model|as an ai|artificial|i'm sorry, but|assistant|prompt|template|npc)\b",
    re.IGNORECASE,
)


def test_there_are_six_voices_and_a_narrator() -> None:
    assert VOICES == ["blacksmith", "gate_guard", "herbalist", "innkeeper", "merchant", "narrator", "scholar"]


def test_no_line_claims_what_only_the_game_knows() -> None:
    assert [line for line in LINES if CLAIMS.search(line[2])] == []


@pytest.mark.parametrize(
    "planted",
    [
        "That is 5 gold.",
        "Three coins, no less.",
        "Go north.",
        "I have a quest for you.",
        "It is past the mill.",
        "The king is away.",
        "It sells for little.",
        "As an AI I cannot say.",
        "Come back tomorrow.",
        "The gate is closed.",
    ],
)
def test_the_check_on_claims_finds_planted_ones(planted: str) -> None:
    assert CLAIMS.search(planted)


@pytest.mark.parametrize("persona", [*VOICES, "pirate captain Mora"])
def test_two_hundred_lines_of_every_intent_and_mood_do_not_repeat(persona: str) -> None:
    openers = total = 0
    for mood in MOODS if persona == "blacksmith" else ("", "angry"):
        for intent in INTENTS:
            speaker = Speaker(BOOK, seed=3)
            said = []
            for i in range(200):
                heard = HEARD[intent][i % len(HEARD[intent])]
                line = speaker.say(heard, persona=persona, mood=mood, npc_id="n")
                assert line.intent == intent
                assert line.tries < 12
                said.append(Print(line.text))
            assert all(each.line not in [p.line for p in said[max(0, i - 20) : i]] for i, each in enumerate(said))
            openers += sum(each.opener in [p.opener for p in said[max(0, i - 5) : i]] for i, each in enumerate(said))
            total += len(said)
    assert openers / total < 0.01


@pytest.mark.parametrize("persona", VOICES)
def test_a_line_is_one_or_two_sentences(persona: str) -> None:
    speaker = Speaker(BOOK, seed=5)
    for mood in MOODS:
        for heard in HEARD.values():
            for each in heard * 6:
                text = speaker.say(each, persona=persona, mood=mood, npc_id=mood).text
                assert len(re.findall(r"[.?!](?: |$)", text)) <= 2, text
                assert len(text) <= 200


@pytest.mark.parametrize("persona", [voice for voice in VOICES if voice != "narrator"])
def test_every_voice_has_its_own_words_for_every_intent(persona: str) -> None:
    shared = BOOK.personas["narrator"].rules
    for intent in INTENTS:
        own = {each.text for each in BOOK.personas[persona].rules[intent].alternatives}
        assert len(own - {each.text for each in shared[intent].alternatives}) >= 6, intent


def test_a_mood_is_heard_in_what_is_said() -> None:
    for one, other in pairwise(MOODS):
        speaker, again = Speaker(BOOK, seed=1), Speaker(BOOK, seed=1)
        said = {speaker.say("Hello!", persona="blacksmith", mood=one, npc_id="n").text for _ in range(20)}
        assert said != {again.say("Hello!", persona="blacksmith", mood=other, npc_id="n").text for _ in range(20)}


def test_a_given_name_is_spoken_and_none_is_invented() -> None:
    speaker = Speaker(BOOK)
    named = [speaker.say("Who are you?", persona="pirate captain Mora", session="a").text for _ in range(40)]
    assert any("irate captain Mora" in text for text in named)
    unnamed = [speaker.say("Who are you?", session="b").text for _ in range(40)]
    assert not any("Mora" in text for text in unnamed)


def test_the_books_are_plain_ascii_so_that_every_font_and_voice_can_say_them() -> None:
    assert all(path.read_text(encoding="utf-8").isascii() for path in BOOKS.glob("*.toml"))
