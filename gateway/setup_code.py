"""The code that opens the set-up pages: made here, kept in the state folder, told on this machine's command line only.

The surprise is that a kiosk's touch screen shows the same host. Whoever stands at the cabinet can type the address of
the wizard; without the code it opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.site_file import keep

FILE = "setup-code.json"
SESSION_MS = 8 * 3_600_000
TRIES, PAUSE_MS = 5, 300_000


class _Kept(msgspec.Struct, frozen=True):
    code: str
    secret: str


class SetupCode:
    """The code of one gateway and the sessions it opened, which outlive a restart. `salt`: 32 random hex digits."""

    def __init__(self, folder: Path, salt: Callable[[], str]) -> None:
        self._path = folder / FILE
        self._salt = salt
        self._wrong: list[int] = []

    def code(self) -> str:
        """Eight digits in two groups; made at the first call."""
        return self._kept().code

    def renew(self) -> str:
        """Another code; whoever was inside is outside."""
        digits = f"{int(self._salt(), 16) % 10**8:08d}"
        keep(self._path, msgspec.json.encode(_Kept(f"{digits[:4]}-{digits[4:]}", self._salt() + self._salt())).decode())
        return self.code()

    def enter(self, typed: str, wall_ms: int, mono_ms: int) -> str:
        """A session for the right code; empty for a wrong one, and for any after five wrong ones."""
        self._wrong = [at for at in self._wrong if mono_ms - at < PAUSE_MS]
        if len(self._wrong) >= TRIES:
            return ""
        digits = "".join(char for char in typed if char.isdigit())
        # As bytes: of texts that are not ASCII, compare_digest raises.
        if not hmac.compare_digest(digits.encode(), self.code().replace("-", "").encode()):
            self._wrong.append(mono_ms)
            return ""
        ends = str(wall_ms + SESSION_MS)
        return f"{ends}.{self._sign('session', ends)}"

    def is_shut(self, mono_ms: int) -> bool:
        """Too many wrong codes of late."""
        return len([at for at in self._wrong if mono_ms - at < PAUSE_MS]) >= TRIES

    def opens(self, session: str, wall_ms: int) -> bool:
        """Whether this session stands."""
        ends, _, signed = session.partition(".")
        if not hmac.compare_digest(signed.encode(), self._sign("session", ends).encode()):
            return False
        return ends.isdigit() and 0 < int(ends) - wall_ms <= SESSION_MS

    def token(self, session: str) -> str:
        """What a form of this session brings back: proof that it came from a page of ours."""
        return self._sign("form", session)

    def _sign(self, what: str, text: str) -> str:
        return hmac.new(bytes.fromhex(self._kept().secret), f"{what}|{text}".encode(), hashlib.sha256).hexdigest()

    def _kept(self) -> _Kept:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except (FileNotFoundError, msgspec.DecodeError):
            self.renew()
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept)
