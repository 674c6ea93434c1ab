"""A database damaged behind our back: found, named, its log not billed, an alarm raised; released only by a person."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from cloud.billing.bundle import Keys
from cloud.invariants.walk import Walked, walk
from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin

DAMAGES: dict[str, tuple[str, str]] = {
    "leaf-changed": ("UPDATE leaves SET leaf = ? WHERE idx = 1", '{"k":"draw"}'),
    "leaf-missing": ("DELETE FROM leaves WHERE idx = ?", "1"),
    "root-differs": ("UPDATE checkpoints SET root = ? WHERE size = 2", "00" * 32),
    "head-differs": ("UPDATE log_heads SET root = ?", "00" * 32),
    "note-unsigned": ("UPDATE checkpoints SET cosignature = ?", "— tallystick.cloud AAAAAAAAAAAAAAAAAAA=\n"),
    "key-lost": ("DELETE FROM record_keys WHERE n = ?", "1"),
    "balance-differs": ("UPDATE stock_balances SET micro = micro + ? WHERE place = 'slot'", "1000000"),
    "register-differs": ("UPDATE meter_registers SET value = value + ?", "1"),
}


def busy(cloud: CloudTwin) -> Trade:
    """A shop with draws, a refill and readings, in several pieces."""
    trade = Trade(cloud)
    trade.refill(10)
    trade.read(1000)
    trade.send()
    trade.at += HOUR
    trade.draw()
    trade.read(2000)
    trade.send(2)
    return trade


def damage(cloud: CloudTwin, kind: str) -> None:
    """Changes the database as nobody should."""
    sql, value = DAMAGES[kind]
    parameter: Any = value
    if "root" in sql:
        parameter = bytes.fromhex(value)
    elif "SET leaf" in sql:
        parameter = value.encode()
    elif value.isdigit():
        parameter = int(value)
    assert cloud.run(lambda tx: tx.run(sql, (parameter,))) > 0


def check(cloud: CloudTwin) -> Walked:
    """The walk, as the background and the command do it."""
    cosigner = cloud.app.state.context.cosigner
    return cloud.wait(walk(cloud.store, cloud.clock.ms, Keys(cosigner.cosigner_vkey, cosigner.vkey)))


def kinds(walked: Walked) -> set[str]:
    """Which invariants broke."""
    return {one.kind for _, one in walked.broken}


def close(cloud: CloudTwin) -> tuple[int, str]:
    """Tries to bill the first day."""
    cloud.clock.ms += 48 * HOUR
    body = {"from": FIRST, "to": "2026-11-02"}
    answer = cloud.ask("POST", "/v1/agreements/agr-1/statements", body)
    return answer.status_code, answer.json().get("type", "")


def test_sound_books_have_nothing_to_say(cloud: CloudTwin) -> None:
    trade = busy(cloud)
    trade.close(FIRST, "2026-11-02")

    walked = check(cloud)

    assert (walked.broken, walked.logs, walked.statements) == ([], 1, 1)
    assert cloud.ask("GET", "/v1/holds").json()["items"] == []


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_every_damage_is_named_and_stops_the_billing_of_its_log(cloud: CloudTwin, kind: str) -> None:
    busy(cloud)
    damage(cloud, kind)

    found = kinds(check(cloud))

    assert kind in found
    assert kind in {one["kind"] for one in cloud.ask("GET", "/v1/holds").json()["items"]}
    assert close(cloud) == (409, "/problems/billing-held")
    assert f"tally_open_holds {len(found)}.0" in cloud.ask("GET", "/metrics", key="").text


def test_a_statement_that_no_longer_follows_from_its_leaves_is_found(cloud: CloudTwin) -> None:
    trade = busy(cloud)
    trade.close(FIRST, "2026-11-02")
    cloud.run(lambda tx: tx.run("UPDATE statements SET body = REPLACE(body, '\"300.00\"', '\"301.00\"')"))

    assert kinds(check(cloud)) == {"statement-differs"}


def test_a_slot_below_nothing_that_nobody_was_told_of_is_found(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw(qty=2)
    trade.send()
    assert kinds(check(cloud)) == set()

    cloud.run(lambda tx: tx.run("DELETE FROM discrepancies"))

    assert kinds(check(cloud)) == {"stock-below-nothing"}


@pytest.mark.parametrize("kind", ["leaf-changed", "leaf-missing", "root-differs"])
def test_a_bill_is_not_made_even_before_a_check_has_run(cloud: CloudTwin, kind: str) -> None:
    busy(cloud)
    damage(cloud, kind)

    assert close(cloud) == (409, "/problems/billing-held")
    assert [one["kind"] for one in cloud.ask("GET", "/v1/holds").json()["items"]] == [kind]


def test_a_closing_run_goes_on_with_the_others(cloud: CloudTwin) -> None:
    busy(cloud)
    damage(cloud, "leaf-changed")
    cloud.clock.ms += 40 * 24 * HOUR

    made = cloud.ask("POST", "/v1/closing-runs").json()["items"]

    assert [one["state"] for one in made] == ["held"]


def test_a_named_decision_with_a_reason_releases_the_log_and_is_kept(cloud: CloudTwin) -> None:
    trade = busy(cloud)
    damage(cloud, "balance-differs")
    check(cloud)
    path = f"/v1/holds/{trade.gateway.log}/balance-differs/release"

    nameless = cloud.ask("POST", path, {"who": "", "reason": "x"})
    answer = cloud.ask("POST", path, {"who": "A. Operator", "reason": "counted by hand, 9 pieces"})

    assert (nameless.status_code, answer.status_code) == (422, 200)
    kept = cloud.ask("GET", "/v1/holds?state=all").json()["items"]
    assert [(one["state"], one["released_by"], one["reason"]) for one in kept] == [
        ("released", "A. Operator", "counted by hand, 9 pieces")
    ]
    assert close(cloud)[0] == 201


def test_what_was_released_is_not_held_again_but_a_new_finding_is(cloud: CloudTwin) -> None:
    trade = busy(cloud)
    damage(cloud, "balance-differs")
    check(cloud)
    said = {"who": "A. Operator", "reason": "known"}
    cloud.ask("POST", f"/v1/holds/{trade.gateway.log}/balance-differs/release", said)

    again = check(cloud).new_holds
    damage(cloud, "balance-differs")
    more = check(cloud).new_holds

    assert (again, more) == (0, 1)


def test_a_damaged_head_is_not_blamed_on_the_gateway(cloud: CloudTwin) -> None:
    trade = busy(cloud)
    cloud.run(lambda tx: tx.run("UPDATE log_heads SET frontier = ?", (bytes(64),)))
    trade.draw()

    answer = trade.gateway.send(trade.sent)

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/log-damaged")
    assert cloud.ask("GET", "/v1/evidence").json()["items"] == []
    assert [one["kind"] for one in cloud.ask("GET", "/v1/holds").json()["items"]] == ["head-differs"]


def test_the_background_walks_when_its_time_has_come(cloud: CloudTwin) -> None:
    busy(cloud)
    damage(cloud, "balance-differs")

    cloud.clock.move(200 * 86_400)
    answers = (cloud.ask("GET", "/v1/holds").json()["items"] for _ in range(500))

    assert next(filter(None, answers))[0]["kind"] == "balance-differs"


def command(cloud: CloudTwin, *words: str) -> tuple[int, str]:
    """``tally-cloud`` under ``python -O``, which drops assert statements."""
    environment = {**os.environ, "TALLY_DATABASE": cloud.address, "TALLY_STATE": str(cloud.state)}
    line: Sequence[str] = [sys.executable, "-O", "-m", "cloud.cli", *words, "--json"]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_command_finds_it_without_assert_statements_too(cloud: CloudTwin) -> None:
    trade = busy(cloud)
    sound = command(cloud, "check")
    damage(cloud, "leaf-changed")

    broken = command(cloud, "check")
    released = command(cloud, "release", trade.gateway.log, "leaf-changed", "--who", "A. Operator", "--reason", "known")

    assert (sound[0], broken[0], released[0]) == (0, 1, 0)
    assert '"leaf-changed"' in broken[1]
