"""What a reply has to be: whole, in shape, with words in it, saying truly who answered; or an honest error."""

from __future__ import annotations

from typing import Final

import jsonschema_rs
import msgspec

from fault_parts.plan import RUNGS, SCHEMA, TOOL, Plan
from rig.caller import Reply
from tiercel.engines.rehearsal.modes import Mode
from tiercel.terms.reply import Report

__all__ = ["Verdict", "verdict_on"]

# Nothing else may come from us, whatever an engine sends.
_HEADERS: Final = frozenset(
    b"content-type content-length transfer-encoding cache-control date connection retry-after retry-after-ms "
    b"x-request-id x-should-retry x-tiercel-tier x-tiercel-rung x-tiercel-kind x-tiercel-degraded x-tiercel-ms "
    b"x-tiercel-attempts x-tiercel-cost x-tiercel-dropped".split()
)
_ENDS: Final = frozenset({"stop", "length", "content_filter", "tool_calls", "function_call"})
_OURS, _LIMITED = 500, 429
# What an engine did when no whole answer can have come from it; elsewhere a good one may, of a kind.
_CANNOT_ANSWER: Final = (
    *(Mode.SILENT, Mode.STALL, Mode.ENDLESS_EMPTY, Mode.REFUSE, Mode.HANGUP, Mode.CUT_HEADERS, Mode.CUT_ROLE),
    *(Mode.CUT, Mode.RESET, Mode.CLEAN_CUT, Mode.RATE_LIMITED, Mode.BROKEN, Mode.BUSY, Mode.OVERLOADED),
    *(Mode.UNAUTHORIZED, Mode.NO_MODEL, Mode.REDIRECT, Mode.HTML, Mode.ERROR_IN_200, Mode.LONG_LENGTH),
    *(Mode.TWO_LENGTHS, Mode.NEGATIVE_LENGTH, Mode.GARBAGE_STATUS, Mode.TLS),
)
# As a stream these are one without a word, which is an answer when an engine is asked by its name.
_SAY_NOTHING: Final = (Mode.NO_CHOICES, Mode.EMPTY_CHOICES)


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str = ""


class _Call(msgspec.Struct):
    index: int = 0
    function: _Function = msgspec.field(default_factory=_Function)


class _Words(msgspec.Struct):
    """A message, or what one chunk adds to it."""

    role: str | None = None
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Words | None = None
    delta: _Words | None = None
    finish_reason: str | None = None


class _Error(msgspec.Struct):
    message: str
    type: str
    code: str | None


class _Body(msgspec.Struct):
    """A reply, a chunk or an error."""

    id: str = ""
    object: str = ""
    choices: list[_Choice] = []
    error: _Error | None = None
    tiercel: Report | None = None


class Verdict(msgspec.Struct, kw_only=True):
    """What became of one request, and everything that is wrong with it."""

    code: str = ""
    report: Report | None = None
    first_s: float | None = None
    wrong: list[str] = msgspec.field(default_factory=list)

    @property
    def answered(self) -> bool:
        """Whether it got an answer, good or not, rather than an error."""
        return not self.code


_decode = msgspec.json.Decoder(_Body).decode
_fits = jsonschema_rs.validator_for(SCHEMA).is_valid


def verdict_on(plan: Plan, reply: Reply) -> Verdict:
    """Judge a reply."""
    verdict = Verdict()
    if reply.status == 0:
        verdict.code = f"no reply: {reply.why}"
        return verdict
    strange = reply.headers.keys() - _HEADERS
    if strange:
        verdict.wrong.append(f"headers {sorted(strange)}")
    try:
        if reply.status != 200:
            _refusal(plan, reply, verdict)
        elif plan.stream:
            _stream(plan, reply, verdict)
        else:
            _whole(plan, reply, verdict)
    except msgspec.DecodeError as error:
        verdict.wrong.append(f"shape: {error}")
    if verdict.answered:
        _truth(plan, reply, verdict)
    return verdict


def _refusal(plan: Plan, reply: Reply, verdict: Verdict) -> None:
    body = _decode(reply.body)
    if body.error is None or not body.error.message or not body.error.type:
        verdict.wrong.append("an error without an envelope")
    verdict.report = body.tiercel
    verdict.code = f"{reply.status} {body.error.code if body.error else ''}"
    # 429 passes on that limits were all that stood in the way; any other blame has to be an engine's.
    if (
        reply.status < _OURS
        and reply.status != _LIMITED
        and not any(part.startswith(Mode.EARLY) for part in plan.parts)
    ):
        verdict.wrong.append("a request is blamed that no engine has blamed")
    if reply.headers.get(b"x-should-retry") != b"false":
        verdict.wrong.append("a spent request that may be sent again")


def _whole(plan: Plan, reply: Reply, verdict: Verdict) -> None:
    body = _decode(reply.body)
    verdict.report = body.tiercel
    if body.object != "chat.completion" or len(body.choices) != 1 or body.choices[0].message is None:
        verdict.wrong.append("shape: no completion with one choice")
        return
    choice, message = body.choices[0], body.choices[0].message
    if message.role != "assistant" or choice.finish_reason not in _ENDS:
        verdict.wrong.append(f"shape: role {message.role}, finish {choice.finish_reason}")
    _said(plan, message.content or "", message.tool_calls or [], verdict)


def _stream(plan: Plan, reply: Reply, verdict: Verdict) -> None:
    text, calls, finishes, ids, done = "", dict[int, _Call](), list[str](), set[str](), False
    for at_s, payload in _events(reply):
        if done:
            verdict.wrong.append("shape: an event after the end mark")
        if payload == b"[DONE]":
            done = True
            continue
        chunk = _decode(payload)
        verdict.report = chunk.tiercel or verdict.report
        if chunk.error is not None:
            verdict.code = f"in the stream: {chunk.error.code}"
            continue
        ids.add(chunk.id)
        for choice in chunk.choices:
            delta = choice.delta or _Words()
            if verdict.first_s is None and (delta.content or delta.tool_calls):
                verdict.first_s = at_s - reply.asked_s
            text += delta.content or ""
            _gather(calls, delta.tool_calls or [])
            finishes += [choice.finish_reason] if choice.finish_reason else []
    if verdict.code:
        if done:
            verdict.wrong.append("shape: an end mark after an error")
        return
    if not done or len(finishes) != 1 or finishes[0] not in _ENDS or len(ids) != 1:
        verdict.wrong.append(f"shape: done {done}, finishes {finishes}, {len(ids)} ids")
    _said(plan, text, list(calls.values()), verdict)


def _events(reply: Reply) -> list[tuple[float, bytes]]:
    """Return the payloads of a stream, each with the moment at which it was whole."""
    events, held = [], b""
    for at_s, piece in reply.pieces:
        *whole, held = (held + piece).split(b"\n\n")
        events += [(at_s, event.removeprefix(b"data: ")) for event in whole]
    return events


def _gather(calls: dict[int, _Call], more: list[_Call]) -> None:
    for piece in more:
        call = calls.setdefault(piece.index, _Call(index=piece.index))
        call.function.name = call.function.name or piece.function.name
        call.function.arguments += piece.function.arguments


def _said(plan: Plan, text: str, calls: list[_Call], verdict: Verdict) -> None:
    """Hold what was said against what was asked for."""
    if plan.shape == "schema":
        if not _keeps(text):
            verdict.wrong.append("wrong shape: not the schema")
    elif plan.shape == "tool":
        if not calls or any(call.function.name != TOOL or not _keeps(call.function.arguments) for call in calls):
            verdict.wrong.append("wrong shape: not the tool")
    elif not text.strip() and plan.kind != "engine":
        # Who asks an engine by name gets what it says, and be it nothing.
        verdict.wrong.append("blank")


def _keeps(text: str) -> bool:
    try:
        return _fits(msgspec.json.decode(text))
    except msgspec.DecodeError:
        return False


def _truth(plan: Plan, reply: Reply, verdict: Verdict) -> None:
    """Hold what a reply says of itself against what we know of it."""
    report = verdict.report
    if report is None:
        verdict.wrong.append("no report")
        return
    said = {name: reply.headers.get(f"x-tiercel-{name}".encode(), b"").decode() for name in ("tier", "rung", "kind")}
    # A stream's headers leave with its first word; another rung may have had to end it.
    if not plan.stream and said != {"tier": report.tier or "none", "rung": report.rung, "kind": report.kind}:
        verdict.wrong.append(f"headers and report differ: {said}")
    if report.degraded != (report.rung != _best(plan)):
        verdict.wrong.append(f"degraded {report.degraded}, rung {report.rung}")
    if plan.kind != "tier" and report.kind != "model":
        verdict.wrong.append(f"a {report.kind} where none may answer")
    alone = not plan.stream or len(report.attempts) == 1
    mode = _mode(plan, report.rung) if alone and report.kind == "model" else None
    if mode in _CANNOT_ANSWER or (mode in _SAY_NOTHING and not plan.stream):
        verdict.wrong.append(f"{report.rung} cannot have answered")


def _best(plan: Plan) -> str:
    return {"silver": RUNGS[0], "gold": "shut"}.get(plan.model, plan.model)


def _mode(plan: Plan, rung: str) -> Mode | None:
    return Mode(plan.parts[RUNGS.index(rung)].partition(":")[0]) if rung in RUNGS else None
