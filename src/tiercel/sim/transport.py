"""One end of a simulated connection, behaving as a socket transport of asyncio does, from close to half-close."""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from tiercel.sim.pipe import Item, Mark, Pipe

__all__ = ["End", "Meter"]

# asyncio's own limits of a write buffer.
_HIGH_BYTES = 65_536

Address = tuple[str, int]


class Meter(msgspec.Struct, kw_only=True):
    """What a network has carried so far; ``sent_bytes`` is always the sum of the other four."""

    opened: int = 0
    sent_bytes: int = 0
    delivered_bytes: int = 0
    dropped_bytes: int = 0
    # Kept by a writer for want of room, and under way or unread.
    buffered_bytes: int = 0
    flying_bytes: int = 0
    # Calls of write() on a transport that was closing already: no harm, and seldom meant.
    late_writes: int = 0


class End(asyncio.Transport):
    """A transport; the network makes two of them for every connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        inbound: Pipe,
        outbound: Pipe,
        meter: Meter,
        names: tuple[str, Address, Address],
    ) -> None:
        side, here, there = names
        super().__init__({"sockname": here, "peername": there, "socket": None})
        self.label = f"the {side} end of {here[0]}:{here[1]} -> {there[0]}:{there[1]}"
        self._loop = loop
        self._in = inbound
        self._out = outbound
        self._meter = meter
        self._protocol: asyncio.Protocol | None = None
        self._on_gone: Callable[[End], None] | None = None
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._high = _HIGH_BYTES
        self._low = _HIGH_BYTES // 4
        self._writer_paused = False
        self._reader_paused = False
        self._eof = False
        self._ended = False
        self._closing = False
        self._gone = False

    def begin(self, protocol: asyncio.BaseProtocol, on_gone: Callable[[End], None]) -> None:
        """Give this end to its protocol; ``on_gone`` is told when the connection is lost."""
        self._on_gone = on_gone
        self.set_protocol(protocol)
        protocol.connection_made(self)

    # What arrives.

    def take(self, item: Item) -> None:
        """Act on what the other end sent."""
        if isinstance(item, bytes):
            self._meter.flying_bytes -= len(item)
            if self._gone or self._protocol is None:
                self._meter.dropped_bytes += len(item)
                # Nobody reads here any more, and the writer has to know.
                self._out.send(Mark.RESET)
            else:
                self._meter.delivered_bytes += len(item)
                self._protocol.data_received(item)
        elif self._gone or self._protocol is None:
            return
        elif item is Mark.RESET:
            self._break()
        elif self._protocol.eof_received():
            # Kept open for writing. Nothing is read any more, so that a reset is met by the next write only.
            self._in.hold()
        else:
            self.close()

    def pause_reading(self) -> None:
        if not self._closing:
            self._reader_paused = True
            self._in.hold()

    def resume_reading(self) -> None:
        if self._reader_paused and not self._closing:
            self._reader_paused = False
            self._in.flow()

    def is_reading(self) -> bool:
        return not (self._closing or self._reader_paused)

    # What is sent.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be bytes-like, not {type(data).__name__}")
        if self._eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing:
            self._meter.late_writes += 1
            return
        chunk = data if type(data) is bytes else bytes(data)
        if not chunk:
            return
        self._meter.sent_bytes += len(chunk)
        if not self._backlog and len(chunk) <= self._out.room() and not self._in.arrived(Mark.RESET):
            self._meter.flying_bytes += len(chunk)
            self._out.send(chunk)
        else:
            self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        """Take more than the link has room for."""
        self._meter.buffered_bytes += len(chunk)
        self._backlog.append(chunk)
        self._backlog_bytes += len(chunk)
        if self._in.arrived(Mark.RESET):
            # A paused reader has not seen it yet; a writer does, as with a socket.
            self._break()
            return
        self._pump()
        self._maybe_pause()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def freed(self) -> None:
        """Send more, now that the other end has read something."""
        if not self._backlog:
            return
        if self._in.arrived(Mark.RESET):
            self._break()
            return
        self._pump()
        self._maybe_resume()

    def write_eof(self) -> None:
        if self._closing or self._eof:
            return
        self._eof = True
        if not self._backlog:
            self._end()

    def can_write_eof(self) -> bool:
        return True

    def _pump(self) -> None:
        room = self._out.room()
        while self._backlog and room > 0:
            chunk = self._backlog.popleft()
            if len(chunk) > room:
                self._backlog.appendleft(chunk[room:])
                chunk = chunk[:room]
            room -= len(chunk)
            self._backlog_bytes -= len(chunk)
            self._meter.buffered_bytes -= len(chunk)
            self._meter.flying_bytes += len(chunk)
            self._out.send(chunk)
        if self._backlog:
            return
        if self._closing:
            self._loop.call_soon(self._lose, None)
        elif self._eof:
            self._end()

    def _maybe_pause(self) -> None:
        if self._backlog_bytes > self._high and not self._writer_paused and self._protocol is not None:
            self._writer_paused = True
            self._protocol.pause_writing()

    def _maybe_resume(self) -> None:
        if self._writer_paused and self._backlog_bytes <= self._low and self._protocol is not None:
            self._writer_paused = False
            self._protocol.resume_writing()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._out.send(Mark.END)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = _HIGH_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high = high
        self._low = low
        self._maybe_pause()

    def get_write_buffer_size(self) -> int:
        return self._backlog_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    # The end.

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._in.hold()
        if not self._backlog:
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        """Drop what was not sent yet, and close; what is under way still arrives, as with a socket."""
        self._drop_backlog()
        if self._closing:
            self._loop.call_soon(self._lose, None)
        else:
            self.close()

    def reset(self) -> None:
        """Cut the connection so that the other end is lost with ``ConnectionResetError``; a fault to inject."""
        self._drop_backlog()
        if not self._gone:
            self._ended = True
            self._out.send(Mark.RESET)
        self.abort()

    def is_closing(self) -> bool:
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError(f"only asyncio.Protocol is simulated, not {type(protocol).__name__}")
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        if self._protocol is None:
            raise RuntimeError("the transport has no protocol yet")
        return self._protocol

    def _break(self) -> None:
        """Be lost to a reset."""
        self._drop_backlog()
        self._closing = True
        self._in.hold()
        self._loop.call_soon(self._lose, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def _drop_backlog(self) -> None:
        self._meter.dropped_bytes += self._backlog_bytes
        self._meter.buffered_bytes -= self._backlog_bytes
        self._backlog.clear()
        self._backlog_bytes = 0

    def _lose(self, fault: Exception | None) -> None:
        if self._gone:
            return
        self._gone = True
        if self._in.bytes_waiting():
            # Closing on unread bytes resets, as Linux does.
            self._ended = True
            self._out.send(Mark.RESET)
        self._end()
        # What is still under way arrives, and is thrown away by ``take``.
        self._in.flow()
        if self._on_gone is not None:
            self._on_gone(self)
        if self._protocol is not None:
            self._protocol.connection_lost(fault)
