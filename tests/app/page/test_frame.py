"""The frame around the views: order, keyboard, themes, contrast, explanations, weight, and nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from app.page.browser import Tab
from app.page.person import ask, open_view, settled
from app.page.stand import Server

pytestmark = pytest.mark.servers

VIEWS = ["World", "Ask", "Jobs", "Lore", "Approvals", "Cost", "Health", "Plan"]
BUILT = {"Ask", "Health"}
LIGHTEST = 300_000

EYES = Path(__file__).with_name("eyes.js").read_text(encoding="utf-8").partition("\n")[2].strip().removesuffix(";")


def look(tab: Tab, what: str) -> list[Any]:
    """Return what a careful person would notice."""
    found: list[Any] = tab.run(f"{EYES}.{what}()")
    return found


def focused(tab: Tab) -> str:
    return str(tab.run("(document.activeElement.innerText || document.activeElement.id || '').trim()"))


def test_the_views_stand_in_the_order_of_a_person_s_questions(tab: Tab) -> None:
    assert tab.run("[...document.querySelectorAll('#views a')].map(a => a.textContent)") == VIEWS
    assert tab.run("document.title") == "Ask · Tiercel"


def test_a_view_that_is_not_built_says_in_one_sentence_what_will_be_there(tab: Tab) -> None:
    for name in VIEWS:
        if name in BUILT:
            continue
        open_view(tab, name.lower())
        assert tab.text("h1") == name
        words = tab.text("main .empty")
        assert words.startswith("Here")
        assert words.endswith(".")
        assert words.count(".") == 1
        assert not any(letter.isdigit() for letter in tab.text("main"))


def test_the_page_can_be_used_without_a_mouse(tab: Tab) -> None:
    tab.run("document.activeElement.blur()")
    passed = []
    for _ in range(12):
        tab.press("Tab")
        passed.append(focused(tab))
    assert passed == ["Skip to the view", "Tiercel", *VIEWS, "Theme: system", "Start over"]
    for _ in range(3):
        tab.press("Tab", shift=True)
    assert focused(tab) == "Health"
    tab.press("Enter")
    tab.until("document.querySelector('h1').innerText === 'Health'")
    assert focused(tab) == "Health"
    tab.press("Tab")
    tab.until("!document.getElementById('tip').hidden")
    tab.press("Escape")
    tab.until("document.getElementById('tip').hidden")


def test_tiers_are_chosen_and_questions_asked_by_keys(tab: Tab) -> None:
    tab.run("document.querySelector('.choice input:checked').focus()")
    tab.press("ArrowLeft")
    assert tab.run("document.querySelector('.choice input:checked').value") == "gold"
    tab.run("document.querySelector('.composer textarea').focus()")
    tab.write("A wolf attacks.")
    tab.press("Tab")
    assert focused(tab) == "Ask"
    tab.press("Space")
    assert settled(tab) == "done"


def test_every_control_has_a_name(tab: Tab) -> None:
    ask(tab, "Any news from the road?")
    settled(tab)
    for view in ("ask", "health"):
        open_view(tab, view)
        nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
        roles = {"button", "link", "textbox", "combobox", "checkbox", "radio", "spinbutton", "table", "region"}
        nameless = [
            node["role"]["value"]
            for node in nodes
            if not node.get("ignored") and node["role"]["value"] in roles and not node.get("name", {}).get("value")
        ]
        assert nameless == []


@pytest.mark.parametrize("view", ["ask", "health"])
def test_every_number_says_what_it_is_and_where_it_comes_from(tab: Tab, site: Server, view: str) -> None:
    ask(tab, "Any news from the road?")
    settled(tab)
    site.ask("small")
    open_view(tab, view)
    tab.until("document.querySelectorAll('main button[data-askable]').length > 4")
    if view == "health":
        tab.until("document.querySelector('.tier[data-tier=silver] .key b') !== null")
    assert look(tab, "unasked") == []
    for label, words, facts, described in look(tab, "told"):
        assert len(words) > 20, label
        assert len(facts) == 2, label
        assert all(facts), label
        assert described == "tip"
    tab.run("document.activeElement.blur()")
    tab.hover("main button[data-askable]")
    tab.until("!document.getElementById('tip').hidden")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_is_readable_in_both_themes_on_a_desk_and_on_a_phone(
    tab: Tab, theme: Literal["dark", "light"], width: int, height: int, pictures: Path
) -> None:
    tab.theme(theme)
    tab.size(width, height, phone=width < 600)
    ask(tab, "Any news from the road?")
    settled(tab)
    for view in ("ask", "health", "world"):
        open_view(tab, view)
        if view == "health":
            tab.until("document.querySelector('.tier[data-tier=silver] .key b') !== null")
        tab.picture(pictures / f"{view}-{theme}-{width}.png")
        assert look(tab, "faint") == []
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.run("document.querySelector('main').scrollWidth <= document.querySelector('main').clientWidth")


def test_the_theme_follows_the_system_until_somebody_chooses(tab: Tab, site: Server) -> None:
    def ground() -> str:
        return str(tab.run("getComputedStyle(document.body).backgroundColor"))

    dark = ground()
    tab.theme("light")
    light = ground()
    assert dark != light
    tab.click("#theme")
    assert (tab.text("#theme"), ground()) == ("Theme: dark", dark)
    tab.go(site.url)
    assert (tab.text("#theme"), ground()) == ("Theme: dark", dark)
    tab.click("#theme")
    assert ground() == light
    tab.click("#theme")
    assert tab.text("#theme") == "Theme: system"
    assert tab.run("localStorage.getItem('tiercel.theme')") == "system"


def test_the_page_is_light_and_all_of_it_is_our_own(window: Tab, site: Server) -> None:
    window.go(site.url)
    window.until("document.getElementById('link').dataset.state === 'live'")
    loaded = window.loaded()
    assert [url for url, _ in loaded if not url.startswith(site.url)] == []
    assert sum(size for _, size in loaded) < LIGHTEST
    assert window.problems() == []


def test_what_is_inline_does_not_run(tab: Tab) -> None:
    tab.run(
        "(() => {const inline = document.createElement('script'); inline.textContent = 'window.ran = 1';"
        " document.body.append(inline)})()"
    )
    assert tab.run("window.ran === undefined")
    assert any("Content Security Policy" in problem for problem in tab.problems())
