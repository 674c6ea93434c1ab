"""Who looks over everybody's shoulder during a run: what was promised, what was signed, what was cosigned.

A promise is made when the journal has answered an append: from then on the record must be in the cloud in the end,
exactly once, whatever happens; unless the card was put back to an image from before, and nobody else held it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from gateway.ports import Message
from wire import batch
from wire.ids import RecordKey
from wire.records import Record
from wire.seal import Checkpoint, split_note

if TYPE_CHECKING:
    from tests.simulation.trace import Trace

FROZEN = ("fork", "log-frozen")
# Answers of a cloud that has not looked at the note.
DEAF = ("busy", "unavailable", "stale-keys", "log-damaged", "log-frozen")


class Watcher:
    """``findings``: sentences about what must not be. ``promised``: records by key; ``lost``: named losses.

    ``signed`` and ``cosigned``: roots by origin and size. ``cloned``: two gateways have (had) one key. ``forked``: logs
    of which two notes of one size reached the cloud; ``closed``: logs that another epoch follows.
    """

    def __init__(self, trace: Trace) -> None:
        self.findings: list[str] = []
        self.promised: dict[RecordKey, Record] = {}
        self.lost: dict[RecordKey, Record] = {}
        self.told: dict[tuple[str, str], None] = {}
        self.signed: dict[tuple[str, int], bytes] = {}
        self.cosigned: dict[tuple[str, int], bytes] = {}
        self.cloned = False
        self.forked: set[str] = set()
        self.closed: set[str] = set()
        self._trace = trace

    def found(self, sentence: str) -> None:
        """Something that must not be; said once."""
        if sentence not in self.findings:
            self._trace.note("VIOLATION", sentence)
            self.findings.append(sentence)

    # What the ports tell

    def committed(self, function: Callable[..., Any], args: tuple[Any, ...], result: Any) -> None:
        """A function has run on the gateway's disk and returned."""
        if function.__name__ != "commit_group":
            return
        for records, outcome in zip(args[0], result, strict=True):
            if not isinstance(outcome, list):
                continue
            for record, key in zip(records, outcome, strict=True):
                if key not in self.promised:
                    self.promised[key] = msgspec.structs.replace(record, n=key.n)
                    self._trace.note("kept", type(record).__name__, *key)

    def acknowledged(self, messages: Sequence[Message]) -> None:
        """The broker is told that these are safe; a cabinet will not tell them again."""
        for message in messages:
            try:
                mid = json.loads(message.payload).get("mid")
            except (ValueError, AttributeError):
                continue
            if isinstance(mid, str) and mid:
                self.told[message.topic.split("/")[2], mid] = None

    def answered(self, request: httpx.Request, answer: httpx.Response, durable: Callable[[str], int]) -> None:
        """The cloud has answered; whether anybody hears it is another question. ``durable``: the size on its disk."""
        if answer.status_code >= 500 and answer.status_code != 503:
            self.found(f"{request.method} {request.url.path} was answered {answer.status_code}: {answer.text[:200]}")
        if request.method != "POST" or not request.url.path.endswith("/entries"):
            return
        body = request.content
        sent = batch.decode(batch.inflate(body) if request.headers.get("content-encoding") == "gzip" else body)
        checkpoint = Checkpoint.parse(split_note(sent.note)[0])
        slug = "" if answer.is_success else str(answer.json()["type"]).rpartition("/")[2]
        if slug in FROZEN and not self.cloned and checkpoint.origin not in self.closed:
            self.found(f"the log was frozen at size {checkpoint.size} ({slug}) although nobody forged anything")
        if self.signed.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root) != checkpoint.root:
            if not self.cloned:
                self.found(f"two different notes of size {checkpoint.size} were signed")
            elif slug not in DEAF:
                self.forked.add(checkpoint.origin)
        if answer.status_code == 200:
            receipt = batch.decode_receipt(answer.content)
            self.receipt(checkpoint, receipt)
            if durable(checkpoint.origin) < receipt.size:
                self.found(f"size {receipt.size} was cosigned before it was on the disk")

    def receipt(self, checkpoint: Checkpoint, receipt: batch.Receipt) -> None:
        """A cosignature is out in the world."""
        if receipt.size != checkpoint.size:
            self.found(f"a receipt for size {receipt.size} was given for a note of size {checkpoint.size}")
        if self.cosigned.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root) != checkpoint.root:
            self.found(f"the cloud cosigned two roots of size {checkpoint.size}")

    # What the world tells

    def card_restored(self, held: set[RecordKey]) -> None:
        """The card was put back; ``held``: what card and cloud have together now. The rest is lost, and named here."""
        for key, record in self.promised.items():
            if key not in held and key not in self.lost:
                self.lost[key] = record
                self._trace.note("lost with the card", *key)
