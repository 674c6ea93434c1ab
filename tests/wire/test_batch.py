"""Batches: golden bytes, and every way a body can be wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire import golden
from wire import batch, log, seal
from wire import records as r
from wire.batch import BatchError
from wire.ids import log_id, origin

FILES = golden.build()
FIRST = FILES["0-4.batch"]


@pytest.mark.parametrize("name", sorted(FILES))
def test_version_1_is_written_as_it_was_released(name: str) -> None:
    assert (golden.FOLDER / name).read_bytes() == FILES[name]


def test_the_released_batches_still_verify_and_decode() -> None:
    frontier, found = log.Frontier(), []
    for path in sorted(golden.FOLDER.glob("*.batch"), key=lambda path: int(path.name.split("-")[0])):
        piece = batch.decode(path.read_bytes())
        receipt = batch.decode_receipt(Path(str(path).replace(".batch", ".receipt.json")).read_bytes())
        frontier = frontier.extend([log.leaf_hash(leaf) for leaf in piece.leaves])
        checkpoint = seal.Verifier(golden.SIGNER.vkey).open(piece.note)
        cosigned = seal.Verifier(golden.CLOUD.cosigner_vkey).cosigned_at(piece.note + receipt.cosignature)
        found += [r.decode(leaf) for leaf in piece.leaves]

        assert (checkpoint.size, checkpoint.root) == (frontier.size, frontier.root())
        assert cosigned == golden.COSIGNED_AT

    assert found == golden.every_kind()


def test_a_batch_comes_back_through_gzip() -> None:
    assert batch.decode(batch.inflate(batch.deflate(FIRST))) == batch.decode(FIRST)
    assert batch.deflate(FIRST) == batch.deflate(FIRST)
    assert gzip.decompress(batch.deflate(FIRST)) == FIRST


@given(st.integers(0, len(FIRST) - 1))
def test_a_body_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(BatchError):
        batch.decode(FIRST[:length])


@pytest.mark.parametrize("body", [b"", b"old 5\n\n", b"old -1" + FIRST[5:], b"old 01" + FIRST[5:], b"new 0" + FIRST[5:],
                                  FIRST + b"{}\n", b"old 9" + FIRST[5:], b"\xff" * 50])  # fmt: skip
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(BatchError) as caught:
        batch.decode(body)

    assert caught.value.code == "bad_batch"


def test_a_zip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000))

    with pytest.raises(BatchError) as caught:
        batch.inflate(bomb, 1_000_000)

    assert caught.value.code == "too_large"


@pytest.mark.parametrize("body", [b"", b"plain", batch.deflate(FIRST)[:-4], batch.deflate(FIRST) + b"x"])
def test_a_broken_gzip_body_is_refused(body: bytes) -> None:
    with pytest.raises(BatchError):
        batch.inflate(body)


def test_too_many_leaves_are_refused() -> None:
    note = golden.SIGNER.sign(seal.Checkpoint(golden.SIGNER.name, 5000, log.EMPTY_ROOT))

    with pytest.raises(BatchError) as caught:
        batch.decode(batch.encode(batch.Batch(0, note, [b"{}"] * 5000)))

    assert caught.value.code == "too_large"


@given(st.binary(max_size=200))
def test_rubbish_answers_are_refused_with_our_own_error(body: bytes) -> None:
    with pytest.raises(BatchError):
        batch.decode_receipt(body)
    with pytest.raises(BatchError):
        batch.decode_head(body)


def test_a_log_is_named_by_the_hash_of_its_origin() -> None:
    assert origin("acme", "gw-0001", 1) == "tallystick/acme/gw-0001/1"
    assert len(log_id(origin("acme", "gw-0001", 1))) == 64
    with pytest.raises(ValueError, match="letters"):
        origin("acme/evil", "gw", 1)
