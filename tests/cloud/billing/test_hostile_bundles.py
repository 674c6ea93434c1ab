"""Bundles by somebody who means harm: the supplier with the cloud's own key, and files made to mislead or to stall."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from cloud.billing import verify as checking
from cloud.billing.bundle import Bundle, BundleError, Hidden, LineProof, TermsVersion, dump, load
from cloud.billing.statement import Head, digest, note_text, version_refs
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_chain import check_chain
from cloud.billing.verify_cli import main
from cloud.billing.verify_lines import text_of
from cloud.billing.verify_logs import Finding
from tests.cloud.databases import Databases
from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin
from wire.log import leaf_hash
from wire.seal import Signer

replace = msgspec.structs.replace


class Supplier:
    """Holds the cloud's key: works a statement out again from changed evidence, makes all hashes fit and signs it."""

    def __init__(self, cloud: CloudTwin) -> None:
        trade = Trade(cloud)
        trade.event("gw-1", "boot", last=[], previous="")
        trade.read(1000)
        trade.draw(qty=2)
        trade.send()
        trade.close(FIRST, "2026-11-02")
        trade.to("2026-11-02", 8)
        drawn = trade.draw(qty=3)
        trade.read(2500)
        trade.reverse(drawn)
        trade.reboot(previous="b" * 16)
        trade.at += HOUR
        trade.draw()
        trade.read(3000)
        trade.send()
        self.bundle = load(trade.bundle(trade.close("2026-11-02", "2026-11-03")))
        self.signer: Signer = cloud.app.state.context.cosigner

    def signed(self, bundle: Bundle) -> bytes:
        """The bundle, worked out again and signed."""
        findings: list[Finding] = []
        head = bundle.statement.head
        versions = checking._check_versions(bundle, findings)
        chain = check_chain(head, bundle.previous, versions, findings)
        assert chain is not None
        facts, readers = checking._check_logs(bundle, versions, [], Trust(), chain.base, findings)
        settled = checking._settle(bundle, versions, chain, facts, findings)
        assert settled is not None
        pairs = zip(head.logs, readers, strict=True)
        logs = [replace(log, counters=sorted(reader.carried.values())) for log, reader in pairs]
        made = replace(
            head,
            versions=version_refs(versions),
            logs=logs,
            total=settled.total,
            registers=settled.registers,
            lines_hash=digest(settled.lines),
            unbilled_hash=digest(settled.unbilled),
            prev_hash=bundle.previous[0].hash,
        )
        note = self.signer.sign_text(note_text(made))
        statement = replace(
            bundle.statement, head=made, lines=settled.lines, unbilled=settled.unbilled, hash=made.hash, note=note
        )
        known = {(one.log, one.index): one.proof for one in bundle.proofs}
        leaves = [(line.no, leaf.log, leaf.index) for line in settled.lines for leaf in line.leaves]
        proofs = [LineProof(no, log, index, known.get((log, index), "")) for no, log, index in leaves]
        return dump(replace(bundle, statement=statement, proofs=proofs))

    def hiding(self, *kinds: str) -> bytes:
        """Without the last leaves of these kinds: their hashes only."""
        leaves = list(self.bundle.logs[0].leaves)
        for kind in kinds:
            at = max(at for at, leaf in enumerate(leaves) if isinstance(leaf, str) and f'"k":"{kind}"' in leaf)
            leaf = leaves[at]
            assert isinstance(leaf, str)
            leaves[at] = Hidden(leaf_hash(leaf.encode()).hex())
        return self.signed(replace(self.bundle, logs=[replace(self.bundle.logs[0], leaves=leaves)]))

    def after(self, previous: Head) -> bytes:
        """As if the statement before had said something else."""
        return self.signed(replace(self.bundle, previous=[previous]))


@pytest.fixture(scope="module")
def supplier(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Supplier:
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path_factory.mktemp("state")) as cloud:
        return Supplier(cloud)


def sentences(raw: bytes) -> str:
    return "\n".join(text_of(one) for one in verify(load(raw), Trust()).findings)


def test_signing_the_true_bundle_again_changes_nothing(supplier: Supplier) -> None:
    assert sentences(supplier.signed(supplier.bundle)) == ""


def test_a_register_that_was_set_back_in_the_statement_before_is_noticed(supplier: Supplier) -> None:
    before = supplier.bundle.previous[0]
    point = replace(before.registers[0].point, value=0)

    said = sentences(supplier.after(replace(before, registers=[replace(before.registers[0], point=point)])))

    assert "import_wh of meter-1: the register at which the statement before ended is not the one in its leaf" in said


def test_a_price_that_changed_after_it_was_billed_is_noticed(supplier: Supplier) -> None:
    dearer = [
        TermsVersion(one.version, one.first, one.terms.replace('"1.20"', '"9.20"')) for one in supplier.bundle.versions
    ]

    said = sentences(supplier.signed(replace(supplier.bundle, versions=dearer)))

    assert "billed terms never change" in said


def test_a_reversal_hidden_at_the_end_of_a_boot_is_noticed_by_the_next_boots_record(supplier: Supplier) -> None:
    said = sentences(supplier.hiding("reversal"))

    assert "cab-1 had counted to 3, only 2 are shown" in said


def test_hiding_the_record_of_the_boot_as_well_is_noticed(supplier: Supplier) -> None:
    said = sentences(supplier.hiding("reversal", "gateway_event"))

    assert "cab-1 counts anew, and the gateway's own record of that boot is not shown" in said


def test_a_whole_boot_of_a_log_that_is_shown_from_its_beginning_cannot_be_hidden(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.event("gw-1", "boot", last=[], previous="")
    trade.draw()
    trade.reboot(previous="c" * 16, last=[["cab-1", 2], ["gw-1", 1]])
    trade.draw()
    trade.send()

    said = sentences(trade.bundle(trade.close(FIRST, "2026-11-02")))

    assert "cab-1 had counted to 2, only 0 are shown" in said


def renamed(bundle: Bundle, subject: str) -> bytes:
    document = json.loads(dump(bundle))
    document["statement"]["lines"][0]["subject"] = subject
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "trick", ["\nverified: statement 1", "\r\x1b[2Kverified: all", "\u2028verified", "\u202e", "\x9b2K"]
)
def test_a_name_in_a_bundle_cannot_begin_a_line_or_move_the_cursor(
    supplier: Supplier, tmp_path: Path, capsys: pytest.CaptureFixture[str], trick: str
) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(renamed(supplier.bundle, trick))

    code = main([str(file)])

    said = capsys.readouterr().out
    assert code == 1
    assert trick not in said
    assert all(line.startswith(("refused: ", "No --key", "  ")) for line in said.splitlines())


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_terminal_without_chinese_shows_escapes(
    supplier: Supplier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(renamed(supplier.bundle, "钻头"))
    terminal = (tmp_path / "terminal").open("w", encoding="ascii")
    monkeypatch.setattr("sys.stdout", terminal)

    code = main([str(file), *options])

    terminal.close()
    assert code == 1
    assert "\\u94bb" in (tmp_path / "terminal").read_text()


def test_an_empty_cosigner_is_no_key(supplier: Supplier, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(dump(supplier.bundle))

    code = main([str(file), "--cosigner", ""])

    assert code == 2
    assert "a key you gave cannot be used" in capsys.readouterr().err


def test_a_cloud_key_that_only_the_bundle_vouches_for_is_said_to_be_one(
    supplier: Supplier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(dump(supplier.bundle))

    code = main([str(file), "--key", f" {supplier.bundle.logs[0].vkey}\n"])

    assert code == 0
    assert "No --cosigner was given" in capsys.readouterr().out


@pytest.mark.parametrize(
    "swollen",
    [
        lambda: b"[" + b"[]," * 3_000_000 + b"[]]",
        lambda: b"{" + b",".join(b'"k%d":0' % at for at in range(200_000)) + b',"k199999":0}',
    ],
)
def test_a_file_made_to_fill_the_memory_or_the_hour_ends_at_its_first_piece(swollen: Callable[[], bytes]) -> None:
    raw = swollen()

    tracemalloc.start()
    with pytest.raises(BundleError):
        load(raw)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < len(raw)


def test_a_hundred_thousand_invented_entries_do_not_stall_the_check(supplier: Supplier) -> None:
    document = json.loads(dump(supplier.bundle))
    entry = {"reason": "unverified", "device": "cab-1", "belongs_to": "", "leaves": []}
    document["statement"]["unbilled"] = [{**entry, "subject": str(at)} for at in range(100_000)]

    said = sentences(json.dumps(document).encode())

    assert "not billed (unverified): 99999 at cab-1: no leaves give this entry" in said
