"""What is wrong with a configuration, said so that it can be mended: the key, the place, what is allowed, a guess."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence

import msgspec

from tiercel.app.settings.lines import Path, dotted
from tiercel.app.settings.shape import Origin, Origins
from tiercel.terms.errors import Misconfigured

__all__ = ["Problem", "Problems", "nearest", "shown", "stop_for"]

_SHOWN = 60

# What other products call the same thing, where the letters alone would not lead there.
_ELSEWHERE = {
    "api_base": "url",
    "base_url": "url",
    "endpoint": "url",
    "api_key": "key",
    "token": "key",
    "secret": "key",
    "type": "kind",
    "provider": "kind",
    "fallbacks": "rungs",
    "models": "rungs",
    "chain": "rungs",
    "timeout": "total_ms",
    "timeout_ms": "total_ms",
    "ttft_ms": "first_ms",
    "bind": "host",
    "address": "host",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong, and the next step."""

    key: str
    message: str
    origin: Origin = Origin()

    @property
    def place(self) -> str:
        """Where to look: ``tiercel.toml:12``, ``env TIERCEL_SERVER__PORT``, or nothing for a default."""
        return "" if self.origin.source == "default" else str(self.origin)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class Problems:
    """Collects everything that is wrong, so that a person mends it in one go."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._found: list[Problem] = []

    def add(self, path: Path, message: str, *also: Path) -> None:
        """Note a problem at ``path``; ``also`` names other keys it lies between, and the first one set is shown."""
        for one in (path, *also):
            if one in self._origins:
                origin = self._origins[one]
                break
        else:
            # Nobody set any of them: the nearest table around the first is the best place to look.
            around = (path[:length] for length in range(len(path) - 1, 0, -1))
            origin = next((self._origins[one] for one in around if one in self._origins), Origin())
        self._found.append(Problem(key=dotted(path), message=message, origin=origin))

    @property
    def found(self) -> tuple[Problem, ...]:
        """Everything noted so far, in the order of its lines."""
        return tuple(sorted(self._found, key=lambda problem: problem.origin.line))


def stop_for(problems: Sequence[Problem]) -> None:
    """Raise ``Misconfigured`` with the first problem's place and everybody's words, if there are any."""
    if not problems:
        return
    first, *rest = problems
    message = "\n".join([first.message, *map(str, rest)])
    if first.origin.source == "file":
        raise Misconfigured(message, where=first.origin.name, line=first.origin.line)
    raise Misconfigured(message, where=first.place)


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return a `` Did you mean ...?`` for a word that is none of the allowed ones, or nothing."""
    choices = list(allowed)
    elsewhere = _ELSEWHERE.get(word.lower().replace("-", "_"), "")
    close = [elsewhere] if elsewhere in choices else difflib.get_close_matches(word, choices, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def shown(value: object) -> str:
    """Write a value as a person typed it, cut where it gets long."""
    if isinstance(value, str | bool | int | float) or (isinstance(value, Sequence) and not isinstance(value, bytes)):
        text = json.dumps(value, default=str, ensure_ascii=False)
    else:
        text = str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
