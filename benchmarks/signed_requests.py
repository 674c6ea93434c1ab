"""Ready-made requests of many gateways: records, leaves, roots, signatures, gzip: all done before anything is timed."""

from __future__ import annotations

from benchmarks import samples
from benchmarks.http_load import Lane, post
from wire import batch
from wire.batch import Batch
from wire.ids import log_id
from wire.log import Frontier, leaf_hash
from wire.records import Record
from wire.seal import Checkpoint, Signer

# As the gateway's uplink: below this a request costs more to deflate than to send.
SMALL = 1024


def seed_of(number: int) -> bytes:
    """The key of a gateway that exists for a benchmark only."""
    return number.to_bytes(32, "big")


def place_of(number: int) -> str:
    """What stands before the names of this gateway's devices."""
    return f"g{number:02d}-"


class Gateway:
    """One gateway's log, which only grows."""

    def __init__(self, number: int, origin: str) -> None:
        self.origin = origin
        self._place = place_of(number)
        self._boot = f"{number:016x}"
        self._signer = Signer(origin, seed_of(number))
        self._tree = Frontier()
        self._last: dict[str, int] = {}
        self._made = 0

    def filling(self) -> bytes:
        """The request that fills all slots."""
        return self._request(samples.refills(self._boot, self._place))

    def telling(self, records: list[Record]) -> bytes:
        """The request that tells these records."""
        return self._request(records)

    def requests(self, batches: int, per_batch: int) -> Lane:
        """The next pieces of the log, each as the bytes of a POST; every record is new."""
        lane = []
        for _ in range(batches):
            lane.append(self._request(samples.mixed(per_batch, self._boot, self._place, self._made)))
            self._made += per_batch
        return lane

    def _request(self, records: list[Record]) -> bytes:
        old = self._tree.size
        leaves = samples.leaves(records, self._last)
        self._tree = self._tree.extend([leaf_hash(leaf) for leaf in leaves])
        note = self._signer.sign(Checkpoint(self.origin, self._tree.size, self._tree.root()))
        body = batch.encode(Batch(old, note, leaves))
        headers = {"content-type": "text/plain; charset=utf-8"}
        if len(body) > SMALL:
            body = batch.deflate(body)
            headers["content-encoding"] = "gzip"
        return post(f"/v1/logs/{log_id(self.origin)}/entries", body, headers)
