"""The same player on a simulated network: hours pass in no time, and a reset is a reset there too."""

from __future__ import annotations

import asyncio

import pytest

from tiercel.engines.rehearsal.bare import Parsed, chat_bytes
from tiercel.engines.rehearsal.ledger import Ledger
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.player import Player
from tiercel.sim import virtual


class Reader(asyncio.Protocol):
    """Keeps what arrives, and when; says once how it ended."""

    def __init__(self) -> None:
        self.data = b""
        self.times_s: list[float] = []
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.times_s.append(asyncio.get_running_loop().time())

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result("reset" if isinstance(exc, ConnectionResetError) else "fin")


async def opened(part: Part, ledger: Ledger) -> tuple[asyncio.Transport, Reader]:
    world = virtual.here()
    world.network.listen("engine", 80, lambda: Player(lambda _: part, ledger, world.loop))
    end, reader = await world.network.connect(Reader, "engine", 80)
    end.write(chat_bytes("m", stream=True))
    return end, reader


@pytest.mark.parametrize(("mode", "ended"), [(Mode.CUT, "fin"), (Mode.RESET, "reset"), (Mode.REFUSE, "reset")])
def test_a_connection_ends_as_the_part_says(mode: Mode, ended: str) -> None:
    async def story() -> None:
        ledger = Ledger()
        end, reader = await opened(Part(mode=mode, gap_s=0.1), ledger)
        assert await reader.ended == ended
        end.abort()
        await ledger.until(lambda: ledger.open_sockets == 0)
        assert ledger.completed == 1

    virtual.run(story())


def test_words_arrive_at_their_own_pace_however_slow() -> None:
    async def story() -> None:
        ledger = Ledger()
        end, reader = await opened(Part(first_s=3600, gap_s=60, chunks=4), ledger)
        await ledger.until(lambda: ledger.completed == 1)
        await asyncio.sleep(1)
        waits = [later - earlier for earlier, later in zip(reader.times_s, reader.times_s[1:], strict=False)]
        assert waits[:4] == pytest.approx([3600, 60, 60, 60], abs=1)
        assert Parsed(reader.data).complete == 1
        end.close()
        await ledger.until(lambda: ledger.open_sockets == 0)
        assert ledger.abandoned == 0

    virtual.run(story())


def test_a_silent_engine_notes_when_its_reader_gave_up() -> None:
    async def story() -> None:
        ledger = Ledger()
        end, reader = await opened(Part(mode=Mode.SILENT), ledger)
        await ledger.until(lambda: ledger.attempts == 1)
        await asyncio.sleep(7200)
        end.close()
        await ledger.until(lambda: ledger.open_sockets == 0)
        assert ledger.departures[0].left_after_s == pytest.approx(7200, abs=1)
        assert reader.data == b""

    virtual.run(story())
