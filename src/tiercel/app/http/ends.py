"""The two addresses of a connection: whom we talk to, and what its share of the house is counted by."""

from __future__ import annotations

import asyncio
import ipaddress

__all__ = ["Ends"]

Place = tuple[str, int] | None


class Ends:
    """The two addresses of one connection, and whether it is encrypted."""

    __slots__ = ("address", "client", "scheme", "server")

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self.client = _place(transport.get_extra_info("peername"))
        self.server = _place(transport.get_extra_info("sockname"))
        self.scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self.address = _address(self.client)


def _place(name: object) -> Place:
    match name:
        case (str(host), int(port), *_):
            return host, port
        case _:
            return None


def _address(place: Place) -> str:
    """Return what a cap is counted by: one IPv4 address, one IPv6 network of 64 bits; nothing for a local socket."""
    if place is None or ":" not in place[0]:
        return place[0] if place else ""
    address = ipaddress.IPv6Address(place[0].partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address.packed[:8] + bytes(8), 64)))
