"""Requests that carry no checkpoint are signed over method, path, query and body digest, with a nonce of the server.

A profile of RFC 9421 (Ed25519) that survives a balancer: nothing in it depends on the host name or the scheme, which a
proxy rewrites, nor on the gateway's clock, which may be wrong. Answers are signed too: over status and body digest,
and, when the request asks so with ``Accept-Signature`` (RFC 9421 5.1), over the path that was asked and the asker's
nonce, so that an old answer, or one about another log, is no answer. Components are always exactly these, in this
order, so that a signature over less is never accepted.
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
BOUND_ANSWER = ("@status", "content-digest", "@path;req")
_LABEL = "tally"
_PARAMS = re.compile(
    r'\((?P<names>[^)]*)\)(?:;nonce="(?P<nonce>[A-Za-z0-9_-]{1,128})")?;keyid="(?P<keyid>[^"\\]{1,256})"\Z'
)


class SignatureError(ValueError):
    """A message's signature is missing, malformed, or does not fit."""


class NotFreshError(SignatureError):
    """An answer that is genuinely signed, but not to the question that was asked: an old one, or another's."""


class Signed(msgspec.Struct, frozen=True):
    """Who claims to have signed a message, and the nonce he put in; nothing is verified yet."""

    keyid: str
    nonce: str


def content_digest(body: bytes) -> str:
    """RFC 9530 ``Content-Digest`` of a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(components: Sequence[tuple[str, str]], params: str) -> bytes:
    """RFC 9421 2.5: one line a component, then the signature's own parameters."""
    lines = [f"{_identifier(name)}: {value}" for name, value in components]
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


def ask_bound(nonce: str) -> dict[str, str]:
    """The header of a request whose answer is to be signed together with this nonce (8 to 128 of A-Z a-z 0-9 - _)."""
    return {"accept-signature": f'{_LABEL}=({_listed(BOUND_ANSWER)});nonce="{nonce}"'}


def asked_nonce(accept_signature: str) -> str:
    """The nonce in an ``Accept-Signature`` of this profile; "" in anything else, which is answered without."""
    match = _ASKED.fullmatch(accept_signature)
    return match["nonce"] if match else ""


def sign_answer(signer: Signer, *, status: int, body: bytes, path: str = "", nonce: str = "") -> dict[str, str]:
    """The headers that make an answer provably the cloud's; with a nonce, one to the question for ``path``."""
    digest = content_digest(body)
    names, components = _answer(status, digest, path, nonce)
    return _headers(signer, components, _params(names, signer.name, nonce), digest)


def verify_answer(
    verifier: Verifier, headers: Mapping[str, str], *, status: int, body: bytes, path: str = "", nonce: str = ""
) -> None:
    """Raises SignatureError unless this key signed exactly this answer; with a nonce, NotFreshError where it did, but
    not in answer to the question that carried it. ``path`` is what was asked for.
    """
    names, components = _answer(status, content_digest(body), path, claimed(headers).nonce)
    signed = _verify(verifier, headers, names, components)
    if nonce and signed.nonce != nonce:
        raise NotFreshError(f"{verifier.name} signed this in answer to another question: an old answer is played back")


def _request(method: str, path: str, query: str, digest: str) -> list[tuple[str, str]]:
    return list(zip(REQUEST, (method.upper(), path, f"?{query}", digest), strict=True))


def _answer(status: int, digest: str, path: str, nonce: str) -> tuple[Sequence[str], list[tuple[str, str]]]:
    names = BOUND_ANSWER if nonce else ANSWER
    return names, list(zip(names, (str(status), digest, path), strict=False))


def _params(names: Sequence[str], keyid: str, nonce: str) -> str:
    return f"({_listed(names)})" + (f';nonce="{nonce}"' if nonce else "") + f';keyid="{keyid}"'


def _listed(names: Sequence[str]) -> str:
    return " ".join(_identifier(name) for name in names)


def _identifier(name: str) -> str:
    """RFC 9421 2: a component's name in quotes, its parameters behind them."""
    field, mark, flag = name.partition(";")
    return f'"{field}"{mark}{flag}'


_ASKED = re.compile(
    re.escape(f"{_LABEL}=({_listed(BOUND_ANSWER)})") + r';nonce="(?P<nonce>[A-Za-z0-9_-]{8,128})"(?:;keyid="[^"\\]*")?'
)


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
    if headers.get("content-digest") != dict(components)["content-digest"]:
        raise SignatureError("the Content-Digest header does not fit the body")
    text = _field(headers, "signature")
    try:
        signature = base64.b64decode(text.strip(":"), validate=True)
        verifier.check(signature_base(components, params), signature)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"the signature of {verifier.name} does not fit") from error
    return signed
