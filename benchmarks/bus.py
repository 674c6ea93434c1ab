"""The shared line: how near to the wire's own limit meters are read, with the silences kept, and what it costs.

The limit is arithmetic (devices.md 3.1): T = (question + answer) * bits/baud + 2 * 3.5 characters + the device's turn;
nobody who keeps the silences can be quicker. A poll rate above it, as pymodbus reaches, is a silence that was not kept,
which the row beside it shows. The far end is a process that does nothing but keep time (firmware_sim/exact_line.py).

CPU is user and system time of this process alone, which holds nothing but the session (its line's thread, its event
loop, the records) or the other client; the far end's is not in it. Its limit is a loop of bare system calls on the same
line in the same run: it knows when the answer comes, sleeps, reads, sleeps, writes, and looks at nothing.

    python benchmarks/bus.py [--quick] [--json] [--rounds N]
"""

from __future__ import annotations

import asyncio
import itertools
import os
import select
import statistics
import sys
import time
import tty
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bus_line import Deed, Spent, Watch, far_end, meter, run_session
from benchmarks.measure import Goal, Options, Report, await_quiet, percentile, run
from gateway.drivers.modbus_rtu import READ_INPUT_REGISTERS, read
from wire.records import Reading

BITS = 10
RATES = {9600: 0.95, 19200: 0.95, 115200: 0.92}
TURN = 0.005
BARE = "bare loop"


class Run(NamedTuple):
    """One client on one line: polls a second, the shortest silence in ms, processor microseconds a poll."""

    rate: float
    silence: float
    cpu: float


def silence_ms(baud: int) -> float:
    return 3500 * BITS / baud if baud <= 19200 else 1.75


def theory(baud: int, registers: int, turn: float = 0.0) -> float:
    """Polls a second that the wire allows."""
    return 1 / ((8 + 5 + 2 * registers) * BITS / baud + 2 * silence_ms(baud) / 1000 + turn)


def benchmark(options: Options, report: Report) -> None:
    for baud, share in RATES.items():
        for registers in (2, 40):
            _one_meter(options, report, baud, registers, share)
    _many(options, report)
    _eight(options, report, dead=False)
    _eight(options, report, dead=True)


def _one_meter(options: Options, report: Report, baud: int, registers: int, share: float) -> None:
    limit = theory(baud, registers)
    clients: dict[str, Callable[[str, int, int, float], Spent]] = {
        "Tallystick": _ours, BARE: _bare, "minimalmodbus": _minimalmodbus, "pymodbus async": _pymodbus,
    }  # fmt: skip
    rounds: dict[str, list[Run]] = {name: [] for name in clients}
    for _ in range(options.rounds):
        for name, client in clients.items():
            await_quiet(options)
            rounds[name].append(_measured(client, baud, registers, 1.0 if options.quick else 4.0))
    bare = statistics.median(one.cpu for one in rounds[BARE])
    for name, runs in rounds.items():
        middle = sorted(runs)[len(runs) // 2]
        ours = name == "Tallystick"
        what = f"{baud} baud, {registers} registers, {name}"
        report.add(f"{what}: polls", middle.rate, "polls/s", limit=limit, goal=_at_least(share) if ours else None)
        shortest = min(one.silence for one in runs)
        kept = Goal("min", 1.0, "ratio") if ours else None
        report.add(f"{what}: shortest silence", shortest, "ms", limit=silence_ms(baud), goal=kept)
        cheap = Goal("max", 400, "value") if ours else None
        report.add(f"{what}: CPU a poll", statistics.median(one.cpu for one in runs), "us", limit=bare, goal=cheap)


def _measured(client: Callable[[str, int, int, float], Spent], baud: int, registers: int, seconds: float) -> Run:
    with far_end(baud=baud, meters=1) as far:
        spent = client(far.port, baud, registers, seconds)
        told = far.report()
    asked = told["asked"]["1"]
    shortest = min(told["silences"], default=0.0) * 1000 if not told["too_early"] else 0.0
    return Run(rate_of(asked), shortest, a_poll(spent, asked))


def a_poll(spent: Spent, asked: list[float]) -> float:
    """Processor microseconds a question, of those that were asked while it was counted."""
    return spent.cpu / sum(spent.begun <= at <= spent.ended for at in asked) * 1e6


def rate_of(asked: list[float]) -> float:
    """Questions a second, the beginning left out."""
    settled = [at for at in asked if at >= asked[0] + (asked[-1] - asked[0]) / 5]
    return (len(settled) - 1) / (settled[-1] - settled[0])


def _ours(port: str, baud: int, registers: int, seconds: float) -> Spent:
    return run_session(port, baud, {"m": meter(1, registers // 2, 0.001)}, seconds).spent


def _bare(port: str, baud: int, registers: int, seconds: float) -> Spent:
    """System calls and nothing else."""
    question, whole, quiet = read(1, READ_INPUT_REGISTERS, 0, registers), 5 + 2 * registers, silence_ms(baud) / 1000
    line = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(line)
    nap = (len(question) + whole) * BITS / baud + quiet + 0.0001
    watch, end = Watch(), time.monotonic() + seconds
    while time.monotonic() < end:
        os.write(line, question)
        time.sleep(nap)
        left = whole
        while left > 0 and select.select([line], [], [], 1)[0]:
            left -= len(os.read(line, 4096))
        time.sleep(quiet)
    spent = watch.spent()
    os.close(line)
    return spent


def _minimalmodbus(port: str, baud: int, registers: int, seconds: float) -> Spent:
    import minimalmodbus  # type: ignore[import-untyped]  # noqa: PLC0415 - only here

    instrument = minimalmodbus.Instrument(port, 1)
    instrument.serial.baudrate, instrument.serial.timeout = baud, 1.0
    watch, end = Watch(), time.monotonic() + seconds
    while time.monotonic() < end:
        instrument.read_registers(0, registers, functioncode=4)
    spent = watch.spent()
    instrument.serial.close()
    return spent


def _pymodbus(port: str, baud: int, registers: int, seconds: float) -> Spent:
    from pymodbus.client import AsyncModbusSerialClient  # noqa: PLC0415 - only here

    async def work() -> Spent:
        client: Any = AsyncModbusSerialClient(port, baudrate=baud, timeout=1, retries=0)
        await client.connect()
        watch, end = Watch(), time.monotonic() + seconds
        while time.monotonic() < end:
            await client.read_input_registers(0, count=registers, device_id=1)
        spent = watch.spent()
        client.close()
        return spent

    return asyncio.run(work())


def _many(options: Options, report: Report) -> None:
    """32 meters as fast as the line goes; one of them is not there."""
    share, costs, spent = [], [], []
    for _ in range(options.rounds):
        await_quiet(options)
        with far_end(baud=9600, meters=32, absent=[17], turn=TURN) as far:
            meters = {f"m{unit}": meter(unit, 1, 0.001) for unit in range(1, 33)}
            ours = run_session(far.port, 9600, meters, 4.0 if options.quick else 20.0)
            asked = far.report()["asked"]
        answered = sorted(at for unit, times in asked.items() if unit != "17" for at in times)
        share.append(rate_of(answered))
        costs.append(a_poll(ours.spent, answered))
        spent.append(ours.spent.share)
    limit = theory(9600, 2, TURN)
    what = "32 meters at 9600, one absent"
    report.add(f"{what}: polls", statistics.median(share), "polls/s", limit=limit, goal=_at_least(0.9))
    report.add(f"{what}: CPU a poll", statistics.median(costs), "us", goal=Goal("max", 400, "value"))
    report.add(f"{what}: CPU", statistics.median(spent), "%", goal=Goal("max", 3, "value"))


def _eight(options: Options, report: Report, *, dead: bool) -> None:
    """Eight meters at 9600 baud, 20 values each every second; with ``dead`` one goes in the middle and comes back."""
    gone, back = (3, 6) if options.quick else (20, 40)
    seconds = back + 16.0 if dead else (5.0 if options.quick else 40.0)
    intervals: list[float] = []
    shares: list[float] = []
    late: list[float] = []
    for _ in range(1 if dead else min(options.rounds, 2)):
        await_quiet(options)
        with far_end(baud=9600, meters=8, turn=TURN) as far:
            meters = {f"m{unit}": meter(unit, 20, 1.0) for unit in range(1, 9)}
            plan = [Deed(gone, partial(far.say, "off 3")), Deed(back, partial(far.say, "on 3"))] if dead else []
            ours = run_session(far.port, 9600, meters, seconds, plan=plan)
        times: dict[str, list[int]] = {}
        for record in ours.records:
            if isinstance(record, Reading) and record.register == "v0":
                times.setdefault(record.src, []).append(record.m)
        for name, at in times.items():
            if not (dead and name == "m3"):
                intervals += [later - sooner for sooner, later in itertools.pairwise(at[1:])]
        if dead:
            late.append(min((at for at in times["m3"] if at >= back * 1000), default=10**6) / 1000 - back)
        shares.append(ours.spent.share)
    what = "eight meters, 20 values each second" + (", one dies" if dead else "")
    most = 1060 if dead else 1020
    report.add(f"{what}: interval p99", percentile(intervals, 0.99), "ms", goal=Goal("max", most, "value"))
    report.add(f"{what}: CPU", statistics.median(shares), "%", goal=Goal("max", 3, "value"))
    if dead:
        report.add(f"{what}: read again after its return", max(late), "s", goal=Goal("max", 15, "value"))


def _at_least(share: float) -> Goal:
    return Goal("min", share, "ratio")


if __name__ == "__main__":
    sys.exit(run("The shared line, against the wire's own limit", benchmark))
