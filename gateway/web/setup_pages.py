"""`/setup`: from the box to the first draw in the browser, step by step, behind the gateway's own code.

The surprise is that the wizard keeps nothing in the browser. Each step's finding is on disk before the page says it, so
that it can be left on the phone and gone on with on a laptop, or after the power was cut.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from gateway import drivers
from gateway.installing import LATER, STEPS
from gateway.setup_code import SetupCode
from gateway.slot_tests import gives_goods
from gateway.web.languages import Words
from gateway.web.rendering import Rendering
from gateway.web.setup_deeds import Deeds, Installed, Trouble
from gateway.web.setup_door import Door, OutsideError, StaleFormError
from gateway.web.setup_jobs import Jobs
from gateway.web.setup_words import POLARITY, SEEN, STATES, TROUBLES, VERDICTS
from gateway.web.setup_words import STEPS as NAMES

COMMON = "9600 8N1"


def add_setup(pages: FastAPI, gateway: Installed, rendering: Rendering) -> None:
    """`/setup`, its steps, and how a job goes."""
    code = SetupCode(gateway.config.gateway.state, gateway.ports.salt)
    door, jobs = Door(code, gateway.ports.clock), Jobs()
    deeds = Deeds(gateway, jobs)
    _entrance(pages, door, deeds, rendering)
    _steps(pages, door, deeds, rendering)

    @pages.get("/setup/job")
    async def job(request: Request) -> Response:
        door.session(request)
        start = gateway.ports.clock.boot
        return JSONResponse({"busy": jobs.busy, "tick": jobs.tick, "says": jobs.says, "start": start})

    @pages.exception_handler(StaleFormError)
    async def stale(_request: Request, _error: StaleFormError) -> Response:
        return RedirectResponse("/setup", 303)

    @pages.exception_handler(OutsideError)
    async def outside(request: Request, _error: OutsideError) -> Response:
        if request.url.path == "/setup/job":
            return JSONResponse({"busy": False, "tick": -1, "says": "", "start": ""}, 401)
        return RedirectResponse("/setup", 303)


def _entrance(pages: FastAPI, door: Door, deeds: Deeds, rendering: Rendering) -> None:
    def shown(request: Request, trouble: str, status: int) -> Response:
        word = told(TROUBLES, trouble, rendering.spoken(request)[1])
        return rendering.page("setup_enter.html", request, {"trouble": word, "here": "/setup"}, status)

    @pages.get("/setup")
    async def begin(request: Request) -> Response:
        try:
            door.session(request)
        except OutsideError:
            return shown(request, "", 200)
        return RedirectResponse(f"/setup/step/{deeds.installation.current()}", 303)

    @pages.post("/setup")
    async def enter(request: Request) -> Response:
        answer = await door.enter(request)
        if isinstance(answer, str):
            return shown(request, answer, 429 if answer == "shut" else 403)
        return answer

    @pages.post("/setup/leave")
    async def leave(request: Request) -> Response:
        await door.form(request)
        return door.leave()


def _steps(pages: FastAPI, door: Door, deeds: Deeds, rendering: Rendering) -> None:
    def shown(request: Request, step: str, trouble: str = "", status: int = 200) -> Response:
        words = rendering.spoken(request)[1]
        values = _values(deeds, step, words)
        frame = {"token": door.token(request), "trouble": trouble, "step": step}
        return rendering.page(f"setup_{step}.html", request, {**values, **frame}, status)

    @pages.get("/setup/step/{step}")
    async def look(request: Request, step: str) -> Response:
        door.session(request)
        if step not in STEPS or deeds.installation.state(step) == "locked":
            return RedirectResponse(f"/setup/step/{deeds.installation.current()}", 303)
        return shown(request, step)

    @pages.post("/setup/step/{step}")
    async def act(request: Request, step: str) -> Response:
        words = rendering.spoken(request)[1]
        try:
            form = await door.form(request)
            action = form.pop("action", "")
            locked = step not in STEPS or deeds.installation.state(step) == "locked"
            if locked or (action == "later" and step not in LATER):
                raise Trouble("old_form")  # noqa: TRY301 - told as any other
            await deeds.do(step, action, form)
        except StaleFormError:
            return shown(request, deeds.installation.current(), told(TROUBLES, "old_form", words), 403)
        except Trouble as error:
            word = told(TROUBLES, error.word, words)
            text = f"{word}: {error}" if word and str(error) else word or str(error)
            return shown(request, step if step in STEPS else "network", text, 409)
        on = deeds.installation.current() if action in ("next", "later") else step
        lang = request.query_params.get("lang", "")
        return RedirectResponse(f"/setup/step/{on}" + (f"?lang={lang}" if lang else ""), 303)


class Facts(dict[str, Any]):
    """What was found, for a template: what was not is None."""

    def __missing__(self, key: str) -> None:
        return None


def told(table: dict[str, str], key: str, words: Words) -> str:
    """A sentence of one of the tables of `setup_words`; empty for no key."""
    return words.gettext(table[key]) if key in table else ""


def _values(deeds: Deeds, step: str, words: Words) -> dict[str, Any]:
    installation, jobs = deeds.installation, deeds.jobs
    nav = [
        {"step": one, "name": words.gettext(NAMES[one]), "state": installation.state(one),
         "word": words.gettext(STATES[installation.state(one)])}
        for one in STEPS
    ]  # fmt: skip
    job = {"busy": jobs.busy, "says": jobs.says, "trouble": jobs.trouble, "tick": jobs.tick}
    common = {
        "nav": nav, "facts": Facts(installation.of(step)), "job": job, "url": deeds.url(),
        "start": deeds.gateway.ports.clock.boot, "name": words.gettext(NAMES[step]),
    }  # fmt: skip
    return {**common, **_OF[step](deeds, words)}


def _network(deeds: Deeds, _words: Words) -> dict[str, Any]:
    return {"clock": deeds.gateway.ports.clock.state()}


def _claim(deeds: Deeds, _words: Words) -> dict[str, Any]:
    return {"enrolled": deeds.gateway.identity is not None, "claim": _fingerprint(deeds)}


def _fingerprint(deeds: Deeds) -> dict[str, str]:
    who = deeds.gateway.identity
    if who is None:
        return {"gateway_id": "", "fingerprint": ""}
    from wire.seal import Verifier  # noqa: PLC0415 - only where there is a key to show

    return {"gateway_id": who.gateway_id, "fingerprint": str(Verifier(who.signer().vkey).fingerprint)}


def _devices(deeds: Deeds, words: Words) -> dict[str, Any]:
    from gateway import site_file  # noqa: PLC0415 - as above

    mine = {one["id"] for line in site_file.read(deeds.folder).get("lines", []) for one in line["devices"]}
    found = [
        {**one, "settings": "\n".join(f"{key} = {json.dumps(value)}" for key, value in one["settings"].items()),
         "id": f"{one['kind']}-{number}"}
        for number, one in enumerate(deeds.installation.of("devices").get("found", []), 1)
    ]  # fmt: skip
    kinds = [
        {
            "kind": kind,
            "about": words.gettext(drivers.about(one)),
            "shipped": (*getattr(one, "shipped", ()), "9600 8N1")[0],
        }
        for kind, one in sorted(drivers.discover().items())
        if one.link == "serial"
    ]
    devices = [msgspec.to_builtins(one) for one in deeds.gateway.status().devices]
    return {"adapters": deeds.adapters(), "found": found, "kinds": kinds, "devices": devices, "mine": mine}


def _planogram(deeds: Deeds, _words: Words) -> dict[str, Any]:
    premises = deeds.gateway.premises
    known = premises.desired.current.planograms if premises else {}
    return {"cabinets": [(one, known.get(one)) for one in sorted(deeds.gateway.site.cabinets)]}


def _slots(deeds: Deeds, words: Words) -> dict[str, Any]:
    polarity = deeds.installation.of("slots").get("polarity", {})
    cabinets = []
    for name, place in sorted(deeds.gateway.site.cabinets.items()):
        rows = [{"slot": slot, **_row(deeds, name, slot, words)} for slot in deeds.slots(name)]
        verdict = polarity.get(name, {}).get("verdict", "")
        cabinets.append({
            "name": name, "rows": rows, "gives": gives_goods(place, deeds.slots(name)),
            "reads": hasattr(place, "closed"),
            "polarity": told(POLARITY, verdict, words), "tone": "good" if verdict in ("right", "turned") else "warn",
            "left": sum(not deeds.moved(name, row["slot"]) for row in rows),
        })  # fmt: skip
    return {"cabinets": cabinets}


def _row(deeds: Deeds, cabinet: str, slot: str, words: Words) -> dict[str, str]:
    tried = deeds.tried(cabinet, slot)
    verdict, seen = tried.get("verdict", ""), tried.get("seen", "")
    return {
        "verdict": verdict, "seen": seen, "detail": tried.get("detail", ""),
        "says": told(VERDICTS, verdict, words), "saw": told(SEEN, seen, words),
    }  # fmt: skip


def _report(deeds: Deeds, words: Words) -> dict[str, Any]:
    facts = deeds.installation.facts()
    status = deeds.gateway.status()
    done = facts.get("report", {})
    at = datetime.fromtimestamp((done.get("at_ms") or status.wall_ms) / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    tried = facts.get("slots", {}).get("tried", {})
    slots = [
        (key, told(VERDICTS, one.get("verdict", ""), words), told(SEEN, one.get("seen", ""), words))
        for key, one in tried.items()
    ]
    later = [words.gettext(NAMES[one]) for one in deeds.later()]
    every = Facts({key: Facts(one) for key, one in facts.items()})
    return {"all": every, "status": status, "at": at, "slots": slots, "later": later, "claim": _fingerprint(deeds)}


_OF = {
    "network": _network, "claim": _claim, "devices": _devices, "planogram": _planogram, "slots": _slots,
    "report": _report,
}  # fmt: skip
