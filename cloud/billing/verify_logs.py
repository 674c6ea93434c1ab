"""The logs of a bundle: are these the gateway's own leaves, all of them, in order? PURE.

The surprise: inclusion is the small part. The root is worked out over the *whole* range, so nothing can be added, left
out or exchanged; and the counters of the customer's devices have no gap, so no leaf of theirs hides behind a bare hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from cloud.billing.bundle import Hidden, LogEvidence
from cloud.billing.facts import (
    Clock,
    Counter,
    Fact,
    LogRange,
    Receipt,
    Stretch,
    UndatedError,
    clocks_of,
    counter_of,
    date_leaves,
)
from cloud.billing.verify_keys import gateway_keys
from wire.canonical import LeafError
from wire.hand_over import Ended, cosigned_by, signer_of
from wire.ids import log_id
from wire.log import Frontier, ProofError, leaf_hash, verify_inclusion
from wire.records import GatewayEvent, Record, decode
from wire.seal import ED25519, SealError, verifier


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong: the statement's line (0: no single line), its text, and what is wrong with it."""

    line: int
    text: str
    wrong: str


class Earlier(msgspec.Struct, frozen=True):
    """What a gateway's earlier logs have shown: the newest counter of each device and boot (``src``, ``ep``); and
    whether that is ``whole``, from their first leaves on.
    """

    newest: dict[tuple[str, str], int] = {}
    whole: bool = True


class LogReader:
    """Checks one log's evidence and reads its facts; what is wrong is added to ``findings``."""

    def __init__(
        self,
        position: int,
        stated: LogRange,
        shown: LogEvidence,
        devices: frozenset[str],
        clocks: Sequence[Clock] = (),
    ) -> None:
        self.position, self.stated, self.shown, self.devices = position, stated, shown, devices
        self.stretch = Stretch(stated.from_, [*stated.cuts, stated.to], clocks)
        self.findings: list[Finding] = []
        self.records: dict[int, Record] = {}
        self.counters: dict[str, Counter] = {}
        self.carried: dict[str, Counter] = {}
        self.newest: dict[tuple[str, str], int] = {}
        self.begun: set[tuple[str, str]] = set()
        self.entry_zero_before = stated.from_ > 0 and not stated.origin.endswith("/1")
        self.unreadable: list[int] = []

    @property
    def gateway(self) -> str:
        """The gateway whose log this is; its own records are shown to everybody."""
        return self.stated.origin.split("/")[2]

    def wrong(self, what: str) -> None:
        """Notes a finding about this log."""
        self.findings.append(Finding(0, f"log {self.stated.origin}", what))

    def check(self, cloud: Sequence[Ended], before: Earlier | None) -> list[Fact]:
        """All checks; the facts as far as they can be read. ``before``: of the gateway's earlier logs."""
        if self.shown.origin != self.stated.origin or log_id(self.stated.origin) != self.stated.log:
            self.wrong("origin and log id do not belong together")
        try:
            hashes = [_hash_of(leaf) for leaf in self.shown.leaves]
            self._check_form(hashes)
            self._check_tree(hashes, cloud)
            self._read_leaves(before)
            self._check_outside()
            dated = date_leaves(self.position, self.records, self.stretch, self.stated.receipts)
        except (ValueError, SealError, ProofError, LeafError, UndatedError) as error:
            self.wrong(str(error))
            return []
        return [Fact(dated[index], self.records[index]) for index in sorted(self.records)]

    def _check_form(self, hashes: Sequence[bytes]) -> None:
        stated = self.stated
        ends = [stated.from_, *self.stretch.ends]
        if sorted(ends) != ends or len(set(stated.cuts)) != len(stated.cuts) or stated.from_ < 0:
            raise ValueError("from, cuts and to are not in order")
        if not stated.from_ <= stated.carry <= stated.to:
            raise ValueError("carry lies outside the range")
        if len(hashes) != stated.to - stated.from_:
            raise ValueError(f"the range has {stated.to - stated.from_} leaves and {len(hashes)} are shown")

    def _check_tree(self, hashes: Sequence[bytes], cloud: Sequence[Ended]) -> None:
        """The root at ``to`` and at every receipt, against the signed and cosigned notes."""
        first = verifier(self.shown.vkey)
        if first.algorithm != ED25519 or first.name != self.stated.origin:
            raise ValueError("the gateway's key is not a signing key of this log")
        keys = gateway_keys(self.shown, cloud)
        sizes = [receipt.size for receipt in self.stated.receipts]
        if sorted(set(sizes)) != sizes or not {*self.stated.cuts, self.stated.to} <= set(sizes):
            raise ValueError("a cosignature at a cut or at the range's end is missing")
        if sizes[-1] != self.stated.to or len(self.shown.notes) != len(sizes):
            raise ValueError("the cosigned checkpoints are not those that the statement names")
        tree = _frontier(self.stated.from_, self.shown.frontier)
        for receipt, note in zip(self.stated.receipts, self.shown.notes, strict=True):
            if receipt.size < tree.size:
                raise ValueError("a cosignature lies before the range")
            tree = tree.extend(hashes[tree.size - self.stated.from_ : receipt.size - self.stated.from_])
            self._check_note(keys, cloud, note, receipt, tree)
        if tree.root().hex() != self.stated.root:
            self.wrong("the root over the range is not the one in the statement")

    def _check_note(
        self, keys: Sequence[Ended], cloud: Sequence[Ended], note: str, receipt: Receipt, tree: Frontier
    ) -> None:
        try:
            checkpoint = signer_of(note, keys).open(note)
            if checkpoint.size != receipt.size:
                self.wrong(f"the checkpoint is at size {checkpoint.size}, not {receipt.size}")
            elif checkpoint.root != tree.root():
                self.wrong(f"the leaves do not give the root that the gateway signed at size {receipt.size}")
            if note.count("\n— ") != 2:
                self.wrong("a checkpoint carries the gateway's signature and one cosignature, nothing else")
            if cloud and cosigned_by(note, cloud)[1] != receipt.seconds:
                self.wrong(f"the cosignature at size {receipt.size} is of another time")
        except SealError as error:
            self.wrong(f"the checkpoint at size {receipt.size}: {error.detail}")

    def builds_on(self) -> tuple[list[Counter], list[Clock]]:
        """The counters and clocks from which the next statement goes on."""
        clocks = clocks_of(self.records, self.stretch, self.stated.receipts)
        return sorted(self.carried.values()), clocks

    def shown_so_far(self, before: Earlier | None) -> Earlier:
        """What a later log of this gateway may build on."""
        known = before or Earlier()
        return Earlier({**known.newest, **self.newest}, known.whole and self.stated.from_ == 0)

    def _read_leaves(self, before: Earlier | None) -> None:
        self.counters = {counter.src: counter for counter in self.stated.opening}
        self.begun = {(one.src, one.ep) for one in self.stated.opening}
        opening = {(one.src, one.ep): one.n for one in self.stated.opening}
        self.newest = (before.newest if before else {}) | opening
        gateway = self.gateway
        for index, leaf in self._shown_leaves():
            if index == self.stated.carry:
                self.carried = dict(self.counters)
            if leaf is None:
                continue
            try:
                record = decode(leaf)
            except LeafError as error:
                self._read_unusable(index, leaf, error.detail, before)
                continue
            if record.src not in self.devices and record.src != gateway:
                self.wrong(f"leaf {index} is of {record.src}, which is no device of this agreement")
                continue
            self.records[index] = record
            if isinstance(record, GatewayEvent) and record.event == "boot":
                self._check_boot(index, record, first_log=before is None)
            self._count(index, record.src, record.ep, record.n, before)
        if self.stated.carry == self.stated.to:
            self.carried = dict(self.counters)

    def _shown_leaves(self) -> Iterator[tuple[int, bytes | None]]:
        for index, leaf in enumerate(self.shown.leaves, self.stated.from_):
            yield index, None if isinstance(leaf, Hidden) else leaf.encode()

    def _read_unusable(self, index: int, leaf: bytes, why: str, before: Earlier | None) -> None:
        """A leaf whose form is right and whose body is none: it still takes its counter, and is billed by nobody."""
        counter = counter_of(leaf)
        if counter is None or counter.src not in self.devices:
            self.wrong(f"leaf {index} is no record ({why})")
        else:
            self._count(index, counter.src, counter.ep, counter.n, before)

    def _count(self, index: int, src: str, ep: str, n: int, before: Earlier | None) -> None:
        """Counters of a device go up by one in each boot; a new boot begins at 1. A log epoch that follows another may
        seal again what the other already held, behind its own entry 0: the first record of a newer boot, whose second
        may come behind a range's beginning, so once in a log.
        """
        last = self.counters.get(src)
        expected = self.newest.get((src, ep), 0) + 1
        if (src, ep) not in self.begun and before is not None:
            # The gateway's own records are billed by nobody: where the other log is not shown whole, they may go on.
            missed = src == self.gateway and not before.whole and (src, ep) not in before.newest
            expected = n if missed else min(expected, n) if (src, ep) in before.newest else expected
        if self.entry_zero_before and (src, n, expected) == (self.gateway, 2, 1):
            expected, self.entry_zero_before = 2, False
        self.begun.add((src, ep))
        # Not always its newest boot: of two that ran from copies of one card the records come one between the other.
        if last is not None and last.ep != ep and src != self.gateway and (self.gateway, ep) not in self.newest:
            self.wrong(f"leaf {index}: {src} counts anew, and the gateway's own record of that boot is not shown")
        if n != expected:
            self.wrong(f"leaf {index}: {src} counts {n} where {expected} is due: a record is missing or hidden")
        self.counters[src] = Counter(src, ep, n)
        self.newest[src, ep] = n

    def _check_boot(self, index: int, record: GatewayEvent, *, first_log: bool) -> None:
        """The gateway's own account of the boot before: it had not written more than is shown.

        A log that is shown from its first leaf shows every boot. One that is not may hide older boots in good faith: a
        gateway whose disk was restored names a boot from before the range.
        """
        last, boot = record.data.get("last"), record.data.get("previous")
        for entry in last if isinstance(last, list) else []:
            if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], int):
                src, n = entry[0], entry[1]
                known = self.counters.get(src)
                shown = None if known is None else known.n
                if isinstance(boot, str) and boot:
                    shown = self.newest.get((src, boot))
                    mine = src in self.devices or src == self.gateway
                    if shown is None and mine and first_log and self.stated.from_ == 0:
                        shown = 0
                if shown is not None and n > shown:
                    self.wrong(f"leaf {index}: {src} had counted to {n}, only {shown} are shown")

    def _check_outside(self) -> None:
        if [one.index for one in self.shown.outside] != self.stated.outside:
            raise ValueError("the leaves shown from before the range are not those that the statement names")
        root = bytes.fromhex(self.stated.root)
        for one in self.shown.outside:
            leaf = one.leaf.encode()
            if one.index >= self.stated.from_:
                raise ValueError(f"leaf {one.index} is not before the range")
            verify_inclusion(one.index, self.stated.to, leaf_hash(leaf), [_hex(node) for node in one.path], root)
            record = decode(leaf)
            if record.src not in self.devices and record.src != self.stated.origin.split("/")[2]:
                raise ValueError(f"leaf {one.index} is of {record.src}, which is no device of this agreement")
            self.records[one.index] = record


def _hash_of(leaf: str | Hidden) -> bytes:
    return _hex(leaf.hash) if isinstance(leaf, Hidden) else leaf_hash(leaf.encode())


def _hex(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != 32 or value.hex() != text:
        raise ValueError(f"{text[:80]!r} is not a hash")
    return value


def _frontier(size: int, peaks: Sequence[str]) -> Frontier:
    return Frontier.from_bytes(size, b"".join(_hex(peak) for peak in peaks))
