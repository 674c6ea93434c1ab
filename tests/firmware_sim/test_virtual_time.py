"""The loop that owns time: it jumps when it may, and waits in earnest for a thread that owes a result."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from firmware_sim import virtual_time
from firmware_sim.virtual_time import NothingLeftError, VirtualTimeLoop, WorkerHangsError


class Worker:
    """A thread that answers by call_soon_threadsafe when it is let go, as a database's thread does."""

    def __init__(self) -> None:
        self.owed = 0
        self.release = threading.Event()

    def ask(self) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str] = loop.create_future()
        self.owed += 1
        threading.Thread(target=self._work, args=(loop, answer)).start()
        return answer

    def _work(self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[str]) -> None:
        self.release.wait(10)
        loop.call_soon_threadsafe(self._done, answer)

    def _done(self, answer: asyncio.Future[str]) -> None:
        self.owed -= 1
        answer.set_result("stored")


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_year_passes_without_waiting() -> None:
    async def main() -> float:
        await asyncio.sleep(365 * 86_400)
        return now()

    assert virtual_time.run(main()) == pytest.approx(365 * 86_400)


def test_timers_fire_in_order_at_their_own_time() -> None:
    async def main() -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []
        loop = asyncio.get_running_loop()
        for name, at in (("c", 7.25), ("a", 1.0), ("b", 1.5)):
            loop.call_at(at, partial(lambda who: seen.append((who, now())), name))
        await asyncio.sleep(10)
        return seen

    assert virtual_time.run(main()) == [("a", 1.0), ("b", 1.5), ("c", 7.25)]


def test_time_stands_still_while_a_watched_worker_owes_a_result() -> None:
    async def main() -> tuple[str, float, float]:
        worker = Worker()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        forget = loop.watch(lambda: worker.owed)
        hour = loop.create_task(asyncio.sleep(3600))
        threading.Timer(0.05, worker.release.set).start()
        answer = await worker.ask()
        answered = now()
        forget()
        await hour
        return answer, answered, now()

    assert virtual_time.run(main()) == ("stored", 0.0, 3600.0)


def test_a_job_of_the_executor_takes_no_virtual_time() -> None:
    async def main() -> tuple[bool, float]:
        gate = threading.Event()
        threading.Timer(0.05, gate.set).start()
        sleeper = asyncio.create_task(asyncio.sleep(60))
        opened = await asyncio.to_thread(gate.wait, 10)
        at = now()
        await sleeper
        return opened, at

    assert virtual_time.run(main()) == (True, 0.0)


def test_a_thread_nobody_watches_still_gets_its_answer_in() -> None:
    async def main() -> str:
        worker = Worker()
        threading.Timer(0.05, worker.release.set).start()
        return await worker.ask()

    assert virtual_time.run(main()) == "stored"


def stuck_with(busy: Callable[[], bool]) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    loop = partial(VirtualTimeLoop, busy, hangs_s=0.01, stuck_s=0.01)
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


def test_tasks_that_wait_for_each_other_for_ever_are_named_not_hung() -> None:
    with pytest.raises(NothingLeftError, match="no timer is set"):
        stuck_with(lambda: False)


def test_a_worker_that_never_answers_is_named_not_hung() -> None:
    with pytest.raises(WorkerHangsError, match="owed its result"):
        stuck_with(lambda: True)


def test_a_time_out_is_a_time_out_in_virtual_seconds() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 30)
        return now()

    assert virtual_time.run(main()) == 30.0


def test_a_long_run_of_small_steps_does_not_stall() -> None:
    async def main() -> float:
        await asyncio.sleep(4_000_000)
        for _ in range(1000):
            await asyncio.sleep(0.001)
        return now()

    assert virtual_time.run(main()) == pytest.approx(4_000_001)
