"""The head that a connection sent before, so that the same head need not be parsed again.

A client on a kept connection repeats its head to the byte, but for the length of the body. Bytes that llhttp found
good once mean the same the second time; what differs in anything else goes through the parser as ever.
"""

from __future__ import annotations

import re

from tiercel.app.http.job import Job

__all__ = ["Memo"]

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*\r\n", re.IGNORECASE)
_MAX_DIGITS = 7


class Memo:
    """One head, split around the digits of its content-length."""

    __slots__ = ("_at", "_digits", "_job", "_most", "_prefix", "_suffix", "_suffix_size")

    def __init__(self, job: Job, prefix: bytes, digits: bytes, suffix: bytes, *, most: int) -> None:
        self._job = job
        self._most = most
        self._prefix = prefix
        self._at = len(prefix)
        self._digits = digits
        self._suffix = suffix
        self._suffix_size = len(suffix)

    @classmethod
    def of(cls, data: bytes, job: Job, most: int) -> Memo | None:
        """Remember the head of a message that came whole and alone in ``data``; None when it does not lend itself.

        ``most`` is how long a body may be.
        """
        size = len(data) - len(job.body)
        match = _LENGTH.search(data, 0, size)
        # No length, or other bytes around the message; a field that came twice is the parser's affair.
        if match is None or int(match[1]) != len(job.body) or data[size - 4 : size] != b"\r\n\r\n" or job.fields:
            return None
        return cls(job, data[: match.start(1)], match[1], data[match.end(1) : size], most=most)

    def match(self, data: bytes, now_s: float) -> Job | None:
        """Return the job when ``data`` is the same head with one whole body behind it, else None."""
        if not data.startswith(self._prefix):
            return None
        at = self._at
        end = data.find(self._suffix, at, at + _MAX_DIGITS + self._suffix_size)
        digits = data[at:end]
        if end < 0 or not digits.isdigit():
            return None
        begin = end + self._suffix_size
        size = len(data) - begin
        if size != int(digits) or size > self._most:
            return None
        job = self._job
        return Job(
            method=job.method,
            target=job.target,
            head=job.head if digits == self._digits else {**job.head, b"content-length": digits},
            body=data[begin:],
            received_s=now_s,
            http10=job.http10,
            keep=True,
        )
