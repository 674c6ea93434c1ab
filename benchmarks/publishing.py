"""Cabinets that publish, as a process of their own; what they published is known, event by event."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from benchmarks import events
from benchmarks.broker import CREDIT, Broker
from benchmarks.measure import ROOT
from benchmarks.processes import python

POLL_SECONDS = 0.005
# A bare socket, which leaves the machine to the consumer; or what most cabinets are.
Publisher = Literal["mqtt_publisher", "paho_publisher"]
PUBLISHERS: dict[Publisher, str] = {"paho_publisher": "paho publisher", "mqtt_publisher": "bare socket"}


@dataclass(frozen=True)
class Published:
    """One publisher's run: which events, and when (CLOCK_MONOTONIC, seconds)."""

    boot: int
    count: int
    began: float
    ended: float
    left: list[float]

    @property
    def identities(self) -> Iterator[tuple[str, str]]:
        """(device, did) of each event, in order."""
        return (events.identity(number, self.boot) for number in range(self.count))


class Publishing:
    """A publisher under way. With ``--rate N`` among the words it sends so many a second; else as fast as it can, a
    thousand ahead of the consumer's ``progress`` (a number of messages)."""

    def __init__(
        self,
        broker: Broker,
        count: int,
        boot: int,
        *words: str,
        progress: Callable[[], int] | None = None,
        publisher: Publisher = "mqtt_publisher",
    ) -> None:
        self._made = (boot, count)
        command = [str(word) for word in python("-m", f"benchmarks.{publisher}", str(broker.port), str(count))]
        self._process = subprocess.Popen(
            [*command, "--boot", str(boot), *words],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._done = threading.Event()
        self._credit = threading.Thread(target=self._give, args=(progress,), daemon=True)
        self._credit.start()

    def finish(self) -> Published:
        """What it published, when the broker has acknowledged all of it."""
        assert self._process.stdout is not None
        said = self._process.stdout.read()
        code = self._process.wait(30)
        self._done.set()
        self._credit.join()
        if code:
            raise RuntimeError("the publisher failed; see above")
        told = json.loads(said)
        return Published(*self._made, told["began"], told["ended"], told["left"])

    def _give(self, progress: Callable[[], int] | None) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            while not self._done.wait(POLL_SECONDS):
                so_far = progress() if progress is not None else 0
                self._process.stdin.write(f"{so_far + CREDIT}\n")
                self._process.stdin.flush()
        with suppress(BrokenPipeError):
            self._process.stdin.close()
