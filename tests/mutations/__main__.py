"""The whole run: ``python -m tests.mutations --count 10000 --seed 1`` against a cloud on SQLite; minutes."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.cloud.databases import _migrate
from tests.cloud.twins import CloudTwin
from tests.mutations.attacking import attacks


def main() -> int:
    """Runs the attacks; 1 when one of them got through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{folder}/cloud.db"
        asyncio.run(_migrate(address))
        with CloudTwin(address, Path(folder) / "state") as cloud:
            wrong = attacks(cloud, options.count, options.seed)
    wrong.append(f"{options.count} attacks, {len(wrong)} got through or left something")
    sys.stdout.write("\n".join(wrong) + "\n")
    return 1 if len(wrong) > 1 else 0


if __name__ == "__main__":
    raise SystemExit(main())
