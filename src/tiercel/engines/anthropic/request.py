"""A chat request in OpenAI's words as one of Anthropic's, with a note on what could not go along."""

from __future__ import annotations

import msgspec

from tiercel.engines.anthropic.conversation import Conversation
from tiercel.engines.anthropic.fields import present, sort_out
from tiercel.engines.anthropic.output import Output, read_output
from tiercel.engines.anthropic.parts import Block, decoded, is_string, text_block
from tiercel.engines.anthropic.tools import Choice, choice_of, narrowed, read_choice, read_tools, remembered
from tiercel.engines.anthropic.traits import Traits
from tiercel.terms.ask import Ask
from tiercel.terms.errors import BadRequest, Unfit

__all__ = ["DEFAULT_MAX_TOKENS", "Translation", "translate"]

# The API demands a limit where OpenAI's default is none; thinking counts towards it.
DEFAULT_MAX_TOKENS = 8192
LONGEST_USER_ID = 256
TIERS = {"auto": "auto", "default": "standard_only"}
WARMEST = 1.0

_encode = msgspec.json.Encoder().encode


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, what is missing from it, and what the reader of the reply must know."""

    body: bytes
    dropped: tuple[str, ...] = ()
    # The tool of ours through which the answer comes; its arguments go out as words.
    answer_tool: str = ""
    # White space was cut from the words said so far: the answer may begin with it once more.
    trimmed: bool = False


def translate(ask: Ask, model: str, traits: Traits) -> Translation:
    """Translate; raises ``Refused`` for what no leaving out could save and ``Unfit`` for what only others can do."""
    if ask.kind != "chat":
        raise Unfit("this engine makes no embeddings")
    return _Translator(ask, traits).translate(model)


class _Translator:
    """One request on its way; ``lost`` collects the names of what is left out."""

    def __init__(self, ask: Ask, traits: Traits) -> None:
        self._ask = ask
        self._traits = traits
        self._lost: dict[str, None] = {}
        self._fields = sort_out(ask.fields, self._lost)
        self._config: Block = {}
        self._choice = read_choice(self._fields["tool_choice"]) if "tool_choice" in self._fields else Choice()

    def translate(self, model: str) -> Translation:
        ask, fields = self._ask, self._fields
        if "messages" not in fields:
            raise BadRequest("messages: a list of messages is required", param="messages")
        output = read_output(fields.get("response_format"), self._traits)
        if ask.said and output.wanted:
            raise Unfit("this engine cannot take up an answer whose form is prescribed")
        talk = Conversation(fields["messages"])
        talk.system += [*output.system, *self._demand()]
        trimmed = talk.close(prefill=self._traits.prefill, said=ask.said)
        body: Block = {"model": model, "max_tokens": self._limit(), "messages": talk.turns}
        if talk.system:
            body["system"] = talk.system
        if ask.stream:
            body["stream"] = True
        if output.format is not None:
            self._config["format"] = output.format
        answer_tool = self._tools(body, talk, output)
        self._effort(body)
        self._sampling(body)
        self._stops(body)
        self._caller(body)
        if "thinking" in fields:
            body["thinking"] = fields["thinking"]
        if self._config:
            body["output_config"] = self._config
        self._lost |= talk.lost
        return Translation(body=_encode(body), dropped=tuple(self._lost), answer_tool=answer_tool, trimmed=trimmed)

    def _demand(self) -> list[Block]:
        """Ask for a call in words where the model cannot be forced to one; the answer is checked either way."""
        if self._traits.forces_tools or self._choice.mode not in {"required", "tool"}:
            return []
        return [text_block(f"Answer by calling {self._choice.name or 'one of the tools'}, not in words.")]

    def _limit(self) -> int:
        for name in ("max_completion_tokens", "max_tokens"):
            if name in self._fields:
                limit = decoded(self._fields[name], int, name)
                if limit < 1:
                    raise BadRequest("must be at least 1", param=name)
                return limit
        return self._ask.max_tokens or DEFAULT_MAX_TOKENS

    def _tools(self, body: Block, talk: Conversation, output: Output) -> str:
        """Offer the tools; return the name of ours when the answer is to come through it."""
        fields, forces = self._fields, self._traits.forces_tools
        chosen = self._choice
        offered = narrowed(read_tools(fields.get("tools"), self._lost), chosen, forces=forces)
        parallel = "parallel_tool_calls" not in fields or decoded(
            fields["parallel_tool_calls"], bool, "parallel_tool_calls"
        )
        ours = ""
        if output.tool is not None and chosen.mode in {"auto", "none"}:
            offered = offered if chosen.mode == "auto" else []
            ours = _free_name(str(output.tool["name"]), offered)
            chosen = Choice("required") if offered else Choice("tool", ours)
            offered.append({**output.tool, "name": ours})
        if offered:
            body["tools"] = offered
            body["tool_choice"] = choice_of(chosen, forces=forces, parallel=parallel)
        elif talk.called:
            body["tools"], body["tool_choice"] = remembered(talk.called), {"type": "none"}
        return ours

    def _effort(self, body: Block) -> None:
        if "reasoning_effort" not in self._fields:
            return
        wanted = decoded(self._fields["reasoning_effort"], str, "reasoning_effort")
        quiet, effort = self._traits.quiet, self._traits.effort(wanted)
        if effort:
            self._config["effort"] = effort
        elif wanted != "none" or quiet == "impossible":
            self._lost["reasoning_effort"] = None
        elif quiet != "default":
            body["thinking"] = {"type": quiet}

    def _sampling(self, body: Block) -> None:
        """Send a temperature where the model takes one; OpenAI's scale ends at 2 and Anthropic's at 1."""
        samples = self._traits.samples
        for name in ("temperature", "top_p"):
            if name not in self._fields:
                continue
            value = decoded(self._fields[name], float, name)
            if value == WARMEST:
                # The default of both APIs.
                continue
            # Of the two the API takes one.
            if samples and 0 <= value < WARMEST and "temperature" not in body:
                body[name] = value
            else:
                self._lost[name] = None
        if "top_k" in self._fields:
            if samples:
                body["top_k"] = decoded(self._fields["top_k"], int, "top_k")
            else:
                self._lost["top_k"] = None

    def _stops(self, body: Block) -> None:
        """Send the stops that have a character in them; the API refuses white space alone."""
        if "stop" not in self._fields:
            return
        raw = self._fields["stop"]
        asked = [decoded(raw, str, "stop")] if is_string(raw) else decoded(raw, list[str], "stop")
        stops = [stop for stop in asked if stop.strip()]
        if len(stops) < len(asked):
            self._lost["stop"] = None
        if stops:
            body["stop_sequences"] = stops

    def _caller(self, body: Block) -> None:
        for name in ("safety_identifier", "user"):
            if name in self._fields:
                user = decoded(self._fields[name], str, name)
                if "metadata" in body or len(user) > LONGEST_USER_ID:
                    self._lost[name] = None
                else:
                    body["metadata"] = {"user_id": user}
        if "service_tier" in self._fields:
            tier = TIERS.get(decoded(self._fields["service_tier"], str, "service_tier"))
            if tier is None:
                self._lost["service_tier"] = None
            else:
                body["service_tier"] = tier
        if "stream_options" in self._fields:
            options = decoded(self._fields["stream_options"], dict[str, msgspec.Raw], "stream_options")
            for name in options:
                if name != "include_usage" and present(options, name):
                    self._lost[f"stream_options.{name}"] = None


def _free_name(wanted: str, taken: list[Block]) -> str:
    while any(tool["name"] == wanted for tool in taken):
        wanted += "_"
    return wanted
