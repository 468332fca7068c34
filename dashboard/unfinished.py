"""Periods whose figures are not yet all there: what a publisher calls incomplete, and what was still running."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache, partial

import numpy as np

from dashboard.lines import Line, Reach
from dashboard.precedence import PUBLISHED_AS
from dashboard.selection import (
    Selection,
)
from dashboard.windows import month_start, months_behind
from db.claims import GRAIN_MONTHS, Bools, Ints
from db.market_claims import Dataset, MarketClaims

_INCOMPLETE = re.compile(r"\b(?:incomplete|partial|unfinished)\b(?!.*\bincluded as\b)", re.IGNORECASE)
"""How publishers say beside a record that some of it is missing; what is only unnamed is in the rest and bounded."""


@lru_cache(maxsize=4096)
def _is_called_incomplete(remark: str) -> bool:
    return bool(_INCOMPLETE.search(remark))


def powertrains_counted(selection: Selection) -> set[str]:
    """The words under which the figures of numerator and denominator are stored."""
    return {*PUBLISHED_AS[selection.powertrain], *PUBLISHED_AS[selection.denominator]}


def incomplete_months(dataset: Dataset, selection: Selection) -> dict[str, frozenset[int]]:
    """The months of each market's records that their publishers call incomplete."""
    called = [number for number, remark in dataset.remarks.items() if _is_called_incomplete(remark)]
    if not called:
        return {}
    cited = frozenset(citation.slug for citation in dataset.citations)
    counted = frozenset(powertrains_counted(selection))

    def of_market(claimed: MarketClaims) -> frozenset[int]:
        claims = claimed.claims
        records = np.isin(claims.evidence_id, called) & claims.powertrain.among(counted) & claims.source.among(cited)
        spans = set(zip(claims.month[records].tolist(), claims.months[records].tolist(), strict=True))
        return frozenset(month for first, length in spans for month in range(first, first + length))

    found = {
        code: of.follows(("incomplete", counted, cited), partial(of_market, of)) for code, of in dataset.markets.items()
    }
    return {code: months for code, months in found.items() if months}


def is_running(known: Ints, start: Ints, reach: Iterable[Reach], selection: Selection) -> Bools:
    """Whether a period was not over on the day when the latest of its figures became known, and nothing follows it."""
    length = GRAIN_MONTHS[selection.grain.value]
    last = max(to.published_to for to in reach)
    running = np.zeros(len(start), dtype=np.bool_)
    for n in np.flatnonzero(start + length >= last).tolist():
        opening, end = ((month_start(int(start[n]) + more) - date(1970, 1, 1)).days for more in (0, length))
        running[n] = opening <= known[n] < end
    return running


def without_part_years(
    lines: Sequence[Line], start: Ints, dataset: Dataset, selection: Selection, reach: Mapping[str, Reach]
) -> list[Line]:
    """Growth lines without the periods that are set against unlike ones: a part of a period against a whole one."""
    incomplete = incomplete_months(dataset, selection)
    spans = [months_behind(selection, int(month)) for month in start] if incomplete else []
    unlike: dict[str, Bools] = {}
    cut = []
    for line in lines:
        markets = line.market.split("+")
        if line.market not in unlike:
            some = frozenset[int]().union(*(incomplete.get(code, frozenset()) for code in markets))
            differ = [[month in some for month in now] != [month in some for month in then] for then, now in spans]
            unlike[line.market] = np.array(differ or np.zeros(len(start)), dtype=np.bool_)
        running = is_running(line.known, start, [reach[code] for code in markets], selection)
        gap = np.where(unlike[line.market] | running, np.nan, 0.0)
        cut.append(replace(line, value=line.value + gap, low=line.low + gap, high=line.high + gap))
    return cut
