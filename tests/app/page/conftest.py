"""A browser, a server with engines behind it, and a window that is open on the page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.page.browser import Browser, Tab, find_chromium
from app.page.stand import Server, settings
from tiercel.engines.rehearsal.server import Stage


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser; a machine without one skips these tests, except where changes are judged."""
    program = find_chromium()
    if program is None:
        assert not os.environ.get("CI"), "CI needs a browser: apt-get install chromium"
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def site(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that all tests may ask."""
    server = Server(tmp_path_factory.mktemp("site"), settings(stage.url))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def only_window(browser: Browser) -> Iterator[Tab]:
    """Return the window that the tests use one after the other."""
    tab = browser.tab()
    yield tab
    tab.close()


@pytest.fixture
def window(only_window: Tab) -> Tab:
    """Return an empty window."""
    only_window.fresh()
    return only_window


@pytest.fixture
def tab(window: Tab, site: Server) -> Tab:
    """Return a window in which the page is open and has heard from its server."""
    window.go(site.url)
    window.until("document.getElementById('link').dataset.state === 'live'")
    return window


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where screenshots are kept."""
    kept = os.environ.get("TIERCEL_PICTURES")
    return Path(kept) if kept else tmp_path_factory.mktemp("pictures")
