"""The clocks: the wall may jump, mono never, and a wire's time-out is not a demo's."""

from __future__ import annotations

from gateway.clock import PLAUSIBLE_MS, Clock, kernel_synchronised
from tests.gateway.desk import START, a_clock, pass_time, play


def a_hand_clock(wall: int, *, synchronised: bool = False) -> Clock:
    return Clock("b" * 16, wall=lambda: wall, line=lambda: 0.0, synchronised=lambda: synchronised)


def test_the_state_says_what_the_system_vouches_for() -> None:
    assert a_hand_clock(START, synchronised=True).state() == "S"
    assert a_hand_clock(START).state() == "I"
    assert a_hand_clock(PLAUSIBLE_MS - 1).state() == "U"


def test_a_fast_clock_sleeps_shorter_and_counts_longer() -> None:
    async def main() -> None:
        slow = a_clock()
        fast = Clock("b" * 16, wall=lambda: 0, line=slow.line, synchronised=lambda: True, scale=60)
        before = slow.line()

        await fast.sleep(120)

        assert slow.line() - before == 2
        assert fast.mono_ms() == 120_000

    play(main())


def test_mono_begins_with_the_boot() -> None:
    async def main() -> None:
        await pass_time(100)
        clock = a_clock()
        await pass_time(1.5)

        assert clock.mono_ms() == 1500

    play(main())


def test_the_kernel_can_be_asked() -> None:
    assert kernel_synchronised() in (True, False)
