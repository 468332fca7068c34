"""What is published about each market, period by period: how detailed the record is, and how much of it is named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import cached_property

import numpy as np

from dashboard import precedence, style
from dashboard.panels import records
from dashboard.precedence import OfMarket
from dashboard.selection import PowertrainChoice, Selection
from dashboard.windows import month_number, month_start
from db import queries
from db.claims import Claims, Ints
from db.market_claims import Dataset, MarketClaims
from db.provenance import Citation
from db.queries import Nouns
from db.vocabulary import ALL, OTHER, Grain


class Detail(IntEnum):
    """How detailed a record is; more is better."""

    OWN = 0
    TOTAL = 1
    MAKER = 2
    MODEL = 3

    @property
    def flag(self) -> str:
        """The word in the download: `model`, `maker`, `total` or `own`."""
        return self.name.lower()

    @property
    def names_makers(self) -> bool:
        """Whether it tells a market's makers by name."""
        return self in (Detail.MAKER, Detail.MODEL)


TOLD = {
    Detail.MODEL: "by model",
    Detail.MAKER: "by maker",
    Detail.TOTAL: "total only",
    Detail.OWN: "makers' own figures",
}

_GRAINS = {grain.months: grain for grain in Grain}


@dataclass(frozen=True)
class Cell:
    """What is published about a market in a period of `months` months from `start` (year * 12 + month - 1) on.

    `covered` of its months are. `total` and `unnamed` are cars, NaN where only makers' own figures are. `makers` and
    `models` are the most that are named in one published period of it. `known`: the day since 1970-01-01 on which the
    latest of its figures became known. `sources` are slugs.
    """

    start: int
    months: int
    covered: int
    detail: Detail
    total: float
    unnamed: float
    makers: int
    models: int
    known: int
    sources: frozenset[str]

    @property
    def end(self) -> int:
        """The month after it."""
        return self.start + self.months

    @property
    def named(self) -> float:
        """The share of the cars under a maker's name; NaN where it cannot be said."""
        return 1 - self.unnamed / self.total if self.total else float("nan")

    @property
    def grain(self) -> Grain:
        """The word for its length."""
        return _GRAINS[self.months]

    @cached_property
    def text(self) -> str:
        """'Jun 2026: by model, 34 makers, 120 models; 99.1 % of 84,057 cars named'."""
        text = f"{style.period_text(month_start(self.start), self.grain.value)}: {TOLD[self.detail]}"
        if self.makers:
            models = f", {style.count_text(self.models, 'model')}" if self.models else ""
            text += f", {style.count_text(self.makers, 'maker')}{models}"
        if self.detail.names_makers:
            text += f"; {style.share_text(self.named)} of {style.units_text(self.total)} cars named"
        elif self.detail is Detail.TOTAL:
            text += f", {style.units_text(self.total)} cars"
        return text + (f" ({self.covered} of {self.months} months)" if self.covered < self.months else "")


@dataclass(frozen=True)
class MarketCoverage:
    """One market with its cells, oldest first; `next_due` is the day by which newer figures usually are there."""

    code: str
    name: str
    is_region: bool
    cells: tuple[Cell, ...]
    next_due: date

    @property
    def last(self) -> Cell:
        """The newest cell."""
        return self.cells[-1]

    @property
    def size(self) -> float:
        """The cars of the last twelve months that are published."""
        return float(np.nansum([cell.total for cell in self.cells if cell.start >= self.last.end - 12] or [0.0]))


@dataclass(frozen=True)
class Coverage:
    """The markets that have anything, the largest first, and the names of those asked for that have nothing."""

    markets: tuple[MarketCoverage, ...]
    without: tuple[str, ...]

    @property
    def end(self) -> int:
        """The month after the newest cell."""
        return max(of.last.end for of in self.markets)


# From claims to cells


def coverage_of(dataset: Dataset, selection: Selection, nouns: Nouns) -> Coverage:
    """What is published of each market of a dataset in the periods asked for, the largest market first."""
    markets = []
    for code, of_market in dataset.markets.items():
        published = _published(of_market, selection.powertrain, dataset.citations)
        cells = [cell for cell in in_periods(published, selection.grain) if _in_range(cell, selection)]
        if cells:
            markets.append(
                MarketCoverage(
                    code=code,
                    name=nouns.markets[code],
                    is_region=code in nouns.regions,
                    cells=tuple(cells),
                    next_due=_next_due(published, dataset.citations),
                )
            )
    found = {of.code for of in markets}
    return Coverage(
        markets=tuple(sorted(markets, key=lambda of: (-of.size, of.name))),
        without=tuple(nouns.markets[code] for code in selection.market if code not in found),
    )


def _next_due(published: Sequence[Cell], citations: Sequence[Citation]) -> date:
    """The day by which the period after the last one that is published usually has been stated."""
    last = max(published, key=lambda cell: (cell.end, -cell.months))
    lag = max(cited.lag_days for cited in citations if cited.slug in last.sources)
    return queries.next_due(month_start(last.end), last.grain, lag_days=lag)


def _in_range(cell: Cell, selection: Selection) -> bool:
    """Whether a cell lies wholly between since and until."""
    since = month_number(selection.since) if selection.since else cell.start
    until = month_number(selection.until) if selection.until else cell.end - 1
    return since <= cell.start and cell.end - 1 <= until


def _published(claimed: MarketClaims, powertrain: PowertrainChoice, citations: Sequence[Citation]) -> tuple[Cell, ...]:
    """A cell for each record as it is published; makers' own figures in the months that no record tells."""

    def work_out() -> tuple[Cell, ...]:
        return tuple(_cells(precedence.of_market(claimed.claims, powertrain, citations)))

    return claimed.follows((_published, powertrain), work_out)


def _cells(of: OfMarket) -> list[Cell]:
    told = records(of.records, by="maker", entities=())
    slugs = of.records.source.listed
    makers, models = _names(of.records, told.start)
    columns = (told.start, told.months, told.split, told.total, told.rest, told.known, told.sources)
    named_by = {
        bits: frozenset(slug for bit, slug in enumerate(slugs) if bits >> bit & 1)
        for bits in np.unique(told.sources).tolist()
    }
    cells = [
        Cell(
            start=start,
            months=months,
            covered=months,
            detail=Detail.TOTAL if not split else Detail.MODEL if models[n] else Detail.MAKER,
            total=total,
            unnamed=rest if split else total,
            makers=makers[n],
            models=models[n],
            known=known,
            sources=named_by[bits],
        )
        for n, (start, months, split, total, rest, known, bits) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        )
    ]
    return cells + _own(of.own, taken={month for cell in cells for month in range(cell.start, cell.end)})


def _names(claims: Claims, starts: Ints) -> tuple[list[int], list[int]]:
    """How many makers and how many models the record of each period names."""
    named = claims[~claims.maker.among((ALL, OTHER))]
    single = named[~named.model.among((ALL, OTHER))]
    makers, models = (
        np.bincount(np.searchsorted(starts, np.unique(month * 100_000 + codes) // 100_000), minlength=len(starts))
        for month, codes in ((named.month, named.maker.codes), (single.month, single.model.codes))
    )
    return makers.tolist(), models.tolist()


def _own(own: Claims, *, taken: set[int]) -> list[Cell]:
    """Cells of makers' own figures in the months that are not taken, the shortest periods first."""
    cells: list[Cell] = []
    for months, start in sorted(set(zip(own.months.tolist(), own.month.tolist(), strict=True))):
        span = range(start, start + months)
        if not taken.isdisjoint(span):
            continue
        taken.update(span)
        rows = own[(own.months == months) & (own.month == start)]
        cells.append(
            Cell(
                start=span.start,
                months=len(span),
                covered=len(span),
                detail=Detail.OWN,
                total=float("nan"),
                unnamed=float("nan"),
                makers=len(set(rows.maker.texts())),
                models=len(set(rows.model.texts()) - {ALL, OTHER}),
                known=int(rows.known_from.max()),
                sources=frozenset(rows.source.texts()),
            )
        )
    return cells


def in_periods(cells: Iterable[Cell], grain: Grain) -> list[Cell]:
    """Cells put together into periods of a grain, oldest first; a longer one stays whole.

    A period is as detailed as its least detailed part, and named as far as all of its cars are.
    """
    parts: dict[tuple[int, int], list[Cell]] = defaultdict(list)
    least = grain.months
    for cell in cells:
        months = max(cell.months, least)
        parts[cell.start - cell.start % months, months].append(cell)
    return [_together(start, months, of) for (start, months), of in sorted(parts.items())]


def _together(start: int, months: int, parts: Sequence[Cell]) -> Cell:
    if len(parts) == 1 and parts[0].months == months:
        return parts[0]
    return Cell(
        start=start,
        months=months,
        covered=sum(part.covered for part in parts),
        detail=min(part.detail for part in parts),
        total=sum(part.total for part in parts),
        unnamed=sum(part.unnamed for part in parts),
        makers=max(part.makers for part in parts),
        models=max(part.models for part in parts),
        known=max(part.known for part in parts),
        sources=frozenset().union(*(part.sources for part in parts)),
    )
