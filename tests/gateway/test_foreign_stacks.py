"""Modbus stacks that others wrote, over a pseudo-terminal: their server before our master, their clients before twins.

What both ends of ours could get wrong alike shows here.
"""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import minimalmodbus  # type: ignore[import-untyped]
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusSerialServer

from firmware_sim.bench import Line, LineSpec, PtyPort
from firmware_sim.devices.modbus_meter import ModbusMeter as MeterTwin
from firmware_sim.devices.modbus_unit import ModbusUnit
from firmware_sim.devices.sdm630 import Sdm630
from gateway import drivers
from gateway.device_events import DeviceFault, LevelState, Measured
from gateway.exchange import Pace, Patience, exchange
from gateway.links.serial import SerialPort
from gateway.ports import SerialSettings

BAUD = 38400


@asynccontextmanager
async def null_modem() -> AsyncIterator[tuple[str, str]]:
    """Two device files whose ends are joined."""
    ends = [os.openpty() for _ in range(2)]
    loop = asyncio.get_running_loop()
    for (master, slave), (other, _) in zip(ends, reversed(ends), strict=True):
        tty.setraw(slave)
        os.set_blocking(master, False)
        loop.add_reader(master, _carry, master, other)
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        for master, slave in ends:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)


def _carry(here: int, there: int) -> None:
    os.write(there, os.read(here, 4096))


@asynccontextmanager
async def their_server(words: dict[int, int]) -> AsyncIterator[str]:
    """Pymodbus as slave 1, with these words in both tables, at the other end of our port."""
    # Its blocks count from one; it holds the same in both tables.
    block: Any = ModbusSequentialDataBlock
    tables = [block(1, [words.get(address, 0) for address in range(0x200)]) for _ in range(2)]
    device = ModbusDeviceContext(hr=tables[0], ir=tables[1])
    async with null_modem() as (ours, theirs):
        server = ModbusSerialServer(ModbusServerContext(devices={1: device}, single=False), port=theirs, baudrate=BAUD)
        await server.serve_forever(background=True)
        try:
            yield ours
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]


async def ask(port: str, driver: Any, *requests: Any) -> list[Any]:
    """Our line, the driver's start-up questions, then these; everything that it says."""
    told: list[Any] = []
    settings = SerialSettings("line-1", port, BAUD)
    line = SerialPort(settings)
    await line.open()
    try:
        for wanted in (None, *requests):
            asked = b""
            while True:
                request = driver.pending() or (wanted() if wanted and asked == b"" else None)
                if request is None or request.data == asked:
                    break
                asked = request.data
                answer = await line.perform(exchange(driver, request, Pace.of(settings), Patience()))
                assert answer.events is not None, answer.why
                told += answer.events
    finally:
        await line.close()
    return told


def test_our_master_reads_their_server() -> None:
    # 230.1 V and 50.02 Hz as an SDM120 holds them; 12,345.678 kWh.
    volts, hertz, energy = (0x4366, 0x199A), (0x4248, 0x147B), (0x4640, 0xE6B6)
    words = {0x00: volts[0], 0x01: volts[1], 0x46: hertz[0], 0x47: hertz[1], 0x48: energy[0], 0x49: energy[1]}
    registers = {"import_wh": 60, "voltage_l1": 60, "frequency": 60}

    async def main() -> list[Any]:
        async with their_server(words) as port:
            driver = drivers.create("modbus_meter", {"profile": "sdm120", "registers": registers, "delay": 1})
            return await ask(port, driver, lambda: driver.request(driver.wants))

    found = {one.register: one.value for one in asyncio.run(main()) if isinstance(one, Measured)}
    assert (found["voltage_l1"], found["frequency"]) == (2301, 5002)
    assert round(found["import_wh"] / 1000) == 12346


def test_our_master_writes_to_their_server_and_reads_it_back() -> None:
    async def main() -> list[Any]:
        async with their_server({}) as port:
            driver = drivers.create("modbus_unit", {"at": 5, "levels": [0, 10, 20], "delay": 1})
            return await ask(port, driver, lambda: driver.set_level(2), driver.look)

    told = asyncio.run(main())
    assert [(one.level, one.value) for one in told if isinstance(one, LevelState)][-1] == (2, 20)


def test_their_refusal_is_a_refusal_to_us() -> None:
    async def main() -> list[Any]:
        async with their_server({}) as port:
            driver = drivers.create("modbus_unit", {"at": 0x300, "delay": 1})
            return await ask(port, driver, driver.look)

    told = asyncio.run(main())
    assert [one.data["code"] for one in told if isinstance(one, DeviceFault)] == [2]


@asynccontextmanager
async def our_twin(folder: Path, twin: Any) -> AsyncIterator[str]:
    """A twin behind a device file."""
    line = Line(LineSpec(baud=BAUD))
    port = PtyPort(line, folder / "tty")
    await port.open()
    line.attach(twin)
    try:
        yield str(folder / "tty")
    finally:
        line.detach(twin)
        port.close()


def test_minimalmodbus_reads_our_twins(tmp_path: Path) -> None:
    def read(port: str) -> tuple[float, float]:
        instrument = minimalmodbus.Instrument(port, 1)
        instrument.serial.baudrate, instrument.serial.timeout = BAUD, 2.0
        try:
            return instrument.read_float(0x00, functioncode=4), instrument.read_float(0x156, functioncode=4)
        finally:
            instrument.serial.close()

    async def main() -> tuple[float, float]:
        twin = Sdm630(address=1, serial=7, start_wh=1_234_500, baud=BAUD, turn_round_s=0.005, now=0.0)
        async with our_twin(tmp_path, twin) as port:
            return await asyncio.to_thread(read, port)

    volts, energy = asyncio.run(main())
    assert 200 < volts < 260
    assert round(energy, 1) == 1234.5


def test_pymodbus_drives_our_air_unit_and_reads_our_meter(tmp_path: Path) -> None:
    async def drive(twin: Any, words: Any) -> Any:
        async with our_twin(tmp_path, twin) as port:
            client = AsyncModbusSerialClient(port, baudrate=BAUD, timeout=3)
            assert await client.connect()
            try:
                return await words(client)
            finally:
                client.close()

    async def main() -> tuple[int, list[int], bool]:
        unit = ModbusUnit(baud=BAUD)
        await drive(unit, lambda client: client.write_register(0, 3, device_id=1))
        meter = MeterTwin("pzem004t", baud=BAUD)
        read = await drive(meter, lambda client: client.read_input_registers(0, count=10, device_id=1))
        beyond = await drive(meter, lambda client: client.read_input_registers(0x900, count=2, device_id=1))
        return unit.speed, read.registers, beyond.isError()

    speed, registers, refused = asyncio.run(main())
    assert speed == 3
    assert 2000 < registers[0] < 2600
    assert refused
