"""setup-code and support-bundle: what an installer needs from the command line to use the pages, or to be helped."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import httpx

from gateway import entropy, support
from gateway.commands import CommandError, Outcome
from gateway.commands.doctor import doctor
from gateway.config import Config
from gateway.config_file import load
from gateway.identity import Identity, NotEnrolledError
from gateway.identity import load as load_identity
from gateway.redacting import redact
from gateway.setup_code import SetupCode

PATIENCE = 10.0


class _Known:
    """Where the secrets of a gateway are that does not run."""

    def __init__(self, config: Config, identity: Identity | None) -> None:
        self.config = config
        self.identity = identity


def setup_code(arguments: argparse.Namespace) -> Outcome:
    """The code of the set-up pages, and where they are."""
    config = load(Path(arguments.config))
    kept = SetupCode(config.gateway.state, entropy.salt)
    code = kept.renew() if arguments.new else kept.code()
    url = f"http://{config.web.host}:{config.web.port}/setup"
    return Outcome({"code": code, "url": url}, [f"Open {url} and type {code}."])


def support_bundle(arguments: argparse.Namespace) -> Outcome:
    """The running gateway's bundle; where it does not run, what can be seen without it."""
    config = load(Path(arguments.config))
    out = Path(arguments.out)
    if out.exists():
        raise CommandError(f"{out} exists and is kept. Give another name with --out.")
    url = f"http://127.0.0.1:{config.web.port}/status/support-bundle"
    try:
        made = httpx.get(url, timeout=PATIENCE, trust_env=False).raise_for_status().content
        told = "The running gateway wrote it."
    except httpx.HTTPError:
        made = _from_outside(arguments, config)
        told = "The gateway does not run or shows no pages: it holds settings and checks only."
    out.write_bytes(made)
    return Outcome({"file": str(out), "bytes": len(made)}, [f"{out} is ready to be mailed. {told}"])


def _from_outside(arguments: argparse.Namespace, config: Config) -> bytes:
    try:
        identity = load_identity(config.gateway.state)
    except (NotEnrolledError, ValueError):
        identity = None
    secrets = support.secrets_of(_Known(config, identity), None)
    documents = {
        "about.json": support.about(),
        "settings.json": support.settings_of(config),
        "doctor.json": doctor(arguments).document,
    }
    files = {name: redact(json.dumps(one, ensure_ascii=False, indent=1), secrets) for name, one in documents.items()}
    return support.zipped({"README.txt": support.README, **files})
