"""What a person does on the page, step by step."""

from __future__ import annotations

import json

from app.page.browser import Tab

__all__ = ["ask", "choose_engine", "fill", "open_view", "settled"]

LAST = ".exchange:last-of-type"


def open_view(tab: Tab, name: str) -> None:
    """Go to a view by its entry."""
    tab.click(f"#views a[href='#/{name}']")
    tab.until(f"document.querySelector('#views a[aria-current]').hash === '#/{name}'")


def fill(tab: Tab, selector: str, words: str) -> None:
    """Write something into a field, over what was there."""
    tab.click(selector)
    tab.run(f"document.querySelector({json.dumps(selector)}).select()")
    tab.write(words)


def choose_engine(tab: Tab, name: str) -> None:
    """Ask an engine by its own name from now on."""
    tab.until("document.querySelector('.choice input[value=engine]:enabled') !== null")
    tab.click(".choice label:has([value=engine])")
    tab.run(
        f"(() => {{const s = document.querySelector('#engine'); s.value = {json.dumps(name)};"
        " s.dispatchEvent(new Event('input', {bubbles: true}))})()"
    )


def ask(tab: Tab, question: str) -> None:
    """Type a question and press Enter."""
    before = tab.run("document.querySelectorAll('.exchange').length")
    fill(tab, ".composer textarea", question)
    tab.press("Enter")
    tab.until(f"document.querySelectorAll('.exchange').length === {before + 1}")


def settled(tab: Tab) -> str:
    """Wait until the last question has become something, and return what: done, failed or cancelled."""
    return str(
        tab.until(
            f"document.querySelector('{LAST}')?.dataset.state !== 'running'"
            f" && document.querySelector('{LAST}').dataset.state"
        )
    )
