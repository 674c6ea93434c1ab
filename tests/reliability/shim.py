"""Builds ``shim.c`` with the machine's C compiler, steers it through mapped memory, and reads the record it leaves.

The library is compiled once for each text of the source and kept among the user's caches; it needs no root.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("shim.c")
HEAD = struct.Struct("<BxHIq")
WORDS = (
    "count", "kill_at", "half", "write_errno", "sync_errno", "open_errno", "refused", "clock_ms", "forget"
)  # fmt: skip
FORGET_FOLDER_SYNCS, FORGET_SYNCS = 1, 2


class Op(NamedTuple):
    """One thing that happened. ``kind``: C create, K make a folder, W write, T set the size, S sync of a file,
    D sync of a folder, R rename (to ``data``), L link (as ``data``), U remove, M something the program said."""

    kind: str
    name: str
    at: int
    data: bytes


def library() -> Path:
    """The compiled shim; raises FileNotFoundError where there is no C compiler."""
    text = SOURCE.read_bytes()
    folder = Path(tempfile.gettempdir()) / f"tallystick-shim-{os.getuid()}"
    made = folder / f"shim-{sha256(text).hexdigest()[:16]}.so"
    if made.exists():
        return made
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise FileNotFoundError("no C compiler: the power-cut and disk harnesses need one (apt-get install gcc)")
    folder.mkdir(mode=0o700, exist_ok=True)
    new = folder / f"{made.name}.{os.getpid()}"
    command = [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", str(new), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    new.rename(made)
    return made


class Control:
    """The words by which a running program's disk and clock are steered; see the enumeration in ``shim.c``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(8 * len(WORDS)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * len(WORDS))

    def __getitem__(self, word: str) -> int:
        return int(struct.unpack_from("<q", self._map, 8 * WORDS.index(word))[0])

    def __setitem__(self, word: str, value: int) -> None:
        struct.pack_into("<q", self._map, 8 * WORDS.index(word), value)

    def heal(self) -> None:
        """The disk obeys again."""
        for word in ("write_errno", "sync_errno", "open_errno"):
            self[word] = 0


def environment(
    folder: Path, *, record: Path | None = None, control: Control | None = None, mark: int | None = None
) -> dict[str, str]:
    """What a program's environment needs for its calls on ``folder`` to go through the shim."""
    found = {"LD_PRELOAD": str(library()), "SHIM_FOLDER": str(folder)}
    if record is not None:
        found["SHIM_LOG"] = str(record)
    if control is not None:
        found["SHIM_CONTROL"] = str(control.path)
    if mark is not None:
        found["SHIM_MARK"] = str(mark)
    return found


def read_record(path: Path) -> Iterator[Op]:
    """Everything that happened, in order."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        kind, name, length, place = HEAD.unpack_from(data, at)
        at += HEAD.size
        yield Op(chr(kind), data[at : at + name].decode(), place, data[at + name : at + name + length])
        at += name + length
