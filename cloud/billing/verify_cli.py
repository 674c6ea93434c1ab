"""``tally-verify``: check a statement's evidence bundle with neither network nor database.

Exit code 0: verified. 1: refused, with the line and what is wrong. 2: the command line or the file cannot be used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cloud.billing import event_proof
from cloud.billing.bundle import MAX_BYTES, Bundle, BundleError, load
from cloud.billing.verify import Trust, Verdict, verify
from cloud.billing.verify_lines import as_json, text_of
from cloud.billing.verify_logs import Finding
from wire.seal import SealError, verifier

SHOWN = 20


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _arguments(argv)
    try:
        keys = tuple(verifier(vkey).vkey for vkey in options.key)
        witnesses = tuple(verifier(vkey).vkey for vkey in options.witness)
        cosigner = "" if options.cosigner is None else verifier(options.cosigner).vkey
        with Path(options.bundle).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except SealError as error:
        return _unusable(f"a key you gave cannot be used: {error.detail}")
    except OSError as error:
        return _unusable(f"{options.bundle} cannot be read: {error.strerror}. Give the path of the bundle file.")
    if event_proof.is_event_proof(raw):
        return _event(raw, "" if options.cosigner is None else options.cosigner, as_document=options.json)
    try:
        bundle = load(raw)
    except BundleError as error:
        return _report(None, _broken(str(error)), as_document=options.json)
    verdict = verify(bundle, Trust(keys, cosigner, tuple(options.terms), witnesses))
    return _report(bundle, verdict, as_document=options.json)


def _broken(wrong: str) -> Verdict:
    return Verdict(
        findings=[Finding(0, "bundle", wrong)],
        fingerprints={},
        keys_from_bundle=True,
        cosigner_from_bundle=True,
        lines=0,
        leaves=0,
        shown=0,
    )


def _event(raw: bytes, cosigner: str, *, as_document: bool) -> int:
    """The proof of a single counted event; the cloud's key in either of its forms vouches for the statement."""
    try:
        proof = event_proof.load(raw)
    except ValueError as error:
        return _report(None, _broken(str(error)), as_document=as_document)
    wrong, refusal = event_proof.check(proof)
    if cosigner and not event_proof.is_key_of(proof, cosigner):
        wrong.append("the cloud's key is not the one you gave")
    event, head = proof.event, proof.head
    counts = f"not billed ({refusal})" if refusal else "counted"
    if as_document:
        found = {
            "verified": not wrong,
            "findings": wrong,
            "source": event.source,
            "id": event.id,
            "billed": not refusal,
        }
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    for sentence in wrong if not as_document else ():
        _say(f"refused: event {event.id} of {event.source}: {sentence}")
    if not wrong and not as_document:
        _say(f"verified: event {event.id} of {event.source}, {counts}, statement {head.number} of {head.agreement_id}")
    return 1 if wrong else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tally-verify", description="Check a statement's evidence bundle offline.")
    parser.add_argument(
        "bundle", metavar="BUNDLE", help="the evidence bundle, or the proof of one counted event, a JSON file"
    )
    parser.add_argument("--key", action="append", default=[], metavar="VKEY", help="a gateway's key, as on its label")
    parser.add_argument("--cosigner", default=None, metavar="VKEY", help="the cloud's cosigning key")
    parser.add_argument(
        "--terms",
        action="append",
        default=[],
        metavar="HASH",
        help="the hash of terms you signed, one for each version",
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY",
        help="somebody outside who must have cosigned every log of the statement",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of sentences")
    return parser.parse_args(argv)


def _unusable(sentence: str) -> int:
    sys.stderr.write(f"tally-verify: {sentence}\n")
    return 2


def _report(bundle: Bundle | None, verdict: Verdict, *, as_document: bool) -> int:
    if as_document:
        document = {
            "verified": verdict.verified,
            "findings": [as_json(finding) for finding in verdict.findings],
            "keys": verdict.fingerprints,
            "keys_from_bundle": verdict.keys_from_bundle,
            "cosigner_from_bundle": verdict.cosigner_from_bundle,
            "lines": verdict.lines,
            "leaves": verdict.leaves,
            "leaves_shown": verdict.shown,
        }
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return 0 if verdict.verified else 1
    _say_keys(verdict)
    if verdict.verified and bundle is not None:
        head = bundle.statement.head
        for terms in head.versions:
            _say(f"  terms {terms.version} from {terms.first}: {terms.terms_hash}")
        for one in bundle.signatures:
            _say(f"  terms {one.version} signed by {one.party_id} with {verifier(one.vkey).fingerprint}")
        if head.prev_hash:
            _say(f"  follows statement {head.number - 1}: {head.prev_hash}")
        _say(
            f"verified: statement {head.number} of {head.agreement_id}, {head.period.label}, "
            f"{head.total} {head.currency}; "
            f"{verdict.lines} lines from {verdict.leaves} leaves ({verdict.shown} of them shown)"
        )
        return 0
    for finding in verdict.findings[:SHOWN]:
        _say(f"refused: {text_of(finding)}")
    if len(verdict.findings) > SHOWN:
        _say(f"refused: and {len(verdict.findings) - SHOWN} more")
    return 1


def _say_keys(verdict: Verdict) -> None:
    """Whose keys were used, and which of them nobody but the bundle vouches for."""
    if verdict.keys_from_bundle and verdict.fingerprints:
        _say("No --key was given: the keys came from the bundle itself. Compare these fingerprints with the labels:")
    elif verdict.cosigner_from_bundle and verdict.fingerprints:
        _say("No --cosigner was given: the cloud's key came from the bundle itself. Compare its fingerprint:")
    for name, fingerprint in verdict.fingerprints.items():
        _say(f"  {fingerprint}  {name}")


def _say(sentence: str) -> None:
    """One line and no more, whatever a forger wrote into the bundle: nothing that moves the cursor or ends the line."""
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in sentence)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(shown.encode(encoding, "backslashreplace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main())
