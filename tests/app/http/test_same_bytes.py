"""The hot path and the plain route say the same, to the byte, so that a client cannot tell which it met."""

from __future__ import annotations

import msgspec
import pytest

from app.http.caller import CHAT, EMBEDDINGS, chat, request
from app.http.small_door import fails, gate_of, says
from tiercel.sim import virtual
from tiercel.terms.errors import BadRequest, EngineFailed, Exhausted, OverQuota, Shed

LINE = ["x-request-id: one"]
SENT = {
    "json": chat("a", lines=LINE),
    "stream": chat("a", stream=True, lines=LINE),
    "wishes": chat("a", lines=[*LINE, "x-tiercel-sla: realtime"], tiercel={"persona": "guard"}),
    "vectors": request(EMBEDDINGS, b'{"model":"a","input":"x"}', lines=LINE),
    "closing": chat("a", lines=[*LINE, "connection: close"]),
    "closing stream": chat("a", stream=True, lines=[*LINE, "connection: close"]),
    "old": chat("a", version="1.0", lines=LINE),
    "old stream": chat("a", version="1.0", stream=True, lines=LINE),
    "old and kept": chat("a", version="1.0", lines=[*LINE, "connection: keep-alive"]),
    "no json": request(CHAT, b"{", lines=LINE),
    "no body": request(CHAT, lines=LINE),
    "no utf-8": request(CHAT, b'{"model":"\xff"}', lines=LINE),
    "wrong field": chat("a", n=9, lines=LINE),
    "wrong header": chat("a", lines=[*LINE, "x-tiercel-sla: soon"]),
    "wrong type": chat("a", lines=[*LINE, "content-type: text/plain"]),
    "compressed": chat("a", lines=[*LINE, "content-encoding: br"]),
    "foreign": chat("a", lines=[*LINE, "origin: null"]),
    "no model": chat("nobody", lines=LINE),
    "late": chat("late", lines=LINE),
    "full": chat("full", lines=LINE),
    "spent": chat("spent", lines=LINE),
    "limited": chat("limited", lines=LINE),
    "engine's code": chat("long", lines=LINE),
    "broken stream": chat("broken", stream=True, lines=LINE),
    "bug": chat("bug", lines=LINE),
    "bug in a stream": chat("bug", stream=True, lines=LINE),
    "too large": request(CHAT, lines=[*LINE, "content-length: 3000000"]),
    "chunked": request(CHAT, b"2\r\n{}\r\n0\r\n\r\n", lines=[*LINE, "transfer-encoding: chunked"]),
}
SCRIPT = {
    "a": says("one two three"),
    "late": fails(Exhausted("no time is left", code="deadline")),
    "full": fails(Shed("as much as it may hold")),
    "spent": fails(OverQuota("you", retry_after_s=1.5)),
    "limited": fails(Exhausted("limited", [EngineFailed("rate_limited", "slow down", retry_after_s=20)])),
    "long": fails(BadRequest("too long", param="messages", code="context_length_exceeded")),
    "broken": fails(Exhausted("cut"), words=["so", "far"]),
    "bug": fails(ZeroDivisionError(), words=[]),
}


async def heard(sent: bytes, *, hot: bool) -> bytes:
    gate, _ = gate_of(SCRIPT, hot=hot)
    async with gate.caller() as caller:
        caller.send(sent + request("/healthz", method="GET", lines=LINE))
        await caller.replies(2)
        return bytes(caller.heard)


@pytest.mark.parametrize("name", SENT)
def test_both_ways_give_the_same_bytes(name: str) -> None:
    hot = virtual.run(heard(SENT[name], hot=True))
    plain = virtual.run(heard(SENT[name], hot=False))
    assert hot == plain
    assert hot.startswith(b"HTTP/1.1 ")


def test_both_ways_ask_the_flow_the_same() -> None:
    def asked(*, hot: bool) -> object:
        async def story() -> object:
            gate, flow = gate_of(SCRIPT, hot=hot)
            async with gate.caller() as caller:
                await caller.ask(SENT["wishes"])
                await caller.ask(SENT["vectors"])
            return [
                (ask.id, ask.kind, ask.model, ask.size_bytes, ask.shape, ask.wishes, msgspec.json.encode(ask.fields))
                for ask in flow.asks
            ]

        return virtual.run(story())

    assert asked(hot=True) == asked(hot=False)
