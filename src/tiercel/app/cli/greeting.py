"""What ``tiercel up`` says when it is up: where it is, lines that work at once, and who answers each tier."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from tiercel.app.cli.paint import bold, clean, dim, green, yellow
from tiercel.app.nearby import Found
from tiercel.app.settings import Loaded, Settings
from tiercel.route.spec import TierSpec

__all__ = ["PERSONA", "curl_line", "greeting", "offers", "snippet"]

# Somebody whom the templates know, so that the first line a person copies is answered in character.
PERSONA = "blacksmith"
_SECOND_MS = 1000
_QUESTION = "Any news from the road?"


def greeting(loaded: Loaded, url: str) -> str:
    """Return the text; everything in it can be copied and works."""
    settings = loaded.settings
    lines = [
        "",
        f"{green('Tiercel is up')} at {bold(url)}   {dim('Ctrl-C ends it')}",
        "",
        *_ladders(settings),
        "",
        bold("Try it"),
        curl_line(url),
        "",
        snippet(url),
        "",
        f"{bold('More')}  tiercel chat{_elsewhere(url)}   page {url}/   metrics {url}/metrics",
        dim(f"      settings: {loaded.file or 'all defaults'} (tiercel config explain)"),
    ]
    if not any(settings.engines[rung].is_model for tier in settings.tiers.values() for rung in tier.rungs):
        lines += [
            "",
            dim("No model yet: Silver speaks from templates, Gold decides by rules. Add one with --silver URL."),
        ]
    return "\n".join(lines) + "\n"


def curl_line(url: str) -> str:
    """Return a request for a shell."""
    messages = f'[{{"role":"user","content":"{_QUESTION}"}}]'
    body = f'{{"model":"silver","messages":{messages},"tiercel":{{"persona":"{PERSONA}"}}}}'
    return f"  curl -s {url}/v1/chat/completions -H 'content-type: application/json' \\\n    -d '{body}'"


def snippet(url: str) -> str:
    """Return the same request for the ``openai`` client."""
    return "\n".join(
        [
            "  from openai import OpenAI",
            f'  client = OpenAI(base_url="{url}/v1", api_key="none")',
            "  reply = client.chat.completions.create(",
            f'      model="silver", messages=[{{"role": "user", "content": "{_QUESTION}"}}],',
            f'      extra_body={{"tiercel": {{"persona": "{PERSONA}"}}}})',
            "  print(reply.choices[0].message.content)",
        ]
    )


def offers(found: Iterable[Found]) -> str:
    """Return which model servers run here and the flag that would use each; empty when there are none."""
    lines = []
    for one in found:
        first, *others = one.models
        more = f" and {len(others)} more" if others else ""
        lines.append(clean(f"  {one.product}: {first}{more}\n    tiercel up --silver {shlex.quote(one.flag)}"))
    return "\n".join(["", yellow("Found on this machine, not used unless you say so"), *lines, ""]) if lines else ""


def _ladders(settings: Settings) -> list[str]:
    return [f"  {bold(f'{tier:<7}')} {_ladder(settings, spec)}" for tier, spec in settings.tiers.items()]


def _ladder(settings: Settings, spec: TierSpec) -> str:
    if not spec.rungs:
        return dim("not built yet: answers 501")
    rungs = [
        f"{rung} ({clean(settings.engines[rung].model)})" if settings.engines[rung].model else rung
        for rung in spec.rungs
    ]
    promise = f"first word in {_span(spec.first_ms)}, the end in {_span(spec.total_ms)}"
    return f"{' > '.join(rungs)}   {dim(promise)}"


def _span(ms: float) -> str:
    return f"{ms:g} ms" if ms < _SECOND_MS else f"{ms / 1000:g} s"


def _elsewhere(url: str) -> str:
    """Add the address where the other commands would not look by themselves."""
    return "" if url.endswith(("://127.0.0.1:8484", "://localhost:8484")) else f" --url {url}"
