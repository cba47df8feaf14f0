"""What the clients ask: the same few questions in every test, typed as the clients want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai.types.chat import ChatCompletion

if TYPE_CHECKING:
    import openai
    from openai.types.chat import (
        ChatCompletionChunk,
        ChatCompletionFunctionToolParam,
        ChatCompletionMessageParam,
    )

__all__ = ["FORCED", "MESSAGES", "SCHEMA", "SCHEMA_FORMAT", "TOOLS", "report_of", "words_of"]

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Is the bridge open?"}]

TOOLS: list[ChatCompletionFunctionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Do it.",
            "parameters": {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]},
        },
    }
    for name in ("walk", "wave")
]
FORCED: dict[str, object] = {"type": "function", "function": {"name": "wave"}}

SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"hp": {"type": "integer"}, "mood": {"enum": ["calm", "angry"]}},
    "required": ["hp", "mood"],
    "additionalProperties": False,
}
SCHEMA_FORMAT: dict[str, object] = {
    "type": "json_schema",
    "json_schema": {"name": "state", "schema": SCHEMA, "strict": True},
}


def report_of(reply: openai.BaseModel) -> dict[str, Any]:
    """Return the ``tiercel`` object of a reply or of a stream's last chunk."""
    extra = reply.model_extra or {}
    report = extra["tiercel"]
    assert isinstance(report, dict)
    return report


def words_of(chunks: list[ChatCompletionChunk] | ChatCompletion) -> str:
    """Return what was said."""
    if isinstance(chunks, ChatCompletion):
        return chunks.choices[0].message.content or ""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
