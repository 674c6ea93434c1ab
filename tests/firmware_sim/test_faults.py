"""Seeded faults: each kind does what it says, is counted, and comes again with the same seed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from firmware_sim.faults import LineFaults, LinePlan, Scheduled, instants

FRAME = bytes(range(32))
NOISY = LinePlan(noise=0.2, flip=0.2, cut=0.2, lose=0.2, late=0.2, split=0.2)


def played(plan: LinePlan, seed: str, transmissions: int = 200) -> list[object]:
    faults = LineFaults(plan, seed)
    seen: list[object] = []
    for now in range(transmissions):
        seen += [faults.reply_delay(now), faults.on_the_wire(FRAME, now), faults.pieces(FRAME, now)]
    return [*seen, faults.counts]


def test_the_same_seed_does_the_same_harm() -> None:
    assert played(NOISY, "7") == played(NOISY, "7")
    assert played(NOISY, "7") != played(NOISY, "8")


def test_one_kind_does_not_move_the_others() -> None:
    alone = LineFaults(LinePlan(flip=0.2), "7")
    among = LineFaults(LinePlan(flip=0.2, lose=0.5, split=0.5), "7")

    harm: list[list[bytes]] = []
    for faults in (alone, among):
        harm.append([])
        for now in range(100):
            faults.reply_delay(now)
            harm[-1].append(faults.on_the_wire(FRAME, now))
            faults.pieces(FRAME, now)

    assert harm[0] == harm[1]


def test_a_line_without_a_plan_is_perfect() -> None:
    seen = played(LinePlan(), "7", 3)

    assert seen[:3] == [0.0, FRAME, [(0.0, FRAME)]]
    assert not any(dict(LineFaults(LinePlan(), "7").counts).values())


def test_a_flip_is_one_bit() -> None:
    faults = LineFaults(LinePlan(flip=1.0), "7")

    changed = faults.on_the_wire(FRAME, 0.0)

    assert sum((one ^ other).bit_count() for one, other in zip(FRAME, changed, strict=True)) == 1


def test_a_cut_keeps_a_beginning() -> None:
    faults = LineFaults(LinePlan(cut=1.0), "7")

    for now in range(50):
        cut = faults.on_the_wire(FRAME, now)
        assert FRAME.startswith(cut)
        assert len(cut) < len(FRAME)


def test_noise_is_around_the_frame_and_short() -> None:
    faults = LineFaults(LinePlan(noise=1.0, noise_bytes=3), "7")

    for now in range(50):
        noisy = faults.on_the_wire(FRAME, now)
        assert noisy.startswith(FRAME) or noisy.endswith(FRAME)
        assert 1 <= len(noisy) - len(FRAME) <= 3


def test_pieces_are_the_whole_in_order_within_the_time_given() -> None:
    faults = LineFaults(LinePlan(split=1.0, split_s=0.065), "7")

    for now in range(50):
        pieces = faults.pieces(FRAME, now)
        assert b"".join(piece for _, piece in pieces) == FRAME
        assert 2 <= len(pieces) <= 4
        assert [later for later, _ in pieces] == sorted(later for later, _ in pieces)
        assert pieces[-1][0] <= 3 * 0.065


def test_a_reply_is_lost_or_late_as_often_as_planned() -> None:
    faults = LineFaults(LinePlan(lose=0.1, late=0.1, late_s=0.5), "7")

    delays = [faults.reply_delay(now) for now in range(2000)]

    assert faults.counts["lose"] == delays.count(None)
    assert 150 < delays.count(None) < 250
    late = [delay for delay in delays if delay]
    assert faults.counts["late"] == len(late)
    assert all(0.05 <= delay <= 0.5 for delay in late)


def test_a_scheduled_fault_befalls_the_first_transmission_after_its_time_and_only_that() -> None:
    faults = LineFaults(LinePlan(schedule=(Scheduled(10.0, "lose"),)), "7")

    assert [faults.reply_delay(now) for now in (9.0, 12.0, 13.0)] == [0.0, None, 0.0]
    assert faults.counts["lose"] == 1


def test_a_chance_above_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="flip is a chance"):
        LinePlan(flip=20)


def test_moments_are_seeded_ordered_and_apart() -> None:
    moments = instants("7", 20, 1000.0, 9000.0, apart=60.0)

    assert moments == instants("7", 20, 1000.0, 9000.0, apart=60.0)
    assert 1000 <= moments[0] <= moments[-1] <= 9000
    assert all(later - sooner >= 60 for sooner, later in pairwise(moments))


def test_more_moments_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="more moments than fit"):
        instants("7", 20, 0.0, 100.0, apart=60.0)
