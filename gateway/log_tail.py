"""The last lines of the log, kept in memory for the status page and the support bundle; the whole log is journald's."""

from __future__ import annotations

import json
import logging
from collections import deque
from typing import Any

from gateway.json_log import JsonLine

KEPT = 300


class LogTail(logging.Handler):
    """A ring of the newest lines, each the document that also went to stderr."""

    def __init__(self, kept: int = KEPT) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=kept)
        self.setFormatter(JsonLine())

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one line."""
        self._lines.append(self.format(record))

    def newest(self, count: int = KEPT) -> list[dict[str, Any]]:
        """The newest lines, oldest of them first."""
        return [json.loads(line) for line in list(self._lines)[-count:]]


TAIL = LogTail()
