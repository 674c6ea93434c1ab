"""A harness in a process of its own: what kills and damaged files leave behind (sockets, connections) ends with it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def aside(play: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the harness returns; raises what it raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(play, *args, **kwargs).result()
