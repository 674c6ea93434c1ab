"""Runs attacks against a whole cloud and tells those that were not refused by name, or that left something behind."""

from __future__ import annotations

import random
import zlib

from tests.cloud.twins import CloudTwin
from tests.mutations.classes import CLASSES, COSTLY, Attack, Honest, Mutation

PER_LOG = 200  # a genuine note that its leaves cannot prove is kept once; then a log is full of them
# Evidence is the one thing a refused batch may leave: a note that this log's key really signed.
KEPT = {"evidence", "log_heads"}


def honest_batch(cloud: CloudTwin, number: int) -> Honest:
    """A gateway with six cosigned leaves and six more to send."""
    gateway = cloud.gateway(f"gw-m{number}", devices=(f"cab-m{number}",))
    gateway.keep(*(gateway.draw(src=f"cab-m{number}") for _ in range(12)))
    assert gateway.send(0, 6).status_code == 200
    return Honest(gateway, 6, 12)


def attacks(cloud: CloudTwin, count: int, seed: int) -> list[str]:
    """What went wrong in so many attacks, in sentences; nothing of it may."""
    chance, wrong = random.Random(seed), list[str]()
    honest, before = honest_batch(cloud, 0), cloud.counts()
    for number in range(count):
        if number and number % PER_LOG == 0:
            wrong += _still_honest(honest, cloud, before)
            honest = honest_batch(cloud, number)
            before = cloud.counts()
        costly = number % 500 == 499
        mutation = COSTLY[0] if costly else CLASSES[number % len(CLASSES)]
        wrong += _refused(honest, mutation, mutation(honest, chance), number)
    return wrong + _still_honest(honest, cloud, before)


def _refused(honest: Honest, mutation: Mutation, attack: Attack, number: int) -> list[str]:
    if attack.body == honest.body and not attack.log:
        return []
    headers = {"content-encoding": "gzip"} if attack.gzipped else {}
    path = f"/v1/logs/{attack.log or honest.gateway.log}/entries"
    answer = honest.gateway.cloud.ask("POST", path, key="", body=attack.body, headers=headers)
    slug = answer.json().get("type", "").rpartition("/")[2] if answer.content else ""
    if answer.status_code < 400 or slug not in attack.names:
        check = zlib.crc32(attack.body)
        return [f"{number} {mutation.__name__} {check:08x}: {answer.status_code} {slug or answer.text[:80]}"]
    return []


def _still_honest(honest: Honest, cloud: CloudTwin, before: dict[str, int]) -> list[str]:
    """Nothing was stored, and the gateway goes on as if nothing had been."""
    after = cloud.counts()
    wrong = [f"{name}: {before[name]} rows became {after[name]}" for name in before if after[name] != before[name]]
    wrong = [one for one in wrong if one.partition(":")[0] not in KEPT]
    answer = honest.gateway.send(honest.old, honest.size)
    if answer.status_code != 200 or answer.json()["quarantined"]:
        wrong.append(f"the honest batch was refused afterwards: {answer.status_code} {answer.text[:100]}")
    return wrong
