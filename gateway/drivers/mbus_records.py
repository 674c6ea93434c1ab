"""The data of an M-Bus answer, record by record, exact: integers with a scale, never floats. PURE.

    CI 72  id(4) man(2) version medium access status signature(2)  then  DIF [DIFE..] VIF [VIFE..] data  ...
           DIF: bits 0-3 length, 4-5 function, 6 storage, 7 DIFE follows     DIFE: storage(4) tariff(2) unit(1) more(1)
    CI 73  id(4) access status unit unit counter(4) counter(4)               the old fixed structure
    CI 76  as 72, and every number of several bytes with its highest byte first (mode 2; old Apator heat meters)

The surprise: a text unit (VIF FC) stands before the VIFEs on some makes and behind them on others, and a VIFE can turn
a volume into "litres per pulse": a record with such a modifier is another quantity and must not be billed as the plain
one. Source: EN 13757-3; devices.md section 4.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.drivers.bcd import NoDecimalError, decimal
from gateway.drivers.mbus_values import FIXED, MEANINGS, MEANINGS_FB, MEANINGS_FD, Meaning
from gateway.drivers.modbus_profile import scaled

Function = Literal["instantaneous", "maximum", "minimum", "error"]
FUNCTIONS: tuple[Function, ...] = ("instantaneous", "maximum", "minimum", "error")
SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
FLOAT, VARIABLE = 5, 13
FLOAT_DECIMALS = 6
MOST_EXTENSIONS = 10
# VIFEs by which a meter calls a record wrong. 12 to 14 and 1D to 1F are none: mean, profiles, deviation, content.
ERRORS = frozenset((*range(0x01, 0x12), *range(0x15, 0x1D)))
HEADER, SHORT_HEADER, FIXED_LENGTH = 12, 4, 16


class BadTelegramError(ValueError):
    """The data cannot be read to its end; `why` in a word: header, dif, vif, length, encrypted, ci, error."""

    def __init__(self, why: str) -> None:
        super().__init__(f"an M-Bus telegram whose {why} cannot be read")
        self.why = why


class Record(msgspec.Struct, frozen=True):
    """One value: `value` * 10**scale unit; None where there is none. `modifiers`: VIFEs that change its meaning."""

    quantity: str
    value: int | str | None
    scale: int = 0
    unit: str = ""
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    function: Function = "instantaneous"
    modifiers: tuple[int, ...] = ()

    @property
    def plain(self) -> bool:
        """The value of now, of all tariffs, of the meter itself: what is billed."""
        return not (self.storage or self.tariff or self.subunit or self.modifiers) and self.function == FUNCTIONS[0]


class Telegram(msgspec.Struct, frozen=True):
    """One answer. `number`: 8 digits; `rest`: the maker's own data behind 0F; `more`: another telegram follows."""

    number: str = ""
    manufacturer: str = ""
    version: int = 0
    medium: int = 0
    access: int = 0
    status: int = 0
    records: tuple[Record, ...] = ()
    more: bool = False
    rest: bytes = b""


def parse(ci: int, data: bytes) -> Telegram:
    """What stands behind C, A and CI. Raises BadTelegramError; nothing else."""
    if ci in (0x72, 0x76):
        return _long(data, upper=ci == 0x76)
    if ci == 0x7A:
        if len(data) < SHORT_HEADER:
            raise BadTelegramError("header")
        if _is_encrypted(data[3]):
            raise BadTelegramError("encrypted")
        records, more, rest = read_records(data[SHORT_HEADER:])
        return Telegram(access=data[0], status=data[1], records=records, more=more, rest=rest)
    if ci == 0x78:
        records, more, rest = read_records(data)
        return Telegram(records=records, more=more, rest=rest)
    if ci == 0x73:
        return _fixed(data)
    raise BadTelegramError("error" if ci == 0x70 else "ci")


def _long(data: bytes, *, upper: bool) -> Telegram:
    if len(data) < HEADER:
        raise BadTelegramError("header")
    if upper:
        data = data[3::-1] + data[5:3:-1] + data[6:10] + data[11:9:-1] + data[HEADER:]
    if _is_encrypted(data[11]):
        raise BadTelegramError("encrypted")
    records, more, rest = read_records(data[HEADER:], upper=upper)
    return Telegram(
        data[3::-1].hex().upper(), letters(data[4:6]), data[6], data[7], data[8], data[9], records, more, rest,
    )  # fmt: skip


def _is_encrypted(configuration: int) -> bool:
    """By the mode in the upper byte of the configuration field. 16 and above are no modes: meters from before there
    was encryption have a signature of their own there, and what they say is plain (EN 13757-7:2018 table 18).
    """
    return 0 < configuration & 0x1F < 0x10


def _fixed(data: bytes) -> Telegram:
    if len(data) < FIXED_LENGTH:
        raise BadTelegramError("header")
    status, binary = data[5], bool(data[5] & 1)
    records = []
    stored = bool(status & 2)
    for number, (unit, counter) in enumerate(((data[6], data[8:12]), (data[7], data[12:16]))):
        code = unit & 0x3F
        first = FIXED.get(data[6] & 0x3F)
        meaning = first if code == 0x3E else FIXED.get(code)
        try:
            value = int.from_bytes(counter, "little") if binary else decimal(counter)
        except NoDecimalError:
            value = None
        if meaning is not None:
            history = int(stored or (number == 1 and code == 0x3E))
            records.append(Record(meaning.quantity, value, meaning.scale, meaning.unit, storage=history))
    medium = data[6] >> 6 | (data[7] >> 6) << 2
    return Telegram(data[3::-1].hex().upper(), "", 0, medium, data[4], status & ~3, tuple(records))


def letters(code: bytes) -> str:
    """The manufacturer's three letters."""
    number = int.from_bytes(code, "little")
    return "".join(chr((number >> shift & 0x1F) + 64) for shift in (10, 5, 0))


def read_records(data: bytes, *, upper: bool = False) -> tuple[tuple[Record, ...], bool, bytes]:
    """All records, whether more telegrams follow, the maker's own rest. Raises BadTelegramError: a record overruns.

    `upper`: the highest byte of a value is the first.
    """
    records: list[Record] = []
    at = 0
    while at < len(data):
        dif = data[at]
        if dif & 0x0F == 0x0F:
            if dif == 0x2F:
                at += 1
                continue
            # 0F: the rest is the maker's own; 1F: the same, and another telegram follows.
            return tuple(records), dif == 0x1F, data[at + 1 :]
        record, at = _record(data, at, upper=upper)
        if record is not None:
            records.append(record)
    return tuple(records), False, b""


def _record(data: bytes, at: int, *, upper: bool) -> tuple[Record | None, int]:
    dif = data[at]
    storage, tariff, subunit, at = _extensions(data, at)
    meaning, modifiers, at = _meaning(data, at)
    field = dif & 0x0F
    if field == VARIABLE:
        value, at = _variable(data, at, upper=upper)
    else:
        size = SIZES[field]
        piece = data[at : at + size]
        if len(piece) < size:
            raise BadTelegramError("length")
        at += size
        if field in (0, 8):
            return None, at
        value = _value(field, piece[::-1] if upper else piece, meaning)
    scale = meaning.scale
    if isinstance(value, int):
        value *= meaning.factor
        if field == FLOAT:
            scale -= FLOAT_DECIMALS
    standard = _standard(modifiers)
    for one in standard:
        scale += one - 0x76 if 0x70 <= one <= 0x77 else 3 if one == 0x7D else 0
    own = tuple(one for one in modifiers[len(standard) :] if one)
    kept = tuple(one for one in standard if one and not (0x70 <= one <= 0x77 or one == 0x7D)) + own
    if any(one in ERRORS for one in standard):
        value = None  # the meter says by itself that this record is wrong
    function = FUNCTIONS[dif >> 4 & 3]
    return Record(meaning.quantity, value, scale, meaning.unit, storage, tariff, subunit, function, kept), at


def _standard(modifiers: tuple[int, ...]) -> tuple[int, ...]:
    """Those before 7F, which says that the maker's own follow."""
    return modifiers[: modifiers.index(0x7F)] if 0x7F in modifiers else modifiers


def _extensions(data: bytes, at: int) -> tuple[int, int, int, int]:
    storage, tariff, subunit = data[at] >> 6 & 1, 0, 0
    for number in range(MOST_EXTENSIONS + 1):
        follows = data[at] & 0x80
        at += 1
        if not follows:
            return storage, tariff, subunit, at
        if at >= len(data) or number == MOST_EXTENSIONS:
            break
        storage |= (data[at] & 0x0F) << (1 + 4 * number)
        tariff |= (data[at] >> 4 & 3) << 2 * number
        subunit |= (data[at] >> 6 & 1) << number
    raise BadTelegramError("dif")


def _meaning(data: bytes, at: int) -> tuple[Meaning, tuple[int, ...], int]:
    """VIF and VIFEs; a text unit on either side of the VIFEs."""
    if at >= len(data):
        raise BadTelegramError("vif")
    vif = data[at]
    at += 1
    text = ""
    is_text = vif & 0x7F == 0x7C
    if is_text and (not vif & 0x80 or _is_text(data, at)):
        text, at = _text(data, at)
        is_text = False
    chain: list[int] = []
    follows = vif & 0x80
    while follows:
        if at >= len(data) or len(chain) == MOST_EXTENSIONS:
            raise BadTelegramError("vif")
        follows = data[at] & 0x80
        chain.append(data[at] & 0x7F)
        at += 1
    if is_text:
        text, at = _text(data, at)
    if vif in (0xFB, 0xFD) and chain:
        table = MEANINGS_FB if vif == 0xFB else MEANINGS_FD
        return table.get(chain[0], Meaning(f"vif_{vif:02x}{chain[0]:02x}")), tuple(chain[1:]), at
    if vif & 0x7F == 0x7C:
        return Meaning("text", 0, text), tuple(chain), at
    if vif & 0x7F == 0x7F:
        return Meaning("maker"), (0x7F, *chain), at
    return MEANINGS.get(vif & 0x7F, Meaning(f"vif_{vif & 0x7F:02x}")), tuple(chain), at


def _is_text(data: bytes, at: int) -> bool:
    """Whether a length and so many printable characters stand here."""
    length = data[at] if at < len(data) else 0
    piece = data[at + 1 : at + 1 + length]
    return 0 < length == len(piece) and all(0x20 <= byte < 0x7F or byte >= 0xA0 for byte in piece)


def _text(data: bytes, at: int) -> tuple[str, int]:
    if at >= len(data) or at + 1 + data[at] > len(data):
        raise BadTelegramError("vif")
    end = at + 1 + data[at]
    return _words(data[at + 1 : end]), end


def _words(piece: bytes) -> str:
    return "".join(char for char in piece[::-1].decode("latin-1") if char.isprintable())


def _variable(data: bytes, at: int, *, upper: bool) -> tuple[int | str | None, int]:
    if at >= len(data):
        raise BadTelegramError("length")
    length = data[at]
    at += 1
    if length < 0xC0:
        size, kind = length, "text"
    elif length < 0xE0:
        size, kind = length & 0x0F, "bcd"
    elif length < 0xF0:
        size, kind = length - 0xE0, "binary"
    elif length <= 0xF6:
        size, kind = {0xF5: 48, 0xF6: 64}.get(length, 4 * (length - 0xEC)), "bytes"
    else:
        raise BadTelegramError("length")
    piece = data[at : at + size]
    if len(piece) < size:
        raise BadTelegramError("length")
    at += size
    piece = piece[::-1] if upper else piece
    if kind == "text":
        return _words(piece), at
    if kind == "bytes":
        return piece[::-1].hex(" ").upper(), at
    if kind == "binary":
        return int.from_bytes(piece, "little", signed=True), at
    number = _decimal(piece)
    return (-number if length >= 0xD0 and number is not None else number), at


def _value(field: int, piece: bytes, meaning: Meaning) -> int | str | None:
    if meaning.unit in ("date", "time"):
        return moment(piece)
    if field == FLOAT:
        return scaled(int.from_bytes(piece, "little"), FLOAT_DECIMALS)
    if field in (9, 10, 11, 12, 14):
        return _decimal(piece)
    return int.from_bytes(piece, "little", signed=True)


def _decimal(piece: bytes) -> int | None:
    """A top nibble F is a minus; any other nibble over 9 is no value (meters show errors so)."""
    negative = bool(piece) and piece[-1] >> 4 == 0x0F
    try:
        number = decimal(piece[:-1] + bytes((piece[-1] & 0x0F,)) if negative else piece) if piece else 0
    except NoDecimalError:
        return None
    return -number if negative else number


def moment(piece: bytes) -> str | None:
    """Types G (2 bytes, date), F (4 bytes) and I (6 bytes); None where the meter says it is none."""
    if len(piece) == 2:
        return _date(piece)
    if len(piece) == 4:
        day = _date(piece[2:])
        minute, hour = piece[0] & 0x3F, piece[1] & 0x1F
        century = piece[1] >> 5 & 3
        valid = day is not None and not piece[0] & 0x80 and minute < 60 and hour < 24
        return f"{_of_century(day or '', century)}T{hour:02d}:{minute:02d}" if valid else None
    if len(piece) == 6:
        day = _date(piece[3:5])
        second, minute, hour = piece[0] & 0x3F, piece[1] & 0x3F, piece[2] & 0x1F
        valid = day is not None and not piece[1] & 0x80 and second < 60 and minute < 60 and hour < 24
        return f"{day}T{hour:02d}:{minute:02d}:{second:02d}" if valid else None
    return None


def _date(piece: bytes) -> str | None:
    day, month = piece[0] & 0x1F, piece[1] & 0x0F
    year = piece[0] >> 5 | piece[1] >> 4 << 3
    if not (1 <= day <= 31 and 1 <= month <= 12 and year <= 99):
        return None
    return f"{2000 + year if year <= 80 else 1900 + year}-{month:02d}-{day:02d}"


def _of_century(day: str, century: int) -> str:
    """Newer meters say the hundreds; 0 is for the older ones, which do not."""
    return f"{1900 + 100 * century + int(day[2:4])}{day[4:]}" if century else day
