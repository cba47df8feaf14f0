"""What may befall an engine or its callers, by names that a person can ask for, and what the client may make of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from tiercel.engines.rehearsal.modes import Mode

__all__ = ["CALLERS", "FAMILIES", "PLAYED", "Family", "Spell", "Wire", "chosen", "made_of", "spell"]

Wire = Literal["up", "down", "black_hole"]


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of trouble, which lasts for a spell: what the wire does, how slow it gets, which parts are played."""

    about: str
    wire: Wire = "up"
    # Every open connection is cut as the spell begins.
    cuts: bool = False
    slower: tuple[float, float] = (1.0, 1.0)
    modes: tuple[Mode, ...] = ()
    # Of the requests in a spell, how many meet it.
    shares: tuple[float, ...] = (0.2, 0.6, 1.0)
    weight: float = 1.0


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """How one engine is for a while."""

    family: str = "calm"
    wire: Wire = "up"
    cuts: bool = False
    pace: float = 1.0
    modes: tuple[Mode, ...] = ()
    share: float = 0.0

    @property
    def good(self) -> bool:
        """Whether every request gets a good answer at the usual pace."""
        return self.wire == "up" and self.pace == 1.0 and not self.share


FAMILIES: Final[Mapping[str, Family]] = {
    "down": Family(about="its port refuses", wire="down"),
    "dead": Family(about="its process dies with every connection, and its port refuses", wire="down", cuts=True),
    "restart": Family(about="its process dies and is back at once", cuts=True, weight=0.5),
    "black_hole": Family(about="connects are neither made nor refused", wire="black_hole"),
    "slow": Family(about="everything takes many times its usual time", slower=(4.0, 20.0)),
    "silent": Family(about="accepts, and stops talking at once or in the middle", modes=(Mode.SILENT, Mode.STALL)),
    "drip": Family(about="never silent, never done", modes=(Mode.DRIP, Mode.SLOW_HEADERS), shares=(0.05,), weight=0.3),
    "endless": Family(
        about="goes on for ever", modes=(Mode.ENDLESS, Mode.ENDLESS_EMPTY), shares=(0.02, 0.05), weight=0.4
    ),
    "limits": Family(about="429 and 503 with Retry-After", modes=(Mode.RATE_LIMITED, Mode.BUSY, Mode.OVERLOADED)),
    "errors": Family(
        about="500, 401, 404, a redirect",
        modes=(Mode.BROKEN, Mode.BROKEN, Mode.UNAUTHORIZED, Mode.NO_MODEL, Mode.REDIRECT),
    ),
    "cut": Family(
        about="connections end in every phase of a reply",
        modes=(Mode.HANGUP, Mode.REFUSE, Mode.CUT_HEADERS, Mode.CUT_ROLE, Mode.CUT, Mode.RESET, Mode.CLEAN_CUT),
        weight=1.5,
    ),
    "content": Family(
        about="HTTP is right and the answer is none",
        modes=(
            Mode.HTML,
            Mode.ERROR_IN_200,
            Mode.ERROR_BEFORE,
            Mode.ERROR_AFTER,
            Mode.NO_CHOICES,
            Mode.EMPTY_CHOICES,
            Mode.BLANK,
            Mode.BAD_JSON,
            Mode.NO_FINISH,
            Mode.EMPTY_FINISH,
        ),
        weight=1.5,
    ),
    "shape": Family(
        about="an answer that breaks the request's contract",
        modes=(Mode.WRONG_SHAPE, Mode.FENCED, Mode.NO_TOOL, Mode.WRONG_TOOL, Mode.CUT_ARGUMENTS),
    ),
    "framing": Family(
        about="HTTP that lies about its lengths, or is none",
        modes=(
            Mode.LONG_LENGTH,
            Mode.SHORT_LENGTH,
            Mode.TWO_LENGTHS,
            Mode.NEGATIVE_LENGTH,
            Mode.LENGTH_AND_CHUNKED,
            Mode.NEGATIVE_CHUNK,
            Mode.BAD_CHUNK,
            Mode.GARBAGE_STATUS,
            Mode.POISON,
            Mode.BARE_CR,
            Mode.NUL_HEADER,
            Mode.TLS,
            Mode.GZIP,
        ),
    ),
    "odd": Family(
        about="unusual, and allowed",
        modes=(
            Mode.UNTIL_CLOSE,
            Mode.OLD_HTTP,
            Mode.INFORMATIONAL,
            Mode.TRAILERS,
            Mode.ODD_SSE,
            Mode.LUMP,
            Mode.FORGED_HEADERS,
            Mode.NO_ROLE,
            Mode.NO_DONE,
        ),
    ),
}

CALLERS: Final[Mapping[str, str]] = {
    "leavers": "callers leave, before the first word and after",
    "slow_readers": "callers read their streams more slowly than they come",
    "tight": "callers name deadlines that hardly anything can keep",
    "bursts": "callers come in crowds",
}

_OK: Final = frozenset({"answered"})
_LATE: Final = frozenset[str]()
_UNREACHABLE: Final = frozenset({"unreachable"})
_MALFORMED: Final = frozenset({"malformed"})
_TRUNCATED: Final = frozenset({"truncated"})
_ERROR: Final = frozenset({"server_error"})
_ERROR_OR_NONE: Final = frozenset({"server_error", "malformed"})

# What an engine's client may make of a part; to be given up before the end is always among it. "answered" is the
# client's word: whether an answer is blank, or of a wrong shape, is for the chain to see.
_BOTH: Final[Mapping[Mode, frozenset[str]]] = {
    **dict.fromkeys(FAMILIES["odd"].modes, _OK),
    **dict.fromkeys(FAMILIES["shape"].modes, _OK),
    **dict.fromkeys(FAMILIES["framing"].modes, _MALFORMED),
    **dict.fromkeys((Mode.CUT_HEADERS, Mode.CUT_ROLE, Mode.CUT, Mode.RESET), _TRUNCATED),
    **dict.fromkeys((Mode.HANGUP, Mode.REFUSE), _UNREACHABLE),
    **dict.fromkeys((Mode.SILENT, Mode.STALL, Mode.ENDLESS, Mode.ENDLESS_EMPTY), _LATE),
    **dict.fromkeys((Mode.PLAIN, Mode.DRIP, Mode.SLOW_HEADERS, Mode.BLANK), _OK),
    **dict.fromkeys((Mode.BUSY, Mode.OVERLOADED), frozenset({"overloaded"})),
    **dict.fromkeys((Mode.HTML, Mode.REDIRECT, Mode.BAD_JSON), _MALFORMED),
    Mode.LONG_LENGTH: _LATE,
    # What is behind a good reply may arrive when it is over: then it must do no harm, and that is all.
    Mode.POISON: _OK | _MALFORMED,
    Mode.RATE_LIMITED: frozenset({"rate_limited"}),
    Mode.BROKEN: _ERROR,
    Mode.UNAUTHORIZED: frozenset({"auth"}),
    Mode.NO_MODEL: frozenset({"missing"}),
    Mode.ERROR_IN_200: _ERROR_OR_NONE,
}
_WHOLE: Final[Mapping[Mode, frozenset[str]]] = {
    **_BOTH,
    Mode.CLEAN_CUT: _MALFORMED,
    Mode.ERROR_BEFORE: _ERROR_OR_NONE,
    Mode.ERROR_AFTER: _ERROR_OR_NONE,
    Mode.NO_CHOICES: _MALFORMED,
    Mode.EMPTY_CHOICES: _MALFORMED,
    Mode.NO_FINISH: _OK,
    Mode.EMPTY_FINISH: _OK,
}
_STREAM: Final[Mapping[Mode, frozenset[str]]] = {
    **_BOTH,
    Mode.CLEAN_CUT: _TRUNCATED,
    Mode.ERROR_BEFORE: _ERROR,
    Mode.ERROR_AFTER: _ERROR,
    Mode.NO_CHOICES: _OK,
    Mode.EMPTY_CHOICES: _OK,
    Mode.NO_FINISH: _TRUNCATED,
    Mode.EMPTY_FINISH: _TRUNCATED,
}
# In Anthropic's words an empty reply is a reply, and only message_stop ends a message.
_WHOLE_MESSAGES: Final[Mapping[Mode, frozenset[str]]] = {
    **_WHOLE,
    Mode.EMPTY_CHOICES: _OK | _MALFORMED,
    Mode.ERROR_AFTER: frozenset({"overloaded"}),
}
_MESSAGES: Final[Mapping[Mode, frozenset[str]]] = {
    **_STREAM,
    Mode.NO_DONE: _TRUNCATED,
    Mode.ERROR_AFTER: frozenset({"overloaded"}),
}


PLAYED: Final = tuple(_WHOLE)
"""Every part that is ever played."""


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return these names in their usual order; raises ``ValueError`` with the known ones when one is unknown."""
    known = (*FAMILIES, *CALLERS)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no such fault: {', '.join(unknown)}; known are {', '.join(known)}")
    return tuple(name for name in known if name in names)


def made_of(mode: Mode, *, stream: bool, dialect: str = "openai") -> frozenset[str]:
    """Return what an engine's client may make of a part."""
    if dialect == "anthropic":
        return (_MESSAGES if stream else _WHOLE_MESSAGES)[mode]
    return (_STREAM if stream else _WHOLE)[mode]


def spell(name: str, rng: random.Random) -> Spell:
    """Draw one spell of this family."""
    family = FAMILIES[name]
    few = rng.randint(1, len(family.modes)) if family.modes else 0
    return Spell(
        family=name,
        wire=family.wire,
        cuts=family.cuts,
        pace=1.0 if family.slower[1] == 1.0 else rng.uniform(*family.slower),
        modes=tuple(rng.sample(family.modes, few)),
        share=rng.choice(family.shares) if few else 0.0,
    )
