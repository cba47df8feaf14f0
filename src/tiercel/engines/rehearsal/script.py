"""The bytes an engine would send in answer to one request, and when: pure, so any clock and network can play them."""

from __future__ import annotations

import functools
import math
from operator import attrgetter
from typing import Final

import msgspec

from tiercel.engines.rehearsal import (
    anthropic_reply,
    anthropic_stream,
    openai_reply,
    openai_stream,
    stream_score,
    whole_score,
)
from tiercel.engines.rehearsal.cue import End, times_s
from tiercel.engines.rehearsal.embeddings import embed
from tiercel.engines.rehearsal.fit import Unfit
from tiercel.engines.rehearsal.framing_faults import Lines, misframed, unspoken
from tiercel.engines.rehearsal.heard import Asked, Heard
from tiercel.engines.rehearsal.listing import anthropic_models, openai_models
from tiercel.engines.rehearsal.modes import Mode
from tiercel.engines.rehearsal.part import Part
from tiercel.engines.rehearsal.refusals import FAULTS, PROBLEMS, UNFIT, Refusal
from tiercel.engines.rehearsal.reply import Dialect, Stream, Whole
from tiercel.engines.rehearsal.said import say
from tiercel.engines.rehearsal.whole_score import Score
from tiercel.engines.rehearsal.wrapping import EVENTS


class Beat(msgspec.Struct, frozen=True, gc=False):
    """Wait ``after_s`` since the beat before, send ``data``, then do what ``end`` says.

    ``""``: go on (after the last beat: the reply is complete and the connection stays); ``close``: FIN; ``reset``:
    RST; ``hang``: never anything more; ``again``: repeat this beat until the reader leaves.
    """

    after_s: float
    data: bytes = b""
    end: End = ""


def rehearse(request: Heard, part: Part) -> list[Beat]:
    """Say which bytes leave, and when, in answer to this request; equal arguments give equal beats."""
    asked = request.asked
    if part.mode in _BULKY or len(asked.tools) + len(asked.response_format) + len(asked.input) > _CACHED_BYTES:
        cues = _score(asked, part)
    else:
        cues = _cached(asked, _CONTENT(part))
    times = times_s(part)
    return [Beat(times[when], data, end) for when, data, end in cues]


_OPENAI: Final = Dialect(
    name="openai",
    identity="x-request-id",
    reply=openai_reply.reply,
    stream=openai_stream.stream,
    refuse=openai_reply.refuse,
)
_ANTHROPIC: Final = Dialect(
    name="anthropic",
    identity="request-id",
    reply=anthropic_reply.reply,
    stream=anthropic_stream.stream,
    refuse=anthropic_reply.refuse,
)
_HTML: Final = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
_BULKY: Final = frozenset({Mode.HUGE_LINE, Mode.HUGE_HEAD})
_CACHED_BYTES: Final = 1 << 14
_PACE: Final = frozenset({"head_s", "first_s", "gap_s"})
_FIELDS: Final = tuple(name for name in Part.__struct_fields__ if name not in _PACE)
_CONTENT: Final = attrgetter(*_FIELDS)


@functools.lru_cache(maxsize=512)
def _cached(asked: Asked, content: tuple[object, ...]) -> Score:
    """Keep scores by what is said, not by how fast: a simulation draws a new pace for every request."""
    return _score(asked, msgspec.convert(dict(zip(_FIELDS, content, strict=True)), Part))


def _score(asked: Asked, part: Part) -> Score:
    played = unspoken(part.mode)
    if played is not None:
        return played
    dialect = _ANTHROPIC if asked.place in {"messages", "anthropic_models"} else _OPENAI
    reply = _reply(asked, part, dialect)
    if isinstance(reply, Whole):
        lines: Lines = (*_lines(reply.kind, dialect), *reply.headers)
        return misframed(part.mode, reply.status, lines, reply.body) or whole_score.score(reply, lines, part)
    lines = _lines(EVENTS, dialect)
    return misframed(part.mode, 200, lines, reply.whole()) or stream_score.score(reply, lines, part)


def _lines(kind: str, dialect: Dialect) -> Lines:
    return (("server", "rehearsal"), ("content-type", kind), (dialect.identity, f"req_{dialect.name}"))


def _reply(asked: Asked, part: Part, dialect: Dialect) -> Whole | Stream:
    """Refuse what a sound engine would refuse, then fail as the part says, then answer."""
    if asked.problem and part.mode is not Mode.EARLY:  # which answers before it can know
        refusal = PROBLEMS[asked.problem]
        told = msgspec.structs.replace(refusal, message=asked.detail) if asked.detail else refusal
        return Whole(status=refusal.status, body=dialect.refuse(told))
    failed = _failed(asked, part, dialect)
    if failed is not None:
        return failed
    try:
        return _answer(asked, part, dialect)
    except (Unfit, msgspec.DecodeError) as wrong:
        told = msgspec.structs.replace(UNFIT, message=f"{UNFIT.message} {wrong}")
        return Whole(status=400, body=dialect.refuse(told))


def _failed(asked: Asked, part: Part, dialect: Dialect) -> Whole | None:
    if part.mode is Mode.HTML:
        return Whole(kind="text/html; charset=utf-8", body=_HTML)
    if part.mode is Mode.REDIRECT:
        return Whole(status=302, body=b"", headers=(("location", part.location),))
    refusal = FAULTS.get(part.mode)
    if refusal is None or (part.mode in {Mode.ERROR_BEFORE, Mode.ERROR_AFTER} and asked.stream):
        return None
    return Whole(status=refusal.status, body=dialect.refuse(refusal), headers=_advice(part, refusal))


def _advice(part: Part, refusal: Refusal) -> Lines:
    """Say when to come back, in whole seconds as HTTP wants it, and exactly as the clients read it."""
    if part.mode is Mode.EARLY:
        return (("connection", "close"),)
    if refusal.status not in {429, 503, 529}:
        return ()
    exact = () if part.retry_after_s.is_integer() else (("retry-after-ms", f"{part.retry_after_s * 1000:.0f}"),)
    return (("retry-after", str(math.ceil(part.retry_after_s))), *exact)


def _answer(asked: Asked, part: Part, dialect: Dialect) -> Whole | Stream:
    if asked.place == "health":
        return Whole(body=b"{}")
    if asked.place in {"models", "anthropic_models"}:
        return Whole(body=openai_models() if asked.place == "models" else anthropic_models())
    if asked.place == "embeddings":
        return Whole(body=embed(asked))
    said = say(asked, part)
    if asked.stream:
        return dialect.stream(asked, part, said)
    return Whole(body=dialect.reply(asked, part, said), spoken=True)
