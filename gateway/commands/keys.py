"""``tally-gateway keys``: which keys this gateway has had, and a new one for the same log."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from gateway import entropy
from gateway.change_key import Stand, change_key, fingerprint
from gateway.clock import system_clock
from gateway.cloud_requests import CloudError, open_client
from gateway.commands import CommandError, Outcome
from gateway.commands.looking import PID_FILE
from gateway.config_file import load
from gateway.identity import Identity, NotEnrolledError
from gateway.identity import load as load_identity
from gateway.journal import sealing
from gateway.journal.connection import JournalRefusedError
from gateway.journal.store import Journal
from gateway.ports import NotStored
from wire.seal import verifier


def show(arguments: argparse.Namespace) -> Outcome:
    """The keys of this gateway's log, oldest first, and the cloud's."""
    who = _identity(arguments)
    own, cloud = who.own_keys(), who.cosigners()
    words = {"": "in use", "retired_key": "followed by another", "revoked_key": "revoked"}
    document = {
        "origin": who.origin,
        "keys": [
            {"fingerprint": verifier(key.vkey).fingerprint, "state": words[key.code], "size": key.size} for key in own
        ],
        "cosigner": verifier(cloud[-1].vkey).fingerprint,
    }
    lines = [
        f"{verifier(key.vkey).fingerprint}  {words[key.code]}" + (f" at size {key.size}" if key.code else "")
        for key in own
    ]
    return Outcome(document, [f"Keys of {who.origin}:", *lines, f"The cloud's key: {document['cosigner']}"])


def rotate(arguments: argparse.Namespace) -> Outcome:
    """Makes a new key; both sign that one follows the other; the cloud takes it."""
    config, who = load(Path(arguments.config)), _identity(arguments)
    state = config.gateway.state
    clock = system_clock(entropy.boot_id())

    async def work() -> Outcome:
        journal = await Journal.open(config.journal_path, boot=clock.boot, salt=entropy.salt, demo=False)
        try:
            log = await journal.change(sealing.open_log, who.origin)
            stand = Stand(log.sealed, log.frontier.root())
            client = open_client(config.cloud.url or who.cloud_url, ca=config.cloud.ca)
            async with client:
                new = await change_key(client, state, who, stand, entropy.seed, clock.wall_ms() // 1000)
        finally:
            await journal.close()
        document = {"origin": new.origin, "fingerprint": fingerprint(new), "size": stand.size}
        return Outcome(
            document,
            [
                f"The log {new.origin} goes on with a new key; the old one signs nothing beyond size {stand.size}.",
                f"Its fingerprint is {document['fingerprint']}: the operator must see the same.",
                f"The old secret is in {state}/identity.json.key-{len(new.hand_overs)}.",
                "Destroy it (shred -u) when 'tally-gateway sync status' shows that the log grows.",
            ],
        )

    if (state / PID_FILE).exists():
        raise CommandError("The gateway is running and would go on with the old key: systemctl stop tally-gateway.")
    try:
        return asyncio.run(work())
    except (CloudError, JournalRefusedError, NotStored, OSError) as error:
        raise CommandError(f"{error} Nothing is lost: run this again.") from error


def _identity(arguments: argparse.Namespace) -> Identity:
    try:
        return load_identity(load(Path(arguments.config)).gateway.state)
    except (NotEnrolledError, ValueError) as error:
        raise CommandError(str(error)) from error
