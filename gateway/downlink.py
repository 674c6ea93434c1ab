"""The way down: planogram, badges and rules as the cloud wants them, kept on disk so that the shop opens without it.

The stored bytes are the cloud's answer with its signature, checked again at every start: what lets people take goods is
never a file that somebody could have edited. How old the list is, is part of the answer (see ``access``).
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import msgspec

from gateway import folders
from gateway.clock import Clock
from gateway.cloud_requests import AnswerError, Cloud, CloudError, desired_path, read
from gateway.identity import Identity
from gateway.ports import Badge, Confirm, Desired, OpenOrder, Planogram, Slot, Verdict
from gateway.rules import Rules, Share
from wire.http_signature import SignatureError, verify_answer
from wire.seal import verifier

log = logging.getLogger("gateway.downlink")

FILE = "desired.json"
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
REMEMBER_MS = 3_600_000
SIGNED = ("content-digest", "signature-input", "signature")


class DesiredError(ValueError):
    """A document that is not for us or cannot be understood; the one before stays in force."""


class _Slot(msgspec.Struct):
    slot: str
    item_id: str
    capacity: int = 0
    min: int = 0
    max: int = 0
    confirm: Confirm = "none"


class _Planogram(msgspec.Struct):
    slots: list[_Slot]
    version: int = 0


class _Document(msgspec.Struct):
    tenant_id: str
    gateway_id: str
    version: int
    planograms: dict[str, _Planogram] = {}
    badges: list[Badge] = []
    rules_version: int = 0
    rules: Rules = Rules()
    credit: dict[str, Share] = {}
    orders: dict[str, dict[str, OpenOrder]] = {}
    verdicts: dict[str, dict[str, Verdict]] = {}


class _Kept(msgspec.Struct):
    """The file: the answer as it came, when the cloud last confirmed it (0: the clock could not tell), and how long it
    has certainly been kept since, whatever the clock says.
    """

    body: str
    headers: dict[str, str]
    etag: str
    confirmed_ms: int
    kept_ms: int = 0


def understand(body: bytes, identity: Identity) -> Desired:
    """The document in an answer; raises DesiredError."""
    try:
        document = read(body, _Document)
    except AnswerError as error:
        raise DesiredError(f"the desired document cannot be read ({error})") from error
    if (document.tenant_id, document.gateway_id) != (identity.tenant_id, identity.gateway_id):
        raise DesiredError(f"the desired document is for {document.gateway_id}, not for us")
    planograms = {
        cabinet: Planogram(
            cabinet,
            one.version or document.version,
            tuple(Slot(slot.slot, slot.item_id, slot.capacity, slot.min, slot.max, slot.confirm) for slot in one.slots),
        )
        for cabinet, one in document.planograms.items()
    }
    badges = {badge.badge: badge for badge in document.badges}
    rules = document.rules.version or document.rules_version
    return Desired(
        document.version, planograms, badges, rules, document.rules, document.credit, document.orders, document.verdicts
    )


class Downlink:
    """Holds the newest desired document and asks for newer ones. ``applied`` hears each new version."""

    def __init__(
        self, folder: Path, identity: Identity, clock: Clock, applied: Callable[[Desired], Awaitable[None]]
    ) -> None:
        self._path = folder / FILE
        self._identity = identity
        self._clock = clock
        self._applied = applied
        self._current = Desired()
        self._kept = _Kept("", {}, "", 0)
        self._confirmed_mono: int | None = None
        self._noted_mono = 0
        self.trouble = ""
        self._load()

    @property
    def current(self) -> Desired:
        """The newest document that was verified; the empty one before the first."""
        return self._current

    @property
    def age_seconds(self) -> int | None:
        """Seconds since the cloud last confirmed it; None: never, or the clock does not tell. A clock that is not set
        makes no list young: the hours for which we ourselves have kept it are the least it can be.
        """
        if self._confirmed_mono is not None:
            return max(0, self._clock.mono_ms() - self._confirmed_mono) // 1000
        if self._kept.confirmed_ms and self._clock.state() == "S":
            return max(0, self._clock.wall_ms() - self._kept.confirmed_ms) // 1000
        least = self._kept.kept_ms + self._clock.mono_ms() - self._noted_mono
        return least // 1000 if self._kept.body and least >= REMEMBER_MS else None

    async def run(self, cloud: Cloud, poll_seconds: int, chance: Callable[[], float]) -> None:
        """Asks until cancelled; a question stays open for ``poll_seconds`` when there is no news."""
        wait = FIRST_WAIT
        while True:
            try:
                answer = await cloud.desired(self._kept.etag, poll_seconds if self._kept.etag else 0)
                await self._take(answer)
                wait, self.trouble = FIRST_WAIT, ""
            except (CloudError, DesiredError, OSError) as error:
                if str(error) != self.trouble:
                    log.warning("no news from the cloud", extra={"why": str(error)})
                self.trouble = str(error)
                self._note_age()
                await self._clock.sleep(wait * (0.5 + 0.5 * chance()))
                wait = min(wait * 2, LONGEST_WAIT)

    def _note_age(self) -> None:
        """An hour more without the cloud; on disk, so that a restart does not make the list younger."""
        now, since = self._clock.mono_ms(), self._noted_mono
        if self._kept.body and now - since >= REMEMBER_MS:
            self._kept.kept_ms, self._noted_mono = self._kept.kept_ms + now - since, now
            with contextlib.suppress(OSError):
                self._save()

    async def _take(self, answer: httpx.Response) -> None:
        now = self._clock.wall_ms() if self._clock.state() == "S" else 0
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            self._confirmed_mono = self._noted_mono = self._clock.mono_ms()
            if now - self._kept.confirmed_ms > REMEMBER_MS or self._kept.kept_ms:
                self._kept.confirmed_ms, self._kept.kept_ms = now, 0
                self._save()
            return
        desired = understand(answer.content, self._identity)
        headers = {name: answer.headers[name] for name in SIGNED}
        self._kept = _Kept(answer.text, headers, answer.headers.get("etag", ""), now)
        self._save()
        self._current, self._confirmed_mono = desired, self._clock.mono_ms()
        self._noted_mono = self._confirmed_mono
        log.info("desired document", extra={"version": desired.version, "badges": len(desired.badges)})
        await self._applied(desired)

    def _load(self) -> None:
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
            check_kept(self._identity, kept.headers, kept.body.encode())
            self._current = understand(kept.body.encode(), self._identity)
            self._kept = kept
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.warning("the kept desired document is not used", extra={"path": str(self._path), "why": str(error)})

    def _save(self) -> None:
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(self._kept))
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._path)
        folders.sync(self._path.parent)


def check_kept(identity: Identity, headers: Mapping[str, str], body: bytes) -> None:
    """Raises SignatureError (a ValueError) unless our cloud signed these bytes."""
    if not headers:
        raise SignatureError("there is no signature beside it")
    path = desired_path(identity.gateway_id)
    newest, *earlier = reversed([verifier(key.vkey) for key in identity.cosigners()])
    for key in earlier:
        with contextlib.suppress(SignatureError):
            verify_answer(key, headers, status=200, body=body, path=path)
            return
    verify_answer(newest, headers, status=200, body=body, path=path)
