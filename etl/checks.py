"""Rules across rows that a file has to keep, beyond its grammar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from db.contents import Contents
from etl.claims import Refused

_GRAIN_MONTHS = {"month": 1, "quarter": 3, "year": 12}

Cell = tuple[str, str, str, date]
"""Market, powertrain, grain and start of a period that a file says something about."""


def covered(contents: Contents) -> set[Cell]:
    """The periods that a snapshot says something about."""
    return {(market, powertrain, grain, start) for market, _, powertrain, _, grain, _, _, start, *_ in contents.sales}


def check_still_covers(*, file: str, before: Iterable[Cell], now: Iterable[Cell], tolerated: float = 0.0) -> None:
    """Raise `Refused` where a file covers less time than it did: it is cut short, or its history was taken away.

    A quarter that is now told in months, or the other way round, covers the same time. `tolerated` is the fraction of
    the market months that may go.
    """
    months_now = {cell for period in now for cell in _months(period)}
    months_before = {cell for period in before for cell in _months(period)}
    lost = sorted(months_before - months_now)
    if len(lost) > tolerated * len(months_before):
        market, powertrain, year, month = lost[-1]
        raise Refused(
            file=file,
            line=0,
            problem=(
                f"no longer covers {len(lost)} market months that it covered before, "
                f"the last being {powertrain} cars in {market} in {year}-{month:02d}"
            ),
            remedy="download it again; if upstream really took them back, load it with --accept-removals",
        )


def check_claims_its_own(*, file: str, claims: Iterable[Cell], others: Iterable[tuple[str, *Cell]]) -> None:
    """Raise `Refused` where another file of the source already speaks for the same cars in the same time and market.

    `others` are a file and a cell. A file that upstream has renamed would count every car twice; one file a year, each
    under its own name, is no such thing.
    """
    speaks_for = {month: other for other, *cell in others for month in _months(cell)}
    for period in sorted(claims):
        market, powertrain, *_ = period
        other = next((speaks_for[month] for month in _months(period) if month in speaks_for), None)
        if other:
            raise Refused(
                file=file,
                line=0,
                problem=f"states {powertrain} cars in {market}, which {other} of this source states already",
                remedy="if upstream has renamed that file, give canonical_file of the connector both names",
            )


def _months(period: Cell | Sequence[Any]) -> list[tuple[str, str, int, int]]:
    market, powertrain, grain, start = period
    return [(market, powertrain, start.year, start.month + n) for n in range(_GRAIN_MONTHS[grain])]
