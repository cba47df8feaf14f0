"""A line is always there, always clean, never soon repeated, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiercel.silver.speech.book import BOOKS, Book
from tiercel.silver.speech.facts import FACTS, INTENTS, MOODS
from tiercel.silver.speech.grammar import Rule, read
from tiercel.silver.speech.listener import Listener, Print
from tiercel.silver.speech.speaker import TRIES, Speaker

BOOK = Book.load()
SPEAKER = Speaker(BOOK)  # one for the clean-line property, so that it is also tried with much said before
PERSONAS = st.one_of(st.sampled_from([*BOOK.personas, "pirate captain Mora", ""]), st.text(max_size=60))
HEARD = st.one_of(
    st.text(max_size=600),
    st.sampled_from(["hello", "where is the bridge?", "who are you", "how much for the sword", "you idiot", "{topic}"]),
)


@given(heard=HEARD, persona=PERSONAS, mood=st.text(max_size=9), npc_id=st.text(max_size=5), session=st.text(max_size=5))
def test_any_input_gives_a_clean_line(heard: str, persona: str, mood: str, npc_id: str, session: str) -> None:
    line = SPEAKER.say(heard, persona=persona, mood=mood, npc_id=npc_id, session=session)
    assert 0 < len(line.text) <= 300
    assert line.text.isprintable()
    assert line.text == " ".join(line.text.split())
    assert not set(line.text) & set("{}<>[]()|@\\`*_#")
    assert line.text[0] == line.text[0].upper()
    assert line.text[-1] in ".?!"
    assert line.persona in BOOK.personas
    assert line.mood in MOODS
    assert line.intent in INTENTS
    assert 1 <= line.tries <= TRIES


@given(words=st.text(st.characters(categories=["L"], min_codepoint=0x250), min_size=1, max_size=40))
def test_nothing_a_player_typed_is_said_back(words: str) -> None:
    line = SPEAKER.say(f"Where is the bridge of {words}?", persona="scholar")
    assert not set(words) & set(line.text)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**64),
    calls=st.lists(st.tuples(HEARD, PERSONAS, st.sampled_from(MOODS), st.sampled_from("ab")), max_size=30),
)
def test_the_same_seed_and_calls_give_the_same_lines(seed: int, calls: list[tuple[str, str, str, str]]) -> None:
    one, other = Speaker(BOOK, seed=seed), Speaker(BOOK, seed=seed)
    for heard, persona, mood, who in calls:
        assert one.say(heard, persona=persona, mood=mood, npc_id=who) == other.say(
            heard, persona=persona, mood=mood, npc_id=who
        )
        assert one.close(heard, persona=persona, npc_id=who) == other.close(heard, persona=persona, npc_id=who)


def test_another_seed_gives_other_lines() -> None:
    said = [[Speaker(BOOK, seed=seed).say("hello", npc_id=str(i)).text for i in range(9)] for seed in (1, 2)]
    assert said[0] != said[1]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 999),
    window=st.integers(0, 25),
    persona=st.sampled_from(sorted(BOOK.personas)),
    calls=st.lists(st.tuples(HEARD, st.sampled_from(MOODS)), min_size=30, max_size=60),
)
def test_no_line_comes_again_within_the_window_nor_an_opener_within_five(
    seed: int, window: int, persona: str, calls: list[tuple[str, str]]
) -> None:
    speaker = Speaker(BOOK, seed=seed, window=window)
    said = [Print(speaker.say(heard, persona=persona, mood=mood, npc_id="n").text) for heard, mood in calls]
    for i, each in enumerate(said):
        assert each.line not in {before.line for before in said[max(0, i - window) : i]}
        assert each.opener not in {before.opener for before in said[max(0, i - 5) : i]}


def test_even_a_persona_of_a_single_line_does_not_repeat_itself(tmp_path: Path) -> None:
    everyone = (BOOKS / "everyone.toml").read_text(encoding="utf-8")
    shared = everyone[: everyone.index("[rules]")] + '[rules]\nline = ["Hodor."]\n'
    shared += everyone[everyone.index("last = [") :]
    (tmp_path / "everyone.toml").write_text(shared, encoding="utf-8")
    (tmp_path / "narrator.toml").write_text("[persona]\n", encoding="utf-8")
    speaker = Speaker(Book.load(tmp_path))
    said = [speaker.say("hello").text for _ in range(200)]
    assert said[0] == "Hodor."
    assert all(each not in said[max(0, i - 20) : i] for i, each in enumerate(said))


@pytest.mark.parametrize("persona", ["blacksmith", "pirate captain Mora"])
def test_neighbours_in_one_session_do_not_open_alike(persona: str) -> None:
    for seed in range(20):
        speaker = Speaker(BOOK, seed=seed)
        said = [speaker.say("Hello!", persona=persona, npc_id=str(n), session="p").text for n in range(6)]
        assert len({Print(text).opener for text in said}) == len(said)


def test_what_one_player_heard_does_not_bind_what_another_hears() -> None:
    alone, beside = Speaker(BOOK), Speaker(BOOK)
    for _ in range(30):
        beside.say("Hello!", persona="scholar", npc_id="n", session="other")
        line = alone.say("Hello!", persona="scholar", npc_id="n", session="mine")
        assert beside.say("Hello!", persona="scholar", npc_id="n", session="mine") == line


def test_memory_is_bounded_by_the_number_of_listeners() -> None:
    speaker = Speaker(BOOK, listeners=50)
    for i in range(500):
        speaker.say("Hello!", npc_id=f"npc {i}" * 1000, session=f"session {i}")
    assert len(speaker._listeners) == 50
    assert len(speaker._sessions) == 50


def test_whoever_spoke_lately_is_remembered_before_the_others() -> None:
    speaker = Speaker(BOOK, listeners=2)
    first = speaker.say("Hello!", npc_id="kept", session="s").text
    for i in range(20):
        speaker.say("Hello!", npc_id=str(i), session=str(i))
        assert speaker.say("Hello!", npc_id="kept", session="s").text != first


@given(
    size=st.integers(2, 12),
    seed=st.integers(0, 2**64 - 1),
    moods=st.lists(st.sampled_from(MOODS), min_size=1, max_size=80),
)
def test_only_what_fits_is_drawn_and_never_twice_in_a_row(size: int, seed: int, moods: list[str]) -> None:
    texts = [f"Line {'abcdefghijkl'[i]}." for i in range(size)]
    texts += ["@glad Glad line.", "@glad,angry Heated line."]
    rule = Rule("r", tuple(read(text, where="", line=0) for text in texts), where="", line=0)
    listener = Listener(seed, 20)
    drawn: list[int] = []
    for mood in moods:
        fitting = set(rule.fitting(FACTS[mood]))
        picked = listener.draw(rule, FACTS[mood])
        assert picked in fitting
        assert not drawn or picked != drawn[-1]
        drawn.append(picked)


@given(size=st.integers(2, 12), seed=st.integers(0, 2**64 - 1))
def test_a_bag_is_emptied_before_it_is_filled_again(size: int, seed: int) -> None:
    texts = [f"Line {'abcdefghijkl'[i]}." for i in range(size)]
    rule = Rule("r", tuple(read(text, where="", line=0) for text in texts), where="", line=0)
    listener = Listener(seed, 20)
    drawn = [listener.draw(rule, 0) for _ in range(size)]
    assert sorted(drawn) == list(range(size))
