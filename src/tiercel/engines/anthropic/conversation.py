"""OpenAI's list of messages as Anthropic's: instructions apart, turns that alternate, results beside their calls."""

from __future__ import annotations

import re

import msgspec

from tiercel.engines.anthropic.parts import Block, Content, blocks, decoded, filled, text_block
from tiercel.engines.anthropic.words import NOT_JSON
from tiercel.terms.errors import BadRequest

__all__ = ["Conversation", "Turn"]

# The API wants a user to begin and, of a model that cannot be prefilled, a user to have the last word.
OPENING = "(The conversation begins.)"
PROCEED = "(Go on.)"
RESUME = (
    "Your last message was cut off by a lost connection. Continue it exactly where it stopped, with its very next"
    " character. Repeat nothing and add no remark."
)

_MEANT = frozenset(("role", "content", "tool_calls", "tool_call_id", "refusal", "function_call", "audio"))
_NOTHING = frozenset((b"null", b"[]", b"{}", b'""'))
_BAD_IN_ID = re.compile(r"[^A-Za-z0-9_-]")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct):
    id: str = ""
    type: str = "function"
    function: _Function | None = None


class _Message(msgspec.Struct):
    role: str
    content: Content = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    function_call: dict[str, msgspec.Raw] | None = None
    audio: dict[str, msgspec.Raw] | None = None


class Turn(msgspec.Struct):
    """One side's blocks until the other side speaks."""

    role: str
    content: list[Block]


class Conversation:
    """Takes the messages in order; what cannot be kept is named in ``lost``."""

    def __init__(self, messages: msgspec.Raw) -> None:
        self.system: list[Block] = []
        self.turns: list[Turn] = []
        self.lost: dict[str, None] = {}
        self.called: dict[str, None] = {}
        # Calls of the last turn that wait for a result: the caller's id, and the id that goes out.
        self._pending: dict[str, str] = {}
        self._ids: set[str] = set()
        for index, raw in enumerate(decoded(messages, list[msgspec.Raw], "messages")):
            self._take(raw, f"messages[{index}]")
        if self._pending:
            raise BadRequest("the last tool calls have no results", param="messages")
        if not self.turns or self.turns[0].role != "user":
            self.turns.insert(0, Turn("user", [text_block(OPENING)]))

    def close(self, *, prefill: bool, said: str = "") -> bool:
        """End with the words already said, if any; return whether white space was cut from a prefill's end."""
        said = said if said.strip() else ""
        if said:
            self._put("assistant", [text_block(said)])
        last = self.turns[-1]
        if last.role != "assistant":
            return False
        if not prefill:
            self._put("user", [text_block(RESUME if said else PROCEED)])
            return False
        words = str(last.content[-1].get("text", ""))
        last.content[-1] = {**last.content[-1], "text": words.rstrip()}
        return words != words.rstrip()

    def _take(self, raw: msgspec.Raw, where: str) -> None:
        message = decoded(raw, _Message, where)
        for name, value in _members(raw).items():
            if name not in _MEANT and bytes(value) not in _NOTHING:
                self.lost[f"messages.{name}"] = None
        if message.role in {"system", "developer"}:
            self.system += filled(blocks(message.content, where, self.lost, images=False))
        elif message.role == "user":
            self._settled(where)
            self._put("user", filled(blocks(message.content, where, self.lost)))
        elif message.role == "assistant":
            self._assistant(message, where)
        elif message.role == "tool":
            self._result(message, where)
        else:
            raise BadRequest(f"no such role: {message.role[:40]!r}", param=f"{where}.role")

    def _assistant(self, message: _Message, where: str) -> None:
        self._settled(where)
        for name in ("function_call", "audio"):
            if getattr(message, name) is not None:
                raise BadRequest(f"{name} cannot be sent to this engine", param=f"{where}.{name}")
        said = filled(blocks(message.content, where, self.lost, images=False))
        if message.refusal:
            said += filled([text_block(message.refusal)])
        for place, call in enumerate(message.tool_calls or ()):
            said.append(self._use(call, f"{where}.tool_calls[{place}]"))
        self._put("assistant", said)

    def _use(self, call: _Call, where: str) -> Block:
        if call.function is None:
            raise BadRequest("only calls of functions can be sent to this engine", param=where)
        if not call.id or call.id in self._pending:
            raise BadRequest("every call of a message needs an id of its own", param=f"{where}.id")
        self.called[call.function.name] = None
        self._pending[call.id] = sent = self._unused(call.id)
        arguments = _arguments(call.function.arguments, f"{where}.function.arguments")
        return {"type": "tool_use", "id": sent, "name": call.function.name, "input": arguments}

    def _unused(self, wanted: str) -> str:
        """Return an id that the API takes: of its alphabet, and never used before in this conversation."""
        plain = candidate = _BAD_IN_ID.sub(lambda found: f"_{ord(found[0]):x}_", wanted)
        number = 1
        while candidate in self._ids:
            number += 1
            candidate = f"{plain}-{number}"
        self._ids.add(candidate)
        return candidate

    def _result(self, message: _Message, where: str) -> None:
        sent = self._pending.pop(message.tool_call_id or "", None)
        if sent is None:
            raise BadRequest("this result answers no call that waits for one", param=f"{where}.tool_call_id")
        result: Block = {"type": "tool_result", "tool_use_id": sent}
        content = filled(blocks(message.content, where, self.lost))
        if content:
            result["content"] = content
        self._put("user", [result])

    def _settled(self, where: str) -> None:
        if self._pending:
            raise BadRequest("the tool calls before this message have no results yet", param=where)

    def _put(self, role: str, content: list[Block]) -> None:
        if not content:
            return
        if self.turns and self.turns[-1].role == role:
            self.turns[-1].content += content
        else:
            self.turns.append(Turn(role, content))


def _arguments(text: str, where: str) -> msgspec.Raw:
    """Return a call's arguments as the JSON they are, byte for byte; none at all means an empty object."""
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        _members(text)
    except NOT_JSON:
        raise BadRequest("the arguments of a tool call must be a JSON object", param=where) from None
    return msgspec.Raw(text.encode())
