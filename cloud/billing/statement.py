"""A statement: what a closed period of an agreement came to, and the chain that it is a link of. PURE.

The surprise: its hash is over the head alone, and the head holds the hashes of lines and of what was not billed. So the
head of the statement before is all that is needed to check the chain, the counters, the registers and the ranges of the
logs, without showing last month's lines again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from cloud.agreements.terms import Version, canonical_json
from cloud.billing.facts import LogRange
from cloud.billing.guarantee import Verdict
from cloud.billing.scope import Unbilled, devices_of
from cloud.billing.settle import Settlement
from cloud.calendar import TZDATA_VERSION, Period
from cloud.metering.usage import RegisterState
from cloud.rating.lines import Line

FORMAT: Literal["tallystick/statement/1"] = "tallystick/statement/1"
ENGINE = "1"
NO_STATEMENT = ""


class VersionRef(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A version of the terms: number, the local day from which it counts, SHA-256 of the terms, rounding in words;
    ``signed_by``: the parties that had signed it when the statement was closed, so that no signature can be left out.
    """

    version: int
    first: str
    terms_hash: str
    rounding: str
    signed_by: list[str] = []


class EventRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The counted events that a statement had in hand: up to and with the serial number ``to``; ``count`` of them are
    shown in its bundle, under the Merkle root (hex) ``root``.
    """

    to: int
    count: int
    root: str


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a statement says of itself.

    ``closed_at``: the end of the period, ms UTC. ``cutoff_at``: when it was closed; what the cloud had by then is in,
    what came later is in the next. ``closed``: all earlier periods. ``prev_hash``: "" for the first. ``base``: number
    of the statement it continues (the one before, unless that is void), ``since``: of the one its ranges begin after
    (the same, unless earlier periods are corrected); 0: none. ``replaces``: hash of the void statement of its period.
    """

    format: Literal["tallystick/statement/1"]
    statement_id: str
    tenant: str
    agreement_id: str
    number: int
    kind: Literal["statement"]
    revision: int
    supplier_id: str
    customer_id: str
    currency: str
    zone: str
    tzdata: str
    engine: str
    period: Period
    closed: list[Period]
    versions: list[VersionRef]
    closed_at: int
    cutoff_at: int
    logs: list[LogRange]
    registers: list[RegisterState]
    total: str
    lines_hash: str
    unbilled_hash: str
    verdicts_hash: str
    base: int
    since: int
    replaces: str
    prev_hash: str
    events: EventRange | None

    @property
    def hash(self) -> str:
        """SHA-256 of the head's canonical JSON, hex."""
        return digest(self)


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A head, its lines, what was not billed and why, how guarantees were met, and the cloud's signed note over the
    head's hash.
    """

    head: Head
    lines: list[Line]
    unbilled: list[Unbilled]
    verdicts: list[Verdict]
    hash: str
    note: str


def digest(value: object) -> str:
    """SHA-256 of a value's canonical JSON, hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def note_text(head: Head) -> str:
    """What the cloud signs: format, agreement and number, the head's hash, each on its line."""
    return f"{FORMAT}\n{head.agreement_id} {head.number}\n{head.hash}\n"


def statement_id(tenant: str, agreement_id: str, number: int) -> str:
    """The id follows from agreement and number, so a repeated closing cannot give another."""
    text = f"{tenant}\n{agreement_id}\n{number}"
    return f"stm_{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def newcomers(versions: Sequence[Version], previous: Head) -> set[str]:
    """Devices that came under the agreement after an earlier statement was closed."""
    return devices_of(versions) - devices_of(versions[: len(previous.versions)])


def version_refs(versions: Sequence[Version], signed: Sequence[tuple[int, str]] = ()) -> list[VersionRef]:
    """The versions as a head names them; ``signed``: (version, party) of the signatures under them."""
    return [
        VersionRef(
            version.version,
            version.first,
            version.terms.hash,
            version.terms.rounding.in_words(),
            sorted(party for number, party in signed if number == version.version),
        )
        for version in versions
    ]


def unsigned(refs: Sequence[VersionRef]) -> list[VersionRef]:
    """The same without who signed: what a version is."""
    return [msgspec.structs.replace(one, signed_by=[]) for one in refs]


class Link(msgspec.Struct, frozen=True):
    """What a statement follows: ``last`` is the newest, void or not; ``base`` the newest that stands; ``opening`` the
    one its ranges begin after; ``void`` the newest void one of the same period.
    """

    last: Head | None
    base: Head | None
    opening: Head | None
    void: Head | None = None


def head_of(
    *,
    tenant: str,
    agreement_id: str,
    versions: Sequence[Version],
    period: Period,
    link: Link,
    logs: Sequence[LogRange],
    settlement: Settlement,
    verdicts: Sequence[Verdict],
    cutoff_at: int,
    events: EventRange | None = None,
    signed: Sequence[tuple[int, str]] = (),
) -> Head:
    """The head of the next statement of an agreement."""
    terms = versions[0].terms
    last, base = link.last, link.base
    number = 1 if last is None else last.number + 1
    return Head(
        format=FORMAT,
        statement_id=statement_id(tenant, agreement_id, number),
        tenant=tenant,
        agreement_id=agreement_id,
        number=number,
        kind="statement",
        revision=0 if link.void is None else link.void.revision + 1,
        supplier_id=terms.supplier_id,
        customer_id=terms.customer_id,
        currency=terms.currency,
        zone=terms.zone,
        tzdata=TZDATA_VERSION,
        engine=ENGINE,
        period=period,
        closed=[] if base is None else [*base.closed, base.period],
        versions=version_refs(versions, signed),
        closed_at=period.to_ms,
        cutoff_at=cutoff_at,
        logs=list(logs),
        registers=settlement.registers,
        total=settlement.total,
        lines_hash=digest(settlement.lines),
        unbilled_hash=digest(settlement.unbilled),
        verdicts_hash=digest(list(verdicts)),
        base=0 if base is None else base.number,
        since=0 if link.opening is None else link.opening.number,
        replaces=NO_STATEMENT if link.void is None else link.void.hash,
        prev_hash=NO_STATEMENT if last is None else last.hash,
        events=events,
    )
