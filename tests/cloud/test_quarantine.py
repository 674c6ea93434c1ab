"""A leaf that cannot be used waits with a reason, the rest flows on, and a retry goes the same way as the first day."""

from __future__ import annotations

import msgspec

from cloud.database import Tx
from tests.cloud.twins import CloudTwin
from wire import records


def waiting(cloud: CloudTwin, state: str = "open") -> list[dict[str, object]]:
    """What the API lists."""
    items: list[dict[str, object]] = cloud.ask("GET", f"/v1/quarantine?state={state}").json()["items"]
    return items


def moves(tx: Tx) -> int:
    """How many moves of goods are booked."""
    return int(tx.all("SELECT COUNT(*) FROM stock_moves")[0][0])


def test_bad_leaves_wait_with_their_reasons_and_the_rest_is_posted(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    good, stranger = gateway.draw(), gateway.draw(src="cab-9")
    spaced = records.encode(gateway.draw()).replace(b'":', b'": ', 1)
    unknown = records.encode(gateway.draw()).replace(b'"k":"draw"', b'"k":"dance"')
    gateway.keep(b"not json", good, spaced, unknown, stranger, gateway.draw())

    receipt = gateway.send(0).json()

    assert (receipt["size"], receipt["quarantined"]) == (6, 4)
    found = {item["index"]: item["reason"] for item in waiting(cloud)}
    assert found == {0: "not-json", 2: "not-canonical", 3: "bad-body", 4: "unknown-device"}
    assert cloud.counts()["record_keys"] == 2
    assert cloud.run(moves) > 0


def test_a_retry_after_the_device_was_registered_posts_the_record_once(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(src="cab-2"))
    gateway.send(0)
    [item] = waiting(cloud)
    before = cloud.run(moves)

    too_early = cloud.ask("POST", f"/v1/quarantine/{item['id']}/retry").json()
    cloud.ask("POST", "/v1/devices", {"device_id": "cab-2", "kind": "cabinet", "gateway_id": "gw-1"})
    mended = cloud.ask("POST", f"/v1/quarantine/{item['id']}/retry").json()
    posted = cloud.run(moves)
    again = cloud.ask("POST", f"/v1/quarantine/{item['id']}/retry").json()

    assert (too_early["state"], too_early["reason"], too_early["tries"]) == ("open", "unknown-device", 1)
    assert (mended["state"], mended["tries"]) == ("resolved", 2)
    assert again == mended
    assert before < posted == cloud.run(moves)
    assert (waiting(cloud), len(waiting(cloud, "resolved"))) == ([], 1)


def test_a_device_of_another_gateway_is_no_device_of_this_one(cloud: CloudTwin) -> None:
    cloud.gateway("gw-2", devices=["cab-2"])
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(src="cab-2"))

    gateway.send(0)

    assert [item["reason"] for item in waiting(cloud)] == ["unknown-device"]


def test_a_moved_device_may_be_told_of_by_both_gateways(cloud: CloudTwin) -> None:
    first, second = cloud.gateway(), cloud.gateway("gw-2", devices=[])
    second.epoch = "f" * 16
    first.keep(first.draw())
    second.keep(second.draw())

    moved = cloud.ask("PATCH", "/v1/devices/cab-1", {"gateway_id": "gw-2"})

    assert (moved.status_code, moved.json()["gateway_id"]) == (200, "gw-2")
    assert (first.send(0).json()["quarantined"], second.send(0).json()["quarantined"]) == (0, 0)


def test_another_record_under_a_known_key_waits(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    one = gateway.draw()
    gateway.keep(one, msgspec.structs.replace(one, qty=5))

    gateway.send(0)

    assert [item["reason"] for item in waiting(cloud)] == ["duplicate-key"]


def test_the_same_leaf_told_twice_counts_once_and_waits_nowhere(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    one = gateway.draw()
    gateway.keep(one, one)

    receipt = gateway.send(0).json()

    assert (receipt["quarantined"], cloud.counts()["record_keys"]) == (0, 1)


def test_an_event_its_device_told_again_after_a_restore_counts_once(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(did="boot7:41"))
    gateway.send(0)
    booked = cloud.run(moves)
    gateway.epoch, gateway.boot = "f" * 16, "c" * 16
    gateway.keep(gateway.draw(did="boot7:41"))

    receipt = gateway.send(1).json()

    assert (receipt["quarantined"], cloud.run(moves)) == (0, booked)


def test_another_event_under_a_known_identity_of_the_device_waits(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(did="boot7:41"), gateway.draw(did="boot7:41", slot="9"))

    gateway.send(0)

    assert [item["reason"] for item in waiting(cloud)] == ["duplicate-did"]


def test_a_record_that_was_never_journalled_waits(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(n=0))

    gateway.send(0)

    assert [item["reason"] for item in waiting(cloud)] == ["bad-body"]


def test_an_unknown_quarantine_id_is_not_found(cloud: CloudTwin) -> None:
    for path in ("q_1_0", "q_x", "q_1_0/retry"):
        method = "POST" if path.endswith("retry") else "GET"
        assert cloud.ask(method, f"/v1/quarantine/{path}").status_code == 404


def test_the_list_comes_in_pieces_that_fit_together(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(*(f"rubbish {number}".encode() for number in range(5)))
    gateway.send(0)

    seen, after = [], ""
    while True:
        piece = cloud.ask("GET", f"/v1/quarantine?limit=2&after={after}").json()
        seen += [item["index"] for item in piece["items"]]
        after = piece["next"]
        if not after:
            break

    assert seen == [0, 1, 2, 3, 4]


def test_a_name_of_an_event_too_long_for_an_index_does_not_stop_the_log(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    hard_to_compress = "".join(chr(0x20000 + 7919 * at % 42_000) for at in range(900))
    gateway.keep(gateway.draw(did=hard_to_compress), gateway.draw(did="x" * 1024))

    answer = gateway.send(0)

    assert (answer.status_code, answer.json()["quarantined"]) == (200, 1)
    assert "more than 1024 bytes" in str(waiting(cloud)[0]["detail"])
