"""The line behind a device file: opened, written and read as any serial port."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
import serial

from firmware_sim.bench import Line, PtyPort
from firmware_sim.devices.lock_8a import Lock8A
from firmware_sim.devices.modbus_slave import crc16
from firmware_sim.devices.sdm630 import Sdm630

OPEN_1 = bytes.fromhex("8A 01 01 11 9B")
OPENED_1 = bytes.fromhex("8A 01 01 00 8A")
BLOCK = bytes.fromhex("01 04 00 00 00 50")


def ask(path: Path, request: bytes, expected: int) -> bytes:
    with serial.Serial(str(path), 9600, timeout=5) as port:
        port.write(request)
        return port.read(expected)


def chunks(path: Path, request: bytes, expected: int) -> list[bytes]:
    with serial.Serial(str(path), 9600, timeout=5) as port:
        port.write(request)
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < expected and select.select([port.fileno()], [], [], 5)[0]:
            pieces.append(os.read(port.fileno(), 256))
        return pieces


def names(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


def on_a_pty(folder: Path, play: Callable[[Line, PtyPort], Coroutine[None, None, None]]) -> None:
    async def main() -> None:
        line = Line()
        line.attach(Lock8A())
        line.attach(Sdm630(address=1))
        port = PtyPort(line, folder / "tty-bus1")
        await port.open()
        try:
            await play(line, port)
        finally:
            port.close()

    asyncio.run(main())


def test_a_program_opens_the_stable_name_and_talks_to_the_twins(tmp_path: Path) -> None:
    async def play(_line: Line, port: PtyPort) -> None:
        assert await asyncio.to_thread(ask, port.link, OPEN_1, 5) == OPENED_1
        reply = await asyncio.to_thread(ask, port.link, BLOCK + crc16(BLOCK), 165)
        assert crc16(reply[:-2]) == reply[-2:]

    on_a_pty(tmp_path, play)


def test_a_long_reply_comes_in_pieces_no_longer_than_the_fifo(tmp_path: Path) -> None:
    async def play(_line: Line, port: PtyPort) -> None:
        pieces = await asyncio.to_thread(chunks, port.link, BLOCK + crc16(BLOCK), 165)

        assert sum(map(len, pieces)) == 165
        assert len(pieces) > 5

    on_a_pty(tmp_path, play)


def test_a_pulled_adapter_is_gone_and_comes_back_under_its_name(tmp_path: Path) -> None:
    async def play(_line: Line, port: PtyPort) -> None:
        port.close()
        with pytest.raises(serial.SerialException):
            await asyncio.to_thread(ask, port.link, OPEN_1, 5)

        await port.open()

        assert await asyncio.to_thread(ask, port.link, OPEN_1, 5) == OPENED_1

    on_a_pty(tmp_path, play)


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    async def play(_line: Line, _port: PtyPort) -> None:
        assert names(tmp_path) == ["tty-bus1"]

    on_a_pty(tmp_path, play)

    assert names(tmp_path) == []
