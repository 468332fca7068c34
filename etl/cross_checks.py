"""Rules across figures: what must add up. A difference is shown, and nothing is thrown away for it.

Every rule is a pure function of the claims that stand now, with the columns of `db.market_claims.standing_claims`, and
gives how many pairs of figures it compared and which of them differ. Small differences have known causes, which the
notes name: first prints against restated years, figures rounded by their publisher, two registers of one country.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Any, Final

import numpy as np
import pandas as pd

from db.store import CrossCheck, Difference
from db.vocabulary import ALL, OTHER, Basis, Grain, Powertrain, States, VehicleScope

_ABOUT: Final = ("market", "basis", "powertrain", "vehicle_scope", "maker", "model")
_PERIOD: Final = ("grain", "month")
_SMALL: Final = 2
"""Units by which sums of figures that a publisher has rounded to thousands may miss, in thousands."""


def run(claims: pd.DataFrame) -> list[CrossCheck]:
    """The results of all rules."""
    totals = claims[(claims["maker"] == ALL) | (claims["states"] == States.MAKERS)]
    plain = totals.astype(dict.fromkeys((*_ABOUT, "source", "states", "grain"), str))
    return [
        _sums_of_periods(plain, shorter=Grain.QUARTER, longer=Grain.YEAR),
        _sums_of_periods(plain, shorter=Grain.MONTH, longer=Grain.YEAR),
        _sums_of_periods(plain, shorter=Grain.MONTH, longer=Grain.QUARTER),
        _sums_of_parts(
            plain,
            rule="BEV + PHEV = both",
            meaning="battery cars and plug-in hybrids add up to what is published for both together",
            column="powertrain",
            parts=(Powertrain.BEV, Powertrain.PHEV),
            whole=Powertrain.BEV_PHEV,
        ),
        _sums_of_parts(
            plain,
            rule="passenger + commercial = all",
            meaning="passenger cars and commercial vehicles add up to what is published for all vehicles",
            column="vehicle_scope",
            parts=(VehicleScope.PASSENGER_CAR, VehicleScope.COMMERCIAL_VEHICLE),
            whole=VehicleScope.ALL_VEHICLES,
        ),
        _sums_of_parts(
            plain,
            rule="wholesale = retail + exports",
            meaning="what a maker sells in China and ships abroad adds up to what it sends to dealers",
            column="basis",
            parts=(Basis.RETAIL, Basis.EXPORT),
            whole=Basis.WHOLESALE,
        ),
        _models_within_makers(plain),
        _makers_within_markets(plain, claims),
        _overseas_within_world(plain),
        _electric_within_all(claims),
    ]


def _sums_of_periods(claims: pd.DataFrame, *, shorter: Grain, longer: Grain) -> CrossCheck:
    """Makers' figures of shorter periods that fill a longer one, against what is published for it.

    Two publishers' totals of one market are no such check: they contradict each other, which `conflicts` shows.
    """
    cell = [*_ABOUT, "start"]
    count = longer.months // shorter.months
    claims = claims[~claims["maker"].isin([ALL, OTHER])]
    of_longer = claims[claims["grain"] == longer].assign(start=lambda frame: frame["month"])
    parts = claims[claims["grain"] == shorter].assign(
        start=lambda frame: frame["month"] // longer.months * longer.months
    )
    sums = parts.groupby([*cell, "source"])["units"].agg(["sum", "size"]).reset_index()
    full = sums[sums["size"] == count].rename(columns={"source": "source_of_parts"})
    both = of_longer.merge(full, on=cell)
    return _result(
        rule=f"{shorter}s add up to the {longer}",
        meaning=f"the {count} {shorter}s that a maker states add up to the {longer} that it publishes",
        compared=[
            (row, row.units, row.sum_, f"{shorter}s as first printed, of {row.source_of_parts}; {longer} as restated")
            for row in _rows(both.rename(columns={"sum": "sum_"}))
        ],
    )


def _sums_of_parts(
    claims: pd.DataFrame, *, rule: str, meaning: str, column: str, parts: Sequence[str], whole: str
) -> CrossCheck:
    """Two figures of one source that are parts of a third one, against it."""
    cell = [name for name in ("source", *_ABOUT, *_PERIOD) if name != column]
    of_whole = claims[claims[column] == whole]
    of_parts = claims[claims[column].isin(list(parts))]
    if column == "vehicle_scope":
        # Commercial vehicles are stated over all powertrains that the publisher counts, as the whole is.
        of_parts = of_parts[of_parts["powertrain"].isin(of_whole["powertrain"].unique())]
    sums = of_parts.groupby(cell)["units"].agg(["sum", "size"]).reset_index()
    both = of_whole.merge(sums[sums["size"] == len(parts)], on=cell).rename(columns={"sum": "sum_"})
    compared = []
    for row in _rows(both):
        rounded = row.units % 1000 == 0 and abs(row.units - row.sum_) <= _SMALL * 1000
        compared.append((row, row.units, row.sum_, "rounded to thousands by the publisher" if rounded else ""))
    return _result(rule=rule, meaning=meaning, compared=compared)


def _models_within_makers(claims: pd.DataFrame) -> CrossCheck:
    """Groups of models that change over the years are never more than their maker has."""
    cell = ["source", *(name for name in _ABOUT if name != "model"), *_PERIOD]
    whole = claims[(claims["model"] == ALL) & ~claims["maker"].isin([ALL, OTHER])]
    parts = claims[claims["model"] != ALL].groupby(cell)["units"].sum().rename("sum_").reset_index()
    both = whole.merge(parts, on=cell)
    return _result(
        rule="models within their maker",
        meaning="the models that a maker states are no more than its total",
        compared=[(row, row.units, row.sum_, "") for row in _rows(both)],
        differs=_exceeds,
    )


def _makers_within_markets(claims: pd.DataFrame, all_claims: pd.DataFrame) -> CrossCheck:
    """What makers state for a market, or its own record names, is no more than its total on the same basis."""
    cell = [name for name in (*_ABOUT, *_PERIOD) if name not in ("maker", "model")]
    whole = claims[claims["maker"] == ALL]
    own = claims[(claims["model"] == ALL) & (claims["states"] == States.MAKERS) & ~claims["maker"].isin([ALL, OTHER])]
    each = own.groupby([*cell, "maker"])["units"].max().reset_index()
    both = whole.merge(each.groupby(cell)["units"].sum().rename("sum_").reset_index(), on=cell)
    return _result(
        rule="makers within their market",
        meaning="what single makers state for a market, or its record names, is no more than the market's total",
        compared=[
            (row, row.units, row.sum_, "") for row in chain(_rows(both), _rows(_records_with_totals(all_claims)))
        ],
        differs=_exceeds,
    )


def _records_with_totals(claims: pd.DataFrame) -> pd.DataFrame:
    """Markets' totals with what the same source's record names in the period, its unnamed rest included (`sum_`)."""
    of_market = claims[claims["states"] == States.MARKET]
    record = ("source", "market", "basis", "powertrain", "vehicle_scope", "grain")
    number = of_market["month"].to_numpy()
    for name in record:
        number = number * len(of_market[name].cat.categories) + of_market[name].cat.codes.to_numpy()
    is_total = (of_market["maker"] == ALL).to_numpy()
    # Few records state both, so that only their rows have to be put together.
    parts = of_market[~is_total & np.isin(number, number[is_total])]
    cell = [*record, "month"]
    whole, named = (
        rows.astype(dict.fromkeys((*record, "maker", "model"), str)) for rows in (of_market[is_total], parts)
    )
    is_whole = named["model"].isin([ALL]) | (named["maker"] == OTHER)
    has_total = is_whole.groupby([named[name] for name in (*cell, "maker")]).transform("any")
    counted = named[is_whole | ~has_total]  # a maker's total stands for its models
    return whole.merge(counted.groupby(cell)["units"].sum().rename("sum_").reset_index(), on=cell)


def _overseas_within_world(claims: pd.DataFrame) -> CrossCheck:
    """Sales outside the home market are a part of the world's."""
    cell = ["source", *(name for name in _ABOUT if name != "market"), *_PERIOD]
    world = claims[claims["market"] == "WORLD"]
    overseas = claims[claims["market"] == "OVERSEAS"].rename(columns={"units": "sum_"})[[*cell, "sum_"]]
    both = world.merge(overseas, on=cell)
    return _result(
        rule="overseas within the world",
        meaning="what a maker sells outside its home market is no more than what it sells worldwide",
        compared=[(row, row.units, row.sum_, "") for row in _rows(both)],
        differs=_exceeds,
    )


def _electric_within_all(claims: pd.DataFrame) -> CrossCheck:
    """A maker's electric cars are no more than all of its cars in the same market, period and source.

    Where a maker's total stands beside its models, it alone counts.
    """
    counted = claims[
        (claims["states"] == States.MARKET)
        & claims["powertrain"].isin([Powertrain.BEV, Powertrain.ALL])
        & (claims["maker"] != OTHER)
    ]
    codes = {name: counted[name].cat.codes.to_numpy().astype(np.int64) for name in _CELL}
    cell = counted["month"].to_numpy()
    for name in _CELL:
        cell = cell * (len(counted[name].cat.categories) + 1) + codes[name]
    cells, place = np.unique(cell, return_inverse=True)
    is_all = (counted["powertrain"] == Powertrain.ALL).to_numpy()
    is_total = (counted["model"] == ALL).to_numpy()
    has_total = np.bincount(place[is_total] * 2 + is_all[is_total], minlength=2 * len(cells)) > 0
    units = np.where(is_total | ~has_total[place * 2 + is_all], counted["units"].to_numpy(), 0)
    all_cars = np.bincount(place[is_all], weights=units[is_all], minlength=len(cells))
    electric = np.bincount(place[~is_all], weights=units[~is_all], minlength=len(cells))
    both = (np.bincount(place[is_all], minlength=len(cells)) > 0) & (
        np.bincount(place[~is_all], minlength=len(cells)) > 0
    )
    first = np.zeros(len(cells), dtype=np.int64)
    first[place[is_all]] = np.flatnonzero(is_all)
    over = np.flatnonzero(both & (electric > all_cars))
    differing = _rows(counted.iloc[first[over]])
    return CrossCheck(
        rule="electric within all cars",
        meaning="a maker's electric cars, and a market's, are no more than all its cars in the same period",
        checked=int(both.sum()),
        differences=[
            _difference(row, stated=all_cars[at], computed=electric[at], note="two registers count differently")
            for row, at in zip(differing, over, strict=True)
        ],
    )


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    return iter(frame.itertuples())


_CELL: Final = ("source", "market", "basis", "vehicle_scope", "maker", "grain")


def _unequal(stated: float, computed: float) -> bool:
    return stated != computed


def _exceeds(stated: float, computed: float) -> bool:
    return computed > stated


def _result(
    *,
    rule: str,
    meaning: str,
    compared: Iterable[tuple[Any, float, float, str]],
    differs: Callable[[float, float], bool] = _unequal,
) -> CrossCheck:
    """A rule's result from rows with the stated and the computed figure and a note."""
    pairs = list(compared)
    differences = [
        _difference(row, stated=stated, computed=computed, note=note)
        for row, stated, computed, note in pairs
        if differs(stated, computed)
    ]
    order = sorted(differences, key=lambda each: (each.market, each.maker, each.basis, each.period_start, each.source))
    return CrossCheck(rule=rule, meaning=meaning, checked=len(pairs), differences=order)


def _difference(row: Any, *, stated: float, computed: float, note: str) -> Difference:
    month = int(row.month)
    return Difference(
        source=str(row.source),
        market=str(row.market),
        basis=str(row.basis),
        powertrain=str(row.powertrain),
        maker=str(row.maker),
        period_start=date(month // 12, month % 12 + 1, 1),
        grain=str(row.grain),
        stated=int(stated),
        computed=int(computed),
        note=note,
    )
