"""What is written down of one request: by its caller, at the engines' port, and by the engines themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tiercel.engines.rehearsal.modes import Mode
from tiercel.terms.ask import Ask

if TYPE_CHECKING:
    from tiercel.engines.chain.run import Run
    from tiercel.engines.chain.stage import Served
    from tiercel.sim.seat import Seat

__all__ = ["Case", "Fate", "Play", "Try"]

Fate = str
"""``served``, ``failed`` (an error by nobody's fault but the engines'), ``refused`` (the caller's), ``left``."""

_SPOILING: Final = frozenset({Mode.POISON, Mode.SHORT_LENGTH})


class Play:
    """One request as the engine met it; an engine may meet one attempt twice, over a connection that died idle."""

    __slots__ = (
        "began_s",
        "dialect",
        "engine",
        "first_s",
        "k",
        "mode",
        "number",
        "over_s",
        "pieces",
        "prompt_tokens",
        "retry_after_s",
        "struck",
        "tainted",
        "usage",
        "whole",
    )

    def __init__(self, engine: str, number: int, mode: Mode, began_s: float) -> None:
        self.engine = engine
        self.number = number
        self.mode = mode
        self.began_s = began_s
        self.dialect = "openai"
        # How many pieces of the answer a good reply has.
        self.pieces = 0
        # After how many of them the fault comes, and how long the first one takes.
        self.k = 0
        self.first_s = 0.0
        self.prompt_tokens = 0
        # Whether the reply states its tokens.
        self.usage = True
        self.retry_after_s = 0.0
        # When the last byte was sent, or the connection was lost before.
        self.over_s: float | None = None
        # Whether everything was sent.
        self.whole = False
        # The connection was cut by the weather, or had bytes of an earlier reply on it that nobody had asked for.
        self.struck = False
        self.tainted = False

    def leaves_surplus(self) -> bool:
        """Whether bytes may follow the reply."""
        return self.mode in _SPOILING


class Try:
    """One attempt, as seen at the engine's port."""

    __slots__ = ("began_s", "ended_s", "engine", "hedged", "outcome", "plays", "probe", "retry_after_s", "said")

    def __init__(self, engine: str, began_s: float) -> None:
        self.engine = engine
        self.began_s = began_s
        self.ended_s: float | None = None
        # A failure's name, ``answered``, ``refused``, ``unfit``, or ``gone``: cancelled, by a timer or from above.
        self.outcome = ""
        self.plays: list[Play] = []
        self.probe = False
        self.hedged = False
        self.retry_after_s: float | None = None
        # The words that the engine was told to go on from.
        self.said = ""


class Case:
    """One request from beginning to end."""

    __slots__ = (
        "ask",
        "began_s",
        "ended_s",
        "error",
        "fate",
        "first_by_s",
        "fresh",
        "last_resort",
        "left_s",
        "models",
        "most_tries",
        "named",
        "number",
        "open_tries",
        "run",
        "seat",
        "served",
        "shut",
        "told",
        "total_by_s",
        "tries",
    )

    def __init__(self, number: int, ask: Ask, began_s: float) -> None:
        self.number = number
        self.ask = ask
        self.began_s = began_s
        self.first_by_s = self.total_by_s = began_s
        # The models that could serve it by what they can do, and the last resort that may.
        self.models: tuple[str, ...] = ()
        self.last_resort = ""
        self.named = False
        self.most_tries = 0
        # Engines whose breaker was not closed when it began.
        self.shut: frozenset[str] = frozenset()
        # Engines whose last attempt before it was a good answer.
        self.fresh: frozenset[str] = frozenset()
        self.tries: list[Try] = []
        self.open_tries = 0
        self.seat: Seat | None = None
        # Set when it is over.
        self.fate: Fate = ""
        self.ended_s = 0.0
        self.left_s: float | None = None
        self.served: Served | None = None
        self.run: Run | None = None
        self.error: BaseException | None = None
        # How often the flow told its tally what became of it.
        self.told = 0

    @property
    def over(self) -> bool:
        """Whether the caller has its answer, its error, or is gone."""
        return bool(self.fate)

    def last_try(self, engine: str) -> Try | None:
        """Return the latest attempt at an engine."""
        for one in reversed(self.tries):
            if one.engine == engine:
                return one
        return None

    def __str__(self) -> str:
        ask = self.ask
        kind = "stream" if ask.stream else ask.kind
        tries = ", ".join(
            f"{one.engine}:{one.outcome or 'open'}[{'/'.join(play.mode.value for play in one.plays)}]"
            f"@{one.began_s:.6f}-{'' if one.ended_s is None else f'{one.ended_s:.6f}'}"
            for one in self.tries
        )
        noted = "" if self.run is None else ", ".join(f"{t.rung}:{t.outcome}:{t.ms}:{t.reason}" for t in self.run.tried)
        return (
            f"request {self.number} ({kind} {ask.shape} for {ask.model!r}, {self.fate or 'open'}) "
            f"began {self.began_s:.6f} ended {self.ended_s:.6f} due {self.first_by_s:.6f}/{self.total_by_s:.6f}; "
            f"tried [{tries}]; noted [{noted}]" + (f"; error {self.error!r}" if self.error is not None else "")
        )
