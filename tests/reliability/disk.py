"""A disk that keeps no more than it must: what was synced is safe, all else may be there, in part, or not at all.

Stricter than any one file system: a file's sync does not keep its name, names are kept by a sync of their folder alone
(POSIX fsync(2)), in order. What was written and not synced is dropped, kept, kept up to some write, or kept sector by
sector at random; and the sector that was being written when power failed may hold anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from tests.reliability.shim import Op

Fate = Literal["drop", "keep", "prefix", "sectors", "damage"]
FATES: tuple[Fate, ...] = ("drop", "keep", "prefix", "sectors", "damage")
SECTORS = (512, 4096)


class Change(NamedTuple):
    """An unsynced write (``data``), or a new size (``data`` None)."""

    at: int
    data: bytes | None


@dataclass
class File:
    """One file: its bytes as of the last sync, and what came after."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.pending:
            apply(self.safe, change)
        self.pending.clear()


class Renaming(NamedTuple):
    """One change of names in a folder: ``name`` is now ``file`` (None: it is gone; "folder": it is a folder)."""

    name: str
    file: File | Literal["folder"] | None


@dataclass
class Folder:
    """The names in one folder: those that are safe, and the changes since."""

    safe: dict[str, File | Literal["folder"]] = field(default_factory=dict)
    pending: list[tuple[Renaming, ...]] = field(default_factory=list)

    def sync(self) -> None:
        self.safe = self.after(len(self.pending))
        self.pending.clear()

    def after(self, changes: int) -> dict[str, File | Literal["folder"]]:
        """The names once so many of the pending changes are carried out."""
        names = dict(self.safe)
        for step in self.pending[:changes]:
            for one in step:
                if one.file is None:
                    names.pop(one.name, None)
                else:
                    names[one.name] = one.file
        return names


class Disk:
    """The state of one folder tree while a program works in it."""

    def __init__(self) -> None:
        self.folders: dict[str, Folder] = {"": Folder()}

    @classmethod
    def of(cls, root: Path) -> Disk:
        """What lies there now, all of it safe."""
        disk = cls()
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            above, _, last = name.rpartition("/")
            if path.is_dir():
                disk.folders[above].safe[last] = "folder"
                disk.folders[name] = Folder()
            elif not last.endswith("-shm"):
                disk.folders[above].safe[last] = File(bytearray(path.read_bytes()))
        return disk

    def follow(self, ops: Iterable[Op]) -> None:
        """Goes on as the program did."""
        for op in ops:
            self._step(op)

    def _step(self, op: Op) -> None:
        if op.kind in ("W", "T"):
            if (file := self._find(op.name)) is not None:
                file.pending.append(Change(op.at, op.data if op.kind == "W" else None))
        elif op.kind == "S":
            if (file := self._find(op.name)) is not None:
                file.sync()
        elif op.kind == "D":
            self.folders[op.name].sync()
        elif op.kind == "K":
            self.folders.setdefault(op.name, Folder())
            self._rename(Renaming(op.name, "folder"))
        elif op.kind == "C":
            self._rename(Renaming(op.name, File()))
        elif op.kind == "U":
            self._rename(Renaming(op.name, None))
        elif op.kind in ("R", "L"):
            moved = Renaming(op.data.decode(), self._find(op.name))
            self._rename(*([moved] if op.kind == "L" else [moved, Renaming(op.name, None)]))

    def _rename(self, *changes: Renaming) -> None:
        above = changes[0].name.rpartition("/")[0]
        step = tuple(Renaming(one.name.rpartition("/")[2], one.file) for one in changes)
        self.folders[above].pending.append(step)

    def _find(self, name: str) -> File | None:
        above, _, last = name.rpartition("/")
        folder = self.folders[above]
        found = folder.after(len(folder.pending)).get(last)
        return found if isinstance(found, File) else None

    def cut(self, chance: random.Random, fate: Fate, to: Path) -> None:
        """Writes one legal image of the disk after a power cut now."""
        self._image("", to, chance, fate)

    def _image(self, name: str, to: Path, chance: random.Random, fate: Fate) -> None:
        folder = self.folders[name]
        to.mkdir(exist_ok=True)
        changes = len(folder.pending)
        kept = 0 if fate == "drop" else changes if fate == "keep" else chance.randint(0, changes)
        for last, file in folder.after(kept).items():
            if file == "folder":
                self._image(f"{name}/{last}" if name else last, to / last, chance, fate)
            else:
                (to / last).write_bytes(content(file, chance, fate))


def content(file: File, chance: random.Random, fate: Fate) -> bytes:
    """What one file may hold after the cut."""
    made = bytearray(file.safe)
    pending = file.pending
    if fate == "keep":
        kept: Iterable[Change] = pending
    elif fate == "prefix":
        kept = pending[: chance.randint(0, len(pending))]
    elif fate in ("sectors", "damage"):
        kept = _some_sectors(pending, chance, chance.choice(SECTORS))
    else:
        kept = ()
    for change in kept:
        apply(made, change)
    if fate == "damage":
        _damage(made, pending, chance)
    return bytes(made)


def apply(data: bytearray, change: Change) -> None:
    """Carries one change out."""
    if change.data is None:
        del data[change.at :]
        data.extend(bytes(change.at - len(data)))
    else:
        data.extend(bytes(max(0, change.at - len(data))))
        data[change.at : change.at + len(change.data)] = change.data


def _some_sectors(pending: Iterable[Change], chance: random.Random, sector: int) -> list[Change]:
    kept: list[Change] = []
    for change in pending:
        if change.data is None:
            kept += [change] if chance.random() < 0.5 else []
            continue
        at, end = change.at, change.at + len(change.data)
        while at < end:
            upto = min(end, at // sector * sector + sector)
            if chance.random() < 0.5:
                kept.append(Change(at, change.data[at - change.at : upto - change.at]))
            at = upto
    return kept


def _damage(data: bytearray, pending: list[Change], chance: random.Random) -> None:
    """The whole 4 KiB around a byte that was being written turns to rubbish, with what had been safe in it."""
    writes = [change for change in pending if change.data]
    if not writes:
        return
    hit = chance.choice(writes)
    at = (hit.at + chance.randrange(len(hit.data or b""))) // 4096 * 4096
    end = min(len(data), at + 4096)
    if at < end:
        data[at:end] = chance.randbytes(end - at)
