"""The line: bytes take their time, two who speak at once are not understood, and the host end is a port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Literal

import pytest

from firmware_sim import virtual_time
from firmware_sim.bench import Line, LineSpec, MemoryPort
from firmware_sim.devices.lock_8a import Lock8A
from firmware_sim.devices.modbus_slave import crc16
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.faults import LineFaults, LinePlan, Scheduled

OPEN_1 = bytes.fromhex("8A 01 01 11 9B")
OPENED_1 = bytes.fromhex("8A 01 01 00 8A")


def request(address: int, count: int) -> bytes:
    body = bytes((address, 4, 0, 0, 0, count))
    return body + crc16(body)


async def reply_of(port: MemoryPort, expected: int, patience: float = 1.0) -> bytes:
    """Reads until `expected` bytes are there or the line is silent for `patience`."""
    reply = b""
    while len(reply) < expected and (piece := await port.read(patience)):
        reply += piece
    return reply


def on_a_line(
    play: Callable[[Line, MemoryPort], Coroutine[None, None, None]],
    spec: LineSpec | None = None,
    plan: LinePlan | None = None,
) -> None:
    async def main() -> None:
        line = Line(spec, faults=LineFaults(plan or LinePlan(), "test"))
        port = MemoryPort(line)
        await port.open()
        await play(line, port)
        await port.close()

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("count", "baud", "parity", "turn_round_ms", "rate"),
    [
        (2, 9600, "N", 0, 40.0),
        (2, 9600, "N", 5, 33.3),
        (2, 9600, "E", 20, 21.1),
        (2, 19200, "N", 0, 80.0),
        (2, 115200, "N", 0, 201.0),
        (2, 115200, "E", 5, 98.8),
        (40, 9600, "N", 0, 9.6),
        (40, 19200, "E", 5, 16.1),
        (40, 115200, "N", 20, 31.7),
        (80, 9600, "N", 5, 5.2),
        (80, 19200, "E", 0, 9.7),
    ],
)
def test_polls_a_second_are_those_of_the_formula(
    count: int, baud: int, parity: Literal["N", "E"], turn_round_ms: int, rate: float
) -> None:
    spec = LineSpec(baud=baud, parity=parity)

    async def play(line: Line, port: MemoryPort) -> None:
        line.attach(Sdm630(baud=baud, parity=parity, turn_round_s=turn_round_ms / 1000))
        begun = line.now
        for _ in range(50):
            await port.write(request(1, count))
            assert len(await reply_of(port, 5 + 2 * count)) == 5 + 2 * count
            await asyncio.sleep(spec.silence_s)

        assert round(50 / (line.now - begun), 1) == rate

    on_a_line(play, spec)


def test_two_twins_share_a_line_and_each_answers_for_itself() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        line.attach(Sdm630(address=1))
        line.attach(Sdm630(address=2))
        line.attach(Lock8A(board=1))
        for address in (1, 2):
            await port.write(request(address, 2))
            assert (await reply_of(port, 9))[0] == address
            await asyncio.sleep(0.01)

        await port.write(OPEN_1)

        assert await reply_of(port, 5) == OPENED_1

    on_a_line(play)


def test_a_request_that_runs_into_a_late_reply_is_lost_with_it() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        meter = Sdm630(address=1)
        meter.answer_late(0.3)
        line.attach(meter)
        await port.write(request(1, 80))
        assert await port.read(0.3) == b""
        await asyncio.sleep(0.05)

        await port.write(request(1, 2))
        spoilt = await reply_of(port, 165)

        assert line.counts["collisions"] == 1
        assert len(spoilt) == 165
        assert crc16(spoilt[:-2]) != spoilt[-2:]
        assert await port.read(1) == b""

    on_a_line(play)


def test_a_wire_in_each_direction_knows_no_collision() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        meter = Sdm630(address=1)
        line.attach(meter)
        await port.write(request(1, 80))
        await asyncio.sleep(0.1)
        await port.write(b"\x00")

        assert len(await reply_of(port, 165)) == 165
        assert line.counts["collisions"] == 0

    on_a_line(play, LineSpec(half_duplex=False))


def test_an_adapter_that_echoes_lets_the_host_hear_itself_first() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        line.attach(Lock8A())
        await port.write(OPEN_1)

        assert await reply_of(port, 10) == OPEN_1 + OPENED_1
        assert line.faults.counts["echo"] == 1

    on_a_line(play, plan=LinePlan(echo=True))


def test_power_that_goes_in_the_middle_of_a_reply_leaves_its_first_bytes() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        meter = Sdm630()
        line.attach(meter)
        await port.write(request(1, 80))
        await asyncio.sleep((8 + 3.5 + 10.5) * line.spec.char_s + 0.005)

        line.cut_power(meter)
        torn = await reply_of(port, 165)
        line.restore_power(meter)
        await port.write(request(1, 2))

        assert len(torn) == 10
        assert len(await reply_of(port, 9)) == 9

    on_a_line(play)


def test_pieces_of_a_reply_come_apart_and_make_the_same_reply() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        line.attach(Sdm630())
        await port.write(request(1, 80))

        pieces = []
        while piece := await port.read(0.5):
            pieces.append(piece)

        assert len(pieces) > 1
        assert len(b"".join(pieces)) == 165

    on_a_line(play, plan=LinePlan(schedule=(Scheduled(0.0, "split"),)))


def test_a_lost_reply_is_silence_though_the_door_is_open() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        board = Lock8A()
        line.attach(board)
        await port.write(OPEN_1)

        assert await port.read(1) == b""
        assert board.is_open(1)
        assert line.faults.counts["lose"] == 1

    on_a_line(play, plan=LinePlan(lose=1.0))


def test_an_unplugged_adapter_is_an_error_at_once_and_after_it_a_closed_port() -> None:
    class Gone(OSError):
        pass

    async def main() -> None:
        line = Line()
        port = MemoryPort(line, down=Gone)
        await port.open()
        asyncio.get_running_loop().call_later(2, port.unplug)
        with pytest.raises(Gone, match="unplugged"):
            await port.read(60)
        assert line.now == 2

        port.plug()
        with pytest.raises(Gone, match="not open"):
            await port.write(b"?")
        await port.open()
        assert await port.read(1) == b""

    virtual_time.run(main())


def test_what_was_said_while_nobody_listened_is_gone() -> None:
    async def play(line: Line, port: MemoryPort) -> None:
        line.attach(Lock8A())
        await port.write(OPEN_1)
        await port.close()
        await asyncio.sleep(1)

        await port.open()

        assert await port.read(1) == b""

    on_a_line(play)
