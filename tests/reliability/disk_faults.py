"""A real gateway whose disk is full, over quota, read-only, or fails to write or to sync; it is never restarted.

    ./run python -m tests.reliability.disk_faults                # every fault five times
    ./run python -m tests.reliability.disk_faults --rounds 1

While the disk is broken no device hears "got it", the alarm stands on the status page within 5 s, pages and commands go
on reading, and within 10 s after the cause ended the gateway takes events again. In the end each event is in the cloud
once. The faults come from the shim (``shim.c``), so that neither root nor a disk of its own is needed.
"""

from __future__ import annotations

import argparse
import errno
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.broker import Broker
from benchmarks.device_line import DeviceLine
from benchmarks.gateway_process import Gateway
from benchmarks.measure import ROOT
from benchmarks.processes import free_port, python
from benchmarks.publishing import Published
from benchmarks.tiny_cloud import until
from tests.reliability.hasty_gateway import with_bug
from tests.reliability.shim import Control, environment
from tests.reliability.verdict import told

FAULTS: dict[str, dict[str, int]] = {
    "disk full": {"write_errno": errno.ENOSPC},
    "over quota": {"write_errno": errno.EDQUOT},
    "read-only": {"write_errno": errno.EROFS, "open_errno": errno.EROFS},
    "write error": {"write_errno": errno.EIO},
    "sync error": {"sync_errno": errno.EIO},
}
STATED, HEALED = 5, 10
EACH = 20


@dataclass
class Result:
    """``faults``: how many were played; ``refused``: calls to the disk that failed."""

    faults: int = 0
    refused: int = 0
    events: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass
class Patient:
    """The gateway, the devices it hears and the disk it writes to."""

    gateway: Gateway
    line: DeviceLine
    control: Control
    sent: int = 0

    def publish(self) -> range:
        """The next events."""
        numbers = range(self.sent, self.sent + EACH)
        self.sent += EACH
        self.line.publish(numbers)
        return numbers

    def heard(self, numbers: range) -> int:
        """How many of them were acknowledged."""
        return sum(number in self.line.acked for number in numbers)

    def suffer(self, words: Mapping[str, int]) -> Iterator[str]:
        """One fault from its beginning to health; what was wrong, in sentences."""
        for word, value in words.items():
            self.control[word] = value
        numbers = self.publish()
        if not until(self._complains, STATED):
            yield f"no alarm within {STATED} s: {self.gateway.status().get('journal')}"
        if self.heard(numbers):
            yield f"{self.heard(numbers)} of {EACH} events were acknowledged while the disk was broken"
        yield from self._reads()
        self.control.heal()
        if not until(lambda: self.heard(numbers) == EACH, HEALED):
            yield f"{EACH - self.heard(numbers)} events were not taken within {HEALED} s after the disk was well"
        if not until(self._is_well, HEALED):
            yield f"the alarm still stands {HEALED} s after the disk was well"

    def _reads(self) -> Iterator[str]:
        """The newest record can be looked at, and the page says how things are."""
        words = ("journal", "tail", "-n", "1", "--config", str(self.gateway.folder / "gateway.toml"))
        looked = subprocess.run(
            [str(word) for word in python("-m", "gateway.cli", *words)], cwd=ROOT, capture_output=True, check=False
        )
        if looked.returncode:
            yield f"the journal cannot be read while the disk is broken: {looked.stderr.decode()[-200:]}"
        if not self.gateway.status():
            yield "the pages do not answer while the disk is broken"

    def _complains(self) -> bool:
        found: Any = self.gateway.status()
        alarms = [one["code"] for one in found.get("alarms", ())]
        return (
            bool(found) and found["journal"]["state"] != "ok" and {"journal_full", "journal_down"} & {*alarms} != set()
        )

    def _is_well(self) -> bool:
        found: Any = self.gateway.status()
        return bool(found) and not any(one["code"].startswith("journal") for one in found["alarms"])


@contextmanager
def a_patient(folder: Path, within: Sequence[str] = ()) -> Iterator[Patient]:
    """A gateway under the shim, in health."""
    line = DeviceLine(free_port())
    gateway = Gateway("gateway", folder, Broker("device line", line.port, 0), ballast_mb=1)
    control = Control(folder / "control")
    seen = environment(gateway.state, control=control)
    try:
        gateway.start(["env", *(f"{name}={value}" for name, value in seen.items()), *within])
        gateway.await_ready()
        until(lambda: bool(gateway.status()), 20)
        yield Patient(gateway, line, control)
    finally:
        gateway.close()
        line.close()


def play(rounds: int, bug: str = "") -> Result:
    """Every fault so many times on one gateway, then the account; with a bug, until it is found."""
    result = Result()
    within = with_bug(bug)
    with tempfile.TemporaryDirectory(prefix="tallystick-disk-") as name, a_patient(Path(name), within) as patient:
        pid = patient.gateway.program.pid
        for _ in range(rounds):
            for fault, words in FAULTS.items():
                before = patient.publish()
                if not until(lambda before=before: patient.heard(before) == EACH, 20):  # type: ignore[misc]
                    result.findings.append(f"before {fault}: a well gateway does not acknowledge")
                result.findings += [f"{fault}: {one}" for one in patient.suffer(words)]
                result.faults += 1
                if bug and result.findings:
                    return result
        if not patient.gateway.program.is_running or patient.gateway.program.pid != pid:
            result.findings.append(f"the gateway has ended:\n{patient.gateway.program.tail()}")
        judged = patient.gateway.settle([Published(patient.line.boot, patient.sent, 0.0, 0.0, [])], 30)
        if judged.lost or judged.doubled:
            result.findings.append(f"{judged.lost} events are lost, {judged.doubled} doubled")
        result.refused, result.events = patient.control["refused"], patient.sent
    return result


def main() -> int:
    """The command; exit code 3 when something did not hold."""
    parser = argparse.ArgumentParser(description="Disk faults under a real gateway")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bug", action="store_true", help="a gateway that acknowledges what it could not store")
    given = parser.parse_args()
    result = play(given.rounds, "acknowledge" if given.bug else "")
    return told(
        f"{result.faults} disk faults, {result.refused} calls refused, {result.events} events",
        result.findings,
    )


if __name__ == "__main__":
    sys.exit(main())
