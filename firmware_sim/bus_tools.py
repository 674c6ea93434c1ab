"""``tally-sim record`` and ``replay``: opens the ports and files that ``recording.py`` works on."""

from __future__ import annotations

import argparse
import contextlib
import os
import termios
from dataclasses import replace
from pathlib import Path

import serial

from firmware_sim.bench import SPEEDS
from firmware_sim.recording import Frame, Replay, open_pty, record, written
from firmware_sim.serial_line import LineSpec
from firmware_sim.strict_toml import ScenarioError


def record_bus(options: argparse.Namespace, *, stop: int = -1) -> str:
    """Records until the given end or Ctrl-C, and writes the file; a sentence about it. Raises ScenarioError."""
    spec = LineSpec(baud=options.baud, parity=options.parity, data_bits=options.bits)
    try:
        port = serial.Serial(
            str(options.port), spec.baud, bytesize=spec.data_bits, parity=spec.parity, timeout=0, exclusive=True
        )
    except (OSError, serial.SerialException) as error:
        raise ScenarioError(f"{options.port} cannot be opened: {error}. Does the gateway have it? Stop it.") from error
    host = open_pty(options.link)[0] if options.link else -1
    frames: list[Frame] = []
    spoken = None if host < 0 else _Followed(port, host, spec)

    def ended(seconds: float, count: int) -> bool:
        return bool((options.seconds and seconds >= options.seconds) or (options.frames and count > options.frames))

    with contextlib.suppress(KeyboardInterrupt):
        record(port.fileno(), spec, host=host, until=ended, stop=stop, frames=frames, spoken=spoken)
    port.close()
    if options.link:
        options.link.unlink(missing_ok=True)
    kept = frames[: options.frames or None]
    options.out.write_text(written(kept, options.out.stem), "utf-8")
    return f"{len(kept)} frames in {options.out}"


class _Followed:
    """The speed that the host sets at its end of the pty, set at the adapter too: IEC 62056 begins at 300 baud."""

    def __init__(self, port: serial.Serial, host: int, spec: LineSpec) -> None:
        self._port, self._host, self._spec = port, host, spec
        self._set = self._asked()

    def __call__(self) -> LineSpec:
        """What the line is set to now."""
        asked = self._asked()
        if asked != self._set:
            self._set = asked
            # The last bit of what was written leaves at the speed before.
            self._port.flush()
            self._port.baudrate = asked
            self._spec = replace(self._spec, baud=asked)
        return self._spec

    def _asked(self) -> int:
        # Both ends of a pty share their settings.
        return SPEEDS.get(termios.tcgetattr(self._host)[5], self._spec.baud)


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
