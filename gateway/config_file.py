"""Reading ``gateway.toml``: checked whole, every mistake named with its place, all at once.

A key that does not exist is an error with a suggestion: a misspelt setting that is ignored costs a day on site.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from gateway import drivers, site_file
from gateway.config import Config, GatewaySection
from gateway.line_rules import strangers


class ConfigError(Exception):
    """The configuration cannot be used. ``errors``: every mistake as (place, what is wrong and what to do)."""

    def __init__(self, path: Path | str, errors: list[tuple[str, str]]) -> None:
        lines = [f"  {place}: {what}" if place else f"  {what}" for place, what in errors]
        super().__init__("\n".join([f"{path} cannot be used:", *lines]))
        self.errors = errors


def load(path: Path) -> Config:
    """The configuration in a file; raises ConfigError with every mistake in it."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        hint = f"is not UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8."
        raise ConfigError(path, [("", hint)]) from error
    except OSError as error:
        hint = f"cannot be read ({error.strerror}). Run: tally-gateway init --config {path}"
        raise ConfigError(path, [("", hint)]) from error
    return parse(text, path)


def parse(text: str, path: Path | str = "gateway.toml") -> Config:
    """The configuration in a text, with what the set-up pages wrote into its state folder.

    Raises ConfigError with every mistake in both.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, [("", f"is not TOML: {error}")]) from error
    _with_site(document)
    config, errors = _checked(document)
    if config is None or errors:
        raise ConfigError(path, errors)
    return config


def check_lines(config: Config, before: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> None:
    """Whether the gateway would start again if the wizard's lines were these and not those of `before`, beside all that
    gateway.toml says. Raises ConfigError with what would be wrong then.
    """
    document = config.model_dump(mode="json", by_alias=True)
    names = {one["name"] for one in before}
    written = [line for line in document["lines"] if line["name"] not in names]
    now = _checked({**document, "lines": [*written, *before]})[1]
    errors = [one for one in _checked({**document, "lines": [*written, *lines]})[1] if one not in now]
    if errors:
        raise ConfigError(site_file.FILE, errors)


def _checked(document: dict[str, Any]) -> tuple[Config | None, list[tuple[str, str]]]:
    """The configuration of a document, and every mistake in it; None where it has not even the right shape."""
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        return None, [*(_explain(one) for one in error.errors()), *_device_errors(document)]
    errors = [*_device_errors(document), *_doubles(config), *strangers(config), *_control_errors(config)]
    return config, [*errors, *_door_errors(config), *_billed_twice(config)]


def _with_site(document: dict[str, Any]) -> None:
    """Adds the wizard's lines and its cloud. A key that is in both files stays as the person wrote it."""
    gateway = document.get("gateway")
    state = gateway.get("state") if isinstance(gateway, dict) else None
    folder = Path(state) if isinstance(state, str) else GatewaySection().state
    try:
        site = site_file.read(folder)
    except tomllib.TOMLDecodeError as error:
        what = f"is not TOML: {error}. Delete it and set the lines up again"
        raise ConfigError(folder / site_file.FILE, [("", what)]) from error
    except OSError:
        return
    if site.get("lines") and isinstance(document.get("lines", []), list):
        document["lines"] = [*document.get("lines", []), *site["lines"]]
    cloud = document.setdefault("cloud", {})
    if isinstance(cloud, dict) and site.get("cloud"):
        document["cloud"] = {**site["cloud"], **{key: value for key, value in cloud.items() if value != ""}}


def _explain(error: Mapping[str, Any]) -> tuple[str, str]:
    place = place_of(error["loc"])
    if error["type"] != "extra_forbidden":
        return place, str(error["msg"]).removeprefix("Value error, ")
    known = _keys_at(error["loc"][:-1])
    return place, unknown_key(str(error["loc"][-1]), known)


def place_of(loc: tuple[int | str, ...]) -> str:
    """``("lines", 0, "baud")`` as a person writes it: ``lines[0].baud``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def unknown_key(key: str, known: list[str]) -> str:
    """What to say about a key that does not exist."""
    close = difflib.get_close_matches(key, known, 1, 0.6)
    hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known))}"
    return f"there is no such key; {hint}"


def _keys_at(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            inner = (get_args(annotation) or (annotation,))[0]
            model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
    return list(model.model_fields)


def _device_errors(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the drivers say about their devices' settings; from the raw document, so that none is missed."""
    gateway = document.get("gateway")
    folder = gateway.get("profiles") if isinstance(gateway, dict) else None
    profiles = Path(folder) if isinstance(folder, str) else None
    if profiles is not None and not profiles.is_dir():
        yield "gateway.profiles", f"there is no folder {folder!r}; make it, or take the line out"
    for table, link in (("lines", "serial"), ("brokers", "mqtt")):
        for index, owner in enumerate(_tables(document.get(table))):
            for number, device in enumerate(_tables(owner.get("devices"))):
                yield from _one_device(f"{table}[{index}].devices[{number}]", link, device, profiles)


def _tables(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _one_device(place: str, link: str, device: dict[str, Any], profiles: Path | None) -> Iterator[tuple[str, str]]:
    kinds, kind = drivers.discover(), device.get("kind")
    if not isinstance(kind, str):
        return
    if kind not in kinds:
        close = difflib.get_close_matches(kind, kinds, 1, 0.5)
        yield (
            f"{place}.kind",
            f"no driver is called {kind!r}; there are {', '.join(sorted(kinds))}"
            + (f" (did you mean {close[0]!r}?)" if close else ""),
        )
        return
    if kinds[kind].link != link:
        yield f"{place}.kind", f"{kind} is a device on {kinds[kind].link}, and this is {link}"
        return
    settings = {key: value for key, value in device.items() if key not in ("id", "kind")}
    try:
        driver = drivers.create(kind, settings, profiles)
    except ValidationError as error:
        known = list(kinds[kind].Settings.model_fields)
        for one in error.errors():
            where = place_of((place, *one["loc"]))
            if one["type"] == "extra_forbidden":
                yield where, unknown_key(str(one["loc"][-1]), known)
            else:
                yield where, str(one["msg"]).removeprefix("Value error, ")
    except ValueError as error:
        yield place, str(error)
    else:
        for ratio in driver.unsaid() if hasattr(driver, "unsaid") else ():
            yield f"{place}.{ratio}", UNSAID


UNSAID = (
    "this model counts behind transformers and does not say their ratio: set it as on their plate (200/5 A is 40),"
    " or 1 where there are none"
)


def _door_errors(config: Config) -> Iterator[tuple[str, str]]:
    """A lock in front of a bin, a reader or an adapter that is no cabinet of doors here."""
    known = {device.id for _, device in config.devices()}
    for index, line in enumerate(config.lines):
        for number, device in enumerate(line.devices):
            owner, slash, _ = str(device.settings.get("door", "")).partition("/")
            if slash and (owner not in known or owner == device.id):
                others = ", ".join(sorted(known - {device.id})) or "none"
                yield f"lines[{index}].devices[{number}].door", f"no lock is called {owner!r}; other devices: {others}"


def _control_errors(config: Config) -> Iterator[tuple[str, str]]:
    """A rule that names a device which is not there, or one that cannot be switched."""
    kinds = drivers.discover()
    known = {device.id: kinds[device.kind] for _, device in config.devices() if device.kind in kinds}
    for index, control in enumerate(config.controls):
        place = f"controls[{index}]"
        kind = known.get(control.unit)
        if kind is None:
            yield (
                f"{place}.unit",
                f"there is no device {control.unit!r}; there are {', '.join(sorted(known)) or 'none'}",
            )
        elif (levels := _levels(config, control.unit)) == 0:
            yield f"{place}.unit", f"{control.unit!r} is a {kind.kind}, and that cannot be switched as it is set up"
        elif levels is not None and control.highest > levels:
            yield place, f"{control.unit!r} knows the levels 0 to {levels}, and level {control.highest} is asked of it"
        for source in (one for one in control.sources if one.device not in known):
            yield place, f"there is no device {source.device!r} to listen to; there are {', '.join(sorted(known))}"


def _levels(config: Config, unit: str) -> int | None:
    """The highest level of a device, 0 where it cannot be switched; None where its settings are wrong anyway."""
    device = next(device for _, device in config.devices() if device.id == unit)
    kind = drivers.discover()[device.kind]
    if not hasattr(kind, "switch") and not hasattr(kind, "set_level"):
        return 0
    try:
        driver = drivers.create(device.kind, device.settings, config.gateway.profiles)
    except ValueError:
        return None
    return int(getattr(driver, "levels", getattr(driver, "switches", True)))


def _doubles(config: Config) -> Iterator[tuple[str, str]]:
    for what, names in (
        ("device id", [device.id for _, device in config.devices()]),
        ("line or broker name", [*(line.name for line in config.lines), *(broker.name for broker in config.brokers)]),
        ("port", [line.port for line in config.lines]),
        ("controlled unit", [control.unit for control in config.controls]),
    ):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield "", f"the {what} {name!r} is used twice; each must have its own"


def _billed_twice(config: Config) -> Iterator[tuple[str, str]]:
    """An audit counts every vend of its machine, also those that an MDB adapter in the same machine has told."""
    found = [
        (f"lines[{index}].devices[{number}]", device)
        for index, line in enumerate(config.lines)
        for number, device in enumerate(line.devices)
    ]
    audited = [device for _, device in found if device.kind == "evadts" and device.settings.get("bills", True)]
    for place, device in found:
        if device.kind == "mdb_adapter":
            mine = device.settings.get("machine", "")
            one = next((one for one in audited if not mine or one.settings.get("machine", "") in ("", mine)), None)
            if one is not None:
                yield (
                    place,
                    (
                        f"{device.id!r} and {one.id!r} would both bill what leaves one machine: put bills = false at"
                        f" {one.id!r} (its counters are still recorded), or, if these are two machines, name them at"
                        ' both: machine = "..."'
                    ),
                )
