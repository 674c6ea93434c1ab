"""``tally-sim``: play a shop, judge a day. Exit codes: 0 fine, 1 failed or differences found, 2 wrong usage."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from firmware_sim import scenario as scenarios
from firmware_sim.strict_toml import ScenarioError

FINE, FAILED, USAGE = 0, 1, 2


def main(words: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _parser().parse_args(words)
    try:
        return int(options.run(options))
    except ScenarioError as error:
        print(f"tally-sim: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return FINE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tally-sim", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    judge = commands.add_parser("judge", help="play a scenario and compare the product's account with the truth")
    judge.add_argument("scenario", help="a name from `tally-sim scenarios`, or a TOML file")
    judge.add_argument("--json", action="store_true", help="exactly one JSON document on standard output")
    judge.add_argument("--seed", type=int, help="another day of the same shop")
    judge.add_argument("--mode", choices=("fast", "real"), help="instead of the scenario's own mode")
    judge.add_argument("--folder", type=Path, help="keep the run's files here")
    judge.set_defaults(run=_judge)
    listing = commands.add_parser("scenarios", help="what can be played")
    listing.add_argument("--json", action="store_true", help="exactly one JSON document on standard output")
    listing.set_defaults(run=_scenarios)
    demo = commands.add_parser("demo", help="a living shop with real programs; Ctrl-C ends it")
    demo.add_argument("--scenario", default="demo", help="which shop")
    demo.add_argument("--folder", type=Path, default=Path(".tallystick-demo"), help="everything the demo writes")
    demo.add_argument("--once", action="store_true", help="end after the first day's bill is verified")
    demo.set_defaults(run=_demo)
    record = commands.add_parser("record", help="a real bus becomes a vector file; Ctrl-C ends it")
    record.add_argument("port", type=Path, help="the adapter, such as /dev/ttyUSB0")
    record.add_argument("--link", type=Path, help="make this device file for the gateway and pass everything on")
    record.add_argument("--out", type=Path, required=True, help="the file to write")
    record.add_argument("--baud", type=int, default=9600)
    record.add_argument("--parity", choices=("N", "E", "O"), default="N")
    record.add_argument("--bits", type=int, choices=(7, 8), default=8, help="data bits; IEC 62056 has 7 and --parity E")
    record.add_argument("--seconds", type=float, default=0, help="end after so long (default: at Ctrl-C)")
    record.add_argument("--frames", type=int, default=0, help="end after so many frames")
    record.set_defaults(run=_record)
    replay = commands.add_parser("replay", help="play the far end of a recorded bus; Ctrl-C ends it")
    replay.add_argument("file", type=Path, help="what `record` wrote")
    replay.add_argument("--link", type=Path, default=Path("replayed-bus"), help="the device file to make")
    replay.set_defaults(run=_replay)
    return parser


def _record(options: argparse.Namespace) -> int:
    from firmware_sim.bus_tools import record_bus  # noqa: PLC0415 - opens ports

    print(record_bus(options), file=sys.stderr)
    return FINE


def _replay(options: argparse.Namespace) -> int:
    from firmware_sim.bus_tools import replay_bus  # noqa: PLC0415 - opens ports

    replay_bus(options.file, options.link)
    return FINE


def _judge(options: argparse.Namespace) -> int:
    from firmware_sim.judging import judge_scenario  # noqa: PLC0415 - loads the whole product

    scenario = scenarios.load(options.scenario)
    if options.seed is not None:
        scenario = replace(scenario, seed=options.seed)
    if options.mode:
        scenario = replace(scenario, mode=options.mode)
    found = judge_scenario(scenario, folder=options.folder)
    print(json.dumps(found, indent=None if options.json else 1, ensure_ascii=False)) if options.json else _show(found)
    return FAILED if found["differences"] else FINE


def _show(found: dict[str, Any]) -> None:
    compared = ", ".join(f"{count} {what}" for what, count in found["compared"].items())
    print(f"{found['scenario']} (seed {found['seed']}, {found['mode']}): compared {compared}")
    for one in found["differences"]:
        print(f"  {one['what']} {one['where']}: in truth {one['truth']}, the product says {one['product']}")
    print(
        f"{len(found['differences'])} differences; truth {found['truth']['total']}, billed {found['product']['total']}"
    )


def _scenarios(options: argparse.Namespace) -> int:
    known = [scenarios.load(path.stem) for path in sorted(scenarios.FOLDER.glob("*.toml"))]
    rows = [{"name": one.name, "mode": one.mode, "seed": one.seed, "about": one.about} for one in known]
    if options.json:
        print(json.dumps(rows, ensure_ascii=False))
    else:
        for row in rows:
            print(f"{row['name']:<14} {row['mode']:<5} {row['about']}")
    return FINE


def _demo(options: argparse.Namespace) -> int:
    from firmware_sim.demo import run_demo  # noqa: PLC0415 - loads the whole product

    return int(run_demo(options.scenario, options.folder, once=options.once))


if __name__ == "__main__":
    sys.exit(main())
