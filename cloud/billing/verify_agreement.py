"""The signatures of both sides under the terms of a bundle, against what the checker holds. PURE.

The surprise: a signature proves only that somebody with that key signed. Whose key it is, the checker must know; so its
fingerprint is said, and a hash that the checker signed himself can be given and is then the only one that counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.agreements.signatures import shown, signed_text
from cloud.agreements.terms import Version
from cloud.billing.bundle import Bundle
from cloud.billing.verify_logs import Finding
from wire.seal import SealError, open_text, verifier


def check_agreement(
    bundle: Bundle, versions: Sequence[Version], hashes: Sequence[str], findings: list[Finding]
) -> None:
    """Every signature shown is over the terms shown; with ``hashes`` every version is one that the checker signed."""

    def wrong(what: str) -> None:
        findings.append(Finding(0, "agreement", what))

    by_number = {version.version: version for version in versions}
    seen: set[tuple[int, str]] = set()
    for one in bundle.signatures:
        version = by_number.get(one.version)
        if version is None or one.party_id not in (version.terms.supplier_id, version.terms.customer_id):
            wrong(f"a signature of {one.party_id} under version {one.version} is of no party or version shown")
            continue
        if (one.version, one.party_id) in seen:
            wrong(f"{one.party_id} signs version {one.version} twice")
        seen.add((one.version, one.party_id))
        try:
            key = verifier(one.vkey)
            text = signed_text(bundle.statement.head.agreement_id, one.version, version.terms.hash)
            if open_text(one.note, key) != text or one != shown(one) or one.note.count("\n— ") != 1:
                wrong(f"{one.party_id} signed other terms than version {one.version} shown here")
        except SealError as error:
            wrong(f"the signature of {one.party_id} under version {one.version}: {error.detail}")
    for ref in bundle.statement.head.versions:
        due = sorted(party for number, party in seen if number == ref.version)
        for party in sorted(set(ref.signed_by) - set(due)):
            wrong(f"the signature of {party} under version {ref.version} was left out")
        if ref.signed_by != due and set(ref.signed_by) <= set(due):
            wrong(f"the statement does not name who signed version {ref.version} as the signatures do")
    places = [(one.version, one.party_id) for one in bundle.signatures]
    if places != sorted(places):
        wrong("the signatures are not in the order of versions and parties")
    for version in versions:
        if hashes and version.terms.hash not in hashes:
            wrong(f"version {version.version} of the terms is not among those you gave: {version.terms.hash}")
