"""Which behaviour an engine plays, and how fast: data that also fits into a model's name."""

from __future__ import annotations

import functools
import math
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from tiercel.engines.rehearsal.modes import Mode

_SHORT: Final = {
    "head": "head_s",
    "first": "first_s",
    "gap": "gap_s",
    "retry": "retry_after_s",
    "mb": "megabytes",
    "prompt": "prompt_tokens",
    "completion": "completion_tokens",
    "cached": "cached_tokens",
    "reasoning": "reasoning_tokens",
}
"""Shorter words for a model's name; every other parameter goes by its own."""


_MOST_MEGABYTES: Final = 256
_MOST_CHUNKS: Final = 100_000
_MOST_CALLS: Final = 8


class UnknownPart(ValueError):
    """A name that says no part, or says one badly; the message says what would be right."""


def _must(held: bool, rule: str) -> None:  # noqa: FBT001 - reads as the assertion it is
    if not held:
        raise UnknownPart(rule)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one engine does with one request; the default is a good and instant reply."""

    mode: Mode = Mode.PLAIN
    head_s: float = 0.0
    """From the request to the head (and, in a stream, the preamble)."""
    first_s: float = 0.0
    """From the head to the first word."""
    gap_s: float = 0.0
    """From word to word; a whole JSON reply takes as long as its stream would."""
    chunks: int = 8
    """Into how many pieces the words are cut, which is also what they cost unless ``completion_tokens`` says."""
    k: int = 2
    """After how many of them the fault comes."""
    text: str = ""
    """What is said; empty: words that count themselves, or JSON that fits the demanded schema."""
    finish: str = "stop"
    """Why a reply in words ends: stop, length or content_filter."""
    tool: str = ""
    """The tool to call when tools are offered and none is forced; ``*``: the first offered."""
    arguments: str = ""
    """The arguments of the call, as JSON text; empty: arguments that fit the tool's schema."""
    calls: int = 1
    """How many calls one reply makes."""
    prompt_tokens: int = 12
    completion_tokens: int = -1
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    retry_after_s: float = 1.0
    megabytes: float = 1.0
    location: str = "http://elsewhere.invalid/v1/chat/completions"

    def __post_init__(self) -> None:
        """Refuse what no engine could play, where it is written rather than where it is played."""
        times = (self.head_s, self.first_s, self.gap_s, self.retry_after_s, self.megabytes)
        _must(all(math.isfinite(value) and value >= 0 for value in times), "times and sizes are finite, from 0 up")
        _must(self.megabytes <= _MOST_MEGABYTES, f"mb is at most {_MOST_MEGABYTES}")
        _must(1 <= self.chunks <= _MOST_CHUNKS, f"chunks is 1 to {_MOST_CHUNKS}")
        _must(1 <= self.calls <= _MOST_CALLS, f"calls is 1 to {_MOST_CALLS}")
        _must(self.k >= 0, "k is from 0 up")
        _must(self.finish in {"stop", "length", "content_filter"}, "finish is stop, length or content_filter")
        _must(0 <= self.cached_tokens <= self.prompt_tokens, "cached tokens are a part of the prompt's")
        _must(self.completion_tokens >= -1 and self.reasoning_tokens >= 0, "tokens are from 0 up")
        _must(not {"\r", "\n"} & set(self.location), "location is one line")

    def as_model(self) -> str:
        """Write the part as a model's name: ``cut:k=3,first=0.01``."""
        told = [f"{_LONG_TO_SHORT.get(name, name)}={_written(getattr(self, name))}" for name in _changed(self)]
        return f"{self.mode}:{','.join(told)}" if told else str(self.mode)

    @classmethod
    def from_model(cls, name: str) -> Part:
        """Read a part from a model's name; raises ``UnknownPart``."""
        return _from_model(name)


_DEFAULT: Final = Part()
_LONG_TO_SHORT: Final = {long: short for short, long in _SHORT.items()}
_MODES: Final = frozenset(mode.value for mode in Mode)
_NAMES: Final = tuple(field for field in Part.__struct_fields__ if field != "mode")


def _changed(part: Part) -> list[str]:
    return [name for name in _NAMES if getattr(part, name) != getattr(_DEFAULT, name)]


def _written(value: str | float) -> str:
    return quote(value, safe="") if isinstance(value, str) else repr(value)


@functools.lru_cache(maxsize=1024)
def _from_model(name: str) -> Part:
    mode, _, rest = name.partition(":")
    if mode not in _MODES:
        raise UnknownPart(f"{mode!r} is not a mode; known are {', '.join(sorted(_MODES))}")
    told: dict[str, str | int | float] = {"mode": Mode(mode)}
    for pair in rest.split(",") if rest else ():
        word, equals, value = pair.partition("=")
        field = _SHORT.get(word, word)
        if not equals or field not in _NAMES:
            raise UnknownPart(f"{name!r}: {pair!r} is not a parameter; known are {', '.join(sorted(known_words()))}")
        told[field] = _read(field, unquote(value))
    return msgspec.structs.replace(_DEFAULT, **told)


def known_words() -> list[str]:
    """Name every parameter as a model's name writes it."""
    return [_LONG_TO_SHORT.get(name, name) for name in _NAMES]


def _read(field: str, value: str) -> str | int | float:
    kind = type(getattr(_DEFAULT, field))
    try:
        return value if kind is str else int(value) if kind is int else float(value)
    except ValueError:
        raise UnknownPart(f"{field} is a number, not {value!r}") from None
