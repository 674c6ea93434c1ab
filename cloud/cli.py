"""``tally-cloud``: serve, migrate, doctor, create-tenant, create-key, backup-mark, price, openapi.

Exit codes: 0 fine, 1 failed, 2 wrong usage. ``--json`` gives exactly one document on standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvicorn
from fastapi import FastAPI

from cloud import checks_cli, keyring, keys_cli, logs_cli, migrations
from cloud.api import description, keys, repository
from cloud.app import create_cloud, dismiss
from cloud.database import DatabaseAwayError, Store, Tx
from cloud.entropy import Entropy
from cloud.finance_cli import add_commands
from cloud.fleet.repository import mark_backup
from cloud.keyring import KeyringError
from cloud.migrations import MigrationError
from cloud.open_store import AddressError, open_store
from cloud.payments.bank_entry import BankFileError
from cloud.rating.price_cases import price_cases
from cloud.settings import Settings, SettingsError, from_environment

FINE, FAILED, USAGE = 0, 1, 2
Result = dict[str, object]


class CommandError(Exception):
    """The command cannot be done; the message says what to do instead."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = from_environment(os.environ)
        result: Result = options.run(settings, options)
    except (SettingsError, AddressError) as error:
        return _fail(options, str(error), USAGE)
    except (CommandError, DatabaseAwayError, MigrationError, KeyringError, BankFileError, OSError) as error:
        return _fail(options, str(error), FAILED)
    _print(options, result)
    return FINE if result.get("fine", True) else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tally-cloud", description="The cloud of Tallystick. Settings: TALLY_* variables.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, text: str, run: Callable[[Settings, argparse.Namespace], Result]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--json", action="store_true", help="one JSON document on standard output")
        made.set_defaults(run=run)
        return made

    serve = command("serve", "Run the web server until it is told to stop.", _serve)
    serve.add_argument("--listen", metavar="ADDRESS:PORT", help="instead of TALLY_LISTEN")
    command("migrate", "Bring the database to this program's schema.", _migrate)
    command("doctor", "Check settings, key and database; each line says what it means.", _doctor)
    tenant = command("create-tenant", "Add a tenant and its first API key.", _create_tenant)
    tenant.add_argument("name", help="what people call it")
    tenant.add_argument("--id", default="", help="its id in origins and URLs; made up when left out")
    key = command("create-key", "Add an API key to a tenant. It is shown once.", _create_key)
    key.add_argument("tenant", help="the tenant's id")
    key.add_argument("--name", default="command line", help="what the key is for")
    key.add_argument("--scope", action="append", choices=keys.SCOPES, help="repeatable; all when left out")
    key.add_argument("--customer", default="", help="for a customer's people: his party id; pages with his rows alone")
    key.add_argument("--days", type=int, default=0, help="how long it is valid; 0: until it is revoked")
    mark = command(
        "backup-mark", "Tell gateways how far backups reach: 'begin' before, 'done' after one.", _backup_mark
    )
    mark.add_argument("moment", choices=("begin", "done"), help="before the backup starts, or after it is safe")
    price = command("price", "Price a case (docs/api/rating.md): terms, usage and period become lines.", _price)
    price.add_argument("case", metavar="CASE.json", help="a case or a list of cases; - reads standard input")
    add_commands(command, _with_store)
    logs_cli.add_commands(command, _with_store)
    checks_cli.add_commands(command, _with_store)
    keys_cli.add_commands(command, _with_store)
    openapi = command("openapi", "Write the API's description.", _openapi)
    openapi.add_argument("--out", type=Path, help="a file instead of standard output")
    return parser


# How long a thread may compute while another waits for the interpreter. A writer lets go of it for every statement:
# with Python's usual 5 ms each of them could wait that long for the loop or the door, and the disk with it.
TURN_SECONDS = 0.0002


class _Server(uvicorn.Server):
    """Sends those away who wait for news, before it waits for them to go."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends all connections and then the application."""
        dismiss(cast("FastAPI", self.config.app))
        await super().shutdown(sockets)


def _serve(settings: Settings, options: argparse.Namespace) -> Result:
    if options.listen:
        settings = Settings.model_validate(settings.model_dump() | {"listen": options.listen})
    store = open_store(settings.database_address, connections=settings.connections)
    app = create_cloud(settings, settings.clock(), Entropy(), store)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level="info", access_log=False, timeout_graceful_shutdown=2
    )
    server = _Server(config)
    _settle_memory()
    sys.setswitchinterval(TURN_SECONDS)
    # The server ends politely and then raises the signal once more for whoever stood behind it: nobody does.
    for polite in (signal.SIGINT, signal.SIGTERM):
        signal.signal(polite, lambda *_: None)
    print(f"tally-cloud listens on http://{settings.listen}", file=sys.stderr)
    server.run()
    asyncio.run(store.close())
    if not server.started:
        raise CommandError(f"{settings.listen} cannot be listened on: see the lines above.")
    return {"stopped": True}


def _settle_memory() -> None:
    """What was built so far lives as long as the process: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _migrate(settings: Settings, _: argparse.Namespace) -> Result:
    async def work(store: Store) -> Result:
        return {"applied": await migrations.migrate(store, settings.clock().now_ms())}

    return _with_store(settings, work)


def _create_tenant(settings: Settings, options: argparse.Namespace) -> Result:
    entropy = Entropy()
    tenant = options.id or entropy.new_id("tn")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", tenant):
        raise CommandError(f"{tenant!r}: an id has up to 64 letters, digits, '.', '_' or '-', a letter or digit first")
    now_ms = settings.clock().now_ms()

    def add(tx: Tx) -> Result:
        if repository.tenant_exists(tx, tenant):
            raise CommandError(f"there is a tenant {tenant} already; use create-key to get a key of it")
        repository.add_tenant(tx, tenant, options.name, now_ms)
        key = keys.create(tx, entropy, tenant, name="first key", scopes=keys.SCOPES, now_ms=now_ms)
        return {"tenant_id": tenant, "key": key}

    return _with_store(settings, lambda store: _migrated(store, add, now_ms))


def _create_key(settings: Settings, options: argparse.Namespace) -> Result:
    now_ms = settings.clock().now_ms()
    expires_ms = now_ms + options.days * 86_400_000 if options.days else None
    customer = (f"customer:{options.customer}",) if options.customer else ()
    scopes = customer or tuple(options.scope or keys.SCOPES)

    def add(tx: Tx) -> Result:
        if not repository.tenant_exists(tx, options.tenant):
            raise CommandError(f"there is no tenant {options.tenant}; use create-tenant first")
        key = keys.create(
            tx, Entropy(), options.tenant, name=options.name, scopes=scopes, now_ms=now_ms, expires_ms=expires_ms
        )
        return {"tenant_id": options.tenant, "key": key}

    return _with_store(settings, lambda store: _migrated(store, add, now_ms))


def _backup_mark(settings: Settings, options: argparse.Namespace) -> Result:
    done = options.moment == "done"
    return _with_store(settings, lambda store: store.run(lambda tx: {"logs": mark_backup(tx, done=done)}))


def _openapi(settings: Settings, options: argparse.Namespace) -> Result:
    with tempfile.TemporaryDirectory() as nowhere:
        empty = Settings(state=Path(nowhere))
        store = open_store(empty.database_address)
        document = description.describe(create_cloud(empty, settings.clock(), Entropy(), store))
    text = msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2).decode() + "\n"
    if options.out is None:
        options.json, options.verbatim = True, text
        return {}
    options.out.write_text(text, encoding="utf-8")
    return {"written": str(options.out)}


def _price(_: Settings, options: argparse.Namespace) -> Result:
    try:
        raw = sys.stdin.buffer.read() if options.case == "-" else Path(options.case).read_bytes()
    except OSError as error:
        raise CommandError(f"{options.case} cannot be read: {error.strerror}") from error
    answer = price_cases(raw)
    options.json, options.verbatim = True, msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"
    failed = [one for one in (answer if isinstance(answer, list) else [answer]) if "error" in one]
    return {"fine": not failed}


def _doctor(settings: Settings, _: argparse.Namespace) -> Result:
    checks: list[Result] = []

    def check(name: str, look: Callable[[], str], remedy: str) -> None:
        try:
            checks.append({"check": name, "fine": True, "found": look()})
        except (CommandError, DatabaseAwayError, MigrationError, KeyringError, AddressError, OSError) as error:
            checks.append({"check": name, "fine": False, "found": str(error), "remedy": remedy})

    check("settings", lambda: f"listen {settings.listen}, state {settings.state}", "")
    check("key", lambda: _cosigner(settings), "start the cloud once, or restore the state folder from the backup")
    check("database", lambda: _answers(settings), "check TALLY_DATABASE, and that the server runs and lets you in")
    check("schema", lambda: _schema(settings), "run 'tally-cloud migrate'")
    return {"fine": all(one["fine"] for one in checks), "checks": checks}


def _cosigner(settings: Settings) -> str:
    if not (settings.state / keyring.FILE).exists():
        raise CommandError(f"there is no key in {settings.state} yet")
    return keyring.load_or_create(settings.state, settings.cosigner, Entropy()).cosigner_vkey


def _answers(settings: Settings) -> str:
    _with_store(settings, lambda store: store.run(repository.answers))
    return settings.database_address.rpartition("@")[2]


def _schema(settings: Settings) -> str:
    async def work(store: Store) -> Result:
        return {"missing": await migrations.pending(store)}

    missing = _with_store(settings, work)["missing"]
    if missing:
        raise CommandError(f"the database lacks {missing}")
    return "up to date"


def _with_store(settings: Settings, work: Callable[[Store], object]) -> Result:
    async def run() -> Result:
        store = open_store(settings.database_address, connections=1)
        try:
            result: Result = await work(store)  # type: ignore[misc]
        finally:
            await store.close()
        return result

    return asyncio.run(run())


async def _migrated(store: Store, work: Callable[[Tx], Result], now_ms: int) -> Result:
    await migrations.migrate(store, now_ms)
    return await store.run(work)


def _print(options: argparse.Namespace, result: Result) -> None:
    if getattr(options, "verbatim", ""):
        sys.stdout.write(options.verbatim)
    elif options.json:
        print(msgspec.json.encode(result).decode())
    elif "checks" in result:
        for one in msgspec.convert(result["checks"], list[dict[str, str | bool]]):
            remedy = f" -- {one['remedy']}" if one.get("remedy") else ""
            print(f"{'✓' if one['fine'] else '✗'} {one['check']}: {one['found']}{remedy}")
    else:
        for name, value in result.items():
            print(f"{name}: {value}")


def _fail(options: argparse.Namespace, text: str, code: int) -> int:
    if getattr(options, "json", False):
        print(msgspec.json.encode({"error": text}).decode())
    print(f"tally-cloud: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
