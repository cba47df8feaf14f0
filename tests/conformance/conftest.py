"""What the tests with real clients share: a client of the house that the test's own module runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import openai
import pytest

from conformance.live import Live


@pytest.fixture
def client(house: Live) -> Iterator[openai.OpenAI]:
    """Open OpenAI's client as a studio would; it retries twice, as it always does, so that each attempt is seen."""
    with openai.OpenAI(base_url=house.url, api_key="none", timeout=30) as opened:
        yield opened


@pytest.fixture
async def aclient(house: Live) -> AsyncIterator[openai.AsyncOpenAI]:
    """Open its asynchronous twin."""
    async with openai.AsyncOpenAI(base_url=house.url, api_key="none", timeout=30) as opened:
        yield opened
