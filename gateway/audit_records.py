"""What an audit becomes in the journal, and how the journal gives it back. No I/O.

    audit          the reading itself: who, when, how it was judged      audit_file   the whole file, packed, in parts
    reading        every counter of every selection, as it stood         draw         what moved since, one a selection
    audit_gap      what no counter proves; a slot where somebody should count

The surprise is that nothing else remembers: the last accepted counters are the newest readings of the journal, so what
was billed and what the next audit is compared with can never differ. All records of one audit go into one commit.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from gateway.audits import Assessment, Gap, Known, Move, counters
from gateway.device_events import Scalar
from gateway.drivers.dts_file import Audit, plain
from gateway.ports import Slot
from gateway.recording import Stamp, frame_hash, happened
from wire.records import Count, DeviceEvent, Draw, Reading, Record

# A leaf is at most 4 KiB.
PART = 3_000
CODES = {
    "EGS": "door_open", "EJB": "motor_jam", "EJC": "jam", "EJL": "drop_sensor", "EJM": "delivery", "ELA": "no_drop",
    "ELB": "sold_out", "OCA": "door_forced", "OAL": "price_changed", "OAT": "product_changed", "OBB": "door_left_open",
}  # fmt: skip


class Place(msgspec.Struct, frozen=True):
    """What the planogram says about a slot: its name, and what lies in it."""

    slot: str
    item: str
    planogram: int


class Writer(msgspec.Struct, frozen=True):
    """What every record of one audit shares."""

    device: str
    cfg: str
    at: Stamp
    raw: bytes
    digest: str
    place: Callable[[str], Place]
    rules: int = 0

    def did(self, what: str) -> str:
        """The same audit written twice is written once."""
        return f"dts/{self.digest[:24]}/{what}"

    def event(self, name: str, data: Mapping[str, Scalar], *, slot: str = "", did: str = "") -> DeviceEvent:
        """A device event of this audit."""
        return happened(name, self.at, self.device, slot=slot, data=data, raw=self.raw, cfg=self.cfg, did=did)


def records(writer: Writer, audit: Audit, assessment: Assessment, on_hand: Callable[[str], int | None]) -> list[Record]:
    """All records of one audit, in order. An audit that was told before has none."""
    if assessment.kind == "same":
        return []
    if assessment.kind == "stale":
        return [writer.event("audit_gap", {"reason": "stale"}, did=writer.did("stale"))]
    found: list[Record] = [_audit(writer, audit, assessment), *_file(writer)]
    found += _readings(writer, audit)
    for move in assessment.moves:
        found += _moved(writer, move, on_hand)
    found += [_gap(writer, gap, number) for number, gap in enumerate(assessment.gaps)]
    return found


def refused(writer: Writer, code: str, detail: str) -> list[Record]:
    """A file that is not used is kept all the same."""
    data: dict[str, Scalar] = {"code": code, "why": plain(detail)[:200], "size": len(writer.raw)}
    return [writer.event("audit_refused", data, did=writer.did("refused")), *_file(writer)]


def machine_events(writer: Writer, audit: Audit, seen: set[str]) -> list[Record]:
    """Events the machine kept (EA1, EA2, PA5), each told once: what was seen before is in `seen`."""
    told: list[Record] = []
    for one in audit.events:
        mark = f"{one.code} {one.date} {one.time}" if one.total is None else f"{one.code} {one.total}"
        if mark not in seen and one.total != 0:
            name, _, slot = one.code.partition("_")
            data: dict[str, Scalar] = {"code": plain(one.code)[:32], "meaning": CODES.get(name, "other")}
            data |= {"mark": plain(mark)[:100]} | ({"total": one.total} if one.total is not None else {})
            told.append(writer.event("machine_event", data, slot=plain(slot)[:64], did=writer.did(f"e{len(told)}")))
    for name, selection in audit.selections.items():
        mark = f"sold_out {name} {selection.sold_out}"
        if selection.sold_out and mark not in seen:
            data = {"mark": plain(mark)[:100], "presses": selection.presses or 0}
            told.append(writer.event("sold_out", data, slot=writer.place(name).slot, did=writer.did(f"s{len(told)}")))
    return told


def known_from(said: Iterable[Record]) -> tuple[Known | None, set[str]]:
    """What the last accepted audit said, and the machine's events told so far; `said` oldest first."""
    known: Known | None = None
    found: dict[str, dict[str, int]] = {}
    seen: set[str] = set()
    for record in said:
        if isinstance(record, DeviceEvent) and record.event == "audit":
            known, fresh = _known(record)
            if fresh:
                found.clear()
        elif isinstance(record, Reading):
            selection, _, name = record.register.rpartition("/")
            found.setdefault(selection, {})[name] = record.value
        elif isinstance(record, DeviceEvent) and record.event in ("machine_event", "sold_out"):
            seen.add(str(record.data.get("mark", "")))
    return (msgspec.structs.replace(known, counters=found) if known else None), seen


def unpack(parts: Sequence[DeviceEvent]) -> bytes:
    """The raw file out of its `audit_file` records, in any order."""
    ordered = sorted(parts, key=lambda one: int(str(one.data["part"])))
    return zlib.decompress(base64.b64decode("".join(str(one.data["packed"]) for one in ordered)))


def _known(record: DeviceEvent) -> tuple[Known, bool]:
    data = record.data

    def number(name: str) -> int | None:
        value = data.get(name)
        return value if isinstance(value, int) else None

    stamp = str(data.get("read_date", "")), str(data.get("read_time", ""))
    known = Known(
        str(data.get("sha256", "")), str(data.get("serial", "")), str(data.get("board", "")), number("reads"), stamp,
        record.t, number("chain") or 1,
        {kind: value for kind in ("paid", "free", "test") if (value := number(kind)) is not None},
    )  # fmt: skip
    return known, data.get("judged") == "new_chain"


def _audit(writer: Writer, audit: Audit, assessment: Assessment) -> DeviceEvent:
    known = assessment.known
    data: dict[str, Scalar] = {
        "sha256": writer.digest, "judged": assessment.kind, "chain": known.chain, "serial": plain(known.serial),
        "board": plain(known.board), "model": plain(audit.model), "read_date": known.stamp[0],
        "read_time": known.stamp[1], "selections": len(audit.selections), "notes": " ".join(audit.notes),
    }  # fmt: skip
    data |= dict(known.totals) | ({} if known.reads is None else {"reads": known.reads})
    return writer.event("audit", data, did=writer.did("audit"))


def _file(writer: Writer) -> list[Record]:
    packed = base64.b64encode(zlib.compress(writer.raw, 9)).decode("ascii")
    parts = [packed[at : at + PART] for at in range(0, len(packed), PART)]
    return [
        writer.event("audit_file", {"part": n, "parts": len(parts), "packed": part}, did=writer.did(f"f{n}"))
        for n, part in enumerate(parts, 1)
    ]


def _readings(writer: Writer, audit: Audit) -> list[Record]:
    at = writer.at
    return [
        Reading(
            v=1, z="", src=writer.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, raw=frame_hash(writer.raw),
            cfg=writer.cfg, register=f"{plain(name)[:64]}/{plain(counter)[:32]}", value=value, scale=0, unit="pc",
        )
        for name, selection in audit.selections.items()
        for counter, value in counters(selection).items()
    ]  # fmt: skip


def _moved(writer: Writer, move: Move, on_hand: Callable[[str], int | None]) -> list[Record]:
    """The draw; and where pieces left without being billed (tests), a count that says so."""
    place, at = writer.place(move.selection), writer.at
    found: list[Record] = []
    if move.billable:
        found.append(Draw(
            v=1, z="", src=writer.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
            did=writer.did(f"d/{plain(move.selection)}"), raw=frame_hash(writer.raw), cfg=writer.cfg, q=["audit"],
            slot=place.slot, item=place.item, asked=move.billable, qty=move.billable, outcome="confirmed",
            actuation="by the machine", confirmation=f"counters: {move.paid} paid, {move.free} free",
            planogram=place.planogram, rules=writer.rules, before=_snapshot(move.before), after=_snapshot(move.after),
        ))  # fmt: skip
    unbilled = move.physical - move.billable
    if unbilled:
        told: dict[str, Scalar] = {"pieces": unbilled, "test": move.test, "free": move.free}
        found.append(
            writer.event("vends_not_billed", told, slot=place.slot, did=writer.did(f"t/{plain(move.selection)}"))
        )
        held = on_hand(place.slot)
        if held is not None:
            found.append(Count(
                v=1, z="", src=writer.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
                did=writer.did(f"c/{plain(move.selection)}"), cfg=writer.cfg, q=["audit", "not_billed"],
                slot=place.slot, item=place.item, qty=max(held - move.physical, 0),
            ))  # fmt: skip
    return found


def _gap(writer: Writer, gap: Gap, number: int) -> DeviceEvent:
    data: dict[str, Scalar] = {"reason": gap.reason, "count": gap.count, "selection": plain(gap.selection)[:64]}
    data |= {name: value for name, value in (("was", gap.before), ("is", gap.now)) if value is not None}
    slot = writer.place(gap.selection).slot if gap.selection else ""
    return writer.event("audit_gap", data, slot=slot, did=writer.did(f"g{number}"))


def _snapshot(values: Mapping[str, int]) -> dict[str, int]:
    """Names as a record's keys allow them."""
    return {"".join(c if c.isascii() and c.isalnum() else "_" for c in name.lower()): n for name, n in values.items()}


def place_of(found: Slot | None, slot: str, planogram: int) -> Place:
    """A slot that nobody planned still has a name."""
    return Place(slot, found.item if found else "unknown", planogram)
