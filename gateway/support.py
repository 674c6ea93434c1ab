"""The support bundle: one file that an installer can mail, with how it is and without who anybody is.

What goes in is named here, one by one; then every file as a whole goes through `redacting.py`. Nobody has to trust that
some library left a badge out of an error text.
"""

from __future__ import annotations

import io
import json
import platform
import sqlite3
import sys
import zipfile
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from gateway import boot
from gateway.config import Config
from gateway.footing import Footing
from gateway.identity import Identity
from gateway.log_tail import TAIL
from gateway.ports import Desired
from gateway.redacting import redact, strings_in, without_persons
from gateway.status import Status

NAME = "tallystick-support.zip"
README = """\
How one Tallystick gateway is, for the people who help with it.
Badges, persons, names, keys, tokens and codes were taken out before this was written; where one stood: [removed].
about.json      versions and machine
status.json     alarms, devices with the quality of their lines, journal, sync, clock, disk
settings.json   the configuration, without passwords and names
log.ndjson      the newest lines of the log
"""
# Words that are on every page and in every file: a person called so cannot be told from them.
EVERYWHERE = {"gateway", "cabinet", "device", "true", "false", "none", "null", "status", "line", "lines", "name"}


class Known(Protocol):
    """Where the secrets of this gateway are."""

    config: Config
    identity: Identity | None


def secrets_of(gateway: Known, desired: Desired | None, setup_code: str = "") -> set[str]:
    """Everything we know that must not be in a bundle."""
    found = {setup_code, setup_code.replace("-", ""), gateway.config.gateway.name}
    if gateway.identity is not None:
        who = gateway.identity
        found |= {who.seed, who.cosigner_vkey, who.approver, who.tenant_id}
    for broker in gateway.config.brokers:
        found.add(broker.username)
    told = msgspec.to_builtins(desired) if desired is not None else {}
    for part in ("badges", "book", "rules", "persons", "waiting", "blocked"):
        found |= _personal(part, told.get(part))
    return {one for one in found if one and one.lower() not in EVERYWHERE}


def _personal(part: str, value: Any) -> set[str]:  # noqa: ANN401 - a JSON document
    """Of the list of badges everything; of other parts what stands under a key that is about a person."""
    if part in ("badges", "persons", "blocked"):
        return strings_in(value) - {"groups", "person", "badge", *_group_names(value)}
    if isinstance(value, Mapping):
        found: set[str] = set()
        for key, inner in value.items():
            about = key in ("persons", "person", "name", "code", "pin", "badges", "blocked", "cost_centre", "job")
            found |= strings_in(inner) if about else _personal("", inner)
        return found
    if isinstance(value, list | tuple):
        return set[str]().union(*(_personal("", one) for one in value))
    return set()


def _group_names(value: Any) -> set[str]:  # noqa: ANN401 - a JSON document
    rows = value.values() if isinstance(value, Mapping) else value or ()
    return {group for row in rows if isinstance(row, Mapping) for group in row.get("groups", ())}


def settings_of(config: Config) -> dict[str, Any]:
    """The configuration without what is personal."""
    cleaned: dict[str, Any] = without_persons(config.model_dump(mode="json", by_alias=True))
    return cleaned


def about() -> dict[str, str]:
    """Versions and machine."""
    return {
        "tallystick": boot.program_version(), "python": sys.version.split()[0], "sqlite": sqlite3.sqlite_version,
        "system": platform.system(), "kernel": platform.release(), "machine": platform.machine(),
    }  # fmt: skip


def bundle(status: Status, stands: Footing, config: Config, secrets: set[str]) -> bytes:
    """The whole file, a zip."""
    now = {**msgspec.to_builtins(status), "footing": {**msgspec.to_builtins(stands), "log": []}}
    now["footing"]["head"] = now["footing"]["head"][:16]
    lines = [json.dumps(without_persons(line), ensure_ascii=False) for line in TAIL.newest()]
    files = {
        "README.txt": README,
        "about.json": _document(about()),
        "status.json": _document(without_persons(now)),
        "settings.json": _document(settings_of(config)),
        "log.ndjson": "\n".join(lines) + "\n",
    }
    return zipped({name: redact(text, secrets) if name != "README.txt" else text for name, text in files.items()})


def zipped(files: Mapping[str, str]) -> bytes:
    """Files as one zip; its times say nothing, so that the same facts give the same file."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"tallystick-support/{name}"), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _document(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"
