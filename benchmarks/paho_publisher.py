"""Twenty cabinets as most are built: a paho client, QoS 1, a hundred messages in flight.

Takes what `mqtt_publisher` takes for a burst, and prints the same. It is about as quick as a paho consumer, so a rate
taken with it is that of a whole shop: publisher, broker and consumer share the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks import events

IN_FLIGHT = 100
AHEAD = 500


def publish(client: paho.Client, messages: list[tuple[str, bytes]], acknowledged: threading.Semaphore) -> None:
    """Publishes everything, as far as the numbers on stdin allow, and waits for the last acknowledgement."""
    allowed = credit()
    limit = next(allowed)
    for sent, (topic, body) in enumerate(messages):
        while sent >= limit:
            limit = next(allowed)
        acknowledged.acquire()
        client.publish(topic, body, qos=1)
    for _ in range(AHEAD):
        acknowledged.acquire()


def credit() -> Iterator[int]:
    """The numbers on stdin: how many may have been sent in all."""
    for line in sys.stdin:
        yield int(line)
    raise EOFError("nobody gives credit any more")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--boot", type=int, default=1)
    parser.add_argument("--prefix", default="vend/v1")
    given = parser.parse_args()
    messages = [
        (f"{given.prefix}/{events.cabinet(number)}/evt", events.payload(number, given.boot))
        for number in range(given.count)
    ]
    acknowledged = threading.Semaphore(AHEAD)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-paho", protocol=paho.MQTTv311)
    client.max_inflight_messages_set(IN_FLIGHT)
    client.max_queued_messages_set(0)
    client.on_publish = lambda *_: acknowledged.release()
    client.connect("127.0.0.1", given.port)
    client.loop_start()
    began = time.monotonic()
    publish(client, messages, acknowledged)
    sys.stdout.write(json.dumps({"began": began, "ended": time.monotonic(), "left": []}) + "\n")
    sys.stdout.flush()
    client.disconnect()
    client.loop_stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
