"""A stream's events as cues: at their pace, stopped, cut, reset, repeated or spoiled after k of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from tiercel.engines.rehearsal.cue import ANSWER, ENDLESS, FIRST, GAP, HEAD, NOW, Cue, End
from tiercel.engines.rehearsal.framing_faults import Lines
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.reply import Stream
from tiercel.engines.rehearsal.whole_score import DRIP_BYTES, Score, dripped, ended, slabs
from tiercel.engines.rehearsal.wrapping import Wrapping, wrap


def score(stream: Stream, lines: Lines, part: Part) -> Score:
    """Write the cues of a stream in the part's mode; modes without a play of their own spoiled the events already."""
    wrapping = wrap(part.mode, 200, lines, None, part.megabytes)
    return _PLAYS.get(part.mode, _Play.good)(_Play(stream, wrapping, part.k, part.megabytes))


class _Play(msgspec.Struct, frozen=True):
    """One stream about to be played; each verb is one way to play it."""

    stream: Stream
    wrapping: Wrapping
    k: int
    megabytes: float

    def good(self) -> Score:
        content = self.stream.content
        return (*self._spoken(content), (NOW if content else FIRST, self._end(), self.wrapping.end))

    def lump(self) -> Score:
        return ((ANSWER, b"".join(data for _, data, _ in self.good()), self.wrapping.end),)

    def odd(self) -> Score:
        stream = self.stream
        oddly = msgspec.structs.replace(
            stream,
            opening=tuple(map(_oddly, stream.opening)),
            content=tuple(map(_oddly, stream.content)),
            closing=tuple(map(_oddly, stream.closing)),
            done=_oddly(stream.done),
        )
        return msgspec.structs.replace(self, stream=oddly).good()

    def stall(self) -> Score:
        return ended(self._until_k(), "hang")

    def cut(self) -> Score:
        return self._broken_off("close")

    def reset(self) -> Score:
        return self._broken_off("reset")

    def clean_cut(self) -> Score:
        return (*self._until_k(), (self._next(), self.wrapping.last, ""))

    def head_only(self) -> Score:
        return ((HEAD, self.wrapping.head, "close"),)

    def preamble_only(self) -> Score:
        return ended(self._spoken(()), "close")

    def drip(self) -> Score:
        coded = b"".join(data for _, data, _ in self.good())[len(self.wrapping.head) :]
        return ((HEAD, self.wrapping.head, ""), *dripped(coded, DRIP_BYTES))

    def slow_head(self) -> Score:
        (_, opening, end), *rest = self.good()
        return (*dripped(self.wrapping.head, 1), (NOW, opening[len(self.wrapping.head) :], end), *rest)

    def endless(self) -> Score:
        word = self.stream.content[0] if self.stream.content else self.stream.void
        return (*self._spoken(self.stream.content[:1]), (ENDLESS, self.wrapping.code(word), "again"))

    def endless_empty(self) -> Score:
        return (*self._spoken(()), (ENDLESS, self.wrapping.code(self.stream.void), "again"))

    def error_before(self) -> Score:
        return (*self._spoken(()), (FIRST, self.wrapping.code(self.stream.error) + self.wrapping.last, ""))

    def error_after(self) -> Score:
        return (*self._until_k(), (self._next(), self.wrapping.code(self.stream.error) + self.wrapping.last, ""))

    def bad_json(self) -> Score:
        content = self.stream.content
        spoiled = (*content[: self.k], self.stream.broken, *content[self.k :])
        return (*self._spoken(spoiled), (NOW, self._end(), ""))

    def huge(self) -> Score:
        """Say one word of so many megabytes, and end well: only who has a limit notices."""
        begin, end = self.stream.huge
        word: list[Cue] = [(NOW, self.wrapping.code(slab), "") for slab in slabs(self.megabytes)]
        return (*self._spoken((begin,)), *word, (NOW, self.wrapping.code(end) + self._end(), ""))

    def _spoken(self, events: Sequence[bytes]) -> list[Cue]:
        """Head, preamble and these events, the first after the first word's time and the others after the gap."""
        code = self.wrapping.code
        cues: list[Cue] = [(HEAD, self.wrapping.head + code(*self.stream.opening), "")]
        cues.extend((GAP if index else FIRST, code(event), "") for index, event in enumerate(events))
        return cues

    def _until_k(self) -> list[Cue]:
        return self._spoken(self.stream.content[: self.k])

    def _next(self) -> int:
        return GAP if self.k and self.stream.content else FIRST

    def _end(self) -> bytes:
        return self.wrapping.code(*self.stream.closing, self.stream.done) + self.wrapping.last

    def _broken_off(self, end: End) -> Score:
        """Send k events, then half of the chunk that would come next."""
        content = self.stream.content
        coded = self.wrapping.code(content[self.k]) if self.k < len(content) else self._end()
        return (*self._until_k(), (self._next(), coded[: len(coded) // 2], end))


def _oddly(event: bytes) -> bytes:
    """Rewrite events as the standard also allows: no space after the colon, CRLF, comments, fields nobody needs."""
    lines = [line.replace(b": ", b":", 1) for line in event.split(b"\n")[:-1]]
    return b"".join((b": a comment\r\nid: 7\r\nretry: 10\r\n", *(line + b"\r\n" for line in lines)))


_PLAYS: Final[dict[Mode, Callable[[_Play], Score]]] = {
    Mode.LUMP: _Play.lump,
    Mode.STALL: _Play.stall,
    Mode.CUT: _Play.cut,
    Mode.RESET: _Play.reset,
    Mode.CUT_HEADERS: _Play.head_only,
    Mode.CUT_ROLE: _Play.preamble_only,
    Mode.CLEAN_CUT: _Play.clean_cut,
    Mode.DRIP: _Play.drip,
    Mode.SLOW_HEADERS: _Play.slow_head,
    Mode.ENDLESS: _Play.endless,
    Mode.ENDLESS_EMPTY: _Play.endless_empty,
    Mode.ERROR_BEFORE: _Play.error_before,
    Mode.ERROR_AFTER: _Play.error_after,
    Mode.BAD_JSON: _Play.bad_json,
    Mode.HUGE_LINE: _Play.huge,
    Mode.ODD_SSE: _Play.odd,
}
