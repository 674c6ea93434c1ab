"""Folders whose names are still there after a power cut: a synced file without a synced name is gone (POSIX fsync(2)).

The same few lines as the gateway's: the two share nothing but the wire, and the wire touches no disk.
"""

from __future__ import annotations

import os
from pathlib import Path


def make(folder: Path) -> None:
    """Makes a folder and what is missing above it, and syncs the name of each that was made. Raises OSError."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync(one.parent)


def sync(folder: Path) -> None:
    """Returns when the names in this folder are on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
