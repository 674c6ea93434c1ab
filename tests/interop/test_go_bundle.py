"""A whole bundle under a check that shares no line with ours: Go's standard library, written from the documents."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloud.agreements.terms import canonical_json
from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from tests.cloud.billing.forgeries import forgeries
from tests.cloud.databases import Databases
from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin
from tests.interop import go_build
from wire.seal import Signer

pytestmark = pytest.mark.go
Json = dict[str, Any]


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[Json]], list[str]]:
    """What the Go program says of each bundle."""
    folder = tmp_path_factory.mktemp("gobundle")
    program = go_build.build(folder, "gobundle")

    def says(bundles: list[Json]) -> list[str]:
        (folder / "bundles.jsonl").write_text("".join(json.dumps(one) + "\n" for one in bundles))
        code, said = go_build.run(program, str(folder / "bundles.jsonl"))
        assert code == 0, said
        return said.splitlines()

    return says


class Shop:
    """Two statements of one agreement, with everything Go knows; and the cloud's key, for a supplier who lies."""

    def __init__(self, cloud: CloudTwin) -> None:
        trade = Trade(cloud)
        trade.at += HOUR
        trade.read(1_000_000)
        trade.draw()
        trade.draw("glove", 2, "2")
        trade.draw(cabinet="cab-9")
        trade.send()
        trade.at += HOUR
        trade.read(1_234_567)
        trade.reverse(trade.draw(qty=3), 1)
        trade.resolve(trade.draw(outcome="unverified"))
        trade.draw(outcome="unverified", who='\u7532\u00e9 \\ "quoted"')
        trade.send()
        first = trade.close(FIRST, "2026-11-02")
        trade.to("2026-11-02", 9)
        trade.event("gw-1", "config_applied", version=2)
        trade.read(1_300_000)
        trade.draw("glove", 5, "2")
        trade.send()
        second = trade.close("2026-11-02", "2026-11-03")
        self.bundles: list[Json] = [json.loads(trade.bundle(one)) for one in (first, second)]
        self.cosigner: Signer = cloud.app.state.context.cosigner


@pytest.fixture(scope="session")
def shop(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop, closed."""
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path_factory.mktemp("state")) as cloud:
        yield Shop(cloud)


def test_go_accepts_what_tally_verify_accepts(go: Callable[[list[Json]], list[str]], shop: Shop) -> None:
    ours = [verify(load(json.dumps(one).encode()), Trust()).findings for one in shop.bundles]

    assert (ours, go(shop.bundles)) == ([[], []], ["accept", "accept"])


def test_go_notices_every_single_change(go: Callable[[list[Json]], list[str]], shop: Shop) -> None:
    changed = [one for bundle in shop.bundles for one in forgeries(bundle)]

    said = go([bundle for _, bundle in changed])

    assert len(changed) > 2000
    assert [what for (what, _), verdict in zip(changed, said, strict=True) if verdict == "accept"] == []


def more_pieces(statement: Json) -> None:
    """A piece that nobody took."""
    line = statement["lines"][0]
    line["quantity"]["value"], line["unrounded"], line["amount"] = "6", "7.2", "7.20"


def dearer(statement: Json) -> None:
    """A price that nobody agreed on."""
    line = statement["lines"][0]
    line["unit_price"], line["unrounded"], line["amount"] = "2.40", "12", "12.00"


def rounded_up(statement: Json) -> None:
    """A cent by rounding."""
    line = next(one for one in statement["lines"] if one["kind"] == "energy")
    line["amount"] = "199.39"


def left_out(statement: Json) -> None:
    """A draw that is on no line (here to the customer's gain)."""
    del statement["lines"][2]
    for number, line in enumerate(statement["lines"], 1):
        line["no"] = number


def other_register(statement: Json) -> None:
    """A closing reading that the meter never showed."""
    line = next(one for one in statement["lines"] if one["kind"] == "energy")
    line["registers"][1]["value"] += 1000
    line["quantity"]["value"], line["unrounded"], line["amount"] = "235.567", "200.23195", "200.23"


@pytest.mark.parametrize("lie", [more_pieces, dearer, rounded_up, left_out, other_register])
def test_go_notices_what_the_supplier_changed_and_signed_anew(
    go: Callable[[list[Json]], list[str]], shop: Shop, lie: Callable[[Json], None]
) -> None:
    bundle = copy.deepcopy(shop.bundles[0])
    statement, head = bundle["statement"], bundle["statement"]["head"]

    lie(statement)
    sign_again(shop, statement, head)

    (said,) = go([bundle])
    assert said.startswith("reject: ")
    assert not any(word in said for word in ("signature", "hash", "proof")), said


def sign_again(shop: Shop, statement: Json, head: Json) -> None:
    """Hashes, total and signature as if it were true."""
    cents = sum(int(line["amount"].replace(".", "")) for line in statement["lines"])
    head["total"] = f"{cents // 100}.{cents % 100:02}"
    head["lines_hash"] = hashlib.sha256(canonical_json(statement["lines"])).hexdigest()
    statement["hash"] = hashlib.sha256(canonical_json(head)).hexdigest()
    text = f"{head['format']}\n{head['agreement_id']} {head['number']}\n{statement['hash']}\n"
    statement["note"] = shop.cosigner.sign_text(text)


def test_go_notices_a_record_that_hides_behind_its_hash(go: Callable[[list[Json]], list[str]], shop: Shop) -> None:
    bundle = copy.deepcopy(shop.bundles[0])
    leaves = bundle["logs"][0]["leaves"]

    leaves[2] = {"hash": hashlib.sha256(b"\x00" + leaves[2].encode()).hexdigest()}

    assert "missing or hidden" in go([bundle])[0]
