"""What Anthropic says and OpenAI calls otherwise: reasons to stop, tokens, JSON without its white space."""

from __future__ import annotations

import re

import msgspec

from tiercel.terms.json import NOT_JSON
from tiercel.terms.reply import CompletionDetails, PromptDetails, Usage

__all__ = ["NOT_JSON", "Details", "Tokens", "compact", "finish_of", "refusal_of", "usage_of"]


_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    # A turn that its side wants to go on with: what there is of it is not the whole.
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_REFUSED = "The model declined to answer."
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|\s+')


class Details(msgspec.Struct):
    """Why a model declined."""

    explanation: str | None = None


class _Thought(msgspec.Struct):
    thinking_tokens: int = 0


class Tokens(msgspec.Struct):
    """The API's counts. The three of the input exclude each other; in a stream each count replaces the one before."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _Thought | None = None

    def update(self, later: Tokens) -> None:
        """Take the counts that a later event tells."""
        for name in self.__struct_fields__:
            count = getattr(later, name)
            if count is not None:
                setattr(self, name, count)


def usage_of(tokens: Tokens) -> Usage:
    """Return the counts as OpenAI has them: the prompt's include what was cached."""
    cached = tokens.cache_read_input_tokens or 0
    prompt = (tokens.input_tokens or 0) + (tokens.cache_creation_input_tokens or 0) + cached
    completion = tokens.output_tokens or 0
    thought = tokens.output_tokens_details
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptDetails(cached_tokens=cached),
        completion_tokens_details=CompletionDetails(reasoning_tokens=thought.thinking_tokens if thought else 0),
    )


def finish_of(reason: str, *, calls: bool) -> str:
    """Return the finish reason; a call of the tool that carries the answer is no call to the caller."""
    finish = _FINISHES.get(reason, "stop")
    if finish == "tool_calls" and not calls:
        return "stop"
    return finish


def refusal_of(reason: str, details: Details | None) -> str | None:
    """Return what a model that declined has to say about it."""
    if reason != "refusal":
        return None
    return (details.explanation if details is not None else None) or _REFUSED


def compact(raw: bytes) -> bytes:
    """Take the white space out of JSON and change no other byte: numbers, escapes and order stay as they were."""
    if b" " not in raw and b"\n" not in raw and b"\t" not in raw and b"\r" not in raw:
        return raw
    return _TOKEN.sub(lambda found: found[0] if found[0][:1] == b'"' else b"", raw)
