"""What comes back: the parts of a model's answer that we read, whoever wrote it, and the record of how it was won."""

from __future__ import annotations

from typing import Literal

import msgspec

from tiercel.terms.ask import Tier

__all__ = [
    "Answer",
    "Choice",
    "Chunk",
    "CompletionDetails",
    "Delta",
    "Outcome",
    "PromptDetails",
    "Report",
    "RungKind",
    "Tried",
    "Usage",
]

RungKind = Literal["model", "cache", "template", "policy"]

# What became of one try at one rung; also the closed set of a metric label and of a header.
Outcome = Literal[
    "ok",
    "skipped",
    "late",
    "unreachable",
    "rate_limited",
    "overloaded",
    "server_error",
    "malformed",
    "truncated",
    "wrong_shape",
    "auth",
    "missing",
    "breaker_open",
    "unfit",
    "shed",
    "lost_race",
]


class PromptDetails(msgspec.Struct, frozen=True):
    """The share of the prompt that the engine had in its cache."""

    cached_tokens: int | None = None


class CompletionDetails(msgspec.Struct, frozen=True):
    """The share of the completion that nobody sees."""

    reasoning_tokens: int | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens, as the engine counted them or, when it is silent, as we did."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class Delta(msgspec.Struct, frozen=True):
    """What one chunk adds to one choice."""

    content: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    # Not ``Raw | None``: msgspec reads that as "null and nothing else".
    tool_calls: tuple[msgspec.Raw, ...] | None = None
    function_call: dict[str, msgspec.Raw] | None = None


class Choice(msgspec.Struct, frozen=True):
    """One choice of one chunk."""

    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct, frozen=True):
    """One ``chat.completion.chunk``; what we do not read stays in its payload."""

    id: str = ""
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    error: dict[str, msgspec.Raw] | str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's whole reply.

    ``body`` is the JSON object of a reply in one piece; after a stream it is empty, since its chunks went to the sink.
    ``blank`` says that there is nothing in it: no words, no tool call, no refusal.
    """

    body: bytes = b""
    usage: Usage | None = None
    finish: str = "stop"
    blank: bool = False


class Tried(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rung that was tried or skipped, how long it took and why it was left."""

    rung: str
    outcome: Outcome
    ms: float = 0.0
    reason: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer was won, or lost: the ``tiercel`` object of every reply and of every error of a chain.

    ``cost`` is in US dollars; null means that a price is unknown, never that it was free. Where nothing answered the
    rung is ``none`` and the kind null.
    """

    tier: Tier | None
    rung: str
    kind: RungKind | None
    degraded: bool
    ms: float
    cost: float | None
    attempts: tuple[Tried, ...] = ()
    usage_counted_by: Literal["engine", "tiercel"] = "engine"
    dropped: tuple[str, ...] = ()
    request_id: str = ""
