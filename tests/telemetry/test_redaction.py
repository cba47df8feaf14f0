"""What may be told and what may not, field by field and value by value."""

from __future__ import annotations

import pytest

from tiercel.telemetry.redaction import MOST_CHARS, clean, is_forbidden, summary
from tiercel.terms.errors import Late


@pytest.mark.parametrize(
    "name",
    [
        "prompt",
        "messages",
        "content",
        "key",
        "api_key",
        "API-Key",
        "x-api-key",
        "authorization",
        "access_token",
        "system_prompt",
        "set-cookie",
        "client_secret",
        "body",
        "player_words",
        "tool_arguments",
    ],
)
def test_a_field_that_could_hold_words_or_keys_is_forbidden(name: str) -> None:
    assert is_forbidden(name)


@pytest.mark.parametrize(
    "name", ["tier", "left_ms", "prompt_tokens", "key_id", "content_bytes", "content_type", "tokens", "keys_loaded"]
)
def test_a_field_that_counts_or_names_is_allowed(name: str) -> None:
    assert not is_forbidden(name)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("engine said: bad key sk-proj-abcDEF123456_x.", "sk-proj-abcDEF123456_x"),
        ("sk-ant-api03-AAAABBBBCCCC", "api03-AAAABBBBCCCC"),
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("bearer   tok3n123456", "tok3n123456"),
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln", "eyJzdWIiOiIx"),
        ("http://user:hunter22@127.0.0.1:8000/v1", "hunter22"),
        ("GET /v1/models?api_key=abcd HTTP/1.1", "abcd"),
        ("ghp_abcdefgh1234", "abcdefgh1234"),
    ],
)
def test_a_secret_inside_a_value_is_taken_out(text: str, secret: str) -> None:
    shown = clean(text)
    assert isinstance(shown, str)
    assert secret not in shown
    assert "[redacted]" in shown


@pytest.mark.parametrize("text", ["http://127.0.0.1:8000/v1", "gpt-4o-mini", "no whole answer in its time", "sk-8"])
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert clean(text) == text


def test_a_secret_across_the_limit_is_taken_out_whole() -> None:
    shown = clean("x" * (MOST_CHARS - 6) + " sk-abcdefghijklmnop")
    assert isinstance(shown, str)
    assert "sk-" not in shown
    assert len(shown) <= MOST_CHARS + 3


def test_values_are_bounded() -> None:
    assert len(str(clean("x" * 10_000))) == MOST_CHARS + 3
    assert clean([str(i) for i in range(100)]) == [str(i) for i in range(20)]


class Spy:
    """An object whose own words would give something away."""

    def __repr__(self) -> str:
        return "sesame"


@pytest.mark.parametrize("value", [Spy(), {"a": "sesame"}, b"sesame", {"sesame"}, [Spy(), b"sesame"]])
def test_an_unknown_object_is_named_and_never_asked(value: object) -> None:
    assert "sesame" not in repr(clean(value))


def test_numbers_that_json_cannot_say_are_words() -> None:
    assert [clean(value) for value in (float("inf"), float("nan"), 1.5, True, None)] == ["inf", "nan", 1.5, True, None]


def test_an_exception_is_its_class_and_its_place_but_not_its_text() -> None:
    def fails() -> None:
        raise Late("the prompt was: open sesame")

    with pytest.raises(Late) as caught:
        fails()
    shown = summary(caught.value)
    assert shown[0] == "Late deadline"
    assert shown[-1].startswith("test_redaction.py:")
    assert shown[-1].endswith(" fails")
    assert "sesame" not in str(shown)
