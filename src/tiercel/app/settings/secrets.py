"""Fetches the keys of engines from where the configuration says they are, and keeps them out of every print."""

from __future__ import annotations

import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

__all__ = ["MAX_SECRET_BYTES", "Secret", "SecretError", "fetch", "names_a_place"]

MAX_SECRET_BYTES = 8192
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secret:
    """A text that shows itself only when asked by name: ``reveal()``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; called where a request's head is written and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuse to be pickled or copied into another process's memory."""
        message = "a secret is not written down"
        raise TypeError(message)


class SecretError(Exception):
    """The secret is not where the configuration says, or not kept as it must be; says which, never what."""


def names_a_place(key: str) -> bool:
    """Whether a ``key`` names where the secret is, and does not look like the secret itself."""
    kind, colon, rest = key.partition(":")
    if kind == "env":
        return bool(colon and _ENV_NAME.fullmatch(rest))
    return bool(kind == "file" and colon and rest)


def fetch(key: str, environ: Mapping[str, str]) -> Secret:
    """Return the secret that ``env:NAME`` or ``file:PATH`` names; raises ``SecretError``."""
    kind, _, rest = key.partition(":")
    text = _from_env(rest, environ) if kind == "env" else _from_file(Path(rest).expanduser())
    # It becomes part of a request's head, where a line break would be a second header.
    if not text.isascii() or not text.isprintable():
        message = f"what {key} holds is not one line of printable ASCII"
        raise SecretError(message)
    return Secret(text)


def _from_env(name: str, environ: Mapping[str, str]) -> str:
    text = environ.get(name, "").strip()
    if not text:
        message = f"the environment variable {name} is not set; set it: export {name}=..."
        raise SecretError(message)
    return text


def _from_file(path: Path) -> str:
    try:
        # Not blocking, so that a named pipe put in the file's place cannot hold the start.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise SecretError(message) from error
    try:
        # The open file is asked, not its name, which could point elsewhere by now.
        _insist_on_privacy(path, os.fstat(handle))
        data = os.read(handle, MAX_SECRET_BYTES + 1)
    finally:
        os.close(handle)
    text = data.decode("utf-8", "replace").strip()
    if not text or len(data) > MAX_SECRET_BYTES:
        size = "is empty" if not text else f"is larger than {MAX_SECRET_BYTES} bytes"
        message = f"{path} {size}"
        raise SecretError(message)
    return text


def _insist_on_privacy(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        message = f"{path} is not a regular file"
    elif state.st_uid != os.geteuid():
        message = f"{path} belongs to uid {state.st_uid} and not to us (uid {os.geteuid()})"
    elif stat.S_IMODE(state.st_mode) & 0o177:
        message = f"{path} has mode {stat.S_IMODE(state.st_mode):04o}, others may read it; run: chmod 600 {path}"
    else:
        return
    raise SecretError(message)
