"""devices new: the four files of a device, that pass every check and speak a protocol nobody has.

The surprise is that they work: a made-up frame goes from twin to driver, with vectors that hold, so that whoever
replaces it piece by piece always has something green.
"""

from __future__ import annotations

import argparse
import re
from importlib import resources
from pathlib import Path

from gateway import drivers
from gateway.commands import CommandError, Outcome

NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")
FILES = {
    "driver.py.txt": "gateway/drivers/{name}.py",
    "twin.py.txt": "firmware_sim/devices/{name}.py",
    "vectors.toml.txt": "tests/vectors/{name}.toml",
    "page.md.txt": "docs/protocols/{name}.md",
}


def new(arguments: argparse.Namespace) -> Outcome:
    """Writes driver, twin, vectors and page of a new protocol into a checkout; never over a file that exists."""
    name, root = arguments.name, Path(arguments.folder)
    if not NAME.fullmatch(name):
        raise CommandError(f"{name!r} is no name for a protocol: small letters, digits and _, such as acme_scale.")
    if not (root / "pyproject.toml").exists() or not (root / "gateway" / "drivers").is_dir():
        raise CommandError(f"{root} is no checkout of Tallystick: run this in its top folder, or give --folder.")
    if name in drivers.discover():
        raise CommandError(f"There is a driver {name!r} already: gateway/drivers/{name}.py.")
    paths = {template: root / path.format(name=name) for template, path in FILES.items()}
    taken = [str(path) for path in paths.values() if path.exists()]
    if taken:
        raise CommandError(f"{taken[0]} exists and is kept. Choose another name, or remove it.")
    for template, path in paths.items():
        path.write_text(rendered(template, name), "utf-8")
    written = [str(path.relative_to(root)) for path in paths.values()]
    follow = [
        "Next: write the twin from the data sheet, then the driver; do not look at one while writing the other.",
        "Then: ./run tally-gateway devices kinds --table > docs/devices.md",
        f"And:  ./run test tests/house; ./run test tests/gateway/test_drivers.py tests/fuzz -k {name}",
        "Last: what it says of itself in Chinese (gateway/web/locale), and its play on a bad line: a",
        "      Case in tests/gateway/test_every_kind_pty.py, a device in tests/gateway/test_lines_in_life.py.",
    ]
    return Outcome({"name": name, "files": written}, [*(f"Wrote {path}." for path in written), *follow])


def rendered(template: str, name: str) -> str:
    """One file of the four, for this name."""
    text = (resources.files("gateway.commands") / "templates" / template).read_text("utf-8")
    words = "".join(word.capitalize() for word in name.split("_"))
    return text.replace("@name@", name).replace("@Name@", words)
