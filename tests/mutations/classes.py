"""Batches an attacker may send: each class changes an honest one in one way that must be refused by name.

A mutation gives the body, whether it travels as gzip, to which log, and the names it may be refused with. None of them
may leave a leaf, a record, a move or a cosignature behind.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from typing import NamedTuple

from tests.cloud.twins import GatewayTwin
from wire import batch
from wire.batch import Batch
from wire.log import Frontier, leaf_hashes
from wire.seal import Checkpoint, Signer


class Attack(NamedTuple):
    """What is posted, and how it may be refused."""

    body: bytes
    names: tuple[str, ...]
    gzipped: bool = False
    log: str = ""


class Honest(NamedTuple):
    """A gateway with cosigned leaves and some more to send: the next honest batch."""

    gateway: GatewayTwin
    old: int
    size: int

    @property
    def body(self) -> bytes:
        """What it would send."""
        return self.gateway.body(self.old, self.size)

    @property
    def leaves(self) -> list[bytes]:
        """The new leaves."""
        return self.gateway.leaves[self.old : self.size]

    def with_leaves(self, leaves: list[bytes]) -> bytes:
        """The honest note over other leaves."""
        return batch.encode(Batch(self.old, self.gateway.note(self.size), leaves))


BAD, ROOT, SEAL, STALE = "bad-batch", "wrong-root", "bad-signature", "stale-size"
Mutation = Callable[[Honest, random.Random], Attack]


def flipped_bit_in_a_leaf(honest: Honest, chance: random.Random) -> Attack:
    """One bit of one leaf."""
    leaves = list(honest.leaves)
    at = chance.randrange(len(leaves))
    data = bytearray(leaves[at])
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    leaves[at] = bytes(data)
    return Attack(honest.with_leaves(leaves), (ROOT, BAD))


def changed_number_in_a_leaf(honest: Honest, chance: random.Random) -> Attack:
    """A quantity or counter written anew, canonical as ever."""
    leaves = list(honest.leaves)
    at = chance.randrange(len(leaves))
    leaves[at] = leaves[at].replace(b'"n":', b'"n":%d' % chance.randint(1, 9), 1)
    return Attack(honest.with_leaves(leaves), (ROOT,))


def dropped_leaf(honest: Honest, chance: random.Random) -> Attack:
    """One leaf is left out."""
    leaves = list(honest.leaves)
    leaves.pop(chance.randrange(len(leaves)))
    return Attack(honest.with_leaves(leaves), (BAD,))


def doubled_leaf(honest: Honest, chance: random.Random) -> Attack:
    """One leaf stands twice."""
    leaves = list(honest.leaves)
    leaves.insert(chance.randrange(len(leaves)), leaves[chance.randrange(len(leaves))])
    return Attack(honest.with_leaves(leaves), (BAD,))


def exchanged_leaf(honest: Honest, chance: random.Random) -> Attack:
    """One leaf in the place of another, the count being right."""
    leaves = list(honest.leaves)
    one, other = chance.sample(range(len(leaves)), 2)
    leaves[one] = leaves[other]
    return Attack(honest.with_leaves(leaves), (ROOT,))


def another_order(honest: Honest, chance: random.Random) -> Attack:
    """Two leaves change places."""
    leaves = list(honest.leaves)
    one, other = chance.sample(range(len(leaves)), 2)
    leaves[one], leaves[other] = leaves[other], leaves[one]
    return Attack(honest.with_leaves(leaves), (ROOT,))


def an_older_leaf_put_in(honest: Honest, chance: random.Random) -> Attack:
    """A leaf that was counted before, in the place of a new one."""
    leaves = list(honest.leaves)
    leaves[chance.randrange(len(leaves))] = honest.gateway.leaves[chance.randrange(honest.old)]
    return Attack(honest.with_leaves(leaves), (ROOT,))


def another_key(honest: Honest, chance: random.Random) -> Attack:
    """A whole, right batch signed by a key that is not the log's."""
    signer = Signer(honest.gateway.origin, chance.randbytes(32))
    return Attack(_signed(honest, signer, honest.gateway.origin), (SEAL,))


def another_origin(honest: Honest, chance: random.Random) -> Attack:
    """The log's own key signs a checkpoint of another log."""
    name = f"tallystick/other/gw-{chance.randint(1, 99)}/1"
    return Attack(_signed(honest, honest.gateway.signer, name), (SEAL,))


def a_name_with_a_twist(honest: Honest, chance: random.Random) -> Attack:
    """The key of the log under a name that looks alike."""
    origin = honest.gateway.origin
    name = chance.choice([origin + "0", origin[:-1] + "2", origin.upper(), origin.replace("t", "т", 1)])
    return Attack(_signed(honest, Signer(name, honest.gateway.seed), name), (SEAL,))


def changed_note(honest: Honest, chance: random.Random) -> Attack:
    """One character of the note is another."""
    note = honest.gateway.note(honest.size)
    at = chance.randrange(len(note))
    other = chance.choice("A9/+=b \n")
    while other == note[at]:
        other = chance.choice("A9/+=b \n")
    raw = note[:at] + other + note[at + 1 :]
    body = b"old %d\n\n" % honest.old + raw.encode() + b"\n" + b"".join(leaf + b"\n" for leaf in honest.leaves)
    return Attack(body, (BAD, SEAL))


def no_signature(honest: Honest, chance: random.Random) -> Attack:
    """A note without the gateway's line, or with a stranger's only."""
    text = honest.gateway.note(honest.size).partition("\n\n")[0]
    stranger = Signer("somebody.example/x", chance.randbytes(32)).sign_text(text + "\n")
    note = chance.choice([text + "\n\n", stranger])
    body = b"old %d\n\n" % honest.old + note.encode() + b"\n" + b"".join(leaf + b"\n" for leaf in honest.leaves)
    return Attack(body, (BAD, SEAL))


def old_size_above_or_below(honest: Honest, chance: random.Random) -> Attack:
    """The batch claims to begin elsewhere."""
    old = chance.choice([honest.old - 1, honest.old + 1, honest.size, honest.size + 1, 0, 2**53, 2**80])
    body = honest.body.replace(b"old %d\n" % honest.old, b"old %d\n" % old, 1)
    return Attack(body, (BAD, STALE, "too-large"))


def odd_number_for_old(honest: Honest, chance: random.Random) -> Attack:
    """The old size in a spelling that is none."""
    odd = chance.choice(["-1", "+4", "04", "4.0", "4e0", "", " 4", "٤", "0x4", "4\x00", "4\r"])
    return Attack(honest.body.replace(b"old %d\n" % honest.old, b"old " + odd.encode() + b"\n", 1), (BAD,))


def cut_body(honest: Honest, chance: random.Random) -> Attack:
    """The transfer broke off."""
    return Attack(honest.body[: chance.randrange(len(honest.body))], (BAD, SEAL))


def trailing_rubbish(honest: Honest, chance: random.Random) -> Attack:
    """Something behind the end."""
    return Attack(honest.body + chance.choice([b"x", b"\n", b"{}\n", b"\x00", chance.randbytes(9)]), (BAD, ROOT))


def cut_gzip(honest: Honest, chance: random.Random) -> Attack:
    """A compressed body that ends too early, or has a tail."""
    whole = gzip.compress(honest.body, mtime=0)
    return Attack(chance.choice([whole[: chance.randrange(1, len(whole))], whole + b"tail"]), (BAD,), gzipped=True)


def bomb(honest: Honest, chance: random.Random) -> Attack:
    """A few bytes that would fill the memory."""
    return Attack(_BOMB + bytes(chance.randrange(3)), ("too-large",), gzipped=True)


def another_log(honest: Honest, chance: random.Random) -> Attack:
    """The honest batch posted to a log that is not its own."""
    log = f"{chance.getrandbits(256):064x}"
    return Attack(honest.body, ("unknown-log",), log=log)


def too_many_leaves(honest: Honest, chance: random.Random) -> Attack:
    """More leaves than a batch may have."""
    size = honest.old + 4097 + chance.randrange(50)
    note = honest.gateway.signer.sign(Checkpoint(honest.gateway.origin, size, chance.randbytes(32)))
    return Attack(b"old %d\n\n" % honest.old + note.encode() + b"\n" + b"{}\n" * (size - honest.old), ("too-large",))


def replayed_piece_with_other_leaves(honest: Honest, chance: random.Random) -> Attack:
    """A piece that is cosigned already, its note genuine, its leaves not."""
    leaves = list(honest.gateway.leaves[: honest.old])
    leaves[chance.randrange(len(leaves))] = b'{"k":"note"}'
    return Attack(batch.encode(Batch(0, honest.gateway.note(honest.old), leaves)), (ROOT,))


def rubbish(_: Honest, chance: random.Random) -> Attack:
    """Bytes."""
    return Attack(chance.randbytes(chance.randrange(300)), (BAD,), gzipped=chance.random() < 0.5)


def _signed(honest: Honest, signer: Signer, origin: str) -> bytes:
    root = Frontier().extend(leaf_hashes(honest.gateway.leaves[: honest.size])).root()
    return batch.encode(Batch(honest.old, signer.sign(Checkpoint(origin, honest.size, root)), honest.leaves))


_BOMB = gzip.compress(b"\x00" * (30 * 1024 * 1024), mtime=0)
CLASSES: tuple[Mutation, ...] = (
    flipped_bit_in_a_leaf, changed_number_in_a_leaf, dropped_leaf, doubled_leaf, exchanged_leaf, another_order,
    an_older_leaf_put_in, another_key, another_origin, a_name_with_a_twist, changed_note, no_signature,
    old_size_above_or_below, odd_number_for_old, cut_body, trailing_rubbish, cut_gzip, another_log, too_many_leaves,
    replayed_piece_with_other_leaves, rubbish,
)  # fmt: skip
COSTLY: tuple[Mutation, ...] = (bomb,)
