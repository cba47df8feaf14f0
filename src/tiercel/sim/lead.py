"""An engine as bytes: the rehearsal's player on a simulated connection, playing what its actor draws."""

from __future__ import annotations

import asyncio
import math
from typing import Final

from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.ledger import Ledger
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.player import Player
from tiercel.engines.rehearsal.script import Beat
from tiercel.sim.case import Play
from tiercel.sim.chronicle import Chronicle
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.network import Listener
from tiercel.sim.troubles import Spell
from tiercel.sim.wants import MARK
from tiercel.sim.weather import NUMBER, Actor

__all__ = ["Lead", "Venue"]

_MARK: Final = MARK.encode()
_PORT: Final = 80
_BLANK: Final = NUMBER.encode()
_DIGITS: Final = len(NUMBER)
# These cut their bytes so small that a number would be cut, too.
_FINE: Final = frozenset({Mode.DRIP, Mode.SLOW_HEADERS})
_WAITS: Final = frozenset({Mode.RATE_LIMITED, Mode.BUSY, Mode.OVERLOADED})


class Venue:
    """The port where one actor plays, and what it was asked there."""

    def __init__(self, actor: Actor, chronicle: Chronicle, loop: VirtualLoop) -> None:
        self.actor = actor
        self.chronicle = chronicle
        self.ledger = Ledger(keep=1)
        self.loop = loop
        name = actor.role.name
        self._listener: Listener = loop.network.listen(name, _PORT, lambda: Lead(self), link=actor.role.link)
        actor.on_spell = self._take

    def close(self) -> None:
        """Give the port back."""
        self._listener.close()

    def _take(self, spell: Spell) -> None:
        if spell.cuts:
            self._listener.reset()
        if spell.wire == "down":
            self._listener.down()
        elif spell.wire == "black_hole":
            self._listener.swallow()
        else:
            self._listener.up()


class Lead(Player):
    """One connection to the actor; puts each request's own number into every word it is answered with."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(self._pick, venue.ledger, venue.loop)
        self._venue = venue
        self._play_now: Play | None = None
        self._number = _BLANK
        self._tainted = False

    def _pick(self, heard: Heard) -> Part:
        venue = self._venue
        asked = heard.asked
        part = venue.actor.part(shaped=bool(asked.response_format))
        self._number = number = _number_in(heard.body)
        play = Play(venue.actor.role.name, int(number), part.mode, venue.loop.time())
        play.pieces = part.chunks
        play.k, play.first_s = part.k, part.head_s + part.first_s
        play.prompt_tokens = part.prompt_tokens
        play.dialect = "anthropic" if asked.place == "messages" else "openai"
        play.usage = not asked.stream or asked.include_usage or play.dialect == "anthropic"
        play.retry_after_s = float(math.ceil(part.retry_after_s)) if part.mode in _WAITS else 0.0
        play.tainted = self._tainted
        self._tainted = self._tainted or play.leaves_surplus()
        self._play_now = play
        venue.chronicle.heard(play)
        return part

    def _send(self, transport: asyncio.Transport, beat: Beat) -> None:
        if self._mode in _FINE and not self._sent:
            self._beats = _stamped(self._beats, self._number)
            beat = self._beats[0]
        elif beat.data:
            beat = Beat(beat.after_s, beat.data.replace(_BLANK, self._number), beat.end)
        super()._send(transport, beat)

    def _complete(self) -> None:
        play = self._play_now
        if play is not None:
            play.over_s = self._venue.loop.time()
            play.whole = True
            self._play_now = None
        super()._complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say when it was let go of."""
        super().connection_lost(exc)
        if self._play_now is not None:
            self._venue.chronicle.dropped(self._play_now)
            self._play_now = None


def _number_in(body: bytes) -> bytes:
    at = body.find(_MARK) + 1
    return body[at : at + _DIGITS] if at else b"-1"


def _stamped(beats: list[Beat], number: bytes) -> list[Beat]:
    """Put the number into bytes that are cut anywhere."""
    whole = b"".join(beat.data for beat in beats).replace(_BLANK, number)
    stamped, at = [], 0
    for beat in beats:
        stamped.append(Beat(beat.after_s, whole[at : at + len(beat.data)], beat.end))
        at += len(beat.data)
    return stamped
