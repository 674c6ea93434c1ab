"""Late events of random agreements: what statements say of a period in all is the priced case of everything known."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from functools import partial

from cloud.agreements import repository as agreements
from cloud.agreements.terms import AgreementTerms
from cloud.billing.close_period import Wanted, close_period
from cloud.calendar import Period, utc_text
from cloud.database import Tx
from cloud.events.count_events import count_events
from cloud.rating.events import CountedEvent
from cloud.rating.price import parse_case, price
from tests.cloud.billing.random_agreements import SIGNER, TENANT, events_of, periods_of, terms_of, versions_of
from tests.cloud.twins import CloudTwin

AGREEMENTS, MONTHS = range(16), 3


def is_late(event: CountedEvent, number: int) -> bool:
    """Whether an event comes to hand a month after its own: each third."""
    return sum(map(ord, event.id)) % 3 == number % 3


def billed(tx: Tx, number: int) -> dict[str, Decimal]:
    """What statements say of each period in all: its own lines and the later ones that correct it."""
    terms = terms_of(number)
    agreement_id = f"agr-{number}"
    agreements.add(tx, TENANT, agreement_id, terms, 0)
    for version in versions_of(number):
        agreements.add_version(tx, TENANT, agreement_id, version, 0)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    waiting: list[CountedEvent] = []
    for span in periods_of(terms, MONTHS):
        told = events_of(number, span, "late")
        count_events(tx, TENANT, [*waiting, *(one for one in told if not is_late(one, number))], span.to_ms)
        waiting = [one for one in told if is_late(one, number)]
        wanted = Wanted(first=span.first, end=span.end)
        made, _ = close_period(tx, TENANT, agreement_id, wanted, now_ms=span.to_ms + 1, signer=SIGNER)
        for line in made.lines:
            sums[line.belongs_to or span.label] += Decimal(line.amount)
    return sums


def as_a_case(terms: AgreementTerms, number: int, span: Period) -> Decimal:
    """The period's total with everything that is known of it, and of what was before."""
    body = terms.model_dump(mode="json", by_alias=True, exclude_none=True)
    told = [one for each in periods_of(terms, MONTHS) for one in events_of(number, each, "case")]
    case = {name: body[name] for name in ("currency", "zone", "rounding", "cycle", "starts")} | {
        "versions": [
            {"version": one.version, "from": one.first,
             "charges": one.terms.model_dump(mode="json", by_alias=True, exclude_none=True)["charges"]}
            for one in versions_of(number)
        ],
        "period": {"first": span.first, "end": span.end},
        "usage": [
            {
                "at": utc_text(one.at), "quantity": f"{Decimal(one.value).scaleb(one.scale):f}",
                "source": one.source, "id": one.id,
                "labels": {**one.labels, "type": one.type, "subject": one.subject},
            }
            for one in told if one.at < span.to_ms
        ],
    }  # fmt: skip
    return Decimal(price(parse_case(json.dumps(case))).total)


def test_statements_and_their_corrections_come_to_the_priced_case(cloud: CloudTwin) -> None:
    for number in AGREEMENTS:
        terms = terms_of(number)

        sums = cloud.run(partial(billed, number=number))

        for span in periods_of(terms, MONTHS)[:-1]:
            assert (number, sums[span.label]) == (number, as_a_case(terms, number, span))
