"""From batches to balances in the database, whatever the order and size of the batches."""

from __future__ import annotations

from tests.cloud.trade import HOUR, Trade
from tests.cloud.twins import CloudTwin
from wire.records import OfLot


def held(trade: Trade) -> dict[tuple[str, str], tuple[str, str, str]]:
    return {
        (row["slot"], row["item_id"]): tuple(row[name]["value"] for name in ("on_hand", "doubtful", "consumed"))
        for row in trade.get("/v1/stock")["items"]
    }


def test_stock_is_what_the_moves_come_to(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    trade.refill(24, "glove", "2")
    key = trade.draw(qty=2)
    doubtful = trade.draw("glove", slot="2", outcome="unverified")
    trade.send()
    trade.resolve(doubtful, "not_dispensed", 0)
    trade.reverse(key)
    trade.send()

    assert held(trade) == {("1", "drill-8"): ("9", "0", "1"), ("2", "glove"): ("24", "0", "0")}
    moves = trade.get("/v1/stock-moves")["items"]
    assert [(one["source"], one["target"], one["quantity"]["value"]) for one in moves] == [
        ("warehouse", "slot", "10"), ("warehouse", "slot", "24"), ("slot", "consumed", "2"), ("slot", "doubtful", "1"),
        ("doubtful", "slot", "1"), ("consumed", "slot", "1"),
    ]  # fmt: skip
    assert [one["evidence"]["index"] for one in moves] == [0, 1, 2, 3, 4, 5]


def test_one_batch_or_many_gives_the_same_stock(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(20)
    position = trade.draw()
    trade.draw(qty=3)
    trade.count(18, position=f"{position.ep}/{position.n}")
    trade.give_back(qty=1, key=position)
    trade.send(pieces=5)

    assert held(trade) == {("1", "drill-8"): ("16", "0", "3")}


def test_a_count_from_further_back_looks_past_what_other_batches_brought_since(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    trade.send()
    position = trade.draw()
    trade.send()
    trade.draw(qty=4)
    trade.send()
    trade.count(9, position=f"{position.ep}/{position.n}")
    trade.send()

    assert held(trade) == {("1", "drill-8"): ("5", "0", "5")}
    assert trade.get("/v1/discrepancies")["items"] == []


def test_a_repeated_batch_moves_nothing(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    trade.draw()
    trade.send()
    before = cloud.counts()

    assert trade.gateway.send(0).status_code == 200

    assert cloud.counts() == before
    assert held(trade) == {("1", "drill-8"): ("9", "0", "1")}


def test_what_does_not_fit_is_listed_with_its_leaf(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw("glove")
    trade.read(100)
    trade.at += HOUR
    trade.read(40)
    trade.send()

    found = [(one["kind"], one["subject"], one["evidence"]["index"]) for one in trade.get("/v1/discrepancies")["items"]]

    assert sorted(found) == [
        ("negative_balance", "1", 0),
        ("planogram_mismatch", "1", 0),
        ("register_fall", "import_wh", 2),
    ]


def test_a_fall_that_is_confirmed_batch_by_batch_is_a_reset_and_counts_on(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    for wh in (1400, 3, 5, 9, 12):
        trade.at += HOUR
        trade.read(wh)
        trade.send()

    (register,) = trade.get("/v1/registers")["items"]
    kinds = [one["kind"] for one in trade.get("/v1/discrepancies")["items"]]

    assert register["reading"] == {"value": "12", "unit": "Wh"}
    assert sorted(kinds) == ["register_fall", "register_fall", "register_reset"]


def test_the_live_register_is_the_last_good_reading(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.read(100)
    trade.at += HOUR
    trade.read(1400)
    trade.send()
    trade.read(3)
    trade.send()

    (register,) = trade.get("/v1/registers")["items"]

    assert (register["device_id"], register["reading"], register["held"]) == (
        "meter-1",
        {"value": "1400", "unit": "Wh"},
        1,
    )


def test_lists_come_in_pieces_without_loss(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    trade.draw()
    trade.draw("glove", slot="2")
    trade.send()

    for path, key in (("/v1/stock", "slot"), ("/v1/stock-moves", "evidence"), ("/v1/discrepancies", "kind")):
        whole = [row[key] for row in trade.get(path)["items"]]
        pieces, after = [], ""
        for _ in whole:
            piece = trade.get(f"{path}?limit=1&after={after}")
            pieces += [row[key] for row in piece["items"]]
            after = piece["next"]
        assert pieces == whole
        assert after == ""


def test_moves_say_lot_serial_number_and_order_as_their_leaves_do(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(1, lot="L7", serial="S-1", order="ord_1")
    key = trade.draw(lot="L7", serial="S-1")
    trade.give_back(key=key, lot="L7", serial="S-1")
    trade.send()

    moves = trade.get("/v1/stock-moves")["items"]
    assert [(one["reason"], one["lot"], one["serial"], one["order"]) for one in moves] == [
        ("refill", "L7", "S-1", "ord_1"), ("draw", "L7", "S-1", ""), ("return", "L7", "S-1", ""),
    ]  # fmt: skip


def test_a_move_of_several_lots_says_how_much_is_of_which(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    trade.draw(qty=3, lot="L7", lots=[OfLot("L7", 2), OfLot("L8", 1)])
    trade.send()

    *_, drawn = trade.get("/v1/stock-moves")["items"]
    assert drawn["lots"] == [
        {"lot": "L7", "quantity": {"value": "2", "unit": "pc"}},
        {"lot": "L8", "quantity": {"value": "1", "unit": "pc"}},
    ]
