"""SELECTs about how claims changed: what a file has said of a cell over time, and how often and how far it was revised.

A vintage is one file as it was on one day. A claim that a later vintage changes or no longer has is closed and kept
(`known_to`), so that the past can be told from it. A transcribed or imported file is its own history: each of its rows
says since when it is known, and a restated figure is a second row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, Table, case, select

from db.claims import STANDING, Bools, Claims, Floats, Ints, Words
from db.market_claims import claim_columns, told
from db.memory import remembered
from db.rows import day_number, driver_rows
from db.schema import penetration, sales, series, snapshot, source
from db.vocabulary import OPEN_END, Obtained, SnapshotStatus

CELL_WORDS = ("source", "file", "market", "basis", "powertrain", "grain", "maker", "model")
"""What a claim is about, apart from its period."""


def claims_over_time(
    connection: Connection,
    *,
    markets: Sequence[str],
    bases: Sequence[str],
    powertrains: Sequence[str],
    as_of: date | None = None,
) -> pd.DataFrame:
    """Every claim ever made until `as_of` about the passenger cars of some markets, also those that were withdrawn.

    One row a claim: `CELL_WORDS` (categories), month (the period's first month as year * 12 + month - 1), units,
    known_from and known_to (days since 1970-01-01; `STANDING` where the claim stood on `as_of`).
    """
    day = STANDING if as_of is None else day_number(as_of)
    found = list(told(connection, markets).values())
    asked = [
        of.claims.basis.among(bases) & of.claims.powertrain.among(powertrains) & (of.claims.known_from <= day)
        for of in found
    ]
    claims = Claims.joined([of.claims[rows] for of, rows in zip(found, asked, strict=True)])
    file = Words.joined([of.file[rows] for of, rows in zip(found, asked, strict=True)])
    known_to = np.concatenate([of.known_to[rows] for of, rows in zip(found, asked, strict=True)])
    words = {name: file if name == "file" else getattr(claims, name) for name in CELL_WORDS}
    return pd.DataFrame(
        {
            **{name: column.categories().remove_unused_categories() for name, column in words.items()},
            "month": claims.month,
            "units": claims.units.astype(np.int64),
            "known_from": claims.known_from,
            "known_to": np.where(known_to <= day, known_to, STANDING),
        }
    )


@dataclass(frozen=True)
class Vintages:
    """The days on which one file was read, in order; `is_own_history` where it says itself since when each row is
    known, so that its days say nothing about how often its figures were looked at."""

    days: tuple[date, ...]
    is_own_history: bool


def vintages(connection: Connection, *, as_of: date | None = None) -> Mapping[tuple[str, str], Vintages]:
    """The vintages of every file that is loaded, known by `as_of`: source (slug) and file to their days."""
    return remembered(connection, (vintages, as_of), lambda: MappingProxyType(_vintages(connection, as_of)))


def _vintages(connection: Connection, as_of: date | None) -> dict[tuple[str, str], Vintages]:
    query = (
        select(source.c.slug, snapshot.c.file, snapshot.c.known_on, _is_own_history())
        .join(source, source.c.id == snapshot.c.source_id)
        .where(snapshot.c.status == SnapshotStatus.LOADED)
        .order_by(snapshot.c.known_on)
    )
    days: dict[tuple[str, str], list[date]] = {}
    own: set[tuple[str, str]] = set()
    for slug, file, known_on, is_own in connection.execute(query).tuples():
        if is_own:
            own.add((slug, file))
        if is_own or as_of is None or known_on <= as_of:
            days.setdefault((slug, file), []).append(known_on)
    return {key: Vintages(days=tuple(dict.fromkeys(of)), is_own_history=key in own) for key, of in days.items()}


@dataclass(frozen=True)
class TypicalRevision:
    """How often and how far a source has changed what it had said.

    `judged` are the cells that it could have changed: those that an earlier vintage of their file states than its last.
    `revised` are those whose units it has changed at least once; `share` is their part of the judged. `median`, `p90`
    are of the size of the change, last figure against first one, over the revised cells whose first figure is not zero.
    In a transcribed or imported file nobody looks at a figure again that was not restated: there only the restated are
    judged, and there is no share. All three are None where they rest on nothing.
    """

    judged: int
    revised: int
    share: float | None
    median: float | None
    p90: float | None


@dataclass(frozen=True, eq=False)
class Stays:
    """All claims of a table that were ever made, counted by series and by when they stood (N).

    `series` are places in `of_series`, which has source (slug), file, market, basis, powertrain and grain of each.
    `known_from` and `known_to` are days since 1970-01-01, `claims` how many were made on the one and taken back on the
    other, `first` and `last` the months of their periods (year * 12 + month - 1).
    """

    of_series: tuple[tuple[str, ...], ...]
    series: Ints
    known_from: Ints
    known_to: Ints
    claims: Ints
    first: Ints
    last: Ints

    def made(self, as_of: date | None) -> Bools:
        """Which claims had been made by a day; without one, all."""
        return np.asarray(self.known_from <= (STANDING if as_of is None else day_number(as_of)))

    def standing(self, as_of: date | None) -> Bools:
        """Which claims stood on a day; without one, those that stand now."""
        if as_of is None or as_of >= OPEN_END:
            return np.asarray(self.known_to == STANDING)
        return self.made(as_of) & (self.known_to > day_number(as_of))


def sales_stays(connection: Connection) -> Stays:
    """The claims about units: counted once for as long as no other data are loaded."""
    return remembered(connection, (sales_stays,), lambda: _stays(connection, sales, "units"))


def penetration_stays(connection: Connection) -> Stays:
    """The claims about the share of electric cars, likewise."""
    return remembered(connection, (penetration_stays,), lambda: _stays(connection, penetration, "share"))


def _stays(connection: Connection, of: Table, value: str) -> Stays:
    about: list[tuple[str, ...]] = []
    counted: list[tuple[Ints, ...]] = []
    for part in _ever(connection, of, value):
        order = np.lexsort((part.known_to, part.known_from, part.series))
        stays = np.stack([part.series, part.known_from, part.known_to])[:, order]
        opens = np.flatnonzero(np.append(True, (stays[:, 1:] != stays[:, :-1]).any(axis=0))) if len(order) else order
        month = part.month[order]
        counted.append(
            (
                stays[0, opens] + len(about),
                *stays[1:, opens],
                np.diff(np.append(opens, len(order))),
                *(edge.reduceat(month, opens) if len(order) else month for edge in (np.minimum, np.maximum)),
            )
        )
        about += part.of_series
    columns = [np.concatenate(of) for of in zip(*counted, strict=True)] or [np.array([], dtype=np.int64)] * 6
    return Stays(tuple(about), *columns)


def _series(connection: Connection) -> tuple[Ints, tuple[tuple[str, ...], ...]]:
    """The ids of all series, ascending, and of each source (slug), file, market, basis, powertrain and grain."""
    words = (series.c.file, series.c.market, series.c.basis, series.c.powertrain, series.c.grain)
    rows = driver_rows(
        connection,
        select(series.c.id, source.c.slug, *words)
        .join(source, source.c.id == series.c.source_id)
        .order_by(series.c.id),
    )
    return np.array([row[0] for row in rows], dtype=np.int64), tuple(tuple(row[1:]) for row in rows)


SERIES_AT_ONCE: Final = 1_000
"""Of so many series all claims are read at once: what a process holds does not grow with what is stored."""


@dataclass(frozen=True, eq=False)
class Ever:
    """All claims of a table about some series that were ever made (N): series by series, by period, the oldest first.

    `series` are places in `of_series`, which are as in `Stays`. `month` is a period's first as year * 12 + month - 1,
    `value` units or a share; `known_from` and `known_to` are days since 1970-01-01.
    """

    of_series: tuple[tuple[str, ...], ...]
    series: Ints
    month: Ints
    value: Floats
    known_from: Ints
    known_to: Ints


def _ever(connection: Connection, of: Table, value: str) -> Iterator[Ever]:
    """All claims of a table, those of some series after those of others; remembered as far as there is room."""
    numbers, about = remembered(connection, (_series,), lambda: _series(connection))
    for begin in range(0, len(numbers), SERIES_AT_ONCE):
        some = slice(begin, begin + SERIES_AT_ONCE)

        def ask(ids: Ints = numbers[some], of_series: tuple[tuple[str, ...], ...] = about[some]) -> Ever:
            within = of.c.series_id.between(int(ids[0]), int(ids[-1]))
            columns = claim_columns(connection, within, of=of, value=value)
            order = np.lexsort((columns["known_from"], columns["month"], columns["series_id"]))
            return Ever(
                of_series=of_series,
                series=np.searchsorted(ids, columns["series_id"][order]),
                month=columns["month"][order],
                value=columns[value][order],
                known_from=columns["known_from"][order],
                known_to=columns["known_to"][order],
            )

        yield remembered(connection, (_ever, of.name, begin), ask)


def typical_revision(connection: Connection, *, as_of: date | None = None) -> Mapping[str, TypicalRevision]:
    """The typical revision of every source that has stated units by `as_of`, by its slug.

    Cells are counted as they are stored: one maker or model in one market and period. A figure that came late, vanished
    or got another name is no revision.
    """

    def ask() -> Mapping[str, TypicalRevision]:
        files = vintages(connection, as_of=as_of)
        judged: Counter[str] = Counter()
        sizes: dict[str, list[Floats]] = {}
        revised: Counter[str] = Counter()
        for part in _ever(connection, sales, "units"):
            for slug, cells in _revised(part, files, as_of).items():
                judged[slug] += cells.judged
                revised[slug] += cells.revised
                sizes.setdefault(slug, []).append(cells.sizes)
        own = {slug for (slug, _), vintage in files.items() if vintage.is_own_history}
        return MappingProxyType(
            {
                slug: TypicalRevision(
                    judged=revised[slug] if slug in own else judged[slug],
                    revised=revised[slug],
                    share=None if slug in own or not judged[slug] else revised[slug] / judged[slug],
                    **dict(zip(("median", "p90"), typical_size(np.concatenate(of)), strict=True)),
                )
                for slug, of in sorted(sizes.items())
            }
        )

    return remembered(connection, (typical_revision, as_of), ask)


@dataclass(frozen=True, eq=False)
class _Revised:
    """The cells of a source that it could have changed and that it did, and by what part of what it had said."""

    judged: int
    revised: int
    sizes: Floats


def _revised(ever: Ever, files: Mapping[tuple[str, str], Vintages], as_of: date | None) -> dict[str, _Revised]:
    """The revised cells of each source that had stated any of some series by a day."""
    made = ever.known_from <= (STANDING if as_of is None else day_number(as_of))
    of, month, units, known_from = (each[made] for each in (ever.series, ever.month, ever.value, ever.known_from))
    if not len(of):
        return {}
    # A cell's claims lie together, the oldest first.
    opens = np.append(True, (of[1:] != of[:-1]) | (month[1:] != month[:-1]))
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(of)) - 1
    is_revised = np.minimum.reduceat(units, first) < np.maximum.reduceat(units, first)
    # What the last vintage of a file says for the first time could not be changed yet.
    latest = [
        day_number(files[slug, file].days[-1]) if (slug, file) in files else -1 for slug, file, *_ in ever.of_series
    ]
    could_change = known_from[first] < np.array(latest, dtype=np.int64)[of[first]]
    slugs = sorted({slug for slug, *_ in ever.of_series})
    source_of = np.array([slugs.index(slug) for slug, *_ in ever.of_series], dtype=np.int64)[of[first]]
    before, now = units[first], units[last]
    found = {}
    for number, slug in enumerate(slugs):
        cells = source_of == number
        if cells.any():
            revised = cells & is_revised
            sized = revised & (before > 0)
            found[slug] = _Revised(
                judged=int((cells & could_change).sum()),
                revised=int(revised.sum()),
                sizes=np.abs(now[sized] - before[sized]) / before[sized],
            )
    return found


def typical_size(sizes: Sequence[float] | NDArray[np.float64]) -> tuple[float | None, float | None]:
    """The median and the 90th percentile of some sizes, the latter interpolated; None for none."""
    if not len(sizes):
        return None, None
    median, p90 = np.quantile(np.array(sizes, dtype=np.float64), [0.5, 0.9])
    return float(median), float(p90)


def _is_own_history() -> Any:
    return case((snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED)), 1), else_=0)
