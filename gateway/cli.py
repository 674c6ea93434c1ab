"""``tally-gateway``: everything a technician does with one gateway.

People first: sentences on stdout, problems with what to do next on stderr. ``--json`` prints exactly one document.
Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 findings.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.ports import BrokerSettings, MqttLink, SerialLink, SerialSettings

FINE, FAILED, USAGE = 0, 1, 2
# malloc.h
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
# How long the journal's thread may compute while the loop waits: an event crosses between them three times until its
# device hears "got it", and each crossing may wait that long (Python's usual 5 ms) while a backlog goes up.
TURN_SECONDS = 0.0005
CONFIG = "/etc/tallystick/gateway.toml"
STATE = "/var/lib/tallystick"

# word -> (what it does, {word -> what it does}); the functions are in COMMANDS, imported when needed.
WORDS: dict[str, tuple[str, dict[str, str]]] = {
    "init": ("write a configuration to begin with", {}),
    "enrol": ("make a key and redeem a one-time code", {}),
    "run": ("work until stopped; logs as JSON on stderr", {}),
    "doctor": ("check everything and say what mends it", {}),
    "config": (
        "the configuration",
        {"check": "is it good", "show": "with all defaults", "schema": "every key explained"},
    ),
    "devices": (
        "the devices",
        {
            "list": "those configured",
            "kinds": "those there are drivers for",
            "find": "search a line: what answers, at which speed and address",
            "test": "ask each once and show what it says",
            "new": "begin a driver: code, twin, vectors, page",
            "audit": "read an EVA-DTS file, or compare two",
        },
    ),
    "journal": ("the records", {"tail": "the newest", "verify": "check everything", "export": "all leaves as NDJSON"}),
    "sync": ("the cloud", {"status": "how far it has countersigned", "now": "do not wait for the next try"}),
    "keys": ("the keys of this gateway's log", {"show": "those it has had", "rotate": "a new one for the same log"}),
    "backup": ("a whole, checked copy of the journal", {}),
    "lifecycle": ("play a case of a draw's life from a JSON file and say how it ends", {}),
    "setup-code": ("the code that opens the set-up pages", {}),
    "support-bundle": ("how it is, in one file, without badges, names and keys", {}),
}


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; the process's exit code."""
    parser, named = _parser()
    arguments = parser.parse_args(words)
    if not arguments.word or (WORDS[arguments.word][1] and not arguments.verb):
        named.get(arguments.word, parser).print_help(sys.stderr)
        return USAGE
    try:
        return run(arguments) if arguments.word == "run" else _command(arguments)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser("tally-gateway", description="A Tallystick gateway.")
    subs = parser.add_subparsers(dest="word", metavar="COMMAND")
    named: dict[str, argparse.ArgumentParser] = {}
    for word, (text, verbs) in WORDS.items():
        sub = named[word] = subs.add_parser(word, help=text, description=text)
        sub.set_defaults(verb="")
        inner = sub.add_subparsers(dest="verb", metavar="WHAT") if verbs else None
        leaves = [sub] if inner is None else []
        for verb, about in verbs.items():
            assert inner is not None
            leaf = named[f"{word} {verb}"] = inner.add_parser(verb, help=about, description=about)
            leaves.append(leaf)
        for leaf in leaves:
            leaf.add_argument("--config", default=CONFIG, help=f"the configuration (default {CONFIG})")
            leaf.add_argument("--json", action="store_true", help="exactly one JSON document on stdout")
    named["init"].add_argument("--state", default=STATE, help="folder for journal and key")
    named["init"].add_argument("--cloud", default="", help="URL of the cloud")
    named["enrol"].add_argument("code", help="the one-time code")
    named["enrol"].add_argument("--url", default="", help="URL of the cloud, where the configuration has none")
    named["enrol"].add_argument("--new-epoch", action="store_true", help="a new key and log after a fork or a new card")
    named["enrol"].add_argument("--reason", default="", help="why, for --new-epoch")
    named["enrol"].add_argument("--approver", default="", help="who approved, for --new-epoch")
    named["run"].add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    _device_words(named)
    named["journal tail"].add_argument("-n", "--count", type=int, default=20)
    named["journal export"].add_argument("--out", required=True, help="the file to write")
    named["lifecycle"].add_argument(
        "case", help="a file: one case, a list of them, or vectors with `lifecycle`; - is stdin"
    )
    named["backup"].add_argument("--out", required=True, help="the file to write")
    named["setup-code"].add_argument("--new", action="store_true", help="another code; the old one opens nothing")
    named["support-bundle"].add_argument("--out", default="tallystick-support.zip", help="the file to write")
    return parser, named


def _device_words(named: dict[str, argparse.ArgumentParser]) -> None:
    named["devices kinds"].add_argument("--table", action="store_true", help="as the table of docs/devices.md")
    find = named["devices find"]
    find.add_argument("port", help="the adapter, such as /dev/ttyUSB0; stop the gateway first")
    find.add_argument("--kind", action="append", default=[], help="only such devices (may be repeated)")
    find.add_argument("--speed", action="append", default=[], help='only this line format, such as "9600 8N1"')
    find.add_argument("--set", action="append", default=[], help="begin with this setting: secondary=FFFFFFFF")
    find.add_argument("--all", action="store_true", help="every address, not the likely ones alone")
    named["devices test"].add_argument("--line", default="", help="only this line")
    named["devices test"].add_argument("--seconds", type=float, default=10.0, help="how long to wait for answers")
    audited = named["devices audit"]
    audited.add_argument("file", help="the file, as a hand-held or a capture gives it")
    audited.add_argument("--since", default="", help="the file before it: tell the draws and gaps in between")
    audited.add_argument("--g85", default="strict", choices=["strict", "ignore", "absent"], help="the model's checksum")
    audited.add_argument("--counting", default="auto", choices=["auto", "cumulative", "interval"])
    audited.add_argument("--modulus", type=int, default=100_000_000, help="where the model's counters begin again")
    named["devices new"].add_argument("name", help="the protocol's name: letters, digits and _")
    named["devices new"].add_argument("--folder", default=".", help="the checkout to write into")


def _command(arguments: argparse.Namespace) -> int:
    # Imported after the words are read: `--help` should not cost a second.
    from gateway.commands import (  # noqa: PLC0415
        CommandError,
        asking,
        auditing,
        doctor,
        finding,
        helping,
        keys,
        kinds,
        lifecycles,
        looking,
        scaffold,
        setting_up,
    )
    from gateway.config_file import ConfigError  # noqa: PLC0415

    commands: dict[tuple[str, str], Any] = {
        ("init", ""): setting_up.init, ("enrol", ""): setting_up.enrol_gateway, ("doctor", ""): doctor.doctor,
        ("config", "check"): setting_up.check_config, ("config", "show"): setting_up.show_config,
        ("config", "schema"): setting_up.schema, ("devices", "list"): setting_up.devices,
        ("devices", "kinds"): kinds.kinds, ("devices", "audit"): auditing.audit, ("devices", "find"): finding.find,
        ("devices", "test"): asking.test_devices, ("devices", "new"): scaffold.new, ("journal", "tail"): looking.tail,
        ("journal", "verify"): looking.verify, ("journal", "export"): looking.export,
        ("sync", "status"): looking.sync_status, ("sync", "now"): looking.sync_now, ("backup", ""): looking.backup,
        ("lifecycle", ""): lifecycles.lifecycle,
        ("setup-code", ""): helping.setup_code, ("support-bundle", ""): helping.support_bundle,
        ("keys", "show"): keys.show, ("keys", "rotate"): keys.rotate,
    }  # fmt: skip
    try:
        outcome = commands[arguments.word, arguments.verb](arguments)
    except (CommandError, ConfigError, PermissionError) as error:
        print(error, file=sys.stderr)
        return FAILED
    if arguments.json:
        print(json.dumps(outcome.document, ensure_ascii=False, default=str))
    else:
        print("\n".join(outcome.lines))
    return int(outcome.code)


def run(arguments: argparse.Namespace) -> int:
    """Works until SIGTERM or SIGINT; SIGHUP syncs at once."""
    from gateway import json_log, log_tail  # noqa: PLC0415
    from gateway.config_file import ConfigError, load  # noqa: PLC0415
    from gateway.journal.connection import JournalRefusedError  # noqa: PLC0415
    from gateway.ports import NotStored  # noqa: PLC0415

    _stay_small()
    sys.setswitchinterval(TURN_SECONDS)
    json_log.to_stderr(arguments.log_level)
    logging.getLogger().addHandler(log_tail.TAIL)
    try:
        # The set-up pages change wires and identity: then everything is built anew, in the same process.
        while _until_stopped(load(Path(arguments.config))):
            logging.getLogger("gateway").info("starting again with what is known now")
    except (ConfigError, JournalRefusedError, NotStored, PermissionError, ValueError) as error:
        print(error, file=sys.stderr)
        return FAILED
    return FINE


def _until_stopped(config: Any) -> bool:  # noqa: ANN401 - imported late
    """One life of the gateway; True: it is to begin again."""
    from gateway.app import CardRestoredError  # noqa: PLC0415

    try:
        return asyncio.run(_work(config))
    except ExceptionGroup as error:
        restored, others = error.split(CardRestoredError)
        if restored is None or others is not None:
            raise
        logging.getLogger("gateway").warning(str(restored.exceptions[0]))
        return True


def _stay_small() -> None:
    """glibc: one heap for all threads, and a large buffer goes back to the system when it is freed.

    Left to itself it keeps a heap a thread and learns to keep megabytes: 2 MB that a Pi could use, for nothing here.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_MMAP_THRESHOLD, 131_072)


def _look_away() -> None:
    """What stands when the gateway is ready lives as long as it does: the garbage collector need not go through it
    again and again while events come in. It is left to look at what came later: each request to the cloud leaves
    circles behind, and where they wait for long the memory that events need is never the same twice.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 20)


async def _work(config: Any) -> bool:  # noqa: ANN401 - imported late
    """Until it is stopped; True: to be built anew."""
    from gateway import entropy  # noqa: PLC0415
    from gateway.app import create_gateway  # noqa: PLC0415
    from gateway.clock import system_clock  # noqa: PLC0415
    from gateway.commands.looking import PID_FILE  # noqa: PLC0415
    from gateway.identity import NotEnrolledError, load  # noqa: PLC0415
    from gateway.notify import Notifier  # noqa: PLC0415
    from gateway.ports import Ports  # noqa: PLC0415

    clock = system_clock(
        entropy.boot_id(), scale=config.clock.scale, origin_ms=config.clock.origin_ms, since_ms=config.clock.since_ms
    )
    try:
        identity = load(config.gateway.state)
    except NotEnrolledError:
        identity = None
    ports = Ports(clock, entropy.salt, _open_serial, _open_mqtt)
    gateway = create_gateway(config, ports, identity, Notifier())
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, gateway.stop)
    loop.add_signal_handler(signal.SIGHUP, gateway.sync_now)
    pid = config.gateway.state / PID_FILE

    async def when_ready() -> None:
        # Not before the journal is ours: another gateway may be running, and its file must stay.
        await gateway.ready.wait()
        pid.write_text(str(os.getpid()), "ascii")
        _look_away()

    readying = asyncio.create_task(when_ready())
    try:
        await gateway.run()
    finally:
        if readying.done():
            pid.unlink(missing_ok=True)
        readying.cancel()
    return gateway.again


def _open_serial(settings: SerialSettings) -> SerialLink:
    from gateway.links.serial import SerialPort  # noqa: PLC0415 - only where there are lines

    return SerialPort(settings)


def _open_mqtt(settings: BrokerSettings) -> MqttLink:
    from gateway.links.mqtt import MqttConnection  # noqa: PLC0415 - only where there are brokers

    return MqttConnection(settings)


if __name__ == "__main__":
    sys.exit(main())
