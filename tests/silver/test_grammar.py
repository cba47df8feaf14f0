"""What a writer may type in a line, and what is refused."""

from __future__ import annotations

import pytest

from tiercel.silver.speech.facts import FACTS
from tiercel.silver.speech.grammar import Call, Either, Maybe, Rule, Slot, read
from tiercel.terms.errors import Misconfigured


def rule(*texts: str) -> Rule:
    return Rule("r", tuple(read(text, where="a.toml", line=1) for text in texts), where="a.toml", line=1)


def test_a_line_is_read_into_words_slots_calls_options_and_choices() -> None:
    parts = read("Ask {topic}[ or <elder>], (now|later).", where="a.toml", line=1).parts
    assert parts == (
        "Ask ",
        Slot("topic"),
        Maybe((" or ", Call("elder")), ()),
        ", ",
        Either((("now",), ("later",))),
        ".",
    )


def test_a_line_with_a_heard_noun_fits_only_when_it_was_heard() -> None:
    line = read("About {place} I know little.", where="a.toml", line=1)
    assert not line.is_sure()
    assert not line.fits(FACTS["topic"])
    assert line.fits(FACTS["topic"] | FACTS["place"])


def test_optional_words_do_not_bind_the_line_to_their_noun() -> None:
    assert read("I know little[ about {place}].", where="a.toml", line=1).is_sure()


@pytest.mark.parametrize(
    ("mark", "facts", "fits"),
    [
        ("@angry,wary", ("wary",), True),
        ("@angry,wary", ("calm",), False),
        ("@!angry,wary", ("wary",), False),
        ("@!angry,wary", ("calm",), True),
        ("@greet @glad", ("greet", "glad"), True),
        ("@greet @glad", ("greet", "calm"), False),
        ("@greet @!glad", ("greet", "calm"), True),
    ],
)
def test_marks_in_front_are_conditions(mark: str, facts: tuple[str, ...], fits: bool) -> None:
    assert read(f"{mark} Hello.", where="a.toml", line=1).fits(sum(FACTS[fact] for fact in facts)) is fits


def test_else_is_said_only_when_no_conditional_line_fits() -> None:
    asked = rule("@angry Go.", "@else Stay.")
    assert asked.fitting(FACTS["angry"]) == (0,)
    assert asked.fitting(FACTS["calm"]) == (1,)


def test_facts_a_rule_does_not_ask_about_change_nothing() -> None:
    asked = rule("@angry Go.", "Stay.")
    assert asked.fitting(FACTS["angry"] | FACTS["greet"]) == asked.fitting(FACTS["angry"] | FACTS["insult"]) == (0, 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "an empty alternative"),
        ("  \t ", "an empty alternative"),
        ("@angry", "an empty alternative"),
        ("Hello {topic", "no closing '}'"),
        ("Hello {}", "no name before '}'"),
        ("Hello {Topic}", "no name before '}'"),
        ("Hello <elder", "no closing '>'"),
        ("Hello [friend", "no closing ']'"),
        ("Hello friend]", "a stray ']'"),
        ("Hello } there", "a stray '}'"),
        ("One | two", "a stray '|'"),
        ("write to me@home", "a stray '@'"),
        ("(only one)", "needs a |"),
        ("@cross Hello.", "unknown condition 'cross'"),
        ("[" * 400 + "a" + "]" * 400, "nested deeper"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        read(text, where="smith.toml", line=7)
    assert reason in str(wrong.value)
    assert (wrong.value.where, wrong.value.line) == ("smith.toml", 7)
