"""Builds the golden batches of record version 1: one record of every kind, fixed keys, every byte pinned for ever.

``python -m tests.wire.golden`` writes them; only a new version of the format may do that again.
"""

from __future__ import annotations

from pathlib import Path

from wire import batch, log, seal
from wire import records as r

FOLDER = Path(__file__).parents[1] / "vectors" / "golden_v1"
SIGNER = seal.Signer("tallystick/acme/gw-0001/1", bytes([1]) * 32)
CLOUD = seal.Signer("tallystick-cloud", bytes([2]) * 32)
COSIGNED_AT = 1767229200
EP = "00112233445566aa"


def every_kind() -> list[r.Record]:
    """One record of each kind, with every optional field used somewhere."""
    at = iter(range(1, 99))

    def head(src: str = "cab-07") -> dict[str, object]:
        n = next(at)
        return {
            "v": 1,
            "z": f"{n:032x}",
            "src": src,
            "ep": EP,
            "n": n,
            "t": 1767225600000 + n,
            "ts": "S",
            "b": EP,
            "m": 1000 * n,
        }

    ref = r.Ref("cab-07", EP, 2)
    make: list[tuple[type[r.Base], dict[str, object]]] = [
        (r.GatewayEvent, {"event": "boot", "data": {"last": [["cab-07", 41]], "clock": "S", "cold": False}}),
        (r.Intent, {"slot": "1-03", "item": "M6x20", "asked": 1, "planogram": 3, "rules": 9, "before": {"level": 7, "ctr": 8812}}),
        (r.Draw, {"slot": "1-03", "item": "M6x20", "asked": 1, "qty": 1, "outcome": "confirmed", "actuation": "motor ok",
                  "confirmation": "drop seen", "intent": f"{EP}/2", "planogram": 3, "rules": 9, "did": "17/1042/01J8Z0M3Q4",
                  "who": "badge-5f", "for_": "cost-centre 12", "raw": "ab" * 32, "before": {"level": 7}, "after": {"level": 6}}),
        (r.DrawResolved, {"ref": ref, "outcome": "confirmed", "qty": 1, "evidence": "count"}),
        (r.Reversal, {"ref": ref, "qty": 1, "reason": "wrong item"}),
        (r.Refill, {"slot": "1-03", "item": "M6x20", "qty": 12, "visit": "v-1", "before": {"level": 0}, "after": {"level": 12}}),
        (r.Count, {"slot": "1-03", "item": "M6x20", "qty": 11, "position": f"{EP}/6", "q": ["manual"]}),
        (r.Return, {"slot": "1-03", "item": "M6x20", "qty": 1, "ref": ref, "condition": "unused"}),
        (r.Loan, {"slot": "2-01", "item": "torque-wrench", "qty": 1, "due": 1767312000000}),
        (r.LoanBack, {"slot": "2-01", "item": "torque-wrench", "qty": 1, "ref": ref}),
        (r.Reading, {"register": "import", "value": 1234567, "scale": -3, "unit": "kWh", "cfg": "cd" * 32, "quality": "actual"}),
        (r.Window, {"metric": "pm25", "from_": 1767225600000, "to": 1767226500000, "mean": 123, "min": 80, "max": 310,
                    "scale": -1, "unit": "ug/m3", "samples": 890, "coverage": 897}),
        (r.Runtime, {"from_": 1767225600000, "to": 1767229200000, "speeds": {"low": 1200, "high": 600}, "unknown": 30}),
        (r.DeviceEvent, {"event": "door_forced", "slot": "7", "data": {"raw": "80010100 80", "times": 2}}),
        (r.Note, {"text": "柜门已修 — door mended", "ref": ref, "who": "tech-1"}),
    ]  # fmt: skip
    return [kind(**{**head(), **body}) for kind, body in make]  # type: ignore[arg-type, misc]


def build() -> dict[str, bytes]:
    """File name -> bytes."""
    leaves = [r.encode(record) for record in every_kind()]
    hashes = [log.leaf_hash(leaf) for leaf in leaves]
    files: dict[str, bytes] = {}
    for old, size in ((0, 4), (4, len(leaves))):
        note = SIGNER.sign(seal.Checkpoint(SIGNER.name, size, log.root(hashes[:size])))
        files[f"{old}-{size}.batch"] = batch.encode(batch.Batch(old, note, leaves[old:size]))
        receipt = batch.Receipt(size, CLOUD.cosign(note, COSIGNED_AT), backed_up_size=old, quarantined=0)
        files[f"{old}-{size}.receipt.json"] = batch.encode_answer(receipt)
    return files


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in build().items():
        (FOLDER / name).write_bytes(data)
