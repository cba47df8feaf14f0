"""Other people's logs and crashes, told as events of ours: who spoke, what kind of thing, and where it broke.

A library's message may quote a request, an address with a key in it, or the text of an exception. So an event tells
the place in the library's code; its words only where we know how they begin, and never the arguments; and of an
exception the class and the frames.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tiercel.telemetry.logs import Logger, logger
from tiercel.telemetry.redaction import Value

__all__ = ["ForeignHandler", "adopted", "crashes", "opening"]

# Where the fixed part of a message ends: at a placeholder, a quotation, a repr, a colon or the end of a sentence.
END_OF_OPENING = re.compile(r"""[%'"`<({\[:=\r\n]|\.(?:\s|$)""")
MOST_CHARS = 80
# uvicorn writes one line per request here, with its whole path; requests are counted, not logged.
SILENT = ("uvicorn.access",)
# These speak about the life of the server, which is worth reading; other libraries only when something is wrong.
WORTH_READING = ("uvicorn", "uvicorn.error")
# Whose messages begin with fixed words.
KNOWN = ("uvicorn", "asyncio")

crashes = logger("process")


class ForeignHandler(logging.Handler):
    """Turns a record of the standard library's logging into an event."""

    def __init__(self) -> None:
        super().__init__()
        self._loggers: dict[str, Logger] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the event; the arguments of the message stay behind."""
        library = record.name.partition(".")[0]
        log = self._loggers.get(library) or self._loggers.setdefault(library, logger(library))
        tell = log.error if record.levelno >= logging.ERROR else log.info
        if record.levelno == logging.WARNING:
            tell = log.warning
        fields: dict[str, Value] = {"at": f"{record.filename}:{record.lineno} {record.funcName}"}
        if library in KNOWN:
            fields["what"] = opening(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = record.exc_info[1]
        tell(f"{library}.said", **fields)


def opening(message: object) -> str:
    """Return the fixed beginning of a library's message."""
    if not isinstance(message, str):
        return type(message).__name__
    return END_OF_OPENING.split(message, maxsplit=1)[0].strip()[:MOST_CHARS]


@contextmanager
def adopted() -> Iterator[None]:
    """Route the standard library's logging and what breaks outside of any call into ours, until the block ends."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [ForeignHandler()]
    root.setLevel(logging.WARNING)
    named = [logging.getLogger(name) for name in (*SILENT, *WORTH_READING)]
    kept = [(log, log.handlers[:], log.level, log.propagate) for log in named]
    for log in named:
        log.handlers.clear()
        log.setLevel(logging.INFO)
        log.propagate = log.name not in SILENT
    hooks = threading.excepthook, sys.unraisablehook
    threading.excepthook, sys.unraisablehook = _thread_crash, _unraisable
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks
        root.handlers[:] = handlers
        root.setLevel(level)
        for log, log_handlers, log_level, propagate in kept:
            log.handlers[:] = log_handlers
            log.setLevel(log_level)
            log.propagate = propagate


def _thread_crash(args: threading.ExceptHookArgs) -> None:
    crashes.error("process.thread_crashed", error=args.exc_value)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    crashes.error("process.unraisable", error=args.exc_value)
