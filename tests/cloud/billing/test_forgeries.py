"""Every single change of a bundle is noticed, by whomever it is made short of the gateway's own key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloud.billing.bundle import BundleError, load
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_lines import text_of
from tests.cloud.billing.attacked_bundles import UNPROVABLE, Recorder, changed, changed_and_signed
from tests.cloud.databases import Databases
from tests.cloud.trade import HOUR, Trade
from tests.cloud.twins import CloudTwin


class Sample:
    """A statement with everything a bundle can have, and the key of the cloud that made it."""

    def __init__(self, cloud: CloudTwin) -> None:
        trade = Trade(cloud)
        trade.read(1000)
        drawn = trade.draw(qty=2)
        trade.send()
        trade.close("2026-11-01", "2026-11-02")
        trade.to("2026-11-02", 8)
        trade.draw(qty=4)
        doubtful = trade.draw("glove", slot="2", outcome="unverified")
        trade.send()
        trade.close("2026-11-02", "2026-11-03")
        trade.at += HOUR
        trade.draw(qty=1)
        trade.to("2026-11-03", 8)
        trade.resolve(doubtful)
        trade.reverse(drawn)
        trade.draw("glove", qty=3, slot="2")
        trade.draw(cabinet="cab-9")
        trade.read(2500)
        trade.reboot()
        trade.draw(t=0, ts="U")
        trade.draw("oddment")
        trade.reboot(dated=False)
        trade.draw(t=0, ts="U")
        trade.send(pieces=2)
        self.raw = trade.bundle(trade.close("2026-11-03", "2026-11-04"))
        self.signer = cloud.app.state.context.cosigner


@pytest.fixture(scope="module")
def sample(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path_factory.mktemp("state")) as cloud:
        return Sample(cloud)


def test_the_sample_itself_verifies_and_has_everything(sample: Sample) -> None:
    bundle = load(sample.raw)

    assert [text_of(one) for one in verify(bundle, Trust()).findings] == []
    head = bundle.statement.head
    assert (head.number, head.base, head.since) == (3, 2, 1)
    assert head.logs[0].outside
    assert head.logs[0].clocks
    named = [(line.subject, line.corrects) for line in bundle.statement.lines]
    corrected = [(subject, one.statement, one.line, len(one.hash)) for subject, one in named if one is not None]
    assert corrected == [("drill-8", 2, 1, 64), ("glove", 2, 0, 0)]
    assert {line.kind for line in bundle.statement.lines} == {"per_piece", "energy", "monthly_fee"}
    assert bundle.statement.unbilled


def test_every_single_change_is_noticed(sample: Sample, record_property: Recorder) -> None:
    tried, missed = changed(sample)

    record_property("changes", tried)
    assert tried > 2000
    assert missed == []


def test_the_supplier_who_signs_again_is_noticed_too(sample: Sample, record_property: Recorder) -> None:
    tried, missed = changed_and_signed(sample)

    record_property("changes", tried)
    assert tried > 700
    assert {what.split(":")[0] for what in missed} == UNPROVABLE, missed


def test_a_leaf_that_is_exchanged_is_reported_with_the_line_that_no_longer_follows(sample: Sample) -> None:
    document = json.loads(sample.raw)
    leaves = document["logs"][0]["leaves"]
    at = next(index for index, leaf in enumerate(leaves) if isinstance(leaf, str) and '"qty":3' in leaf)
    leaves[at] = leaves[at].replace('"qty":3', '"qty":2')

    sentences = [text_of(one) for one in verify(load(json.dumps(document).encode()), Trust()).findings]

    assert any("the leaves do not give the root" in one for one in sentences)
    assert any(one.startswith("line 3 (3 pc glove") and "the leaves give 2 pc" in one for one in sentences), sentences


@pytest.mark.parametrize(
    "rubbish",
    [
        b"", b"nothing", b"[]", b"null", b'{"format":"tallystick/bundle/1"}', b"[" * 100_000, b"{" * 50, b"\xff\xfe",
        b'{"a":1,"a":2}', b'{"a":1.5}', b'{"a":NaN}', b'{"a":1e3}', b'{"a":-0}', b'{"a":' + b"9" * 5000 + b"}",
        b'"\\ud800"',
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_refused_with_a_sentence(rubbish: bytes) -> None:
    with pytest.raises(BundleError) as refused:
        load(rubbish)

    assert len(str(refused.value)) > 10
