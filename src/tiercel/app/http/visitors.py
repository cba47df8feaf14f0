"""Who may knock: the syntax of ``Host`` and target, the names this server answers to, the pages that may call it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from tiercel.app.http import faults

__all__ = ["LOOPBACK", "Visitors", "absolute_form"]

# A registered name without the characters that only make trouble (RFC 3986 would allow commas and more), or an IPv6
# address in brackets; then maybe a port.
_HOST = re.compile(rb"(?:([A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}))|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)(.*)", re.DOTALL)
_MAX_PORT = 65535
# Methods that change nothing; a page of another origin may send them, and gets no CORS header to read the answer.
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS"})

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _name_of(host: bytes) -> str:
    """Return the name in a ``Host`` value, lower-case and without port or brackets; raise when it is no such value."""
    match = _HOST.fullmatch(host)
    if match is None or int(match[3] or 0) > _MAX_PORT:
        raise faults.malformed("the Host header is not one valid host")
    if match[1] is not None:
        return match[1].decode("ascii").lower().rstrip(".")
    try:
        return str(ipaddress.IPv6Address(match[2].decode("ascii")))
    except ValueError as error:
        raise faults.malformed("the Host header is not one valid host") from error


def absolute_form(target: bytes) -> tuple[bytes, bytes] | None:
    """Split ``http://authority/path`` into authority and path; None when the target has another form."""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        return None
    path = match[2]
    return match[1], path if path.startswith(b"/") else b"/" + path


class Visitors:
    """The rules for names and origins.

    ``hosts`` are the names this server answers to, against DNS rebinding; None answers to any valid name, for a
    server that is meant to be public. ``origins`` are pages of other sites that may send unsafe methods.
    """

    def __init__(self, hosts: Iterable[str] | None = LOOPBACK, origins: Iterable[str] = ()) -> None:
        self._hosts = None if hosts is None else frozenset(_plain(name) for name in hosts)
        self._origins = frozenset(origin.rstrip("/").lower().encode() for origin in origins)

    def check_host(self, host: bytes) -> None:
        """Raise unless this is one valid host, and one of ours."""
        name = _name_of(host)
        if self._hosts is not None and name not in self._hosts:
            raise faults.foreign("this server does not answer to that Host; see app.hosts in the configuration", 421)

    def check_origin(self, method: bytes, origin: bytes, host: bytes) -> None:
        """Raise when a page of another site tries to change something here."""
        if method in _SAFE:
            return
        origin = origin.lower()
        host = host.lower()
        if origin in self._origins or origin in (b"http://" + host, b"https://" + host):
            return
        raise faults.foreign("cross-origin requests are refused; see app.origins in the configuration", 403)


def _plain(name: str) -> str:
    name = name.lower().rstrip(".")
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name
