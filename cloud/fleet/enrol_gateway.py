"""A gateway becomes known by a one-time code: 15 minutes, one use, five wrong attempts, and proof of its key.

A reply may be lost: the same code with the same key gets the same answer again while the code is fresh. A gateway that
is enrolled anew (a new card, or after a fork) gets a new log epoch, and its earlier log takes nothing more.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from cloud.database import Tx
from cloud.entropy import Entropy
from cloud.fleet import repository
from cloud.fleet.repository import CodeRow, LogRow
from wire import enrolment, ids
from wire.enrolment import PUBLIC_LETTERS, SECRET_LETTERS, Enrolled
from wire.seal import SealError, Signer, Verifier

VALID_MS = 15 * 60 * 1000
TRIES = 5


class NewCode(msgspec.Struct, frozen=True):
    """A code, readable this once, and until when it works (ms UTC)."""

    code: str
    expires_ms: int


class Refused(msgspec.Struct, frozen=True):
    """Why an enrolment was not accepted, as far as a stranger may know."""

    detail: str


UNKNOWN = Refused("This code is not valid. Ask the operator for a new one; it works once, for 15 minutes.")


def create_code(tx: Tx, entropy: Entropy, tenant: str, gateway_id: str, now_ms: int) -> NewCode:
    """A fresh code for a gateway that exists."""
    while True:
        letters = entropy.letters(PUBLIC_LETTERS + SECRET_LETTERS)
        public, secret = letters[:PUBLIC_LETTERS], letters[PUBLIC_LETTERS:]
        expires_ms = now_ms + VALID_MS
        code = CodeRow(public, gateway_id, _hash(secret), expires_ms, TRIES, None, None)
        if repository.add_code(tx, tenant, code, now_ms):
            return NewCode(enrolment.shown(letters), expires_ms)


def enrol(tx: Tx, sent: enrolment.Request, cosigner: Signer, now_ms: int) -> Enrolled | Refused:
    """What the gateway learns, or why not; a wrong attempt is counted either way."""
    letters = enrolment.normal(sent.code)
    found = repository.lock_code(tx, letters[:PUBLIC_LETTERS])
    if found is None or found[1].tries_left <= 0:
        return UNKNOWN
    tenant, code = found
    if not hmac.compare_digest(_hash(letters[PUBLIC_LETTERS:]), code.secret_hash):
        repository.spend_try(tx, tenant, code.code_id)
        return UNKNOWN
    try:
        key = enrolment.check(sent)
    except SealError as error:
        repository.spend_try(tx, tenant, code.code_id)
        return Refused(f"The proof of the key does not hold: {error.detail}.")
    if code.expires_ms <= now_ms:
        return Refused("This code is older than 15 minutes. Ask the operator for a new one.")
    if code.log_no is not None:
        return _again(tx, tenant, code.log_no, key, cosigner)
    log = _open(tx, tenant, code.gateway_id, key, now_ms)
    repository.use_code(tx, tenant, code.code_id, log.log_no, now_ms)
    return _enrolled(tenant, log, cosigner)


def _open(tx: Tx, tenant: str, gateway_id: str, key: Verifier, now_ms: int) -> LogRow:
    log_no, epoch = repository.next_log(tx, tenant, gateway_id)
    origin = ids.origin(tenant, gateway_id, epoch)
    log = LogRow(log_no, ids.log_id(origin), gateway_id, epoch, origin, enrolment.rename(key.vkey, origin))
    repository.open_log(tx, tenant, log, now_ms)
    return log


def _again(tx: Tx, tenant: str, log_no: int, key: Verifier, cosigner: Signer) -> Enrolled | Refused:
    log = repository.log(tx, tenant, log_no)
    if log is None or enrolment.rename(key.vkey, log.origin) != log.vkey:
        return Refused("This code was used already, by another key. Ask the operator for a new one.")
    return _enrolled(tenant, log, cosigner)


def _enrolled(tenant: str, log: LogRow, cosigner: Signer) -> Enrolled:
    fingerprint = Verifier(log.vkey).fingerprint
    return Enrolled(log.gateway_id, tenant, log.origin, cosigner.cosigner_vkey, fingerprint)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
