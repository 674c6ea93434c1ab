"""So many processes that all run ``tally-cloud close`` at once: imported once, then forked.

Prints their process ids on one line, then ``pid code`` of each as it ends (-9: it was killed).
"""

from __future__ import annotations

import os
import sys

from cloud.cli import main


def say(*numbers: int) -> None:
    """A line of numbers."""
    sys.stdout.write(" ".join(map(str, numbers)) + "\n")
    sys.stdout.flush()


def run(count: int, arguments: list[str]) -> None:
    """Forks the processes and waits for all of them."""
    children = []
    for _ in range(count):
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(main(["close", *arguments, "--json"]))
        children.append(child)
    say(*children)
    for child in children:
        _, status = os.waitpid(child, 0)
        say(child, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    run(int(sys.argv[1]), sys.argv[2:])
