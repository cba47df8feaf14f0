"""A whole flow over scripted engines, run in virtual time: what tests of routing, chains and streams stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import TypeVar

import msgspec

from tiercel.engines.catalogue.spec import EngineSpec
from tiercel.engines.chain.chain import Chain
from tiercel.engines.chain.run import Run
from tiercel.engines.chain.stage import Served
from tiercel.engines.judge.health import Health
from tiercel.engines.judge.retries import ExtraWork
from tiercel.engines.port import Engine, Tap
from tiercel.engines.scripted import ScriptedEngine, Turn
from tiercel.flow import Flow, House
from tiercel.gate.door import Door
from tiercel.route.policy import RouteMap
from tiercel.route.spec import RouteSpec, TierSpec
from tiercel.sim.clock import VirtualClock
from tiercel.sim.loop import VirtualLoop
from tiercel.terms.ask import Ask, Wishes
from tiercel.terms.reply import Report

T = TypeVar("T")


class Screenplay:
    """A stage that keeps what it was shown, and when."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self.payloads: list[bytes] = []
        self.at_s: list[float] = []
        self.tap: Tap | None = None

    def begin(self, report: Report) -> None:
        assert self.report is None, "a stream begins once"
        self.report = report

    def event(self, payload: bytes) -> None:
        assert self.report is not None, "nothing is shown before the beginning"
        self.payloads.append(payload)
        self.at_s.append(asyncio.get_running_loop().time())

    def bind(self, tap: Tap) -> None:
        self.tap = tap

    @property
    def text(self) -> str:
        return "".join(_content(payload) for payload in self.payloads)

    @property
    def ids(self) -> set[str]:
        return {msgspec.json.decode(payload)["id"] for payload in self.payloads}


class Notes:
    """A tally that keeps what it counted."""

    def __init__(self) -> None:
        self.replies: list[Served] = []
        self.errors: list[BaseException] = []

    def served(self, served: Served, run: Run) -> None:
        self.replies.append(served)

    def failed(self, ask: Ask, run: Run | None, error: BaseException) -> None:
        self.errors.append(error)


class SmallHouse:
    """Scripted models ``a``, ``b``, ... on Silver's ladder, and a template below them unless told otherwise."""

    def __init__(
        self,
        scripts: Mapping[str, Sequence[Turn]],
        *,
        tier: TierSpec | None = None,
        template: bool = True,
        route: RouteSpec | None = None,
        specs: Mapping[str, EngineSpec] | None = None,
    ) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.engines: dict[str, ScriptedEngine] = {name: ScriptedEngine(name, turns) for name, turns in scripts.items()}
        self.specs = {name: EngineSpec(kind="openai", gap_ms=300.0) for name in scripts} | dict(specs or {})
        rungs = list(scripts)
        if template:
            self.engines["template"] = ScriptedEngine("template", [Turn(words="Aye, traveller.")])
            self.specs["template"] = EngineSpec(kind="template")
            rungs.append("template")
        spec = tier or TierSpec(first_ms=250.0, total_ms=1000.0)
        route = route or RouteSpec()
        engines: Mapping[str, Engine] = self.engines
        self.health = Health(self.engines, self.clock)
        self.extra = ExtraWork(route.retry_share)
        self.notes = Notes()
        self.tries: list[tuple[str, str]] = []
        self.door = Door()
        chain = Chain(
            engines,
            self.health,
            self.extra,
            self.clock,
            gaps_s={name: one.gap_ms / 1e3 for name, one in self.specs.items()},
            on_attempt=lambda name, outcome, _: self.tries.append((name, outcome)),
        )
        chart = RouteMap(route, {"silver": msgspec.structs.replace(spec, rungs=tuple(rungs))}, self.specs)
        self.flow = Flow(
            House(
                door=self.door,
                chart=chart,
                health=self.health,
                extra=self.extra,
                chain=chain,
                tally=self.notes,
                clock=self.clock,
            )
        )

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Run to the end, in no time."""
        return self.loop.run_until_complete(work)

    async def ask(self, ask: Ask, stage: Screenplay | None = None) -> Served:
        """Send one request in."""
        return await self.flow.serve(ask, stage or Screenplay())


def an_ask(
    *, model: str = "silver", stream: bool = False, wishes: Wishes | None = None, include_usage: bool = False
) -> Ask:
    """Return a plain chat request."""
    body = b'[{"role":"user","content":"Is the bridge open?"}]'
    return Ask(
        id="r1",
        kind="chat",
        model=model,
        fields={"messages": msgspec.Raw(body)},
        size_bytes=len(body),
        stream=stream,
        include_usage=include_usage,
        wishes=wishes or Wishes(),
    )


def text_of(served: Served) -> str:
    """Return the words of a reply in one piece."""
    return str(msgspec.json.decode(served.body)["choices"][0]["message"]["content"])


def _content(payload: bytes) -> str:
    choices = msgspec.json.decode(payload)["choices"]
    return str(choices[0]["delta"].get("content") or "") if choices else ""
