"""Server-sent events out of bytes that arrive in any pieces."""

from __future__ import annotations

from collections.abc import Callable

from tiercel.terms.errors import EngineFailed

__all__ = ["MAX_LINE_BYTES", "EventReader"]

MAX_LINE_BYTES = 1024 * 1024
MAX_EVENTS = 200_000


class EventReader:
    """Calls ``on_event`` with the data of each event, its lines joined; comments and other fields are passed over."""

    __slots__ = ("_data", "_events", "_on_event", "_rest")

    def __init__(self, on_event: Callable[[bytes], None]) -> None:
        self._on_event = on_event
        self._rest = b""
        self._data: list[bytes] = []
        self._events = 0

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises ``EngineFailed`` when a line or the number of events is beyond every reason."""
        # Nearly every engine sends one whole event per write: that case costs three comparisons.
        if (
            not self._rest
            and not self._data
            and data[:6] == b"data: "
            and data[-2:] == b"\n\n"
            and data.find(b"\n") == len(data) - 2
        ):
            self._emit(data[6:-2].rstrip(b"\r"))
            return
        lines = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_LINE_BYTES:
            raise EngineFailed("malformed", "a line of the stream has no end")
        for line in lines:
            self._line(line)

    def finish(self) -> None:
        """Take the end of the bytes: a last event that lacks its empty line still counts."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        self._line(b"")

    def _line(self, line: bytes) -> None:
        if not line:
            if self._data:
                data, self._data = b"\n".join(self._data), []
                self._emit(data)
            return
        if line.startswith(b"data:"):
            value = line[5:]
            self._data.append(value[1:] if value[:1] == b" " else value)
            if sum(map(len, self._data)) > MAX_LINE_BYTES:
                raise EngineFailed("malformed", "an event of the stream is too large")

    def _emit(self, data: bytes) -> None:
        self._events += 1
        if self._events > MAX_EVENTS:
            raise EngineFailed("malformed", "the stream has too many events")
        self._on_event(data)
