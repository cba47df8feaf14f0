"""What the page stands on in these tests: a real server process, over engines that play their parts."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prometheus_client.parser import text_string_to_metric_families

from app.terminal import MAIN, clean_environ
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part

__all__ = ["ENGINES", "LINE", "WICKED", "Server", "settings"]

LINE = (
    "News? A rider came in at dusk with mud to the saddle: the bridge at Holm is down, and the ferryman asks double. "
    "Sit by the fire, friend; nobody crosses before morning."
)
# What a page must show and never run, whoever says it.
WICKED = (
    "<img src=x onerror='window.ran = 1'><script>window.ran = 1</script>"
    "<svg onload=window.ran=1></svg><a href='javascript:window.ran=1'>here</a> &lt;b&gt; ${window.ran = 1}"
)
# Engines by name: the model that each says it is, and the part that it plays.
ENGINES: Mapping[str, tuple[str, Part]] = {
    "large": ("qwen3-32b", Part(mode=Mode.RATE_LIMITED, retry_after_s=60)),
    "small": ("qwen3-4b", Part(text=LINE, chunks=30, first_s=0.03, gap_s=0.006, prompt_tokens=41)),
    "wicked": ("injected-7b", Part(text=WICKED, chunks=9)),
    "patient": ("patient-7b", Part(chunks=2000, gap_s=0.02)),
    "torn": ("torn-7b", Part(mode=Mode.CUT, k=3)),
    "deaf": ("deaf-7b", Part(mode=Mode.SILENT)),
}
_PRICED = ("large", "small")


def settings(stage_url: str, engines: Sequence[str] = tuple(ENGINES)) -> str:
    """Write a configuration in which Silver's best engine is crowded, and its second one answers."""
    lines = []
    for name in engines:
        model, part = ENGINES[name]
        lines += [f"[engines.{name}]", 'kind = "openai"', f'model = "{model}"', "connect_ms = 20"]
        lines += [f'url = "{stage_url.removesuffix("/v1")}/as/{quote(part.as_model())}/v1"']
        if name in _PRICED:
            lines += [f"[engines.{name}.price]", "input = 0.10", "output = 0.40", 'as_of = "2026-11-01"']
    lines += ["[tiers.silver]", 'rungs = ["large", "small", "template"]', "first_ms = 400", "total_ms = 3000"]
    lines += ["[route]", "named_first_ms = 300", "named_total_ms = 60000"]
    return "\n".join([*lines, ""])


class Server:
    """``tiercel up`` as a process of its own, on a port that it keeps when it is started again."""

    def __init__(self, folder: Path, text: str) -> None:
        self._folder = folder
        (folder / "tiercel.toml").write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it; returns when it takes requests."""
        port = self.url.rpartition(":")[2] or "0"
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", MAIN, "up", "--json", "--port", port],
            cwd=self._folder,
            env=clean_environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        assert "url" in told, told
        self.url = str(told["url"])

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def get(self, path: str) -> Any:
        """Return a JSON document."""
        with urllib.request.urlopen(self.url + path) as reply:  # noqa: S310 - our own server
            return json.load(reply)

    def ask(self, model: str, *, stream: bool = False, **wishes: object) -> bytes:
        """Ask past the page, so that it has something to show."""
        messages = [{"role": "user", "content": "Any news from the road?"}]
        body = {"model": model, "messages": messages, "stream": stream, "tiercel": wishes}
        head = {"content-type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/v1/chat/completions", json.dumps(body).encode(), head
        )
        with urllib.request.urlopen(request) as reply:  # noqa: S310 - our own server
            return bytes(reply.read())

    def count(self, name: str, **labels: str) -> float:
        """Return what /metrics says, summed over the labels that are not given."""
        with urllib.request.urlopen(f"{self.url}/metrics") as reply:  # noqa: S310 - our own server
            text = reply.read().decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )
