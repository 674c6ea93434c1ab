"""``tally-sim record`` and ``replay``: opens the ports and files that ``recording.py`` works on."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path

import serial

from firmware_sim.recording import Frame, Replay, open_pty, record, written
from firmware_sim.serial_line import LineSpec
from firmware_sim.strict_toml import ScenarioError


def record_bus(options: argparse.Namespace, *, stop: int = -1) -> str:
    """Records until the given end or Ctrl-C, and writes the file; a sentence about it. Raises ScenarioError."""
    spec = LineSpec(baud=options.baud, parity=options.parity)
    try:
        port = serial.Serial(str(options.port), spec.baud, parity=spec.parity, timeout=0, exclusive=True)
    except (OSError, serial.SerialException) as error:
        raise ScenarioError(f"{options.port} cannot be opened: {error}. Does the gateway have it? Stop it.") from error
    host = open_pty(options.link)[0] if options.link else -1
    frames: list[Frame] = []

    def ended(seconds: float, count: int) -> bool:
        return bool((options.seconds and seconds >= options.seconds) or (options.frames and count > options.frames))

    with contextlib.suppress(KeyboardInterrupt):
        record(port.fileno(), spec, host=host, until=ended, stop=stop, frames=frames)
    port.close()
    if options.link:
        options.link.unlink(missing_ok=True)
    kept = frames[: options.frames or None]
    options.out.write_text(written(kept, options.out.stem, f"{spec.baud} 8{spec.parity}1"), "utf-8")
    return f"{len(kept)} frames in {options.out}"


def replay_bus(file: Path, link: Path, *, stop: int = -1) -> None:
    """Plays the file behind ``link`` until Ctrl-C. Raises ScenarioError."""
    try:
        replay = Replay(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file} cannot be read: {error}") from error
    master, slave = open_pty(link)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            replay.run(master, stop=stop)
    finally:
        link.unlink(missing_ok=True)
        os.close(slave)
        os.close(master)
