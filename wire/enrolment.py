"""How a gateway becomes known: a one-time code read out to it, its new public key, and proof that it holds the key.

The code is ``XXXXX-XXXXX-XXXXX-XXXXX-XXXXX`` in Crockford's base 32: a public part that finds it (5 letters) and a
secret (20 letters, 100 bits). A gateway does not know its name before it is enrolled, so it sends its key under any
name; the key gets the log's origin as its name afterwards (``rename``), and both sides compute that alike.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from wire.seal import SealError, Signer, Verifier

PUBLIC_LETTERS = 5
SECRET_LETTERS = 20
_SAME = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


class Request(msgspec.Struct, frozen=True):
    """What a gateway sends to ``POST /v1/enrolments``."""

    code: str
    vkey: str
    proof: str


class Enrolled(msgspec.Struct, frozen=True):
    """What it learns: its names, its log's origin, the key that the cloud cosigns and signs answers with.

    ``fingerprint`` is that of the gateway's own key: the operator compares it with what the gateway shows.
    """

    gateway_id: str
    tenant_id: str
    origin: str
    cosigner_vkey: str
    fingerprint: str


def normal(code: str) -> str:
    """The code without dashes, in lower case, with the letters that Crockford's alphabet has for look-alikes."""
    return code.strip().lower().translate(_SAME)


def shown(letters: str) -> str:
    """The code as people read it out: upper case, groups of five."""
    upper = letters.upper()
    return "-".join(upper[at : at + 5] for at in range(0, len(upper), 5))


def request(signer: Signer, code: str) -> Request:
    """The request of a gateway that holds ``signer``'s private key."""
    proof = base64.b64encode(signer.raw_sign(_message(code, signer.vkey))).decode()
    return Request(shown(normal(code)), signer.vkey, proof)


def check(sent: Request) -> Verifier:
    """The key of a request whose sender provably holds it; raises SealError."""
    key = Verifier(sent.vkey)
    try:
        proof = base64.b64decode(sent.proof, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealError("bad_signature", "the proof is not base64") from error
    key.check(_message(sent.code, sent.vkey), proof)
    return key


def rename(vkey: str, name: str) -> str:
    """The same public key under another name (its hash covers the name)."""
    raw = base64.b64decode(vkey.split("+", 2)[2])
    digest = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    return f"{name}+{digest.hex()}+{base64.b64encode(raw).decode()}"


def _message(code: str, vkey: str) -> bytes:
    return f"tallystick enrolment v1\n{normal(code)}\n{vkey}\n".encode()
