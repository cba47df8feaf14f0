"""Serves one contender of the door's benchmark on a port: a flow that answers at once, behind one door or another."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable

import msgspec
import uvicorn
import uvloop

from tiercel.app.http.door import make_door
from tiercel.app.http.parts import Parts
from tiercel.app.http.routes import build_app
from tiercel.flow import Served, Stage
from tiercel.route.decision import Decision
from tiercel.telemetry.prometheus import Exposition
from tiercel.terms.ask import Ask
from tiercel.terms.reply import Report, Tried

__all__ = ["CHUNKS", "CONTENDERS", "GAP_S"]

CHUNKS = 32
GAP_S = 0.01
_REPORT = Report(
    tier="silver",
    rung="fast",
    kind="model",
    degraded=False,
    ms=12.345,
    cost=0.000012,
    attempts=(Tried(rung="fast", outcome="ok", ms=12.3),),
    request_id="bench",
)


def _completion(words: str, kind: str) -> bytes:
    part = "delta" if kind.endswith("chunk") else "message"
    choice = {"index": 0, part: {"role": "assistant", "content": words}, "finish_reason": None}
    return msgspec.json.encode({"id": "chatcmpl-1", "object": kind, "created": 1, "model": "m", "choices": [choice]})


_WHOLE = Served(report=_REPORT, body=_completion("word " * 60, "chat.completion"))
_CHUNK = _completion("word", "chat.completion.chunk")
_FRAME = b"%x\r\ndata: %b\n\n\r\n" % (len(_CHUNK) + 8, _CHUNK)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class _AtOnce:
    """A flow that costs nothing, so that what is measured is the door."""

    async def serve(self, ask: Ask, stage: Stage) -> Served:
        if not ask.stream:
            return _WHOLE
        stage.begin(_REPORT)
        for _ in range(CHUNKS - 1):
            stage.event(_CHUNK)
            await asyncio.sleep(GAP_S)
        return Served(report=_REPORT, tail=(_CHUNK,))

    def explain(self, ask: Ask) -> Decision:
        return Decision(tier=None, first_s=0.0, total_s=0.0, rungs=())


def _parts() -> Parts:
    counter = itertools.count()
    return Parts(
        flow=_AtOnce(),
        ids=lambda: f"bench-{next(counter):x}",
        models=tuple,
        engines=tuple,
        metrics=lambda _accept: Exposition(b"", "text/plain"),
        ready=str,
    )


class _Floor(asyncio.Protocol):
    """What any server in Python pays: one read, one write, nothing looked at."""

    _reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 700\r\n\r\n" + b" " * 700

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write: Callable[[bytes], None] = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if b'"stream":true' in data:
            self._task = asyncio.get_running_loop().create_task(self._stream())
        else:
            self._write(self._reply)

    async def _stream(self) -> None:
        """Write as many chunks as the flow does, at the same pace."""
        self._write(_STREAM_HEAD + _FRAME)
        for _ in range(CHUNKS - 1):
            await asyncio.sleep(GAP_S)
            self._write(_FRAME)
        self._write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


async def _floor(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Floor, "127.0.0.1", port)
    await server.serve_forever()


async def _hot(port: int) -> None:
    await _uvicorn(port, make_door(_parts()))


async def _plain(port: int) -> None:
    await _uvicorn(port, make_door(_parts(), hot=False))


async def _guest(port: int) -> None:
    await _uvicorn(port, "httptools")


async def _uvicorn(port: int, http: type[asyncio.Protocol] | str) -> None:
    config = uvicorn.Config(
        build_app(_parts()),
        host="127.0.0.1",
        port=port,
        http=http,
        ws="none",
        lifespan="off",
        log_config=None,
    )
    config.access_log = False
    await uvicorn.Server(config).serve()


CONTENDERS = {
    "a bare protocol (floor)": _floor,
    "the door, hot": _hot,
    "the door, plain route": _plain,
    "uvicorn's own protocol, plain route": _guest,
}


if __name__ == "__main__":
    uvloop.run(list(CONTENDERS.values())[int(sys.argv[2])](int(sys.argv[1])))
