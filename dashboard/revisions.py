"""What publishers changed after they had published it: pure functions on claims as `vintages.claims_over_time` gives
them.

Names change as well as figures. Where in one vintage of a file a name goes and another one comes, that is a rename if
the figures prove it, and only then:

* all cells that the old name loses on the day are gained by the new one, car for car in the same periods; two old names
  of a maker become one where their sums are;
* what the new name gains there, it did not have before, and no other old name explains it as well;
* the equal figures are no chance: a figure of n cars is met by an unrelated one about once in n cases, so the product
  of the equal figures has to reach `CERTAIN` within a maker, and `CERTAIN_ACROSS` from one maker to another, where
  there are many more pairs. Three months of 100 cars prove a rename within a maker, fifteen months of 2 cars do not.

One car's difference in one month leaves a name lost and another one late: nothing is guessed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from db.claims import STANDING, Ints
from db.vintages import TypicalRevision, Vintages, typical_size
from db.vocabulary import ALL, OTHER, Word

CERTAIN = 1e6
"""The product of equal figures from which a rename within a maker is proven: a vintage has thousands of pairs."""

CERTAIN_ACROSS = 1e9
"""The same from one maker to another: a vintage has a hundred thousand pairs and more."""

RECORD = ["source", "file", "market", "basis", "powertrain", "grain", "month"]
"""What a file says about one market, powertrain and period."""

_TABLE = RECORD[:-1]

Name = tuple[str, str]
"""A maker and its model; `all` where the maker as a whole is meant."""


class Kind(Word):
    """How a cell was changed after its record had been published."""

    REVISED = "revised", "its figure was changed"
    VANISHED = "vanished", "its figure was taken back and none stands in its place"
    LATE = "late", "its figure was added to a record that had been published without it"
    RENAMED = "renamed", "its figure stands under another name, car for car"
    MERGED = "merged", "its figure stands under another name together with another one's, car for car"


@dataclass(frozen=True)
class Rename:
    """A proven rename in one table of a file: on `day` (since 1970-01-01), in `months`, `units` cars in all."""

    table: tuple[str, ...]
    day: int
    old: Name
    new: Name
    months: tuple[int, ...]
    units: int
    is_merger: bool


def renames(claims: pd.DataFrame) -> tuple[Rename, ...]:
    """The renames that the figures prove, by the rule above, oldest first."""
    lost, gained = _lost(claims), _gained(claims)
    found: list[Rename] = []
    for place, losses in lost.items():
        gains = gained.get(place, {})
        taken: Counter[tuple[Name, int]] = Counter()
        proven: list[tuple[tuple[Name, ...], Name]] = []
        for olds, cells in _candidates(losses):
            fitting = [new for new, of_new in gains.items() if _proves(olds, new, cells, of_new)]
            # Two new names that fit as well leave open which it is.
            if len(fitting) == 1:
                proven.append((olds, fitting[0]))
                taken.update((fitting[0], month) for month in cells)
        for olds, new in proven:
            cells = _sum(losses[old] for old in olds)
            if any(taken[new, month] > 1 for month in cells):
                continue
            for old in olds:
                shares_name = len(olds) > 1 or sum(other == new for _, other in proven) > 1
                found.append(
                    Rename(
                        table=place[:-1],
                        day=int(place[-1]),
                        old=old,
                        new=new,
                        months=tuple(sorted(losses[old])),
                        units=sum(losses[old].values()),
                        is_merger=shares_name,
                    )
                )
    return tuple(sorted(found, key=lambda rename: (rename.day, rename.table, rename.old)))


Cells = Mapping[int, int]
"""Units by month."""

_Place = tuple[str, ...]


def _candidates(losses: Mapping[Name, Cells]) -> Iterable[tuple[tuple[Name, ...], Cells]]:
    """Every name that is lost, and every pair of models of one maker, with what they lose."""
    named = [name for name in losses if OTHER not in name]
    yield from (((name,), losses[name]) for name in named)
    of_maker: dict[str, list[Name]] = defaultdict(list)
    for name in named:
        of_maker[name[0]].append(name)
    for names in of_maker.values():
        for one, other in combinations(names, 2):
            # Names that share no month are proven one by one.
            if losses[one].keys() & losses[other].keys():
                yield (one, other), _sum([losses[one], losses[other]])


def _sum(cells: Iterable[Cells]) -> Cells:
    total: Counter[int] = Counter()
    for each in cells:
        total.update(each)
    return total


def _proves(olds: tuple[Name, ...], new: Name, cells: Cells, gained: Cells) -> bool:
    if OTHER in new or any(gained.get(month) != units for month, units in cells.items()):
        return False
    within = new[0] == olds[0][0]
    # Makers are renamed as makers and models as models; two models become one within their maker only.
    if (new[1] == ALL) != (olds[0][1] == ALL) or (len(olds) > 1 and not within):
        return False
    certain = CERTAIN if within else CERTAIN_ACROSS
    return sum(math.log10(units) for units in cells.values() if units) >= math.log10(certain) - 1e-9


def _lost(claims: pd.DataFrame) -> dict[_Place, dict[Name, Cells]]:
    """By table and day, the cells of each name that are closed without a successor."""
    opened, closed = _moments(claims)
    is_closed = (claims["known_to"] < STANDING).to_numpy()
    return _by_place(claims[is_closed & ~np.isin(closed, opened)], day="known_to")


def _gained(claims: pd.DataFrame) -> dict[_Place, dict[Name, Cells]]:
    """By table and day, the cells of each name that come to a record that was there, and were not there before."""
    opened, closed = _moments(claims)
    came = claims["known_from"].to_numpy() > _published(claims)
    return _by_place(claims[came & ~np.isin(opened, closed)], day="known_from")


def _moments(claims: pd.DataFrame) -> tuple[Ints, Ints]:
    """For each claim a number for its cell on the day on which it opened, and one on the day on which it closed."""
    cell = _numbers(claims, [*RECORD, "maker", "model"]) * (STANDING + 1)
    return cell + claims["known_from"].to_numpy(), cell + claims["known_to"].to_numpy()


def _published(claims: pd.DataFrame) -> Ints:
    """For each claim the day on which the first figure of its record became known."""
    record = _places(claims, RECORD)
    first = np.full(len(claims), STANDING, dtype=np.int64)
    np.minimum.at(first, record, claims["known_from"].to_numpy())
    return first[record]


def _places(frame: pd.DataFrame, names: Sequence[str]) -> Ints:
    """For each row the place of its values in some columns among all that there are, in their order."""
    return np.unique(_numbers(frame, names), return_inverse=True)[1].astype(np.int64)


def _numbers(frame: pd.DataFrame, names: Sequence[str]) -> Ints:
    """One number for each row's values in some columns: equal for equal ones, and in their order.

    Grouping by so many columns of categories takes ten times as long.
    """
    number = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, count = column.cat.codes.to_numpy().astype(np.int64), len(column.cat.categories)
        else:
            codes, words = pd.factorize(column, sort=True)
            count = len(words)
        number = number * max(count, 1) + codes
    return number


def _by_place(cells: pd.DataFrame, *, day: str) -> dict[_Place, dict[Name, Cells]]:
    found: dict[_Place, dict[Name, dict[int, int]]] = {}
    names = [*_TABLE, day, "maker", "model", "month", "units"]
    columns = (cells[name].to_numpy(dtype=object).tolist() for name in names)
    for *place, maker, model, month, units in zip(*columns, strict=True):
        found.setdefault(tuple(place), {}).setdefault((maker, model), {})[month] = units
    return {place: dict(names) for place, names in found.items()}


def under_latest_names(claims: pd.DataFrame, proven: Iterable[Rename]) -> pd.DataFrame:
    """The claims with the earlier figures of what was renamed under its latest name.

    A column `renamed` tells which claims were made under another name, as its maker and model joined by a space, empty
    for others.
    """
    columns = {name: claims[name].astype("category") for name in (*_TABLE, "maker", "model")}
    words = {name: column.cat.categories for name, column in columns.items()}
    places = {name: {str(word): n for n, word in enumerate(of)} for name, of in words.items()}
    codes = {name: column.cat.codes.to_numpy().astype(np.int64) for name, column in columns.items()}
    was = np.full(len(claims), "", dtype=object)
    month, known_to = claims["month"].to_numpy(), claims["known_to"].to_numpy()
    for rename in sorted(proven, key=lambda each: each.day):
        about = dict(zip((*_TABLE, "maker", "model"), (*rename.table, *rename.old), strict=True))
        rows = known_to <= rename.day
        for name, word in about.items():
            rows &= codes[name] == places[name][word]
        rows &= np.isin(month, rename.months)
        was[rows] = " ".join(rename.old)
        for name, word in zip(("maker", "model"), rename.new, strict=True):
            codes[name][rows] = places[name][word]
    named = {
        name: pd.Categorical.from_codes(codes[name], categories=words[name]) if name in ("maker", "model") else column
        for name, column in columns.items()
    }
    return claims.assign(**named, renamed=was)


def cells_over_time(claims: pd.DataFrame, files: Mapping[tuple[str, str], Vintages], *, by: str) -> pd.DataFrame:
    """What became of each maker's (`by` "maker") or model's ("model") cell, one row a change of it.

    `claims` is as `under_latest_names` gives it. Columns: those of `RECORD`, maker, model, `step` (0 is its first
    figure), `since` (day since 1970-01-01), `units` (NaN from when on none stands), `before` (likewise), `first` (the
    first figure of the cell), `first_since`, `published` (the day on which its record was; in a file that is its own
    history, where each maker publishes for itself, that of the cell), `renamed` (the earlier names of the cell, joined
    by a semicolon).

    A maker's figure is what is stated of it as a whole, else the sum of its models. A record's total is a cell where
    nothing else is ever stated of the record.
    """
    frame = claims.assign(published=_published(claims))
    is_total = (frame["maker"] == ALL).to_numpy()
    frame = frame[~(is_total & _any_alike(_places(frame, RECORD), ~is_total))]
    whole = (frame["model"] == ALL).to_numpy()
    if by == "maker":
        has_whole = _any_alike(_places(frame, [*RECORD, "maker"]), whole)
        model = pd.Categorical.from_codes(np.zeros(len(frame), dtype=np.int64), categories=pd.Index([ALL]))
        frame = frame.assign(whole=whole & has_whole, model=model)
    else:
        frame = frame.assign(whole=True)
    key = [*RECORD, "maker", "model"]
    cell = _places(frame, key)
    about = frame.iloc[np.unique(cell, return_index=True)[1]][[*key, "published"]].reset_index(drop=True)
    is_renamed = (frame["renamed"] != "").to_numpy()
    names = frame["renamed"][is_renamed].groupby(cell[is_renamed]).agg(lambda earlier: ";".join(sorted(set(earlier))))
    steps = _steps(cell, frame)
    about = about.iloc[steps["cell"].to_numpy()].reset_index(drop=True)
    (own,) = _of_files(about, files, lambda of: of.is_own_history)
    return steps.assign(
        **{name: about[name] for name in key},
        published=np.where(own, steps["first_since"], about["published"]),
        renamed=steps["cell"].map(names).fillna("").astype(str),
    )


def _any_alike(group: Ints, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each row whether any row of its group has the flag."""
    any_of = np.zeros(len(group), dtype=np.bool_)
    any_of[group[flags]] = True
    return any_of[group]


def _of_files(
    frame: pd.DataFrame, files: Mapping[tuple[str, str], Vintages], *asks: Callable[[Vintages], Any]
) -> tuple[NDArray[Any], ...]:
    """What is true of each row's file, for each question."""
    if not len(frame):
        return tuple(np.array([], dtype=np.int64) for _ in asks)
    place = _places(frame, ["source", "file"])
    rows = frame.iloc[np.unique(place, return_index=True)[1]]
    pairs = list(zip(rows["source"].astype(str), rows["file"].astype(str), strict=True))
    return tuple(np.array([ask(files[pair]) for pair in pairs])[place] for ask in asks)


def _steps(cell: Ints, frame: pd.DataFrame) -> pd.DataFrame:
    """The figure of each cell after each day on which it changed."""
    known_to = frame["known_to"].to_numpy()
    closes = known_to < STANDING
    whole, units = frame["whole"].to_numpy(dtype=np.int64), frame["units"].to_numpy(dtype=np.int64)
    sign = np.repeat([1, -1], [len(frame), int(closes.sum())])
    cell, whole, units = (np.concatenate([each, each[closes]]) for each in (cell, whole, units))
    since = np.concatenate([frame["known_from"].to_numpy(), known_to[closes]])
    order = np.lexsort((since, cell))
    cell, since = cell[order], since[order]
    opens = np.append(True, (cell[1:] != cell[:-1]) | (since[1:] != since[:-1]))[: len(cell)]
    days = np.flatnonzero(opens)
    # Everything that ever opened less everything that closed, over all cells; what stood before a cell is taken off.
    moves = (sign * whole, sign * (1 - whole), sign * whole * units, sign * (1 - whole) * units)
    running = [np.cumsum(move[order]) for move in moves]
    cell, since = cell[days], since[days]
    last = np.append(days[1:], len(order)) - 1
    is_first = np.append(True, cell[1:] != cell[:-1])[: len(cell)]
    first = np.maximum.accumulate(np.where(is_first, np.arange(len(cell)), 0))
    at_end = [np.append(0, each)[np.append(0, last + 1)] for each in running]
    wholes, parts, of_wholes, of_parts = (each[1:] - each[first] for each in at_end)
    figure = np.where(wholes == 0, of_parts, of_wholes).astype(np.float64)
    figure[(wholes == 0) & (parts == 0)] = np.nan
    before = np.where(is_first, np.nan, np.append(np.nan, figure[:-1])[: len(figure)])
    same = (figure == before) | (np.isnan(figure) & np.isnan(before))
    kept = is_first | ~same
    number = np.cumsum(kept) - 1
    steps = {
        "cell": cell,
        "since": since,
        "units": figure,
        "before": before,
        "first": figure[first],
        "first_since": since[first],
        "step": number - number[first],
    }
    return pd.DataFrame({name: column[kept] for name, column in steps.items()})


def changes(steps: pd.DataFrame) -> pd.DataFrame:
    """Every change of a cell after its record was published: the rows of `cells_over_time` with `kind` (`Kind`).

    `relative` is the change on the figure before, as a fraction; NaN where one of the two is missing or the one before
    is zero. A cell that was renamed and kept its figure is a row of its own, with `since` the day of its first figure.
    """
    before, units = steps["before"].to_numpy(), steps["units"].to_numpy()
    stood, stands = ~np.isnan(before), ~np.isnan(units)
    late = ~stood & stands & (steps["since"].to_numpy() > steps["published"].to_numpy())
    revised = stood & stands
    kept = ~late & stands & ~stood & (steps["step"] == 0).to_numpy() & (steps["renamed"] != "").to_numpy()
    happened = late | revised | ~stands | kept
    found: pd.DataFrame = steps[happened]
    kept, before, units = kept[happened], before[happened], units[happened]
    merged = kept & (found["model"] != ALL).to_numpy() & found["renamed"].str.contains(";").to_numpy(dtype=np.bool_)
    kinds = [
        (merged, Kind.MERGED),
        (kept, Kind.RENAMED),
        (late[happened], Kind.LATE),
        (~stands[happened], Kind.VANISHED),
    ]
    kind = np.select([rows for rows, _ in kinds], [word.value for _, word in kinds], default=Kind.REVISED.value)
    before = np.where(kept, units, before)
    relative = (units - before) / np.where(before > 0, before, np.nan)
    return found.assign(kind=kind, before=before, relative=relative)


def outcomes(steps: pd.DataFrame, files: Mapping[tuple[str, str], Vintages]) -> pd.DataFrame:
    """What has become of each cell until now, one row a cell.

    Columns: those of `RECORD`, maker, model, renamed, first_since; `first` and `last` (units; `last` NaN where it
    vanished), `relative` (last on first figure, a fraction; NaN where one is missing or the first is zero),
    `is_revised` (whether its figure was ever changed), `is_late`, `is_judged` (whether a later vintage of its file
    could have changed it; in a file that is its own history: whether it did), `is_from_start` (its file's first vintage
    has it already, so that nobody knows what was published before).
    """
    last = steps.drop_duplicates("cell", keep="last").set_index("cell")
    revised = steps["before"].notna() & steps["units"].notna() & (steps["step"] > 0)
    opened, closed, own = _of_files(
        last, files, lambda of: _days(of.days[0]), lambda of: _days(of.days[-1]), lambda of: of.is_own_history
    )
    own = own.astype(np.bool_)
    is_revised = np.isin(last.index.to_numpy(), steps["cell"].to_numpy()[revised.to_numpy()])
    since = last["first_since"].to_numpy()
    return last[[*RECORD, "maker", "model", "renamed", "first", "first_since"]].assign(
        last=last["units"],
        relative=(last["units"] - last["first"]) / last["first"].where(last["first"] > 0),
        is_revised=is_revised,
        is_late=since > last["published"].to_numpy(),
        is_judged=np.where(own, is_revised, since < closed),
        is_from_start=~own & (since <= opened),
    )


def _days(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def typical(cells: pd.DataFrame, files: Mapping[tuple[str, str], Vintages]) -> dict[str, TypicalRevision]:
    """The typical revision of each source among some cells as `outcomes` gives them, by slug."""
    own = {source for (source, _), of in files.items() if of.is_own_history}
    found = {}
    for source, of_source in cells.groupby(cells["source"].astype(str)):
        slug = str(source)
        judged = of_source[of_source["is_judged"]]
        revised = judged[judged["is_revised"]]
        median, p90 = typical_size(revised["relative"].abs().dropna().to_numpy())
        found[slug] = TypicalRevision(
            judged=len(judged),
            revised=len(revised),
            share=len(revised) / len(judged) if len(judged) and slug not in own else None,
            median=median,
            p90=p90,
        )
    return found
