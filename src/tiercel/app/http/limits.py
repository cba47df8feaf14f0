"""Every bound the door puts on a stranger, in one place: sizes, counts and clocks."""

from __future__ import annotations

import msgspec

__all__ = ["LIMITS", "Limits"]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one caller, one connection and all of them together may take.

    Over a size the answer is 413, 414 or 431, over a JSON bound 400, over a connection cap 503; a clock that runs out
    answers 408 when half a request is there, and closes without a word otherwise.
    """

    # One request.
    target_bytes: int = 8 * 1024
    head_bytes: int = 32 * 1024
    head_fields: int = 100
    body_bytes: int = 2 * 1024 * 1024
    json_depth: int = 64
    # Arrays and objects in one body, and half as many as it may have values: what is in strings does not count.
    json_nodes: int = 65_536
    messages: int = 4096
    choices: int = 8
    inputs: int = 2048

    # One connection: complete requests that wait their turn (their bodies together stay below ``body_bytes``).
    queued: int = 8
    write_buffer_bytes: int = 64 * 1024

    # All connections of one process. An address is one IPv4 address or one IPv6 /64; 0 means no cap.
    connections: int = 8192
    connections_per_address: int = 1024
    # Bodies that are still on their way, together.
    partial_bytes: int = 256 * 1024 * 1024

    # Clocks, in seconds. A body must also come at ``body_bytes_per_s`` after its first ``body_grace_s``.
    idle_s: float = 75.0
    head_s: float = 10.0
    body_s: float = 30.0
    body_grace_s: float = 5.0
    body_bytes_per_s: int = 1000
    # How long a reply may wait for a client that does not read, and a closed connection for its last bytes.
    stalled_s: float = 30.0
    linger_s: float = 2.0


LIMITS = Limits()
