"""What one listener has heard lately, and the bags from which what comes next is drawn."""

from __future__ import annotations

import re
from array import array
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar
from zlib import crc32

from tiercel.silver.speech.dice import Dice
from tiercel.silver.speech.grammar import Rule

OPENER_WORDS: Final = 3
OPENER_WINDOW: Final = 5
_LETTERS = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")

Kept = TypeVar("Kept")


class Print:
    """The finger prints by which a line and its first words are recognised, four bytes each."""

    __slots__ = ("line", "opener")

    def __init__(self, text: str) -> None:
        words = _LETTERS.findall(text.casefold())
        self.line = crc32(" ".join(words).encode())
        self.opener = crc32(" ".join(words[:OPENER_WORDS]).encode())


class Window:
    """The last lines and openers, oldest forgotten first."""

    __slots__ = ("_lines", "_openers", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._lines = array("I")
        self._openers = array("I")

    def holds(self, seen: Print) -> bool:
        """Say whether the line was said in this window, or its opener in the last five."""
        return seen.opener in self._openers or seen.line in self._lines

    def add(self, seen: Print) -> None:
        _push(self._lines, seen.line, self._size)
        _push(self._openers, seen.opener, OPENER_WINDOW)


def _push(kept: array[int], value: int, size: int) -> None:
    kept.append(value)
    if len(kept) > size:
        del kept[0]


class Listener:
    """One pair of NPC and session: its window, its dice, and what each rule has said since its bag was last filled."""

    __slots__ = ("_said", "dice", "window")

    def __init__(self, seed: int, size: int) -> None:
        self.dice = Dice(seed)
        self.window = Window(size)
        self._said: dict[str, bytearray] = {}

    def draw(self, rule: Rule, facts: int) -> int:
        """Pick an alternative that fits and was not said before all others that fit were."""
        said = self._said.setdefault(rule.name, bytearray())
        fitting = rule.fitting(facts)
        fresh = [i for i in fitting if i not in said]
        if not fresh:
            newest = said[-1]
            kept = bytearray(i for i in said if i not in fitting or (i == newest and len(fitting) > 1))
            said[:] = kept
            fresh = [i for i in fitting if i not in said]
        picked = fresh[self.dice.below(len(fresh))]
        said.append(picked)
        return picked


class Lately(Generic[Kept]):
    """A bounded memory of whom we spoke with; the one not spoken with for longest is forgotten."""

    def __init__(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes, make: Callable[[], Kept]) -> Kept:
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return found
