"""The port to metrics: what a room can count, hold and time, whoever collects it.

A family is declared once, while the house is built, with every value that its labels may ever take; a cell is one
line of it, bound before the first request. So nothing a caller sends can become a label, the number of series is
known in advance, and counting costs one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

__all__ = ["Counter", "Family", "Gauge", "Histogram", "Labels", "Meter"]

# Label name -> the closed set of its values.
Labels = Mapping[str, Sequence[str]]

Cell_co = TypeVar("Cell_co", covariant=True)


class Counter(Protocol):
    """A number that only grows."""

    def add(self, n: float = 1) -> None:
        """Count ``n`` more; never negative."""
        ...

    def follow(self, read: Callable[[], float]) -> None:
        """Ask ``read`` for the count whenever it is looked at: somebody counts already. It must be quick."""
        ...


class Gauge(Protocol):
    """A number that goes up and down."""

    def set(self, value: float) -> None:
        """Hold this value from now on."""
        ...

    def add(self, n: float = 1) -> None:
        """Move by ``n``, which may be negative."""
        ...

    def follow(self, read: Callable[[], float]) -> None:
        """Ask ``read`` for the value whenever it is looked at. It must be quick."""
        ...


class Histogram(Protocol):
    """How often a value fell between which bounds."""

    def see(self, value: float) -> None:
        """Count one observation."""
        ...


class Family(Protocol[Cell_co]):
    """All the cells of one metric."""

    def at(self, *values: str) -> Cell_co:
        """Bind the cell at these label values, in the declared order; the same values give the same cell.

        Raises ``Misconfigured`` for a value that was not declared.
        """
        ...


class Meter(Protocol):
    """Where metrics are declared.

    Raises ``Misconfigured`` for a name that is taken or malformed, and for bounds that do not rise. A family without
    labels has one cell: ``family.at()``. ``about`` is the sentence an operator reads beside the metric.
    """

    def counter(self, name: str, about: str, labels: Labels | None = None) -> Family[Counter]:
        """Declare a counter; its name ends in ``_total``."""
        ...

    def gauge(self, name: str, about: str, labels: Labels | None = None) -> Family[Gauge]:
        """Declare a gauge."""
        ...

    def histogram(
        self, name: str, about: str, bounds: Sequence[float], labels: Labels | None = None
    ) -> Family[Histogram]:
        """Declare a histogram with these upper bounds; above the last one is infinity."""
        ...
