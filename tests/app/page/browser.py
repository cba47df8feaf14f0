"""A real Chromium to look at the page with: clicks, keys and screenshots, over DevTools' pipe and nothing installed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
from collections import deque
from pathlib import Path
from typing import Any, Literal

from tiercel.terms.clock import Deadline, SystemClock

__all__ = ["PATIENCE_S", "Browser", "Json", "Tab", "find_chromium"]

Json = dict[str, Any]
Theme = Literal["dark", "light"]

# What a person would wait before calling the page broken.
PATIENCE_S = 10.0
_CLOCK = SystemClock()
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# DevTools speaks on the descriptors 3 and 4; a shell moves our two pipes there.
_MOVED = 'exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null'
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "Space": ("Space", 32, " "),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}
_SHIFT = 8


def find_chromium() -> str | None:
    """Return the browser of this machine, if it has one."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser process; each ``Tab`` is a window of its own, with storage of its own."""

    def __init__(self, program: str, profile: Path) -> None:
        command = ["/bin/sh", "-c", _MOVED, "sh", program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - found above
        self._rest = b""
        self._next = 0
        self._tabs: dict[str, Tab] = {}

    def tab(self) -> Tab:
        """Open a window that shares nothing with the others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = Tab(self, session, context)
        self._tabs[session] = tab
        tab.begin()
        return tab

    def call(self, method: str, params: Json | None = None, session: str = "") -> Json:
        """Call a method of DevTools and return its result; events that come meanwhile go to their tabs."""
        self._next += 1
        message: Json = {"id": self._next, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        deadline = Deadline.after(2 * PATIENCE_S, _CLOCK)
        while True:
            told = self._read(deadline)
            if told.get("id") == self._next:
                if "error" in told:
                    raise AssertionError(f"{method}: {told['error']['message']}")
                result: Json = told["result"]
                return result
            tab = self._tabs.get(told.get("sessionId", ""))
            if tab is not None:
                tab.events.append(told)

    def close(self) -> None:
        """End the browser."""
        self.call("Browser.close")
        self._process.wait(PATIENCE_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self, deadline: Deadline) -> Json:
        assert self._process.stdout is not None
        wire = self._process.stdout.fileno()
        while b"\0" not in self._rest:
            ready, _, _ = select.select([wire], [], [], max(0.0, deadline.left_s()))
            assert ready, "the browser says nothing any more"
            data = os.read(wire, 1 << 20)
            assert data, "the browser is gone"
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\0")
        told: Json = json.loads(line)
        return told


class Tab:
    """One window of the browser, used as a person would."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        self.events: deque[Json] = deque(maxlen=10_000)

    def begin(self) -> None:
        """Listen to what goes wrong in it."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.size(1280, 720)

    def close(self) -> None:
        """Close the window and forget what it stored."""
        self._browser.call("Target.disposeBrowserContext", {"browserContextId": self._context})

    def fresh(self) -> None:
        """Be as a new window is, in a quarter of a second less; what is open stays until the next page."""
        self.run("location.protocol === 'http:' && localStorage.clear()")
        self.size(1280, 720)
        self.theme("dark")
        self.events.clear()

    def call(self, method: str, params: Json | None = None) -> Json:
        """Call a method of DevTools for this window."""
        return self._browser.call(method, params, self._session)

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Make the window this large."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", metrics)
        self.call("Emulation.setTouchEmulationEnabled", {"enabled": phone})

    def theme(self, theme: Theme) -> None:
        """Let the system prefer a theme."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self.call("Emulation.setEmulatedMedia", {"features": features})

    def go(self, url: str) -> None:
        """Open an address; waits until something of it is there."""
        self.call("Page.navigate", {"url": url})
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page; a promise is waited for."""
        params = {"expression": script, "returnByValue": True, "awaitPromise": True}
        told = self.call("Runtime.evaluate", params)
        assert "exceptionDetails" not in told, f"{script}: {told['exceptionDetails']}"
        return told["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true, and return its value; what it then is goes into the failure."""
        found = self.run(
            f"""new Promise((resolve) => {{
                const end = performance.now() + {PATIENCE_S * 1000};
                const look = async () => {{
                    const value = await ({script});
                    if (value || performance.now() > end) resolve(value instanceof Node ? true : value);
                    else setTimeout(look, 15);
                }};
                look();
            }})"""
        )
        assert found, f"never true: {script}\n{self.run('document.body.innerText.slice(0, 2000)')}"
        return found

    def text(self, selector: str) -> str:
        """Return the text of the first element that fits."""
        return str(self.until(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")).strip()

    def click(self, selector: str) -> None:
        """Press what a person would see in the middle of this element."""
        script = f"""(() => {{
            const found = document.querySelector({json.dumps(selector)});
            found.scrollIntoView({{block: "nearest"}});
            const box = found.getBoundingClientRect();
            const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
            const hit = document.elementFromPoint(x, y);
            return [x, y, found.contains(hit) || (hit?.contains(found) ?? false)];
        }})()"""
        self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        x, y, seen = self.run(script)
        assert seen, f"{selector} is covered by something else"
        mouse = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, **mouse})

    def hover(self, selector: str) -> None:
        """Move the pointer over an element."""
        x, y = self.run(
            f"(() => {{const found = document.querySelector({json.dumps(selector)});"
            " found.scrollIntoView({block: 'nearest'}); const b = found.getBoundingClientRect();"
            " return [b.left + b.width / 2, b.top + b.height / 2]})()"
        )
        self.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    def write(self, words: str) -> None:
        """Type words into what has the focus."""
        self.call("Input.insertText", {"text": words})

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key."""
        code, number, text = _KEYS[key]
        stroke: Json = {"key": " " if key == "Space" else key, "code": code, "windowsVirtualKeyCode": number}
        stroke["modifiers"] = _SHIFT if shift else 0
        down: Json = {"type": "keyDown", **stroke}
        if text:
            down["text"] = text
        self.call("Input.dispatchKeyEvent", down)
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **stroke})

    def picture(self, path: Path) -> None:
        """Keep what is seen now."""
        self.call("Runtime.evaluate", {"expression": "document.fonts.ready.then(() => 0)", "awaitPromise": True})
        data = self.call("Page.captureScreenshot", {"format": "png"})["data"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(data))

    def problems(self) -> list[str]:
        """Return what the console has to complain about, a server that was not there left out."""
        self.run("0")
        return [problem for event in self.events if (problem := _problem(event))]

    def loaded(self) -> list[tuple[str, int]]:
        """Return every file that came, with its bytes on the wire."""
        self.run("0")
        names = {
            e["params"]["requestId"]: e["params"]["response"]["url"]
            for e in self.events
            if e["method"] == "Network.responseReceived"
        }
        return [
            (names[e["params"]["requestId"]], e["params"]["encodedDataLength"])
            for e in self.events
            if e["method"] == "Network.loadingFinished" and e["params"]["requestId"] in names
        ]


def _problem(event: Json) -> str:
    params = event["params"]
    match event["method"]:
        case "Runtime.exceptionThrown":
            return f"exception: {params['exceptionDetails']}"
        case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
            return f"console: {params['args']}"
        case "Log.entryAdded" if params["entry"]["source"] != "network":
            return f"{params['entry']['source']}: {params['entry']['text']}"
        case _:
            return ""
