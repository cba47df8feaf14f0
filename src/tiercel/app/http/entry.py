"""What becomes of a request before anybody serves it, alike on the hot path and on the plain route."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from tiercel.app.http import faults
from tiercel.app.http.asks import read_chat, read_embedding
from tiercel.app.http.limits import Limits
from tiercel.app.http.wishes import wishes_of
from tiercel.terms.ask import Ask, Wishes

__all__ = ["READERS", "Read", "ask_of", "caller_id", "check_media"]

_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_MEDIA = b"application/json"

Head = Mapping[bytes, bytes]


class Read(Protocol):
    """Makes an ``Ask`` of a body; raises ``Refused``."""

    def __call__(
        self, body: bytes, wishes: Wishes, request_id: str, limits: Limits, *, received_s: float | None = None
    ) -> Ask:
        """Read one body."""
        ...


# The routes that models answer, and how their bodies are read.
READERS: Mapping[str, Read] = {"/v1/chat/completions": read_chat, "/v1/embeddings": read_embedding}


def caller_id(head: Head, ids: Callable[[], str]) -> str:
    """Return the caller's own request id when it is made of harmless characters, else a new one."""
    given = head.get(b"x-request-id")
    return given.decode() if given is not None and _ID.fullmatch(given) else ids()


def check_media(head: Head) -> None:
    """Refuse a body that says it is something else than JSON; one that says nothing is taken at its word."""
    media = head.get(b"content-type", _MEDIA)
    if media != _MEDIA and media.partition(b";")[0].strip().lower() != _MEDIA:
        raise faults.not_json(media.decode("latin-1"))


def ask_of(read: Read, head: Head, body: bytes, request_id: str, limits: Limits, received_s: float | None) -> Ask:
    """Read a request; raises ``Refused`` with all that is wrong with it."""
    check_media(head)
    return read(body, wishes_of(head), request_id, limits, received_s=received_s)
