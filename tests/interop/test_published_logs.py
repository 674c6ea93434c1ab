"""What a log publishes, read as a stranger does: tiles, checkpoint, proofs; the checking algorithm is not ours."""

from __future__ import annotations

import base64

import httpx
import pytest

from tests.interop import tlog
from tests.interop.conftest import SIZES, Published, export
from wire import proof, seal
from wire.seal import Checkpoint, Signer
from wire.tiles import tiles_of

WITNESS = Signer("witness.example/w1", bytes([2]) * 32)
STRANGER = Signer("witness.example/w2", bytes([3]) * 32)


def get(published: Published, path: str, *, key: str = "") -> httpx.Response:
    """A request below the log's URL, without credentials unless told."""
    return published.gateway.cloud.ask("GET", f"/v1/logs/{published.gateway.log}/{path}", key=key)


def newest(published: Published) -> Checkpoint:
    """The published checkpoint."""
    return seal.verifier(published.gateway.signer.vkey).open(get(published, "checkpoint").text)


def test_the_tiles_served_are_the_tiles_exported(published: Published) -> None:
    for tile in tiles_of(SIZES[-1]):
        served = get(published, tile.path)

        assert (served.status_code, served.content) == (200, (published.folder / tile.path).read_bytes())


def test_the_tiles_lead_to_every_signed_root(published: Published) -> None:
    tree = tlog.TiledFolder(published.folder, SIZES[-1])

    for size in SIZES:
        note = published.gateway.note(size)
        assert tree.tree_hash(size) == seal.verifier(published.gateway.signer.vkey).open(note).root


def test_inclusion_proofs_are_those_of_the_standard(published: Published) -> None:
    leaves, root = published.gateway.leaves, newest(published).root

    for index in (0, 1, 255, 256, 511, 512, 698, 699):
        shown = proof.parse(get(published, f"inclusion?index={index}").text)
        tlog.check_record(list(shown.path), SIZES[-1], root, index, tlog.record_hash(leaves[index]))


def test_an_inclusion_proof_may_lead_to_an_older_checkpoint(published: Published) -> None:
    shown = proof.parse(get(published, "inclusion?index=7&size=300").text)

    checkpoint = seal.verifier(published.gateway.signer.vkey).open(shown.note)
    tlog.check_record(list(shown.path), 300, checkpoint.root, 7, tlog.record_hash(published.gateway.leaves[7]))


def test_consistency_proofs_are_those_of_the_standard(published: Published) -> None:
    tree = tlog.TiledFolder(published.folder, SIZES[-1])

    for old, size in [(1, 700), (256, 700), (300, 513), (699, 700), (700, 700)]:
        lines = get(published, f"consistency?old={old}&size={size}").text.split()
        path = [base64.b64decode(line) for line in lines]
        tlog.check_tree(path, size, tree.tree_hash(size), old, tree.tree_hash(old))


@pytest.mark.parametrize(
    "path",
    ["tile/0/003", "tile/0/002.p/189", "tile/1/000.p/3", "tile/2/000.p/1", "tile/9/../0", "tile/0/2", "tile/64/000",
     "inclusion?index=700", "inclusion?index=0&size=299", "consistency?old=0&size=5", "consistency?old=1&size=701"],
)  # fmt: skip
def test_what_the_log_does_not_have_is_not_found(published: Published, path: str) -> None:
    answer = get(published, path)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_leaves_are_shown_to_the_tenant_alone(published: Published) -> None:
    cloud = published.gateway.cloud
    _, other = cloud.add_tenant("other")

    mine = get(published, "tile/entries/002.p/188", key=cloud.key)

    assert mine.content == (published.folder / "tile/entries/002.p/188").read_bytes()
    assert get(published, "tile/entries/000").status_code == 401
    assert get(published, "tile/entries/000", key=other).status_code == 404


def test_a_second_export_writes_only_what_is_new(published: Published) -> None:
    cloud = published.gateway.cloud

    again = export(cloud.address, cloud.state, published.gateway.log, published.folder)

    assert again["written"] == 0


def cosign(published: Published, note: str) -> httpx.Response:
    """What a witness posts."""
    path = f"/v1/logs/{published.gateway.log}/cosignatures"
    return published.gateway.cloud.ask("POST", path, key="", body=note.encode())


def test_a_registered_witness_cosigns_and_its_line_is_published(published: Published) -> None:
    cloud = published.gateway.cloud
    cloud.ask("POST", "/v1/witnesses", {"vkey": WITNESS.cosigner_vkey})
    note = get(published, "checkpoint").text

    taken = cosign(published, note + WITNESS.cosign(note, 1_800_000_100) + STRANGER.cosign(note, 1_800_000_100))

    assert taken.text == WITNESS.cosign(note, 1_800_000_100)
    shown = get(published, "checkpoint").text
    assert seal.verifier(WITNESS.cosigner_vkey).cosigned_at(shown) == 1_800_000_100
    assert len(seal.split_note(shown)[1]) == 3


def test_a_strangers_cosignature_is_not_kept(published: Published) -> None:
    note = published.gateway.note(SIZES[-1])

    answer = cosign(published, note + STRANGER.cosign(note, 5))

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/bad-signature")


def test_a_cosignature_on_a_checkpoint_we_never_had_is_not_kept(published: Published) -> None:
    note = published.gateway.signer.sign(Checkpoint(published.gateway.origin, 700, bytes(32)))

    answer = cosign(published, note + WITNESS.cosign(note, 5))

    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


def test_a_changed_cosignature_is_refused(published: Published) -> None:
    note = get(published, "checkpoint").text
    line = WITNESS.cosign(note, 5)

    answer = cosign(published, note + line[:-6] + ("A" if line[-6] != "A" else "B") + line[-5:])

    assert answer.status_code in (403, 422)
