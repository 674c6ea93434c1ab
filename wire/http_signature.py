"""Requests that carry no checkpoint are signed over method, path, query and body digest, with a nonce of the server.

A profile of RFC 9421 (Ed25519) that survives a balancer: nothing in it depends on the host name or the scheme, which a
proxy rewrites, nor on the gateway's clock, which may be wrong. Answers may be signed too, over status and body digest.
Components are always exactly these, in this order, so that a signature over less is never accepted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from wire.seal import Signer, Verifier

REQUEST = ("@method", "@path", "@query", "content-digest")
ANSWER = ("@status", "content-digest")
_LABEL = "tally"
_PARAMS = re.compile(
    r'\((?P<names>[^)]*)\)(?:;nonce="(?P<nonce>[A-Za-z0-9_-]{1,128})")?;keyid="(?P<keyid>[^"\\]{1,256})"\Z'
)


class SignatureError(ValueError):
    """A message's signature is missing, malformed, or does not fit."""


class Signed(msgspec.Struct, frozen=True):
    """Who claims to have signed a message, and the nonce he put in; nothing is verified yet."""

    keyid: str
    nonce: str


def content_digest(body: bytes) -> str:
    """RFC 9530 ``Content-Digest`` of a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(components: Sequence[tuple[str, str]], params: str) -> bytes:
    """RFC 9421 2.5: one line a component, then the signature's own parameters."""
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join([*lines, f'"@signature-params": {params}']).encode()


def sign_request(signer: Signer, *, method: str, path: str, query: str, body: bytes, nonce: str) -> dict[str, str]:
    """The headers to send; ``query`` is without its question mark, ``nonce`` is the server's latest."""
    digest = content_digest(body)
    params = _params(REQUEST, signer.name, nonce)
    return _headers(signer, _request(method, path, query, digest), params, digest)


def claimed(headers: Mapping[str, str]) -> Signed:
    """Whose signature a request or answer carries (names of ``headers`` in lower case); raises SignatureError."""
    match = _PARAMS.match(_field(headers, "signature-input"))
    if match is None:
        raise SignatureError("the Signature-Input header is not of the form this protocol uses")
    return Signed(match["keyid"], match["nonce"] or "")


def verify_request(
    verifier: Verifier, headers: Mapping[str, str], *, method: str, path: str, query: str, body: bytes
) -> Signed:
    """Who signed and with which nonce; raises SignatureError unless this key signed exactly this request."""
    return _verify(verifier, headers, REQUEST, _request(method, path, query, content_digest(body)))


def sign_answer(signer: Signer, *, status: int, body: bytes) -> dict[str, str]:
    """The headers that make an answer provably the cloud's."""
    digest = content_digest(body)
    return _headers(signer, _answer(status, digest), _params(ANSWER, signer.name, ""), digest)


def verify_answer(verifier: Verifier, headers: Mapping[str, str], *, status: int, body: bytes) -> None:
    """Raises SignatureError unless this key signed exactly this answer."""
    _verify(verifier, headers, ANSWER, _answer(status, content_digest(body)))


def _request(method: str, path: str, query: str, digest: str) -> list[tuple[str, str]]:
    return list(zip(REQUEST, (method.upper(), path, f"?{query}", digest), strict=True))


def _answer(status: int, digest: str) -> list[tuple[str, str]]:
    return list(zip(ANSWER, (str(status), digest), strict=True))


def _params(names: Sequence[str], keyid: str, nonce: str) -> str:
    listed = " ".join(f'"{name}"' for name in names)
    return f"({listed})" + (f';nonce="{nonce}"' if nonce else "") + f';keyid="{keyid}"'


def _headers(signer: Signer, components: Sequence[tuple[str, str]], params: str, digest: str) -> dict[str, str]:
    signature = base64.b64encode(signer.raw_sign(signature_base(components, params))).decode()
    return {
        "content-digest": digest,
        "signature-input": f"{_LABEL}={params}",
        "signature": f"{_LABEL}=:{signature}:",
    }


def _field(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name, "")
    if not value.startswith(f"{_LABEL}="):
        raise SignatureError(f"the {name} header is missing or has another label than '{_LABEL}'")
    return value.removeprefix(f"{_LABEL}=")


def _verify(
    verifier: Verifier, headers: Mapping[str, str], names: Sequence[str], components: Sequence[tuple[str, str]]
) -> Signed:
    signed = claimed(headers)
    params = _params(names, signed.keyid, signed.nonce)
    if signed.keyid != verifier.name or _field(headers, "signature-input") != params:
        raise SignatureError(f"the signature is not {verifier.name}'s over {', '.join(names)}")
    if headers.get("content-digest") != components[-1][1]:
        raise SignatureError("the Content-Digest header does not fit the body")
    text = _field(headers, "signature")
    try:
        signature = base64.b64decode(text.strip(":"), validate=True)
        verifier.check(signature_base(components, params), signature)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"the signature of {verifier.name} does not fit") from error
    return signed
