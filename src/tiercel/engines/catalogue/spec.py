"""The configuration of engines: one frozen description each, and its price."""

from __future__ import annotations

from typing import Literal

import msgspec

from tiercel.terms.ask import Quality

__all__ = ["EngineKind", "EngineSpec", "Price"]

EngineKind = Literal["openai", "anthropic", "template", "policy"]


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars per million tokens, and the day somebody read that price."""

    input: float
    output: float
    as_of: str


class EngineSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One engine as the configuration describes it.

    ``key`` names where the secret is (``env:NAME`` or ``file:PATH``), never the secret itself. The abilities say
    what the engine is trusted to keep; ``tiercel doctor`` asks it and compares.
    """

    kind: EngineKind
    url: str = ""
    model: str = ""
    key: str = ""
    api: Literal["openai", "azure", "vllm"] = "openai"
    context_tokens: int = 8192
    tools: bool = True
    json_schema: bool = True
    embeddings: bool = False
    chat: bool = True
    usage_in_streams: bool = True
    quality: Quality = "simple"
    price: Price | None = None
    connect_ms: float = 100.0
    gap_ms: float = 1000.0
    max_connections: int = 256

    @property
    def is_model(self) -> bool:
        """Whether a model answers; the other kinds are last resorts that cannot fail."""
        return self.kind in ("openai", "anthropic")
