"""What became of figures and records between two days: pure functions on claims as `db.changes` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from dashboard.revisions import renames, under_latest_names
from db import changes
from db.changes import CELL
from db.claims import STANDING, Bools, Floats, Ints
from db.vocabulary import ALL, VehicleScope, Word


class Kind(Word):
    """What became of a figure between two days."""

    NEW = "new", "published for the first time, of a period after those that were known"
    REVISED = "revised", "its figure was changed"
    VANISHED = "vanished", "taken back, and none stands in its place"
    RESTORED = "restored", "had been taken back, and stands again"
    ADDED = "added", "published for the first time, of a period that others of its table were known of before"
    OVERDUE = "overdue", "should have been published by now and is not"
    FIRST_READ = "first read", "its file was read for the first time: what was new in it nobody knows"


_RECEIPT = ("snapshot_id", "line", "evidence_id")


def changed_figures(
    touched: pd.DataFrame, known: Mapping[tuple[str, ...], int], *, after: date, until: date
) -> pd.DataFrame:
    """What became of each cell whose claims were touched: pure, from `changes.touched_figures` and `changes.reach`.

    One row a cell that says something else than before: table, `CELL`, month, kind (`Kind`), before and now (cars or a
    fraction; NaN where nothing was or is said), before_since and since (days since 1970-01-01: when the earlier figure
    became known, and when it was changed), the receipts of both: before_snapshot_id, before_line, before_evidence_id,
    snapshot_id, line, evidence_id (0 where there is none), and `is_detail`: whether it is a part of what had been told
    as a whole, or was told by its parts.

    Figures that stand under another name car for car are no change. A total that went where its parts came, or came
    where they went, was not taken back: it is revised if their sum is another one, and otherwise no change.
    """
    start, end = _day(after), _day(until)
    frame = _under_one_name(touched, end=end)
    _, first, cell = np.unique(_key(frame, ["table", *CELL, "month"]), return_index=True, return_inverse=True)
    stood = (frame["known_from"] <= start).to_numpy()
    stands = ((frame["known_from"] > start) & (frame["known_to"] > end)).to_numpy()
    old, new = (_by_cell(frame, cell, rows, cells=len(first)) for rows in (stood, stands))
    had, has = ~np.isnan(old["value"]), ~np.isnan(new["value"])
    kind = np.select(
        [had & has & (old["value"] != new["value"]), had & ~has, has & ~had & ~np.isnan(new["earlier"]), has & ~had],
        [Kind.REVISED.value, Kind.VANISHED.value, Kind.RESTORED.value, Kind.NEW.value],
        default="",
    )
    about = frame.iloc[first][["table", *CELL, "month"]].reset_index(drop=True)
    found = about.assign(
        kind=kind,
        before=old["value"],
        now=new["value"],
        before_since=old["known_from"],
        since=np.where(has, new["known_from"], old["known_to"]),
        is_detail=False,
        **{f"before_{name}": old[name] for name in _RECEIPT},
        **{name: new[name] for name in _RECEIPT},
    )
    found = found[kind != ""].reset_index(drop=True)
    return _told_before(_totals_and_parts(found), known).reset_index(drop=True)


def _key(frame: pd.DataFrame, names: Sequence[str]) -> Ints:
    """A number for each row that is the same where some columns (words, or numbers from 0) are the same."""
    key = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, size = column.cat.codes.to_numpy(dtype=np.int64), len(column.cat.categories)
        elif column.dtype.kind in "ib":
            codes = column.to_numpy(dtype=np.int64)
            size = int(codes.max(initial=0)) + 1
        else:
            numbers, words = pd.factorize(column)
            codes, size = numbers.astype(np.int64), len(words)
        key = key * max(size, 1) + codes
    return key


def group_numbers(frame: pd.DataFrame, names: Sequence[str]) -> Ints:
    """The number of each row's group, from 0."""
    return np.unique(_key(frame, names), return_inverse=True)[1]


def group_sums(values: Any, groups: Ints) -> Floats:
    """By row the sum of its group; what is missing counts nothing."""
    if not len(groups):
        return np.zeros(0)
    sums = np.bincount(groups, weights=np.nan_to_num(np.asarray(values, dtype=np.float64))).astype(np.float64)
    return np.asarray(sums[groups])


def any_in_group(rows: Any, groups: Ints) -> Bools:
    """By row whether any row of its group is one of some rows."""
    return group_sums(np.asarray(rows, dtype=np.float64), groups) > 0


def _every(rows: Any, groups: Ints) -> Bools:
    """By row whether all rows of its group are among some rows."""
    return ~any_in_group(~np.asarray(rows, dtype=np.bool_), groups)


def _under_one_name(touched: pd.DataFrame, *, end: int) -> pd.DataFrame:
    """The claims, those that were closed under the name that their file has for them since."""
    frame = touched.assign(known_to=np.where(touched["known_to"] > end, STANDING, touched["known_to"]))
    has_names = (frame["table"] == "sales") & (frame["vehicle_scope"] == VehicleScope.PASSENGER_CAR.value)
    cell = group_numbers(frame, ["table", *CELL, "month"])
    opens = cell * _DAYS + frame["known_from"].to_numpy()
    closes = cell * _DAYS + frame["known_to"].to_numpy()
    is_closed = (frame["known_to"] < STANDING).to_numpy()
    # Only a cell that goes without a successor can have gone to another name, and one without a predecessor taken it.
    lost, gained = is_closed & ~np.isin(closes, opens), ~np.isin(opens, closes[is_closed])
    of_names = has_names.to_numpy() & (lost | gained)
    if not (of_names & lost).any() or not (of_names & gained).any():
        return frame
    named = frame[of_names].assign(units=frame.loc[of_names, "value"].astype(np.int64))
    proven = renames(named)
    if not proven:
        return frame
    olds = {rename.old[0] for rename in proven}
    rows = of_names & lost & frame["maker"].isin(olds).to_numpy()
    latest = under_latest_names(frame[rows], proven)
    for name in ("maker", "model"):
        words = frame[name].astype(object).to_numpy(copy=True)
        words[rows] = latest[name].to_numpy(dtype=object)
        frame[name] = pd.Categorical(words)
    return frame


_DAYS: Final = 10_000_000
"""More than there are days since 1970-01-01."""


def _by_cell(frame: pd.DataFrame, cell: Ints, rows: Bools, *, cells: int) -> dict[str, Any]:
    """What some claims say of each cell: two names that became one are added up. NaN, and zeros, where none says it."""
    of = cell[rows]
    value = np.bincount(of, weights=frame["value"].to_numpy()[rows], minlength=cells).astype(np.float64)
    value[np.bincount(of, minlength=cells) == 0] = np.nan
    found: dict[str, Any] = {"value": value, "earlier": np.full(cells, np.nan)}
    found["earlier"][of] = frame["earlier"].to_numpy()[rows]
    for name in ("known_from", "known_to", *_RECEIPT):
        found[name] = np.zeros(cells, dtype=np.int64)
        found[name][of] = frame[name].to_numpy()[rows]
    return found


_RECORD = ["table", *(name for name in CELL if name not in ("maker", "model")), "month"]


def _totals_and_parts(found: pd.DataFrame) -> pd.DataFrame:
    """The changes without totals that only went where their parts came, or came where these went.

    A publisher states a maker's cars or those of its models, a record's total or those of its makers. Where the one
    goes and all of the other is new, one thing is told in two ways, and what it amounts to is compared. The parts of a
    whole that is compared are no news of their own: that they are told now, or no more, is.
    """
    of_makers = _compared(found, whole=(found["model"] == ALL) & (found["maker"] != ALL), of=[*_RECORD, "maker"])
    return _compared(of_makers, whole=of_makers["maker"] == ALL, of=_RECORD)


def _compared(found: pd.DataFrame, *, whole: pd.Series[bool], of: Sequence[str]) -> pd.DataFrame:
    is_whole = whole.to_numpy()
    went = (found["kind"] == Kind.VANISHED.value).to_numpy()
    came = found["kind"].isin([Kind.NEW.value, Kind.RESTORED.value]).to_numpy()
    if not (is_whole & (went | came)).any() or not (went.any() and came.any()):
        return found
    places = group_numbers(found, of)
    has_parts = any_in_group(~is_whole, places)
    split = is_whole & went & has_parts & _every(came | is_whole, places)
    joined = is_whole & came & has_parts & _every(went | is_whole, places)
    part_of = {name: group_sums(found[name].where(~is_whole, 0.0), places) for name in ("before", "now")}
    told = found.assign(
        now=found["now"].where(~split, part_of["now"]),
        before=found["before"].where(~joined, part_of["before"]),
        kind=found["kind"].where(~(split | joined), Kind.REVISED.value),
        is_detail=found["is_detail"] | (any_in_group(split | joined, places) & ~is_whole),
    )
    return told[~((split | joined) & (told["now"] == told["before"]))].reset_index(drop=True)


def _told_before(found: pd.DataFrame, known: Mapping[tuple[str, ...], int]) -> pd.DataFrame:
    """The changes, those new ones `added` whose table went as far or further before."""
    _, first, table = np.unique(_key(found, changes.TABLE), return_index=True, return_inverse=True)
    tables = found.iloc[first][list(changes.TABLE)].itertuples(index=False, name=None)
    newest = np.array([known.get(tuple(map(str, words)), -1) for words in tables], dtype=np.int64)
    late = (found["kind"] == Kind.NEW.value) & (found["month"] <= newest[table])
    return found.assign(kind=found["kind"].where(~late, Kind.ADDED.value))


def changed_records(
    touched: pd.DataFrame, key: Sequence[str], values: Sequence[str], *, after: date, until: date
) -> pd.DataFrame:
    """What became of each record whose claims were touched: pure, from `changes.touched_records` of one table.

    One row a record that says something else than before: its key, `became` (`Kind`), `now` and `before` (each the row
    of the claim as a dict, None where there is none), told_by (source) and since (the day of the change).
    """
    of: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows_as_dicts(touched):
        which = "before" if row["known_from"] <= after else "now" if row["known_to"] > until else ""
        if which:
            of.setdefault((row["source"], row["file"], *(row[name] for name in key)), {})[which] = row
    found = []
    for (source, _, *about), said in of.items():
        before, now = said.get("before"), said.get("now")
        if before and now and all(before[name] == now[name] for name in values):
            continue
        kind = Kind.REVISED if before and now else Kind.VANISHED if before else Kind.NEW
        if now and not before and now["had_been"]:
            kind = Kind.RESTORED
        since = now["known_from"] if now else before["known_to"] if before else until
        found.append((*about, kind, now, before, source, since))
    return pd.DataFrame(found, columns=[*key, "became", "now", "before", "told_by", "since"], dtype=object)


def _day(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def as_day(number: float) -> date:
    """The day of a number of days since 1970-01-01."""
    return date(1970, 1, 1) + timedelta(days=int(number))


def rows_as_dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Each row of a frame by column."""
    names = list(map(str, frame.columns))
    return [dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None)]
