"""Draws at an MQTT cabinet, with everything a broker may do to the messages in between."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from firmware_sim.faults import MqttPlan
from gateway.kiosk_desk import KioskDesk
from gateway.ports import Badge
from gateway.rules import Blocked, Item, Job, Person
from gateway.take_draw import DrawResult, take_draw
from gateway.visitors import Visitor
from tests.gateway.mqtt_site import CABINET, MqttSite, on_an_mqtt_site, planned
from tests.gateway.site import Told
from wire.records import DeviceEvent, Draw, DrawResolved, Intent, Refill

AUTONOMOUS = (
    b'{"v":1,"mid":"x","boot":9,"seq":1,"t":"","clk":"unsynced","type":"dispense.result","cmd_id":"",'
    b'"slot":"1-03","qty":1,"motor":"ok","drop":"seen"'
)


def filled(boot: str, slot: str, qty: int, *, lot: str = "", serial: str = "") -> Refill:
    return Refill(
        v=1, z="", src=CABINET, ep=boot, n=0, t=0, ts="S", b=boot, m=0, slot=slot, item=f"item-{slot}", qty=qty,
        lot=lot, serial=serial,
    )  # fmt: skip


def test_a_badge_at_the_cabinet_becomes_one_draw(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.badge("1-03")
        await site.clock.sleep(10)

        (draw,) = await site.records(Draw)
        (intent,) = await site.records(Intent)
        assert (draw.slot, draw.qty, draw.outcome, draw.who, draw.item) == ("1-03", 1, "confirmed", "p-17", "item-1-03")
        assert draw.intent == f"{intent.ep}/{intent.n}"
        assert draw.did
        assert intent.did

    on_an_mqtt_site(tmp_path, play)


def test_an_unknown_badge_is_refused_at_the_cabinet_and_the_refusal_is_kept(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.badge("1-03", "NOBODY")
        await site.clock.sleep(10)

        assert site.twin.display
        assert await site.draws() == [("1-03", 0, "denied")]

    on_an_mqtt_site(tmp_path, play)


def test_a_draw_at_the_cabinet_names_the_lot_or_the_number_of_what_left(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.rule(items=(Item("item-1-03", serial=True), Item("item-1-04", lot=True)))
        boot = site.clock.boot
        await site.premises.keep(filled(boot, "1-03", 1, serial="S-1"), filled(boot, "1-04", 5, lot="L-7"))
        for slot in ("1-03", "1-04"):
            site.badge(slot)
            await site.clock.sleep(10)

        assert [(one.slot, one.qty, one.lot, one.serial) for one in await site.records(Draw)] == [
            ("1-03", 1, "", "S-1"),
            ("1-04", 1, "L-7", ""),
        ]
        held = [site.premises.shelf.look(CABINET, slot) for slot in ("1-03", "1-04")]
        assert [(one.on_hand, one.serials) for one in held] == [(0, []), (4, [])]

    on_an_mqtt_site(tmp_path, play)


def test_what_a_request_at_the_cabinet_is_for_is_judged_and_charged(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.rule(items=(Item("item-1-03", needs_job=True),), jobs=(Job("J-1"),))
        for for_ in ("", "/J-9", "J-1"):
            site.badge("1-03", for_=for_)
            await site.clock.sleep(10)

        told = [
            (one.outcome, one.for_, one.confirmation) for one in await site.records(Draw) if one.outcome == "denied"
        ]
        assert told == [("denied", "", "needs_job"), ("denied", "/J-9", "unknown_job")]
        assert [one.for_ for one in await site.records(Draw) if one.qty] == ["J-1"]

    on_an_mqtt_site(tmp_path, play)


def test_a_cabinet_whose_last_attempts_are_not_settled_refuses_by_that_name(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.premises.recovering.add(CABINET)
        site.badge("1-03")
        await site.clock.sleep(10)

        assert [(one.outcome, one.confirmation) for one in await site.records(Draw)] == [("denied", "recovering")]

    on_an_mqtt_site(tmp_path, play)


def test_a_draw_at_the_kiosk_waits_for_the_cabinets_result(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        result = await take_draw(site.premises, site.session.desks[CABINET], "B0017", "1-04", quantity=2)

        assert (result.outcome, result.qty) == ("confirmed", 2)
        assert await site.draws() == [("1-04", 2, "confirmed")]

    on_an_mqtt_site(tmp_path, play)


@pytest.mark.parametrize("plan", [MqttPlan(double=0.5), MqttPlan(lose_ack=0.5), MqttPlan(double=0.3, lose_ack=0.3)])
def test_what_is_told_twice_is_counted_once(tmp_path: Path, plan: MqttPlan) -> None:
    async def play(site: MqttSite) -> None:
        for _ in range(6):
            site.badge("1-03")
            await site.clock.sleep(10)
        site.broker.stop()
        site.broker.start()
        await site.clock.sleep(60)

        assert await site.draws() == [("1-03", 1, "confirmed")] * 6

    on_an_mqtt_site(tmp_path, play, plan)


@pytest.mark.parametrize("after", [0.001, 0.01, 0.5, 2.0, 3.5])
def test_a_power_cut_at_any_moment_of_a_draw_counts_it_once(tmp_path: Path, after: float) -> None:
    async def play(site: MqttSite) -> None:
        site.badge("1-03")
        await site.clock.sleep(after)
        await site.power_off()
        await site.power_on()
        await site.clock.sleep(200)

        left = 8 - site.twin.coils.goods("1-03")
        assert sum(qty for _, qty, outcome in await site.draws() if outcome == "confirmed") == left
        assert await site.journal.open_attempts() == []

    on_an_mqtt_site(tmp_path, play)


@pytest.mark.parametrize("refusals", [1, 2, 5])
def test_a_result_is_not_heard_before_it_is_known_who_waited_for_it(tmp_path: Path, refusals: int) -> None:
    async def play(site: MqttSite) -> None:
        site.badge("1-03")
        await site.clock.sleep(0.5)
        await site.power_off()
        await site.power_on(refusals)
        await site.clock.sleep(200)

        assert await site.draws() == [("1-03", 1, "confirmed")]
        assert await site.journal.open_attempts() == []

    on_an_mqtt_site(tmp_path, play)


def test_a_result_that_comes_after_we_gave_up_decides_the_draw(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.twin.synced = False
        site.badge("1-03")
        await site.clock.sleep(1)
        site.broker.drop(site.client)
        await site.clock.sleep(120)
        undecided = await site.draws()
        site.broker.connect(site.client)
        await site.clock.sleep(10)

        assert undecided == [("1-03", 1, "unverified")]
        (resolved,) = await site.records(DrawResolved)
        assert (resolved.outcome, resolved.qty) == ("confirmed", 1)

    on_an_mqtt_site(tmp_path, play)


@pytest.mark.parametrize("speaks_again", [True, False])
def test_events_that_a_broker_lost_are_told_again(tmp_path: Path, *, speaks_again: bool) -> None:
    async def play(site: MqttSite) -> None:
        site.badge("1-03")
        await site.clock.sleep(10)
        await site.power_off()
        site.client.did(site.twin.service_door(site.client.now, opened=True, forced=True))
        await site.clock.sleep(1)
        site.broker.stop(forget=True)
        site.broker.start()
        await site.power_on()
        await site.clock.sleep(1)
        if speaks_again:
            site.client.did(site.twin.service_door(site.client.now, opened=False))
        await site.clock.sleep(30)

        told = await site.events()
        assert told.count("door_forced") == 1
        assert ("lost" in told) is speaks_again

    on_an_mqtt_site(tmp_path, play)


def test_a_malformed_message_is_told_with_its_hash_and_blocks_nothing(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.broker.publish(f"vend/v1/{CABINET}/evt", b'{"v":1,')
        site.badge("1-03")
        await site.clock.sleep(10)

        (event,) = [one for one in await site.records(DeviceEvent) if one.event == "malformed"]
        assert (event.data["size"], len(event.raw)) == (7, 64)
        assert await site.draws() == [("1-03", 1, "confirmed")]

    on_an_mqtt_site(tmp_path, play)


def test_a_retained_message_draws_nothing(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.broker.publish(f"vend/v1/{CABINET}/evt", AUTONOMOUS + b"}", retain=True)
        await site.power_off()
        await site.power_on()
        await site.clock.sleep(10)

        draws = await site.draws()
        assert len(draws) == 1  # the live copy, not the retained one

    on_an_mqtt_site(tmp_path, play)


def test_what_a_cabinet_gave_alone_names_account_and_lot_and_the_rule_it_broke(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.rule(
            persons=(Person("p-17", cost_centre="CC1"),), items=(Item("item-1-03", lot=True),),
            blocked=Blocked(badges=frozenset({"B0017"})),
        )  # fmt: skip
        await site.premises.keep(filled(site.clock.boot, "1-03", 5, lot="L-7"))
        site.broker.publish(f"vend/v1/{CABINET}/evt", AUTONOMOUS + b',"badge":"B0017","auth":"local"}')
        await site.clock.sleep(5)

        (draw,) = await site.records(Draw)
        assert (draw.outcome, draw.for_, draw.lot, draw.q) == (
            "confirmed",
            "CC1",
            "L-7",
            ["autonomous", "badge_blocked"],
        )

    on_an_mqtt_site(tmp_path, play)


def test_what_an_autonomous_cabinet_gave_is_recorded_and_flagged(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        site.broker.publish(f"vend/v1/{CABINET}/evt", AUTONOMOUS + b',"badge":"B0017","auth":"local"}')
        await site.clock.sleep(2)

        (draw,) = await site.records(Draw)
        assert (draw.qty, draw.outcome, draw.who, draw.q) == (1, "confirmed", "p-17", ["autonomous"])

    on_an_mqtt_site(tmp_path, play)


def test_a_kiosk_session_and_a_request_at_the_cabinet_never_serve_two_people_at_once(tmp_path: Path) -> None:
    async def play(site: MqttSite) -> None:
        badges = {one: Badge(one, f"p-{one[-2:]}") for one in ("B0017", "B0018")}
        site.premises.desired = Told(msgspec.structs.replace(planned(), badges=badges))
        desk = KioskDesk(site.premises, site.session.desks, lambda: "t" * 32, 60)
        visitor = await desk.badge(CABINET, "B0018")
        assert isinstance(visitor, Visitor)
        for badge in ("B0017", "B0018"):
            site.badge("1-03", badge)
            await site.clock.sleep(10)
        await desk.leave(visitor.token)
        site.badge("1-04", "B0017")
        while CABINET not in site.premises.busy:
            await site.clock.sleep(0.05)
        during = await desk.badge(CABINET, "B0018")
        await site.clock.sleep(10)

        draws = [(one.slot, one.who, one.outcome, one.confirmation) for one in await site.records(Draw)]
        assert draws[0] == ("1-03", "p-17", "denied", "busy")
        assert [one[:3] for one in draws[1:]] == [("1-03", "p-18", "confirmed"), ("1-04", "p-17", "confirmed")]
        assert isinstance(during, DrawResult)
        assert during.outcome == "busy"

    on_an_mqtt_site(tmp_path, play)
