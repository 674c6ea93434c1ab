"""The program on the Pi: devices in, records out, vending with or without a network."""

import sys
from types import ModuleType
from typing import cast

# httpx tries to import its command line with every package that could colour it: 5 MB of a Pi's memory where click,
# rich and pygments happen to be installed. None makes that import fail, which httpx expects.
sys.modules.setdefault("httpx._main", cast("ModuleType", None))
