"""The long run: `python -m tests.fuzz --inputs 1000000 [--codec NAME] [--seed SEED]`; some minutes a codec."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz.codecs import all_codecs
from tests.fuzz.fuzzing import FoundError, fuzz


def main() -> int:
    """Every codec, or one; 1 when something was found."""
    parser = argparse.ArgumentParser(description="Feeds every codec with what is almost right.")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="inputs a codec")
    parser.add_argument("--codec", default="", help="only this one")
    parser.add_argument("--seed", default="long", help="another seed is another million")
    given = parser.parse_args()
    found = 0
    for codec in all_codecs():
        if given.codec in ("", codec.name):
            try:
                lines = fuzz(codec, given.inputs, given.seed)
                sys.stderr.write(f"{codec.name}: {given.inputs} inputs, {lines} lines reached, nothing found\n")
            except FoundError as error:
                found += 1
                sys.stderr.write(f"{error}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
