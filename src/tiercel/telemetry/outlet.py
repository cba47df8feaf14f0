"""Where log lines leave the process: a thread of their own, so that a reader who stopped reading delays no request."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tiercel.telemetry.foreign import adopted, crashes
from tiercel.telemetry.logs import Line, LogSpec, Scribe, install, render_json, render_text
from tiercel.terms.errors import TiercelError

__all__ = ["Outlet", "logging_to"]

# About a megabyte of lines; what does not fit is dropped and counted on the next line that does.
MOST_WAITING = 2_000
# How long the end of the process waits for the last lines to be read.
PATIENCE_S = 1.0
# The exit code of a bug (EX_SOFTWARE), so that a supervisor can tell it from a stop.
CRASHED = 70


class Outlet:
    """Writes lines to a stream from a thread, and drops the newest when too many wait."""

    def __init__(self, stream: TextIO, *, most_waiting: int = MOST_WAITING) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(most_waiting)
        self._broken = False
        self._thread = threading.Thread(target=self._drain, name="tiercel-logs", daemon=True)
        self._thread.start()

    def write(self, line: str) -> bool:
        """Take a line at once; return False when it is dropped."""
        if self._broken:
            return False
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return False
        return True

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Let the last lines out, for a moment and no longer: the reader may be gone."""
        try:
            self._lines.put(None, timeout=patience_s)
        except queue.Full:
            return
        self._thread.join(patience_s)

    def _drain(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # The pipe is broken or the file closed; there is nobody left to tell.
                self._broken = True
                return


@contextmanager
def logging_to(stream: TextIO, spec: LogSpec) -> Iterator[None]:
    """Write this process's logs, and those of the libraries in it, to a stream for as long as the block runs.

    A bug that ends the block ends the process, with one line for it: its own text might quote a request.
    """
    on_terminal = stream.isatty()
    outlet = Outlet(stream)

    def write(line: Line) -> bool:
        if spec.form == "json" or (spec.form == "auto" and not on_terminal):
            return outlet.write(render_json(line))
        return outlet.write(render_text(line, colour=on_terminal))

    scribe = Scribe(write, spec)
    before = install(scribe)
    try:
        with adopted():
            yield
    except TiercelError:
        raise
    except Exception as bug:  # noqa: BLE001 - the outermost frame of the process: nothing goes on from here
        crashes.error("process.crashed", error=bug)
        raise SystemExit(CRASHED) from None
    finally:
        scribe.flush()
        install(before)
        outlet.close()
