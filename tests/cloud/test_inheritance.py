"""A card died: the new one knows what lies in the slots, who drew how much, and what the old one left open."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import httpx
import pytest

from cloud.fleet.inheritance import FIRST, Inherited, Key, inheritance
from gateway import boot, inherit
from gateway.clock import Clock
from gateway.cloud_requests import open_client
from gateway.enrol import Grounds, enrol
from gateway.identity import load
from gateway.journal.store import Journal
from gateway.shelf import Shelf
from gateway.uses import Uses
from tests.cloud.twins import NOON_MS, CloudTwin, GatewayTwin
from wire.records import USED_TAKEN, Count, DeviceEvent, Intent, Record, Return

DIED = Grounds("the card died", "A. Operator")
NEW_BOOT = "f" * 16
SLOT = {"slot": "1", "item_id": "bolt", "capacity": 20, "min": 2, "max": 20}


@pytest.fixture
def died(cloud: CloudTwin) -> GatewayTwin:
    """A gateway that counted, drew, and left one draw unproven and one attempt open; then its card died."""
    gateway = cloud.gateway()
    assert cloud.ask("POST", "/v1/items", {"item_id": "bolt", "name": "Bolt", "pack": 1}).status_code == 201
    assert cloud.ask("PUT", "/v1/cabinets/cab-1/planogram", {"slots": [SLOT]}).status_code == 200
    counted = count(gateway, 20)
    first = intent(gateway)
    ended = gateway.draw(who="p-1", intent=f"{first.ep}/{first.n}")
    unproven = gateway.draw(who="p-2", outcome="unverified", confirmation="none")
    gateway.keep(counted, first, ended, unproven, gateway.reading(), intent(gateway))
    assert gateway.send(0).status_code == 200
    return gateway


def intent(gateway: GatewayTwin) -> Intent:
    return Intent(**gateway.base(slot="1", item="bolt", asked=1, who="p-1"))


def count(gateway: GatewayTwin, qty: int) -> Count:
    return Count(**gateway.base(slot="1", item="bolt", qty=qty))


class NewCard:
    """A card that is enrolled and starts."""

    def __init__(self, cloud: CloudTwin, folder: Path, gateway: str = "gw-1", grounds: Grounds | None = DIED) -> None:
        self.cloud, self.folder = cloud, folder
        self.shelf, self.uses = Shelf(), Uses()
        self.open: list[str] = []
        self.found = 0
        made = cloud.ask("POST", f"/v1/gateways/{gateway}/enrolment-codes").json()["code"]
        transport = httpx.ASGITransport(cloud.app, raise_app_exceptions=False)

        async def known() -> None:
            async with open_client("http://cloud", transport=transport) as client:
                await enrol(client, folder, made, lambda: b"n" * 32, grounds)

        cloud.wait(known())

    def start(self, *told: Record, boot_id: str = NEW_BOOT) -> None:
        """One start, up to where the shelf and the limits are known; ``told`` is recorded by this card before it."""
        self.shelf, self.uses = Shelf(), Uses()
        self.cloud.wait(self._start(told, boot_id))

    async def _start(self, told: tuple[Record, ...], boot_id: str) -> None:
        journal = await Journal.open(self.folder / "journal.db", boot=boot_id, salt=lambda: "0" * 32, demo=True)
        try:
            if told:
                await journal.append(list(told))
            self.found = await inherit.take_over(journal, _clock(boot_id), self.folder)
            inherit.done(self.folder)

            def tell(record: Record) -> None:
                self.shelf.apply(record)
                self.uses.apply(record)

            await boot.remember(journal, ["cab-1"], tell)
            self.open = [f"{one.key.ep}/{one.key.n}" for one in await journal.open_attempts() if one.commanded]
        finally:
            await journal.close()


def _clock(boot_id: str) -> Clock:
    return Clock(boot_id, wall=lambda: NOON_MS, line=lambda: 0.0, synchronised=lambda: True)


def test_a_new_card_knows_stock_draws_and_what_is_open(cloud: CloudTwin, died: GatewayTwin, tmp_path: Path) -> None:
    card = NewCard(cloud, tmp_path / "card")

    card.start()

    assert card.found == 4
    assert card.shelf.look("cab-1", "1").on_hand == 18
    assert [(draw.who, draw.outcome) for draw in card.shelf.waiting()] == [("p-2", "unverified")]
    assert [(use.who, use.qty) for use in card.uses.of("p-1")] == [("p-1", 1), ("p-1", 1)]
    assert card.open == [f"{died.epoch}/6"]


def test_what_is_inherited_is_older_than_all_that_the_card_recorded(
    cloud: CloudTwin, died: GatewayTwin, tmp_path: Path
) -> None:
    card = NewCard(cloud, tmp_path / "card")
    died.epoch = died.boot = NEW_BOOT

    card.start(count(died, 7))
    card.start(boot_id="a" * 16)

    assert card.shelf.look("cab-1", "1").on_hand == 7


def test_it_is_taken_over_once_and_an_attempt_that_has_ended_stays_ended(
    cloud: CloudTwin, died: GatewayTwin, tmp_path: Path
) -> None:
    card = NewCard(cloud, tmp_path / "card")
    kept = (card.folder / inherit.FILE).read_bytes()
    card.start()
    died.epoch = died.boot = "a" * 16
    (card.folder / inherit.FILE).write_bytes(kept)

    card.start(died.draw(intent="e" * 16 + "/6", outcome="unverified"), boot_id="a" * 16)

    assert (card.found, card.open) == (0, [])
    assert card.shelf.look("cab-1", "1").on_hand == 17
    assert not (card.folder / inherit.FILE).exists()


def test_a_journal_that_remembers_the_boots_itself_inherits_nothing(
    cloud: CloudTwin, died: GatewayTwin, tmp_path: Path
) -> None:
    card = NewCard(cloud, tmp_path / "card")
    died.n = 0

    card.start(count(died, 20), boot_id=died.epoch)

    assert (card.found, card.shelf.look("cab-1", "1").on_hand) == (0, 20)


def test_another_gateway_gets_the_goods_of_a_moved_cabinet_and_none_of_its_open_attempts(
    cloud: CloudTwin, died: GatewayTwin, tmp_path: Path
) -> None:
    assert cloud.ask("POST", "/v1/gateways", {"name": "H", "gateway_id": "gw-2"}).status_code == 201
    assert cloud.ask("PATCH", "/v1/devices/cab-1", {"gateway_id": "gw-2"}).status_code == 200
    card = NewCard(cloud, tmp_path / "card", "gw-2")

    card.start()

    assert (card.shelf.look("cab-1", "1").on_hand, card.open) == (18, [])


def test_a_long_history_comes_in_pieces(cloud: CloudTwin, died: GatewayTwin) -> None:
    died.enrol()
    whole = cloud.look(lambda tx: inheritance(tx, cloud.tenant, "gw-1", 2, FIRST))

    found: list[Inherited] = []
    after: Key | None = FIRST
    while after is not None:
        piece = cloud.look(partial(inheritance, tenant=cloud.tenant, gateway="gw-1", log_no=2, after=after, room=2))
        found += piece.records
        after = piece.last

    assert len(found) == 5
    assert (found, None) == (whole.records, whole.last)


def test_only_the_gateway_itself_is_told(cloud: CloudTwin, died: GatewayTwin) -> None:
    other = cloud.gateway("gw-2", devices=())

    answer = other.signed_get("/v1/gateways/gw-1/inheritance")

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/bad-signature")


def test_a_draw_that_nobody_proved_has_its_name_on_both_sides(
    cloud: CloudTwin, died: GatewayTwin, tmp_path: Path
) -> None:
    card = NewCard(cloud, tmp_path / "card")
    card.start()
    (draw,) = card.shelf.waiting()

    assert cloud.ask("GET", "/v1/unproven-draws").json()["items"][0]["record"] == f"cab-1/{draw.ep}/{draw.n}"


def test_a_card_that_is_enrolled_without_a_word_still_names_the_log_before(
    cloud: CloudTwin, died: GatewayTwin, tmp_path: Path
) -> None:
    card = NewCard(cloud, tmp_path / "card", grounds=None)

    known = load(card.folder)
    assert (known.follows.origin, known.follows.size) == (died.origin, 6) if known.follows else False
    assert known.reason


def test_the_box_of_used_goods_is_inherited(cloud: CloudTwin, died: GatewayTwin, tmp_path: Path) -> None:
    back = Return(**died.base(slot="burn", item="bolt", qty=3, condition="used"))
    out = {"item": "bolt", "quantity": 2, "slot": "1"}
    died.keep(back, DeviceEvent(**died.base(event=USED_TAKEN, slot="burn", data=out)))
    assert died.send(6).status_code == 200
    card = NewCard(cloud, tmp_path / "card")

    card.start()

    assert card.shelf.used("cab-1", "bolt") == 1
