"""Metrics inside the process: plain numbers and preallocated lists, cheap to move and read only when somebody looks."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Generic, Literal, TypeVar

import msgspec

from tiercel.telemetry.port import Labels
from tiercel.terms.errors import Misconfigured

__all__ = ["CounterCell", "GaugeCell", "HistogramCell", "Meters", "Reading", "Row", "Table"]

NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
# What one label may say: enough for a name, nothing that needs escaping anywhere.
VALUE = re.compile(r"[A-Za-z0-9._:/+-]{1,120}\Z")
# More lines than this under one name is a label that is not from a closed set.
MOST_SERIES = 10_000


class Row(msgspec.Struct, frozen=True):
    """One line as it stands: label values, the number (of a histogram: the sum), and the count in each bucket."""

    values: tuple[str, ...]
    number: float
    buckets: tuple[int, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One metric as it stands, for whoever shows it."""

    name: str
    about: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    bounds: tuple[float, ...] = ()


class _Level:
    """A number that is held here, or asked of somebody who holds it already."""

    __slots__ = ("_read", "level")

    def __init__(self) -> None:
        self.level: float = 0
        self._read: Callable[[], float] | None = None

    def add(self, n: float = 1) -> None:
        self.level += n

    def follow(self, read: Callable[[], float]) -> None:
        self._read = read

    def row(self, values: tuple[str, ...]) -> Row:
        """Return the line as it stands."""
        return Row(values, self.level if self._read is None else self._read())


class CounterCell(_Level):
    """One line of a counter."""

    __slots__ = ()


class GaugeCell(_Level):
    """One line of a gauge."""

    __slots__ = ()

    def set(self, value: float) -> None:
        self.level = value


class HistogramCell:
    """One line of a histogram: a count between each two bounds, and the sum."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0.0

    def see(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def row(self, values: tuple[str, ...]) -> Row:
        """Return the line as it stands; its count is the sum of its buckets, so the two cannot disagree."""
        return Row(values, self.total, tuple(self.counts))


CellT = TypeVar("CellT", CounterCell, GaugeCell, HistogramCell)


class Table(Generic[CellT]):
    """The family of one metric: its declared labels and the cells bound so far."""

    def __init__(self, labels: Labels, make: Callable[[], CellT]) -> None:
        self.labels = tuple(labels)
        self.cells: dict[tuple[str, ...], CellT] = {}
        self._allowed = tuple(frozenset(values) for values in labels.values())
        self._make: Callable[[], CellT] = make

    def at(self, *values: str) -> CellT:
        if len(values) != len(self.labels):
            raise Misconfigured(f"{len(values)} label values for {len(self.labels)} labels {self.labels}")
        for label, value, allowed in zip(self.labels, values, self._allowed, strict=True):
            if value not in allowed:
                raise Misconfigured(f"{value!r} is not a declared value of label {label}")
        if values not in self.cells:
            self.cells[values] = self._make()
        return self.cells[values]

    def rows(self) -> tuple[Row, ...]:
        """Return every bound line as it stands."""
        return tuple(cell.row(values) for values, cell in self.cells.items())


AnyTable = Table[CounterCell] | Table[GaugeCell] | Table[HistogramCell]


class Meters:
    """The embedded meter: keeps every metric of this process until somebody reads it."""

    def __init__(self) -> None:
        self._declared: dict[str, tuple[Reading, AnyTable]] = {}

    def counter(self, name: str, about: str, labels: Labels | None = None) -> Table[CounterCell]:
        if not name.endswith("_total"):
            raise Misconfigured(f"a counter's name ends in _total, not {name!r}")
        table = Table(_checked(name, labels), CounterCell)
        self._declare(Reading(name=name, about=about, kind="counter", labels=table.labels, rows=()), table)
        return table

    def gauge(self, name: str, about: str, labels: Labels | None = None) -> Table[GaugeCell]:
        table = Table(_checked(name, labels), GaugeCell)
        self._declare(Reading(name=name, about=about, kind="gauge", labels=table.labels, rows=()), table)
        return table

    def histogram(
        self, name: str, about: str, bounds: Sequence[float], labels: Labels | None = None
    ) -> Table[HistogramCell]:
        edges = tuple(bounds)
        if not edges or any(low >= high for low, high in pairwise(edges)):
            raise Misconfigured(f"the bounds of {name} must rise: {edges}")
        table = Table(_checked(name, labels), lambda: HistogramCell(edges))
        head = Reading(name=name, about=about, kind="histogram", labels=table.labels, rows=(), bounds=edges)
        self._declare(head, table)
        return table

    def read(self) -> Iterator[Reading]:
        """Look at every metric as it stands now."""
        for head, table in self._declared.values():
            yield msgspec.structs.replace(head, rows=table.rows())

    def _declare(self, head: Reading, table: AnyTable) -> None:
        if head.name in self._declared:
            raise Misconfigured(f"metric {head.name} is declared twice")
        self._declared[head.name] = (head, table)


def _checked(name: str, labels: Labels | None) -> Labels:
    """Return the labels when they, and the name, are fit for every collector."""
    if not NAME.match(name):
        raise Misconfigured(f"{name!r} is no name for a metric")
    series = 1
    for label, values in (labels or {}).items():
        if not NAME.match(label) or label == "le":
            raise Misconfigured(f"{name}: {label!r} is no name for a label")
        bad = [value for value in values if not VALUE.match(value)]
        if bad or not values:
            raise Misconfigured(f"{name}: label {label} may not be {bad}")
        series *= len(values)
    if series > MOST_SERIES:
        raise Misconfigured(f"{name}: {series} series, at most {MOST_SERIES} are kept")
    return labels or {}
