"""The commands of ``tally-cloud`` for those who close the books: close, dun, credit, import-bank-file, books.

They do what the API does, for a cron job or a shell; each may be repeated and run beside others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, get_args

from cloud import keyring
from cloud.api import repository
from cloud.billing.close_due import close_due, gaps
from cloud.books import repository as ledger
from cloud.books.beancount import export, to_csv
from cloud.books.book_events import book
from cloud.credit.accrue import accrue_all
from cloud.database import Store, Tx
from cloud.entropy import Entropy
from cloud.invoices import repository as documents
from cloud.payments import bank_csv, camt053
from cloud.payments.bank_entry import MAX_BYTES
from cloud.payments.csv_shape import PLAIN, Days, Encoding, Numbers, Shape, columns_in
from cloud.payments.dun import dun
from cloud.payments.import_bank_file import import_entries
from cloud.settings import Settings

MOST = 1_000_000
Result = dict[str, object]
Run = Callable[[Settings, argparse.Namespace], Result]
WithStore = Callable[[Settings, Callable[[Store], object]], Result]


class Commands(Protocol):
    """What adds a command to the parser."""

    def __call__(self, name: str, text: str, run: Run) -> argparse.ArgumentParser:
        """A command with its function."""


def add_commands(command: Commands, with_store: WithStore) -> None:
    """Adds the commands; ``with_store`` opens the database for a piece of work and closes it again."""
    close = command("close", "Close every period that is over: drafts in their grace, final after.", _close(with_store))
    close.add_argument("tenant", help="the tenant's id")
    close.add_argument("--no-drafts", action="store_true", help="final statements only")
    run = command("dun", "Take overdue documents to their next step.", _dun(with_store))
    run.add_argument("tenant", help="the tenant's id")
    credit = command(
        "credit", "Count what services have run up; fill the gateways' credit shares.", _credit(with_store)
    )
    credit.add_argument("tenant", help="the tenant's id")
    books = command("books", "Book what is not booked yet; write the books as beancount or CSV.", _books(with_store))
    books.add_argument("tenant", help="the tenant's id")
    books.add_argument("--accrue", action="store_true", help="also what runs up by the day")
    books.add_argument("--export", type=Path, help="write them to a file: *.csv as CSV, anything else as beancount")
    bank = command("import-bank-file", "Read a bank statement (camt.053 or CSV).", _bank(with_store))
    bank.add_argument("tenant", help="the tenant's id")
    bank.add_argument("file", type=Path, help="the file; *.csv is read as CSV, anything else as camt.053")
    bank.add_argument("--account", default="", help="our account, where a CSV does not say it")
    bank.add_argument("--currency", default="", help="its currency, where a CSV does not say it")
    bank.add_argument("--numbers", choices=get_args(Numbers), default=PLAIN.numbers, help="how a CSV writes amounts")
    bank.add_argument("--days", choices=get_args(Days), default=PLAIN.days, help="how a CSV writes days")
    bank.add_argument("--encoding", choices=get_args(Encoding), default=PLAIN.encoding, help="gb18030 also for GBK")
    bank.add_argument("--columns", default="", help="a CSV's names of our columns: date=Buchungstag;amount=Betrag")


def _close(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        signer = keyring.load_or_create(settings.state, settings.cosigner, Entropy())
        now_ms = settings.clock().now_ms()

        async def work(store: Store) -> Result:
            await store.read(lambda tx: _known(tx, options.tenant))
            done = await close_due(store, options.tenant, now_ms, signer, drafts=not options.no_drafts)
            series = await store.read(lambda tx: documents.series_of_tenant(tx, options.tenant))
            failed = [one for one in done if one.state == "failed"]
            return {"closed": done, "gaps": gaps(series), "fine": not gaps(series) and not failed}

        return with_store(settings, work)

    return run


def _dun(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        now_ms = settings.clock().now_ms()

        def work(tx: Tx) -> Result:
            _known(tx, options.tenant)
            return {"reached": dun(tx, options.tenant, now_ms)}

        return with_store(settings, lambda store: store.run(work))

    return run


def _credit(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        now_ms = settings.clock().now_ms()

        def work(tx: Tx) -> Result:
            _known(tx, options.tenant)
            return {"lines": accrue_all(tx, options.tenant, now_ms)}

        return with_store(settings, lambda store: store.run(work))

    return run


def _bank(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        with options.file.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        csv = options.file.suffix.lower() == ".csv"
        names = columns_in(options.columns, bank_csv.KNOWN)
        shape = Shape(options.numbers, options.days, options.encoding, names, options.currency)
        entries = bank_csv.read(raw, options.account, shape) if csv else camt053.read(raw)
        now_ms = settings.clock().now_ms()

        def work(tx: Tx) -> Result:
            _known(tx, options.tenant)
            return {"entries": import_entries(tx, options.tenant, entries, now_ms=now_ms)}

        return with_store(settings, lambda store: store.run(work))

    return run


def _books(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        now_ms = settings.clock().now_ms()

        def work(tx: Tx) -> Result:
            _known(tx, options.tenant)
            made = book(tx, options.tenant, now_ms, accrue=options.accrue)
            if options.export is None:
                return {"entries": made}
            entries = [entry for _, _, entry in ledger.entries(tx, options.tenant, 0, MOST)]
            csv = options.export.suffix.lower() == ".csv"
            text = to_csv(entries) if csv else export(entries, ledger.balances(tx, options.tenant))
            options.export.write_text(text, encoding="utf-8")
            return {"entries": made, "written": str(options.export)}

        return with_store(settings, lambda store: store.run(work))

    return run


class TenantUnknown(OSError):
    """There is no such tenant."""


def _known(tx: Tx, tenant: str) -> None:
    if not repository.tenant_exists(tx, tenant):
        raise TenantUnknown(f"there is no tenant {tenant}; use create-tenant first")
