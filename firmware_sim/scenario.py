"""A scenario: one TOML file that says which shop is played, for how long, by which terms and with which troubles.

Every key is a field of a dataclass below and nothing else: an unknown key is an error that names the nearest known one,
because a misspelt fault that never happens is a test that never ran. Times of day are "HH:MM" on the shop's clock.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from firmware_sim import truth
from firmware_sim.coil_plan import Coil
from firmware_sim.strict_toml import ScenarioError, build
from firmware_sim.truth import midnight_ms

FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class Site:
    """Who is there. Names only; the ids are the cloud's."""

    supplier: str = "Northwind Tools"
    customer: str = "Elbe Precision"
    name: str = "Hall 2"


@dataclass(frozen=True)
class Item:
    """Something that is stocked."""

    id: str
    name: str = ""


@dataclass(frozen=True)
class LineTrouble:
    """Chances (0..1) for each transmission on a line; ``echo``: the adapter hears itself. See ``faults.LinePlan``."""

    noise: float = 0.0
    flip: float = 0.0
    cut: float = 0.0
    lose: float = 0.0
    late: float = 0.0
    split: float = 0.0
    echo: bool = False


@dataclass(frozen=True)
class SerialLine:
    """One serial line of the gateway and what goes wrong on it."""

    name: str
    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    half_duplex: bool = True
    trouble: LineTrouble = field(default_factory=LineTrouble)


@dataclass(frozen=True)
class Slot:
    """A compartment and how it is filled before the first shift. ``min``/``max``: when and up to what to order."""

    slot: str
    item: str
    capacity: int
    filled: int
    min: int = 0
    max: int = 0


@dataclass(frozen=True)
class Cabinet:
    """``driver`` mqtt_cabinet is on the broker and may be autonomous; the others are on a serial ``line``, lock boards
    at ``board``. A weigh_bin is one slot whose pieces weigh ``piece_mg``; people take from it without asking.

    ``open_is``: what the lock board's feedback reads at an open door.
    """

    id: str
    driver: Literal["lock_8a", "lock_kerong", "coil_vmc", "weigh_bin", "mqtt_cabinet"]
    slot: tuple[Slot, ...]
    line: str = ""
    board: int = 1
    open_is: Literal["00", "11"] = "00"
    confirm: Literal["door", "sensor", "none"] = "door"
    autonomous: bool = False
    piece_mg: int = 12_350


@dataclass(frozen=True)
class Meter:
    """A power meter. ``start_wh``: its register when the scenario begins; ``every_s``: how often it is read."""

    id: str
    line: str
    driver: Literal["sdm630", "dlt645", "mbus"] = "sdm630"
    address: int = 1
    serial: int = 21_345_678
    start_wh: int = 0
    every_s: int = 60

    @property
    def step_wh(self) -> int:
        """What its register counts in."""
        return {"dlt645": 10, "mbus": 100}.get(self.driver, 1)


@dataclass(frozen=True)
class AirSensor:
    """A particle sensor with a line of its own."""

    id: str
    line: str
    driver: Literal["pms5003"] = "pms5003"


@dataclass(frozen=True)
class Shift:
    """From when to when these workers are there, and when most of them fetch something."""

    start: str
    end: str
    workers: int


@dataclass(frozen=True)
class Load:
    """The machines on each meter: off outside ``on``..``off``, so that registers stand still around midnight.

    ``idle_w`` while on; each of ``machines`` adds ``machine_w`` while it cuts. A new figure every ``step_s`` at most.
    """

    on: str = "05:30"
    off: str = "22:30"
    idle_w: int = 1800
    machines: int = 4
    machine_w: int = 5200
    step_s: int = 300


@dataclass(frozen=True)
class Shop:
    """What people do each day. ``draws`` in all; ``strangers`` hold up a badge nobody knows; ``jams`` are locks whose
    bolt sticks for one attempt. ``refill_at``: when the restocker fills every slot ("": never). ``apart_s``: seconds of
    the shop's clock between two draws, at least.
    """

    shift: tuple[Shift, ...]
    draws: int
    strangers: int = 0
    jams: int = 0
    refill_at: str = ""
    apart_s: int = 121
    load: Load = field(default_factory=Load)


@dataclass(frozen=True)
class Charge:
    """One charge of the agreement: ``prices`` for per_piece, ``unit_price`` and ``meters`` for energy, ``unit_price``,
    ``weights`` by speed and ``coils`` for weighted_runtime, ``amount`` for monthly_fee.
    """

    kind: Literal["per_piece", "energy", "weighted_runtime", "monthly_fee"]
    prices: dict[str, Decimal] = field(default_factory=dict)
    unit_price: Decimal = Decimal(0)
    meters: tuple[str, ...] = ()
    weights: dict[str, Decimal] = field(default_factory=dict)
    coils: tuple[str, ...] = ()
    amount: Decimal = Decimal(0)


@dataclass(frozen=True)
class Agreement:
    """The commercial terms. ``starts`` is a local day."""

    currency: str
    starts: date
    charge: tuple[Charge, ...]


@dataclass(frozen=True)
class Window:
    """From ``start`` to ``end`` on day ``day`` of the scenario (0 is the first); end is after start."""

    start: str
    end: str
    day: int = 0


@dataclass(frozen=True)
class Faults:
    """What befalls the machines. Counts happen at seeded moments between ``busy.start`` and ``busy.end`` of the days.

    ``gateway_kills``: kill -9 of the gateway; ``device_power_cuts``: a twin is dark for ``dark_s``;
    ``broker_restarts``; ``cloud_away``: the cloud cannot be reached; ``lost_receipts``: chance that the cloud's
    answer is lost; ``double_messages``, ``lost_acks``: the same at the MQTT broker, see ``faults.MqttPlan``.
    """

    gateway_kills: int = 0
    device_power_cuts: int = 0
    dark_s: int = 20
    broker_restarts: int = 0
    cloud_away: tuple[Window, ...] = ()
    lost_receipts: float = 0.0
    double_messages: float = 0.0
    lost_acks: float = 0.0
    busy: Window = field(default_factory=lambda: Window("06:00", "22:00"))


@dataclass(frozen=True)
class Scenario:
    """The whole file. ``scale``: seconds of the shop in one real second, where the mode is real. ``opens``: when the
    run begins on the first day; what the plan has before that happens at once.
    """

    name: str
    about: str
    mode: Literal["fast", "real"]
    seed: int
    zone: str
    first_day: date
    days: int
    item: tuple[Item, ...]
    line: tuple[SerialLine, ...]
    cabinet: tuple[Cabinet, ...]
    shop: Shop
    agreement: Agreement
    scale: int = 1
    opens: str = "04:00"
    site: Site = field(default_factory=Site)
    meter: tuple[Meter, ...] = ()
    air: tuple[AirSensor, ...] = ()
    coil: tuple[Coil, ...] = ()
    faults: Faults = field(default_factory=Faults)

    @property
    def end_day(self) -> date:
        """The day after the last."""
        return self.first_day + timedelta(days=self.days)

    def ms(self, clock: str, day: int = 0) -> int:
        """The instant the shop's clock shows "HH:MM" on day ``day``, ms UTC."""
        hours, minutes = clock.split(":")
        midnight = midnight_ms(self.first_day + timedelta(days=day), ZoneInfo(self.zone))
        return midnight + (int(hours) * 60 + int(minutes)) * 60_000

    @property
    def terms(self) -> truth.Terms:
        """The agreement as the ledger of truth reads it."""
        return truth.Terms(
            self.agreement.currency, self.zone, self.agreement.starts, [_charge(one) for one in self.agreement.charge]
        )


def load(name: str | Path) -> Scenario:
    """A scenario by name or by path; raises ScenarioError."""
    path = Path(name)
    if path.suffix != ".toml":
        path = FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in FOLDER.glob("*.toml")))
        raise ScenarioError(f"there is no scenario {name}; known are: {known}")
    return parse(path.read_text("utf-8"), path.name)


def parse(text: str, where: str = "scenario") -> Scenario:
    """A scenario from TOML text; ``where`` names it in errors."""
    try:
        table: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{where}: not TOML: {error}") from error
    scenario = build(Scenario, table, where)
    _check(scenario, where)
    return scenario


def _check(scenario: Scenario, where: str) -> None:
    lines = {one.name for one in scenario.line}
    items = {one.id for one in scenario.item}
    wired = [(one.id, one.line) for one in scenario.meter] + [(one.id, one.line) for one in scenario.air]
    wired += [(one.id, one.line) for one in scenario.coil]
    names = [one.id for one in scenario.cabinet] + [device for device, _ in wired]
    wired += [(one.id, one.line) for one in scenario.cabinet if one.driver != "mqtt_cabinet"]
    for device, line in wired:
        if line not in lines:
            raise ScenarioError(f"{where}: {device} is on line {line!r}, which is not a [[line]]")
    if len(set(names)) != len(names):
        raise ScenarioError(f"{where}: two devices have the same id")
    for cabinet in scenario.cabinet:
        for slot in cabinet.slot:
            if slot.item not in items:
                raise ScenarioError(f"{where}: slot {cabinet.id}/{slot.slot} holds {slot.item!r}, which is no [[item]]")
            if not 0 <= slot.filled <= slot.capacity:
                raise ScenarioError(f"{where}: slot {cabinet.id}/{slot.slot} cannot hold {slot.filled} pieces")
    for charge in scenario.agreement.charge:
        unknown = {*charge.prices} - items | {*charge.meters} - {one.id for one in scenario.meter}
        unknown |= {*charge.coils} - {one.id for one in scenario.coil}
        if unknown:
            raise ScenarioError(f"{where}: a {charge.kind} charge names unknown things: {', '.join(sorted(unknown))}")


def _charge(charge: Charge) -> truth.Charge:
    if charge.kind == "per_piece":
        return truth.PerPiece(charge.prices)
    if charge.kind == "energy":
        return truth.Energy(charge.unit_price, charge.meters)
    if charge.kind == "weighted_runtime":
        return truth.RunHours(charge.unit_price, charge.weights, charge.coils)
    return truth.MonthlyFee(charge.amount)
