"""What goes out: nothing of an engine or a caller can end a header, forge our word or break a frame."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.small_door import REPORT
from tiercel.app.http.heads import Calendar, block_of, pairs_of, status_line
from tiercel.app.http.replies import error_event, error_reply, framed, should_retry, stream_tail, with_report
from tiercel.terms.errors import (
    BadRequest,
    EngineFailed,
    Exhausted,
    Late,
    NotBuilt,
    OverQuota,
    Shed,
    TiercelError,
    Tripped,
    Unknown,
)
from tiercel.terms.reply import Report, Tried

LINE = r"[a-z-]+: [A-Za-z0-9._:, -]+"


def test_the_block_of_a_reply_says_how_it_was_won() -> None:
    """Statement 31: a parameter that was dropped is named."""
    tried = (Tried(rung="fast", outcome="late", ms=183.4), Tried(rung="small", outcome="ok", ms=39.6))
    report = msgspec.structs.replace(REPORT, attempts=tried, dropped=("logit_bias", "seed"), degraded=True)
    assert block_of("r-1", report).decode().splitlines() == [
        "x-tiercel-tier: silver",
        "x-tiercel-rung: fast",
        "x-tiercel-kind: model",
        "x-tiercel-degraded: true",
        "x-tiercel-ms: 12.5",
        "x-tiercel-attempts: fast:late:183,small:ok:40",
        "x-tiercel-cost: 0.000012",
        "x-request-id: r-1",
        "x-tiercel-dropped: logit_bias,seed",
    ]


@pytest.mark.parametrize(
    ("cost", "said"), [(None, "unknown"), (0.0, "0.000000"), (4e-7, "0.000000400"), (1.5, "1.500000")]
)
def test_an_unknown_price_is_not_zero_and_a_small_one_is_not_free(cost: float | None, said: str) -> None:
    block = block_of("r", msgspec.structs.replace(REPORT, cost=cost, tier=None))
    assert f"x-tiercel-cost: {said}\r\n" in block.decode()
    assert b"x-tiercel-tier: none\r\n" in block


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_no_name_can_end_a_header(rung: str, tried: str, dropped: list[str]) -> None:
    report = msgspec.structs.replace(
        REPORT, rung=rung, attempts=(Tried(rung=tried, outcome="ok"),), dropped=tuple(dropped)
    )
    block = block_of("r", report).decode("ascii")
    names = [line.split(": ")[0] for line in block.split("\r\n")[:-1]]
    assert names == [name.decode() for name, _ in pairs_of(block.encode())]
    assert len(names) == len(set(names)) == (9 if dropped else 8)
    assert all(character.isprintable() for line in block.split("\r\n") for character in line)


objects = st.dictionaries(
    st.text(max_size=6) | st.just("tiercel"),
    st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=5),
)


@given(objects, st.sampled_from(["", " ", "\n"]), st.booleans())
def test_a_body_keeps_all_its_keys_and_gets_our_report(fields: dict[str, object], space: str, escaped: bool) -> None:
    body = msgspec.json.encode(fields)
    if escaped:
        body = body.replace(b'"tiercel"', b'"\\u0074iercel"')
    body = (space + body.decode()[:-1] + space + "}" + space).encode()

    told = msgspec.json.decode(with_report(body, REPORT))

    assert told == {**fields, "tiercel": msgspec.json.decode(msgspec.json.encode(REPORT))}
    assert with_report(body, REPORT).count(b'"kind":"model"') == 1


def test_an_engine_cannot_speak_in_our_name() -> None:
    for key in (b'"tiercel"', b'"\\u0074iercel"', b'"tierc\\u0065l"', b'"tierce\\u006C"'):
        told = with_report(b'{"id":"x",' + key + b':{"tier":"gold"},"choices":[]}', REPORT)
        assert b"gold" not in told
        assert msgspec.json.decode(told)["tiercel"]["tier"] == "silver"
    deep = with_report(b'{"choices":[{"tiercel":1}]}', REPORT)
    assert msgspec.json.decode(deep)["choices"] == [{"tiercel": 1}]


def test_the_report_is_in_the_last_chunk_before_the_mark() -> None:
    first, last, mark = stream_tail((b'{"a":1}', b'{"b":2}'), REPORT)
    assert first == b'{"a":1}'
    assert msgspec.json.decode(last)["tiercel"]["rung"] == "fast"
    assert mark == b"[DONE]"
    assert stream_tail((), REPORT) == [b"[DONE]"]


@given(st.binary())
def test_a_frame_is_one_event_whatever_is_in_it(payload: bytes) -> None:
    frame = framed(payload, chunked=False)
    assert frame.startswith(b"data: ")
    assert frame.endswith(b"\n\n")
    assert b"\n" not in frame[:-2]
    assert b"\r" not in frame
    assert framed(payload, chunked=True) == b"%x\r\n%b\r\n" % (len(frame), frame)


def worth_waiting_for(seconds: float) -> Exhausted:
    error = Exhausted("none", [EngineFailed("rate_limited", "x", retry_after_s=seconds)])
    error.retry_after_s = seconds
    return error


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "again", "wait"),
    [
        (BadRequest("no", param="n"), 400, "invalid_request_error", "invalid_value", False, None),
        (
            BadRequest("no", code="context_length_exceeded"),
            400,
            "invalid_request_error",
            "context_length_exceeded",
            False,
            None,
        ),
        (Unknown("no"), 404, "invalid_request_error", "not_found", False, None),
        (NotBuilt("no"), 501, "server_error", "not_built", False, None),
        (OverQuota("you", retry_after_s=1.2), 429, "requests", "over_quota", True, "2"),
        (Shed("full"), 503, "server_error", "shed", True, "1"),
        (Late("late"), 504, "server_error", "deadline", False, None),
        (Tripped("open"), 503, "server_error", "breaker_open", False, None),
        (Exhausted("none"), 503, "server_error", "exhausted", False, None),
        (Exhausted("none", code="deadline"), 504, "server_error", "deadline", False, None),
        (
            worth_waiting_for(47.0),
            503,
            "server_error",
            "exhausted",
            False,
            "47",
        ),
    ],
)
def test_every_error_is_told_in_the_envelope(
    error: TiercelError,
    status: int,
    kind: str,
    code: str,
    again: bool,
    wait: str | None,
) -> None:
    """Statement 35: also 429, with the wait of the limit that refused."""
    reply = error_reply(error, "r-1")
    told = msgspec.json.decode(reply.body)["error"]
    headers = {name.decode(): value.decode() for name, value in pairs_of(reply.block)}
    assert (reply.status, told["type"], told["code"]) == (status, kind, code)
    assert told["param"] == ("n" if code == "invalid_value" else None)
    assert headers["x-request-id"] == "r-1"
    assert headers["x-should-retry"] == ("true" if again else "false") == str(should_retry(error)).lower()
    assert headers.get("retry-after") == wait
    assert ("retry-after-ms" in headers) == (wait is not None)
    assert msgspec.json.decode(error_event(error)) == {"error": told}


@given(st.text())
def test_no_message_can_break_the_envelope(message: str) -> None:
    reply = error_reply(BadRequest(message, param=message), "r")
    assert len(msgspec.json.decode(reply.body)["error"]["message"]) <= 500
    assert b"\r\n\r\n" not in reply.block


def test_a_report_in_an_error_says_what_was_tried() -> None:
    late = Late("late")
    late.report = REPORT
    reply = error_reply(late, "r")
    assert msgspec.json.decode(reply.body)["tiercel"]["attempts"][0]["rung"] == "fast"
    assert b"x-tiercel-attempts: fast:ok:12" in reply.block


def test_the_date_is_made_once_a_second_and_follows_a_clock_that_is_set_back() -> None:
    now = [0.0]
    calendar = Calendar(lambda: now[0])
    first = calendar.line()
    assert first == b"date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    now[0] = 0.999
    assert calendar.line() is first
    now[0] = 1.0
    assert calendar.line() == b"date: Thu, 01 Jan 1970 00:00:01 GMT\r\n"
    now[0] = 0.5
    assert calendar.line() == first


def test_every_status_has_a_line() -> None:
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(529) == b"HTTP/1.1 529 \r\n"


def test_a_report_without_tries_says_none() -> None:
    report = Report(tier="gold", rung="policy", kind="policy", degraded=False, ms=0.1, cost=0.0)
    assert b"x-tiercel-attempts: none\r\n" in block_of("r", report)
