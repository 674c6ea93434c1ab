"""Enrolment: the code is read kindly, the proof strictly."""

from __future__ import annotations

import msgspec
import pytest

from wire import enrolment
from wire.seal import SealError, Signer, Verifier

SIGNER = Signer("new-gateway", bytes(range(32)))
CODE = "ABCDE-00011-22222-33333-44444"


def test_a_code_is_understood_however_it_is_typed() -> None:
    typed = "abcde oooil 22222 33333 44444"

    assert enrolment.shown(enrolment.normal(typed)) == CODE


def test_a_request_proves_that_its_sender_holds_the_key() -> None:
    sent = enrolment.request(SIGNER, CODE)

    assert enrolment.check(sent).vkey == SIGNER.vkey


def test_a_proof_for_another_code_or_key_is_refused() -> None:
    sent = enrolment.request(SIGNER, CODE)
    stolen = msgspec.structs.replace(sent, code="ABCDE-00011-22222-33333-55555")
    swapped = msgspec.structs.replace(sent, vkey=Signer("other", bytes(32)).vkey)

    for wrong in (stolen, swapped, msgspec.structs.replace(sent, proof="???")):
        with pytest.raises(SealError):
            enrolment.check(wrong)


def test_a_renamed_key_verifies_what_its_owner_signs_under_the_new_name() -> None:
    name = "tallystick/acme/gw_1/1"

    assert enrolment.rename(SIGNER.vkey, name) == Signer(name, bytes(range(32))).vkey
    assert Verifier(enrolment.rename(SIGNER.vkey, name)).name == name
