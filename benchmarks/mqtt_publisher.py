"""Twenty cabinets in one process: publishes at QoS 1 over a bare socket, so that the consumer is what limits.

`python -m benchmarks.mqtt_publisher PORT COUNT [--rate N]`. Prints, as JSON on one line, when the first message left
and when the last was acknowledged by the broker (CLOCK_MONOTONIC, seconds); with a rate also when each message left.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections.abc import Iterable, Sequence

from benchmarks import events

CONNECT = b"\x10\x16\x00\x04MQTT\x04\x02\x00\x00\x00\x0abench-pubs"
AT_ONCE = 20


class Publisher:
    """At most ``window`` messages on the way to the broker."""

    def __init__(self, port: int, window: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._window = window
        self._tail = b""
        self.outstanding = 0
        self._socket.sendall(CONNECT)
        answer = self._socket.recv(4)
        if answer[:2] != b"\x20\x02" or answer[3]:
            raise ConnectionError(f"the broker refuses the publisher: {answer.hex()}")

    def send(self, packets: list[bytes]) -> None:
        """Sends, when the window allows it."""
        while self.outstanding + len(packets) > self._window:
            self.take()
        self._socket.sendall(b"".join(packets))
        self.outstanding += len(packets)
        self.take(0)

    def take(self, seconds: float = 10.0) -> None:
        """Takes acknowledgements that are there, or the next that comes within ``seconds``."""
        if not select.select([self._socket], [], [], seconds)[0]:
            if seconds:
                raise TimeoutError(f"the broker does not acknowledge; {self.outstanding} are open")
            return
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the broker closed the publisher's connection")
        self._tail += data
        whole = len(self._tail) // 4
        self.outstanding -= whole
        self._tail = self._tail[whole * 4 :]

    def finish(self) -> None:
        """Returns when the broker has acknowledged everything."""
        while self.outstanding:
            self.take(30)


def within_credit(publisher: Publisher, packets: Sequence[bytes]) -> None:
    """A burst that stays behind the numbers on stdin: how many may have been sent in all."""
    sent = allowed = 0
    while sent < len(packets):
        while sent >= allowed:
            line = sys.stdin.readline()
            if not line:
                raise EOFError("nobody gives credit any more")
            allowed = int(line)
        some = packets[sent : min(allowed, sent + AT_ONCE)]
        publisher.send(list(some))
        sent += len(some)


def steadily(publisher: Publisher, packets: Iterable[bytes], rate: float) -> list[float]:
    """So many a second, one by one; when each left."""
    left: list[float] = []
    due = time.monotonic()
    for packet in packets:
        due += 1 / rate
        while (wait := due - time.monotonic()) > 0:
            if publisher.outstanding:
                publisher.take(0)
            time.sleep(min(wait, 0.02))
        left.append(time.monotonic())
        publisher.send([packet])
    return left


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--boot", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--window", type=int, default=500)
    parser.add_argument("--bad-every", type=int, default=0)
    parser.add_argument("--prefix", default="vend/v1")
    parser.add_argument("--whole-seconds", action="store_true")
    given = parser.parse_args()
    oddities = {"whole_seconds": given.whole_seconds, "bad_every": given.bad_every}
    made = list(events.packets(given.count, given.boot, prefix=given.prefix, **oddities))
    publisher = Publisher(given.port, given.window)
    began = time.monotonic()
    left: list[float] = []
    if given.rate:
        left = steadily(publisher, made, given.rate)
    else:
        within_credit(publisher, made)
    publisher.finish()
    sys.stdout.write(json.dumps({"began": began, "ended": time.monotonic(), "left": left}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
