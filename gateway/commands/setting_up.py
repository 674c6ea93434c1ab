"""init, enrol, config, devices: from a fresh card to a gateway that knows its cloud and its wires."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import httpx

from gateway import entropy
from gateway.cloud_requests import CloudError, open_client
from gateway.commands import CommandError, Outcome
from gateway.config import Config
from gateway.config_file import load
from gateway.enrol import EnrolmentError, Grounds, enrol
from gateway.identity import FILE, retire
from wire.seal import Verifier

TEMPLATE = """\
# What this gateway is told by people. What it learns lies in the state folder and is never edited.
# `tally-gateway config schema` explains every key, `tally-gateway devices kinds` every kind of device.

[gateway]
name = "gateway"
state = "{state}"

[cloud]
url = "{url}"

[web]
host = "127.0.0.1"
port = 8480

# [[lines]]
# name = "rs485"
# port = "/dev/serial/by-id/usb-..."
# baud = 9600
# devices = [
#   {{ id = "meter-1", kind = "modbus_meter", unit = 1 }},
# ]
"""


def init(arguments: argparse.Namespace) -> Outcome:
    """Writes a configuration to begin with; never over an existing one."""
    path = Path(arguments.config)
    if path.exists():
        raise CommandError(f"{path} exists and is kept. Edit it, then run: tally-gateway config check --config {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE.format(state=arguments.state, url=arguments.cloud), "utf-8")
    Path(arguments.state).mkdir(parents=True, exist_ok=True)
    return Outcome(
        {"config": str(path), "state": arguments.state},
        [f"Wrote {path}.", f"Next: edit it, then: tally-gateway enrol CODE --config {path}"],
    )


def enrol_gateway(arguments: argparse.Namespace) -> Outcome:
    """Makes the key and redeems the code."""
    config = load(Path(arguments.config))
    url = arguments.url or config.cloud.url
    if not url:
        raise CommandError("There is no cloud to enrol at: set [cloud] url in the configuration, or give --url.")
    state = config.gateway.state
    grounds = Grounds(arguments.reason, arguments.approver) if arguments.new_epoch else None
    if grounds is not None and not (grounds.reason and grounds.approver):
        raise CommandError("A new log epoch needs --reason and --approver: both are written into its first entry.")

    async def work() -> Outcome:
        client: httpx.AsyncClient = open_client(url, ca=config.cloud.ca)
        if grounds is not None:
            retire(state)
        async with client:
            who = await enrol(client, state, arguments.code, entropy.seed, grounds)
        fingerprint = Verifier(who.signer().vkey).fingerprint
        document = {"gateway_id": who.gateway_id, "origin": who.origin, "fingerprint": fingerprint}
        lines = [
            f"This gateway is {who.gateway_id} of {who.tenant_id}.",
            f"Its key's fingerprint is {fingerprint}: the operator must see the same.",
            f"The key is in {state / FILE}, readable by this user only.",
        ]
        return Outcome(document, lines)

    try:
        return asyncio.run(work())
    except (EnrolmentError, CloudError, OSError) as error:
        raise CommandError(str(error)) from error


def check_config(arguments: argparse.Namespace) -> Outcome:
    """Reads the file and says that it is good; mistakes come as ConfigError."""
    config = load(Path(arguments.config))
    devices = config.devices()
    document = {"config": arguments.config, "devices": len(devices)}
    count = f"{len(config.lines)} lines, {len(config.brokers)} brokers, {len(devices)} devices"
    return Outcome(document, [f"{arguments.config} is good: {count}."])


def show_config(arguments: argparse.Namespace) -> Outcome:
    """The configuration with every default written out."""
    document = load(Path(arguments.config)).model_dump(mode="json", by_alias=True)
    return Outcome(document, list(_flat("", document)))


def schema(_: argparse.Namespace) -> Outcome:
    """JSON Schema of the file."""
    document = Config.model_json_schema()
    lines: list[str] = []
    for name, model in [("gateway", "GatewaySection"), ("cloud", "CloudSection"), ("journal", "JournalSection"),
                        ("clock", "ClockSection"), ("web", "WebSection"), ("access", "AccessSection"),
                        ("[lines]", "Line"), ("[brokers]", "Broker"),
                        ("[controls]", "Control")]:  # fmt: skip
        lines.append(f"[{name}]")
        for key, field in document["$defs"][model]["properties"].items():
            lines.append(f"  {key} = {field.get('default', '...')}  {field.get('description', '')}".rstrip())
    return Outcome(document, lines)


def devices(arguments: argparse.Namespace) -> Outcome:
    """The devices of the configuration."""
    config = load(Path(arguments.config))
    document = [
        {"device": device.id, "kind": device.kind, "line": line, "settings": device.settings}
        for line, device in config.devices()
    ]
    lines = [f"{one['device']}  {one['kind']}  on {one['line']}" for one in document]
    return Outcome(document, lines or ["No devices are configured."])


def _flat(prefix: str, value: Any) -> list[str]:  # noqa: ANN401 - a JSON document
    if isinstance(value, dict) and value:
        return [line for key, inner in value.items() for line in _flat(f"{prefix}.{key}" if prefix else key, inner)]
    if isinstance(value, list) and value:
        return [line for at, inner in enumerate(value) for line in _flat(f"{prefix}[{at}]", inner)]
    return [f"{prefix} = {value}"]
