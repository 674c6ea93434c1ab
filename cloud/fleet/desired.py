"""What a gateway should be like: planograms, badges, rules, each published by whoever owns it, one version over all.

    desired.publish(tx, tenant, gateway_id, part="planograms", key=device_id, body={...})
    desired.publish(tx, tenant, gateway_id, part="badges", body=[...])

A part with keys is an object in the document, one without is its body. The gateway waits for a version it does not have
(long poll); one question a second to the database serves all who wait.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from cloud.clock import Clock
from cloud.database import DatabaseAwayError, Store, Tx
from cloud.fleet import repository

POLL_SECONDS = 1.0
EMPTY: dict[str, Any] = {"badges": [], "planograms": {}}
_encoder = msgspec.json.Encoder(order="sorted")
Place = tuple[str, str]


def publish(tx: Tx, tenant: str, gateway_id: str, *, part: str, body: object, key: str = "") -> int:
    """Sets one part of a gateway's document; its version after that."""
    return repository.put_part(tx, tenant, gateway_id, part=part, key=key, body=_encoder.encode(body).decode())


def hand_over(tx: Tx, tenant: str, device_id: str, old: str, new: str) -> None:
    """A device hangs on another gateway: what was published of it follows, and the old gateway has it no more."""
    for part, key, body in repository.parts(tx, tenant, old):
        if key == device_id and old != new:
            repository.drop_part(tx, tenant, old, part=part, key=key)
            repository.put_part(tx, tenant, new, part=part, key=key, body=body)


def document(tx: Tx, tenant: str, gateway_id: str) -> tuple[int, bytes]:
    """The version and the JSON document: ``tenant_id``, ``gateway_id``, ``version`` and the parts."""
    version = repository.desired_version(tx, tenant, gateway_id)
    found: dict[str, Any] = {**EMPTY, "planograms": {}}
    for part, key, body in repository.parts(tx, tenant, gateway_id):
        if key:
            found.setdefault(part, {})[key] = msgspec.Raw(body.encode())
        else:
            found[part] = msgspec.Raw(body.encode())
    return version, _encoder.encode({**found, "tenant_id": tenant, "gateway_id": gateway_id, "version": version})


class Changes:
    """Those who wait for a newer version."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[Place, list[tuple[int, asyncio.Future[None]]]] = {}
        self._watching: asyncio.Task[None] | None = None

    async def newer(self, place: Place, version: int, seconds: float) -> None:
        """Returns when the document's version is not ``version`` any more, or after ``seconds``."""
        change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (version, change)
        self._waiting.setdefault(place, []).append(waiter)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        limit = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({change, limit}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            limit.cancel()
            self._forget(place, waiter)

    def close(self) -> None:
        """Lets everybody go who waits."""
        for waiters in self._waiting.values():
            for _, change in waiters:
                if not change.done():
                    change.set_result(None)

    def _forget(self, place: Place, waiter: tuple[int, asyncio.Future[None]]) -> None:
        left = [other for other in self._waiting.get(place, []) if other is not waiter]
        if left:
            self._waiting[place] = left
        else:
            self._waiting.pop(place, None)

    async def _watch(self) -> None:
        try:
            while self._waiting:
                versions = await self._versions()
                for place, waiters in list(self._waiting.items()):
                    for version, change in waiters:
                        if versions is not None and versions.get(place, 0) != version and not change.done():
                            change.set_result(None)
                await self._clock.sleep(POLL_SECONDS)
        finally:
            self._watching = None

    async def _versions(self) -> dict[Place, int] | None:
        """The versions of all that is waited for; None while the database is away, which is no news."""
        try:
            return await self._store.read(lambda tx: repository.desired_versions(tx, list(self._waiting)))
        except DatabaseAwayError:
            return None
