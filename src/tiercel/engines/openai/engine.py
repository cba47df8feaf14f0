"""An engine behind OpenAI's API: the caller's JSON goes through with the few fields changed that must be."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.http.port import Http, Reply
from tiercel.engines.openai.chunks import ChunkReader
from tiercel.engines.openai.completion import read_completion, read_embeddings
from tiercel.engines.openai.refusals import failure_of
from tiercel.engines.port import Sink
from tiercel.terms.ask import Ask
from tiercel.terms.clock import Deadline
from tiercel.terms.errors import EngineFailed
from tiercel.terms.json import NOT_JSON
from tiercel.terms.reply import Answer

__all__ = ["OpenAIEngine"]

OK = 200
USAGE_WANTED = msgspec.Raw(b'{"include_usage":true}')
TRUE, FALSE = msgspec.Raw(b"true"), msgspec.Raw(b"false")

_encode = msgspec.json.Encoder().encode


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class OpenAIEngine:
    """Implements ``Engine`` over any ``Http``."""

    def __init__(self, name: str, spec: EngineSpec, http: Http) -> None:
        self.name = name
        self._spec = spec
        self._http = http
        self._model = msgspec.Raw(_encode(spec.model or name))
        azure = spec.api == "azure"
        query = "?api-version=2024-10-21" if azure else ""
        self._chat_path = f"/chat/completions{query}"
        self._embeddings_path = f"/embeddings{query}"
        self._models_path = f"/models{query}"

    def drops(self, ask: Ask) -> Sequence[str]:
        """Drop nothing: what we do not know is the engine's to judge."""
        return ()

    async def answer(self, ask: Ask, deadline: Deadline, sink: Sink) -> Answer:
        """Forward the request and read the reply."""
        body = self._body(ask)
        if ask.kind == "embed":
            reply = await self._http.send("POST", self._embeddings_path, body, deadline)
            self._raise_for(reply)
            return read_embeddings(reply.body)
        if not ask.stream:
            reply = await self._http.send("POST", self._chat_path, body, deadline)
            self._raise_for(reply)
            return read_completion(reply.body)
        reader = ChunkReader(sink)
        reply = await self._http.send("POST", self._chat_path, body, deadline, reader)
        if not reader.started:
            self._raise_for(reply)
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

    def _body(self, ask: Ask) -> bytes:
        fields = {**ask.fields, "model": self._model}
        if ask.stream:
            fields["stream"] = TRUE
            options = self._stream_options(fields.pop("stream_options", None))
            if options is not None:
                fields["stream_options"] = options
        if ask.said:
            said: list[object] = [{"role": "assistant", "content": ask.said}]
            messages = msgspec.json.decode(fields["messages"], type=list[msgspec.Raw])
            fields["messages"] = msgspec.Raw(_encode([*messages, *said]))
            if self._spec.api == "vllm":
                fields["continue_final_message"], fields["add_generation_prompt"] = TRUE, FALSE
        return _encode(fields)

    def _stream_options(self, given: msgspec.Raw | None) -> msgspec.Raw | None:
        """Ask for the usage where the engine can tell it; what else the caller opted for stays as it is."""
        wanted = USAGE_WANTED if self._spec.usage_in_streams else None
        if given is None or bytes(given) in (b"null", bytes(USAGE_WANTED)):
            return wanted
        options = msgspec.json.decode(given, type=dict[str, msgspec.Raw])
        options.pop("include_usage", None)
        if wanted is not None:
            options["include_usage"] = TRUE
        return msgspec.Raw(_encode(options)) if options else None

    def _raise_for(self, reply: Reply) -> None:
        if reply.status != OK:
            raise failure_of(reply)
