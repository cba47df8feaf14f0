"""What the rehearsal's tests share: both event loops, and an engine on a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tiercel.engines.rehearsal.server import Stage, rehearsal_server


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Prove everything on both loops: how a socket is reset and how a writer is held is the loop's own affair."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Open an engine that plays what the model's name says."""
    async with rehearsal_server() as running:
        yield running
