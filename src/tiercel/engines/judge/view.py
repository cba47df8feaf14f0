"""What is known of every engine's health at one moment, as data that the router can read."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tiercel.terms.ask import Ask

__all__ = ["SIZES", "EngineView", "View", "size_of"]

# Prompts are compared with prompts of like size: below 1, 4, 16, 64 KiB, and above.
SIZES = 5


def size_of(ask: Ask) -> int:
    """Return the class of this request: prompt size, and whether the first word or the whole reply is waited for."""
    kib = ask.size_bytes >> 10
    size = 0 if kib < 1 else min(SIZES - 1, (kib.bit_length() + 1) // 2)
    return size if ask.stream else size + SIZES


class EngineView(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's state: closed to traffic until when and why, and its usual time by class of request (0: unknown)."""

    name: str
    open_until_s: float = 0.0
    reason: str = ""
    p50_s: tuple[float, ...] = (0.0,) * (2 * SIZES)


View = Mapping[str, EngineView]
