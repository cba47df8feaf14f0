"""Says a line in character, at once and without fail: the last rung of Silver's chain.

One Speaker serves one event loop; it is not shared between threads. The same seed and the same calls in the same
order give the same lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from tiercel.silver.speech.book import Book, Persona
from tiercel.silver.speech.facts import FACTS, Intent, Mood
from tiercel.silver.speech.grammar import Call, Either, Maybe, Part, Slot
from tiercel.silver.speech.listener import OPENER_WINDOW, Lately, Listener, Print, Window
from tiercel.terms.errors import Misconfigured

TRIES: Final = 12
_NEIGHBOUR_TRIES: Final = 8  # after these, only the NPC's own window counts
_ID_CHARS: Final = 256
_TAIL_CHARS: Final = 500
_STARTS = re.compile(r"(?:^|(?<!\.\.)[.!?]['\"\u201d]? )[\"'\u201c\u2018]?([a-z\u00df-\u00f6\u00f8-\u024f])")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What was said, by whom, in which mood, to what, and how many tries the windows asked for."""

    text: str
    persona: str
    mood: Mood
    intent: Intent
    tries: int


class Speaker:
    """Speaks from one book, remembering enough per listener not to repeat itself."""

    def __init__(self, book: Book, *, seed: int = 0, window: int = 20, listeners: int = 10_000) -> None:
        self._book = book
        self._seed = seed
        self._window = window
        self._listeners: Lately[Listener] = Lately(listeners)
        self._sessions: Lately[Window] = Lately(listeners)
        self._last = {each.id: _last_lines(each, window) for each in book.personas.values()}

    def say(self, heard: str, *, persona: str = "", mood: str = "", npc_id: str = "", session: str = "") -> Line:
        """Answer what a player said; never raises, never empty, at most 300 characters."""
        cast, name = self._book.cast(persona)
        felt = self._book.mood(mood, cast.mood)
        understood = self._book.ears.hear(heard, own=cast.names)
        facts = understood.facts | FACTS[felt] | (FACTS["name"] if name else 0)
        slots = {**cast.slots, **understood.nouns, **({"persona.name": name} if name else {})}
        listener = self._listener(npc_id or persona, session)
        text, tries = self._fresh(_Turn(cast, slots, facts, listener), session)
        return Line(text=text, persona=cast.id, mood=felt, intent=understood.intent, tries=tries)

    def close(self, so_far: str, *, persona: str = "", npc_id: str = "", session: str = "") -> Line:
        """End a line whose speaker was cut off, so that ``so_far`` and this text together read as one."""
        cast, name = self._book.cast(persona)
        facts = FACTS["statement"] | FACTS[cast.mood] | (FACTS["name"] if name else 0)
        slots = {**cast.slots, **({"persona.name": name} if name else {})}
        turn = _Turn(cast, slots, facts, self._listener(npc_id or persona, session))
        tail = so_far[-_TAIL_CHARS:]
        return Line(text=_joined(tail, turn), persona=cast.id, mood=cast.mood, intent="statement", tries=1)

    def _fresh(self, turn: _Turn, session: str) -> tuple[str, int]:
        """Draw until a line is new to this listener and, if that is easily had, to all NPCs of the session."""
        nearby = self._sessions.get(self._key("", session), lambda: Window(self._window))
        own = turn.listener.window
        text, seen, tries = "", Print(""), 0
        while not text and tries < TRIES:
            tries += 1
            drawn = turn.speak("line")
            seen = Print(drawn)
            if not own.holds(seen) and not (tries <= _NEIGHBOUR_TRIES and nearby.holds(seen)):
                text = drawn
        if not text:
            text, seen = next(pair for pair in self._last[turn.persona.id] if not own.holds(pair[1]))
        own.add(seen)
        nearby.add(seen)
        return text, tries

    def _listener(self, who: str, session: str) -> Listener:
        key = self._key(who, session)
        return self._listeners.get(key, lambda: Listener(int.from_bytes(key[:8], "big"), self._window))

    def _key(self, who: str, session: str) -> bytes:
        """Sixteen bytes for any pair of names, so that long names cost no memory; the seed of its dice as well."""
        who, session = who[:_ID_CHARS], session[:_ID_CHARS]
        text = f"{self._seed}:{len(who)}:{who}{session}"
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Turn:
    """One line being put together."""

    __slots__ = ("_facts", "_slots", "listener", "persona")

    def __init__(self, persona: Persona, slots: Mapping[str, str], facts: int, listener: Listener) -> None:
        self.persona = persona
        self.listener = listener
        self._slots = slots
        self._facts = facts

    def speak(self, rule: str) -> str:
        """Speak a rule as whole sentences: single spaces, a capital where one begins."""
        return _tidy(self.clause(rule))

    def clause(self, rule: str) -> str:
        """Speak a rule that goes on within a sentence."""
        said: list[str] = []
        self._rule(rule, said)
        return " ".join("".join(said).split())

    def _rule(self, name: str, said: list[str]) -> None:
        rule = self.persona.rules[name]
        self._parts(rule.alternatives[self.listener.draw(rule, self._facts)].parts, said)

    def _parts(self, parts: tuple[Part, ...], said: list[str]) -> None:
        for part in parts:
            if isinstance(part, str):
                said.append(part)
            elif isinstance(part, Call):
                self._rule(part.rule, said)
            elif isinstance(part, Slot):
                said.append(self._slots[part.name])
            elif isinstance(part, Either):
                self._parts(part.branches[self.listener.dice.below(len(part.branches))], said)
            elif self._chosen(part):
                self._parts(part.parts, said)

    def _chosen(self, part: Maybe) -> bool:
        return all(self._facts & mask for mask in part.need) and self.listener.dice.below(2) == 1


def _tidy(text: str) -> str:
    return _STARTS.sub(lambda found: found[0][:-1] + found[1].upper(), text)


def _joined(tail: str, turn: _Turn) -> str:
    """Put between what was said and the closing words whatever must stand there."""
    bare = tail.rstrip()
    gap = "" if not bare or len(bare) < len(tail) else " "
    quote = '"' if bare.count('"') % 2 else "\u201d" if bare.count("\u201c") > bare.count("\u201d") else ""
    if bare.count("*") % 2:  # cut off in a stage direction: end that first
        return f"...* {turn.speak('close_stop')}"
    if not bare or bare[-1] in '.!?\u2026*"\u201d\u3002':
        return f"{gap}{turn.speak('close_stop')}{quote}"
    if bare[-1] in ",;:":
        return f"{gap}{turn.clause('close_comma')}{quote}"
    return f"\u2014 {turn.clause('close_word')}{quote}"


def _last_lines(persona: Persona, window: int) -> list[tuple[str, Print]]:
    """Plain lines, enough of them that one is always new; raises Misconfigured when the window asks for more."""
    rule = persona.rules["last"]
    found: dict[int, tuple[str, Print]] = {}
    for each in rule.alternatives:
        if each.is_sure() and not each.otherwise and len(each.parts) == 1 and isinstance(each.parts[0], str):
            text = _tidy(each.parts[0])
            seen = Print(text)
            found.setdefault(seen.opener, (text, seen))
    needed = max(0, window) + OPENER_WINDOW + 1
    if len(found) < needed:
        message = f"a window of {window} lines needs {needed} plain lines with different openers in rule 'last'"
        raise Misconfigured(f"{message}; there are {len(found)}", where=rule.where, line=rule.line)
    return list(found.values())
