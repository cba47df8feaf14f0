"""What every test may rely on: one event loop, a clock that stands still, no blocking call, no forbidden log field."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

from tiercel.telemetry.logs import LogSpec, Scribe, install
from tiercel.terms.clock import ManualClock

# A shared machine is slow at times, so no example has a deadline; speed is asserted in benchmarks/.
settings.register_profile("dev", deadline=None, print_blob=True)
# The same examples in every run, so that a red build is red again.
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio, which is what the product runs on."""
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that moves only when the test says so."""
    return ManualClock()


@pytest.fixture(scope="session", autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    """Make a blocking call of ours inside a running event loop an error, as it would make every request late."""
    guard = BlockBuster("tiercel")
    guard.activate()
    yield
    guard.deactivate()


@pytest.fixture(scope="session", autouse=True)
def _no_line_gives_words_away() -> Iterator[None]:
    """Make a forbidden field in any log line an error, wherever it is written."""
    before = install(Scribe(lambda _line: True, LogSpec(level="debug"), strict=True))
    yield
    install(before)
