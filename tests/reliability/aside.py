"""A harness in a process of its own: what kills and damaged files leave behind (sockets, connections) ends with it.

A harness that hangs shows its threads' stacks on stderr and ends; so do the programs it has started.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE = 600  # seconds


def aside(play: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the harness returns; raises what it raises, and RuntimeError when it ended without a word."""
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_play, args=(there, play, args, kwargs))
    child.start()
    there.close()
    try:
        said = here.recv()
    except EOFError:
        child.join()
        raise RuntimeError(f"the harness ended with {child.exitcode} and no result; see its stderr") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(cast("int", child.pid), signal.SIGKILL)
        child.join()
        here.close()
    if isinstance(said, BaseException):
        raise said
    return cast("T", said)


def _play(there: Connection, play: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    os.setpgid(0, 0)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    try:
        there.send(play(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller's test fails with it
        there.send(error)
