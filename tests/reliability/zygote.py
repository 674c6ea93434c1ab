"""A process that has imported everything and forks lives to be killed: a life costs milliseconds, not a second.

    python -m tests.reliability.zygote MODULE

Reads one JSON document a line on stdin (``{"words": [...], "out": path}``), runs ``MODULE.main(words)`` in a child
whose stdout is the file, and answers with how it ended (0, or -9 when it was killed). ``MODULE.prepare()``, where there
is one, runs once before the first fork.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]


class Zygote:
    """The caller's side: ``live`` runs one life."""

    def __init__(self, module: str, environment: Mapping[str, str], folder: Path) -> None:
        self._out = folder / "said"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.zygote", module],
            env={**os.environ, **environment}, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def live(self, *words: str) -> tuple[int, bytes]:
        """How the life ended, and what it said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out.unlink(missing_ok=True)
        self._process.stdin.write(json.dumps({"words": words, "out": str(self._out)}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the zygote has ended; what it said is above")
        return int(answer), self._out.read_bytes()


def _child(module: Any, words: Sequence[str], out: str) -> None:
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    try:
        module.main(list(words))
    except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Until stdin ends."""
    module = importlib.import_module(sys.argv[1])
    if hasattr(module, "prepare"):
        module.prepare()
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _child(module, asked["words"], asked["out"])
        _, status = os.waitpid(child, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
