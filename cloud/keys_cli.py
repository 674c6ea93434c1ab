"""``tally-cloud keys``: the cloud's own key is followed by another or taken back; a gateway's key is revoked.

Stop the web servers before ``rotate`` and ``revoke-own``: they would go on with the key they have read.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime

from cloud import cosigner_history, keyring
from cloud.database import Store, Tx
from cloud.entropy import Entropy
from cloud.finance_cli import Commands, Run, WithStore
from cloud.fleet.change_keys import KeyRefused, revoke
from cloud.ingest import repository as logs
from cloud.keyring import KeyringError
from cloud.settings import Settings
from wire.hand_over import open_hand_over
from wire.seal import SealError, Signer, verifier

Result = dict[str, object]
Verb = Callable[[Settings, argparse.Namespace, WithStore], Result]


def add_commands(command: Commands, with_store: WithStore) -> None:
    """Adds ``keys``."""
    keys = command("keys", "The cloud's keys and gateways' keys: show, rotate, revoke-own, revoke.", _keys(with_store))
    keys.add_argument("what", choices=tuple(VERBS), help="what to do")
    keys.add_argument("--log", default="", help="revoke: the log (id or origin) whose gateway's key is taken back")
    keys.add_argument("--fingerprint", default="", help="of the key; revoke: the newest when left out")
    keys.add_argument("--since", default="", metavar="INSTANT", help="from then on not trusted: 2026-11-01T12:00Z")
    keys.add_argument("--who", default="", help="who decides")
    keys.add_argument("--reason", default="", help="why, in a sentence")


def _keys(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        try:
            return VERBS[options.what](settings, options, with_store)
        except (SealError, KeyRefused) as error:
            raise KeyringError(str(error)) from error

    return run


def _present(settings: Settings) -> Signer:
    return keyring.load_or_create(settings.state, settings.cosigner, Entropy())


def _show(settings: Settings, _: argparse.Namespace, __: WithStore) -> Result:
    keys = cosigner_history.cloud_keys(settings.state, _present(settings))
    earlier = [verifier(open_hand_over(note).old).fingerprint for note in keys.hand_overs]
    return {"cosigner": keys.cosigner, "signer": keys.signer, "fingerprint": verifier(keys.signer).fingerprint,
            "earlier": earlier, "revoked": len(keys.revocations)}  # fmt: skip


def _rotate(settings: Settings, _: argparse.Namespace, __: WithStore) -> Result:
    now_s = settings.clock().now_ms() // 1000
    new = cosigner_history.rotate(
        settings.state, settings.cosigner, Entropy().key_bytes, now_s, lambda: _present(settings)
    )
    return {"cosigner": new.cosigner_vkey, "signer": new.vkey, "fingerprint": verifier(new.vkey).fingerprint,
            "next": "start the servers; gateways learn the key by themselves; back up the state folder"}  # fmt: skip


def _revoke_own(settings: Settings, options: argparse.Namespace, with_store: WithStore) -> Result:
    since_s, signer = _instant(options.since) // 1000, _present(settings)
    reason = _said(options)
    revoked = cosigner_history.revoke(settings.state, signer, options.fingerprint, since_s=since_s, reason=reason)

    def work(tx: Tx) -> Result:
        return {"revoked": verifier(revoked).fingerprint,
                "cosigned_again": cosigner_history.cosign_again(tx, signer, revoked, since_s)}  # fmt: skip

    return with_store(settings, lambda store: store.run(work))


def _revoke(settings: Settings, options: argparse.Namespace, with_store: WithStore) -> Result:
    since_ms, reason, signer = _instant(options.since), _said(options), _present(settings)
    now_ms = settings.clock().now_ms()

    def work(tx: Tx) -> Result:
        log = logs.find_log(tx, options.log)
        if log is None:
            raise KeyRefused(f"there is no log {options.log!r}; 'tally-cloud logs list' shows them")
        done = revoke(tx, log, signer, since_ms=since_ms, who=options.who, reason=reason, now_ms=now_ms,
                      fingerprint=options.fingerprint)  # fmt: skip
        return {"log": log.origin, "fingerprint": done.fingerprint, "size": done.size, "disputed": done.disputed}

    async def run(store: Store) -> Result:
        return await store.run(work)

    return with_store(settings, run)


def _said(options: argparse.Namespace) -> str:
    who, reason = options.who.strip(), options.reason.strip()
    if not who or not reason:
        raise KeyRefused("a revocation needs --who and --reason: both are kept for ever")
    return f"{reason} ({who})"


def _instant(text: str) -> int:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z", text):
        raise KeyRefused(f"{text!r} is no instant; write --since 2026-11-01T12:00Z")
    try:
        at = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError as error:
        raise KeyRefused(f"{text!r} is no instant; write --since 2026-11-01T12:00Z") from error
    return int(at.timestamp()) * 1000


VERBS: dict[str, Verb] = {"show": _show, "rotate": _rotate, "revoke-own": _revoke_own, "revoke": _revoke}
