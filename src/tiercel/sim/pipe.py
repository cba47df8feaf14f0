"""One direction of a simulated connection: bytes in order, as late, as cut up and as few at a time as its link says."""

from __future__ import annotations

import asyncio
import enum
import random
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

__all__ = ["Item", "Link", "Mark", "Pipe", "Way"]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """How the way between two ends behaves; give a listener another one to change it while connections are open."""

    # One way. A connection needs a round trip before its client may speak.
    latency_s: float = 0.0
    # Up to this much more, drawn for every piece; order is kept.
    spread_s: float = 0.0
    # 0: whatever has arrived by one instant is read at once. n: every write arrives in pieces of 1 to n bytes.
    fragment_bytes: int = 0
    # How much may be under way or unread before a writer has to keep its bytes to itself, as with socket buffers.
    window_bytes: int = 262_144

    def __post_init__(self) -> None:
        if not (self.latency_s >= 0 and self.spread_s >= 0 and self.fragment_bytes >= 0 and self.window_bytes >= 1):
            raise ValueError(f"a link goes neither back in time nor without room: {self}")


class Mark(enum.Enum):
    """What travels beside bytes, in line with them."""

    OPEN = enum.auto()
    END = enum.auto()
    RESET = enum.auto()


Item = bytes | Mark


class Way(Protocol):
    """Whoever says how the link is just now."""

    link: Link


class Pipe:
    """The bytes of one direction, from ``send`` at one end to the callback ``take`` at the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random, way: Way) -> None:
        self._loop = loop
        self._rng = rng
        self._way = way
        self._queue: deque[tuple[float, Item]] = deque()
        self._unread = 0
        self._last_s = 0.0
        self._armed = False
        self._flowing = True
        self._take: Callable[[Item], None] = _nowhere
        self._freed: Callable[[], None] | None = None

    def join(self, take: Callable[[Item], None], freed: Callable[[], None]) -> None:
        """Name the reader's callback for what arrives, and the writer's for room made by reading."""
        self._take = take
        self._freed = freed

    def room(self) -> int:
        """How many bytes a writer may still send."""
        return self._way.link.window_bytes - self._unread

    def send(self, item: Item) -> None:
        """Put something on the way."""
        link = self._way.link
        if isinstance(item, bytes):
            self._unread += len(item)
            if link.fragment_bytes:
                self._send_pieces(item, link)
                return
        self._push(item, link)

    def hold(self) -> None:
        """Stop handing over; what arrives waits."""
        self._flowing = False

    def flow(self) -> None:
        """Hand over again, never before the caller is done."""
        self._flowing = True
        self._arm_if_due()

    def arrived(self, mark: Mark) -> bool:
        """Whether ``mark`` waits at the reader's end, behind bytes perhaps."""
        return bool(self._queue) and any(item is mark and due_s <= self._loop.time() for due_s, item in self._queue)

    def bytes_waiting(self) -> bool:
        """Whether bytes have arrived that the reader did not take."""
        return bool(self._queue) and isinstance(self._queue[0][1], bytes) and self._queue[0][0] <= self._loop.time()

    def _send_pieces(self, data: bytes, link: Link) -> None:
        at = 0
        while at < len(data):
            size = self._rng.randint(1, link.fragment_bytes)
            self._push(data[at : at + size], link)
            at += size

    def _push(self, item: Item, link: Link) -> None:
        due_s = self._loop.time() + link.latency_s
        if link.spread_s:
            due_s += self._rng.uniform(0.0, link.spread_s)
        # A stream has one order, however the latencies fall.
        self._last_s = due_s = max(due_s, self._last_s)
        self._queue.append((due_s, item))
        self._arm_if_due()

    def _arm_if_due(self) -> None:
        if self._queue and self._flowing and not self._armed:
            self._armed = True
            self._loop.call_at(self._queue[0][0], self._arrive)

    def _arrive(self) -> None:
        self._armed = False
        if not self._flowing or not self._queue:
            return
        item = self._next()
        self._take(item)
        if isinstance(item, bytes):
            self._unread -= len(item)
            if self._freed is not None:
                self._freed()
        self._arm_if_due()

    def _next(self) -> Item:
        item = self._queue.popleft()[1]
        if not isinstance(item, bytes) or not self._queue or self._way.link.fragment_bytes:
            return item
        # One read takes all that has arrived: a stream of bytes does not remember who wrote what.
        now_s = self._loop.time()
        parts = [item]
        while self._queue and self._queue[0][0] <= now_s:
            following = self._queue[0][1]
            if not isinstance(following, bytes):
                break
            parts.append(following)
            self._queue.popleft()
        return b"".join(parts)


def _nowhere(item: Item) -> None:
    """Stand in for the reader before there is one."""
    raise RuntimeError(f"a pipe that leads nowhere was given {item!r}")
