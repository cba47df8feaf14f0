"""The player keeps the beat on any clock: these tests turn the dial by hand, without a loop and without a socket."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

import pytest

from tiercel.engines.rehearsal.bare import Parsed, chat_bytes, request_bytes
from tiercel.engines.rehearsal.heard import Heard
from tiercel.engines.rehearsal.ledger import OTHERS, Ledger
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.player import Choose, Player, by_name


class Bell:
    """One timer of the dial."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Dial:
    """A clock that moves only when told to, with timers."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._bells: list[tuple[float, int, Bell]] = []

    def time(self) -> float:
        return self._now_s

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Bell:
        bell = Bell(callback)
        heapq.heappush(self._bells, (self._now_s + delay, len(self._bells), bell))
        return bell

    def turn(self, seconds: float) -> None:
        until_s = self._now_s + seconds
        while self._bells and self._bells[0][0] <= until_s + 1e-9:
            self._now_s, _, bell = heapq.heappop(self._bells)
            if bell.callback is not None:
                bell.callback()
        self._now_s = until_s

    @property
    def pending(self) -> int:
        return sum(bell.callback is not None for _, _, bell in self._bells)


class Wire(asyncio.Transport):
    """A transport that only remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.ended = ""
        self.flow: list[str] = []
        self.half_closed = False

    @property
    def data(self) -> bytes:
        return b"".join(self.writes)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.ended = self.ended or "close"

    def abort(self) -> None:
        self.ended = self.ended or "reset"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def pause_reading(self) -> None:
        self.flow.append("pause")

    def resume_reading(self) -> None:
        self.flow.append("resume")


class House:
    """A player on a dial and a wire."""

    def __init__(self, choose: Choose = by_name) -> None:
        self.dial, self.wire, self.ledger = Dial(), Wire(), Ledger(keep=4, keep_bytes=100)
        self.player = Player(choose, self.ledger, self.dial)
        self.player.connection_made(self.wire)

    def leave(self) -> None:
        self.player.connection_lost(None)


def played(part: Part) -> House:
    house = House(lambda _: part)
    house.player.data_received(chat_bytes("m", stream=True))
    return house


def test_every_beat_leaves_at_its_time() -> None:
    house = played(Part(head_s=1, first_s=0.5, gap_s=0.25, chunks=3))
    times: list[float] = []
    while house.dial.pending:
        house.dial.turn(0.25)
        times += [house.dial.time()] * (len(house.wire.writes) - len(times))
    assert times == [1.0, 1.5, 1.75, 2.0, 2.0]
    assert (house.ledger.completed, house.ledger.abandoned) == (1, 0)


def test_a_connection_serves_one_request_after_another() -> None:
    house = House()
    for name in ("plain", "broken", "gpt-4o"):
        house.player.data_received(chat_bytes(name))
    assert Parsed(house.wire.data).statuses == [200, 500, 200]
    assert house.wire.ended == ""
    assert (house.ledger.attempts, house.ledger.connections, house.ledger.open_sockets) == (3, 1, 1)


def test_pipelined_requests_are_answered_in_their_order_one_at_a_time() -> None:
    house = House()
    house.player.data_received(chat_bytes("plain:first=1,text=slow") + chat_bytes("plain:text=quick"))
    assert house.wire.data == b""
    house.dial.turn(1)
    assert house.wire.data.index(b"slow") < house.wire.data.index(b"quick")
    assert house.ledger.completed == 2


def test_a_flood_of_pipelined_requests_stops_the_reading() -> None:
    house = House()
    house.player.data_received(chat_bytes("plain:first=1") + chat_bytes("plain") * 16)
    assert house.wire.flow == ["pause"]
    house.dial.turn(1)
    assert house.wire.flow == ["pause", "resume"]
    assert Parsed(house.wire.data).complete == 17


def test_a_request_arrives_in_any_pieces() -> None:
    house = House()
    for byte in chat_bytes("plain:text=whole"):
        house.player.data_received(bytes([byte]))
    assert b'"whole"' in house.wire.data


def test_a_connection_closes_when_the_client_said_so() -> None:
    house = House()
    house.player.data_received(request_bytes("/v1/models", lines=("connection: close",)))
    assert house.wire.ended == "close"
    assert Parsed(house.wire.data).complete == 1


@pytest.mark.parametrize(("mode", "ended"), [(Mode.CUT, "close"), (Mode.RESET, "reset"), (Mode.UNTIL_CLOSE, "close")])
def test_a_script_that_ends_the_connection_ends_it(mode: Mode, ended: str) -> None:
    house = played(Part(mode=mode))
    assert house.wire.ended == ended
    assert (house.ledger.completed, house.ledger.abandoned) == (1, 0)
    house.player.data_received(chat_bytes("plain"))
    assert house.ledger.attempts == 1


@pytest.mark.parametrize("mode", [Mode.SILENT, Mode.STALL, Mode.LONG_LENGTH])
def test_what_hangs_hangs_for_ever(mode: Mode) -> None:
    house = played(Part(mode=mode))
    before = house.wire.data
    house.dial.turn(1e9)
    house.player.pause_writing()
    house.player.resume_writing()
    assert (house.wire.data, house.wire.ended) == (before, "")
    house.leave()
    assert house.ledger.departures[0].left_after_s == 1e9
    assert (house.ledger.completed, house.ledger.abandoned, house.ledger.open_sockets) == (0, 1, 0)


def test_who_leaves_is_noted_with_the_time_and_nothing_is_left_behind() -> None:
    house = played(Part(first_s=1, gap_s=1))
    house.dial.turn(2.5)
    house.leave()
    (departure,) = house.ledger.departures
    assert (departure.model, departure.mode, departure.left_after_s, departure.beats) == ("m", Mode.PLAIN, 2.5, 3)
    assert house.dial.pending == 0
    sent = len(house.wire.writes)
    house.dial.turn(100)
    assert len(house.wire.writes) == sent


def test_who_leaves_between_two_requests_abandons_nothing() -> None:
    house = House()
    house.player.data_received(chat_bytes("plain"))
    house.leave()
    assert (house.ledger.abandoned, house.ledger.open_sockets) == (0, 0)


def test_an_endless_part_goes_on_until_the_reader_leaves() -> None:
    house = played(Part(mode=Mode.ENDLESS, gap_s=0.01))
    house.dial.turn(10)
    assert 990 <= len(house.wire.writes) <= 1010
    house.leave()
    assert house.dial.pending == 0


def test_a_reader_who_does_not_read_holds_the_beats() -> None:
    house = played(Part(mode=Mode.ENDLESS, gap_s=0.01))
    house.player.pause_writing()
    sent = len(house.wire.writes)
    house.dial.turn(100)
    assert len(house.wire.writes) == sent
    assert house.dial.pending == 0
    house.player.resume_writing()
    assert len(house.wire.writes) == sent + 1
    house.dial.turn(1)
    assert len(house.wire.writes) > sent + 90


def test_a_pause_within_a_wait_costs_no_extra_time() -> None:
    house = played(Part(first_s=1, chunks=1))
    house.player.pause_writing()
    house.dial.turn(0.5)
    house.player.resume_writing()
    house.dial.turn(0.5)
    assert house.ledger.completed == 1


def test_an_early_reply_does_not_wait_for_the_body_and_lingers() -> None:
    house = House()
    whole = chat_bytes("m", path="/as/early/v1/chat/completions")
    head = whole.index(b"\r\n\r\n") + 4
    house.player.data_received(whole[:head])
    assert Parsed(house.wire.data).statuses == [413]
    assert (house.wire.half_closed, house.wire.ended) == (True, "")
    house.player.data_received(whole[head:])
    house.dial.turn(1)
    assert house.wire.ended == "close"
    assert house.ledger.attempts == 1


def test_a_part_in_the_path_goes_before_the_chooser() -> None:
    house = House(lambda _: Part(mode=Mode.BROKEN))
    house.player.data_received(chat_bytes("m", path="/as/busy/v1/chat/completions"))
    assert Parsed(house.wire.data).statuses == [503]
    assert house.ledger.count(model="m", mode=Mode.BUSY) == 1


@pytest.mark.parametrize("request_", [chat_bytes("cut:j=3"), chat_bytes("m", path="/as/cutt/v1/chat/completions")])
def test_a_part_that_does_not_exist_is_refused_with_the_reason(request_: bytes) -> None:
    house = House()
    house.player.data_received(request_)
    parsed = Parsed(house.wire.data)
    assert parsed.statuses == [400]
    assert b"known are" in parsed.body


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"NONSENSE\r\n\r\n"]
)
def test_bytes_that_are_no_http_end_the_connection(garbage: bytes) -> None:
    house = House()
    house.player.data_received(garbage)
    assert Parsed(house.wire.data).statuses == [400]
    assert (house.wire.ended, house.ledger.malformed) == ("close", 1)
    house.player.data_received(chat_bytes("plain"))
    assert house.ledger.attempts == 0


def test_a_head_without_end_and_a_body_without_end_are_refused() -> None:
    house = House()
    house.player.data_received(b"GET /v1/models HTTP/1.1\r\n" + b"x-filler: %s\r\n" % (b"x" * 1000) * 300)
    assert house.ledger.malformed == 1
    house = House()
    size = (1 << 24) + 1
    house.player.data_received(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
    house.player.data_received(b" " * size)
    assert Parsed(house.wire.data).statuses == [413]


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    house = House()
    whole = chat_bytes("plain").replace(b"host: engine", b"host: engine\r\nexpect: 100-continue")
    head = whole.index(b"\r\n\r\n") + 4
    house.player.data_received(whole[:head])
    assert Parsed(house.wire.data).statuses == [100]
    house.player.data_received(whole[head:])
    assert Parsed(house.wire.data).statuses == [100, 200]


def test_the_ledger_keeps_little_of_what_it_saw() -> None:
    house = House()
    for number in range(2000):
        house.player.data_received(chat_bytes(f"model-{number}-{'x' * 100}"))
    assert house.ledger.attempts == house.ledger.count() == 2000
    assert house.ledger.count(model=OTHERS) == 2000 - 1024
    assert len(house.ledger.heard) == 4
    assert all(len(heard.body) == 100 for heard in house.ledger.heard)


def test_what_was_heard_can_be_read_afterwards() -> None:
    house = House()
    house.player.data_received(request_bytes("/v1/models", lines=("Authorization: Bearer canary",)))
    heard: Heard = house.ledger.heard[-1]
    assert (heard.method, heard.path, heard.headers["authorization"]) == ("GET", "/v1/models", "Bearer canary")
