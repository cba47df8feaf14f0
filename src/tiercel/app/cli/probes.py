"""The doctor's questions: is it there, has it the model, is it quick enough, does it keep what it is trusted with."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import jsonschema_rs
import msgspec

from tiercel.app.cli.exits import Unreachable
from tiercel.app.cli.greeting import PERSONA
from tiercel.app.cli.patients import Patient
from tiercel.app.cli.replies import Heard
from tiercel.app.settings.problems import nearest
from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.terms.clock import Clock, Deadline
from tiercel.terms.errors import EngineFailed, TiercelError
from tiercel.terms.json import NOT_JSON

__all__ = ["Promise", "Result", "Verdict", "examine_engine", "examine_tier"]

Verdict = Literal["ok", "warn", "fail", "skip"]

# A cold model may take its time; the verdict says how long it took.
_PATIENCE_S = 30.0
_TIMES = 3
# How a server says that an engine is not trusted with a request.
_NOT_ITS_WORK = "policy"
# Late by less than this is the clock's and the network's doing.
_GRACE_MS = 20.0

_VILLAGER: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "mood": {"enum": ["glad", "afraid", "angry"]},
    },
    "required": ["name", "age", "mood"],
    "additionalProperties": False,
}
_GATE: Mapping[str, object] = {
    "type": "object",
    "properties": {"gate": {"enum": ["north", "south"]}},
    "required": ["gate"],
    "additionalProperties": False,
}


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted on, in milliseconds: the first word, and the end."""

    first_ms: float
    total_ms: float


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one question found, and the next step where that is not well."""

    subject: str
    check: str
    verdict: Verdict
    detail: str = ""
    ms: float | None = None
    next_step: str = ""


async def examine_engine(patient: Patient, spec: EngineSpec, promise: Promise | None, clock: Clock) -> list[Result]:
    """Ask an engine everything; stop early where nothing more can be learned."""
    ward = _Ward(f"engine {patient.name}", patient, clock)
    results = await ward.presence(spec)
    if any(result.verdict == "fail" for result in results):
        return results
    if not spec.chat:
        return [*results, ward.result("chat", "skip", "it does embeddings only")]
    results.append(await ward.speed(promise))
    if results[-1].ms is None:
        return results
    key = f"engines.{patient.name}"
    results.append(await ward.keeps("json schema", ward.schema, claimed=spec.json_schema, key=f"{key}.json_schema"))
    results.append(await ward.keeps("tools", ward.tools, claimed=spec.tools, key=f"{key}.tools"))
    results.append(
        await ward.keeps("usage in streams", ward.usage, claimed=spec.usage_in_streams, key=f"{key}.usage_in_streams")
    )
    return results


async def examine_tier(patient: Patient, promise: Promise, first_rung: str | None, clock: Clock) -> list[Result]:
    """Ask a tier as a game would, and compare with its promise; ``first_rung`` is who should answer, if known."""
    ward = _Ward(f"tier {patient.name}", patient, clock)
    speed = await ward.speed(promise, persona=PERSONA)
    rungs = {heard.story.rung: heard.story for heard in ward.heard}
    results = [speed]
    for rung, story in rungs.items():
        if first_rung is not None and rung != first_rung:
            why = ", ".join(f"{one.rung} {one.outcome}" for one in story.attempts if one.outcome != "ok")
            results.append(
                ward.result("best rung", "warn", f"{rung} answered and not {first_rung} ({why or 'no reason given'})")
            )
        else:
            results.append(ward.result("best rung", "ok", f"{rung} answered"))
    return results


class _Ward:
    """One patient and what it was asked."""

    def __init__(self, subject: str, patient: Patient, clock: Clock) -> None:
        self._subject = subject
        self._patient = patient
        self._clock = clock
        self.heard: list[Heard] = []

    def result(
        self, check: str, verdict: Verdict, detail: str = "", ms: float | None = None, next_step: str = ""
    ) -> Result:
        return Result(subject=self._subject, check=check, verdict=verdict, detail=detail, ms=ms, next_step=next_step)

    async def presence(self, spec: EngineSpec) -> list[Result]:
        """Find out whether it is there, and has the model."""
        start_s = self._clock.now_s()
        try:
            models = await self._patient.models(self._deadline())
        except (TiercelError, Unreachable) as error:
            return [self.result("reachable", "fail", str(error), next_step=_cure(self._patient.name, error))]
        if models is None:
            return []
        ms = round((self._clock.now_s() - start_s) * 1e3, 1)
        results = [self.result("reachable", "ok", f"lists {len(models)} models", ms)]
        if spec.model in models:
            return [*results, self.result("model", "ok", spec.model)]
        listed = ", ".join(models[:5]) + (", ..." if len(models) > 5 else "")  # noqa: PLR2004 - enough to recognise it
        detail = f"{spec.model} is not among them: {listed}"
        next_step = f"correct engines.{self._patient.name}.model.{nearest(spec.model, models)}"
        # Clouds answer for names that they do not list: this may be one, and the next questions will tell.
        return [*results, self.result("model", "warn", detail, next_step=next_step)]

    async def speed(self, promise: Promise | None, persona: str = "") -> Result:
        """Measure the time to the first word and to the end: the median of a few."""
        try:
            self.heard = [await self._greet(persona) for _ in range(_TIMES)]
        except (TiercelError, Unreachable) as error:
            return self.result("speed", "fail", str(error), next_step=_cure(self._patient.name, error))
        silent = [heard for heard in self.heard if heard.first_ms is None]
        if silent:
            return self.result("speed", "fail", "it answered without a word", next_step="try it by hand: tiercel ask")
        first_ms = statistics.median(heard.first_ms or 0.0 for heard in self.heard)
        total_ms = statistics.median(heard.total_ms for heard in self.heard)
        took = f"first word {first_ms:.0f} ms, the end {total_ms:.0f} ms (median of {_TIMES})"
        if promise is None:
            return self.result("speed", "ok", took, first_ms)
        detail = f"{took}; counted on: {promise.first_ms:.0f} and {promise.total_ms:.0f} ms"
        if first_ms > promise.first_ms + _GRACE_MS or total_ms > promise.total_ms + _GRACE_MS:
            next_step = "use a quicker model, or give its tier more time: first_ms and total_ms in [tiers]"
            return self.result("speed", "fail", detail, first_ms, next_step)
        return self.result("speed", "ok", detail, first_ms)

    async def keeps(self, check: str, probe: Callable[[], Awaitable[str]], *, claimed: bool, key: str) -> Result:
        """Find out whether a claim is kept; ``probe`` returns what is wrong, or nothing."""
        if not claimed:
            return self.result(check, "skip", f"not claimed: {key} = false")
        start_s = self._clock.now_s()
        try:
            wrong = await probe()
        except (TiercelError, Unreachable) as error:
            if isinstance(error, TiercelError) and error.code == _NOT_ITS_WORK:
                return self.result(check, "skip", "not claimed by the server's configuration")
            wrong = str(error)
        ms = round((self._clock.now_s() - start_s) * 1e3, 1)
        if wrong:
            return self.result(check, "fail", wrong, ms, f"set {key} = false, so that no request relies on it")
        return self.result(check, "ok", "kept", ms)

    async def schema(self) -> str:
        """Ask for JSON of a schema and hold the answer against it."""
        heard = await self._put(
            "Invent one villager.",
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "villager", "strict": True, "schema": _VILLAGER},
            },
        )
        return _misfit(heard.text, _VILLAGER)

    async def tools(self) -> str:
        """Force a tool and look at the call."""
        heard = await self._put(
            "Bandits come from the north. Close that gate.",
            tools=[{"type": "function", "function": {"name": "close_gate", "parameters": _GATE}}],
            tool_choice={"type": "function", "function": {"name": "close_gate"}},
        )
        if not heard.tool_calls:
            return "it answered with words where a tool was forced"
        call = heard.tool_calls[0].function
        if call.name != "close_gate":
            return f"it called {call.name or 'nothing'}, which nobody offered"
        return _misfit(call.arguments or "", _GATE)

    async def usage(self) -> str:
        """Ask a stream for its token counts."""
        heard = await self._put("Say yes.", stream=True, stream_options={"include_usage": True})
        if heard.usage is None or heard.story.usage_counted_by == "tiercel":
            return "it does not count tokens in streams"
        return "" if heard.usage.completion_tokens > 0 else "it counted no tokens for its words"

    async def _greet(self, persona: str) -> Heard:
        wishes = {"tiercel": {"persona": persona}} if persona else {}
        return await self._put("Greet a traveller in one sentence.", stream=True, **wishes)

    async def _put(self, question: str, **fields: object) -> Heard:
        body = {"model": self._patient.name, "messages": [{"role": "user", "content": question}], **fields}
        return await self._patient.ask(msgspec.json.encode(body), self._deadline())

    def _deadline(self) -> Deadline:
        return Deadline.after(_PATIENCE_S, self._clock)


def _misfit(text: str, schema: Mapping[str, object]) -> str:
    """Say why a text is no JSON of this schema; nothing when it is."""
    try:
        value: object = msgspec.json.decode(text.encode())
    except NOT_JSON:
        return "it answered with something that is no JSON"
    error = next(iter(jsonschema_rs.iter_errors(dict(schema), value)), None)
    return f"its JSON breaks the schema: {error.message[:120]}" if error is not None else ""


def _cure(name: str, error: Exception) -> str:
    """Say what helps against a failure."""
    if isinstance(error, Unreachable):
        return error.next_step
    failure = error.failure if isinstance(error, EngineFailed) else getattr(error, "code", "")
    cures = {
        "unreachable": f"start it, or correct engines.{name}.url",
        "auth": f"its key was refused: correct what engines.{name}.key names",
        "missing": f"correct engines.{name}.model, or the path in engines.{name}.url (most servers want /v1)",
        "malformed": f"what answers does not speak this API: does engines.{name}.url end with /v1?",
        "rate_limited": "wait, or raise the limit of its account",
        "late": "it is there and silent: is it still loading its model?",
        "deadline": "it is there and silent: is it still loading its model?",
    }
    return cures.get(failure, "look at its own log")
