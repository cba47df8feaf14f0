"""Run a coroutine in a world of its own: virtual time, a network in memory, one seed; nothing may be left over.

In a test that is all there is to do::

    def test_a_silent_engine_is_given_up_on_time() -> None:
        async def story() -> None:
            world = virtual.here()
            world.network.listen("engine", 80, Silence)
            ...
            assert world.clock.now_s() == 2.0

        virtual.run(story())

Two seconds pass in no time, an assertion that fails in any task fails the test, and so does a task or a connection
that is left behind. To run every ``@pytest.mark.anyio`` test of a module in virtual time instead, with its async
fixtures, give the module this fixture (what is left behind is then not looked for)::

    @pytest.fixture
    def anyio_backend() -> tuple[str, dict[str, object]]:
        return "asyncio", {"loop_factory": VirtualLoop}
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Literal, TypeVar

from tiercel.sim.clock import VirtualClock
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.network import Network
from tiercel.sim.verdicts import Leak, roll_call

__all__ = ["World", "here", "run"]

T = TypeVar("T")

# How many further failures a dying world may have before it is left as it is.
_LAST_WORDS = 100


@dataclass(frozen=True, slots=True)
class World:
    """What a simulated program finds around it."""

    loop: VirtualLoop
    clock: VirtualClock
    network: Network

    def rng(self, name: str) -> random.Random:
        """Return the stream of random numbers of this name: the same for the same seed, whoever else draws."""
        return self.loop.rng(name)


def here() -> World:
    """Return the world that the calling code runs in."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise TypeError(f"this is no simulated world: the running loop is {type(loop).__name__}")
    return World(loop, VirtualClock(loop), loop.network)


def run(
    main: Coroutine[object, object, T],
    *,
    seed: int = 0,
    jitter: bool = False,
    settle_s: float = 1.0,
    leftovers: Literal["fail", "drop"] = "fail",
) -> T:
    """Run ``main`` to its end in a new world and return its result.

    What main started gets ``settle_s`` of virtual time to finish after it: the server of a connection hears of the
    client's leaving one latency later. Tasks, connections and connects that remain are a ``Leak``, or are cancelled
    and dropped without a word if told so.
    """
    loop = VirtualLoop(seed=seed, jitter=random.Random(f"tiercel/{seed}/jitter") if jitter else None)  # noqa: S311
    try:
        loop.check_free()
    except RuntimeError:
        main.close()
        raise
    try:
        result = loop.run_until_complete(main)
        loop.settle(lambda: _quiet(loop), until_s=loop.time() + settle_s)
        if leftovers == "fail":
            _check(loop)
        _clear_away(loop, settle_s)
        loop.run_until_complete(loop.shutdown_asyncgens())
    except BaseException as fault:
        _bury(loop, fault, settle_s)
        raise
    loop.close()
    return result


def _quiet(loop: VirtualLoop) -> bool:
    return not loop.tasks() and not loop.network.unfinished()


def _check(loop: VirtualLoop) -> None:
    if tasks := loop.tasks():
        raise Leak(f"tasks are left behind at {loop.time()} s:{roll_call(tasks)}")
    if unfinished := loop.network.unfinished():
        raise Leak("the network is not at rest: " + "; ".join(unfinished))


def _clear_away(loop: VirtualLoop, settle_s: float) -> None:
    """Cancel what is left and let it clean up after itself."""
    for task in loop.tasks():
        task.cancel()
    loop.settle(lambda: not loop.tasks(), until_s=loop.time() + settle_s)


def _bury(loop: VirtualLoop, fault: BaseException, settle_s: float) -> None:
    """Let the tasks of a world that failed clean up; what fails on the way is told with the first failure."""
    try:
        for _ in range(_LAST_WORDS):
            try:
                _clear_away(loop, settle_s)
                break
            except Exception as later:  # noqa: BLE001 - nothing is hidden: it is told with the failure that is raised
                fault.add_note(f"and while the world was cleared away: {later!r}")
    finally:
        loop.close()
