"""Log lines as JSON, one a line on stderr: for journald, for harnesses, and for nobody's regular expressions."""

from __future__ import annotations

import json
import logging
import sys

_PLAIN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "taskName"}


class JsonLine(logging.Formatter):
    """``level``, ``at`` (seconds, the process's clock), ``logger``, ``message`` and whatever ``extra`` named."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; values that JSON has no form for are written as text."""
        line = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: value for key, value in vars(record).items() if key not in _PLAIN})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def to_stderr(level: str) -> None:
    """Sends all logs to stderr in this form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "aiosqlite", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
