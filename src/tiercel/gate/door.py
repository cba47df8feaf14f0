"""Who may come in: here, as many requests as this process can hold; identity and quotas stand at this same door."""

from __future__ import annotations

from tiercel.terms.errors import Shed

__all__ = ["Door"]


class Door:
    """Counts the requests inside and refuses the one too many, at once and cheaply.

    A request that could only wait would be late, and would make all others late with it.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self.inside = 0

    def enter(self) -> None:
        """Let a request in; raises ``Shed`` when the house is full."""
        if self.inside >= self._most:
            raise Shed(f"{self.inside} requests are being answered, which is all this process may hold")
        self.inside += 1

    def leave(self) -> None:
        """Note that a request is done, however it ended."""
        self.inside -= 1
