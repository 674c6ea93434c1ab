"""The real serial link on a pseudo-terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import tty

import pytest

from gateway.links.serial import SerialPort
from gateway.ports import LinkDown, SerialSettings


def test_bytes_go_out_and_come_back_in_one_piece() -> None:
    async def talk() -> bytes:
        master, slave = pty.openpty()
        tty.setraw(slave)
        link = SerialPort(SerialSettings("t", os.ttyname(slave), 115200))
        await link.open()
        await link.write(b"\x8a\x01\x01\x11\x9b")
        heard = os.read(master, 64)
        os.write(master, b"\x8a\x01")
        os.write(master, b"\x01\x00\x8a")
        answer = await link.read(2)
        silence = await link.read(0.01) + await link.read(0)
        await link.close()
        os.close(slave)
        os.close(master)
        return heard + answer + silence

    assert asyncio.run(talk()) == b"\x8a\x01\x01\x11\x9b\x8a\x01\x01\x00\x8a"


def test_a_port_that_is_not_there_is_said_and_can_be_closed() -> None:
    async def talk() -> None:
        link = SerialPort(SerialSettings("t", "/dev/does-not-exist"))
        with pytest.raises(LinkDown, match="does-not-exist"):
            await link.open()
        await link.close()

    asyncio.run(talk())


def test_an_unplugged_adapter_ends_a_read() -> None:
    async def talk() -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        link = SerialPort(SerialSettings("t", os.ttyname(slave)))
        await link.open()
        os.close(slave)
        os.close(master)
        with pytest.raises(LinkDown):
            await link.read(5)
        await link.close()

    asyncio.run(talk())


def test_a_read_that_waits_for_its_first_byte_ends_when_somebody_wants_the_line() -> None:
    async def talk() -> bytes:
        master, slave = pty.openpty()
        tty.setraw(slave)
        link = SerialPort(SerialSettings("t", os.ttyname(slave)))
        await link.open()
        reading = asyncio.create_task(link.read(3600))
        await asyncio.sleep(0)

        link.nudge()

        heard = await reading
        await link.close()
        os.close(slave)
        os.close(master)
        return heard

    assert asyncio.run(talk()) == b""
