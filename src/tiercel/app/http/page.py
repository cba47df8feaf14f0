"""The files of the web page, read once and served from memory: no path of a request ever reaches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.abc import Traversable
from importlib.resources import files

import msgspec

__all__ = ["HEADERS", "PageFile", "load_page"]

_MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# What every file of the page is sent with: nothing inline runs, nothing foreign loads, nobody frames it.
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
_BARE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tiercel</title></head>
<body><h1>Tiercel is running</h1>
<p>The API is at <code>/v1</code>, described by <a href="/openapi.json">openapi.json</a>.
Health: <a href="/healthz">healthz</a>, <a href="/readyz">readyz</a>, <a href="/metrics">metrics</a>.</p></body></html>
"""


class PageFile(msgspec.Struct, frozen=True):
    """One file: its bytes, what they are, and a tag that changes with them."""

    body: bytes
    media: str
    etag: str


def load_page() -> dict[str, PageFile]:
    """Return every file of the page by its path; ``/`` is its index, or a bare one where the package has none."""
    found = {path: _file(path, body) for path, body in _walk(files("tiercel.app").joinpath("page"), "/")}
    index = found.get("/index.html") or _file("/index.html", _BARE)
    return {"/": index, **found}


def _walk(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{path}{entry.name}/")
        elif _suffix(entry.name) in _MEDIA:
            yield f"{path}{entry.name}", entry.read_bytes()


def _suffix(name: str) -> str:
    return name[name.rfind(".") :] if "." in name else ""


def _file(path: str, body: bytes) -> PageFile:
    return PageFile(body, _MEDIA[_suffix(path)], f'"{hashlib.sha256(body).hexdigest()[:20]}"')
