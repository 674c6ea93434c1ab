"""The offline check behind ``tally-verify``: everything on a statement is worked out again from its leaves. PURE.

The surprise: it does not compare sums, it settles the period anew, with the very functions that bill, and compares
every field of every line. A finding in the logs does not end the check, so that a tampered leaf is reported together
with the line that no longer follows from it. Neither network nor database nor clock is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.agreements.terms import AgreementTerms, Version, parse_terms
from cloud.billing.bundle import Bundle, LogEvidence
from cloud.billing.corrections import Chain, settle_with_deltas
from cloud.billing.facts import Fact, carry_index
from cloud.billing.scope import devices_of
from cloud.billing.settle import Settlement
from cloud.billing.statement import ENGINE, Head, Statement, digest, note_text, statement_id, unsigned, version_refs
from cloud.billing.verdicts import kept_by, verdicts_of
from cloud.billing.verify_agreement import check_agreement
from cloud.billing.verify_chain import check_chain, check_since
from cloud.billing.verify_events import check_events
from cloud.billing.verify_keys import among, cosigners, gateway_keys, open_statement
from cloud.billing.verify_lines import compare, openings
from cloud.billing.verify_logs import Earlier, Finding, LogReader
from cloud.billing.verify_proofs import check_proofs
from cloud.billing.verify_witness import check_witnesses
from cloud.calendar import parse_day
from wire.hand_over import Ended
from wire.ids import log_id
from wire.seal import SealError, verifier

BROKE_OFF = "the check broke off, so this is no bundle that this program made"


class Trust(msgspec.Struct, frozen=True):
    """What the checker has from elsewhere (a device's label, a register, the signed agreement): gateways' keys, the
    cosigner's, the hashes of the terms, and the witnesses without whose cosignature nothing counts.
    """

    gateways: tuple[str, ...] = ()
    cosigner: str = ""
    terms: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What came out: nothing wrong = verified. ``fingerprints``: of the keys used, by name; ``leaves``: how many were
    checked, ``shown`` of them in full.
    """

    findings: list[Finding]
    fingerprints: dict[str, str]
    keys_from_bundle: bool
    cosigner_from_bundle: bool
    lines: int
    leaves: int
    shown: int

    @property
    def verified(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def verify(bundle: Bundle, trust: Trust) -> Verdict:
    """Checks a bundle against keys from elsewhere, or (said in the verdict) against the keys it brings itself."""
    findings: list[Finding] = []
    try:
        _check(bundle, trust, findings)
    except Exception as error:  # noqa: BLE001 -- whatever a forged bundle breaks here, it is not verified
        _wrong(findings, f"{BROKE_OFF} ({type(error).__name__}: {error})", "bundle")
    return Verdict(
        findings=findings,
        fingerprints=_fingerprints([*(log.vkey for log in bundle.logs), bundle.keys.cosigner]),
        keys_from_bundle=not trust.gateways,
        cosigner_from_bundle=not trust.cosigner,
        lines=len(bundle.statement.lines),
        leaves=sum(len(log.leaves) for log in bundle.logs),
        shown=sum(isinstance(leaf, str) for log in bundle.logs for leaf in log.leaves),
    )


def _check(bundle: Bundle, trust: Trust, findings: list[Finding]) -> None:
    """All checks, each adding what it finds."""
    cloud = _check_seal(bundle, trust, findings)
    _check_hashes(bundle, findings)
    versions = _check_versions(bundle, findings)
    if not versions:
        return
    check_agreement(bundle, versions, trust.terms, findings)
    chain = check_chain(bundle.statement.head, bundle.previous, versions, findings)
    facts, readers = _check_logs(bundle, versions, cloud, trust, None if chain is None else chain.base, findings)
    findings += check_witnesses(bundle, trust.witnesses, cloud, versions[-1].terms.witnesses)
    facts += check_events(bundle, versions, findings)
    if chain is None:
        return
    settlement = _settle(bundle, versions, chain, facts, findings)
    if settlement is not None:
        _check_verdicts(bundle.statement, versions, facts, findings)
        findings += openings(chain.opening, facts)
        findings += compare(bundle.statement, settlement, [log.origin for log in bundle.statement.head.logs])
        _check_ranges(bundle.statement.head, versions, facts, readers, findings)
    findings += check_proofs(bundle)


def _wrong(findings: list[Finding], what: str, text: str = "statement") -> None:
    findings.append(Finding(0, text, what))


def _check_seal(bundle: Bundle, trust: Trust, findings: list[Finding]) -> list[Ended]:
    """The cloud's keys, and its signature over the statement; none when they cannot be used."""
    statement = bundle.statement
    try:
        keys = cosigners(bundle.keys)
        if trust.cosigner and not among(keys, [trust.cosigner]):
            _wrong(findings, "the cosigner's key is not the one you gave", "keys")
        if open_statement(statement.note, keys, statement.head.cutoff_at // 1000) != note_text(statement.head):
            _wrong(findings, "the cloud signed another statement than this one")
        if statement.note.count("\n— ") != 1:
            _wrong(findings, "a statement carries one signature")
    except (SealError, ValueError) as error:
        _wrong(findings, f"the cloud's signature: {error}")
        return []
    return keys


def _check_hashes(bundle: Bundle, findings: list[Finding]) -> None:
    statement, head = bundle.statement, bundle.statement.head
    if statement.hash != head.hash:
        _wrong(findings, "the statement's hash is not the hash of its head")
    if head.lines_hash != digest(statement.lines):
        _wrong(findings, "the lines are not those that were hashed")
    if head.verdicts_hash != digest(statement.verdicts):
        _wrong(findings, "the verdicts on guarantees are not those that were hashed")
    if head.unbilled_hash != digest(statement.unbilled):
        _wrong(findings, "the list of what was not billed is not the one that was hashed")
    if head.engine != ENGINE:
        _wrong(findings, f"it was worked out by rules {head.engine!r}; this program knows rules {ENGINE!r}")
    if head.statement_id != statement_id(head.tenant, head.agreement_id, head.number):
        _wrong(findings, "the statement's id does not follow from agreement and number")


def _check_versions(bundle: Bundle, findings: list[Finding]) -> list[Version]:
    """The terms, each hashed as the statement says; none when they cannot be used."""
    head = bundle.statement.head
    try:
        versions = [Version(one.version, one.first, parse_terms(one.terms)) for one in bundle.versions]
        if any(one.terms.encode() != version.terms.canonical() for one, version in zip(bundle.versions, versions)):  # noqa: B905
            _wrong(findings, "the terms are not in their one canonical form", "agreement")
        for version in versions:
            parse_day(version.first)
    except ValueError as error:
        _wrong(findings, str(error), "agreement")
        return []
    if not versions or version_refs(versions) != unsigned(head.versions):
        _wrong(findings, "the terms are not those that the statement names by their hash", "agreement")
    numbers = [version.version for version in versions]
    firsts = [version.first for version in versions]
    if not versions or numbers != list(range(1, len(versions) + 1)) or sorted(set(firsts)) != firsts:
        _wrong(findings, "the versions of the terms are not in order", "agreement")
        return []
    _check_parties(head, versions[0].terms, firsts[0], findings)
    return versions


def _check_parties(head: Head, terms: AgreementTerms, first: str, findings: list[Finding]) -> None:
    stated = (head.supplier_id, head.customer_id, head.currency, head.zone)
    if stated != (terms.supplier_id, terms.customer_id, terms.currency, terms.zone) or first != terms.starts:
        _wrong(findings, "parties, currency, zone or start are not those of the agreement")


def _check_logs(
    bundle: Bundle,
    versions: Sequence[Version],
    cloud: Sequence[Ended],
    trust: Trust,
    base: Head | None,
    findings: list[Finding],
) -> tuple[list[Fact], list[LogReader]]:
    head = bundle.statement.head
    devices = frozenset(devices_of(versions))
    clocks = {log.log: log.clocks for log in base.logs} if base is not None else {}
    if len(bundle.logs) != len(head.logs) or len({log.log for log in head.logs}) != len(head.logs):
        _wrong(findings, "the logs shown are not those of the statement", "logs")
    facts: list[Fact] = []
    readers: list[LogReader] = []
    gateways: dict[str, Earlier] = {}
    for position, (stated, shown) in enumerate(zip(head.logs, bundle.logs)):  # noqa: B905 -- compared above
        reader = LogReader(position, stated, shown, devices, clocks.get(stated.log, ()))
        gateway = stated.origin.rpartition("/")[0]
        if stated.origin.split("/")[:2] != ["tallystick", head.tenant] or log_id(stated.origin) != stated.log:
            reader.wrong("this is no log of the supplier")
        elif trust.gateways and not _trusted(shown, cloud, trust):
            reader.wrong("the gateway's key is not among those you gave")
        if len(stated.origin.split("/")) == 4:
            facts += reader.check(cloud, gateways.get(gateway))
            gateways[gateway] = reader.shown_so_far(gateways.get(gateway))
        findings += reader.findings
        readers.append(reader)
    return facts, readers


def _trusted(shown: LogEvidence, cloud: Sequence[Ended], trust: Trust) -> bool:
    """Whether one of the log's keys is among those the checker has from elsewhere."""
    try:
        return among(gateway_keys(shown, cloud), trust.gateways)
    except SealError:
        return False


def _settle(
    bundle: Bundle, versions: Sequence[Version], chain: Chain, facts: Sequence[Fact], findings: list[Finding]
) -> Settlement | None:
    try:
        check_since(chain, versions, facts, findings)
        return settle_with_deltas(bundle.statement.head.period, versions, chain, facts)
    except (ValueError, ArithmeticError, LookupError) as error:
        _wrong(findings, f"the statement cannot be worked out from its leaves ({error})")
        return None


def _check_verdicts(
    statement: Statement, versions: Sequence[Version], facts: Sequence[Fact], findings: list[Finding]
) -> None:
    """Guarantees are judged again from the windows; time that was agreed not to count is taken as stated."""
    agreed = {one.name: one.agreed for one in statement.verdicts}
    due = verdicts_of(versions, statement.head.period, facts, agreed)
    for said, follows in zip(statement.verdicts, due, strict=False):
        if said != follows:
            wrong = f"the windows give {follows.share} % ({follows.outcome}), not {said.share} % ({said.outcome})"
            findings.append(Finding(0, f"guarantee {said.name}", wrong))
    if len(statement.verdicts) != len(due):
        _wrong(findings, "a verdict on a guarantee is missing or superfluous")


def _check_ranges(
    head: Head,
    versions: Sequence[Version],
    facts: Sequence[Fact],
    readers: Sequence[LogReader],
    findings: list[Finding],
) -> None:
    """What the next statement will build on: where it begins, the counters there, and the clocks of the boots."""
    kept = kept_by(versions, facts, head.period)
    for position, (stated, reader) in enumerate(zip(head.logs, readers)):  # noqa: B905 -- compared when they were read
        follows = reader.builds_on() == (stated.counters, stated.clocks)
        inside = [fact for fact in facts if fact.leaf.index >= stated.from_]
        carry = carry_index(inside, position, stated.to, head.period.to_ms, kept)
        if carry != stated.carry or not follows:
            _wrong(findings, "carry, counters or clocks do not follow from the leaves", f"log {stated.origin}")


def _fingerprints(vkeys: Sequence[str]) -> dict[str, str]:
    found = {}
    for vkey in vkeys:
        try:
            key = verifier(vkey)
        except SealError:
            continue
        found[key.name] = key.fingerprint
    return found
