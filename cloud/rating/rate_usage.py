"""Measured quantities and an agreement's charges become priced lines. PURE.

The surprise: charges are not registered. Every module in ``cloud/rating/charges`` that has ``KIND``, ``MEASURE``,
``Terms`` and ``charge`` is one; the form, the stored JSON and the check of an agreement all come from its ``Terms``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol, cast

import msgspec

from cloud.rating import charges
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing


class _OfKind(Protocol):
    kind: str


class Charge(Protocol):
    """A charge model: a module of ``cloud/rating/charges``."""

    KIND: str
    MEASURE: str
    Terms: type[ChargeTerms]

    def charge(self, measured: Measured, terms: ChargeTerms, pricing: Pricing) -> list[Line]:
        """Lines of one measured quantity; none when the terms do not cover it."""


@lru_cache(maxsize=1)
def charge_models() -> Mapping[str, Charge]:
    """All charge models by kind."""
    models: dict[str, Charge] = {}
    for found in pkgutil.iter_modules(charges.__path__):
        module = importlib.import_module(f"{charges.__name__}.{found.name}")
        models[module.KIND] = cast("Charge", module)
    return models


def rate(measured: Measured, terms: Sequence[ChargeTerms], pricing: Pricing) -> list[Line]:
    """The lines of one measured quantity: of the charge it was measured for (a fee, a meter), or of the first charge of
    its measure that has a price for it (pieces). Empty when no charge covers it.
    """
    for position, charge_terms in enumerate(terms):
        model = charge_models()[kind_of(charge_terms)]
        if measured.measure != model.MEASURE or measured.charge not in (-1, position):
            continue
        lines = model.charge(measured, charge_terms, msgspec.structs.replace(pricing, charge=position))
        if lines:
            return lines
    return []


def measure_of(terms: ChargeTerms) -> str:
    """What has to be measured for a charge: ``pieces``, ``energy`` or ``days``."""
    return charge_models()[kind_of(terms)].MEASURE


def kind_of(terms: ChargeTerms) -> str:
    """The kind that the terms say they are."""
    return cast("_OfKind", terms).kind
