"""The parts of one message's content as Anthropic's blocks: text, pictures and papers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from tiercel.engines.anthropic.words import NOT_JSON
from tiercel.terms.errors import BadRequest

__all__ = ["Block", "Content", "blocks", "decoded", "filled", "is_string", "text_block"]

Block = dict[str, object]

PICTURES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
LONGEST_COMPLAINT = 200
PAPER = "application/pdf"

_DATA_URL = re.compile(r"data:([a-z0-9.+/-]+);base64,", re.IGNORECASE)

T = TypeVar("T")


class _Picture(msgspec.Struct):
    url: str
    detail: str | None = None


class _File(msgspec.Struct):
    file_data: str | None = None
    filename: str | None = None


class _Part(msgspec.Struct):
    """One part of a content; which fields count depends on the type."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _Picture | str | None = None
    file: _File | None = None
    cache_control: dict[str, msgspec.Raw] | None = None
    prompt_cache_breakpoint: dict[str, msgspec.Raw] | None = None


Content = str | list[_Part] | None


def blocks(content: Content, where: str, lost: dict[str, None], *, images: bool = True) -> list[Block]:
    """Translate one content; parts that this engine cannot take are the caller's mistake."""
    if content is None:
        return []
    if isinstance(content, str):
        return [text_block(content)]
    return [_block(part, f"{where}.content[{index}]", lost, images=images) for index, part in enumerate(content)]


def filled(found: Sequence[Block]) -> list[Block]:
    """Leave out text without a word in it, which the API refuses."""
    return [block for block in found if block["type"] != "text" or str(block["text"]).strip()]


def text_block(text: str) -> Block:
    """Return a block of text."""
    return {"type": "text", "text": text}


def decoded(raw: msgspec.Raw, kind: type[T], where: str) -> T:
    """Decode a part of the request; what is wrong with it is the caller's to hear."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except NOT_JSON as error:
        raise BadRequest(str(error)[:LONGEST_COMPLAINT], param=where) from None


def is_string(raw: msgspec.Raw) -> bool:
    """Return whether a part of the request is a string, for the fields that may be that or something longer."""
    return bytes(raw)[:1] == b'"'


def _block(part: _Part, where: str, lost: dict[str, None], *, images: bool) -> Block:
    if part.type in {"text", "refusal"}:
        block = text_block((part.text if part.type == "text" else part.refusal) or "")
    elif part.type == "image_url" and images and part.image_url is not None:
        block = _picture(part.image_url, where, lost)
    elif part.type == "file" and images and part.file is not None:
        block = _paper(part.file, where)
    else:
        raise BadRequest(f"this engine takes no {part.type[:40]!r} here", param=f"{where}.type")
    if part.prompt_cache_breakpoint is not None:
        lost["messages.prompt_cache_breakpoint"] = None
    if part.cache_control is not None:
        block["cache_control"] = part.cache_control
    return block


def _picture(picture: _Picture | str, where: str, lost: dict[str, None]) -> Block:
    if isinstance(picture, str):
        picture = _Picture(picture)
    if picture.detail not in {None, "auto"}:
        lost["messages.image_url.detail"] = None
    if picture.url.startswith("https://"):
        return {"type": "image", "source": {"type": "url", "url": picture.url}}
    kind, data = _unpacked(picture.url, f"{where}.image_url.url", "an https address or a base64 data address")
    if kind not in PICTURES:
        raise BadRequest(f"a picture is one of {', '.join(sorted(PICTURES))}", param=f"{where}.image_url.url")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _paper(file: _File, where: str) -> Block:
    kind, data = _unpacked(file.file_data or "", f"{where}.file.file_data", "a base64 data address")
    if kind != PAPER:
        raise BadRequest(f"a file is an {PAPER}", param=f"{where}.file.file_data")
    paper: Block = {"type": "document", "source": {"type": "base64", "media_type": kind, "data": data}}
    if file.filename:
        paper["title"] = file.filename
    return paper


def _unpacked(url: str, where: str, wanted: str) -> tuple[str, str]:
    found = _DATA_URL.match(url)
    if found is None:
        raise BadRequest(f"must be {wanted}", param=where)
    return found[1].lower(), url[found.end() :]
