"""What a model of Anthropic's takes and refuses, read from its name: the API's rules differ by generation."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

__all__ = ["Traits", "headers"]

Quiet = Literal["default", "disabled", "between_tools", "impossible"]

# The last version that takes temperature, top_p and top_k, and the one that refuses them whatever they say.
SAMPLING_VERSION = "2023-06-01"
CURRENT_VERSION = "2026-10-21"

_NAME = re.compile(r"claude-(?:([a-z]+)-)?(\d)(?:[.-](\d{1,2})(?!\d))?(?:-([a-z]+))?")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_NEWEST = (9, 9)


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What may be sent to one model; the defaults are for a stranger that merely speaks the same API."""

    version: str = SAMPLING_VERSION
    samples: bool = True
    # It goes on from an assistant turn that ends the conversation.
    prefill: bool = False
    # ``tool_choice`` may demand a call.
    forces_tools: bool = True
    # ``output_config.format`` holds the answer to a schema.
    schemas: bool = False
    efforts: tuple[str, ...] = ()
    # How to ask for an answer without thought; "default" when there is none anyway.
    quiet: Quiet = "default"

    @classmethod
    def of(cls, model: str) -> Traits:
        """Return the traits of a model by its name."""
        return _of(model)

    def effort(self, wanted: str) -> str:
        """Return the nearest effort that the model knows, or nothing."""
        if not self.efforts:
            return ""
        if wanted in self.efforts:
            return wanted
        return "low" if wanted == "minimal" else "high" if wanted in _EFFORTS else ""


def headers(model: str, key: str) -> Sequence[tuple[str, str]]:
    """Return the headers that every request for this model carries."""
    return (("x-api-key", key), ("anthropic-version", Traits.of(model).version))


@functools.lru_cache(maxsize=256)
def _of(model: str) -> Traits:
    if "claude" not in model:
        return Traits()
    family, at = _generation(model)
    if at < (4, 7):
        return Traits(
            prefill=at < (4, 6),
            schemas=at >= (4, 5),
            efforts=("low", "medium", "high", "max") if at == (4, 6) else _efforts_of_4_5(family, at),
        )
    restless = family in {"fable", "mythos"} or (family == "opus" and at >= (5, 5))
    return Traits(
        version=CURRENT_VERSION,
        samples=False,
        forces_tools=not (restless and at >= (5, 1)),
        schemas=True,
        efforts=_EFFORTS,
        quiet=_quiet(family, at, restless=restless),
    )


def _generation(model: str) -> tuple[str, tuple[int, int]]:
    """Read the family and the generation; a name without a number is taken for the newest."""
    found = _NAME.search(model)
    if found is None:
        return ("mythos" if "mythos" in model else ""), _NEWEST
    before, major, minor, after = found.groups()
    return before or after or "", (int(major), int(minor or 0))


def _efforts_of_4_5(family: str, at: tuple[int, int]) -> tuple[str, ...]:
    return ("low", "medium", "high") if family == "opus" and at == (4, 5) else ()


def _quiet(family: str, at: tuple[int, int], *, restless: bool) -> Quiet:
    if restless:
        return "impossible"
    if at < (5, 0):
        return "default"
    return "between_tools" if family == "sonnet" and at >= (5, 5) else "disabled"
