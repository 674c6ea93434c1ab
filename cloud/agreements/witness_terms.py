"""Which outside witnesses must have seen a log before its records are billed. PURE.

The surprise: nothing else stops a supplier who holds both the gateway's key and the cloud's from inventing records. A
witness's cosignature says that a log only grew while somebody else was looking, and the agreement says who.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from wire.seal import COSIGNATURE, SealError, verifier


def _key(vkey: str) -> str:
    try:
        key = verifier(vkey)
    except SealError as error:
        raise ValueError(f"a witness is named by its C2SP verifier key: {error.detail}") from error
    if key.algorithm != COSIGNATURE:
        raise ValueError(f"{key.name} is no cosigner's key: a witness signs with algorithm 4")
    return key.vkey


class WitnessTerms(BaseModel):
    """At least so many of these keys must have cosigned each log, up to the last record that a statement stands on."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    keys: Annotated[
        list[Annotated[str, AfterValidator(_key)]],
        Field(min_length=1, max_length=16, description="C2SP verifier keys of witnesses (algorithm 4)"),
    ]
    at_least: Annotated[int, Field(ge=1, le=16, description="how many of them must have cosigned")]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        raw = {key.rpartition("+")[2] for key in self.keys}
        if len(raw) != len(self.keys) or len(set(self.names)) != len(self.keys):
            raise ValueError("witnesses: a key or a name stands there twice")
        if self.at_least > len(self.keys):
            raise ValueError(f"witnesses: at_least is {self.at_least}, and only {len(self.keys)} are named")
        return self

    @property
    def names(self) -> list[str]:
        """Their names, as the terms have them."""
        return [verifier(key).name for key in self.keys]

    def in_words(self) -> str:
        """The convention, as a statement prints it."""
        return f"records are billed once at least {self.at_least} of these have cosigned their log: " + ", ".join(
            self.names
        )
