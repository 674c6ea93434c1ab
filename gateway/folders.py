"""Folders whose names are still there after a power cut.

The surprise: a file that was synced can vanish as a whole. Its name lies in its folder, and the folder's name in the
one above; each is kept by a sync of its own (POSIX fsync(2), "NOTES").
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
    """Returns when the names in this folder (new, renamed, removed) are on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
