"""The 136 published HTTP/1.1 cases of Http11Probe, on the hot path, on the plain route, and as they were written.

Published is which status a server of pages should give. Here a request that is well-formed reaches a route, and the
route may well dislike its five bytes of body: what counts as accepted is that a route answered, what counts as refused
is that the door did. The two are told apart by the error's code, so nothing is passed off as a refusal by accident.
"""

from __future__ import annotations

import asyncio
import re
import tomllib
from functools import cache
from pathlib import Path

import msgspec
import pytest

from app.http.caller import CHAT, read_replies
from app.http.real_door import exchange, real_door
from app.http.small_door import ScriptedFlow, parts_of
from tiercel.app.http.limits import Limits
from tiercel.app.http.parts import EVENTS

HERE = Path(__file__).parent / "h1"
# Short clocks, so that "no answer yet" is a matter of moments.
LIMITS = Limits(idle_s=0.3, head_s=0.2, body_s=0.2, body_grace_s=0.2, linger_s=0.2)
DOOR_CODES = {"malformed_http", "too_large", "unsupported_media_type", "expectation_failed", "foreign"}
# The published text shows some bytes beyond ASCII as question marks; its descriptions say what they were.
MENDED = {
    "MAL-NON-ASCII-URL": ("caf??", "caf\xc3\xa9"),
    "MAL-URL-OVERLONG-UTF8": ("/??", "/\xc0\xaf"),
    "MAL-NON-ASCII-HEADER-NAME": ("X-T??st", "X-T\xc3\xabst"),
}


class Case(msgspec.Struct, frozen=True):
    """One published case."""

    id: str
    category: str
    expected: str
    description: str
    raw: str


class Verdict(msgspec.Struct, frozen=True):
    """What the door made of it; no status when it closed without a word."""

    status: int | None
    code: str
    close: bool

    @property
    def accepted(self) -> bool:
        """Whether the message reached a route."""
        return self.status is not None and self.status != 408 and self.code not in DOOR_CODES


class _Published(msgspec.Struct):
    cases: list[Case]


CASES = msgspec.json.decode((HERE / "cases.json").read_bytes(), type=_Published).cases
EXCEPTIONS = tomllib.loads((HERE / "exceptions.toml").read_text())
TOLD: list[str] = []
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def bytes_of(case: Case, port: int, route: str) -> bytes:
    raw = case.raw.replace(*MENDED.get(case.id, ("", ""))).replace("localhost:8080", f"localhost:{port}")
    if route != "as written":
        raw = re.sub("^(POST|GET) / HTTP", f"POST {CHAT} HTTP", raw)
    return raw.encode("latin-1")


def verdict_of(heard: bytes) -> Verdict:
    heard = heard.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not heard:
        return Verdict(None, "", close=True)
    # The only HEAD of the cases is the only reply without the body that it announces.
    reply = (read_replies(heard, closed=True) or read_replies(heard, heads=True))[0]
    code = reply.code if reply.body.startswith(b'{"error"') else ""
    return Verdict(reply.status, code, reply.headers.get("connection") == "close")


@cache
def verdicts(route: str) -> dict[str, Verdict]:
    """Put all cases to one server, side by side."""

    async def all_cases() -> dict[str, Verdict]:
        parts = parts_of(ScriptedFlow({}), limits=LIMITS, tally=TOLD.append)
        async with real_door(parts, hot=route == "hot") as door:
            sent = [exchange(door.port, bytes_of(case, door.port, route)) for case in CASES]
            return {case.id: verdict_of(heard) for case, heard in zip(CASES, await asyncio.gather(*sent), strict=True)}

    return asyncio.run(all_cases())


def meets(expected: str, verdict: Verdict) -> bool:
    if expected == "!101":
        return verdict.status not in (None, 101)
    if expected == "2xx + close":
        return verdict.accepted and verdict.close
    if verdict.status is None:
        return "close" in expected
    if verdict.status == 408:
        return "timeout" in expected
    if verdict.accepted and ("2xx" in expected or "200" in expected):
        return True
    return not verdict.accepted and str(verdict.status) in re.findall(r"\d{3}", expected)


def test_all_published_cases_are_here() -> None:
    assert len(CASES) == 136
    assert len({case.id for case in CASES}) == 136
    assert all(exception["why"] for exception in EXCEPTIONS.values())


@pytest.mark.parametrize("route", ["hot", "plain"])
@each_case
def test_a_published_case_is_answered_as_expected(case: Case, route: str) -> None:
    verdict = verdicts(route)[case.id]
    if case.id in EXCEPTIONS:
        assert verdict.status == EXCEPTIONS[case.id]["status"]
    else:
        assert meets(case.expected, verdict), f"{case.description}: expected {case.expected}, got {verdict}"


def test_both_ways_give_the_same_verdicts() -> None:
    assert verdicts("hot") == verdicts("plain")


def test_the_cases_as_they_were_written_are_refused_by_the_door_alike() -> None:
    """On the page's route a body is a wrong method; what the door refuses, it refuses there too."""
    hot = {name: verdict if not verdict.accepted else "accepted" for name, verdict in verdicts("hot").items()}
    written = {
        name: verdict if not verdict.accepted else "accepted" for name, verdict in verdicts("as written").items()
    }
    assert written == hot


def test_refusals_are_counted_by_names_of_a_closed_set() -> None:
    verdicts("hot")
    assert {"refused.malformed_http", "refused.too_large", "clock.body", "clock.head"} <= set(TOLD) <= set(EVENTS)
