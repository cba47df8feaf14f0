"""msgspec's sentences as refusals: what is wrong with a body, and with which field of it."""

from __future__ import annotations

import re

import msgspec  # noqa: TC002 - read at run time by whoever resolves annotations

from tiercel.terms.errors import BadRequest

__all__ = ["not_json", "wrong_field"]

_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_NAMED = re.compile(r"(?:missing required|unknown) field `([^`]*)`")
_MAX_PARAM = 120
_MAX_MESSAGE = 200


def wrong_field(error: msgspec.ValidationError, root: str = "") -> BadRequest:
    """Return the refusal of a body whose JSON is fine and whose field is not; ``root`` is where the decoding began."""
    message = str(error)
    place = _PLACE.search(message)
    named = _NAMED.search(message)
    steps = [root, place[1] if place else "", named[1] if named else ""]
    param = ".".join([step for step in steps if step])[:_MAX_PARAM]
    return BadRequest(_PLACE.sub("", message)[:_MAX_MESSAGE], param=param or None)


def not_json(error: Exception) -> BadRequest:
    """Return the refusal of a body that cannot be read at all."""
    if isinstance(error, RecursionError):
        return BadRequest("the body is nested too deeply", code="too_deep")
    if isinstance(error, UnicodeDecodeError):
        return BadRequest(f"the body is not UTF-8 (byte {error.start})", code="invalid_json")
    return BadRequest(f"the body is not JSON: {str(error)[:_MAX_MESSAGE]}", code="invalid_json")
