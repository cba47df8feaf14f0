"""Silver's last resort as an engine: a line in character, written by a grammar, always and at once."""

from __future__ import annotations

from collections.abc import Sequence

from tiercel.engines.port import Sink
from tiercel.engines.words import heard_in, say
from tiercel.silver.speech.speaker import Speaker
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline
from tiercel.terms.reply import Answer

__all__ = ["TemplateEngine"]

# What a template has no use for and a caller may send all the same: tools that it may call, and how to draw words.
UNUSED = ("tools", "tool_choice", "seed", "logprobs", "top_logprobs", "stop", "max_tokens", "max_completion_tokens")


class TemplateEngine:
    """Implements ``Engine``; it cannot fail, knows nothing, and claims nothing."""

    def __init__(self, name: str, speaker: Speaker) -> None:
        self.name = name
        self._speaker = speaker

    def drops(self, ask: Ask) -> Sequence[str]:
        """Name what only a model could honour."""
        return [field for field in UNUSED if field in ask.fields]

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Answer in the voice of the persona that was asked for, or finish the line that a model left open."""
        wishes = ask.wishes
        if ask.said:
            line = self._speaker.close(ask.said, persona=wishes.persona, npc_id=wishes.npc_id, session=wishes.session)
        else:
            line = self._speaker.say(
                heard_in(ask), persona=wishes.persona, mood=wishes.mood, npc_id=wishes.npc_id, session=wishes.session
            )
        return say(ask, line.text, sink)

    async def models(self, deadline: Deadline) -> Sequence[str]:
        """Return its own name: there is no model behind it."""
        return [self.name]

    async def aclose(self) -> None:
        """Close nothing."""
