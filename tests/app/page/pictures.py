"""Takes the pictures for the documents: ``PYTHONPATH=tests python -m app.page.pictures docs/pictures``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from app.page.browser import Browser, Tab, find_chromium
from app.page.person import ask, open_view, settled
from app.page.stand import Server, settings
from tiercel.engines.rehearsal.server import rehearsal_server

__all__ = ["main"]

SHOWN = ("large", "small")
ROUNDS = 60


def main() -> int:
    """Take them."""
    program = find_chromium()
    if program is None or len(sys.argv) != 2:
        sys.stderr.write(f"{__doc__}\nIt needs Chromium.\n")
        return 2
    folder = Path(sys.argv[1])
    with (
        tempfile.TemporaryDirectory() as scratch,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(rehearsal_server()) as stage,
    ):
        server = Server(Path(scratch), settings(stage.url, SHOWN))
        server.start()
        browser = Browser(program, Path(scratch) / "profile")
        try:
            _take(browser.tab(), server, folder)
        finally:
            browser.close()
            server.kill()
    return 0


def _take(tab: Tab, server: Server, folder: Path) -> None:
    tab.theme("dark")
    tab.go(server.url)
    tab.until("document.querySelector('.route ol')")
    ask(tab, "Any news from the road?")
    assert settled(tab) == "done"
    tab.until("document.querySelector('.route li.out')")
    tab.picture(folder / "ask.png")
    open_view(tab, "health")
    for number in range(ROUNDS):
        # Every fifth player has no time for the model.
        hurry = {"total_ms": 30} if number % 5 == 4 else {}
        server.ask("silver", stream=number % 3 == 0, persona="innkeeper", **hurry)
        for _ in range(3):
            server.ask("gold")
    tab.until(f"document.querySelector('[data-tier=silver] [data-figure=late]').innerText.endsWith('of {ROUNDS + 1}')")
    tab.picture(folder / "health.png")


if __name__ == "__main__":
    sys.exit(main())
