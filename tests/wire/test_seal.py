"""Notes, checkpoints and cosignatures against C2SP's and Go's published examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import log, proof, seal

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "merkle_vectors.json").read_text())
OWN = VECTORS["own"]
GATEWAY = seal.Signer(OWN["gateway"]["name"], bytes.fromhex(OWN["gateway"]["seed_hex"]))
WITNESS = seal.Signer(OWN["witness"]["name"], bytes.fromhex(OWN["witness"]["seed_hex"]))
LEAVES = [log.leaf_hash(record.encode()) for record in OWN["records"]]


@pytest.mark.parametrize("case", VECTORS["published"]["notes"], ids=lambda case: str(case["source"])[:40])
def test_published_notes_open(case: dict[str, Any]) -> None:
    text = seal.open_text(case["note"], seal.Verifier(case["vkey"]))

    assert case["note"].startswith(text)


@pytest.mark.parametrize("request_", VECTORS["published"]["witness_sequence"]["requests"], ids=lambda r: str(r["old"]))
def test_published_checkpoints_open(request_: dict[str, Any]) -> None:
    checkpoint = seal.Verifier(VECTORS["published"]["witness_sequence"]["vkey"]).open(request_["note"])

    assert request_["note"].startswith(checkpoint.text)


def test_keys_have_the_published_form() -> None:
    assert GATEWAY.vkey == OWN["gateway"]["vkey"]
    assert WITNESS.cosigner_vkey == OWN["witness"]["vkey"]


@pytest.mark.parametrize("size", [0, 4, 11])
def test_a_checkpoint_is_signed_byte_for_byte(size: int) -> None:
    note = GATEWAY.sign(seal.Checkpoint(GATEWAY.name, size, log.root(LEAVES[:size])))

    assert note == OWN["checkpoints"][str(size)]


def test_a_cosignature_is_made_and_read_byte_for_byte() -> None:
    note = OWN["checkpoints"]["11"]

    cosigned = note + WITNESS.cosign(note, OWN["witness"]["timestamp"])

    assert cosigned == OWN["cosigned_11"]
    assert seal.Verifier(WITNESS.cosigner_vkey).cosigned_at(cosigned) == OWN["witness"]["timestamp"]


def test_a_proof_is_written_and_checked_byte_for_byte() -> None:
    text = proof.proof(5, log.inclusion_proof(5, LEAVES), OWN["cosigned_11"]).text

    assert text == OWN["tlog_proof_record_5"]
    assert proof.check(text, LEAVES[5], seal.Verifier(GATEWAY.vkey)).size == 11
    with pytest.raises(log.ProofError):
        proof.check(text, LEAVES[4], seal.Verifier(GATEWAY.vkey))


def test_both_notes_of_an_equivocation_open_and_so_prove_it() -> None:
    key = seal.Verifier(GATEWAY.vkey)

    one, other = key.open(OWN["equivocation"]["a"]), key.open(OWN["equivocation"]["b"])

    assert one.size == other.size
    assert one.root != other.root


@given(st.integers(0, len(OWN["cosigned_11"].encode()) * 8 - 1))
def test_any_flipped_bit_of_a_cosigned_note_is_refused(bit: int) -> None:
    raw = bytearray(OWN["cosigned_11"].encode())
    raw[bit // 8] ^= 1 << bit % 8

    with pytest.raises((seal.SealError, UnicodeDecodeError)):
        note = raw.decode()
        seal.Verifier(GATEWAY.vkey).open(note)
        seal.Verifier(WITNESS.cosigner_vkey).cosigned_at(note)


@pytest.mark.parametrize(
    "vkey", ["", "a+b+c", "name+00000000+AYqI", GATEWAY.vkey.replace("+aa", "+ab"), "x" + GATEWAY.vkey]
)
def test_a_mistyped_key_is_refused(vkey: str) -> None:
    with pytest.raises(seal.SealError) as caught:
        seal.Verifier(vkey)

    assert caught.value.code == "bad_key"


@pytest.mark.parametrize("size", ["-1", "01", "1e3", "٣", "", "99999999999999999"])
def test_an_odd_size_is_no_checkpoint(size: str) -> None:
    with pytest.raises(seal.SealError):
        seal.Checkpoint.parse(f"o\n{size}\n{'A' * 43}=\n")


def test_a_note_of_another_log_is_refused_even_when_the_key_signed_it() -> None:
    note = GATEWAY.sign(seal.Checkpoint("acme.example/other", 0, log.EMPTY_ROOT))

    with pytest.raises(seal.SealError) as caught:
        seal.Verifier(GATEWAY.vkey).open(note)

    assert caught.value.code == "bad_checkpoint"


@given(st.text(max_size=200))
def test_rubbish_is_refused_with_our_own_error(rubbish: str) -> None:
    with pytest.raises(seal.SealError):
        seal.Verifier(GATEWAY.vkey).open(rubbish)
    with pytest.raises(log.ProofError):
        proof.parse(rubbish)
