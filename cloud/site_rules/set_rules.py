"""New rules for a site: a version kept here and sent to its gateway, in one transaction.

PINs are hashed before the transaction begins (it takes a twentieth of a second each); what is not named keeps its hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cloud.database import Tx
from cloud.entropy import Entropy
from cloud.fleet import desired
from cloud.site_rules import repository
from cloud.site_rules.repository import RulesRow
from cloud.site_rules.terms import RulesIn
from wire.pin import hash_pin

Secrets = Mapping[tuple[str, str], str]
Document = dict[str, Any]


def hashed(rules: RulesIn, entropy: Entropy) -> Secrets:
    """The hash of every PIN and code that is named, by ("pin", person) and ("code", waiting)."""
    found = {("pin", one.person): one.pin for one in rules.persons if one.pin is not None}
    found |= {("code", one.id): one.code for one in rules.waiting if one.code is not None}
    return {where: hash_pin(digits, entropy.key_bytes(16)) if digits else "" for where, digits in found.items()}


def set_rules(
    tx: Tx, tenant: str, gateway_id: str, rules: RulesIn, digests: Secrets, *, made_by: str, now_ms: int
) -> Document | None:
    """The new version as the gateway gets it; None: there is no such gateway."""
    if not repository.lock(tx, tenant, gateway_id):
        return None
    before = stored(tx, tenant, gateway_id)
    body = rules.model_dump(exclude_defaults=True) | {"zone": rules.zone}
    pins = {one["person"]: one.get("pin", "") for one in before.get("persons", ())}
    codes = {one["id"]: one.get("code", "") for one in before.get("waiting", ())}
    for one in body.get("persons", ()):
        _keep(one, "pin", digests.get(("pin", one["person"]), pins.get(one["person"], "")))
    for one in body.get("waiting", ()):
        _keep(one, "code", digests.get(("code", one["id"]), codes.get(one["id"], "")))
    return _publish(tx, tenant, gateway_id, body, before, made_by=made_by, now_ms=now_ms)


def set_block(
    tx: Tx, tenant: str, gateway_id: str, what: str, name: str, *, blocked: bool, made_by: str, now_ms: int
) -> Document | None:
    """Blocks one badge, person or item, or lets it go again, without touching anything else."""
    if not repository.lock(tx, tenant, gateway_id):
        return None
    before = stored(tx, tenant, gateway_id)
    lists: dict[str, list[str]] = dict(before.get("blocked", {}))
    names = set(lists.get(what, ())) - {name} | ({name} if blocked else set())
    body = {key: value for key, value in before.items() if key != "version"}
    body["blocked"] = lists | {what: sorted(names)}
    return _publish(tx, tenant, gateway_id, body, before, made_by=made_by, now_ms=now_ms)


def stored(tx: Tx, tenant: str, gateway_id: str) -> Document:
    """The rules that hold, hashes and all; empty before the first."""
    row = repository.newest(tx, tenant, gateway_id)
    found: Document = json.loads(row.body) if row is not None else {}
    return found


def shown(document: Document) -> Document:
    """The same without digests: whether there is a PIN, and not which."""
    copy = {**document}
    for part, secret in (("persons", "pin"), ("waiting", "code")):
        if part in copy:
            copy[part] = [
                {key: value for key, value in one.items() if key != secret} | {f"has_{secret}": bool(one.get(secret))}
                for one in copy[part]
            ]
    return copy


def _publish(
    tx: Tx, tenant: str, gateway_id: str, body: Document, before: Document, *, made_by: str, now_ms: int
) -> Document:
    version = int(before.get("version", 0)) + 1
    document = body | {"version": version}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    repository.add(tx, tenant, gateway_id, RulesRow(version, text, made_by, now_ms))
    desired.publish(tx, tenant, gateway_id, part="rules", body=document)
    return document


def _keep(one: Document, name: str, value: str) -> None:
    if value:
        one[name] = value
    else:
        one.pop(name, None)
