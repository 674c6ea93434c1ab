"""The peer of the gateway's MQTT side: a plain paho consumer that counts messages and does nothing else.

`python -m benchmarks.mqtt_counter PORT COUNT PREFIX`. Prints 0 when it is subscribed, then how many have come, at every
hundredth; and on the message that makes the count full the time (CLOCK_MONOTONIC, seconds).
"""

from __future__ import annotations

import sys
import time
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


def main() -> int:
    """The command."""
    port, count, prefix = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    got = 0

    def on_message(client: paho.Client, *_: Any) -> None:  # noqa: ANN401 - paho's
        nonlocal got
        got += 1
        if got == count:
            sys.stdout.write(f"{time.monotonic()}\n")
            sys.stdout.flush()
            client.disconnect()
        elif not got % 100:
            sys.stdout.write(f"{got}\n")
            sys.stdout.flush()

    def on_subscribe(*_: Any) -> None:  # noqa: ANN401 - paho's
        sys.stdout.write("0\n")
        sys.stdout.flush()

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bench-counter", protocol=paho.MQTTv311)
    client.on_message = on_message
    client.on_subscribe = on_subscribe
    client.connect("127.0.0.1", port)
    client.subscribe(f"{prefix}/+/evt", qos=1)
    client.loop_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
