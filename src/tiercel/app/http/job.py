"""One request, complete and checked, between the reader and whoever answers it."""

from __future__ import annotations

import msgspec

from tiercel.terms.errors import TiercelError

__all__ = ["Field", "Job"]

Field = tuple[bytes, bytes]


class Job(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message that waits for its answer; or, with ``refused``, the reason why it gets none but that."""

    method: bytes
    target: bytes
    # Names are lower-case. Of a name that came twice this holds the last, and ``fields`` holds all.
    head: dict[bytes, bytes]
    body: bytes
    # When its last byte was here, by the clock that deadlines are counted with.
    received_s: float
    http10: bool
    keep: bool
    fields: tuple[Field, ...] = ()
    refused: TiercelError | None = None
