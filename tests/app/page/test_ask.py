"""Ask, as a person uses it: questions, answers and how they were won, cancelling, errors, hostile words."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.error import HTTPError

import pytest

from app.page.browser import Tab
from app.page.person import LAST, ask, choose_engine, fill, settled
from app.page.stand import LINE, WICKED, Server
from app.terminal import Run

pytestmark = pytest.mark.servers


def sent(tab: Tab) -> dict[str, Any]:
    """Return the last request that the page sent to a model, and what came back on the wire."""
    tab.run("0")
    chats = [
        event["params"]
        for event in tab.events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["request"]["url"].endswith("/v1/chat/completions")
    ]
    body = tab.call("Network.getResponseBody", {"requestId": chats[-1]["requestId"]})["body"]
    return {"request": json.loads(chats[-1]["request"]["postData"]), "reply": body}


def report_of(reply: str) -> dict[str, Any]:
    last = next(line for line in reversed(reply.splitlines()) if '"tiercel"' in line)
    report: dict[str, Any] = json.loads(last.removeprefix("data: "))["tiercel"]
    return report


def rows(tab: Tab) -> list[list[str]]:
    found: list[list[str]] = tab.run(
        f"[...document.querySelectorAll('{LAST} .tries tbody tr')].map(row =>"
        " [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


def figure(tab: Tab, key: str) -> str:
    return tab.text(f"{LAST} [data-figure={key}] .digits")


def choose_stream(tab: Tab, *, on: bool) -> None:
    if tab.run("document.querySelector('#stream').checked") is not on:
        tab.click("#stream")


@pytest.mark.parametrize("stream", [True, False])
def test_the_page_shows_what_the_reply_says(tab: Tab, site: Server, *, stream: bool) -> None:
    before = site.count("tiercel_requests_total", tier="silver", kind="model", outcome="ok")
    choose_stream(tab, on=stream)
    ask(tab, "Any news from the road?")
    assert settled(tab) == "done"
    wire = sent(tab)
    report = report_of(wire["reply"])
    assert wire["request"]["stream"] is stream
    assert tab.text(f"{LAST} .answer") == LINE
    assert tab.text(f"{LAST} .story .metal") == report["tier"] == "silver"
    assert ("degraded" in tab.text(f"{LAST} .story")) is report["degraded"]
    assert figure(tab, "id") == report["request_id"]
    assert float(figure(tab, "ms")) == pytest.approx(report["ms"], rel=0.01)
    assert float(figure(tab, "cost").removeprefix("$")) == pytest.approx(report["cost"], rel=0.01)
    shown = [(rung, outcome.replace(" ", "_")) for rung, outcome, *_ in rows(tab) if outcome]
    assert shown == [(tried["rung"], tried["outcome"]) for tried in report["attempts"]]
    assert site.count("tiercel_requests_total", tier="silver", kind="model", outcome="ok") == before + 1
    assert tab.problems() == []


def test_a_rung_that_was_left_out_is_shown_with_the_reason(tab: Tab) -> None:
    ask(tab, "Who goes there?")
    settled(tab)
    ask(tab, "And now?")
    settled(tab)
    rung, outcome, took, why = rows(tab)[0]
    assert (rung, outcome, took) == ("large", "breaker open", "\N{EN DASH}")
    assert "rate limited" in why


def test_the_route_is_shown_before_anything_is_asked(tab: Tab, site: Server) -> None:
    tab.until("document.querySelector('.route ol li')")
    assert tab.text(".route .metal") == "silver"
    assert tab.run("document.querySelector('#first_ms').placeholder") == "400"
    assert tab.run("document.querySelector('#total_ms').placeholder") == "3000"
    names = tab.run("[...document.querySelectorAll('.route li > span')].map(s => s.firstChild.data)")
    assert sorted(names) == ["large", "small", "template"]
    assert site.count("tiercel_in_flight") == 0


def test_a_wrong_deadline_is_refused_in_the_server_s_words_before_it_is_sent(tab: Tab) -> None:
    fill(tab, "#first_ms", "0")
    assert "Expected milliseconds above 0" in tab.text(".route .wrong")


def test_words_appear_as_they_come_and_cancel_stops_them(tab: Tab, site: Server) -> None:
    before = site.count("tiercel_streams_abandoned_total")
    choose_engine(tab, "patient")
    ask(tab, "Tell me everything.")
    tab.until(f"document.querySelector('{LAST} .answer').innerText.includes('word3')")
    assert tab.run(f"document.querySelector('{LAST}').dataset.state") == "running"
    tab.until(f"document.querySelector('{LAST} .answer').innerText.includes('word9')")
    tab.click(".composer button")
    assert settled(tab) == "cancelled"
    assert "You cancelled after" in tab.text(f"{LAST} .fault")
    assert "word9" in tab.text(f"{LAST} .answer")
    tab.until("fetch('/v1/engines').then(r => r.json()).then(r => r.data.every(e => e.in_flight === 0))")
    assert site.count("tiercel_streams_abandoned_total") == before + 1
    assert tab.problems() == []


def test_escape_cancels_too_and_the_next_question_is_answered(tab: Tab) -> None:
    choose_engine(tab, "patient")
    ask(tab, "Tell me everything.")
    tab.until(f"document.querySelector('{LAST} .answer').innerText.includes('word1')")
    tab.press("Escape")
    assert settled(tab) == "cancelled"
    tab.click(".choice label:has([value=gold])")
    ask(tab, "A wolf attacks.")
    assert settled(tab) == "done"
    assert tab.text(f"{LAST} .story .metal") == "gold"


@pytest.mark.parametrize("stream", [True, False])
def test_words_of_a_model_are_shown_and_never_run(tab: Tab, *, stream: bool) -> None:
    choose_engine(tab, "wicked")
    choose_stream(tab, on=stream)
    ask(tab, WICKED)
    assert settled(tab) == "done"
    assert tab.run(f"document.querySelector('{LAST} .answer').textContent") == WICKED
    assert WICKED in tab.run(f"document.querySelector('{LAST} .asked').textContent")
    assert tab.run("document.querySelectorAll('.log img, .log script, .log svg, .log a').length") == 0
    assert tab.run("window.ran === undefined")
    assert tab.problems() == []


def test_words_of_an_error_are_shown_and_never_run(tab: Tab) -> None:
    hostile = "<img src=x onerror='window.ran = 1'>"
    tab.run(f"document.querySelector('#engine').append(new Option({json.dumps(hostile)}))")
    choose_engine(tab, hostile)
    ask(tab, "Who goes there?")
    assert settled(tab) == "failed"
    assert hostile in tab.text(f"{LAST} .fault").replace('"', "'")
    assert tab.text(f"{LAST} .fault code") == "404 · model_not_found · model"
    assert tab.run("document.querySelectorAll('main img').length") == 0
    assert tab.run("window.ran === undefined")
    assert tab.problems() == []


def test_an_error_is_shown_in_the_server_s_words_with_its_code(tab: Tab, site: Server) -> None:
    with pytest.raises(HTTPError) as caught:
        site.ask("deaf", stream=True)
    error = json.load(caught.value)["error"]
    choose_engine(tab, "deaf")
    ask(tab, "Who goes there?")
    assert settled(tab) == "failed"
    assert tab.text(f"{LAST} .fault").splitlines()[0] == error["message"]
    assert tab.text(f"{LAST} .fault code") == f"{caught.value.code} · {error['code']}"
    caught.value.close()


def test_a_stream_that_breaks_off_keeps_its_words_and_says_so(tab: Tab) -> None:
    choose_engine(tab, "torn")
    ask(tab, "Who goes there?")
    assert settled(tab) == "failed"
    assert tab.text(f"{LAST} .answer").startswith("word1")
    assert tab.text(f"{LAST} .fault code").startswith("broke off")


def test_what_was_said_before_goes_along_only_when_asked_to(tab: Tab) -> None:
    tab.click(".choice label:has([value=gold])")
    ask(tab, "A wolf attacks.")
    settled(tab)
    assert len(sent(tab)["request"]["messages"]) == 1
    tab.click("#remember")
    ask(tab, "And its friend?")
    settled(tab)
    request = sent(tab)["request"]
    assert [message["role"] for message in request["messages"]] == ["user", "assistant", "user"]
    assert request["tiercel"]["session"].startswith("page-")


def test_the_lines_for_a_shell_ask_the_same(tab: Tab, run: Run) -> None:
    fill(tab, "#persona", "gate guard")
    fill(tab, "#total_ms", "2500")
    ask(tab, """What's "new" at the gate; `and` $beyond?""")
    settled(tab)
    command, curl = tab.run(f"[...document.querySelectorAll('{LAST} pre')].map(line => line.textContent)")
    words = shlex.split(curl)
    assert json.loads(words[words.index("-d") + 1]) == sent(tab)["request"]
    ran = run(*shlex.split(command)[1:])
    assert ran.code == 0, ran.err
    assert LINE in ran.out


def test_start_over_forgets_what_was_said(tab: Tab) -> None:
    tab.click(".welcome button:last-of-type")
    assert settled(tab) == "done"
    tab.click(".acts button")
    tab.until("document.querySelector('.welcome') !== null")
    assert tab.run("document.querySelectorAll('.exchange').length") == 0
