"""The contract of the ``Engine`` port: what every adapter keeps, whoever is behind it."""

from __future__ import annotations

import re

import msgspec
import pytest

from tiercel.engines.port import Engine, Sink, Tap
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline, SystemClock
from tiercel.terms.reply import Chunk

__all__ = ["Collected", "EngineContract", "an_ask"]


class Collected:
    """A sink that keeps what it got."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.chunks: list[Chunk] = []
        self.taps: list[Tap] = []

    def opened(self, tap: Tap) -> None:
        assert not self.chunks, "the tap comes before the first chunk"
        self.taps.append(tap)

    def chunk(self, payload: bytes, chunk: Chunk) -> None:
        self.payloads.append(payload)
        self.chunks.append(chunk)

    @property
    def text(self) -> str:
        return "".join(c.delta.content or "" for chunk in self.chunks for c in chunk.choices if c.delta)


def an_ask(*, stream: bool = False, said: str = "") -> Ask:
    messages = b'[{"role":"system","content":"You are a smith."},{"role":"user","content":"Good day to you!"}]'
    return Ask(
        id="contract-1",
        kind="chat",
        model="silver",
        fields={"messages": msgspec.Raw(messages)},
        size_bytes=len(messages),
        stream=stream,
        said=said,
    )


def soon() -> Deadline:
    return Deadline.after(5.0, SystemClock())


class EngineContract:
    """Subclass it with a fixture ``engine`` for every adapter."""

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    @pytest.mark.anyio
    async def test_its_name_fits_a_header_and_a_metric(self, engine: Engine) -> None:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,31}", engine.name)

    @pytest.mark.anyio
    async def test_a_whole_answer_is_a_chat_completion_that_clients_accept(self, engine: Engine) -> None:
        sink: Sink = Collected()
        answer = await engine.answer(an_ask(), soon(), sink)
        body = msgspec.json.decode(answer.body)
        choice = body["choices"][0]
        assert body["object"] == "chat.completion"
        assert choice["message"]["role"] == "assistant"
        assert choice["message"]["content"]
        assert choice["finish_reason"] == answer.finish == "stop"
        assert not answer.blank

    @pytest.mark.anyio
    async def test_a_stream_has_one_id_and_ends_with_a_finish_reason(self, engine: Engine) -> None:
        sink = Collected()
        answer = await engine.answer(an_ask(stream=True), soon(), sink)
        assert answer.body == b""
        assert len({chunk.id for chunk in sink.chunks if chunk.choices}) == 1
        finishes = [choice.finish_reason for chunk in sink.chunks for choice in chunk.choices]
        assert [reason for reason in finishes if reason] == ["stop"]
        assert sink.text
        for payload in sink.payloads:
            assert msgspec.json.decode(payload)["object"] == "chat.completion.chunk"

    @pytest.mark.anyio
    async def test_the_first_chunk_names_the_role(self, engine: Engine) -> None:
        sink = Collected()
        await engine.answer(an_ask(stream=True), soon(), sink)
        first = msgspec.json.decode(sink.payloads[0])
        assert first["choices"][0]["delta"]["role"] == "assistant"

    @pytest.mark.anyio
    async def test_it_can_go_on_from_words_that_another_engine_said(self, engine: Engine) -> None:
        sink = Collected()
        await engine.answer(an_ask(stream=True, said="The bridge is"), soon(), sink)
        assert sink.text

    @pytest.mark.anyio
    async def test_it_names_its_models(self, engine: Engine) -> None:
        assert await engine.models(soon())

    @pytest.mark.anyio
    async def test_what_it_drops_is_named_by_field(self, engine: Engine) -> None:
        assert set(engine.drops(an_ask())) <= set(an_ask().fields)

    @pytest.mark.anyio
    async def test_closing_twice_is_harmless(self, engine: Engine) -> None:
        await engine.aclose()
        await engine.aclose()
