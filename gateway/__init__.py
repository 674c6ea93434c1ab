"""The program on the Pi: devices in, records out, vending with or without a network."""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import cast

_ABSENT = cast("ModuleType", None)

# httpx tries to import its command line with every package that could colour it: 5 MB of a Pi's memory where click,
# rich and pygments happen to be installed. None makes that import fail, which httpx expects.
sys.modules.setdefault("httpx._main", _ABSENT)
# httpcore looks for sniffio on the disk at every request and goes on without it: half a millisecond of a Pi each time.
if find_spec("sniffio") is None:
    sys.modules.setdefault("sniffio", _ABSENT)
