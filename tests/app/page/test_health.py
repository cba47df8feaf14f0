"""Health, compared with what the API says; and what the page says when there is no server to ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.page.browser import Tab
from app.page.person import LAST, ask, open_view, settled
from app.page.stand import Server, settings
from tiercel.engines.rehearsal.server import Stage

pytestmark = pytest.mark.servers

GOLD = ".tier[data-tier=gold]"
SILVER = ".tier[data-tier=silver]"


@pytest.fixture
def mortal(stage: Stage, tmp_path: Path) -> Iterator[Server]:
    """Return a server that a test may kill."""
    server = Server(tmp_path, settings(stage.url))
    server.start()
    yield server
    server.kill()


def figure(tab: Tab, card: str, key: str) -> str:
    return tab.text(f"{card} [data-figure={key}]")


def test_the_numbers_of_a_tier_are_those_of_the_api(tab: Tab, site: Server) -> None:
    open_view(tab, "health")
    tab.until(f"document.querySelector('{GOLD} .key').innerText.includes('no answer in')")
    before = site.count("tiercel_requests_total", tier="gold")
    for _ in range(7):
        site.ask("gold")
    answers = int(site.count("tiercel_requests_total", tier="gold") - before)
    assert answers == 7
    tab.until(f"document.querySelector('{GOLD} [data-figure=late]').innerText.endsWith('of {answers}')")
    assert tab.text(f"{GOLD} .key").split("\n") == ["policy", "100 %"]
    assert figure(tab, GOLD, "degraded") == "100%"
    rate, seconds = tab.run(
        f"[document.querySelector('{GOLD} [data-figure=rate] .digits').innerText,"
        " document.querySelector('header .span').innerText.split(' ')[2]].map(Number)"
    )
    # The window is shown in whole seconds.
    assert answers / (seconds + 0.6) <= rate <= answers / max(0.1, seconds - 0.6)
    tab.until(f"document.querySelector('tr[data-engine=policy] .key b')?.innerText === '{answers}'")
    assert tab.problems() == []


def test_an_engine_s_breaker_is_shown_with_reason_and_time(tab: Tab, site: Server) -> None:
    site.ask("silver", persona="innkeeper")
    open_view(tab, "health")
    (large,) = (engine for engine in site.get("/v1/engines")["data"] if engine["name"] == "large")
    assert large["breakers"][0]["failure"] == "rate_limited"
    tab.until("document.querySelector('tr[data-engine=large] .badge')?.innerText === 'open'")
    said = tab.text("tr[data-engine=large] .state small")
    assert said.startswith("rate limited; asked again in ")
    until_s = float(said.split()[-2])
    assert until_s == pytest.approx(large["breakers"][0]["until_in_s"], abs=5)
    assert tab.text("tr[data-engine=policy] .badge") == "closed"


def test_an_engine_s_usual_times_are_those_that_routing_goes_by(tab: Tab, site: Server) -> None:
    for _ in range(3):
        site.ask("small")
    open_view(tab, "health")
    (small,) = (engine for engine in site.get("/v1/engines")["data"] if engine["name"] == "small")
    usual = next(ms for ms in small["p50_whole_ms"] if ms is not None)
    shown = tab.until(
        "document.querySelectorAll('tr[data-engine=small] [data-figure=p50]')[1]?.querySelector('.digits').innerText"
        ".replace('\N{EN DASH}', '')"
    )
    assert float(shown) == pytest.approx(usual, rel=0.02)


def test_a_request_by_an_engine_s_name_belongs_to_no_tier(tab: Tab, site: Server) -> None:
    open_view(tab, "health")
    tab.until("document.querySelector('.span').innerText.startsWith('the last')")
    site.ask("policy")
    tab.until("!document.querySelector('.direct').hidden")
    assert float(tab.text(".direct [data-figure=rate] .digits")) > 0


def test_a_tier_without_rungs_says_so_and_shows_no_numbers(tab: Tab) -> None:
    open_view(tab, "health")
    assert tab.text(".tier[data-tier=bronze] .none").startswith("No rungs are configured")
    assert tab.run("document.querySelector('.tier[data-tier=bronze] .figure').offsetParent === null")


def test_a_killed_server_is_missed_and_its_return_is_noticed(window: Tab, mortal: Server, pictures: Path) -> None:
    tab = window
    tab.go(mortal.url)
    open_view(tab, "health")
    tab.until("document.querySelector('.span').innerText.startsWith('the last')")
    mortal.kill()
    tab.until("document.querySelector('#notice').dataset.state === 'gone'")
    assert f"The server is gone: no answer from {mortal.url}" in tab.text("#notice")
    assert tab.text("header .span").startswith("no new figures")
    assert tab.text("#link") == "no answer"
    tab.picture(pictures / "gone.png")
    open_view(tab, "ask")
    ask(tab, "Anybody there?")
    assert settled(tab) == "failed"
    assert "no server answers" in tab.text(f"{LAST} .fault")
    mortal.start()
    tab.until("document.querySelector('#notice').dataset.state === 'back'")
    assert "The server is back" in tab.text("#notice")
    ask(tab, "Anybody there?")
    assert settled(tab) == "done"
    open_view(tab, "health")
    tab.until(f"document.querySelector('{SILVER} .key').innerText.includes('model')")
    assert tab.problems() == []
