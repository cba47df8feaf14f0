"""A simulated world ends when something goes wrong in it, and says what, where and under which seed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tiercel.sim import virtual
from tiercel.sim.loop import VirtualLoop
from tiercel.sim.verdicts import Deadlock, Leak, Livelock, OutsideWorld, SimulationError


class Broken(Exception):
    """What the tests let go wrong."""


async def _fails(after_s: float = 0.0, fault: Exception | None = None) -> None:
    await asyncio.sleep(after_s)
    raise fault or Broken("on purpose")


async def _group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_fails(1.0))
        group.create_task(asyncio.sleep(9.0))


def _notes(fault: BaseException) -> str:
    return "\n".join(getattr(fault, "__notes__", ()))


def test_a_failure_of_the_main_task_is_raised_with_its_seed_and_time() -> None:
    with pytest.raises(Broken) as caught:
        virtual.run(_fails(2.5), seed=42, jitter=True)
    assert _notes(caught.value) == "simulated world: seed 42, jitter on, at 2.5 s"


def test_a_task_that_fails_unread_stops_the_world_in_that_instant() -> None:
    reached: list[float] = []

    async def story() -> None:
        task = asyncio.ensure_future(_fails(1.0))
        asyncio.get_running_loop().call_later(1.5, reached.append, 1.5)
        await asyncio.sleep(3.0)
        await task

    with pytest.raises(Broken) as caught:
        virtual.run(story(), seed=9)
    assert reached == []
    assert "nobody read the failure of task-2" in _notes(caught.value)
    assert "seed 9, jitter off, at 1.0 s" in _notes(caught.value)


def test_a_task_thrown_away_cannot_fail_unnoticed() -> None:
    kept: set[asyncio.Task[None]] = set()

    async def story() -> None:
        task = asyncio.get_running_loop().create_task(_fails(1.0))
        kept.add(task)
        task.add_done_callback(kept.discard)
        await asyncio.sleep(3.0)

    with pytest.raises(Broken):
        virtual.run(story())


def test_a_failure_that_its_parent_reads_is_its_parents_business() -> None:
    async def story() -> str:
        with pytest.raises(ExceptionGroup):
            await _group()
        with pytest.raises(Broken):
            await asyncio.wait_for(_fails(1.0), 2.0)
        (fault,) = await asyncio.gather(_fails(1.0), return_exceptions=True)
        assert isinstance(fault, Broken)
        done, _ = await asyncio.wait([asyncio.ensure_future(_fails(1.0))])
        with pytest.raises(Broken):
            done.pop().result()
        late = asyncio.ensure_future(_fails(1.0))
        late.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.sleep(2.0)
        with pytest.raises(Broken):
            await late
        return "alive"

    assert virtual.run(story()) == "alive"


def test_an_assertion_stops_the_world_even_where_somebody_would_swallow_it() -> None:
    async def story() -> None:
        await asyncio.gather(_fails(1.0, AssertionError("no two probes at once")), return_exceptions=True)
        pytest.fail("the world went on")

    with pytest.raises(AssertionError, match="no two probes at once"):
        virtual.run(story())


def test_an_exception_in_a_callback_stops_the_world() -> None:
    def callback() -> None:
        raise Broken("in a callback")

    async def story() -> None:
        asyncio.get_running_loop().call_later(1.0, callback)
        await asyncio.sleep(2.0)

    with pytest.raises(Broken, match="in a callback") as caught:
        virtual.run(story())
    assert "at 1.0 s" in _notes(caught.value)


def test_a_future_dropped_with_an_unread_failure_stops_the_world() -> None:
    async def story() -> None:
        asyncio.get_running_loop().create_future().set_exception(Broken("in a future"))
        await asyncio.sleep(1.0)

    with pytest.raises(Broken, match="in a future"):
        virtual.run(story())


def test_what_asyncio_reports_without_an_exception_stops_the_world_too() -> None:
    told: list[object] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, report: told.append(report["message"]))
        assert loop.get_exception_handler() is not None
        loop.call_exception_handler({"message": "something odd"})
        await asyncio.sleep(1.0)

    with pytest.raises(SimulationError, match="something odd"):
        virtual.run(story())
    assert told == ["something odd"]


def test_failures_of_one_instant_are_all_told() -> None:
    async def story() -> None:
        tasks = [asyncio.ensure_future(_fails(1.0, Broken(f"number {number}"))) for number in range(2)]
        await asyncio.sleep(2.0)
        await asyncio.gather(*tasks)

    with pytest.raises(Broken, match="number 0") as caught:
        virtual.run(story())
    assert "number 1" in _notes(caught.value)


def test_a_deadlock_names_the_tasks_and_the_lines_they_wait_at() -> None:
    async def waits_for_nothing() -> None:
        await asyncio.get_running_loop().create_future()

    async def story() -> None:
        await asyncio.sleep(3.0)
        async with asyncio.TaskGroup() as group:
            group.create_task(waits_for_nothing(), name="the lost one")

    with pytest.raises(Deadlock) as caught:
        virtual.run(story())
    text = str(caught.value)
    assert "after 3.0 s" in text
    assert "task-1" in text
    assert "the lost one" in text
    assert "test_loop_failures.py" in text
    assert "in waits_for_nothing" in text


def test_an_instant_that_never_ends_is_a_livelock() -> None:
    class Impatient(VirtualLoop):
        rounds_per_instant = 1_000

    async def story() -> None:
        while True:  # noqa: ASYNC110 - it is what the test is about
            await asyncio.sleep(0)

    loop = Impatient()
    main = loop.create_task(story())
    with pytest.raises(Livelock, match=r"1,000 rounds of calls and it is still 0\.0 s"):
        loop.run_until_complete(main)
    main.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(main)
    loop.close()


def test_threads_are_refused_even_where_the_refusal_is_swallowed() -> None:
    async def story() -> None:
        with pytest.raises(OutsideWorld):
            await asyncio.to_thread(print)
        await asyncio.sleep(1.0)
        pytest.fail("the world went on")

    with pytest.raises(OutsideWorld, match="run_in_executor"):
        virtual.run(story())


@pytest.mark.parametrize(
    "verb",
    [
        "getaddrinfo",
        "getnameinfo",
        "set_default_executor",
        "add_reader",
        "remove_reader",
        "add_writer",
        "remove_writer",
        "sock_recv",
        "sock_recv_into",
        "sock_recvfrom",
        "sock_recvfrom_into",
        "sock_sendall",
        "sock_sendto",
        "sock_connect",
        "sock_accept",
        "sock_sendfile",
        "sendfile",
        "start_tls",
        "connect_accepted_socket",
        "create_datagram_endpoint",
        "create_unix_connection",
        "create_unix_server",
        "add_signal_handler",
        "remove_signal_handler",
        "connect_read_pipe",
        "connect_write_pipe",
        "subprocess_shell",
        "subprocess_exec",
        "set_task_factory",
    ],
)
def test_every_way_out_of_the_world_is_refused(verb: str) -> None:
    async def story() -> None:
        getattr(asyncio.get_running_loop(), verb)("anything")

    with pytest.raises(OutsideWorld, match=verb):
        virtual.run(story())


def test_no_verb_of_an_event_loop_is_forgotten() -> None:
    # A method that asyncio adds in a later version must not fall through to "not implemented".
    inherited = {
        name
        for name in dir(asyncio.AbstractEventLoop)
        if not name.startswith("_") and getattr(VirtualLoop, name) is getattr(asyncio.AbstractEventLoop, name)
    }
    assert inherited == set()


def test_tls_and_sockets_made_elsewhere_are_refused() -> None:
    async def story() -> None:
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, "engine", 443, ssl=True)

    with pytest.raises(OutsideWorld, match="ssl"):
        virtual.run(story())


def test_another_thread_cannot_call_in() -> None:
    faults: list[BaseException] = []

    async def story() -> None:
        loop = asyncio.get_running_loop()

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except OutsideWorld as fault:
                faults.append(fault)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        loop.call_soon_threadsafe(lambda: None)
        await asyncio.sleep(1.0)

    with pytest.raises(OutsideWorld, match="call_soon_threadsafe"):
        virtual.run(story())
    assert len(faults) == 1


def test_a_task_left_behind_is_a_leak() -> None:
    async def story() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(asyncio.sleep(60.0), name="forgotten")

    with pytest.raises(Leak, match="forgotten"):
        virtual.run(story())


def test_a_task_that_ends_soon_after_the_main_one_is_none() -> None:
    async def story() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(asyncio.sleep(0.75))

    assert virtual.run(story()).done()


def test_what_is_left_behind_can_be_dropped_and_cleans_up_after_itself() -> None:
    cleaned: list[str] = []

    async def forgotten() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(0.1)
            cleaned.append("up")

    async def story() -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(forgotten())

    virtual.run(story(), leftovers="drop")
    assert cleaned == ["up"]


def test_a_world_that_failed_lets_its_tasks_clean_up_and_tells_what_failed_then() -> None:
    async def fails_at_the_end() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            raise Broken("while leaving")

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails_at_the_end())
            await asyncio.sleep(1.0)
            raise AssertionError("the first")

    with pytest.raises(AssertionError, match="the first"):
        virtual.run(_alone(fails_at_the_end(), AssertionError("the first")))
    with pytest.raises(BaseExceptionGroup):
        virtual.run(story())


async def _alone(other: object, fault: Exception) -> None:
    """Fail while ``other`` runs on without a parent."""
    assert asyncio.iscoroutine(other)
    asyncio.get_running_loop().create_task(other)
    await asyncio.sleep(1.0)
    raise fault


def test_a_world_leaves_no_trace_in_its_thread() -> None:
    virtual.run(asyncio.sleep(1.0))
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
    with pytest.raises(Broken):
        virtual.run(_fails())
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def test_a_world_cannot_be_run_inside_a_running_loop() -> None:
    async def story() -> None:
        with pytest.raises(RuntimeError, match="running in this thread already"):
            virtual.run(asyncio.sleep(1.0))

    virtual.run(story())


def test_outside_a_world_there_is_no_here() -> None:
    async def story() -> None:
        with pytest.raises(TypeError, match="no simulated world"):
            virtual.here()

    asyncio.run(story())


def test_a_closed_loop_runs_nothing() -> None:
    loop = VirtualLoop()
    loop.close()
    loop.close()
    assert loop.is_closed()
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_forever()


def test_run_forever_ends_at_stop() -> None:
    loop = VirtualLoop()
    loop.call_later(5.0, loop.stop)
    loop.run_forever()
    assert loop.time() == 5.0
    loop.close()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.mark.anyio
async def test_an_async_test_can_live_in_virtual_time_as_a_whole() -> None:
    before = asyncio.get_running_loop().time()
    await asyncio.sleep(3_600)
    assert virtual.here().clock.now_s() == before + 3_600
