"""Vectors out of words: always the same for the same words, of length one, as numbers or packed."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import Annotated, Final

import msgspec

from tiercel.engines.rehearsal.fit import Json
from tiercel.engines.rehearsal.heard import Asked

DIMENSIONS: Final = 16
_MOST_DIMENSIONS: Final = 4096
# As engines written in Python take it: 8.0 is a whole number too.
_WHOLE = int | Annotated[float, msgspec.Meta(multiple_of=1)]
_INPUT: Final = msgspec.json.Decoder(str | list[str | _WHOLE | list[_WHOLE]])


def vector(words: str, dimensions: int) -> tuple[float, ...]:
    """Spread a digest of the words over so many numbers; their squares add up to one."""
    digest = hashlib.shake_128(words.encode()).digest(2 * dimensions)
    raw = [value + 0.5 for value in struct.unpack(f"<{dimensions}h", digest)]
    length = math.sqrt(math.fsum(value * value for value in raw))
    return tuple(value / length for value in raw)


def embed(asked: Asked) -> bytes:
    """Write the list of vectors for a request's inputs; raises ``DecodeError`` for inputs of another shape."""
    decoded = _INPUT.decode(asked.input)
    items = [decoded] if isinstance(decoded, str) else decoded
    if items and isinstance(items[0], int | float):
        items = [str(items)]
    dimensions = min(asked.dimensions, _MOST_DIMENSIONS) if asked.dimensions > 0 else DIMENSIONS
    vectors = [vector(item if isinstance(item, str) else str(item), dimensions) for item in items]
    data: Json = [
        {"object": "embedding", "index": index, "embedding": _packed(each) if asked.base64 else each}
        for index, each in enumerate(vectors)
    ]
    tokens = sum(len(str(item).split()) for item in items)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return msgspec.json.encode({"object": "list", "data": data, "model": asked.model, "usage": usage})


def _packed(values: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
