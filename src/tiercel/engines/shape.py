"""Does an answer keep what the request asks for? (Being written: see check_whole's contract.)"""

from __future__ import annotations

from tiercel.terms.ask import Ask

__all__ = ["check_whole"]


def check_whole(ask: Ask, body: bytes) -> None:
    """Raise ``EngineFailed('wrong_shape')`` when a reply in one piece breaks the request's contract."""
