"""Reads what a caller got, with other eyes than the product's: its form, its words, its ids, its end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from tiercel.engines.rehearsal.modes import Mode
from tiercel.sim.case import Case, Play
from tiercel.sim.rules import Referee
from tiercel.sim.script import TOOL

__all__ = ["Reader", "text_of"]

_WORD: Final = re.compile(r"([a-d])(\d{8}) ")
# A good reply that says nothing; its engine promised no words.
_WORDLESS: Final = frozenset({Mode.BLANK, Mode.NO_CHOICES, Mode.EMPTY_CHOICES})
_INTENTS: Final = frozenset({"guard", "attack", "idle"})
_MOODS: Final = frozenset({"calm", "angry"})


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class _Call(msgspec.Struct):
    function: _Function
    index: int = 0


class _Said(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _Reply(msgspec.Struct):
    id: str = ""
    object: str = ""
    choices: list[_Choice] = []
    usage: _Usage | None = None


class _Vector(msgspec.Struct):
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


class _Mood(msgspec.Struct, forbid_unknown_fields=True):
    npc: str
    mood: str
    level: int


class _Gate(msgspec.Struct):
    gate: str


_reply = msgspec.json.Decoder(_Reply).decode
_vectors = msgspec.json.Decoder(_Vectors).decode
_mood = msgspec.json.Decoder(_Mood).decode
_gate = msgspec.json.Decoder(_Gate).decode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Whole:
    """One choice, put together."""

    __slots__ = ("arguments", "finish", "name", "text")

    def __init__(self) -> None:
        self.text = ""
        self.name = ""
        self.arguments = ""
        self.finish = ""


def text_of(events: Iterable[bytes]) -> str:
    """Return the words of the first choice of a stream so far."""
    return "".join(
        choice.delta.content
        for event in events
        for choice in _reply(event).choices
        if choice.index == 0 and choice.delta is not None and choice.delta.content
    )


class Reader:
    """Reads replies and stops the world at a wrong one."""

    def __init__(self, referee: Referee) -> None:
        self._referee = referee

    def served(self, case: Case) -> None:
        """Read a reply that was given as good."""
        served = case.served
        if served is None:
            return
        if case.ask.kind == "embed":
            self._check_vectors(case, served.body)
            return
        choices = self._stream(case, served.tail) if case.ask.stream else self._whole(case, served.body)
        winner = case.last_try(served.report.rung)
        play = winner.plays[-1] if winner is not None and winner.plays else None
        for choice in choices:
            if not choice.finish:
                self._referee.wrong("clean-end", f"a choice has no end: {case}")
            self._check_form(case, choice)
        if case.ask.shape == "text":
            self._check_words(case, choices, play, complete=True)

    def broken_off(self, case: Case) -> None:
        """Read what was shown of a stream that has no good end: an error was told in it, or its caller left."""
        choices = self._stream(case, ())
        if case.ask.shape == "text":
            self._check_words(case, choices, None, complete=False)

    def _whole(self, case: Case, body: bytes) -> Sequence[_Whole]:
        try:
            reply = _reply(body)
        except msgspec.DecodeError as error:
            self._referee.wrong("shape", f"the reply is none ({error}): {case}")
        choices = [_Whole() for _ in reply.choices]
        for whole, choice in zip(choices, reply.choices, strict=True):
            _add(whole, choice.message)
            whole.finish = choice.finish_reason or ""
        if reply.object != "chat.completion" or len(choices) != case.ask.n:
            self._referee.wrong("shape", f"{len(choices)} choices of a {reply.object!r}: {case}")
        return choices

    def _stream(self, case: Case, tail: Sequence[bytes]) -> Sequence[_Whole]:
        seat = case.seat
        events = [*(seat.events if seat is not None else ()), *tail]
        ours = f"chatcmpl-{case.ask.id}"
        choices: dict[int, _Whole] = {}
        for event in events:
            chunk = _reply(event)
            if chunk.id != ours:
                self._referee.wrong("one-stream", f"a chunk has the id {chunk.id!r}: {case}")
            for choice in chunk.choices:
                whole = choices.setdefault(choice.index, _Whole())
                if whole.finish:
                    self._referee.wrong("one-stream", f"a chunk after the choice's end: {case}")
                _add(whole, choice.delta)
                whole.finish = choice.finish_reason or ""
        if tail and case.ask.include_usage and _reply(tail[-1]).usage is None:
            self._referee.wrong("one-stream", f"the usage that was asked for is missing: {case}")
        return [choices[index] for index in sorted(choices)]

    def _check_vectors(self, case: Case, body: bytes) -> None:
        try:
            vectors = _vectors(body).data
        except msgspec.DecodeError as error:
            self._referee.wrong("shape", f"no vectors ({error}): {case}")
        if len(vectors) != 1 or not vectors[0].embedding:
            self._referee.wrong("shape", f"one text has {len(vectors)} vectors: {case}")

    def _check_form(self, case: Case, choice: _Whole) -> None:
        shape = case.ask.shape
        if shape == "tool" and choice.name != TOOL:
            self._referee.wrong("shape", f"{choice.name!r} is called: {case}")
        if shape == "tool" and not _is(choice.arguments, _gate):
            self._referee.wrong("shape", f"called with {choice.arguments!r}: {case}")
        if shape == "json" and not _is(choice.text, _object):
            self._referee.wrong("shape", f"no JSON object: {choice.text!r}: {case}")
        if shape == "schema" and not _is_mood(choice.text):
            self._referee.wrong("shape", f"it does not fit the schema: {choice.text!r}: {case}")
        if shape == "text" and choice.name and choice.name != TOOL:
            self._referee.wrong("shape", f"{choice.name!r} is called, which nobody offered: {case}")

    def _check_words(self, case: Case, choices: Sequence[_Whole], play: Play | None, *, complete: bool) -> None:
        for choice in choices:
            if complete and play is not None and choice.text == f"{play.engine}{case.ask.id} " * play.pieces:
                # What nearly always happens: all the words of one engine, and nothing else.
                continue
            engines, rest = self._groups(case, choice.text)
            order = [one.engine for one in case.tries if one.engine in engines]
            if list(engines) != list(dict.fromkeys(order)):
                self._referee.wrong("words", f"words of {'/'.join(engines)} in this order: {case}")
            last = case.served.report if case.served is not None else None
            if last is not None and last.kind != "model":
                if last.kind == "policy" and not engines and rest not in _INTENTS:
                    self._referee.wrong("words", f"the policy says {rest!r}: {case}")
                continue
            if rest:
                self._referee.wrong("words", f"nobody said {rest!r}: {case}")
            if complete and play is not None and play.mode not in _WORDLESS and not choice.name:
                self._check_all_said(case, engines, play)

    def _check_all_said(self, case: Case, engines: dict[str, int], play: Play) -> None:
        if engines.get(play.engine, 0) != play.pieces:
            said = engines.get(play.engine, 0)
            self._referee.wrong("words", f"{said} of {play.pieces} words of {play.engine} came: {case}")

    def _groups(self, case: Case, text: str) -> tuple[dict[str, int], str]:
        """Count the words by who said them, in order; return what is no word of ours as well."""
        engines: dict[str, int] = {}
        at = 0
        while word := _WORD.match(text, at):
            engine, number = word.groups()
            if int(number) != case.number:
                self._referee.wrong("words", f"words of request {int(number)} answer request {case.number}: {case}")
            if engine in engines and engine != next(reversed(engines)):
                self._referee.wrong("words", f"{engine} speaks again after another: {case}")
            engines[engine] = engines.get(engine, 0) + 1
            at = word.end()
        return engines, text[at:]


def _add(whole: _Whole, said: _Said | None) -> None:
    if said is None:
        return
    whole.text += said.content or ""
    for call in said.tool_calls or ():
        whole.name = call.function.name or whole.name
        whole.arguments += call.function.arguments


def _is(text: str, decode: object) -> bool:
    try:
        decode(text)  # type: ignore[operator]  # a decoder of one of the types above
    except msgspec.DecodeError:
        return False
    return True


def _is_mood(text: str) -> bool:
    try:
        mood = _mood(text)
    except msgspec.DecodeError:
        return False
    return mood.mood in _MOODS and mood.level >= 0
