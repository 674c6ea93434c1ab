"""Keys that follow one another and keys that are taken back, in notes that anybody can check."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wire import log
from wire.hand_over import (
    KeyEndedError,
    Revocation,
    chain,
    cosigned_by,
    hand_over,
    open_hand_over,
    open_revocation,
    revocation,
    signer_of,
)
from wire.seal import Checkpoint, SealError, Signer, verifier

NAME = "tallystick/acme/gw-1/1"
ONE, TWO, THREE = (Signer(NAME, bytes([seed]) * 32) for seed in (1, 2, 3))
CLOUD, LATER_CLOUD = Signer("tallystick.cloud", bytes([8]) * 32), Signer("tallystick.cloud", bytes([9]) * 32)
FIRST = hand_over(ONE, TWO, size=10, root=bytes(32), seconds=100)
SECOND = hand_over(TWO, THREE, size=20, root=bytes(32), seconds=200)


def note(signer: Signer, size: int) -> str:
    """A checkpoint."""
    return signer.sign(Checkpoint(NAME, size, log.leaf_hash(b"%d" % size)))


def revoked(signer: Signer, size: int) -> Revocation:
    """The key is not trusted beyond a size."""
    said = revocation(CLOUD, Revocation(NAME, signer.vkey, size, 50, "stolen with its van"))
    return open_revocation(said, [verifier(CLOUD.vkey)])


def test_each_key_of_a_chain_signs_up_to_where_the_next_one_begins() -> None:
    keys = chain(ONE.vkey, [FIRST, SECOND])

    for signer, size in [(ONE, 10), (TWO, 20), (TWO, 3), (THREE, 21), (THREE, 5)]:
        assert signer_of(note(signer, size), keys).vkey == signer.vkey


@pytest.mark.parametrize(("signer", "size"), [(ONE, 11), (TWO, 21)])
def test_a_key_that_was_followed_signs_nothing_beyond_its_size(signer: Signer, size: int) -> None:
    with pytest.raises(KeyEndedError) as caught:
        signer_of(note(signer, size), chain(ONE.vkey, [FIRST, SECOND]))

    assert caught.value.code == "retired_key"


def test_a_revoked_key_keeps_what_it_signed_before_and_nothing_else() -> None:
    keys = chain(ONE.vkey, [], [revoked(ONE, 7)])

    assert signer_of(note(ONE, 7), keys).vkey == ONE.vkey
    with pytest.raises(KeyEndedError) as caught:
        signer_of(note(ONE, 8), keys)
    assert caught.value.code == "revoked_key"


def test_a_revoked_key_cannot_name_its_successor() -> None:
    with pytest.raises(SealError):
        chain(ONE.vkey, [FIRST], [revoked(ONE, 7)])


def test_a_cosigner_that_was_followed_cosigns_nothing_after_that_second() -> None:
    keys = chain(CLOUD.vkey, [hand_over(CLOUD, LATER_CLOUD, seconds=1000)])
    body = note(ONE, 5)

    assert cosigned_by(body + CLOUD.cosign(body, 1000), keys)[1] == 1000
    assert cosigned_by(body + LATER_CLOUD.cosign(body, 900), keys)[1] == 900
    with pytest.raises(KeyEndedError):
        cosigned_by(body + CLOUD.cosign(body, 1001), keys)


def test_a_revocation_counts_only_from_a_key_that_may_revoke() -> None:
    own = revocation(ONE, Revocation(NAME, ONE.vkey, 7, 50, "mine"))

    with pytest.raises(SealError):
        open_revocation(own, [verifier(CLOUD.vkey)])
    with pytest.raises(SealError):
        open_revocation(own, [verifier(ONE.vkey)])


CHANGES: dict[str, Callable[[str], str]] = {
    "one signature": lambda text: text.rpartition("— ")[0],
    "another size": lambda text: text.replace("\n10\n", "\n11\n"),
    "another second": lambda text: text.replace("\n100\n", "\n101\n"),
    "another old key": lambda text: text.replace(ONE.vkey, THREE.vkey),
    "a number with zeros": lambda text: text.replace("\n10\n", "\n010\n"),
    "a short root": lambda text: text.replace("AAAAAAAA", "AAAA", 1),
    "a line more": lambda text: text.replace("\n\n", "\nmore\n\n", 1),
    "another format": lambda text: text.replace("/1\n", "/2\n", 1),
    "the same key twice": lambda text: text.replace(TWO.vkey, ONE.vkey),
    "nothing": lambda _: "",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_hand_over_is_none(change: Callable[[str], str]) -> None:
    with pytest.raises(SealError):
        open_hand_over(change(FIRST))


@pytest.mark.parametrize(
    "links", [[SECOND], [FIRST, FIRST], [FIRST, hand_over(ONE, THREE, size=30, root=bytes(32), seconds=1)]]
)
def test_hand_overs_that_are_no_chain_are_refused(links: list[str]) -> None:
    with pytest.raises(SealError):
        chain(ONE.vkey, links)


def test_a_chain_that_comes_back_to_a_key_is_refused() -> None:
    back = hand_over(TWO, ONE, size=20, root=bytes(32), seconds=200)

    with pytest.raises(SealError):
        chain(ONE.vkey, [FIRST, back])
