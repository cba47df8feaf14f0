"""Runs the server for a person: takes the port, says what there is when it is up, ends without a trace."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
import webbrowser
from collections.abc import Callable

import msgspec

from tiercel.app.cli.caller import OverHttp
from tiercel.app.cli.exits import Unreachable
from tiercel.app.cli.greeting import greeting, offers
from tiercel.app.nearby import look_around
from tiercel.app.proof import insist_on_promises
from tiercel.app.server import serve
from tiercel.app.settings import Loaded, ServerSpec
from tiercel.telemetry.outlet import logging_to
from tiercel.terms.clock import Deadline, SystemClock
from tiercel.terms.errors import Misconfigured, TiercelError

__all__ = ["listen", "start"]

_BACKLOG = 2048
_PROBE_S = 0.5


def start(loaded: Loaded, *, open_page: bool, as_json: bool) -> None:
    """Serve until Ctrl-C; raises ``Misconfigured`` when that cannot begin."""
    insist_on_promises(loaded)
    door = listen(loaded.settings.server)
    with logging_to(sys.stderr, loaded.settings.log), door, asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(loaded, door, open_page=open_page, as_json=as_json))


def listen(spec: ServerSpec) -> socket.socket:
    """Take the port; raises ``Misconfigured`` with who has it and which flag to use."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            spec.host.strip("[]"), spec.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        message = f"server.host = {spec.host}: {error.strerror}; use 127.0.0.1 or an address of this machine"
        raise Misconfigured(message) from error
    door = socket.socket(family, kind, protocol)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
        # At once, so that two that start in the same moment do not both believe that they have it.
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        raise Misconfigured(_why_not(spec, error)) from error
    return door


def _why_not(spec: ServerSpec, error: OSError) -> str:
    place = f"port {spec.port} on {spec.host}"
    if error.errno == errno.EADDRINUSE:
        with asyncio.Runner() as runner:
            ours = runner.run(_is_tiercel(_url(spec, spec.port)))
        if ours:
            where = "" if spec.port == ServerSpec().port else f" --url {_url(spec, spec.port)}"
            return (
                f"{place} is taken: Tiercel runs there already. Use it: tiercel chat{where}, or start another: --port 0"
            )
        return (
            f"{place} is taken by another program. Choose another: --port {spec.port + 1}, or --port 0 for a free one"
        )
    if error.errno == errno.EACCES:
        return f"{place} is for root only. Choose one above 1023: --port 8484"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{spec.host} is no address of this machine: --host 127.0.0.1"
    return f"cannot listen on {place}: {error.strerror}"


async def _is_tiercel(url: str) -> bool:
    server = OverHttp(url, SystemClock())
    try:
        return b'"tiercel"' in await server.fetch("/v1/models", Deadline.after(_PROBE_S, SystemClock()))
    except (TiercelError, Unreachable):
        return False
    finally:
        await server.aclose()


async def _serve(loaded: Loaded, door: socket.socket, *, open_page: bool, as_json: bool) -> None:
    url = _url(loaded.settings.server, door.getsockname()[1])
    up = asyncio.Event()

    def ready() -> None:
        if as_json:
            tiers = {tier: spec.rungs for tier, spec in loaded.settings.tiers.items()}
            # One line, so that a program can read it while the server goes on.
            line = {"url": url, "pid": os.getpid(), "file": loaded.file or None, "tiers": tiers}
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        else:
            sys.stdout.write(greeting(loaded, url))
        sys.stdout.flush()
        up.set()

    async with asyncio.TaskGroup() as group:
        later = group.create_task(_once_up(up, loaded, url, open_page=open_page and not as_json, talk=not as_json))
        await serve(loaded, ready, door)
        later.cancel()


async def _once_up(up: asyncio.Event, loaded: Loaded, url: str, *, open_page: bool, talk: bool) -> None:
    """Do what may take a moment and must not keep anybody waiting."""
    await up.wait()
    if talk:
        known = {engine.url for engine in loaded.settings.engines.values()}
        found = [one for one in await look_around(SystemClock()) if one.url not in known]
        sys.stdout.write(offers(found))
        sys.stdout.flush()
    if open_page and _has_screen():
        await asyncio.to_thread(webbrowser.open, f"{url}/")


def _has_screen() -> bool:
    """Whether a person sits here who would see a browser open."""
    if not sys.stdout.isatty() or os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _url(spec: ServerSpec, port: int) -> str:
    """Return the address to use from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(spec.host, spec.host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host and not host.startswith("[") else f"http://{host}:{port}"


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
