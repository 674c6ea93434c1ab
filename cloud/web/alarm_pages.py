"""The page of alarms: draws nobody proved in time, logs of which nothing is billed, both notes of every fork."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from cloud.ingest.repository import EvidenceRow
from cloud.invariants.repository import Hold
from cloud.unproven.decide import NoSuchDrawError, NotOpenError, Outcome, OwnDrawError, decide
from cloud.unproven.repository import Key, Unproven
from cloud.web import forms
from cloud.web.figures import Moment, moment
from cloud.web.gather_alarms import gather_alarms
from cloud.web.languages import Words
from cloud.web.pages import admitted
from cloud.web.site import Visit

router = APIRouter(include_in_schema=False)
ZONE = "UTC"
MOST_WORDS = 200
OUTCOMES: Mapping[str, Outcome] = {"confirmed": "confirmed", "not_dispensed": "not_dispensed"}


class HoldRow(NamedTuple):
    """A hold in words."""

    gateway: str
    what: str
    detail: str
    since: Moment
    decision: str


class NoteRow(NamedTuple):
    """A kept note in words, with the one it contradicts."""

    gateway: str
    what: str
    size: int
    seen: Moment
    note: str
    ours: str


class Said(NamedTuple):
    """A verdict as the form tells it."""

    draw: Key
    outcome: Outcome
    evidence: str
    who: str


class UnprovenRow(NamedTuple):
    """A draw past its deadline in words."""

    record: str
    place: str
    item: str
    owner: str
    deadline: Moment
    said: str


@router.get("/alarms")
async def alarms(request: Request) -> Response:
    """Holds and evidence of the visitor's tenant."""
    visit = Visit(request)
    visitor = await admitted(visit)
    if isinstance(visitor, Response):
        return visitor
    if visitor.party:
        return forms.nothing_here(visit)
    now = visit.site.context.clock.now_ms()
    found = await visit.site.context.store.read(lambda tx: gather_alarms(tx, visitor.tenant_id, now))
    values = {
        "holds": [_hold(visit.words, one) for one in found.holds],
        "notes": [_note(visit.words, one) for one in found.evidence],
        "unproven": [_unproven(visit.words, one) for one in found.unproven],
        "writes": visitor.writes,
        "most": MOST_WORDS,
    }
    return visit.page("alarms.html", values)


@router.post("/alarms/verdicts")
async def say(request: Request) -> Response:
    """What its owner says about a draw that nobody proved; the gateway writes it down."""
    visit, visitor = await forms.writer(request)
    if visitor is None:
        return forms.refused(visit)
    _ = visit.words.gettext
    said = _said(await forms.form(request))
    if said is None:
        sentence = _("Say who decides, what, and what it stands on. Go back and fill in both fields.")
        return visit.message(_("Nothing was done"), sentence, 422)
    try:
        await visit.site.context.store.run(lambda tx: decide(tx, visitor.tenant_id, *said))
    except (NoSuchDrawError, NotOpenError, OwnDrawError) as error:
        return visit.message(_("Nothing was done"), _refusal(visit.words, error), 409)
    return visit.onward("/alarms")


def _said(form: Mapping[str, str]) -> Said | None:
    """None where a part is missing, too long, or nothing that can be written down."""
    device, ep, n = (form.get("record", "").split("/") + [""] * 3)[:3]
    outcome, evidence, who = (form.get(name, "").strip() for name in ("outcome", "evidence", "who"))
    if not (device and ep and n.isascii() and n.isdigit() and len(n) < 16 and outcome in OUTCOMES):
        return None
    if not (evidence and who) or max(len(evidence), len(who)) > MOST_WORDS or "\0" in f"{device}{ep}{evidence}{who}":
        return None
    return Said((device, ep, int(n)), OUTCOMES[outcome], evidence, who)


def _refusal(words: Words, error: Exception) -> str:
    _ = words.gettext
    if isinstance(error, OwnDrawError):
        return _("Who has drawn it cannot decide it himself.")
    if isinstance(error, NotOpenError):
        return _("This draw is decided already.")
    return _("There is no such draw.")


def _hold(words: Words, one: Hold) -> HoldRow:
    _ = words.gettext
    decision = ""
    if one.state == "released":
        decision = _("Released by %(who)s: %(reason)s", who=one.released_by, reason=one.reason)
    return HoldRow(one.gateway_id, invariant(words, one.kind), one.detail, moment(words, one.since_ms, ZONE), decision)


def _unproven(words: Words, one: Unproven) -> UnprovenRow:
    _ = words.gettext
    said = ""
    if one.said:
        what = _("it was taken") if one.said == "confirmed" else _("it was not taken")
        said = _("%(who)s says that %(what)s; the gateway has not written it down yet", who=one.said_by, what=what)
    place, owner = f"{one.device_id}/{one.slot}", one.owner or _("whoever may count there")
    return UnprovenRow(one.record, place, one.item_id, owner, moment(words, one.deadline_ms, ZONE), said)


def _note(words: Words, one: EvidenceRow) -> NoteRow:
    _ = words.gettext
    kinds = {
        "fork": _("Fork: the gateway's key signed two histories"),
        "refused": _("Refused: its records could not prove it"),
        "ahead": _("The gateway had more than this cloud"),
    }
    what = kinds.get(one.kind, one.kind)
    return NoteRow(one.gateway_id, what, one.size, moment(words, one.seen_ms, ZONE), one.note, one.ours)


def invariant(words: Words, kind: str) -> str:
    """A broken invariant as a sentence."""
    _ = words.gettext
    return {
        "leaf-changed": _("A stored record is not what came"),
        "leaf-missing": _("A record of the log is gone"),
        "root-differs": _("The records do not give the cosigned root"),
        "head-differs": _("The log's head is not its newest checkpoint"),
        "note-unsigned": _("A checkpoint is not signed as it must be"),
        "key-lost": _("A record is counted nowhere"),
        "balance-differs": _("A stock balance is not the sum of its moves"),
        "stock-below-nothing": _("A slot holds less than nothing, and nobody was told"),
        "register-differs": _("A meter's register is not what its record says"),
        "statement-differs": _("A statement does not follow from its records"),
        "key-revoked": _("Records were signed with a key that was revoked"),
    }.get(kind, kind)
