"""devices kinds: every family there is a driver for, with its settings; also the table of docs/devices.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from gateway import drivers
from gateway.commands import Outcome

HEAD = """\
# Devices

Every family the gateway speaks to, from the drivers themselves: `tally-gateway devices kinds --table`. Each page draws
the frames and names timing, quirks and sources; settings are explained by `tally-gateway devices kinds`. *Keeps*: the
bytes of what came that a driver holds at most, whatever comes (a test feeds noise, and frames that begin and never
end); a message from a broker comes whole.

| kind | link | line as shipped | keeps | what |
| --- | --- | --- | --- | --- |
"""


def kinds(arguments: argparse.Namespace) -> Outcome:
    """Every kind of device there is a driver for, with its settings; `--table`: as Markdown."""
    document: dict[str, Any] = {}
    lines: list[str] = []
    for kind, driver in sorted(drivers.discover().items()):
        settings = driver.Settings.model_json_schema()
        shipped = list(getattr(driver, "shipped", ()))
        document[kind] = {"link": driver.link, "about": drivers.about(driver), "shipped": shipped, "settings": settings}
        lines.append(f"{kind} ({driver.link}{', ' + shipped[0] if shipped else ''}): {drivers.about(driver)}")
        for key, field in settings.get("properties", {}).items():
            default = field.get("default", "must be given")
            lines.append(f"    {key} = {default}  {field.get('description', '')}".rstrip())
        if hasattr(driver, "profiles"):
            document[kind]["profiles"] = dict.fromkeys(driver.profiles, kind)
            lines += [f"    profile {name}" for name in driver.profiles]
        elif "profile" in driver.Settings.model_fields:
            models = {name: drivers.find_profile(name) for name in drivers.profile_files()}
            document[kind]["profiles"] = {name: profile.model for name, profile in models.items()}
            lines += [f"    profile {name}: {profile.model}" for name, profile in models.items()]
    return Outcome(document, table().splitlines() if getattr(arguments, "table", False) else lines)


def table() -> str:
    """docs/devices.md, whole."""
    return HEAD + "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    for kind, driver in sorted(drivers.discover().items()):
        shipped = (*getattr(driver, "shipped", ()), "")[0]
        what = drivers.about(driver).replace("|", "/")
        keeps = f"{drivers.holds(driver):,}" if driver.link == "serial" else ""
        yield f"| [{kind}](protocols/{kind}.md) | {driver.link} | {shipped} | {keeps} | {what} |"
