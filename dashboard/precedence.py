"""Which of several publishers' claims are drawn, where they tell the same thing or overlap in time.

One rule: a market's record of a period is taken whole from the publisher of the best rank (the lower number), and
another one fills only periods of which that one says nothing. Records are never mixed: one publisher's maker beside
another's unnamed rest would count cars twice. Makers' own figures stay apart from markets' records, each maker by
itself. What loses is not lost: the Sources page shows it as a conflict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.metrics import GRAIN_MONTHS
from dashboard.selection import PowertrainChoice
from db.queries import Citation
from db.vocabulary import ALL, OTHER, Powertrain, States

PUBLISHED_AS: Mapping[PowertrainChoice, tuple[Powertrain, ...]] = {
    PowertrainChoice.BEV: (Powertrain.BEV,),
    PowertrainChoice.PHEV: (Powertrain.PHEV,),
    PowertrainChoice.NEV: (
        Powertrain.BEV_PHEV_FCEV,
        Powertrain.BEV_PHEV,
        Powertrain.BEV,
        Powertrain.PHEV,
        Powertrain.FCEV,
    ),
    PowertrainChoice.ALL: (Powertrain.ALL,),
}
"""Under which words figures of a reader's choice are stored: for NEV as a sum, or part by part."""


@dataclass(frozen=True)
class OfMarket:
    """What there is about one market's cars of one powertrain: rows as `queries.sales_figures` gives them.

    `records` are markets' records without overlap in time; `own` are makers' own figures, overlapping and from several
    sources, for `metrics.own_panel`.
    """

    records: pd.DataFrame
    own: pd.DataFrame

    @property
    def is_own(self) -> bool:
        """Whether makers are told by their own figures only: no market's record names one."""
        return len(self.own) > 0 and bool(self.records["maker"].isin([ALL, OTHER]).all())


def ranks(claims: pd.DataFrame, citations: Sequence[Citation]) -> list[int]:
    """The precedence of each source, by the frame's category of it; a source without a claim on the day has none."""
    of = {cited.slug: cited.precedence for cited in citations}
    return [of.get(slug, 0) for slug in claims["source"].cat.categories]


def of_market(claims: pd.DataFrame, powertrain: PowertrainChoice, citations: Sequence[Citation]) -> OfMarket:
    """The claims about one market that count for a powertrain, without what another source tells better."""
    states = {cited.slug: cited.states for cited in citations}
    counted = _of_powertrain(claims, powertrain, states)
    of_makers = [states.get(slug) == States.MAKERS for slug in counted["source"].cat.categories]
    if not any(of_makers):
        return OfMarket(records=_without_overlap(counted, ranks(counted, citations)), own=counted.iloc[:0])
    is_own = np.array(of_makers)[counted["source"].cat.codes.to_numpy()] & ~counted["maker"].isin([ALL, OTHER])
    return OfMarket(
        records=_without_overlap(counted[~is_own], ranks(counted, citations)),
        own=counted[is_own],
    )


def counted_parts(stated: Collection[str]) -> tuple[Powertrain, ...]:
    """Which of the stated figures of one cell make its NEVs: the published sum, or all the parts; nothing for some.

    A sum of battery cars and plug-in hybrids is completed by fuel-cell cars where these are stated beside it.
    """
    if Powertrain.BEV_PHEV_FCEV in stated:
        return (Powertrain.BEV_PHEV_FCEV,)
    fuel_cell = (Powertrain.FCEV,) if Powertrain.FCEV in stated else ()
    if Powertrain.BEV_PHEV in stated:
        return (Powertrain.BEV_PHEV, *fuel_cell)
    if Powertrain.BEV in stated and Powertrain.PHEV in stated:
        return (Powertrain.BEV, Powertrain.PHEV, *fuel_cell)
    return ()


def _of_powertrain(claims: pd.DataFrame, choice: PowertrainChoice, states: Mapping[str, str]) -> pd.DataFrame:
    """The rows of a powertrain; for a set of powertrains its published sum, or the sum of all its parts.

    Where a publisher states battery cars and no plug-in hybrids, the set is not known: what is missing is not zero. A
    market's record that tells some makers in one part only is known as a total at most, since it would leave them out.
    """
    if choice is not PowertrainChoice.NEV:
        return claims[claims["powertrain"] == choice.value]
    stated = claims["powertrain"].astype(str)
    with_set = set(claims.loc[~stated.isin([Powertrain.BEV, Powertrain.ALL]), "source"].astype(str))
    some = claims[claims["source"].isin(list(with_set))].assign(
        powertrain=lambda frame: frame["powertrain"].astype(str)
    )
    cell = ["source", "market", "grain", "month", "maker", "model"]
    makers_own = {slug for slug in with_set if states.get(slug) == States.MAKERS}
    rows: list[tuple[Any, ...]] = []
    lacking: set[tuple[Any, ...]] = set()
    for key, of_cell in some.groupby(cell, observed=True, sort=False):
        by_name: dict[str, Any] = {str(row.powertrain): row for row in of_cell.itertuples()}
        used = [by_name[word] for word in counted_parts(by_name.keys())]
        if not used:
            if {Powertrain.BEV, Powertrain.PHEV} & by_name.keys() and key[0] not in makers_own:
                lacking.add(key[:4])
            continue
        units, known = sum(row.units for row in used), max(row.known_from for row in used)
        rows.append((*key, units, known, used[0].evidence_id))
    rows = [row for row in rows if row[:4] not in lacking or row[4] == ALL]
    frame = pd.DataFrame(rows, columns=[*cell, "units", "known_from", "evidence_id"])
    for name in ("source", "market", "grain", "maker", "model"):
        frame[name] = pd.Categorical(frame[name], categories=claims[name].cat.categories)
    frame["powertrain"] = pd.Categorical([choice.value] * len(frame))
    return frame.astype({"units": "float64", "month": "int64", "known_from": "int64", "evidence_id": "int64"})


def _without_overlap(claims: pd.DataFrame, rank: Sequence[int]) -> pd.DataFrame:
    """Every source's records of the months that no better one has a record of."""
    source = claims["source"].cat.codes.to_numpy()
    present = np.unique(source).tolist()
    lengths = np.array([GRAIN_MONTHS[word] for word in claims["grain"].cat.categories], dtype=np.int64)
    if len(present) < 2 and len(lengths) < 2:
        return claims
    length = lengths[claims["grain"].cat.codes.to_numpy()]
    if len(present) < 2 and len(np.unique(length)) < 2:
        return claims
    month = claims["month"].to_numpy()
    taken: set[int] = set()
    kept = np.zeros(len(claims), dtype=np.bool_)
    # Within a source the shorter periods come first: they say more.
    for code in sorted(present, key=lambda code: rank[code]):
        for span in np.unique(length[source == code]).tolist():
            of_span = (source == code) & (length == span)
            starts = [
                start for start in np.unique(month[of_span]).tolist() if taken.isdisjoint(range(start, start + span))
            ]
            kept |= of_span & np.isin(month, starts)
            taken.update(at for start in starts for at in range(start, start + span))
    return claims[kept]
