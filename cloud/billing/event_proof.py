"""One counted event under a statement: that it is among those the statement stands on, and what became of it. PURE.

The surprise: it needs no bundle. The event's path leads to the root in the statement's head, the head's hash is what
the cloud signed, and the list of what was not billed, whose hash is in the head too, says whether this event counted.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal

import msgspec

from cloud.billing.scope import Unbilled
from cloud.billing.statement import Head, Statement, digest, note_text
from cloud.rating.events import EVENTS, CountedEvent
from wire.log import ProofError, inclusion_proof, leaf_hash, verify_inclusion
from wire.seal import SealError, open_text, verifier

FORMAT: Literal["tallystick/event-proof/1"] = "tallystick/event-proof/1"


class EventProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``index`` and ``path`` (hex): where the event stands in the tree whose root the head names. ``note``: the cloud's
    signature over the head; ``signer``: its key.
    """

    format: Literal["tallystick/event-proof/1"]
    signer: str
    head: Head
    note: str
    unbilled: list[Unbilled]
    event: CountedEvent
    index: int
    path: list[str]


class NotCounted(LookupError):
    """The statement does not stand on such an event."""


def prove(statement: Statement, events: Sequence[CountedEvent], key: tuple[str, str], signer: str) -> EventProof:
    """The proof of the event with this (source, id); ``events``: those of the statement. Raises NotCounted."""
    ordered = sorted(events, key=lambda event: event.serial)
    place = next((at for at, event in enumerate(ordered) if event.key == key), None)
    if place is None:
        raise NotCounted(f"Statement {statement.head.number} does not stand on an event {key[1]} of {key[0]}.")
    path = inclusion_proof(place, [leaf_hash(event.leaf) for event in ordered])
    return EventProof(
        format=FORMAT,
        signer=signer,
        head=statement.head,
        note=statement.note,
        unbilled=statement.unbilled,
        event=ordered[place],
        index=place,
        path=[node.hex() for node in path],
    )


def dump(proof: EventProof) -> bytes:
    """The proof as JSON, keys sorted."""
    return msgspec.json.encode(proof, order="sorted")


def load(raw: bytes) -> EventProof:
    """The proof in a file; raises ValueError."""
    return msgspec.json.decode(raw, type=EventProof)


def is_event_proof(raw: bytes) -> bool:
    """Whether a file says of itself that it is one."""
    return b'"format":"tallystick/event-proof/1"' in raw


def is_key_of(proof: EventProof, vkey: str) -> bool:
    """Whether the proof's signer is the key that the checker knows, in either of its forms."""
    raw = [base64.b64decode(verifier(one).vkey.split("+", 2)[2])[1:] for one in (proof.signer, vkey)]
    return raw[0] == raw[1] and verifier(proof.signer).name == verifier(vkey).name


def check(proof: EventProof) -> tuple[list[str], str]:
    """What is wrong, and what became of the event: "" counted, else the reason why it is not billed."""
    head, wrong = proof.head, []
    try:
        if open_text(proof.note, verifier(proof.signer)) != note_text(head):
            wrong.append("the cloud signed another statement than this one")
        path = [bytes.fromhex(node) for node in proof.path]
        # A statement that names no events has a tree of none, in which nothing is.
        count, root = (0, "") if head.events is None else (head.events.count, head.events.root)
        verify_inclusion(proof.index, count, leaf_hash(proof.event.leaf), path, bytes.fromhex(root))
    except (SealError, ProofError, ValueError) as error:
        wrong.append(str(error))
    if digest(proof.unbilled) != head.unbilled_hash:
        wrong.append("the list of what was not billed is not the one that was signed")
    return wrong, refusal_of(proof.event, proof.unbilled)


def refusal_of(event: CountedEvent, unbilled: Sequence[Unbilled]) -> str:
    """Why an event does not count on a statement; "" when it does."""
    mine = (EVENTS, event.serial)
    return next((one.reason for one in unbilled if any((leaf.log, leaf.index) == mine for leaf in one.leaves)), "")
