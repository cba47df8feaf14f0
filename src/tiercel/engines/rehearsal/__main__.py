"""``python -m tiercel.engines.rehearsal``: an engine with every fault, to try by hand."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable

from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part, UnknownPart
from tiercel.engines.rehearsal.player import Choose, by_name
from tiercel.engines.rehearsal.server import rehearsal_server


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    parser = _parser()
    told = parser.parse_args(arguments)
    if told.list:
        width = max(map(len, Mode))
        sys.stdout.writelines(f"{mode.value:{width}}  {mode.layer:8} {mode.reason}\n" for mode in Mode)
        return 0
    try:
        choose = _chooser(told.mode)
    except UnknownPart as wrong:
        parser.error(f"--mode {told.mode}: {wrong}")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(choose, told.host, told.port))
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Take the fast loop where it is installed: a slow engine would hide how fast what stands before it is."""
    try:
        import uvloop  # noqa: PLC0415 - not built for every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tiercel.engines.rehearsal",
        description="An engine that plays good replies and faults, in OpenAI's and Anthropic's dialect.",
        epilog="A request chooses its part by the model's name (cut:k=3,first=0.01) or by the path "
        "(http://HOST:PORT/as/cut:k=3/v1); --list names them all.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (default: loopback only)")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--mode", default="", metavar="PART", help="play this part for every model, e.g. stall:k=2")
    parser.add_argument("--list", action="store_true", help="name every mode and why it is there, and end")
    return parser


def _chooser(mode: str) -> Choose:
    if not mode:
        return by_name
    part = Part.from_model(mode)
    return lambda _: part


async def _serve(choose: Choose, host: str, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    async with rehearsal_server(choose, host=host, port=port) as stage:
        sys.stdout.write(f"{stage.url}\n")
        sys.stdout.flush()
        await stopped.wait()
        ledger = stage.ledger
        sys.stdout.write(f"{ledger.attempts} requests, {ledger.completed} completed, {ledger.abandoned} abandoned\n")


if __name__ == "__main__":
    sys.exit(main())
