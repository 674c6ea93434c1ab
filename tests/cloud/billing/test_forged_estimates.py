"""No change of an estimate, a transformer's ratio, a counted event or a signature goes unnoticed, by whomever it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from cloud.agreements.terms import Version, parse_terms
from cloud.billing.bundle import dump, load
from cloud.billing.statement import version_refs
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_lines import text_of
from tests.cloud.billing.attacked_bundles import UNPROVABLE, Recorder, changed, changed_and_signed, signed_again
from tests.cloud.databases import Databases
from tests.cloud.events.test_counted_events import event
from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin
from wire.seal import Signer

SHOP = "shop.example/orders"
CHARGES = [
    {"kind": "energy", "unit_price": "0.85", "devices": [
        {"device": "meter-1", "ratios": [{"since": "2026-10-01T00:00:00Z", "factor": "40"}]}]},
    {"kind": "graduated", "name": "clicks", "source": {"measure": "events", "types": ["click"]},
     "aggregation": {"function": "count"}, "valid": {"robots": {"marks": {"agent": ["bot"]}}},
     "tiers": [{"up_to": "2", "unit_price": "0.50"}, {"unit_price": "0.10"}]},
]  # fmt: skip
# Of the changes that nobody signs again; the plain sample is tried with all of them.
EVERY = 2
# Events are numbered over all customers of a supplier: one of them sees gaps, so the last number proves little.
SUPPLIERS_WORD = {*UNPROVABLE, "events/to"}
BEHIND = {"q": ["secondary"]}


class Sample:
    """A second statement: a true-up of the first one's estimate, an estimate of its own, a register behind
    transformers, events that count and one that does not, both sides' signatures.
    """

    def __init__(self, cloud: CloudTwin) -> None:
        trade = Trade(cloud, charges=CHARGES, event_sources=[SHOP], estimates={"silent_minutes": 60})
        version = trade.get("/v1/agreements/agr-1")["versions"][0]
        for signer, party in ((Signer("s.example", b"s" * 32), "sup"), (Signer("c.example", b"c" * 32), "cust")):
            body = {"party_id": party, "vkey": signer.vkey, "note": signer.sign_text(version["sign_this"])}
            trade.post("/v1/agreements/agr-1/versions/1/signatures", body)
        trade.event("meter-1", "identified", number="7", registers={"import_wh": {"modulus": "100000"}})
        trade.read(0, **BEHIND)
        trade.at += 18 * HOUR
        trade.read(18_000, **BEHIND)
        trade.send()
        trade.post("/v1/events", [event("c1", "click", "01T10:00"), event("c2", "click", "01T11:00")])
        self.first = trade.bundle(trade.close(FIRST, "2026-11-02"))
        trade.to("2026-11-02", 12)
        trade.read(54_000, **BEHIND)
        trade.send()
        late = event("c9", "click", "01T12:00")
        trade.post(
            "/v1/events", [late, event("c3", "click", "02T10:00"), event("c4", "click", "02T11:00", agent="bot")]
        )
        self.raw = trade.bundle(trade.close("2026-11-02", "2026-11-03"))
        self.signer = cloud.app.state.context.cosigner


@pytest.fixture(scope="module")
def sample(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path_factory.mktemp("state")) as cloud:
        return Sample(cloud)


def test_the_sample_itself_verifies_and_has_everything(sample: Sample) -> None:
    bundle = load(sample.raw)

    assert [text_of(one) for raw in (sample.first, sample.raw) for one in verify(load(raw), Trust()).findings] == []
    qualities = {line.quality for line in bundle.statement.lines}
    assert qualities >= {"estimated", "estimated_split"}
    assert [one.reason for one in bundle.statement.unbilled] == ["robot"]
    assert any(line.corrects is not None and line.evidence is not None for line in bundle.statement.lines)
    assert bundle.statement.head.registers[0].energy
    assert bundle.statement.head.registers[0].modulus == "100000"
    assert bundle.statement.head.versions[0].signed_by == ["cust", "sup"]


def test_every_single_change_is_noticed(sample: Sample, record_property: Recorder) -> None:
    tried, missed = changed(sample, EVERY)

    record_property("changes", tried)
    assert tried > 900
    assert missed == []


def test_the_supplier_who_signs_again_is_noticed_too(sample: Sample, record_property: Recorder) -> None:
    tried, missed = changed_and_signed(sample)

    record_property("changes", tried)
    assert tried > 700
    assert {what.split(":")[0] for what in missed} <= SUPPLIERS_WORD, missed


def test_a_supplier_who_swaps_the_ratio_consistently_and_signs_again_meets_the_customers_signature(
    sample: Sample,
) -> None:
    """Terms, their hash and the lines are all made to fit; what the customer signed cannot be."""
    bundle = load(sample.raw)
    swapped = bundle.versions[0].terms.replace('"factor":"40"', '"factor":"50"')
    version = msgspec.structs.replace(bundle.versions[0], terms=swapped)

    refs = version_refs([Version(1, version.first, parse_terms(swapped))], [(1, "cust"), (1, "sup")])
    head = msgspec.structs.replace(bundle.statement.head, versions=refs)
    document = json.loads(dump(msgspec.structs.replace(bundle, versions=[version])))
    document["statement"]["head"] = msgspec.to_builtins(head)

    said = [text_of(one) for one in verify(load(signed_again(sample, document)), Trust()).findings]

    assert any("signed other terms" in one for one in said), said


def test_an_estimate_that_is_passed_off_as_measured_is_noticed_though_it_is_signed_again(sample: Sample) -> None:
    document = json.loads(sample.first)
    line = next(one for one in document["statement"]["lines"] if one.get("quality") == "estimated")
    del line["quality"]
    line["level"] = "B"

    said = [text_of(one) for one in verify(load(signed_again(sample, document)), Trust()).findings]

    assert any("quality" in one for one in said)
