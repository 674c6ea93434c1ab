"""``tally-cloud check`` walks over everything that must hold; ``tally-cloud release`` keeps a person's decision."""

from __future__ import annotations

import argparse

from cloud import keyring
from cloud.cosigner_history import cloud_keys
from cloud.database import Store, Tx
from cloud.entropy import Entropy
from cloud.finance_cli import Commands, Run, WithStore
from cloud.ingest import repository as logs
from cloud.invariants import repository
from cloud.invariants.broken import KINDS
from cloud.invariants.walk import walk
from cloud.settings import Settings

Result = dict[str, object]


class NotHeld(OSError):
    """There is nothing to release."""


def add_commands(command: Commands, with_store: WithStore) -> None:
    """Adds ``check`` and ``release``."""
    check = command(
        "check", "Read every log, balance and statement again; what breaks puts its log on hold.", _check(with_store)
    )
    check.add_argument("tenant", nargs="?", default="", help="the tenant's id; all when left out")
    check.add_argument("--quick", action="store_true", help="without settling every statement anew")
    release = command("release", "Bill a log on hold again, by a named decision that is kept.", _release(with_store))
    release.add_argument("log", help="the log's id (hex) or origin")
    release.add_argument("kind", choices=sorted(KINDS), help="which invariant")
    release.add_argument("--who", required=True, help="who decides")
    release.add_argument("--reason", required=True, help="why, in a sentence")


def _check(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        cosigner = keyring.load_or_create(settings.state, settings.cosigner, Entropy())
        keys, now_ms = cloud_keys(settings.state, cosigner), settings.clock().now_ms()

        async def work(store: Store) -> Result:
            walked = await walk(store, now_ms, keys, tenant=options.tenant, deep=not options.quick)
            held = await store.read(lambda tx: repository.count_open(tx, options.tenant))
            broken = [
                {
                    "tenant": tenant,
                    "log_no": one.log_no,
                    "kind": one.kind,
                    "what": KINDS[one.kind],
                    "detail": one.detail,
                }
                for tenant, one in walked.broken
            ]
            looked = {"logs": walked.logs, "leaves": walked.leaves, "statements": walked.statements}
            return {**looked, "broken": broken, "open_holds": held, "fine": not broken and not held}

        return with_store(settings, work)

    return run


def _release(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        now_ms = settings.clock().now_ms()

        def work(tx: Tx) -> Result:
            log = logs.find_log(tx, options.log)
            if log is None:
                raise NotHeld(f"there is no log {options.log}; 'tally-cloud logs list' shows them")
            who, reason = options.who.strip(), options.reason.strip()
            if not who or not reason:
                raise NotHeld("a release needs a name and a reason: they are kept for ever")
            if not repository.release(tx, log.place, options.kind, who=who, reason=reason, now_ms=now_ms):
                raise NotHeld(f"the log {log.origin} is not on hold for {options.kind}")
            return {"released": log.origin, "kind": options.kind, "by": who}

        return with_store(settings, lambda store: store.run(work))

    return run
