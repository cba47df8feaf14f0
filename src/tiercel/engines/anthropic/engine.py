"""An engine behind Anthropic's messages API."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec

from tiercel.engines.anthropic.faults import failure_of
from tiercel.engines.anthropic.reply import read_message
from tiercel.engines.anthropic.request import translate
from tiercel.engines.anthropic.stream import MessageReader
from tiercel.engines.anthropic.traits import Traits
from tiercel.engines.anthropic.words import NOT_JSON
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.http.port import Http, Reply
from tiercel.engines.port import Sink
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline
from tiercel.terms.errors import EngineFailed, Unfit
from tiercel.terms.reply import Answer

__all__ = ["AnthropicEngine"]

OK = 200


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class AnthropicEngine:
    """Implements ``Engine`` over any ``Http`` whose requests carry ``traits.headers``."""

    def __init__(self, name: str, spec: EngineSpec, http: Http, *, epoch_s: Callable[[], float] = time.time) -> None:
        self.name = name
        self._http = http
        self._model = spec.model or name
        self._traits = Traits.of(self._model)
        self._epoch_s = epoch_s
        # The address is given with the version or, as Anthropic's own clients have it, without.
        version = "" if urlsplit(spec.url).path.rstrip("/").endswith("/v1") else "/v1"
        self._messages_path = f"{version}/messages"
        self._models_path = f"{version}/models?limit=1000"

    def drops(self, ask: Ask) -> Sequence[str]:
        """Name what the translation leaves out."""
        try:
            return translate(ask, self._model, self._traits).dropped
        except Unfit:
            # Nothing of the request is at fault; ``answer`` will tell the next rung to take over.
            return ()

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Translate the request, and the reply back."""
        translation = translate(ask, self._model, self._traits)
        created = int(self._epoch_s())
        resumed = bool(ask.said)
        if not ask.stream:
            reply = await self._http.send("POST", self._messages_path, translation.body, deadline)
            self._raise_for(reply, resumed=resumed)
            return read_message(reply.body, translation, created)
        reader = MessageReader(sink, translation, created, resumed=resumed)
        reply = await self._http.send("POST", self._messages_path, translation.body, deadline, reader)
        if not reader.started:
            self._raise_for(reply, resumed=resumed)
            raise EngineFailed("malformed", "a stream was asked for, something else came")
        return reader.answer()

    async def models(self, deadline: Deadline) -> Sequence[str]:
        """Return the ids that the server lists."""
        reply = await self._http.send("GET", self._models_path, b"", deadline)
        self._raise_for(reply)
        try:
            return [model.id for model in msgspec.json.decode(reply.body, type=_Models).data]
        except NOT_JSON:
            raise EngineFailed("malformed", "the reply is no list of models") from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _raise_for(self, reply: Reply, *, resumed: bool = False) -> None:
        if reply.status != OK:
            raise failure_of(reply, resumed=resumed)
