"""Everything that takes bytes or text from outside: every driver that is discovered, every parser of files.

A driver needs nothing here: it is fuzzed because it is in `gateway/drivers` and has a case in `test_drivers.py`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway import drivers
from gateway.drivers import dts_file, iec62056_text, mbus_records
from tests.fuzz.fuzzing import Codec
from tests.fuzz.held import held as bytes_held
from tests.gateway.test_drivers import CASES, Case

VECTORS = Path(__file__).parents[1] / "vectors"


class HoldsTooMuchError(AssertionError):
    """A driver keeps more bytes than it says it may."""


def all_codecs() -> Iterator[Codec]:
    """Every codec, by name."""
    for kind, driver in sorted(drivers.discover().items()):
        if driver.link == "serial":
            yield serial_codec(kind, next(case for case in CASES if case.kind == kind))
        else:
            yield from (mqtt_codec(kind, driver, one) for one in SETTINGS.get(kind, ({},)))
    yield Codec("dts_file", dts_file.read_dts, [*_frames("evadts"), DTS], (dts_file.DtsRefusedError,))
    yield Codec("iec62056_text", _text, [b"1-0:1.8.0(000123.456*kWh)\r\n0-0:1.0.0(240101120000W)"])
    telegrams = [frame[7:-2] for frame in _frames("mbus") if len(frame) > 12]
    yield Codec(
        "mbus_records", lambda data: mbus_records.parse(0x72, data), telegrams, (mbus_records.BadTelegramError,)
    )


DTS = b"DXS*GWT0000001*VA*V0/6*1\r\nST*001*0001\r\nID1*T*M*1\r\nPA1*1*100\r\nPA2*5*500\r\nSE*5*0001\r\nDXE*1*1\r\n"


def serial_codec(kind: str, case: Case) -> Codec:
    """A serial driver, as a line treats it: asked, fed in pieces, given up, asked again."""
    held: list[Any] = []

    def fresh() -> None:
        held[:] = [drivers.create(kind, case.settings)]

    fresh()
    most = bytes_held(held[0]) + drivers.holds(held[0])

    def run(data: bytes) -> None:
        driver = held[0]
        case.ask(driver) if _may_ask(case, driver) else None
        half = len(data) // 2 if data and data[0] & 1 else len(data)
        for piece in (data[:half], data[half:]):
            _told(driver, driver.feed(piece, 1.0))
        if hasattr(driver, "idle"):
            _told(driver, driver.idle(1.1))
        _told(driver, driver.expired(2.0))
        if not driver.answered and not getattr(driver, "listens", False):
            raise HoldsTooMuchError(f"{kind} still waits for an answer it has given up")
        if (kept := bytes_held(driver)) > most:
            raise HoldsTooMuchError(f"{kind} keeps {kept} bytes")

    return Codec(kind, run, _frames(kind), (), fresh)


def _told(driver: Any, events: list[Any]) -> None:
    for event in events:
        if hasattr(driver, "kept"):
            driver.kept(event)
    if hasattr(driver, "outgoing"):
        driver.outgoing()


def _may_ask(case: Case, driver: Any) -> bool:
    """A conversation of many steps is begun once; a question is put every time."""
    return not getattr(driver, "listens", False) or driver.answered


def mqtt_codec(kind: str, driver: Any, settings: dict[str, Any]) -> Codec:
    """A driver behind a broker: a topic it listens to, any payload, live or retained."""
    held: list[Any] = []
    messages = [frame for frame in _documents(kind) if "topic" in frame]
    topics = sorted({str(frame["topic"]) for frame in messages} | {f"{kind}/state"})

    def fresh() -> None:
        held[:] = [driver(driver.Settings(**settings))]

    def run(data: bytes) -> None:
        topic = topics[(data[0] & 0x7F if data else 0) % len(topics)]
        held[0].feed(topic, data[1:], 1.0, retained=bool(data and data[0] & 0x80))

    seeds = [bytes((topics.index(str(frame["topic"])),)) + _payload(frame) for frame in messages]
    name = f"{kind} {settings['dialect']}" if "dialect" in settings else kind
    return Codec(name, run, seeds or [b"\x00{}"], (), fresh)


# What a kind cannot do without; each of these is a codec of its own.
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "badge_mqtt": ({"topic": "hall3/reader/badge"}, {"topic": "tele/reader/SENSOR", "key": "RDM6300.UID"}),
    "mqtt_cabinet": ({"cabinet": "c1"},),
    "mqtt_meters": (
        {"dialect": "tasmota", "name": "pow1"},
        {"dialect": "shelly", "name": "shellypro3em-aabbccddeeff"},
        {"dialect": "zigbee2mqtt", "name": "Gniazdko Pralka"},
        {"dialect": "esphome", "name": "meter-node", "fields": {"import_wh": "total_energy kWh"}},
        {"dialect": "home_assistant", "name": "shopgw_m01"},
    ),
    "sparkplug_b": ({"group": "Shopfloor", "node": "edge-heldout", "device": "meter01"},),
}


def _payload(frame: dict[str, Any]) -> bytes:
    if "hex" in frame:
        return bytes.fromhex(frame["hex"])
    told = frame.get("json", frame.get("text", ""))
    return told.encode() if isinstance(told, str) else json.dumps(told).encode()


def _text(data: bytes) -> None:
    text = data.decode("latin-1")
    for one in iec62056_text.data_sets(text):
        iec62056_text.amount(str(one))
    for read in TEXTS:
        read(text)


TEXTS: list[Callable[[str], object]] = [
    iec62056_text.amount, iec62056_text.moment, iec62056_text.seconds_of, iec62056_text.plain_number,
]  # fmt: skip


def _documents(kind: str) -> list[dict[str, Any]]:
    path = VECTORS / f"{kind}.toml"
    found: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["frame"] if path.exists() else []
    return found


def _frames(kind: str) -> list[bytes]:
    return [bytes.fromhex(frame["hex"]) for frame in _documents(kind) if frame.get("hex")]
