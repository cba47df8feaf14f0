"""On a real socket every mode sends what its script says, and the connection ends the way it says."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tiercel.engines.rehearsal.bare import arrived, chat_bytes, request_bytes
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.script import rehearse
from tiercel.engines.rehearsal.server import Stage, refused_url, rehearsal_server

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("mode", list(Mode))
async def test_every_mode_arrives_as_it_was_written(stage: Stage, mode: Mode, stream: bool) -> None:
    name = Part(mode=mode, megabytes=0.1, gap_s=0.00001).as_model()
    request = chat_bytes(name, stream=stream)
    head, _, body = request.partition(b"\r\n\r\n")
    beats = rehearse(Heard.of("POST", "/v1/chat/completions", {}, body), Part.from_model(name))
    written = b"".join(beat.data for beat in beats)
    last = beats[-1].end
    got = await arrived(
        stage.host, stage.port, request, None if last in {"close", "reset"} else lambda data: len(data) >= len(written)
    )
    assert head
    assert got.data[: len(written)] == written
    assert got.end == {"close": "fin", "reset": "reset"}.get(last, "enough")
    await stage.ledger.until(lambda: stage.ledger.open_sockets == 0)
    assert stage.ledger.abandoned == (last in {"hang", "again"})
    assert stage.ledger.count(mode=mode) == 1


async def test_nobody_listens_where_nobody_listens() -> None:
    with refused_url() as url:
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_thousand_readers_who_leave_leave_nothing_behind(stage: Stage) -> None:
    request = chat_bytes("stall:k=1", stream=True)
    for _ in range(10):
        await asyncio.gather(
            *(arrived(stage.host, stage.port, request, lambda data: b"word1" in data) for _ in range(100))
        )
        await stage.ledger.until(lambda: stage.ledger.open_sockets == 0)
    assert stage.ledger.abandoned == 1000
    assert all(0 <= departure.left_after_s < 10 for departure in stage.ledger.departures)


async def test_a_reader_who_does_not_read_stops_an_endless_engine(stage: Stage) -> None:
    reader, writer = await asyncio.open_connection(stage.host, stage.port, limit=1024)
    writer.write(chat_bytes("huge_line:mb=64"))
    await reader.read(100)
    await stage.ledger.until(lambda: stage.ledger.attempts == 1)
    assert stage.ledger.completed == 0
    writer.transport.abort()
    await stage.ledger.until(lambda: stage.ledger.abandoned == 1)
    assert stage.ledger.departures[0].beats < 1000


async def test_the_end_of_the_block_ends_every_connection() -> None:
    async with rehearsal_server(lambda _: Part(mode=Mode.SILENT)) as stage:
        reader, writer = await asyncio.open_connection(stage.host, stage.port)
        writer.write(request_bytes("/v1/models"))
        await stage.ledger.until(lambda: stage.ledger.attempts == 1)
    assert stage.ledger.open_sockets == 0
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.transport.abort()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(stage.host, stage.port)


async def test_a_url_plays_one_part_for_every_model(stage: Stage) -> None:
    url = stage.url_as(Part(mode=Mode.CUT, k=3))
    path = url.removeprefix(stage.origin)
    got = await arrived(stage.host, stage.port, chat_bytes("gpt-4o", stream=True, path=f"{path}/chat/completions"))
    assert b"word3" in got.data
    assert b"word4 " not in got.data
    assert got.end == "fin"
    assert stage.ledger.count(model="gpt-4o", mode=Mode.CUT) == 1


async def test_a_waiter_that_is_cancelled_is_forgotten(stage: Stage) -> None:
    task = asyncio.create_task(stage.ledger.until(lambda: False))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.ledger._waiters == []
