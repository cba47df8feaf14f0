"""When bytes leave, by name: scores are cached without their seconds, and a part's pace is put in at the end."""

from __future__ import annotations

from typing import Final, Literal

from tiercel.engines.rehearsal.part import Part

End = Literal["", "close", "reset", "hang", "again"]
"""After the bytes: nothing, FIN, RST, silence for ever, or the same beat again until the reader leaves."""

Cue = tuple[int, bytes, End]
"""Which of the times below to wait after the cue before, what to send, and what then."""

NOW: Final = 0
HEAD: Final = 1
FIRST: Final = 2
GAP: Final = 3
SLOW: Final = 4
ENDLESS: Final = 5
WHOLE: Final = 6
ANSWER: Final = 7

_SLOW_S: Final = 0.05
_ENDLESS_S: Final = 0.001


def times_s(part: Part) -> tuple[float, ...]:
    """Seconds for each of the names above, at the part's pace."""
    head, first, gap = part.head_s, part.first_s, part.gap_s
    return (
        0.0,
        head,
        first,
        gap,
        gap or _SLOW_S,
        # Without a pause an endless script would play for ever in one instant of a virtual clock.
        max(_ENDLESS_S, gap),
        head + first + gap * (part.chunks - 1),
        head + first,
    )
