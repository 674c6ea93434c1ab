"""Which files decode anything, and who attacks them. A file that begins to decode and is not here fails a test.

``READ_IN`` says of each file: the names of the entrances that reach it; "by: .." where another harness does (a driver's
codec, the routes' run); "own: .." where what it reads was written by us on our own disk or in our own database.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[2]
PACKAGES = ("wire", "gateway", "cloud", "firmware_sim")
# What is called on bytes or texts that somebody else wrote.
DECODERS = frozenset({
    "json.loads", "json.load", "msgspec.json.decode", "msgspec.json.Decoder", "msgspec.convert", "tomllib.loads",
    "tomllib.load", "csv.reader", "csv.DictReader", "ET.fromstring", "ElementTree.fromstring", "from_json", "parse_qs",
    "base64.b64decode", "base64.urlsafe_b64decode", "binascii.unhexlify", "zlib.decompress", "zlib.decompressobj",
    "gzip.decompress", "pickle.loads", "yaml.safe_load", "zipfile.ZipFile", "model_validate_json", "validate_json",
    "request.body", "request.stream", "request.form", "request.json",
})  # fmt: skip
LAST = {name.rpartition(".")[2] for name in DECODERS}
ROUTES, DRIVER, PAGES = (
    "by: every route, requests.py",
    "by: every driver, codecs.py",
    "by: every local page, test_local_pages.py",
)
FORMS = "by: every page of the cloud, test_cloud_pages.py"
TWIN = "own: a twin of a device; it is part of no product"
OWN_BASE, OWN_DISK = "own: a row we wrote", "own: a file in our state folder"

READ_IN: dict[str, str] = {
    "cloud/agreements/terms.py": OWN_BASE,
    "cloud/api/access.py": ROUTES,
    "cloud/api/bodies.py": ROUTES,
    "cloud/api/cursor.py": "cursor",
    "cloud/api/signed.py": ROUTES,
    "cloud/api/v1/events.py": "CloudEvents",
    "cloud/billing/bundle.py": "bundle, tally-verify",
    "cloud/billing/event_proof.py": "event proof",
    "cloud/billing/repository.py": OWN_BASE,
    "cloud/books/repository.py": OWN_BASE,
    "cloud/cli.py": "own: what a command of ours answered",
    "cloud/cosigner_history.py": OWN_DISK,
    "cloud/events/repository.py": OWN_BASE,
    "cloud/fleet/nonces.py": ROUTES,
    "cloud/guarantees/settle_verdict.py": OWN_BASE,
    "cloud/invoices/repository.py": OWN_BASE,
    "cloud/metering/repository.py": OWN_BASE,
    "cloud/parties/repository.py": OWN_BASE,
    "cloud/payments/bank_csv.py": "bank CSV",
    "cloud/payments/camt053.py": "camt.053",
    "cloud/payments/coupons.py": OWN_BASE,
    "cloud/rating/price.py": "tally-cloud price",
    "cloud/rating/price_cases.py": "tally-cloud price",
    "cloud/replenishment/repository.py": OWN_BASE,
    "cloud/site_rules/set_rules.py": OWN_BASE,
    "cloud/stock/repository.py": OWN_BASE,
    "cloud/time_windows.py": "own: what this module has just written",
    "cloud/web/entrance.py": FORMS,
    "cloud/web/forms.py": FORMS,
    "cloud/web/gather.py": OWN_BASE,
    "firmware_sim/devices/mqtt_cabinet.py": TWIN,
    "firmware_sim/devices/mqtt_meters.py": TWIN,
    "firmware_sim/exact_line.py": TWIN,
    "firmware_sim/live.py": "own: what a command of ours printed",
    "firmware_sim/recording.py": "recorded frames",
    "firmware_sim/scenario.py": "scenario",
    "firmware_sim/settling.py": "own: a bundle that our own cloud has just made",
    "firmware_sim/world.py": "own: what a command of ours printed",
    "gateway/audit_records.py": "own: our own journal's records, hash-checked",
    "gateway/change_key.py": OWN_DISK,
    "gateway/cloud_requests.py": "answer of a cloud, desired document",
    "gateway/commands/lifecycles.py": "tally-gateway lifecycle",
    "gateway/commands/looking.py": "own: our own journal's leaves",
    "gateway/config_file.py": "gateway.toml",
    "gateway/downlink.py": "desired document",
    "gateway/drivers/__init__.py": "meter profile",
    "gateway/drivers/badge_mqtt.py": DRIVER,
    "gateway/drivers/dts_file.py": "EVA-DTS, tally-gateway devices audit",
    "gateway/drivers/modbus_profile.py": "meter profile",
    "gateway/drivers/mqtt_cabinet.py": DRIVER,
    "gateway/drivers/mqtt_numbers.py": "MQTT number, MQTT discovery",
    "gateway/drivers/sparkplug_payload.py": "Sparkplug payload",
    "gateway/identity.py": OWN_DISK,
    "gateway/inherit.py": OWN_DISK,
    "gateway/installing.py": OWN_DISK,
    "gateway/journal/adopting.py": "by: mirrored leaves, tests/gateway/test_restores.py",
    "gateway/journal/check.py": "by: spoilt journals, tests/reliability/bit_flips.py",
    "gateway/journal/commit.py": "by: spoilt journals, tests/reliability/bit_flips.py",
    "gateway/log_tail.py": "own: lines of our own log",
    "gateway/setup_code.py": OWN_DISK,
    "gateway/site_file.py": "gateway.toml",
    "gateway/sparkplug_node.py": OWN_DISK,
    "gateway/support.py": "own: an archive that is written here",
    "gateway/web/languages.py": "own: our own catalogue",
    "gateway/web/setup_deeds.py": PAGES,
    "gateway/web/setup_door.py": PAGES,
    "gateway/web/status_page.py": "own: lines of our own log",
    "wire/batch.py": "batch, gzip, receipt, head",
    "wire/canonical.py": "leaf",
    "wire/enrolment.py": "enrolment",
    "wire/hand_over.py": "hand-over, revocation",
    "wire/http_signature.py": "signature",
    "wire/pin.py": "pin",
    "wire/proof.py": "proof",
    "wire/records.py": "leaf",
    "wire/seal.py": "note, key",
}


def decoding_files() -> dict[str, set[str]]:
    """Path of each file of ours -> the decoders it calls."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((FOLDER / package).rglob("*.py")):
            called = set(_called(path))
            if called:
                found[str(path.relative_to(FOLDER))] = called
    return found


def _called(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in LAST:
            said = ast.unparse(node.func)
            for name in DECODERS:
                if said == name or said.endswith(f".{name}"):
                    yield name
