"""One engine's days, good and bad: which spell it is in, which part it plays next, and how long a good answer takes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.scenario import Role
from tiercel.sim.troubles import FAMILIES, Spell, spell

__all__ = ["ANSWER_JSON", "NUMBER", "Actor"]

# Stands in every word of an answer for the number of the request, and is replaced as the bytes leave.
NUMBER: Final = "00000000"
ANSWER_JSON: Final = f'{{"npc":"{NUMBER}","mood":"calm","level":3}}'
_CALM: Final = Spell()
_GOOD_S, _BAD_S = 3.5, 1.5
# How far the paces of one pool lie apart: less than twice the usual time, so that nobody is late by bad luck alone.
_PACES: Final = (0.8, 0.9, 1.0, 1.1, 1.25)
_HOPS_TO_CONNECT, _HOPS_TO_ANSWER = 2, 2
_SLACK_S: Final = 0.001


class Actor:
    """One model on the stage. It is told when to begin and when all is to be calm; the rest follows from its seed."""

    def __init__(self, role: Role, faults: Sequence[str], loop: VirtualLoop) -> None:
        self.role = role
        self.spell = _CALM
        # Since when everything it is asked gets a good answer; None while something is wrong.
        self.good_since_s: float | None = -math.inf
        # When its port last changed its manners.
        self.wire_changed_s = -math.inf
        # Told of every new spell; sets the wire.
        self.on_spell: Callable[[Spell], None] | None = None
        # The last moment that an engine's own word (Retry-After) may reach to.
        self.promised_s = 0.0
        self._families = tuple(name for name in faults if name in FAMILIES) if not role.steady else ()
        self._weights = [FAMILIES[name].weight for name in self._families]
        self._loop = loop
        self._weather = loop.rng(f"weather/{role.name}")
        self._draws = loop.rng(f"parts/{role.name}")
        self._over = False
        self._good: list[tuple[Part, Part]] = []
        self._bad: list[tuple[Part, Part]] = []
        self._begin(_CALM)

    def start(self) -> None:
        """Let the weather change from now on."""
        if self._families:
            self._loop.call_later(self._weather.expovariate(1 / _GOOD_S), self._change)

    def calm(self) -> None:
        """Be good from now on, for ever."""
        self._over = True
        if not self.spell.good:
            self._begin(_CALM)

    def part(self, *, shaped: bool) -> Part:
        """Draw what is played for a request, in words or in the JSON that it may demand instead."""
        spell = self.spell
        pool = self._bad if spell.share and self._draws.random() < spell.share else self._good
        words, json = pool[int(self._draws.random() * len(pool))]
        return json if shaped else words

    @property
    def hop_s(self) -> float:
        """The longest way from here to there."""
        return self.role.link.latency_s + self.role.link.spread_s

    @property
    def first_bound_s(self) -> float:
        """Within what time a good answer's first words arrive, a new connection included."""
        hops = (_HOPS_TO_CONNECT + _HOPS_TO_ANSWER) * self.hop_s
        return hops + _PACES[-1] * (self.role.head_s + self.role.first_s) + _SLACK_S

    @property
    def whole_bound_s(self) -> float:
        """Within what time a good answer is complete."""
        return self.first_bound_s + _PACES[-1] * self.role.gap_s * (self.role.pieces - 1)

    def _change(self) -> None:
        if self._over:
            return
        rng = self._weather
        if self.spell is _CALM:
            self._begin(spell(rng.choices(self._families, self._weights)[0], rng))
            mean_s = _BAD_S
        else:
            self._begin(_CALM)
            mean_s = _GOOD_S
        self._loop.call_later(rng.expovariate(1 / mean_s), self._change)

    def _begin(self, spell: Spell) -> None:
        now_s = self._loop.time()
        if spell.wire != self.spell.wire or spell.cuts:
            self.wire_changed_s = now_s
        if not spell.good or spell.cuts:
            self.good_since_s = now_s if spell.good else None
        elif self.good_since_s is None:
            self.good_since_s = now_s
        self.spell = spell
        role = self.role
        self._good = [_both(_part(role, Mode.PLAIN, spell.pace * pace, self._draws)) for pace in _PACES]
        self._bad = [
            _both(_part(role, mode, spell.pace * _PACES[i], self._draws)) for mode in spell.modes for i in (0, 3)
        ]
        if self.on_spell is not None:
            self.on_spell(spell)


def _part(role: Role, mode: Mode, pace: float, rng: random.Random) -> Part:
    return Part(
        mode=mode,
        head_s=role.head_s * pace,
        first_s=role.first_s * pace,
        gap_s=role.gap_s * pace,
        chunks=role.pieces,
        k=rng.randint(0, role.pieces - 1),
        text=f"{role.name}{NUMBER} " * role.pieces,
        prompt_tokens=role.prompt_tokens,
        retry_after_s=rng.choice((0.0, 0.05, 0.4, 1.0, 2.0, 3.0)),
    )


def _both(words: Part) -> tuple[Part, Part]:
    return words, msgspec.structs.replace(words, text=ANSWER_JSON)
