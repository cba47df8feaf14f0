"""JSON that came from outside: what can go wrong when it is decoded."""

from __future__ import annotations

import msgspec

__all__ = ["NOT_JSON"]

# Text that is not UTF-8 raises no DecodeError, and neither does a value that is nested a thousand deep.
NOT_JSON = (msgspec.DecodeError, UnicodeError, RecursionError)
