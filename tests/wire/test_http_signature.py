"""Signed requests: RFC 9421's own Ed25519 example, and what a proxy or an attacker may change."""

from __future__ import annotations

import base64
import hashlib
from typing import TypedDict

import pytest

from wire import http_signature as h
from wire.seal import Signer, Verifier

SIGNER = Signer("tallystick/acme/gw_1/1", bytes(range(32)))
KEY = Verifier(SIGNER.vkey)


class Request(TypedDict, total=False):
    """What of a request is signed."""

    method: str
    path: str
    query: str
    body: bytes


REQUEST: Request = {"method": "GET", "path": "/v1/logs/ab/entries", "query": "from=0&to=9", "body": b""}


def test_the_signature_base_of_rfc_9421_b_2_6_verifies_with_its_key() -> None:
    raw = bytes([1]) + base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
    components = [
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("@method", "POST"),
        ("@path", "/foo"),
        ("@authority", "example.com"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    ]
    params = (
        '("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;'
        'keyid="test-key-ed25519"'
    )
    signature = base64.b64decode(
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )

    base = h.signature_base(components, params)

    _from_raw(raw).check(base, signature)


def _from_raw(raw: bytes) -> Verifier:
    name = "rfc9421"
    digest = hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8]
    return Verifier(f"{name}+{digest}+{base64.b64encode(raw).decode()}")


def test_a_signed_request_is_understood_with_its_nonce() -> None:
    headers = h.sign_request(SIGNER, **REQUEST, nonce="n0nce")

    signed = h.verify_request(KEY, headers, **REQUEST)

    assert signed == h.Signed(SIGNER.name, "n0nce")


@pytest.mark.parametrize(
    "change", [{"method": "POST"}, {"path": "/v1/logs/cd/entries"}, {"query": "from=0&to=8"}, {"body": b"x"}]
)
def test_a_changed_request_is_refused(change: Request) -> None:
    headers = h.sign_request(SIGNER, **REQUEST, nonce="n0nce")

    with pytest.raises(h.SignatureError):
        h.verify_request(KEY, headers, **(REQUEST | change))


@pytest.mark.parametrize("name", ["content-digest", "signature-input", "signature"])
def test_a_request_with_a_header_missing_or_altered_is_refused(name: str) -> None:
    headers = h.sign_request(SIGNER, **REQUEST, nonce="n0nce")
    missing = {key: value for key, value in headers.items() if key != name}
    altered = headers | {name: headers[name].replace("A", "B").replace("n0nce", "other") + " "}

    for wrong in (missing, altered):
        with pytest.raises(h.SignatureError):
            h.verify_request(KEY, wrong, **REQUEST)


def test_a_signature_over_fewer_components_is_refused() -> None:
    params = f'("@method" "content-digest");keyid="{SIGNER.name}"'
    digest = h.content_digest(b"")
    base = h.signature_base([("@method", "GET"), ("content-digest", digest)], params)
    signature = base64.b64encode(SIGNER.raw_sign(base)).decode()
    headers = {"content-digest": digest, "signature-input": f"tally={params}", "signature": f"tally=:{signature}:"}

    with pytest.raises(h.SignatureError):
        h.verify_request(KEY, headers, **REQUEST)


def test_an_answer_is_bound_to_its_status_and_body() -> None:
    cosigner = Verifier(SIGNER.cosigner_vkey)
    headers = h.sign_answer(SIGNER, status=200, body=b"{}")

    h.verify_answer(cosigner, headers, status=200, body=b"{}")

    for status, body in ((404, b"{}"), (200, b"[]")):
        with pytest.raises(h.SignatureError):
            h.verify_answer(cosigner, headers, status=status, body=body)


def test_an_answer_is_bound_to_the_question_it_was_asked_for() -> None:
    cosigner, path, nonce = Verifier(SIGNER.cosigner_vkey), "/v1/logs/ab/head", "0123456789abcdef"
    asked = h.asked_nonce(h.ask_bound(nonce)["accept-signature"])
    headers = h.sign_answer(SIGNER, status=200, body=b"{}", path=path, nonce=asked)

    h.verify_answer(cosigner, headers, status=200, body=b"{}", path=path, nonce=nonce)

    unbound = h.sign_answer(SIGNER, status=200, body=b"{}")
    for old, other in ((headers, "fedcba9876543210"), (unbound, nonce)):
        with pytest.raises(h.NotFreshError):
            h.verify_answer(cosigner, old, status=200, body=b"{}", path=path, nonce=other)
    altered = headers | {"signature-input": headers["signature-input"].replace(nonce, "fedcba9876543210")}
    for wrong, where in ((headers, "/v1/logs/cd/head"), (altered, path)):
        with pytest.raises(h.SignatureError):
            h.verify_answer(cosigner, wrong, status=200, body=b"{}", path=where, nonce=nonce)


@pytest.mark.parametrize("asked", ["", 'tally=();nonce="x"', 'sig=("@status");nonce="0123456789"', "\x00"])
def test_who_asks_in_other_words_is_answered_without_a_nonce(asked: str) -> None:
    assert h.asked_nonce(asked) == ""
