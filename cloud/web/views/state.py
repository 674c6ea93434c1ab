"""A state as people read it: a word first, and a tone for those who see colour. PURE."""

from __future__ import annotations

from typing import Literal, NamedTuple

Tone = Literal["good", "warn", "bad", "off"]


class State(NamedTuple):
    """A word, and the tone its shape and colour follow; the word alone says everything."""

    word: str
    tone: Tone
