"""Bundles under attack: every single change of one, by a stranger and by the supplier who signs again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from cloud.billing.bundle import Bundle, BundleError, dump, load
from cloud.billing.statement import digest, note_text
from cloud.billing.verify import BROKE_OFF, Trust, verify
from tests.cloud.billing.forgeries import forgeries
from wire.seal import Signer

Recorder = Callable[[str, object], None]
UNPROVABLE = {"cutoff_at", "tzdata", "lines_hash", "unbilled_hash"}  # the last two are made to fit again


class Sample(Protocol):
    """A bundle, and the key of the cloud that made it."""

    raw: bytes
    signer: Signer


def unnoticed(raw: bytes) -> str:
    """Empty when the change was noticed in an orderly way, else what happened."""
    try:
        found = verify(load(raw), Trust())
    except BundleError:
        return ""
    broke = [one.wrong for one in found.findings if one.wrong.startswith(BROKE_OFF)]
    return "verified" if found.verified else "".join(broke)


def changed(sample: Sample, every: int = 1) -> tuple[int, list[str]]:
    """How many single changes (each ``every``-th of them) were tried, and those that nobody noticed."""
    tried, missed = 0, []
    for what, forged in itertools.islice(forgeries(json.loads(sample.raw)), 0, None, every):
        tried += 1
        how = unnoticed(json.dumps(forged, ensure_ascii=False).encode())
        if how:
            missed.append(f"{what}: {how}")
    return tried, missed


def changed_and_signed(sample: Sample) -> tuple[int, set[str]]:
    """The same of the statement, signed again by the cloud: its hashes can be made to fit; the leaves cannot."""
    document = json.loads(sample.raw)
    tried, missed = 0, set()
    for part in ("head", "lines", "unbilled"):
        for what, forged in forgeries(document["statement"][part]):
            try:
                raw = signed_again(sample, {**document, "statement": {**document["statement"], part: forged}})
            except msgspec.ValidationError:
                continue
            tried += 1
            if unnoticed(raw):
                missed.add(what)
    return tried, missed


def signed_again(sample: Sample, document: dict[str, Any]) -> bytes:
    """The bundle of a document, its hashes and the cloud's signature made anew."""
    bundle = msgspec.convert(document, Bundle)
    statement = bundle.statement
    lines, unbilled = digest(statement.lines), digest(statement.unbilled)
    head = msgspec.structs.replace(statement.head, lines_hash=lines, unbilled_hash=unbilled)
    made = msgspec.structs.replace(statement, head=head, hash=head.hash, note=sample.signer.sign_text(note_text(head)))
    return dump(msgspec.structs.replace(bundle, statement=made))
