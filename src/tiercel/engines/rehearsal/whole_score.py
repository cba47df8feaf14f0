"""One JSON reply as cues: good, late, cut, dripping or without end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tiercel.engines.rehearsal.cue import ANSWER, ENDLESS, FIRST, HEAD, NOW, SLOW, WHOLE, Cue, End
from tiercel.engines.rehearsal.framing_faults import Lines
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.reply import Whole
from tiercel.engines.rehearsal.wrapping import Wrapping, wrap

Score = tuple[Cue, ...]
"""Everything that leaves in answer to one request."""

DRIP_BYTES: Final = 7
"""Small and odd, so that every border of lines, chunks and characters is cut somewhere."""
_SLAB: Final = b"x" * (1 << 16)
_MEBIBYTE: Final = 1 << 20
_WORD: Final = b"and so on "


def score(whole: Whole, lines: Lines, part: Part) -> Score:
    """Write the cues of a whole reply in the part's mode; modes that only streams know play as a good one."""
    play = _PLAYS.get(part.mode, _good)
    return play(whole, lines, part)


def slabs(megabytes: float) -> list[bytes]:
    """So many megabytes of one word without a line end, in pieces that share their memory."""
    return [_SLAB] * max(1, round(megabytes * _MEBIBYTE / len(_SLAB)))


def dripped(data: bytes, size: int) -> list[Cue]:
    """Cut bytes into small cues with a pause before each."""
    return [(SLOW, data[start : start + size], "") for start in range(0, len(data), size)]


def ended(cues: list[Cue], end: End) -> Score:
    """Give the last cue its end."""
    when, data, _ = cues[-1]
    return (*cues[:-1], (when, data, end))


def _wrapped(whole: Whole, lines: Lines, part: Part, length: int | None) -> Wrapping:
    return wrap(part.mode, whole.status, lines, length, part.megabytes)


def _good(whole: Whole, lines: Lines, part: Part) -> Score:
    wrapping = _wrapped(whole, lines, part, len(whole.body))
    data = wrapping.head + wrapping.code(whole.body) + wrapping.last
    return ((WHOLE if whole.spoken else ANSWER, data, wrapping.end),)


def _partly(end: End) -> Callable[[Whole, Lines, Part], Score]:
    def play(whole: Whole, lines: Lines, part: Part) -> Score:
        most = max(1, len(whole.body) - 1)
        sent = min(most, max(1, len(whole.body) * part.k // part.chunks))
        head = _wrapped(whole, lines, part, len(whole.body)).head
        return ((HEAD, head, ""), (FIRST, whole.body[:sent], end))

    return play


def _head_only(whole: Whole, lines: Lines, part: Part) -> Score:
    return ((HEAD, _wrapped(whole, lines, part, len(whole.body)).head, "close"),)


def _one_byte(whole: Whole, lines: Lines, part: Part) -> Score:
    return ((HEAD, _wrapped(whole, lines, part, len(whole.body)).head + whole.body[:1], "close"),)


def _half(whole: Whole, lines: Lines, part: Part) -> Score:
    half = whole.body[: len(whole.body) // 2]
    return ((ANSWER, _wrapped(whole, lines, part, len(half)).head + half, ""),)


def _drip(whole: Whole, lines: Lines, part: Part) -> Score:
    head = _wrapped(whole, lines, part, len(whole.body)).head
    return ((HEAD, head, ""), *dripped(whole.body, DRIP_BYTES))


def _slow_head(whole: Whole, lines: Lines, part: Part) -> Score:
    head = _wrapped(whole, lines, part, len(whole.body)).head
    return (*dripped(head, 1), (FIRST, whole.body, ""))


def _without_end(word: bytes) -> Callable[[Whole, Lines, Part], Score]:
    def play(whole: Whole, lines: Lines, part: Part) -> Score:
        wrapping = _wrapped(whole, lines, part, None)
        opening = wrapping.head + wrapping.code(b'{"id":"' if word.strip() else b"{")
        return ((HEAD, opening, ""), (ENDLESS, wrapping.code(word), "again"))

    return play


def _huge(whole: Whole, lines: Lines, part: Part) -> Score:
    pieces = [whole.body[:-1] + b',"padding":"', *slabs(part.megabytes), b'"}']
    head = _wrapped(whole, lines, part, sum(map(len, pieces))).head
    return ((ANSWER, head, ""), *((NOW, piece, "") for piece in pieces))


_PLAYS: Final[dict[Mode, Callable[[Whole, Lines, Part], Score]]] = {
    Mode.STALL: _partly("hang"),
    Mode.CUT: _partly("close"),
    Mode.RESET: _partly("reset"),
    Mode.CUT_HEADERS: _head_only,
    Mode.CUT_ROLE: _one_byte,
    Mode.CLEAN_CUT: _half,
    Mode.BAD_JSON: _half,
    Mode.DRIP: _drip,
    Mode.SLOW_HEADERS: _slow_head,
    Mode.ENDLESS: _without_end(_WORD),
    Mode.ENDLESS_EMPTY: _without_end(b" "),
    Mode.HUGE_LINE: _huge,
}
