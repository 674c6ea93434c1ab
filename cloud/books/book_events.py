"""A booking run: every event that is not in the books yet gets its entry; run it as often as you like.

The surprise: it follows behind. Nothing on the way of a draw waits for it, and since each entry is named after its
event, a run that is killed or runs twice books nothing twice. Income is booked with the draw at its own price and
brought to the exact bill when an invoice, or an accrual, says what the bill is.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.agreements.terms import version_at
from cloud.billing.close_period import running
from cloud.books import entries as accounts
from cloud.books import repository
from cloud.books.entries import Entry, Posting, checked, goods_moved, income_account, pair, true_up
from cloud.books.repository import Moved, Paid
from cloud.calendar import local_day, midnight, parse_day
from cloud.credit.decide import net_price_of
from cloud.database import Tx
from cloud.guarantees import repository as verdicts
from cloud.guarantees.repository import VerdictRow
from cloud.invoices.document import Document
from cloud.invoices.minor import nearest_minor, to_minor
from cloud.rating.terms_fields import exact
from cloud.stock.ledger import MICRO

VALUE_PLACE = {"warehouse": "warehouse", "consumed": "consumed", "variance": "variance"}


class Booking:
    """One run over one tenant's events."""

    def __init__(self, tx: Tx, tenant: str) -> None:
        self._tx, self._tenant = tx, tenant
        self._head = repository.lock(tx, tenant)
        self._began = self._head[0]
        self._agreement = lru_cache(maxsize=256)(lambda agreement_id: agreements.find(tx, tenant, agreement_id))

    @property
    def made(self) -> int:
        """How many entries this run appended."""
        return self._head[0] - self._began

    def _book(self, entry: Entry) -> None:
        self._head = repository.append(self._tx, self._tenant, [checked(entry)], self._head)

    def goods(self) -> None:
        """Refills, draws, what came back, and what counts found."""
        moves = repository.new_moves(self._tx, self._tenant)
        ids = [_move_id(move) for move in moves]
        known = repository.booked(self._tx, self._tenant, ids) if ids else set()
        for move, entry_id in zip(moves, ids, strict=True):
            if entry_id not in known:
                self._move(move, entry_id)

    def _move(self, move: Moved, entry_id: str) -> None:
        places = VALUE_PLACE.get(move.source, "consigned"), VALUE_PLACE.get(move.target, "consigned")
        if places[0] == places[1] or not move.micro:
            return
        agreement = self._agreement_of(move)
        agreement_id = "" if agreement is None else agreement.agreement_id
        day = local_day(move.at_ms, "UTC" if agreement is None else agreement.terms.zone).isoformat()
        postings = self._at_cost(move, places, day)
        if agreement is not None and "consumed" in places:
            postings += self._income(move, agreement, returned=places[0] == "consumed")
        text = f"{move.reason}: {Fraction(move.micro, MICRO)} {move.unit} {move.item} at {move.device}"
        kind = "draw" if "consumed" in places else "goods"
        self._book(Entry(entry_id, kind, day, move.at_ms, agreement_id, text, postings))

    def _agreement_of(self, move: Moved) -> Agreement | None:
        """The agreement the device was under on that day of the agreement's clock."""
        for agreement_id, first, ends in repository.agreements_of(self._tx, self._tenant, move.device):
            agreement = self._agreement(agreement_id)
            if agreement is not None:
                day = local_day(move.at_ms, agreement.terms.zone).isoformat()
                if first <= day and (not ends or day < ends):
                    return agreement
        return None

    def _at_cost(self, move: Moved, places: tuple[str, str], day: str) -> list[Posting]:
        cost, currency = repository.cost(self._tx, self._tenant, move.item, day)
        unit = currency or "EUR"
        today = nearest_minor(exact(cost) * move.micro / MICRO, unit)
        held = repository.stock(self._tx, self._tenant, move.device, move.item)
        leaves = places[0] == "consigned"
        worth = accounts.average_out(move.micro, held, today) if leaves else today
        sign = -1 if leaves else 1
        after = (held[0] + sign * move.micro, held[1] + sign * worth)
        repository.put_stock(self._tx, self._tenant, move.device, move.item, unit, after)
        names = {
            "consigned": accounts.consigned(move.device),
            "warehouse": accounts.WAREHOUSE,
            "consumed": accounts.COST_OF_GOODS,
            "variance": accounts.SHRINKAGE,
        }
        return goods_moved((names[places[0]], names[places[1]]), move.item, move.micro, unit, worth)

    def _income(self, move: Moved, agreement: Agreement, *, returned: bool) -> list[Posting]:
        version = version_at(move.at_ms, agreement.versions)
        quantity = Fraction(move.micro, MICRO)
        minor = None if version is None else net_price_of(version, move.device, move.item, quantity, move.unit)
        if not minor:
            return []
        terms = agreement.terms
        owed = accounts.unbilled(terms.customer_id, agreement.agreement_id)
        return pair(owed, "Income:Goods", terms.currency, -minor if returned else minor)

    def guarantees(self) -> None:
        """What will probably be credited is no income; what the verdict then says in the end corrects that."""
        for row in verdicts.page(self._tx, self._tenant, ""):
            owed = accounts.refund_liability(row.customer_id)
            for entry_id, at_ms, minor in (
                (f"verdict:{row.verdict_id}", row.made_ms, row.proposed_minor),
                (f"verdict:{row.verdict_id}:end", row.changed_ms, row.credit_minor - row.proposed_minor),
            ):
                if entry_id.endswith(":end") and row.state not in ("settled", "withdrawn"):
                    continue
                when = (local_day(at_ms, "UTC").isoformat(), at_ms)
                text = f"guarantee {row.name} of {row.first} to {row.end_day}: {row.state}"
                self._once(entry_id, "guarantee", when, text, pair("Income:Air", owed, row.currency, minor))
            if row.state == "withdrawn":
                self._withdrawn(row, owed)

    def _withdrawn(self, row: VerdictRow, owed: str) -> None:
        """A verdict that had been settled, and booked, before its statement became void: back to what stays given."""
        entry_id = f"verdict:{row.verdict_id}"
        minor = row.credit_minor + repository.units_of(self._tx, self._tenant, [entry_id, f"{entry_id}:end"], owed)
        if minor:
            when = (local_day(row.changed_ms, "UTC").isoformat(), row.changed_ms)
            text = f"guarantee {row.name} of {row.first} to {row.end_day}: withdrawn after it was settled"
            self._once(f"{entry_id}:withdrawn", "guarantee", when, text, pair("Income:Air", owed, row.currency, minor))

    def documents(self) -> None:
        """Invoices, credit notes, cancellations."""
        for document, issued_ms in repository.new_documents(self._tx, self._tenant):
            if document.kind == "invoice" and document.statement_id:
                self._invoice(document)
            self._document(document, issued_ms)

    def _air(self, agreement_id: str) -> list[str]:
        agreement = self._agreement(agreement_id)
        guarantees = [] if agreement is None else agreement.terms.guarantees or []
        return [kind for one in guarantees for kind in one.of]

    def _by_income(self, document: Document) -> dict[str, int]:
        air = self._air(document.agreement_id)
        found: dict[str, int] = {}
        for line in document.lines:
            if line.statement_line:
                account = income_account(line.kind, air)
                found[account] = found.get(account, 0) + to_minor(line.net, document.currency)
        return found

    def _invoice(self, document: Document) -> None:
        """Brings the income of the period to what the invoice asks for."""
        agreement = self._agreement(document.agreement_id)
        assert agreement is not None, "a document's agreement stays"
        end_ms = midnight(parse_day(document.period_end), agreement.terms.zone)
        owed = accounts.unbilled(document.customer_id, document.agreement_id)
        due = repository.billed(self._tx, self._tenant, document.agreement_id)
        for account, minor in self._by_income(document).items():
            due[account] = due.get(account, 0) + minor
        booked = repository.income_until(self._tx, self._tenant, document.agreement_id, end_ms)
        day = local_day(end_ms - 1, agreement.terms.zone).isoformat()
        postings = true_up(owed, document.currency, due, booked)
        text = f"{document.number_text}: income of {document.period_first} to {document.period_end}"
        what = (f"billing:{document.document_id}", "billing", day, end_ms - 1, document.agreement_id, text)
        self._book(Entry(*what, postings))

    def _document(self, document: Document, issued_ms: int) -> None:
        unit, customer = document.currency, document.customer_id
        postings = [Posting(accounts.receivable(customer), unit, to_minor(document.gross, unit))]
        for total in document.taxes:
            account = accounts.output_tax(total.category, total.percent)
            postings.append(Posting(account, unit, -to_minor(total.tax, unit)))
        owed = accounts.unbilled(customer, document.agreement_id)
        air = self._air(document.agreement_id)
        named = {
            "deposit": accounts.deposits(customer),
            "deposit_return": accounts.deposits(customer),
            "guarantee_credit": accounts.refund_liability(customer),
            "progressive_billing": owed,
        }
        usage: dict[str, int] = {}
        for line in document.lines:
            minor = to_minor(line.net, unit)
            account = named.get(line.kind) or income_account(line.kind, air)
            if line.statement_line and document.kind != "credit_note":
                usage[account] = usage.get(account, 0) + minor
                account = owed
            postings.append(Posting(account, unit, -minor))
        repository.add_billed(self._tx, self._tenant, document.agreement_id, usage)
        what = (f"document:{document.document_id}", document.kind, document.issued_on, issued_ms)
        self._book(Entry(*what, document.agreement_id, document.number_text, postings))

    def money(self, now_ms: int) -> None:
        """Payments, whose they are, what they settle, and what the bank took back."""
        for paid in repository.payments(self._tx, self._tenant):
            when = (paid.day, paid.at_ms)
            came = pair(accounts.cash(paid.account), accounts.UNMATCHED, paid.currency, paid.minor)
            self._once(f"payment:{paid.payment_id}", "payment", when, "payment", came)
            if paid.customer and paid.state != "unmatched":
                placed = pair(accounts.UNMATCHED, accounts.prepaid(paid.customer), paid.currency, paid.minor)
                self._once(f"matched:{paid.payment_id}", "payment", when, f"payment of {paid.customer}", placed)
            if paid.state == "returned" and paid.minor > 0:
                self._returned(paid, now_ms)
        self._settlements()

    def _returned(self, paid: Paid, now_ms: int) -> None:
        """A payment that a person says came back has left the account, until the bank's own entry says so itself."""
        entry_id, when = f"returned:{paid.payment_id}", (local_day(now_ms, "UTC").isoformat(), now_ms)
        whose = accounts.prepaid(paid.customer) if paid.customer else accounts.UNMATCHED
        if paid.matched_by == "by_hand":
            left = pair(accounts.cash(paid.account), whose, paid.currency, -paid.minor)
            self._once(entry_id, "payment", when, "payment returned", left)
        elif repository.booked(self._tx, self._tenant, [entry_id]):
            told = pair(accounts.cash(paid.account), whose, paid.currency, paid.minor)
            self._once(f"{entry_id}:told", "payment", when, "payment returned, now by the bank's own entry", told)

    def _settlements(self) -> None:
        """What payments settle, and settle no more."""
        for source, document_id, number, minor, at_ms, undone_ms, customer, unit in repository.allocations(
            self._tx, self._tenant
        ):
            entry_id = f"settled:{source}:{document_id}:{number}"
            settled = pair(accounts.prepaid(customer), accounts.receivable(customer), unit, minor)
            when = (local_day(at_ms, "UTC").isoformat(), at_ms)
            self._once(entry_id, "settlement", when, f"{source} settles {document_id}", settled)
            if undone_ms is not None:
                undone = pair(accounts.receivable(customer), accounts.prepaid(customer), unit, minor)
                when = (local_day(undone_ms, "UTC").isoformat(), undone_ms)
                self._once(f"{entry_id}:undone", "settlement", when, f"{source} settles {document_id} no more", undone)

    def _once(self, entry_id: str, kind: str, when: tuple[str, int], text: str, postings: list[Posting]) -> None:
        self._book(Entry(entry_id, kind, *when, "", text, postings))

    def accruals(self, now_ms: int) -> None:
        """Brings every agreement's income to its running bill: energy, hours, area and fees as they are used."""
        for agreement_id in agreements.ids(self._tx, self._tenant):
            agreement = self._agreement(agreement_id)
            if agreement is None or midnight(parse_day(agreement.terms.starts), agreement.terms.zone) > now_ms:
                continue
            found = running(self._tx, self._tenant, agreement_id, now_ms)
            air = self._air(agreement_id)
            due = dict(repository.billed(self._tx, self._tenant, agreement_id))
            for line in found.settlement.lines:
                account = income_account(line.kind, air)
                due[account] = due.get(account, 0) + to_minor(line.amount, agreement.terms.currency)
            booked = repository.income_until(self._tx, self._tenant, agreement_id, now_ms + 1)
            owed = accounts.unbilled(agreement.terms.customer_id, agreement_id)
            postings = true_up(owed, agreement.terms.currency, due, booked)
            day = local_day(now_ms, agreement.terms.zone).isoformat()
            what = (f"accrual:{agreement_id}:{now_ms}", "accrual", day, now_ms, agreement_id, "income as used")
            self._book(Entry(*what, postings))


def book(tx: Tx, tenant: str, now_ms: int, *, accrue: bool = False) -> int:
    """Books everything that is not booked; how many entries that made. ``accrue``: also what runs up by the day."""
    run = Booking(tx, tenant)
    run.goods()
    run.guarantees()
    run.documents()
    run.money(now_ms)
    if accrue:
        run.accruals(now_ms)
    return run.made


def _move_id(move: Moved) -> str:
    return f"move:{move.device}:{move.log_no}:{move.idx}:{move.leg}"


def trial_balance(balances: Mapping[tuple[str, str], int]) -> list[tuple[str, str, int, int]]:
    """(account, commodity, debit, credit) of every account that is not nothing."""
    return [
        (account, unit, max(units, 0), max(-units, 0)) for (account, unit), units in sorted(balances.items()) if units
    ]
