"""devices find: what hangs on a line, at which speed and address, and what it could be.

The surprise is what makes a search harmless: it asks only what the gateway polls anyway (`pending` and `request` of a
driver are reads, always), with the settings each driver names as likely, at the speeds it is shipped with. A port that
the running gateway owns is not touched: it says so.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from gateway import drivers
from gateway.clock import system_clock
from gateway.commands import FINDINGS, FINE, CommandError, Outcome
from gateway.device_events import Identified
from gateway.driver_ports import SerialDriver
from gateway.entropy import boot_id
from gateway.exchange import Pace, Patience, exchange
from gateway.links.serial import SerialPort
from gateway.ports import LinkDown, SerialSettings

# A device that is there begins its answer within this; a search of many addresses cannot wait for the slowest.
QUICK, MANY = 0.12, 8
# An adapter hands over what it heard by so many characters.
LUMP = 16
# Addresses that are tried where a driver names none: what installers use.
LIKELY = 16
LISTEN = 5.0


def find(arguments: argparse.Namespace) -> Outcome:
    """Everything that answers on the port, with the settings that reach it."""
    kinds = drivers.discover()
    wanted = arguments.kind or [kind for kind, driver in kinds.items() if driver.link == "serial"]
    unknown = sorted(set(wanted) - set(kinds))
    if unknown:
        raise CommandError(f"There is no kind {unknown[0]!r}; there are {', '.join(sorted(kinds))}.")
    try:
        only = dict(one.split("=", 1) for one in arguments.set if "=" in one)
        found = asyncio.run(
            search(arguments.port, wanted, arguments.speed, all_addresses=arguments.all, tell=_to_stderr, only=only)
        )
    except LinkDown as error:
        raise CommandError(f"{error}. If the gateway is running, stop it first: a port has one owner.") from error
    lines = [_as_config(one) for one in found] or [f"Nothing answered on {arguments.port}. {HINT}"]
    guessed = [kind for kind in arguments.kind if not only and not list(candidates(kind, all_addresses=False))]
    lines += [f"{kind} was not searched for: {' '.join(_why_not(kind).split())}" for kind in guessed]
    return Outcome(found, lines, FINE if found else FINDINGS)


HINT = (
    "Is it powered, are A and B the right way round? An address above 16 takes --all, another speed or parity"
    ' --speed "19200 8E1"; two with one address answer as none.'
)


def _why_not(kind: str) -> str:
    return getattr(drivers.discover()[kind], "candidates", _why_not).__doc__ or "nobody can guess its settings."


def _to_stderr(form: str, kind: str) -> None:
    sys.stderr.write(f"{form}: {kind}\n")


async def search(
    port: str,
    kinds: Sequence[str],
    speeds: Sequence[str],
    *,
    all_addresses: bool,
    tell: Callable[[str, str], None],
    only: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """What answers on the port: line, kind, settings, number, profiles. `tell` hears what is tried; `only`: not the
    settings each driver names, but these. Raises LinkDown.
    """
    found: list[dict[str, Any]] = []
    for form in _formats(kinds, speeds):
        link = SerialPort(line_settings(port, form))
        try:
            await link.open()
            for kind in kinds:
                driver = drivers.discover()[kind]
                if form in (speeds or getattr(driver, "shipped", ("9600 8N1",))):
                    tell(form, kind)
                    who = {"port": port, "line": form, "kind": kind}
                    tried = [dict(only)] if only else candidates(kind, all_addresses=all_addresses)
                    answers = _answering(link, kind, form, tried, thorough=all_addresses)
                    found += [{**who, **one} async for one in answers]
        finally:
            await link.close()
            await link.closed()
    return found


def _formats(kinds: Sequence[str], speeds: Sequence[str]) -> Iterable[str]:
    if speeds:
        return speeds
    shipped = (form for kind in kinds for form in getattr(drivers.discover()[kind], "shipped", ("9600 8N1",)))
    return dict.fromkeys(shipped)


def line_settings(port: str, form: str) -> SerialSettings:
    """A port opened as a form like `9600 8N1` says. Raises CommandError."""
    baud, _, rest = form.partition(" ")
    if not (baud.isdigit() and len(rest) == 3 and rest[0] in "78" and rest[1] in "NEO" and rest[2] in "12"):
        raise CommandError(f"{form!r} is no line format: say it as 9600 8N1.")
    parity: Any = rest[1]
    return SerialSettings("find", port, int(baud), int(rest[0]), parity, int(rest[2]))


def candidates(kind: str, *, all_addresses: bool) -> Iterator[dict[str, Any]]:
    """Settings to try: what the driver names, else its addresses, the likely ones first."""
    driver = drivers.discover()[kind]
    if hasattr(driver, "candidates"):
        yield from driver.candidates()
        return
    for key, last in (("unit", 247), ("board", 32)):
        if key in driver.Settings.model_fields:
            yield from ({key: each} for each in range(1, (last if all_addresses else LIKELY) + 1))
            return
    yield {}


async def _answering(
    link: SerialPort, kind: str, form: str, tried: Iterable[dict[str, Any]], *, thorough: bool
) -> AsyncIterator[dict[str, Any]]:
    todo, called = deque(tried), False
    few = len(todo) <= MANY
    while todo:
        settings = todo.popleft()
        try:
            driver = drivers.create(kind, settings)
        except ValueError:
            continue
        # Boards that share a line answer, besides talking unasked.
        listens = getattr(driver, "listens", False) and not getattr(driver, "shares", False)
        quick = None if few else QUICK + LUMP * Pace.of(line_settings("", form)).char()
        said = await (_overheard(link, driver) if listens else _asked(link, driver, form, quick))
        if said is None:
            if hasattr(driver, "narrower") and _was_heard(driver):
                narrower = driver.narrower(settings)
                few = few and len(narrower) <= MANY
                todo.extendleft(reversed(narrower))
            elif settings == getattr(driver, "roll_call", None) and not thorough:
                if not called:
                    called = True
                    todo.appendleft(settings)
                else:
                    # Everybody would have answered this.
                    todo = deque(one for one in todo if not settings.keys() & one.keys())
            continue
        numbers = [event.number for event in said if isinstance(event, Identified)]
        reached = driver.reached(settings) if hasattr(driver, "reached") else settings
        one: dict[str, Any] = {"settings": reached, "number": numbers[0] if numbers else ""}
        if "profile" in driver.Settings.model_fields:
            one["profiles"] = await _fitting(link, kind, settings, form)
        yield one


def _was_heard(driver: SerialDriver) -> bool:
    """Whether bytes came that say nothing: several that answered at once, perhaps."""
    return bool(driver.counters.noise_bytes or driver.counters.refused or driver.counters.frames)


async def _asked(link: SerialPort, driver: SerialDriver, form: str, quick: float | None = QUICK) -> list[Any] | None:
    """What it says to its first questions; None: nothing that fits. An exception of Modbus is an answer too."""
    said: list[Any] = []
    asked = b""
    wants = list(driver.wants)[:1]
    for number in range(8):
        request = driver.pending() or (driver.request(wants) if wants and number == 0 else None)
        if request is None or request.data == asked:
            break
        asked = request.data
        steps = exchange(driver, request, Pace.of(line_settings("", form)), Patience(quick=quick))
        answer = await link.perform(steps)
        if answer.events is None:
            return None
        said += answer.events
    return said if asked else None


async def _overheard(link: SerialPort, driver: SerialDriver) -> list[Any] | None:
    """What a device says unasked within a few seconds."""
    clock = system_clock(boot_id())
    end = clock.line() + LISTEN
    while (left := end - clock.line()) > 0:
        data = await link.read(min(left, 0.5))
        said = driver.feed(data, clock.line()) if data else []
        if getattr(driver, "talks", False):
            said += driver.idle(clock.line())  # type: ignore[attr-defined]
            await link.write(driver.outgoing())  # type: ignore[attr-defined]
        if said or driver.counters.frames:
            return said
    return None


async def _fitting(link: SerialPort, kind: str, settings: dict[str, Any], form: str) -> list[str]:
    """Profiles of which the device has what is looked at, in values that can be true."""
    fitting = []
    for profile in sorted(drivers.profile_files()):
        try:
            driver = drivers.create(kind, {**settings, "profile": profile})
        except ValueError:
            continue
        if driver.pending() is None:
            continue
        said = await _asked(link, driver, form)
        if said and not driver.counters.exceptions and not driver.counters.refused:
            fitting.append(profile)
    return fitting


def _as_config(one: dict[str, Any]) -> str:
    settings = "".join(f", {key} = {value!r}" for key, value in one["settings"].items()).replace("'", '"')
    who = f"   # number {one['number']}" if one["number"] else ""
    models = f"   # profile: {' or '.join(one['profiles'])}" if one.get("profiles") else ""
    return f'{one["line"]}: {{ id = "...", kind = "{one["kind"]}"{settings} }}{who}{models}'
