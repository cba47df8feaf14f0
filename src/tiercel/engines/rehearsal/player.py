"""Plays beats on one connection: the same class under a real socket and under a simulated one."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast, runtime_checkable

from tiercel.engines.rehearsal.ear import Ear, beset
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.ledger import Departure, Ledger
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part, UnknownPart
from tiercel.engines.rehearsal.script import Beat, rehearse

Choose = Callable[[Heard], Part]
"""Says which part to play for a request; a part named in the path goes first, whatever it says."""

_MOST_WAITING: Final = 16
_LINGER_S: Final = 1.0
_AGAIN_S: Final = 0.001
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Bell(Protocol):
    """A timer that was set."""

    def cancel(self) -> None:
        """Let it not ring."""
        ...


class Alarm(Protocol):
    """The little of an event loop that playing takes."""

    def time(self) -> float:
        """Tell the seconds on the loop's own clock."""
        ...

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Bell:
        """Call back after so many seconds."""
        ...


@runtime_checkable
class Resets(Protocol):
    """A transport without a socket that can still reset its connection, as a simulated one can."""

    def reset(self) -> None:
        """End the connection so that the other side sees a reset."""
        ...


def by_name(heard: Heard) -> Part:
    """Play what the model's name says (``cut:k=3``), and a good reply for every name that is no mode's.

    Raises ``UnknownPart`` when the name starts with a mode and goes on wrongly.
    """
    return Part.from_model(heard.model) if heard.model.partition(":")[0] in _MODES else _PLAIN


_MODES: Final = frozenset(mode.value for mode in Mode)
_PLAIN: Final = Part()


class Player(asyncio.Protocol):
    """One connection to the engine: hears requests, plays one part at a time, in order, and notes who leaves."""

    def __init__(self, choose: Choose, ledger: Ledger, alarm: Alarm) -> None:
        self._choose = choose
        self._ledger = ledger
        self._alarm = alarm
        self._ear: Ear | None = None
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[Heard, bool]] = deque()
        self._heard: Heard | None = None  # whose part is being played; None between two
        self._mode = Mode.PLAIN
        self._stays = True
        self._early = False
        self._since_s = 0.0
        self._beats: list[Beat] = []
        self._next = 0
        self._sent = 0
        self._timer: Bell | None = None
        self._waited = False  # the next beat's time has come
        self._held = False  # the reader does not read
        self._hung = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._ear = Ear(self._on_head, self._on_heard)
        wire = transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ledger.opened()

    def data_received(self, data: bytes) -> None:
        """Take bytes of requests; what follows an early reply is drained and forgotten."""
        if self._early or self._ear is None or self._ear.feed(data):
            return
        self._ledger.garbled()
        self._ear = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_BAD_REQUEST)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop playing; a reader who is gone before the end is noted."""
        if self._timer is not None:
            self._timer.cancel()
        if self._heard is not None:
            left_after_s = self._alarm.time() - self._since_s
            self._ledger.left(
                Departure(model=self._heard.model, mode=self._mode, left_after_s=left_after_s, beats=self._sent)
            )
        self._timer = self._heard = self._transport = self._ear = None
        self._waiting.clear()
        self._ledger.closed()

    def pause_writing(self) -> None:
        """Hold the beats while the reader does not read."""
        self._held = True

    def resume_writing(self) -> None:
        """Go on where the beats were held."""
        self._held = False
        if self._timer is None:
            self._play()

    def _on_head(self, heard: Heard) -> None:
        """Answer at once what shall be answered before its body; only a path can name that."""
        if self._heard is None and heard.path.startswith("/as/early") and self._part(heard)[0].mode is Mode.EARLY:
            self._early = True
            self._begin(heard, stays=False)
        elif heard.headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _on_heard(self, heard: Heard, stays: bool) -> None:  # noqa: FBT001 - the parser's callback
        if self._early or self._transport is None or self._transport.is_closing():
            return
        if self._heard is None:
            self._begin(heard, stays=stays)
            return
        self._waiting.append((heard, stays))
        if len(self._waiting) >= _MOST_WAITING:
            self._transport.pause_reading()

    def _part(self, heard: Heard) -> tuple[Part, Heard]:
        """Find the part to play; a wrong name is played as a refusal that says so."""
        try:
            return heard.named or self._choose(heard), heard
        except UnknownPart as wrong:
            return _PLAIN, beset(heard, "bad_part", str(wrong))

    def _begin(self, heard: Heard, *, stays: bool) -> None:
        part, self._heard = self._part(heard)
        self._mode, self._stays = part.mode, stays
        self._since_s = self._alarm.time()
        self._ledger.began(heard, part.mode)
        self._beats, self._next, self._sent = rehearse(self._heard, part), 0, 0
        self._waited = self._hung = False
        self._play()

    def _play(self) -> None:
        """Send what is due now, then set one timer for what comes next."""
        while self._heard is not None and self._transport is not None and not (self._held or self._hung):
            if self._next == len(self._beats):
                self._finish(self._transport)
                return
            beat = self._beats[self._next]
            after_s = max(beat.after_s, _AGAIN_S) if beat.end == "again" else beat.after_s
            if after_s > 0 and not self._waited:
                self._timer = self._alarm.call_later(after_s, self._strike)
                return
            self._waited = False
            self._send(self._transport, beat)

    def _strike(self) -> None:
        self._timer = None
        self._waited = True
        self._play()

    def _send(self, transport: asyncio.Transport, beat: Beat) -> None:
        self._sent += 1
        self._hung = beat.end == "hang"
        if beat.end != "again":
            self._next += 1
        if beat.data:
            transport.write(beat.data)
        if beat.end in {"close", "reset"}:
            self._complete()
            self._close(transport, reset=beat.end == "reset")

    def _complete(self) -> None:
        self._heard = None
        self._ledger.finished()

    def _finish(self, transport: asyncio.Transport) -> None:
        """End a reply well: on to the next request, unless this connection was asked to end."""
        self._complete()
        if not self._stays:
            transport.close()
        elif self._waiting:
            if len(self._waiting) >= _MOST_WAITING:
                transport.resume_reading()
            heard, stays = self._waiting.popleft()
            self._begin(heard, stays=stays)

    def _close(self, transport: asyncio.Transport, *, reset: bool) -> None:
        """Send FIN or RST; what is still unread would turn a FIN into an RST, so an early reply lingers."""
        if reset:
            _reset(transport)
        elif self._early and transport.can_write_eof():
            transport.write_eof()
            self._timer = self._alarm.call_later(_LINGER_S, transport.close)
        else:
            transport.close()


def _reset(transport: asyncio.Transport) -> None:
    if isinstance(transport, Resets):
        transport.reset()
        return
    wire = transport.get_extra_info("socket")
    if wire is not None:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
