"""Keys that changed, in the customer's own check in a real browser: the chain is followed, and no link can be bent."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Page

from tests.cloud.test_log_keys import revoke, rotated, tally_cloud
from tests.cloud.trade import DAY, FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin
from tests.web.conftest import Served
from tests.web.test_in_browser import page
from tests.web.test_verify_in_browser import RUN, change, leaves_of, open_statement
from wire.hand_over import hand_over
from wire.seal import Checkpoint, Signer, split_note

pytestmark = pytest.mark.browser
__all__ = ["page"]
T = TypeVar("T")


def made(folder: Path, work: Callable[[Trade], T], **terms: object) -> T:
    """What ``work`` makes of a cabinet of which one draw is cosigned; on a thread: the browser has a loop here."""

    def alone() -> T:
        with CloudTwin(f"sqlite:///{folder}/cloud.db", folder / "state") as cloud:
            trade = Trade(cloud, **terms)
            trade.draw()
            trade.send()
            return work(trade)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(alone).result()


def closed(trade: Trade) -> dict[str, Any]:
    """The statement of a day with one more draw."""
    trade.at += HOUR
    trade.draw()
    trade.send()
    return trade.close(FIRST, "2026-11-02")


def read(trade: Trade, statement: dict[str, Any]) -> dict[str, Any]:
    """Its bundle as it is now."""
    found: dict[str, Any] = json.loads(trade.bundle(statement))
    return found


def wrong(page: Page, bundle: dict[str, Any], known: str = "") -> list[str]:
    """What the page finds."""
    return [one["what"] for one in page.evaluate(RUN, [bundle, known])]


def test_a_bundle_over_a_change_of_both_keys_fits_with_either_label(
    page: Page, served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(trade: Trade) -> tuple[Signer, Signer, dict[str, Any]]:
        old, new = trade.gateway.signer, rotated(trade)
        tally_cloud(trade.cloud, capsys, "keys", "rotate")
        return old, new, read(trade, closed(trade))

    old, new, bundle = made(tmp_path, work)
    open_statement(page, served)

    assert len(bundle["keys"]["hand_overs"]) == len(bundle["logs"][0]["hand_overs"]) == 1
    for label in ("", old.vkey, f" {new.vkey}\n", new.cosigner_vkey):
        assert wrong(page, bundle, label) == []
    assert "label" in wrong(page, bundle, Signer(old.name, bytes(32)).vkey)[0]


def test_no_change_of_a_hand_over_or_a_revocation_goes_unnoticed(
    page: Page, served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(trade: Trade) -> dict[str, Any]:
        rotated(trade)
        tally_cloud(trade.cloud, capsys, "keys", "rotate")
        statement = closed(trade)
        revoke(trade.cloud, trade.gateway.log, trade.cloud.clock.ms)
        return read(trade, statement)

    bundle = made(tmp_path, work)
    notes = [path for path in leaves_of(bundle) if {"hand_overs", "revocations"} & set(map(str, path))]
    open_statement(page, served)

    assert len(notes) == 3
    assert wrong(page, bundle) == []
    for path in notes:
        for forged in forgeries(bundle, path):
            assert wrong(page, forged) != [], path


def forgeries(bundle: dict[str, Any], path: tuple[Any, ...]) -> Iterator[dict[str, Any]]:
    """The bundle with another text in one place."""
    note = bundle
    for key in path:
        note = note[key]
    for other in bent(str(note)):
        forged = copy.deepcopy(bundle)
        place: Any = forged
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = other
        yield forged


def bent(note: str) -> list[str]:
    """Other notes: each line another, no signature, half of them, a line more."""
    text, signatures = note.split("\n\n")
    lines = text.split("\n")
    other = ["\n".join([*lines[:at], line[:-1] + ("1" if line[-1:] != "1" else "2"), *lines[at + 1 :]])
             for at, line in enumerate(lines)]  # fmt: skip
    return [
        *(f"{one}\n\n{signatures}" for one in other), f"{text}\nmore\n\n{signatures}", f"{text}\n\n",
        f"{text}\n\n{signatures.splitlines()[0]}\n" if signatures.count("\n") > 1 else "", "",
    ]  # fmt: skip


def test_what_a_key_signed_behind_its_end_is_refused(page: Page, served: Served, tmp_path: Path) -> None:
    def work(trade: Trade) -> dict[str, Any]:
        old = trade.gateway.signer
        rotated(trade)
        bundle = read(trade, closed(trade))
        notes = bundle["logs"][0]["notes"]
        by_the_old = old.sign(Checkpoint.parse(split_note(notes[-1])[0]))
        seconds = bundle["statement"]["head"]["logs"][0]["receipts"][-1]["seconds"]
        notes[-1] = by_the_old + trade.cloud.app.state.context.cosigner.cosign(by_the_old, seconds)
        return bundle

    bundle = made(tmp_path, work)
    open_statement(page, served)

    assert any("retired at size 1 and signed size 2" in one for one in wrong(page, bundle))


def test_a_successor_that_the_old_key_did_not_name_is_refused(page: Page, served: Served, tmp_path: Path) -> None:
    def work(trade: Trade) -> dict[str, Any]:
        rotated(trade)
        return read(trade, closed(trade))

    bundle = made(tmp_path, work)
    log = bundle["logs"][0]
    thief, stranger = (Signer(log["origin"], bytes([at]) * 32) for at in (7, 8))
    open_statement(page, served)

    log["hand_overs"] = [hand_over(stranger, thief, size=1, root=bytes(32), seconds=1)]

    assert any("not one chain" in one for one in wrong(page, bundle))


def test_a_statement_over_records_of_a_revoked_key_is_refused(page: Page, served: Served, tmp_path: Path) -> None:
    def work(trade: Trade) -> dict[str, Any]:
        before_ms = trade.cloud.clock.ms
        statement = closed(trade)
        revoke(trade.cloud, trade.gateway.log, before_ms)
        return read(trade, statement)

    bundle = made(tmp_path, work)
    open_statement(page, served)

    assert any("revoked at size 1" in one for one in wrong(page, bundle))


WITNESSES = [Signer(f"witness.example/w{at}", bytes([at]) * 32) for at in (1, 2)]


def test_the_agreed_witnesses_are_counted_and_no_proof_of_theirs_can_be_bent(
    page: Page, served: Served, tmp_path: Path
) -> None:
    def work(trade: Trade) -> dict[str, Any]:
        path = f"/v1/logs/{trade.gateway.log}"
        for one in WITNESSES:
            trade.post("/v1/witnesses", {"vkey": one.cosigner_vkey})
        for one in WITNESSES:
            for _ in range(3):
                trade.draw()
                trade.send()
            note = trade.cloud.ask("GET", f"{path}/checkpoint", key="").text
            body = (note + one.cosign(note, 1_800_000_000)).encode()
            assert trade.cloud.ask("POST", f"{path}/cosignatures", key="", body=body).is_success
            trade.at += DAY
        return read(trade, trade.close(FIRST, "2026-11-02"))

    bundle = made(tmp_path, work, witnesses={"keys": [one.cosigner_vkey for one in WITNESSES], "at_least": 2})
    log = bundle["logs"][0]
    open_statement(page, served)

    assert [len(one["path"]) > 0 for one in log["witnessed"]] == [False, True]
    assert wrong(page, bundle) == []
    for spoilt in ([], log["witnessed"][:1], [log["witnessed"][0]] * 2):
        forged = copy.deepcopy(bundle)
        forged["logs"][0]["witnessed"] = spoilt
        assert any("2 of the agreed witnesses" in one for one in wrong(page, forged))
    for path in [path for path in leaves_of(bundle) if "witnessed" in path]:
        forged = copy.deepcopy(bundle)
        change(forged, path)
        assert wrong(page, forged) != [], path
