"""An asyncio event loop whose time jumps: a day of sleeps and deadlines runs in the time its callbacks need.

What it promises, beyond what asyncio does:

- one seed, one history. Calls of one instant run in the order they were made, timers of one instant in the order they
  were armed, and a timer fires at exactly the moment it was armed for. (Stock asyncio orders equal timers by the layout
  of its heap and fires them up to a clock tick early.) With ``jitter``, timers of one instant are shuffled by the seed,
  which finds code that leans on an order nobody promised it.
- a failure stops the world. What a callback raises, an assertion that fails in any task, and the exception of a task
  that nobody has read by the end of the instant it failed in, all come out of ``run_until_complete``.
- nothing ready, no timer, work unfinished: ``Deadlock``, with where every task waits. An endless instant: ``Livelock``.
- no way out: threads, sockets, signals and processes are refused (``outside.py``); connections are made on ``network``.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
import sys
import threading
import weakref
from asyncio.events import _get_running_loop, _set_running_loop
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, NoReturn, TypeVar

from tiercel.sim.fallible import FallibleLoop
from tiercel.sim.handles import Moment, Soon
from tiercel.sim.network import Listener, Network
from tiercel.sim.verdicts import Deadlock, Livelock, roll_call

__all__ = ["VirtualLoop"]

T = TypeVar("T")
P = TypeVar("P", bound=asyncio.BaseProtocol)

_NEVER = math.inf
# A heap smaller than this is not worth rebuilding.
_FEW = 64


class VirtualLoop(FallibleLoop):
    """The loop; ``run_until_complete`` as ever, ``time()`` in virtual seconds from 0."""

    # How often the calls of one instant may call for more before time is said to be stuck.
    rounds_per_instant = 1_000_000

    def __init__(self, *, seed: int = 0, jitter: random.Random | None = None) -> None:
        super().__init__()
        self.seed = seed
        self._jitter = jitter
        self._now_s = 0.0
        self._ready: deque[Soon | Moment] = deque()
        self._heap: list[tuple[float, int, Moment]] = []
        self._armed = 0
        self._dead = 0
        self._on_cancel = self._timer_died
        # Held strongly and in order of creation; asyncio's own set of tasks is weak and ordered by address.
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._born = 0
        self._main: asyncio.Future[Any] | None = None
        self._closed = False
        self._thread = threading.get_ident()
        self._generators: weakref.WeakValueDictionary[int, AsyncGenerator[object, object]] = (
            weakref.WeakValueDictionary()
        )
        self.network = Network(self, self.rng("network"))

    # What is due when.

    def time(self) -> float:
        return self._now_s

    def call_soon(self, callback: Callable[..., object], *args: object, context: Context | None = None) -> Soon:
        handle = Soon(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> Soon:
        if threading.get_ident() != self._thread:
            self.refuse("call_soon_threadsafe from another thread")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> Moment:
        # Written out once more, for every request sets several timers.
        when = self._now_s + delay
        if not self._now_s < when < _NEVER:
            return self.call_at(when, callback, *args, context=context)
        moment = Moment(when, callback, args, context, self._on_cancel)
        self._armed += 1
        heapq.heappush(self._heap, (when, self._armed, moment))
        return moment

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> Moment:
        moment = Moment(when, callback, args, context, self._on_cancel)
        if self._now_s < when < _NEVER:
            self._armed += 1
            heapq.heappush(self._heap, (when, self._armed, moment))
            return moment
        if math.isnan(when):
            raise ValueError("a timer cannot be due at NaN")
        moment.take()
        if when != _NEVER:
            self._ready.append(moment)
        return moment

    def _timer_died(self) -> None:
        """Keep cancelled timers from outnumbering live ones: most timeouts are cancelled long before they are due."""
        self._dead += 1
        if self._dead > _FEW and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].cancelled()]
            heapq.heapify(self._heap)
            self._dead = 0

    def _advance(self, until_s: float) -> bool:
        """Move to the next instant with something due, if there is one in time."""
        while True:
            if not self._heap or self._heap[0][0] > until_s:
                return False
            when, _, moment = heapq.heappop(self._heap)
            if moment.take():
                break
            self._dead -= 1
        self._now_s = when
        ready = self._ready
        ready.append(moment)
        while self._heap and self._heap[0][0] == when:
            moment = heapq.heappop(self._heap)[2]
            if moment.take():
                ready.append(moment)
            else:
                self._dead -= 1
        if self._jitter is not None and len(ready) > 1:
            shuffled = list(ready)
            self._jitter.shuffle(shuffled)
            self._ready = deque(shuffled)
        return True

    # Running.

    def run_forever(self) -> None:
        with self._installed():
            while True:
                self._run_instant()
                if self._stopping:
                    return
                if not self._advance(_NEVER):
                    self._deadlock()

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        self.check_free()
        main = self.create_task(future) if isinstance(future, Generator) else asyncio.ensure_future(future, loop=self)
        main.add_done_callback(self._main_done)
        self._main = main
        try:
            self.run_forever()
        finally:
            main.remove_done_callback(self._main_done)
            self._main = None
            if main.done() and not main.cancelled():
                # Read, whatever else is raised instead of it.
                main.exception()
        if not main.done():
            raise RuntimeError("the loop was stopped before the main task was done")
        try:
            return main.result()
        except BaseException as fault:
            self.fall(fault)
            raise

    def settle(self, quiet: Callable[[], bool], *, until_s: float) -> None:
        """Let things happen until all is quiet, nothing is left to happen, or ``until_s`` is reached."""
        with self._installed():
            self._run_instant()
            while not (self._stopping or quiet()) and self._advance(until_s):
                self._run_instant()

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return _get_running_loop() is self

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        if self.is_running():
            raise RuntimeError("a running loop cannot be closed")
        if self._closed:
            return
        self._closed = True
        self._ready.clear()
        self._heap.clear()
        if not self._fell:
            self.end_if_unread()
            self.raise_failure()

    def _run_instant(self) -> None:
        """Run every call of the present instant, and those they ask for."""
        rounds = 0
        while ready := self._ready:
            rounds += 1
            if rounds > self.rounds_per_instant:
                raise Livelock(f"{rounds - 1:,} rounds of calls and it is still {self._now_s} s")
            for _ in range(len(ready)):
                ready.popleft().run()
                if self._stopping:
                    return
        if self._unread:
            self.end_if_unread()

    @contextmanager
    def _installed(self) -> Iterator[None]:
        """Be the running loop of this thread, put everything back afterwards, and raise what ended the world."""
        self.check_free()
        self._stopping = self._failure is not None
        self._thread = threading.get_ident()
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generator_started, finalizer=self._generator_dropped)
        _set_running_loop(self)
        try:
            yield
            self.raise_failure()
        except BaseException as fault:
            self.fall(fault)
            raise
        finally:
            _set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)

    def check_free(self) -> None:
        """Raise unless this loop may be run here and now."""
        if self._closed:
            raise RuntimeError("the loop is closed")
        if _get_running_loop() is not None:
            raise RuntimeError("an event loop is running in this thread already")

    def _main_done(self, main: asyncio.Future[T]) -> None:
        # Its run may be over by now, ended by a failure.
        if main is self._main:
            self.stop()

    def _deadlock(self) -> NoReturn:
        raise Deadlock(f"nothing will ever happen after {self._now_s} s; waiting:{roll_call(self.tasks())}")

    # Tasks and futures.

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self._born += 1
        # asyncio numbers tasks per process, which would make a second run of one seed tell another story.
        task = asyncio.Task(coro, loop=self, name=f"task-{self._born}" if name is None else name, context=context)
        self._tasks[task] = None
        task.add_done_callback(self._task_done)
        return task

    def tasks(self) -> tuple[asyncio.Task[Any], ...]:
        """Return every unfinished task, oldest first."""
        return tuple(task for task in self._tasks if not task.done())

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        # Looked at from the side: asking for .exception() would count as having read it.
        fault = task._exception  # noqa: SLF001
        if fault is not None:
            self.task_failed(task, fault)

    def signature(self) -> str:
        return f"seed {self.seed}, jitter {'off' if self._jitter is None else 'on'}, at {self._now_s} s"

    # Connections.

    async def create_connection(
        self,
        protocol_factory: Callable[[], P],
        host: str | None = None,
        port: int | None = None,
        **options: object,
    ) -> tuple[asyncio.Transport, P]:
        """Connect on the simulated network; TLS and ready-made sockets are refused."""
        self._check_options("create_connection", options)
        if host is None or port is None:
            raise ValueError("a simulated connection needs a host and a port")
        return await self.network.connect(protocol_factory, host, port)

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **options: object,
    ) -> Listener:
        """Listen on the simulated network; TLS and ready-made sockets are refused."""
        self._check_options("create_server", options)
        return self.network.listen(host or "localhost", port or 0, protocol_factory)

    def _check_options(self, verb: str, options: dict[str, object]) -> None:
        for name in ("ssl", "sock"):
            if options.get(name):
                self.refuse(f"{verb}({name}=...)")

    # Async generators, as in stock asyncio: one that is dropped half-way gets its aclose() run.

    def _generator_started(self, generator: AsyncGenerator[object, object]) -> None:
        self._born += 1
        self._generators[self._born] = generator

    def _generator_dropped(self, generator: AsyncGenerator[object, object]) -> None:
        if not self._closed:
            self.create_task(generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        for generator in list(self._generators.values()):
            await generator.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Do nothing: there is none."""

    # The rest of asyncio's interface, for the libraries that ask.

    def rng(self, name: str) -> random.Random:
        """Return a stream of random numbers that depends on the seed and ``name`` and nothing else."""
        return random.Random(f"tiercel/{self.seed}/{name}")  # noqa: S311

    # Asked at every new future and task: bool() says False without a frame of its own.
    get_debug = staticmethod(bool)  # pyright: ignore[reportAssignmentType]  # the same call, seen from outside

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001
        """Accept and ignore: the debug mode of asyncio measures real time."""

    def get_task_factory(self) -> None:
        return None

    def set_task_factory(self, factory: object) -> None:
        if factory is not None:
            self.refuse("set_task_factory")
