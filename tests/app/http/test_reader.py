"""Bytes become requests: whatever way they are cut, within every bound, and in one reading only."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http.caller import CHAT, chat, request
from tiercel.app.http.job import Job
from tiercel.app.http.limits import LIMITS, Limits
from tiercel.app.http.reader import Phase, Reader
from tiercel.app.http.rules import Rules
from tiercel.app.http.visitors import Visitors
from tiercel.terms.clock import ManualClock

CHUNKED = "transfer-encoding: chunked"


def a_reader(limits: Limits = LIMITS) -> Reader:
    return Reader(Rules(limits, Visitors()), ManualClock())


def all_of(reader: Reader) -> list[Job]:
    jobs = []
    while reader.jobs or reader.unread:
        if not reader.jobs:
            reader.go_on()
        if reader.jobs:
            jobs.append(reader.take())
    return jobs


def read(*pieces: bytes, limits: Limits = LIMITS) -> list[Job]:
    reader = a_reader(limits)
    jobs = []
    for piece in pieces:
        reader.feed(piece)
        jobs += all_of(reader)
    return jobs


def refusal(*pieces: bytes, limits: Limits = LIMITS) -> int:
    """Return the status with which these bytes are refused."""
    jobs = read(*pieces, limits=limits)
    assert jobs, "nothing was refused"
    assert jobs[-1].refused is not None
    assert not jobs[-1].keep
    return jobs[-1].refused.status


def in_chunks(*chunks: bytes) -> bytes:
    return b"".join([b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]) + b"0\r\n\r\n"


def test_a_request_is_read() -> None:
    (job,) = read(request("/v1/x?y=1", b'{"a":1}', lines=["X-Thing: One", "x-tiercel-sla: async"]))

    assert (job.method, job.target, job.body, job.keep, job.http10) == (b"POST", b"/v1/x?y=1", b'{"a":1}', True, False)
    assert job.head[b"x-thing"] == b"One"
    assert job.refused is None


def a_message(lines: list[str], body: bytes, target: str, *, chunked: bool) -> bytes:
    if chunked:
        return request(target, in_chunks(body[:7], body[7:]) if len(body) > 7 else in_chunks(), lines=[*lines, CHUNKED])
    return request(target, body, lines=lines)


messages = st.builds(
    a_message,
    st.sampled_from(
        [
            ["x-one: 1"],
            ["X-One: 1", "accept: */*"],
            ["connection: keep-alive"],
            ["x-two: 1", "x-two: 2"],
            ["origin: http://localhost", "expect: 100-continue"],
            ["Content-Length:  3"],
        ]
    ),
    st.sampled_from([b"", b"{}", b"abc", b"x" * 30, b"x" * 31, b"\r\n\r\nPOST / HTTP/1.1\r\n"]),
    st.sampled_from([CHAT, "/a?b=c"]),
    chunked=st.booleans(),
)


@given(sent=st.lists(messages, max_size=6), cuts=st.lists(st.integers(1, 400), min_size=1))
def test_requests_are_the_same_however_their_bytes_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    """Also against the memory for heads, which only whole messages meet: byte by byte there is none."""
    data = b"".join(sent)
    pieces: list[bytes] = []
    while data:
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(data[:size])
        data = data[size:]

    def plain(jobs: list[Job]) -> list[object]:
        return [(job.method, job.target, job.head, job.body, job.fields, job.keep, bool(job.refused)) for job in jobs]

    byte_by_byte = read(*[bytes([byte]) for byte in b"".join(sent)])
    assert plain(read(*pieces)) == plain(byte_by_byte)
    assert plain(read(*sent)) == plain(byte_by_byte)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_are_more_than_refused(pieces: list[bytes]) -> None:
    for job in read(b"GET / HTTP/1.1\r\nhost: localhost\r\n", *pieces):
        assert job.refused is None or 400 <= job.refused.status <= 505


def test_a_head_that_was_sent_before_is_known_again_with_another_length() -> None:
    first, second = read(chat("auto", lines=["x-a: b"]), chat("some-other-model", lines=["x-a: b"]))

    assert b"some-other-model" in second.body
    assert second.head == {**first.head, b"content-length": b"%d" % len(second.body)}


@pytest.mark.parametrize(
    "second",
    [
        b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: +3\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: \r\n\r\n",
        b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\n\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n x\r\n\r\nabc",
    ],
)
def test_what_only_resembles_a_known_head_is_judged_anew(second: bytes) -> None:
    known = b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc"
    first, again, odd = read(known, known, second)

    assert first.body == again.body == b"abc"
    assert odd.refused is not None


def test_a_known_head_does_not_let_a_larger_body_through() -> None:
    def of(size: int) -> bytes:
        return request("/a", b"x" * size)

    jobs = read(of(20_000), of(40_000), of(50_000), of(50_001), limits=Limits(body_bytes=50_000))
    assert [len(job.body) for job in jobs] == [20_000, 40_000, 50_000, 0]
    assert jobs[-1].refused is not None


def test_a_known_head_with_more_than_its_body_is_read_as_two_messages() -> None:
    known = b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc"
    assert [job.body for job in read(known, known + known, known[:-1], b"c" + known)] == [b"abc"] * 5


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:80", "127.0.0.1:8484", "[::1]", "[::1]:8484", "localhost:", "localhost.", "[0:0::1]"],
)
def test_a_host_of_ours_is_let_in(host: str) -> None:
    (job,) = read(request("/", lines=[f"host: {host}"]))
    assert job.refused is None


@pytest.mark.parametrize(
    "host",
    [
        "a,b",
        "",
        "user@localhost",
        "localhost/x",
        "local host",
        "[::1",
        "[::g]",
        "localhost:99999",
        "localhost:8x",
        "[v1.a]",
    ],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    assert refusal(request("/", lines=[f"host: {host}"])) == 400


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.2", "[::2]", "127.0.0.1.nip.io"])
def test_a_host_that_is_not_ours_is_refused_so_that_no_name_can_be_rebound_to_us(host: str) -> None:
    assert refusal(request("/", lines=[f"host: {host}"])) == 421


def test_there_is_exactly_one_host() -> None:
    assert refusal(b"GET / HTTP/1.1\r\n\r\n") == 400
    assert refusal(request("/", lines=["host: localhost", "host: localhost"])) == 400
    assert refusal(request("/", lines=["host: localhost", "Host: other"])) == 400
    (old,) = read(b"GET / HTTP/1.0\r\n\r\n")
    assert old.refused is None


@pytest.mark.parametrize(
    "target",
    ["/a b", "/a#b", "/a\\b", "/a\x7f", "/caf\xe9", "/\xc0\xaf", 'a"', "*", "a", "//evil/../", "http://localhost"],
)
def test_only_a_path_of_printable_ascii_is_a_target(target: str) -> None:
    jobs = read(f"GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode("latin-1"))
    if target in ("//evil/../", "http://localhost"):
        assert jobs[0].refused is None
        assert jobs[0].target in (b"//evil/../", b"/")
    else:
        assert jobs[0].refused is not None
        assert jobs[0].refused.status == 400


def test_the_star_is_for_options_only() -> None:
    (options, get) = read(
        b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n", b"GET * HTTP/1.1\r\nhost: localhost\r\n\r\n"
    )
    assert options.refused is None
    assert get.refused is not None


def test_an_absolute_target_has_the_name_of_its_host() -> None:
    (job,) = read(b"GET http://LocalHost/v1/models?x HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert job.target == b"/v1/models?x"
    assert refusal(b"GET http://other/v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n") == 400


def test_a_proxy_is_what_we_are_not() -> None:
    assert refusal(b"CONNECT localhost:22 HTTP/1.1\r\nhost: localhost\r\n\r\n") == 405


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2", "9.9"])
def test_other_versions_are_refused(version: str) -> None:
    assert refusal(request("/", version=version)) == 505


def test_each_size_is_refused_with_its_own_status() -> None:
    assert refusal(request("/" + "a" * 8192)) == 414
    assert refusal(request("/", lines=["x: " + "a" * 33_000])) == 431
    assert refusal(request("/", lines=[f"x{i}: 1" for i in range(100)])) == 431
    assert refusal(request("/", lines=["content-length: 2097153"])) == 413
    assert refusal(request("/", in_chunks(*[b"x" * 60_000] * 40), lines=[CHUNKED])) == 413
    assert refusal(request("/", lines=["content-length: 99999999999999999999"])) == 400


def test_what_is_just_within_the_sizes_is_read() -> None:
    assert read(request("/" + "a" * 8191))[0].refused is None
    assert read(request("/", lines=["x: " + "a" * 32_600]))[0].refused is None
    assert read(request("/", lines=[f"x{i}: 1" for i in range(99)]))[0].refused is None
    assert len(read(request("/", b"x" * 2_097_152))[0].body) == 2_097_152
    assert len(read(request("/", in_chunks(*[b"x" * 50_000] * 40), lines=[CHUNKED]))[0].body) == 2_000_000


def test_a_limit_can_be_set() -> None:
    assert refusal(request("/", b"12345"), limits=Limits(body_bytes=4)) == 413
    assert read(request("/", b"1234"), limits=Limits(body_bytes=4))[0].body == b"1234"


FLOODS = {
    "a target without end": (b"GET /", b"a" * 60_000),
    "a field without end": (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ", b"a" * 60_000),
    "fields without end": (b"GET / HTTP/1.1\r\nhost: localhost\r\n", b"a: b\r\n" * 10_000),
    "an extension without end": (f"{request('/', lines=[CHUNKED]).decode()}5;a=".encode(), b"a" * 60_000),
    "extensions without end": (request("/", lines=[CHUNKED]), b"1;aaaaaaaaaaaaaaaa=b\r\nx\r\n" * 2_000),
    "tiny chunks without end": (request("/", lines=[CHUNKED]), b"1\r\nx\r\n" * 10_000),
    "a trailer without end": (request("/", lines=[CHUNKED]) + b"0\r\n", b"a: b\r\n" * 10_000),
    "a trailer field without end": (request("/", lines=[CHUNKED]) + b"0\r\nx: ", b"a" * 60_000),
    "a body without end": (request("/", lines=[CHUNKED]), b"ea60\r\n" + b"x" * 60_000 + b"\r\n"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_refused_while_it_arrives_and_costs_no_memory(name: str) -> None:
    first, more = FLOODS[name]
    reader = a_reader(Limits(body_bytes=300_000))
    tracemalloc.start()
    reader.feed(first)
    sent = 0
    while not reader.deaf and sent < 100:
        sent += 1
        reader.feed(more)
    for _ in range(200):
        reader.feed(more)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    (job,) = all_of(reader)
    assert job.refused is not None
    assert job.refused.status in (413, 414, 431)
    # The half body itself, twice while it grows, and the fields of one slice.
    assert peak < 2_500_000


def test_after_a_refusal_nothing_more_is_read() -> None:
    jobs = read(b"GET / HTTP/1.1\r\nhost: a,b\r\n\r\n" + chat(), chat(), chat())
    assert len(jobs) == 1


def test_after_close_nothing_more_is_read() -> None:
    jobs = read(chat(lines=["connection: close"]) + chat(), chat())
    assert [job.keep for job in jobs] == [False]
    assert [job.keep for job in read(chat(version="1.0"), chat())] == [False]
    assert [job.keep for job in read(chat(version="1.0", lines=["connection: keep-alive"]), chat())] == [True, True]


@pytest.mark.parametrize(
    "lines",
    [
        ["x-test : 1"],
        ["x test: 1"],
        ["x: a\r\n b"],
        ["x: a\x00b"],
        ["x: a\x07b"],
        ["x: a\rb"],
        ["x[: a"],
        [": a"],
        ["no colon"],
        ["x: a\ny: b"],
        ["transfer-encoding: gzip"],
        ["transfer-encoding: chunked, chunked"],
        ["transfer-encoding: identity"],
        ["transfer-encoding: "],
        ["content-length: 1, 1"],
        ["content-length: 0x1"],
        ["expect: 200-ok"],
        ["content-encoding: gzip"],
        ["authorization: a", "authorization: b"],
        ["x-tiercel-sla: async", "x-tiercel-sla: realtime"],
        ["x-request-id: a", "x-request-id: b"],
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(lines: list[str]) -> None:
    assert refusal(request("/", lines=lines) + b"x" * 20) in (400, 415, 417, 501)


def test_no_leniency_of_the_parser_is_on() -> None:
    """Each of these is what one of llhttp's switches would let pass."""
    end = b"\r\n\r\n"
    host = b"host: localhost\r\n"
    lenient = {
        "headers": b"GET / HTTP/1.1\r\n" + host + b"x: a\x0bb" + end,
        "chunked_length": b"POST / HTTP/1.1\r\n" + host + b"content-length: 1\r\ntransfer-encoding: chunked" + end,
        "transfer_encoding": b"POST / HTTP/1.1\r\n" + host + b"transfer-encoding: chunked, deflate" + end,
        "version": b"GET / HTTP/1.2\r\n" + host + b"\r\n",
        "optional_lf_after_cr": b"GET / HTTP/1.1\r\n" + host + b"a: b\rc: d" + end,
        "optional_cr_before_lf": b"GET / HTTP/1.1\n" + host + b"\r\n",
        "optional_crlf_after_chunk": request("/", lines=[CHUNKED]) + b"1\r\nx0\r\n\r\n",
        "spaces_after_chunk_size": request("/", lines=[CHUNKED]) + b"1 \r\nx\r\n0\r\n\r\n",
    }
    for name, data in lenient.items():
        assert refusal(data) in (400, 501, 505), name
    assert len(read(chat(lines=["connection: close"]) + chat())) == 1, "data_after_close, keep_alive"


def test_transfer_encoding_in_http10_is_refused() -> None:
    assert refusal(request("/", in_chunks(b"x"), lines=[CHUNKED], version="1.0")) == 400


def test_the_fields_of_a_trailer_are_not_taken_for_those_of_the_head() -> None:
    (job,) = read(request("/", lines=[CHUNKED]) + b"1\r\nx\r\n0\r\nx-tiercel-sla: async\r\nx-a: b\r\n\r\n")
    assert job.body == b"x"
    assert b"x-tiercel-sla" not in job.head
    assert job.fields == ()


def test_a_request_to_upgrade_is_read_as_the_request_that_it_also_is() -> None:
    """Java's HttpClient asks for h2c with every first request, body and all."""
    ask = [
        "connection: Upgrade, HTTP2-Settings",
        "upgrade: h2c",
        "http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    ]
    for data in (
        request(CHAT, b'{"a":1}', lines=ask),
        request(CHAT, in_chunks(b'{"a"', b":1}"), lines=[*ask, CHUNKED]),
    ):
        whole, in_pieces = read(data), read(*[data[i : i + 1] for i in range(len(data))])
        for (job,) in (whole, in_pieces):
            assert (job.body, job.keep, job.refused) == (b'{"a":1}', False, None)
            assert b"upgrade" not in job.head


def test_a_refused_request_is_not_answered_under_the_id_of_the_one_before() -> None:
    _, odd = read(chat(lines=["x-request-id: mine"]), b"HEAD\x00")
    assert odd.refused is not None
    assert odd.head == {}


def phase_of(reader: Reader) -> Phase:
    return reader.phase


def test_a_body_that_comes_in_pieces_is_held_until_it_is_whole() -> None:
    reader = a_reader()
    data = request("/", b"x" * 100_000)
    reader.feed(data[:50_000])
    assert phase_of(reader) is Phase.BODY
    assert 49_000 < reader.partial_bytes < 50_000
    reader.feed(data[50_000:])
    (job,) = all_of(reader)
    assert len(job.body) == 100_000
    assert reader.partial_bytes == 0
    assert phase_of(reader) is Phase.BETWEEN


def test_a_flood_of_small_requests_waits_unparsed() -> None:
    reader = a_reader()
    reader.feed(request("/", method="GET") * 5_000)
    assert len(reader.jobs) < 600
    assert reader.unread
    assert len(all_of(reader)) == 5_000
