"""Where sources contradict each other: pure functions on claims.

Two figures of two sources are set side by side where they are about the same cars on the same basis in the same period:
stated so by both, or by one of them as the months or quarters of the other's longer period. The one of the source that
comes first (its precedence) is what charts draw; the other one is in the chart `conflicts` and nowhere else.

A figure that its publisher rounds is contradicted only by what its rounding does not explain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import pandas as pd

from db.provenance import Citation
from db.queries import Nouns
from db.vocabulary import ALL, OTHER, Grain, Powertrain, States, Word

SIGNIFICANT_DIGITS: Mapping[str, int] = {"iea-global-ev-data": 2, "our-world-in-data": 2}
"""Sources that round, and to how many digits at the least: 4.3 million of the IEA is 4.25 to 4.35 million."""


class Kind(Word):
    """How two figures of two sources come to be about the same cars."""

    SAME = "same cell", "both state it"
    MONTHS = "sum of months", "the months of one against the longer period of the other"
    QUARTERS = "sum of quarters", "the quarters of one against the year of the other"
    PARTS = "sum of powertrains", "battery and plug-in hybrid cars of one against both together of the other"


@dataclass(frozen=True)
class Cell:
    """Which cars in which period: `month` is the first one, as year * 12 + month - 1."""

    market: str
    basis: str
    powertrain: str
    grain: str
    month: int
    maker: str
    model: str


@dataclass(frozen=True)
class Figured:
    """A source's figure of a cell: `slack` is how far from the true one rounding may have put it, `known` the day since
    1970-01-01 since when it stands, `kind` whether it is stated or added up."""

    source: str
    units: float
    slack: float
    known: int
    kind: Kind


@dataclass(frozen=True)
class Pair:
    """Two sources on one cell: `chosen` is of the source that comes first and is drawn elsewhere, `other` loses."""

    cell: Cell
    chosen: Figured
    other: Figured

    @property
    def kind(self) -> Kind:
        """What the comparison rests on: the sum, where one of the two is one."""
        return self.chosen.kind if self.chosen.kind is not Kind.SAME else self.other.kind

    @property
    def difference(self) -> float:
        """Cars by which the other exceeds the chosen one."""
        return self.other.units - self.chosen.units

    @property
    def relative(self) -> float | None:
        """The difference as a part of the chosen figure; None where that is zero."""
        return self.difference / self.chosen.units if self.chosen.units else None

    @property
    def size(self) -> float:
        """How far they are apart, as a part of the chosen figure; infinitely far where that is zero."""
        return abs(self.relative) if self.relative is not None else float("inf")

    @property
    def is_rounding(self) -> bool:
        """Whether they differ by no more than rounding explains."""
        return 0 < abs(self.difference) <= self.chosen.slack + self.other.slack

    @property
    def differs(self) -> bool:
        """Whether they contradict each other."""
        return self.difference != 0 and not self.is_rounding


@dataclass(frozen=True)
class Conflicts:
    """Every cell of a selection that two sources state, and the names to print them with."""

    pairs: tuple[Pair, ...]
    citations: Mapping[str, Citation]
    nouns: Nouns

    @property
    def has_powertrains(self) -> bool:
        """Whether the cells are of more than one powertrain."""
        return len({pair.cell.powertrain for pair in self.pairs}) > 1

    @property
    def differing(self) -> tuple[Pair, ...]:
        """The contradictions, the largest in proportion first."""
        pairs = [pair for pair in self.pairs if pair.differs]
        return tuple(sorted(pairs, key=lambda pair: (-pair.size, pair.cell.month, pair.cell.market)))


# Comparing


def compared(claims: pd.DataFrame, citations: Iterable[Citation]) -> tuple[Pair, ...]:
    """Every pair of figures of two sources about the same cars, in order of period.

    `claims` is as `market_claims.sales_figures` gives it. A sum is only taken where all its months or quarters are
    there, and where its source does not state the longer period itself.
    """
    about = {cited.slug: cited for cited in citations}
    stated = _stated(claims, about)
    added = {source: _with_sums(figures) for source, figures in stated.items()}
    order = sorted(added, key=lambda source: (about[source].precedence, source))
    pairs = []
    for first, second in combinations(order, 2):
        for cell in added[first].keys() & added[second].keys():
            one, other = added[first][cell], added[second][cell]
            # Two sums compare what neither has stated.
            if Kind.SAME in (one.kind, other.kind):
                pairs.append(Pair(cell=cell, chosen=one, other=other))
    return tuple(sorted(pairs, key=lambda pair: (pair.cell.month, str(pair.cell), pair.other.source)))


_Figures = dict[Cell, Figured]


_CELL = ["market", "basis", "powertrain", "grain", "month", "maker", "model"]
_SUBJECT = ["market", "basis", "maker", "model"]


def _stated(claims: pd.DataFrame, about: Mapping[str, Citation]) -> dict[str, _Figures]:
    """Each source's figures by cell, with the total of each record of a market: stated, or the sum of what it holds.

    Only of what more than one source tells anything: most of a market is told by one, and it is the most rows.
    """
    frame = claims[["source", *_CELL, "units", "known_from"]].astype(
        {name: "str" for name in ("source", *_CELL) if name != "month"}
    )
    frame["slack"] = [_slack(units, source) for units, source in zip(frame["units"], frame["source"], strict=True)]
    of_market = frame["source"].isin([slug for slug, cited in about.items() if cited.states == States.MARKET])
    totals = (
        frame[of_market & (frame["maker"] != ALL)]
        .groupby(["source", *_CELL[:5]], as_index=False)
        .agg({"units": "sum", "slack": "sum", "known_from": "max"})
        .assign(maker=ALL, model=ALL)
    )
    # The unnamed rest is what each publisher does not name: two rests are not about the same cars.
    named = frame[(frame["maker"] != OTHER) & (frame["model"] != OTHER)]
    both = pd.concat([named, totals], ignore_index=True).drop_duplicates(["source", *_CELL])
    shared = both[both.groupby(_SUBJECT)["source"].transform("nunique") > 1]
    found: dict[str, _Figures] = defaultdict(dict)
    columns = ["source", *_CELL, "units", "slack", "known_from"]
    for source, *words, units, slack, known in zip(*(shared[name].tolist() for name in columns), strict=True):
        found[source][Cell(*words)] = Figured(source=source, units=units, slack=slack, known=known, kind=Kind.SAME)
    return found


def _slack(units: float, source: str) -> float:
    """Half a unit of the last digit that a publisher who rounds may have kept; zero for one who does not."""
    digits = SIGNIFICANT_DIGITS.get(source)
    if digits is None or units <= 0:
        return 0.0
    whole = str(int(units))
    kept = max(digits, len(whole.rstrip("0")))
    return 0.0 if len(whole) < kept else 0.5 * 10 ** (len(whole) - kept)


def _sum(parts: Sequence[Figured], kind: Kind) -> Figured:
    return Figured(
        source=parts[0].source,
        units=sum(part.units for part in parts),
        slack=sum(part.slack for part in parts),
        known=max(part.known for part in parts),
        kind=kind,
    )


def _with_sums(figures: _Figures) -> _Figures:
    """A source's figures with what its own add up to: both powertrains together, then quarters and years."""
    found = dict(figures)
    for cell, battery in figures.items():
        if cell.powertrain == Powertrain.BEV:
            hybrid = figures.get(replace(cell, powertrain=Powertrain.PHEV.value))
            if hybrid is not None:
                found.setdefault(
                    replace(cell, powertrain=Powertrain.BEV_PHEV.value), _sum([battery, hybrid], Kind.PARTS)
                )
    # A year is added from its quarters only where its months are not all there.
    for part, whole, kind in (
        (Grain.MONTH, Grain.QUARTER, Kind.MONTHS),
        (Grain.MONTH, Grain.YEAR, Kind.MONTHS),
        (Grain.QUARTER, Grain.YEAR, Kind.QUARTERS),
    ):
        together: dict[Cell, list[Figured]] = defaultdict(list)
        for cell, figured in figures.items():
            if cell.grain == part:
                start = cell.month - cell.month % whole.months
                together[replace(cell, grain=whole.value, month=start)].append(figured)
        for cell, parts in together.items():
            if len(parts) * part.months == whole.months:
                found.setdefault(cell, _sum(parts, kind))
    return found
