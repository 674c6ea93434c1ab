"""The verdicts of a period: each guarantee judged over the days in which its version of the terms counts. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloud.agreements.terms import Version
from cloud.billing.facts import Fact
from cloud.billing.guarantee import Verdict, judge
from cloud.billing.guarantee_spells import Agreed, kept_for_later
from cloud.calendar import Period
from cloud.rating.lines import LeafRef


def kept_by(versions: Sequence[Version], facts: Sequence[Fact], period: Period) -> set[LeafRef]:
    """The leaves of a period that verdicts of the next one need."""
    guarantees = [one for version in versions for one in version.terms.guarantees or []]
    return kept_for_later(guarantees, facts, period.to_ms)


def verdicts_of(
    versions: Sequence[Version], period: Period, facts: Sequence[Fact], agreed: Mapping[str, Sequence[Agreed]]
) -> list[Verdict]:
    """One verdict for each guarantee and version; ``agreed``: time that both sides do not count, by guarantee."""
    found = []
    for version, following in zip(versions, [*versions[1:], None], strict=True):
        ends = [one for one in (version.terms.ends, following.first if following else None) if one is not None]
        first, end = max(period.first, version.first), min([period.end, *ends])
        if first < end:
            found += [
                judge(one, (first, end), version.terms.zone, facts, agreed.get(one.name, ()))
                for one in version.terms.guarantees or []
            ]
    return found
