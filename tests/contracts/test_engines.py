"""Every engine keeps the engine contract: the remote ones against a rehearsed server, the built-in ones as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from contracts.engine_contract import EngineContract
from tiercel.engines.anthropic.engine import AnthropicEngine
from tiercel.engines.anthropic.traits import headers
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.http.plain import PlainHttp
from tiercel.engines.openai.engine import OpenAIEngine
from tiercel.engines.port import Engine
from tiercel.engines.rehearsal.server import rehearsal_server
from tiercel.engines.scripted import ScriptedEngine, Turn
from tiercel.gold.policy import PolicyEngine
from tiercel.silver.speech.book import Book
from tiercel.silver.speech.speaker import Speaker
from tiercel.silver.template import TemplateEngine


class TestScripted(EngineContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return ScriptedEngine("scripted", [Turn(words="Well met.")])


class TestTemplate(EngineContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return TemplateEngine("template", Speaker(Book.load(), seed=1))


class TestPolicy(EngineContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return PolicyEngine("policy")


class TestOpenAI(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        async with rehearsal_server() as stage:
            engine = OpenAIEngine("small", EngineSpec(kind="openai", model="plain"), PlainHttp(stage.url))
            yield engine
            await engine.aclose()


class TestAnthropic(EngineContract):
    @pytest.fixture
    async def engine(self) -> AsyncIterator[Engine]:
        async with rehearsal_server() as stage:
            http = PlainHttp(stage.origin, headers("plain", "sk-test"))
            engine = AnthropicEngine("cloud", EngineSpec(kind="anthropic", url=stage.origin, model="plain"), http)
            yield engine
            await engine.aclose()
