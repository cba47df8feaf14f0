"""How deep and how manifold a body is, found out without decoding it, so that no body costs more than it is worth."""

from __future__ import annotations

from array import array
from itertools import accumulate

from tiercel.app.http.limits import Limits
from tiercel.terms.errors import BadRequest

__all__ = ["check_depth", "check_values"]

_BACKSLASH = ord("\\")
# All bytes but some of those that JSON's structure is made of, and the marks of its strings.
_NO_BRACKET = bytes(set(range(256)) - set(b'"[]{}'))
_NO_COMMA = bytes(set(range(256)) - set(b'",'))
# A larger body is looked at before it is decoded: a million numbers would keep everybody waiting.
_LARGE = 256 * 1024
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def check_values(body: bytes, limits: Limits) -> None:
    """Refuse a large body with more values than a request can mean; a small one cannot have that many."""
    if len(body) > _LARGE and len(_outside(body, _NO_COMMA, limits)) > 2 * limits.json_nodes:
        raise _too_complex(f"more than {2 * limits.json_nodes} values")


def check_depth(body: bytes, siblings: int, limits: Limits) -> None:
    """Refuse a body that is nested too deeply; nearly always without looking at its structure.

    No path can go through two of these siblings, so all brackets of the body less the siblings bound the depth.
    Deleting a byte up to a limit is how bytes are counted at the speed of memchr.
    """
    most = limits.json_depth + siblings
    opens = 2 * len(body) - len(body.replace(b"{", b"", most)) - len(body.replace(b"[", b"", most))
    if opens - siblings < limits.json_depth:
        return
    brackets = _outside(body, _NO_BRACKET, limits)
    if len(brackets) > 2 * limits.json_nodes:
        raise _too_complex(f"more than {limits.json_nodes} arrays and objects")
    if max(accumulate(array("b", brackets.translate(_STEPS))), default=0) > limits.json_depth:
        raise BadRequest(f"the body is nested more than {limits.json_depth} deep", code="too_deep")


def _outside(body: bytes, noise: bytes, limits: Limits) -> bytes:
    """Return what is left of a body without its strings and without these bytes, in a few passes of C code."""
    if _BACKSLASH in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = body.translate(None, noise)
    most = 4 * limits.json_nodes
    if len(marks) - len(marks.replace(b'"', b"", most)) == most:
        raise _too_complex(f"more than {most // 2} strings")
    return b"".join(marks.split(b'"')[::2])


def _too_complex(what: str) -> BadRequest:
    return BadRequest(f"{what} in one body", code="too_complex")
