"""The commercial agreement of a supplier and a customer, as data: devices, charges, currency, zone, rounding. PURE.

The surprise: the hash is over the *whole* terms with every default spelled out, so that a default changed in a later
release cannot change what two parties agreed on. Versions never overlap: each counts from its local day until the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Annotated, Self

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from cloud.agreements.credit_terms import CreditTerms
from cloud.agreements.equipment_terms import DeclaredMeter, Equipment
from cloud.agreements.estimate_terms import EstimateTerms
from cloud.agreements.payment_terms import USUAL, PaymentTerms
from cloud.agreements.tax_terms import TaxTerms
from cloud.agreements.witness_terms import WitnessTerms
from cloud.billing.guarantee_terms import GuaranteeTerms
from cloud.calendar import CalendarError, Cycle, midnight, parse_day, parse_instant, zone
from cloud.money import MoneyError, RoundingPolicy, minor_digits
from cloud.rating.any_charge import AnyCharge
from cloud.rating.charges.commitment import refuse_unknown_positions
from cloud.rating.charges.energy import Terms as EnergyTerms
from cloud.rating.charges.per_piece import Terms as PieceTerms
from cloud.rating.lines import ChargeTerms
from cloud.rating.terms_fields import STORED, Id, is_stored


class AgreementError(ValueError):
    """Terms that cannot be agreed on; the message says which field and what is accepted."""


def _currency(code: str) -> str:
    try:
        minor_digits(code)
    except MoneyError as error:
        raise ValueError(str(error)) from error
    return code


def _zone(name: str) -> str:
    try:
        zone(name)
    except CalendarError as error:
        raise ValueError(str(error)) from error
    return name


def _day(text: str) -> str:
    try:
        parse_day(text)
    except CalendarError as error:
        raise ValueError(str(error)) from error
    return text


def _instant(text: str) -> str:
    moment = parse_instant(text)
    if moment.tzinfo is None or moment.microsecond:
        raise ValueError(f"{text!r}: write an instant with its offset, to the second: 2026-11-15T12:00:00+01:00")
    return text


Currency = Annotated[str, AfterValidator(_currency)]
Zone = Annotated[str, AfterValidator(_zone)]
Day = Annotated[str, AfterValidator(_day)]


class AgreementTerms(BaseModel):
    """What supplier and customer agreed on. ``starts`` and ``ends`` are local days of ``zone``, ``ends`` exclusive."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "supplier_id": "party_supplier",
                    "customer_id": "party_customer",
                    "currency": "EUR",
                    "zone": "Europe/Berlin",
                    "starts": "2026-11-01",
                    "devices": ["cab-1", "meter-1"],
                    "charges": [
                        {"kind": "per_piece", "prices": {"drill-8": "1.20"}},
                        {"kind": "energy", "unit_price": "0.85", "devices": ["meter-1"]},
                        {"kind": "monthly_fee", "amount": "300.00"},
                    ],
                }
            ]
        },
    )

    supplier_id: Id
    customer_id: Id
    currency: Currency
    zone: Zone
    starts: Day
    ends: Day | None = None
    devices: Annotated[list[Id], Field(min_length=1, max_length=10_000)]
    charges: Annotated[list[AnyCharge], Field(min_length=1, max_length=100)]
    rounding: RoundingPolicy = RoundingPolicy()
    cycle: Cycle | None = None
    grace_days: Annotated[
        int | None, Field(ge=0, le=90, description="days after a period before it is closed by itself")
    ] = None
    sites: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    meters: Annotated[list[DeclaredMeter], Field(min_length=1, max_length=10_000)] | None = None
    estimates: EstimateTerms | None = None
    equipment: Annotated[list[Equipment], Field(min_length=1, max_length=1000)] | None = None
    event_sources: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]] | None,
        Field(max_length=100, description="CloudEvents sources whose events are counted under this agreement"),
    ] = None
    effective_at: Annotated[
        Annotated[str, AfterValidator(_instant)] | None,
        Field(description="instant on a version's first day from which it counts; the day's beginning when left out"),
    ] = None
    rerating_order: Annotated[
        str | None,
        Field(
            min_length=10, max_length=400, description="who ordered that these terms count for closed periods, and why"
        ),
    ] = None
    tax: TaxTerms | None = None
    payment: PaymentTerms | None = None
    credit: CreditTerms | None = None
    guarantees: Annotated[list[GuaranteeTerms], Field(min_length=1, max_length=20)] | None = None
    witnesses: WitnessTerms | None = None

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        if self.ends is not None and self.ends <= self.starts:
            raise ValueError(f"ends ({self.ends}) must be after starts ({self.starts})")
        if len(set(self.devices)) != len(self.devices):
            raise ValueError("devices: a device is named twice")
        for position, charge in enumerate(self.charges):
            strangers = sorted(set(charge.metered_devices()) - set(self.devices))
            if strangers:
                raise ValueError(f"charges[{position}]: {', '.join(strangers)} is not among the agreement's devices")
        strangers = sorted({meter.device for meter in self.meters or []} - set(self.devices))
        if strangers:
            raise ValueError(f"meters: {', '.join(strangers)} is not among the agreement's devices")
        for guarantee in self.guarantees or []:
            strangers = sorted(set(guarantee.metered_devices()) - set(self.devices))
            if strangers:
                raise ValueError(f"guarantee {guarantee.name}: {', '.join(strangers)} is not among the devices")
        _refuse_doubles(self.charges)
        if not is_stored(info):
            refuse_unknown_positions(self.charges)
        return self

    def canonical(self) -> bytes:
        """The terms as sorted, compact JSON with every default spelled out: what is stored and hashed."""
        return canonical_json(self.model_dump(mode="json", by_alias=True, exclude_none=True))

    def options(self) -> list[str]:
        """Every convention of these terms in words, as statements print them."""
        said = [self.rounding.in_words()]
        if self.cycle is not None:
            said.append(f"periods: {self.cycle.in_words()}, on the clock of {self.zone}")
        if self.estimates is not None:
            said.append(self.estimates.in_words())
        if self.grace_days is not None:
            said.append(f"a period is closed {self.grace_days} days after its end")
        if self.tax is not None:
            said.append(self.tax.in_words())
        said += (self.payment or USUAL).options()
        for guarantee in self.guarantees or []:
            said += [f"{guarantee.name}: {one}" for one in guarantee.options()]
        if self.witnesses is not None:
            said.append(self.witnesses.in_words())
        if self.rerating_order is not None:
            said.append(f"closed periods are rated again by order: {self.rerating_order}")
        for charge in self.charges:
            kind = charge.name or str(charge.model_dump(include={"kind"})["kind"])
            said += [f"{kind}: {one}" for one in charge.options()]
        return list(dict.fromkeys(said))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical terms, hex."""
        return hashlib.sha256(self.canonical()).hexdigest()


class Version(msgspec.Struct, frozen=True):
    """Terms that count from the local day ``first`` on (its beginning, or the instant the terms name), until the next
    version's. What is due by the day counts the whole of that day.
    """

    version: int
    first: str
    terms: AgreementTerms

    @property
    def from_ms(self) -> int:
        """The instant from which they count."""
        if self.terms.effective_at is not None:
            return int(datetime.fromisoformat(self.terms.effective_at).timestamp()) * 1000
        return midnight(date.fromisoformat(self.first), self.terms.zone)

    @property
    def ends_ms(self) -> int | None:
        """The instant at which the agreement ends; None while it is open."""
        ends = self.terms.ends
        return None if ends is None else midnight(date.fromisoformat(ends), self.terms.zone)


def canonical_json(value: object) -> bytes:
    """Sorted, compact UTF-8 JSON: the bytes that are hashed. Texts, integers, booleans, lists and objects only."""
    return msgspec.json.encode(value, order="sorted")


@lru_cache(maxsize=256)
def parse_terms(raw: bytes | str) -> AgreementTerms:
    """Terms from their stored JSON; raises AgreementError with every field that is wrong. They never change, and a
    closing asks for the same ones several times.
    """
    try:
        return AgreementTerms.model_validate_json(raw, context=STORED)
    except ValueError as error:
        raise AgreementError(str(error)) from error


def version_at(at_ms: int, versions: Sequence[Version]) -> Version | None:
    """The version whose terms count at an instant; None before the agreement starts and after it ends."""
    found = None
    for version in versions:
        if version.from_ms <= at_ms:
            found = version
    if found is None:
        return None
    ends_ms = found.ends_ms
    return None if ends_ms is not None and at_ms >= ends_ms else found


def _refuse_doubles(charges: Sequence[ChargeTerms]) -> None:
    """Nothing may be priced by two charges."""
    pieces: set[tuple[str, str]] = set()
    registers: set[tuple[str, str]] = set()
    for position, charge in enumerate(charges):
        if isinstance(charge, PieceTerms):
            priced = {(item, charge.unit) for item in charge.prices}
            if priced & pieces:
                raise ValueError(f"charges[{position}]: {min(priced & pieces)[0]} already has a price")
            pieces |= priced
        elif isinstance(charge, EnergyTerms):
            metered = [(meter.device, meter.register_) for meter in charge.devices]
            if len(set(metered)) != len(metered) or set(metered) & registers:
                raise ValueError(f"charges[{position}]: a meter's register is billed twice")
            registers |= set(metered)
