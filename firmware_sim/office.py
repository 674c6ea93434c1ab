"""The supplier's operator, at a desk: sets a shop up and reads the books, only through the public REST API.

The surprise is what it does not know: no table, no class of ours. What it reads is what any customer's program would
read, so a judge that compares it with the simulator's own account also judges the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

Json = dict[str, Any]


class OfficeError(RuntimeError):
    """The cloud refused an operator's request; the message carries its problem document."""


class Office:
    """One operator with an API key. ``client``: an HTTP client whose base URL is the cloud's."""

    def __init__(self, client: httpx.AsyncClient, api_key: str) -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {api_key}"}
        self._writes = 0

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401
        """The JSON document at a path."""
        return _checked(await self._client.get(path, params=params, headers=self._headers))

    async def every(self, path: str, params: Mapping[str, str] | None = None) -> list[Json]:
        """All items of a list, page by page."""
        items: list[Json] = []
        after = ""
        while True:
            page = await self.get(path, {**(params or {}), "limit": "200", **({"after": after} if after else {})})
            items += page["items"]
            after = page.get("next") or ""
            if not after:
                return items

    async def post(self, path: str, body: Json, key: str = "") -> Json:
        """Creates something; each write has an idempotency key of its own."""
        self._writes += 1
        headers = {**self._headers, "idempotency-key": key or f"office-{self._writes}"}
        answer: Json = _checked(await self._client.post(path, json=body, headers=headers))
        return answer

    async def put(self, path: str, body: Json) -> Json:
        """Replaces something."""
        answer: Json = _checked(await self._client.put(path, json=body, headers=self._headers))
        return answer

    async def bundle(self, statement: str) -> bytes:
        """A statement's evidence, byte for byte."""
        answer = await self._client.get(f"/v1/statements/{statement}/bundle", headers=self._headers)
        _refuse(answer)
        return answer.content


def _refuse(answer: httpx.Response) -> None:
    if answer.is_error:
        raise OfficeError(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:600]}"
        )


def _checked(answer: httpx.Response) -> Any:  # noqa: ANN401
    _refuse(answer)
    return answer.json() if answer.content else {}
