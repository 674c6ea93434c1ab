"""The evidence bundle: one JSON file with which a statement can be checked by anybody, offline. PURE.

The surprise is how little is accepted: unknown fields, wrong types, double keys, floats, deep or huge documents are all
refused with a sentence, because what a checker skips is where a forger writes. Described in docs/api/bundle.md.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NoReturn

import msgspec

from cloud.agreements.signatures import AgreementSignature
from cloud.billing.statement import Head, Statement
from cloud.rating.events import CountedEvent
from wire.canonical import MAX_INTEGER

FORMAT: Literal["tallystick/bundle/1"] = "tallystick/bundle/1"
MAX_BYTES = 256 * 1024 * 1024


class BundleError(ValueError):
    """The file is no evidence bundle; the message says where it stops being one."""


class Hidden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leaf that does not concern this customer: only its hash (hex) is shown."""

    hash: str


class Outside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leaf before the range, with its inclusion path (hex) to the root at the range's end."""

    index: int
    leaf: str
    path: list[str]


class Witnessed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint at or behind the range's end that somebody outside cosigned too: the note with the gateway's
    signature and the witness's cosignature, and the consistency proof (hex) from the range's end to it.
    """

    note: str
    path: list[str]


class LogEvidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The evidence of one log, in the order of the statement's ``logs``.

    ``vkey``: the gateway's key. ``frontier``: peaks (hex) at ``from``. ``leaves``: every leaf of the range, its exact
    text or its hash. ``notes``: the cosigned checkpoints at the sizes that the statement names, the last one at ``to``.
    ``witnessed``: what outside witnesses cosigned, where there are any. ``hand_overs``, ``revocations``:
    of the gateway's keys, where ``vkey`` was not its only one.
    """

    origin: str
    vkey: str
    frontier: list[str]
    leaves: list[str | Hidden]
    notes: list[str]
    outside: list[Outside]
    witnessed: list[Witnessed] = []
    hand_overs: list[str] = []
    revocations: list[str] = []


class LineProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A C2SP tlog-proof of one leaf of one line, for tools that check single leaves."""

    line: int
    log: int
    index: int
    proof: str


class TermsVersion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of the agreement's terms, as text: the very bytes that are hashed."""

    version: int
    first: str
    terms: str


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The cloud's newest key in its two forms: ``cosigner`` cosigns checkpoints, ``signer`` signs statements.

    ``hand_overs``: the notes that lead from its first key to this one; ``revocations``: of earlier ones. Left out where
    there is one key.
    """

    cosigner: str
    signer: str
    hand_overs: list[str] = []
    revocations: list[str] = []


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is needed to work a statement out again."""

    format: Literal["tallystick/bundle/1"]
    keys: Keys
    statement: Statement
    previous: list[Head]
    versions: list[TermsVersion]
    logs: list[LogEvidence]
    proofs: list[LineProof]
    events: list[CountedEvent]
    signatures: list[AgreementSignature]


def dump(bundle: Bundle) -> bytes:
    """The bundle as JSON, keys sorted."""
    return msgspec.json.encode(bundle, order="sorted")


def load(raw: bytes) -> Bundle:
    """The bundle in a file; raises BundleError."""
    if len(raw) > MAX_BYTES:
        raise BundleError(f"the file has {len(raw)} bytes; a bundle has at most {MAX_BYTES}")
    try:
        # Typed first: rubbish of many small pieces, which would fill the memory as a tree, ends at its first piece.
        bundle = msgspec.json.decode(raw, type=Bundle)
        json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_check_object,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_check_integer,
        )
    except BundleError:
        raise
    except RecursionError as error:
        raise BundleError("the file is nested too deep") from error
    except ValueError as error:
        raise BundleError(f"the file is not a bundle: {error}") from error
    return bundle


def _check_object(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise BundleError(f"the field {name!r} is written twice")
        seen.add(name)


def _no_float(text: str) -> NoReturn:
    raise BundleError(f"{text[:40]} is not an integer; a bundle has no other numbers")


def _check_integer(text: str) -> None:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise BundleError(f"{text[:40]} is too large a number")
    if text == "-0":
        raise BundleError("-0 is not a number of a bundle")
