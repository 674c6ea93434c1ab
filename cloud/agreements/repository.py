"""The agreements' SQL: versions of terms, and which agreement a device is under."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.agreements.signatures import AgreementSignature
from cloud.agreements.terms import AgreementTerms, Version, parse_terms
from cloud.database import Tx


class Agreement(msgspec.Struct, frozen=True):
    """An agreement with all versions of its terms, in order."""

    agreement_id: str
    versions: list[Version]

    @property
    def terms(self) -> AgreementTerms:
        """The newest terms."""
        return self.versions[-1].terms

    def on(self, day: str) -> AgreementTerms:
        """The terms that count on a local day: the newest that begin by then, whatever was concluded for later."""
        return next((one.terms for one in reversed(self.versions) if one.first <= day), self.versions[0].terms)


def add(tx: Tx, tenant: str, agreement_id: str, terms: AgreementTerms, now_ms: int) -> None:
    """A new agreement, without versions yet."""
    columns = ("tenant_id", "agreement_id", "supplier_id", "customer_id", "currency", "zone", "created_ms")
    row = (tenant, agreement_id, terms.supplier_id, terms.customer_id, terms.currency, terms.zone, now_ms)
    tx.insert("agreements", columns, [row])


def add_version(tx: Tx, tenant: str, agreement_id: str, version: Version, now_ms: int) -> None:
    """A version of the terms; the devices count as the agreement's from its first day on."""
    terms = version.terms
    row = (
        tenant, agreement_id, version.version, version.first, terms.canonical().decode(), terms.hash, now_ms,
    )  # fmt: skip
    columns = ("tenant_id", "agreement_id", "version", "first", "terms", "terms_hash", "created_ms")
    tx.insert("agreement_versions", columns, [row])
    tx.insert(
        "agreement_devices",
        ("tenant_id", "device_id", "agreement_id", "first", "ends"),
        [(tenant, device, agreement_id, version.first, terms.ends or "") for device in sorted(terms.devices)],
        "ON CONFLICT (tenant_id, device_id, agreement_id) DO UPDATE SET ends = excluded.ends",
    )


def find(tx: Tx, tenant: str, agreement_id: str, *, lock: bool = False) -> Agreement | None:
    """The agreement with its versions, or None; ``lock`` keeps other closings of it waiting."""
    sql = "SELECT agreement_id FROM agreements WHERE tenant_id = ? AND agreement_id = ?"
    if tx.one(sql + (" FOR UPDATE" if lock else ""), (tenant, agreement_id)) is None:
        return None
    rows = tx.all(
        "SELECT version, first, terms FROM agreement_versions "
        "WHERE tenant_id = ? AND agreement_id = ? ORDER BY version",
        (tenant, agreement_id),
    )
    return Agreement(agreement_id, [Version(version, first, parse_terms(terms)) for version, first, terms in rows])


def lock(tx: Tx, tenant: str, agreement_ids: Sequence[str]) -> None:
    """Keeps other closings of these agreements waiting, always in the same order."""
    marks = ", ".join("?" * len(agreement_ids))
    tx.all(
        f"SELECT agreement_id FROM agreements WHERE tenant_id = ? AND agreement_id IN ({marks}) "  # noqa: S608 -- marks
        "ORDER BY agreement_id FOR UPDATE",
        (tenant, *agreement_ids),
    )


def newest_terms(tx: Tx, tenant: str, owner: tuple[str, str, str]) -> AgreementTerms | None:
    """The newest terms with a credit section between a supplier and a customer in a currency."""
    rows = tx.all(
        "SELECT agreement_id FROM agreements WHERE tenant_id = ? AND supplier_id = ? AND customer_id = ? "
        "AND currency = ? ORDER BY created_ms DESC, agreement_id",
        (tenant, *owner),
    )
    for (agreement_id,) in rows:
        found = find(tx, tenant, agreement_id)
        if found is not None and found.terms.credit is not None:
            return found.terms
    return None


def page(tx: Tx, tenant: str, after: str, limit: int) -> list[Agreement]:
    """Agreements by id; ``after`` is the last id seen."""
    rows = tx.all(
        "SELECT agreement_id FROM agreements WHERE tenant_id = ? AND agreement_id > ? ORDER BY agreement_id LIMIT ?",
        (tenant, after, limit),
    )
    found = (find(tx, tenant, agreement_id) for (agreement_id,) in rows)
    return [agreement for agreement in found if agreement is not None]


def ids(tx: Tx, tenant: str) -> list[str]:
    """Every agreement's id, in order."""
    rows = tx.all("SELECT agreement_id FROM agreements WHERE tenant_id = ? ORDER BY agreement_id", (tenant,))
    return [str(row[0]) for row in rows]


def overlapping(
    tx: Tx, tenant: str, agreement_id: str, devices: Sequence[str], *, first: str, ends: str
) -> list[tuple[str, str]]:
    """(device, other agreement) for devices that another agreement covers in ``[first, ends)`` ("" = open)."""
    return [
        (device, other)
        for device, other in tx.all(
            "SELECT a.device_id, a.agreement_id FROM GIVEN(device_id text) AS g JOIN agreement_devices a "
            "ON a.tenant_id = ? AND a.device_id = g.device_id WHERE a.agreement_id <> ? "
            "AND (a.ends = '' OR a.ends > ?) AND (? = '' OR a.first < ?) ORDER BY a.device_id, a.agreement_id",
            ([[device] for device in devices], tenant, agreement_id, first, ends, ends),
        )
    ]


def missing(tx: Tx, tenant: str, table: str, column: str, ids: Sequence[str]) -> list[str]:
    """Those of these ids that a table of parties, items or devices does not know."""
    wanted = sorted(set(ids))
    rows = tx.all(
        f"SELECT t.{column} FROM GIVEN(id text) AS g JOIN {table} t ON t.tenant_id = ? AND t.{column} = g.id",  # noqa: S608 -- names come from our own code
        ([[one] for one in wanted], tenant),
    )
    known = {row[0] for row in rows}
    return [one for one in wanted if one not in known]


def add_signature(tx: Tx, tenant: str, agreement_id: str, made: AgreementSignature) -> None:
    """Keeps a party's signature."""
    columns = (
        "tenant_id", "agreement_id", "version", "party_id", "vkey", "fingerprint", "note", "signed_ms",
    )  # fmt: skip
    row = (tenant, agreement_id, made.version, made.party_id, made.vkey, made.fingerprint, made.note, made.signed_ms)
    tx.insert("agreement_signatures", columns, [row])


def signatures(tx: Tx, tenant: str, agreement_id: str) -> list[AgreementSignature]:
    """All signatures under an agreement, by version and party."""
    rows = tx.all(
        "SELECT version, party_id, vkey, fingerprint, note, signed_ms FROM agreement_signatures "
        "WHERE tenant_id = ? AND agreement_id = ? ORDER BY version, party_id",
        (tenant, agreement_id),
    )
    return [
        AgreementSignature(
            version=version, party_id=party_id, vkey=vkey, fingerprint=fingerprint, note=note, signed_ms=signed_ms
        )
        for version, party_id, vkey, fingerprint, note, signed_ms in rows
    ]


def signed_by(tx: Tx, tenant: str, agreement_id: str, until_ms: int) -> list[tuple[int, str]]:
    """(version, party) of the signatures that were there at an instant."""
    found = signatures(tx, tenant, agreement_id)
    return [(one.version, one.party_id) for one in found if one.signed_ms <= until_ms]
