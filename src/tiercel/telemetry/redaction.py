"""What a log line may not say: fields that never belong in one, and secrets that got into a value all the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from traceback import extract_tb

from tiercel.terms.errors import TiercelError

__all__ = ["Value", "clean", "is_forbidden", "summary"]

Value = str | int | float | bool | None | Sequence[str] | BaseException

# The last word of a field's name decides: system_prompt and api_key are forbidden, prompt_tokens and key_id are not.
FORBIDDEN = frozenset(
    (
        "answer",
        "argument",
        "arguments",
        "authorization",
        "body",
        "content",
        "cookie",
        "credential",
        "credentials",
        "header",
        "headers",
        "input",
        "key",
        "message",
        "messages",
        "output",
        "password",
        "payload",
        "prompt",
        "prompts",
        "query",
        "reply",
        "said",
        "secret",
        "secrets",
        "text",
        "token",
        "words",
    )
)
# The shapes of keys that providers hand out, of bearer and basic credentials, of signed tokens, of user:password@ and
# of key=value in an address. Nobody should log them; an exception's text or an engine's name still might.
SECRET = re.compile(
    r"\b(?:sk|pk|rk|xox[abeprs]|gh[opsru]|github_pat|glpat|hf|gsk|nvapi)[-_][A-Za-z0-9_-]{8,}"
    r"|\bAKIA[0-9A-Z]{12,}"
    r"|\bAIza[A-Za-z0-9_-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_.-]+"
    r"|\b(?i:bearer|basic)\s+[^\s,;]{6,}"
    r"|(?<=://)[^/\s@]+(?=@)"
    r"|(?<=[?&])[^=&\s]{1,40}=[^&\s]+"
)
REDACTED = "[redacted]"
MOST_CHARS = 300
MOST_ITEMS = 20
MOST_FRAMES = 8


def is_forbidden(field: str) -> bool:
    """Return whether a field of this name may never be logged."""
    return field.lower().replace("-", "_").rpartition("_")[2] in FORBIDDEN


def clean(value: object) -> object:
    """Return what a line may show of a value: bounded, without secrets, and never an unknown object's own words."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        # JSON has no word for infinity.
        return value if abs(value) < float("inf") else str(value)
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, BaseException):
        return summary(value)
    if isinstance(value, list | tuple):
        return [_clean_text(item) if isinstance(item, str) else type(item).__name__ for item in value[:MOST_ITEMS]]
    return f"<{type(value).__name__}>"


def summary(error: BaseException) -> list[str]:
    """Return an exception's class and where it came from, but not its text, which may quote a request."""
    name = type(error).__name__
    if isinstance(error, TiercelError):
        name = f"{name} {error.code}"
    frames = extract_tb(error.__traceback__)[-MOST_FRAMES:]
    return [
        _clean_text(name),
        *(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames),
    ]


def _clean_text(text: str) -> str:
    # Twice what is shown is searched, so that a secret cut in half by the limit is still known for one.
    found = SECRET.sub(REDACTED, text[: 2 * MOST_CHARS])
    return found if len(found) <= MOST_CHARS else found[:MOST_CHARS] + "..."
