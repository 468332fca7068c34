"""Which of several publishers' claims are drawn, where they tell the same thing or overlap in time.

One rule: a market's record of a period is taken whole from the publisher of the best rank (the lower number), and
another one fills only periods of which that one says nothing. Records are never mixed: one publisher's maker beside
another's unnamed rest would count cars twice. Makers' own figures stay apart from markets' records, each maker by
itself. What loses is not lost: the Sources page shows it as a conflict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dashboard.selection import PowertrainChoice
from db.claims import Claims, Ints, Vocabulary, Words
from db.provenance import Citation
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
    """What there is about one market's cars of one powertrain.

    `records` are markets' records without overlap in time; `own` are makers' own figures, overlapping and from several
    sources, for `panels.own_panel`.
    """

    records: Claims
    own: Claims

    @property
    def is_own(self) -> bool:
        """Whether makers are told by their own figures only: no market's record names one."""
        return len(self.own) > 0 and bool(self.records.maker.among((ALL, OTHER)).all())


def ranks(claims: Claims, citations: Sequence[Citation]) -> list[int]:
    """The precedence of each source, by its code in the claims; a source without a claim on the day has none."""
    of = {cited.slug: cited.precedence for cited in citations}
    return [of.get(slug, 0) for slug in claims.source.listed]


def of_market(claims: Claims, powertrain: PowertrainChoice | Powertrain, citations: Sequence[Citation]) -> OfMarket:
    """The claims about one market that count for a powertrain, without what another source tells better."""
    states = {cited.slug: cited.states for cited in citations}
    counted = _of_powertrain(claims, powertrain, states)
    of_makers = [states.get(slug) == States.MAKERS for slug in counted.source.listed]
    if not any(of_makers):
        return OfMarket(records=_without_overlap(counted, ranks(counted, citations)), own=counted[:0])
    is_own = counted.source.each(of_makers, np.bool_) & ~counted.maker.among((ALL, OTHER))
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


def _of_powertrain(claims: Claims, choice: PowertrainChoice | Powertrain, states: Mapping[str, str]) -> Claims:
    """The rows of a powertrain; for a set of powertrains its published sum, or the sum of all its parts.

    Where a publisher states battery cars and no plug-in hybrids, the set is not known: what is missing is not zero. A
    market's record that tells some makers in one part only is known as a total at most, since it would leave them out.
    """
    if choice is not PowertrainChoice.NEV:
        return claims[claims.powertrain.are(choice.value)]
    in_sets = np.unique(claims.source.codes[~claims.powertrain.among((Powertrain.BEV, Powertrain.ALL))])
    some = claims[np.isin(claims.source.codes, in_sets)]
    words = PUBLISHED_AS[choice]
    part = some.powertrain.places(words)
    some, part = some[part >= 0], part[part >= 0]
    cell, record = _cells(some)
    _, first, place = np.unique(cell, return_index=True, return_inverse=True)
    at = np.full((len(first), len(words)), -1, dtype=np.int64)
    at[place, part] = np.arange(len(some))
    stated = (at >= 0) @ (1 << np.arange(len(words)))
    used = np.zeros(at.shape, dtype=np.bool_)
    evidence = np.zeros(len(first), dtype=np.int64)
    for pattern in np.unique(stated).tolist():
        parts = [words.index(word) for word in counted_parts([w for n, w in enumerate(words) if pattern >> n & 1])]
        if parts:
            used[np.ix_(stated == pattern, parts)] = True
            evidence[stated == pattern] = some.evidence_id[at[stated == pattern, parts[0]]]
    is_known = used.any(axis=1)
    of_makers = some.source.each([states.get(slug) == States.MAKERS for slug in some.source.listed], np.bool_)[first]
    bev_or_phev = at[:, [words.index(Powertrain.BEV), words.index(Powertrain.PHEV)]].max(axis=1, initial=-1) >= 0
    lacking = np.unique(record[first][~is_known & bev_or_phev & ~of_makers])
    kept = is_known & (~np.isin(record[first], lacking) | some.maker.are(ALL)[first])
    rows = some[first[kept]]
    return replace(
        rows,
        powertrain=Words(np.zeros(len(rows), dtype=np.int64), Vocabulary((choice.value,))),
        units=np.where(used, some.units[at], 0.0).sum(axis=1)[kept],
        known_from=np.where(used, some.known_from[at], 0).max(axis=1, initial=0)[kept],
        evidence_id=evidence[kept],
    )


def _cells(claims: Claims) -> tuple[Ints, Ints]:
    """A number for what each claim is about whatever its powertrain, and one for the record that it is a part of."""
    record = np.zeros(len(claims), dtype=np.int64)
    for words in (claims.source, claims.market, claims.grain):
        record = record * len(words.listed) + words.codes
    record = record * 200_000 + claims.month
    cell = record
    for words in (claims.maker, claims.model):
        cell = cell * len(words.listed) + words.codes
    return cell, record


def _is_one(values: Ints) -> bool:
    """Whether all values are the same."""
    return not len(values) or bool((values == values[0]).all())


def _without_overlap(claims: Claims, rank: Sequence[int]) -> Claims:
    """Every source's records of the months that no better one has a record of."""
    source, length, month = claims.source.codes, claims.months, claims.month
    if _is_one(source) and _is_one(length):
        return claims
    present = np.unique(source).tolist()
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
