"""A party's signature under a version of an agreement, and the text it is over. PURE."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.agreements.terms import AgreementTerms

FORMAT = "tallystick/agreement/1"


class AgreementSignature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who signed which version with which key; ``note`` is the signed note (C2SP) over ``signed_text``."""

    version: int
    party_id: str
    vkey: str
    note: str
    fingerprint: str = ""
    signed_ms: int = 0


def signed_text(agreement_id: str, version: int, terms_hash: str) -> str:
    """What both sides sign: format, agreement and version, the hash of the whole terms, each on its line."""
    return f"{FORMAT}\n{agreement_id} {version}\n{terms_hash}\n"


def shown(one: AgreementSignature) -> AgreementSignature:
    """As a bundle shows it: only what the signature itself proves."""
    return msgspec.structs.replace(one, fingerprint="", signed_ms=0)


def is_countersigned(terms: AgreementTerms, version: int, signatures: Sequence[AgreementSignature]) -> bool:
    """Whether supplier and customer have both signed a version."""
    signed = {one.party_id for one in signatures if one.version == version}
    return {terms.supplier_id, terms.customer_id} <= signed
