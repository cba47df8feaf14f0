"""Turns whatever a request gave as a persona into a short name that is safe to say aloud."""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from typing import Final

MAX_NAME: Final = 40
LATIN: Final = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"  # the closed alphabet of names and nouns
_MAX_WORDS: Final = 4
_MAX_WORD: Final = 20
_READ: Final = 200
_STOP = re.compile(r"[.,;:!?\n\r()\[\]{}<>|\"]")
_LATIN = re.compile(rf"[{LATIN}]+(?:['-][{LATIN}]+)*")
_LEAD = re.compile(
    r"\s*(?:you are|you're|i am|i'm|act as|play as|play|be|roleplay as|pretend to be|respond as|speak as|an npc"
    r"|a character|named|called|the|an|a)\s+",
    re.IGNORECASE,
)
_BINDS = frozenset({"who", "that", "which", "and", "with", "in", "from", "of", "at", "whose"})
_TRAIL = frozenset({"who", "that", "which", "and", "with", "in", "from", "is", "of", "the", "a"})


def words_of(text: str) -> list[str]:
    """Split the head of a persona text into small words: "a smith from Holm who hates guards" is a smith, no guard."""
    words = (word.casefold() for word in _LATIN.findall(_plain(text)))
    return list(takewhile(lambda word: word not in _BINDS, words))


def spoken_name(text: str) -> str:
    """Make a name of at most MAX_NAME Latin letters, or nothing; "a grumpy miller" becomes "the grumpy miller"."""
    plain = _STOP.split(_plain(text).strip(), maxsplit=1)[0] + " "
    for _ in range(_MAX_WORDS):
        lead = _LEAD.match(plain)
        if not lead:
            break
        plain = plain[lead.end() :]
    kept: list[str] = []
    for word in _LATIN.findall(plain)[:_MAX_WORDS]:
        if kept and word.casefold() in {"who", "that", "which"}:
            break
        kept.append(word[:_MAX_WORD].rstrip("'-"))
    while kept and (kept[-1].casefold() in _TRAIL or len(" ".join(kept)) > MAX_NAME - len("the ")):
        kept.pop()
    if not kept:
        return ""
    name = " ".join(kept)
    if name.isupper() and len(name) > len("III"):
        name = name.title()
    return name if name != name.lower() else f"the {name}"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:_READ])[:_READ].replace("\u2019", "'").replace("_", " ")
