"""An EVA-DTS audit file, as a machine wrote it: segments, counters by selection, who read it before. PURE.

    DXS*..  ST*..  data segments  G85*crc  SE*count*..  DXE*..      each `ID*e1*e2...` CR LF, `^2A^` stands for `*`

The surprise is how little can be believed: of ten real files SE01 is wrong in seven, two have a G85 that no known rule
gives, and tools on the way drop the CR that the G85 covers. So SE01 is noted and never judged, the G85 is judged by the
model's profile (`strict`, `ignore`, `absent`), and a file that breaks off is refused whatever the profile says. Some
leave EA301 (reads that clear) empty and count all reads in EA310.
Source: EVA-DTS 6.2.2; vending.md 1.2 (with the real files named there).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from gateway.drivers.crc16_arc import crc16_arc

G85 = Literal["strict", "ignore", "absent"]
# The longest file that is taken: a machine of 60 selections with price lists writes some 15 KB.
LONGEST = 131_072
MOST_ELEMENTS = 128
_ESCAPE = re.compile(r"\^([0-9A-Fa-f]{2})\^")
_NAME = re.compile(rb"[A-Z][A-Z0-9]{1,11}\Z")


class DtsRefusedError(ValueError):
    """A file that is not used; the message says what to look at, `code` is stable:

    `empty`, `too_long`, `not_text`, `no_start`, `truncated`, `bad_segment`, `several_sets`, `g85_missing`,
    `g85_malformed`, `g85_mismatch`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Segment(msgspec.Struct, frozen=True):
    """One line: `name` and its elements, escapes undone. Elements are counted from 1, as the standard does."""

    name: str
    elements: tuple[str, ...]

    def __getitem__(self, number: int) -> str:
        """Element `number`, empty where the machine left it out."""
        return self.elements[number - 1] if number <= len(self.elements) else ""

    def count(self, number: int) -> int | None:
        """Element `number` as a counter; None where it is empty or no plain number."""
        text = self[number].strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


class Paid(msgspec.Struct, frozen=True):
    """PA7: vends of a product by payment device and price list, since initialisation and since the last reset."""

    device: str
    list: str
    price: int | None
    total: int | None
    interval: int | None


class Selection(msgspec.Struct):
    """One selection (PA1) and all counters behind it; None where the machine does not say."""

    name: str
    price: int | None = None
    product: str = ""
    capacity: int | None = None
    par: int | None = None
    dispensed: int | None = None
    absent: bool = False
    level: int | None = None
    minimum: int | None = None
    paid: int | None = None
    paid_interval: int | None = None
    test: int | None = None
    test_interval: int | None = None
    free: int | None = None
    free_interval: int | None = None
    sold_out: str = ""
    presses: int | None = None
    by_device: tuple[Paid, ...] = ()
    mixed: int | None = None
    # Where a machine writes the selection into PA102 (Kikko): what PA101 to PA103 mean is not what the text says.
    shifted: bool = False

    @property
    def vends(self) -> int | None:
        """Paid vends since initialisation: PA201, else the sum of PA705 without what PA803 says was counted twice."""
        if self.paid is not None:
            return self.paid
        told = [one.total for one in self.by_device if one.total is not None]
        return sum(told) - (self.mixed or 0) if told else None


class Reads(msgspec.Struct, frozen=True):
    """EA3: how often the machine was read, when and by whom now, and the time before. Stamps are digits, normalised."""

    count: int | None
    now: tuple[str, str]
    by: str
    before: tuple[str, str]
    before_by: str


class Happened(msgspec.Struct, frozen=True):
    """EA1 (one event with its time) or EA2 (how often one happened since initialisation)."""

    code: str
    date: str = ""
    time: str = ""
    total: int | None = None
    interval: int | None = None


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything we use of one file. `notes` names what was wrong with it and tolerated."""

    serial: str = ""
    model: str = ""
    build: str = ""
    location: str = ""
    asset: str = ""
    board: str = ""
    maker: str = ""
    version: str = ""
    paid: int | None = None
    paid_interval: int | None = None
    test: int | None = None
    free: int | None = None
    power_cycles: int | None = None
    reads: Reads | None = None
    selections: Mapping[str, Selection] = {}
    events: tuple[Happened, ...] = ()
    segments: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()


def read_dts(raw: bytes, g85: G85 = "strict") -> Audit:
    """The audit in these bytes, which may have a capture's words around them. Raises DtsRefusedError."""
    if not raw.strip():
        raise DtsRefusedError("empty", "the machine sent nothing")
    if len(raw) > LONGEST:
        raise DtsRefusedError("too_long", f"{len(raw)} bytes; at most {LONGEST} are taken")
    notes: list[str] = []
    # A capture's words may stand on the very line of DXS, with or without a line end between.
    begin = max(raw.find(b"DXS*"), 0)
    if raw[:begin].strip():
        notes.append("wrapped")
    raw = raw[begin:]
    lines = _lines(raw, notes)
    start, end = _bounds(lines, notes)
    _check_g85(lines[start : end + 1], raw, g85, notes)
    segments = tuple(_segment(line) for line in lines)
    return _audit(segments, start, end, notes)


def plain(text: str) -> str:
    """A name as records and registers can hold it: printable ASCII."""
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text)


def crc_of(lines: Sequence[bytes]) -> int:
    """G85 over whole segments: from the S of ST through the CR LF before G85, each with its CR LF."""
    return crc16_arc(b"".join(line + b"\r\n" for line in lines))


def _lines(raw: bytes, notes: list[str]) -> list[bytes]:
    """The segments of one report, without the words of a capture before DXS and after DXE."""
    if b"\r\n" not in raw:
        notes.append("line_ends")
    lines = [line.strip(b"\x00\x1a") for line in re.split(rb"\r\n|\n\r|\r|\n", raw)]
    first = next((at for at, line in enumerate(lines) if line.startswith(b"DXS*")), None)
    if first is None:
        first = next((at for at, line in enumerate(lines) if line.startswith(b"ST*")), None)
        notes.append("no_dxs")
    if first is None:
        raise DtsRefusedError("no_start", "neither DXS nor ST was found: this is no audit, or its beginning is missing")
    if any(lines[:first]) and "wrapped" not in notes:
        notes.append("wrapped")
    kept: list[bytes] = []
    for line in lines[first:]:
        if not line.strip():
            continue
        if line == b"DXE" or line.startswith(b"DXE*"):
            kept.append(re.split(rb"[\x00-\x1f\x7f]", line)[0])
            break
        kept.append(line)
    return [_clean(line) for line in kept]


def _clean(line: bytes) -> bytes:
    if any(byte < 0x20 or byte == 0x7F for byte in line):
        raise DtsRefusedError("not_text", f"control characters in {line[:24]!r}: bytes were lost or added on the way")
    return line


def _bounds(lines: Sequence[bytes], notes: list[str]) -> tuple[int, int]:
    """Where ST and SE stand. A report that breaks off before its end is refused."""
    names = [line.partition(b"*")[0] for line in lines]
    if names.count(b"ST") > 1:
        raise DtsRefusedError("several_sets", "two ST segments: read each set as a file of its own")
    if names[0] == b"DXS" and names[-1] == b"DXE" and not {b"ST", b"SE"} & set(names):
        # FAG JF8900: DXS, the data, DXE and nothing else. Whether that is enough without a G85 its profile says.
        notes.append("no_st")
        return 1, len(lines) - 1
    if b"ST" not in names:
        raise DtsRefusedError("no_start", "there is no ST segment: the beginning is missing")
    start = names.index(b"ST")
    if b"SE" not in names[start:] or (names[0] == b"DXS" and names[-1] != b"DXE"):
        raise DtsRefusedError("truncated", "the report breaks off before SE and DXE: read the machine again")
    end = names.index(b"SE", start)
    told = Segment("SE", tuple(_text(lines[end]).split("*")[1:])).count(1)
    if told != end - start + 1:
        notes.append("se01")
    return start, end


def _check_g85(lines: Sequence[bytes], raw: bytes, profile: G85, notes: list[str]) -> None:
    at = next((at for at, line in enumerate(lines) if line.startswith(b"G85")), None)
    if at is None:
        if profile == "strict":
            raise DtsRefusedError("g85_missing", "no G85; if this model never writes one, set its profile to absent")
        notes.append("g85_missing")
        return
    told = _text(lines[at]).partition("*")[2].partition("*")[0].strip()
    if not re.fullmatch(r"[0-9A-Fa-f]{4}", told):
        if profile != "ignore":
            raise DtsRefusedError("g85_malformed", f"G85 says {told!r}, not four hex digits")
        notes.append("g85_malformed")
        return
    found, said = _crc_as_sent(lines[:at], raw), int(told, 16)
    if said in found:
        return
    swapped = (said & 0xFF) << 8 | said >> 8
    if swapped in found and not _is_version_6(raw):
        notes.append("g85_swapped")
        return
    if profile != "ignore":
        raise DtsRefusedError("g85_mismatch", f"G85 says {told.upper()}, the file gives {found[0]:04X}")
    notes.append("g85_mismatch")


def _crc_as_sent(lines: Sequence[bytes], raw: bytes) -> list[int]:
    """The CRC with CR LF put back, and over the very bytes (a space or NUL at a line's end belongs to them)."""
    given = [crc_of(lines)]
    match = re.search(rb"(?m)^ST\*", raw)
    end = re.search(rb"(?m)^G85", raw)
    if match and end and match.start() < end.start():
        given.append(crc16_arc(raw[match.start() : end.start()]))
    return given


def _is_version_6(raw: bytes) -> bool:
    match = re.search(rb"(?m)^DXS\*[^*\r\n]*\*[^*\r\n]*\*V\d+/(\d+)", raw)
    return match is not None and int(match[1]) >= 6


def _text(line: bytes) -> str:
    """Machines write names in the code page of their maker; every byte becomes some letter and none is lost."""
    return line.decode("latin-1")


def _segment(line: bytes) -> Segment:
    name = line.partition(b"*")[0].strip()
    elements = _text(line).split("*")[1:]
    if not _NAME.match(name) or len(elements) > MOST_ELEMENTS:
        raise DtsRefusedError("bad_segment", f"{line[:24]!r} is no segment: bytes were lost or added on the way")
    while elements and not elements[-1]:
        elements.pop()
    return Segment(name.decode("ascii"), tuple(_ESCAPE.sub(_unescape, element) for element in elements))


def _unescape(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char.isprintable() else ""


def _stamp(date: str, time: str) -> tuple[str, str]:
    """YYMMDD and HHMM: machines drop leading zeros, and some write the century or leave out the seconds."""
    day = "".join(char for char in date if char.isdigit())
    hour = "".join(char for char in time if char.isdigit())
    day = day.zfill(6)[-6:] if day else ""
    hour = hour.zfill(6 if len(hour) > 4 else 4)[:4] if hour else ""
    return day, hour


def _audit(segments: tuple[Segment, ...], start: int, end: int, notes: list[str]) -> Audit:
    head = segments[0] if segments[0].name == "DXS" else Segment("DXS", ())
    found: dict[str, object] = {"maker": head[1], "version": head[3]}
    events: list[Happened] = []
    for one in segments[start:end]:
        match one.name:
            case "ID1":
                found |= {"serial": one[1].strip(), "model": one[2].strip(), "build": one[3].strip()}
                found |= {"location": one[4].strip(), "asset": one[6].strip()}
            case "CB1":
                found["board"] = one[1].strip()
            case "VA1":
                found |= {"paid": one.count(2), "paid_interval": one.count(4)}
            case "VA2":
                found["test"] = one.count(2)
            case "VA3":
                found["free"] = one.count(2)
            case "EA3":
                before = _stamp(one[5], one[6])
                count = one.count(1) if one.count(1) is not None else one.count(10)
                found["reads"] = Reads(count, _stamp(one[2], one[3]), one[4], before, one[7])
            case "EA7":
                found["power_cycles"] = one.count(2)
            case "EA1":
                events.append(Happened(one[1], *_stamp(one[2], one[3])))
            case "EA2":
                events.append(Happened(one[1], total=one.count(3), interval=one.count(2)))
            case _:
                pass
    selections = _selections(segments[start:end], notes)
    rest = {"selections": selections, "events": tuple(events), "segments": segments}
    return msgspec.convert({**found, **rest, "notes": tuple(dict.fromkeys(notes))}, Audit, from_attributes=True)


def _selections(segments: Sequence[Segment], notes: list[str]) -> dict[str, Selection]:
    """PA segments belong to the PA1 before them; PA7 and PA8 name their product themselves."""
    found: dict[str, Selection] = {}
    twice: set[str] = set()
    here: Selection | None = None
    for one in segments:
        if one.name == "PA1":
            here = _selection(one)
            if not here.name or here.name in found:
                # Which of two counters of one selection is right, nobody knows: neither is used.
                notes.append("selection_twice" if here.name else "selection_unnamed")
                twice.add(here.name)
            found.setdefault(here.name, here)
        elif one.name in _PARTS and here is not None:
            for field, number in _PARTS[one.name].items():
                setattr(here, field, one.count(number))
            if one.name == "PA5":
                here.sold_out = " ".join(part for part in _stamp(one[1], one[2]) if part)
        elif one.name in ("PA7", "PA8"):
            _by_payment(one, found.get(plain(one[1].strip())[:64]) or here)
    return {name: one for name, one in found.items() if name and name not in twice}


_PARTS: dict[str, dict[str, int]] = {
    "PA2": {"paid": 1, "paid_interval": 3},
    "PA3": {"test": 1, "test_interval": 3},
    "PA4": {"free": 1, "free_interval": 3},
    "PA5": {"presses": 3},
}


def _selection(one: Segment) -> Selection:
    name, shifted = plain(one[1].strip())[:64], False
    if not name and one[2].strip():
        name, shifted = plain(one[2].strip())[:64], True
    return Selection(
        name, None if shifted else one.count(2), "" if shifted else one[3].strip(), one.count(4), one.count(5),
        one.count(6), one[7].strip() == "1", one.count(8), one.count(9), shifted=shifted,
    )  # fmt: skip


def _by_payment(one: Segment, selection: Selection | None) -> None:
    if selection is None:
        return
    if one.name == "PA8":
        selection.mixed = (selection.mixed or 0) + (one.count(3) or 0)
    else:
        paid = Paid(plain(one[2].strip())[:12], plain(one[3].strip())[:12], one.count(4), one.count(5), one.count(7))
        selection.by_device = (*selection.by_device, paid)
