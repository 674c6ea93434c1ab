"""A shop by seed: who comes when, takes what, what the machines draw and what is in the air. PURE but for its seed.

The plan of a scenario is made before anything runs, from the seed alone, so that nothing the product does (or fails to
do) moves what the people want. What really happens may differ from the plan, and then truth is what happened: a
worker who is refused, or whose door does not open, takes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from firmware_sim.coil_plan import CoilStep, steps
from firmware_sim.scenario import Cabinet, Scenario, Shift, Slot

# A worker badges, opens, takes and closes within this; the next one at the same cabinet comes later.
SESSION_MS = 60_000
# Seconds between the opening of a door and the hand that closes it.
DWELL_S = (3, 15)


@dataclass(frozen=True)
class Worker:
    """Somebody with a badge. ``restocks``: belongs to the supplier and fills slots instead."""

    badge: str
    name: str
    restocks: bool = False


@dataclass(frozen=True)
class Visit:
    """A badge is held up at ``at_ms`` and wants ``quantity`` from a slot; the door stays open for ``dwell_ms``.

    ``known`` false: nobody knows this badge. ``jammed``: the bolt sticks for this attempt.
    """

    at_ms: int
    badge: str
    cabinet: str
    slot: str
    item: str
    dwell_ms: int
    quantity: int = 1
    known: bool = True
    jammed: bool = False


@dataclass(frozen=True)
class Refill:
    """The restocker puts ``quantity`` into a slot; 0 means as much as is missing up to ``up_to`` by then."""

    at_ms: int
    badge: str
    cabinet: str
    slot: str
    item: str
    quantity: int
    up_to: int


@dataclass(frozen=True)
class LoadStep:
    """From ``at_ms`` on this many watts flow through a meter."""

    at_ms: int
    meter: str
    watts: int


@dataclass(frozen=True)
class AirStep:
    """From ``at_ms`` on the air at a sensor holds this, in ug/m3."""

    at_ms: int
    sensor: str
    pm1: int
    pm25: int
    pm10: int


Event = Visit | Refill | LoadStep | AirStep | CoilStep


@dataclass(frozen=True)
class Plan:
    """People, and everything that is meant to happen, in order of time."""

    workers: tuple[Worker, ...]
    events: tuple[Event, ...]

    @property
    def visits(self) -> list[Visit]:
        """The visits alone."""
        return [event for event in self.events if isinstance(event, Visit)]


def plan(scenario: Scenario) -> Plan:
    """The same scenario and seed give the same plan."""
    people = _people(scenario)
    events: list[Event] = [*_first_filling(scenario, people[-1])]
    for day in range(scenario.days):
        events += _refills(scenario, day, people[-1])
        for meter in scenario.meter:
            events += _load(scenario, day, meter.id)
        for sensor in scenario.air:
            events += _air(scenario, day, sensor.id)
        for coil in scenario.coil:
            load = scenario.shop.load
            stream = _stream(scenario, "coil", day, coil.id)
            events += steps(stream, coil.id, scenario.ms(load.on, day), scenario.ms(load.off, day))
    events += _visits(scenario, people[:-1])
    return Plan(people, tuple(sorted(events, key=lambda event: event.at_ms)))


def _stream(scenario: Scenario, *name: object) -> Random:
    return Random("/".join(map(str, (scenario.seed, *name))))  # noqa: S311 - must be repeatable


def _people(scenario: Scenario) -> tuple[Worker, ...]:
    stream = _stream(scenario, "people")
    count = sum(shift.workers for shift in scenario.shop.shift)
    numbers = stream.sample(range(0x0100_0000, 0x0FFF_FFFF), count + 1)
    workers = [Worker(f"{number:08X}", f"worker {place}") for place, number in enumerate(numbers[:-1], 1)]
    return (*workers, Worker(f"{numbers[-1]:08X}", "restocker", restocks=True))


def _slots(scenario: Scenario) -> list[tuple[Cabinet, Slot]]:
    return [(cabinet, slot) for cabinet in scenario.cabinet for slot in cabinet.slot]


def _first_filling(scenario: Scenario, restocker: Worker) -> Iterator[Refill]:
    """Before the first shift, slot by slot."""
    at_ms = scenario.ms("04:30")
    for cabinet, slot in _slots(scenario):
        if slot.filled:
            yield Refill(at_ms, restocker.badge, cabinet.id, slot.slot, slot.item, slot.filled, slot.capacity)
            at_ms += 10_000


def _refills(scenario: Scenario, day: int, restocker: Worker) -> Iterator[Refill]:
    if scenario.shop.refill_at:
        at_ms = scenario.ms(scenario.shop.refill_at, day)
        for place, (cabinet, slot) in enumerate(_slots(scenario)):
            later = at_ms + place * 10_000
            yield Refill(later, restocker.badge, cabinet.id, slot.slot, slot.item, 0, slot.max or slot.capacity)


def _visits(scenario: Scenario, workers: tuple[Worker, ...]) -> Iterator[Visit]:
    """Draws of all days, then the troubles among them; never more draws from a slot than lie in it at the begin."""
    left = {(cabinet.id, slot.slot): slot.filled for cabinet, slot in _slots(scenario)}
    visits: list[Visit] = []
    for day in range(scenario.days):
        visits += _draws(scenario, day, workers, left)
    stream = _stream(scenario, "troubles")
    for place in stream.sample(range(len(visits)), min(scenario.shop.jams, len(visits))):
        visits[place] = _with(visits[place], jammed=True)
    yield from visits
    for visit in stream.sample(visits, min(scenario.shop.strangers, len(visits))):
        badge = f"{stream.randrange(0x1000_0000, 0xFFFF_FFFF):08X}"
        yield _with(visit, badge=badge, known=False, jammed=False, at_ms=visit.at_ms - SESSION_MS)


def _draws(
    scenario: Scenario, day: int, workers: tuple[Worker, ...], left: dict[tuple[str, str], int]
) -> Iterator[Visit]:
    stream = _stream(scenario, "draws", day)
    habits = {worker.badge: _habits(scenario, worker) for worker in workers}
    for at_ms, crew in _moments(scenario, day, workers, stream):
        badge = stream.choice(crew).badge
        stocked = [(cabinet, slot) for cabinet, slot in _slots(scenario) if left[cabinet.id, slot.slot] > 0]
        if not stocked:
            return
        weights = [habits[badge][slot.item] for _, slot in stocked]
        ((cabinet, slot),) = stream.choices(stocked, weights)
        left[cabinet.id, slot.slot] -= 1
        yield Visit(at_ms, badge, cabinet.id, slot.slot, slot.item, stream.randint(*DWELL_S) * 1000)


def _habits(scenario: Scenario, worker: Worker) -> dict[str, float]:
    """How often this worker needs each item: most need one or two of them and hardly the others."""
    stream = _stream(scenario, "habit", worker.badge)
    return {item.id: stream.paretovariate(0.9) for item in scenario.item}


def _moments(
    scenario: Scenario, day: int, workers: tuple[Worker, ...], stream: Random
) -> list[tuple[int, list[Worker]]]:
    """When somebody of which crew comes: more at the begin of a shift and after the break, never two at once."""
    crews = _crews(scenario.shop.shift, workers)
    share, rest = divmod(scenario.shop.draws, scenario.days)
    wanted = share + (day < rest)
    taken: list[tuple[int, list[Worker]]] = []
    tries = 0
    # A stranger may come one session before any draw, so draws keep two sessions apart.
    apart_ms = max(scenario.shop.apart_s * 1000, 2 * SESSION_MS + 1000)
    while len(taken) < wanted and (tries := tries + 1) < 20 * wanted + 1000:
        ((shift, crew),) = stream.choices(crews, [shift.workers for shift, _ in crews])
        begin, end = scenario.ms(shift.start, day), scenario.ms(shift.end, day)
        peak = stream.choice((0.05, 0.55, stream.random()))
        at_ms = begin + round((end - begin) * min(max(stream.gauss(peak, 0.08), 0.01), 0.97))
        if all(abs(at_ms - other) >= apart_ms for other, _ in taken):
            taken.append((at_ms, crew))
    if len(taken) < wanted:
        raise ValueError(f"{wanted} draws do not fit into a day, {apart_ms // 1000} s from each other")
    return sorted(taken, key=lambda one: one[0])


def _crews(shifts: tuple[Shift, ...], workers: tuple[Worker, ...]) -> list[tuple[Shift, list[Worker]]]:
    crews, first = [], 0
    for shift in shifts:
        crews.append((shift, list(workers[first : first + shift.workers])))
        first += shift.workers
    return crews


def _load(scenario: Scenario, day: int, meter: str) -> Iterator[LoadStep]:
    """Off at night; by day an idle base and machines that cut and stop."""
    load = scenario.shop.load
    stream = _stream(scenario, "load", day, meter)
    at_ms, off_ms = scenario.ms(load.on, day), scenario.ms(load.off, day)
    cutting = 0
    while at_ms < off_ms:
        cutting = min(max(cutting + stream.choice((-1, 0, 0, 1, 1)), 0), load.machines)
        watts = load.idle_w + sum(round(load.machine_w * stream.uniform(0.7, 1.1)) for _ in range(cutting))
        yield LoadStep(at_ms, meter, watts)
        at_ms += 1000 * stream.randint(max(load.step_s // 2, 1), load.step_s)
    yield LoadStep(off_ms, meter, 0)


def _air(scenario: Scenario, day: int, sensor: str) -> Iterator[AirStep]:
    """Clean at night, oil mist by day, a burst now and then."""
    load = scenario.shop.load
    stream = _stream(scenario, "air", day, sensor)
    at_ms, off_ms = scenario.ms(load.on, day), scenario.ms(load.off, day)
    level = 6.0
    while at_ms < off_ms:
        level = max(4.0, 0.8 * level + stream.uniform(0, 6) + (stream.random() < 0.03) * stream.uniform(40, 120))
        yield AirStep(at_ms, sensor, round(level * 0.7), round(level), round(level * 1.3))
        at_ms += 1000 * stream.randint(60, 240)
    yield AirStep(off_ms, sensor, 4, 6, 8)


def _with(visit: Visit, **changes: object) -> Visit:
    return Visit(**{**visit.__dict__, **changes})
