"""What changed between two days: newly published, revised, withdrawn, overdue; for every kind of figure.

The state as known on the one day is held against that on the other: what came and went in between is no change. Names
that a file changed car for car (`dashboard.revisions`) are none either. Changes are put together into entries, such as
a market's month or a maker's revised figures, and entries are ranked by what they move: the part of the world's
electric cars, or of a headline maker's own, that the changed figures count. A figure of long ago moves less of what is
looked at now: its weight is halved with each year that its period lies back, and of several periods that came at once
with each that is newer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.revisions import renames, under_latest_names
from dashboard.selection import Selection
from db import Connection, changes
from db.changes import CELL, FirstRead, Overdue, Total
from db.claims import GRAIN_MONTHS, STANDING, Bools, Floats, Ints
from db.memory import remembered
from db.vocabulary import ALL, OTHER, AttachBasis, Powertrain, States, VehicleScope, Word

HEADLINE_MAKERS: Final = ("byd", "tesla")
"""The makers whose own figures weigh as much as a whole world market."""

EVERYTHING: Final = Selection(market=())
"""What a ledger is about where nobody narrows it down."""

WEEK: Final = timedelta(days=7)
"""How far back a ledger looks where nobody says from which day."""


class Kind(Word):
    """What became of a figure between two days."""

    NEW = "new", "published for the first time, of a period after those that were known"
    REVISED = "revised", "its figure was changed"
    VANISHED = "vanished", "taken back, and none stands in its place"
    RESTORED = "restored", "had been taken back, and stands again"
    ADDED = "added", "published for the first time, of a period that others of its table were known of before"
    OVERDUE = "overdue", "should have been published by now and is not"
    FIRST_READ = "first read", "its file was read for the first time: what was new in it nobody knows"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: figures that changed together, told by the one that says most (its lead).

    `table` is where they are stored. `market`, `basis`, `powertrain`, `grain`, `month` (year * 12 + month - 1), `maker`
    and `model` are the lead's, `before` and `now` what it said (cars, a fraction, or the record's first value; None
    where it said nothing), `about` and `said` the same of a record in words. `figures` counts all of them, `since` is
    the day on which the newest became known (for what is overdue: was due), `weight` what they move. `changes` are
    their places in `Ledger.figures`, or in the table's frame of `Ledger.records`.
    """

    kind: Kind
    table: str
    source: str
    market: str = ""
    basis: str = ""
    powertrain: str = ""
    grain: str = ""
    month: int | None = None
    maker: str = ""
    model: str = ALL
    before: float | None = None
    now: float | None = None
    about: str = ""
    said: str = ""
    figures: int = 1
    since: date = date.min
    weight: float = 0.0
    changes: tuple[int, ...] = ()

    @property
    def relative(self) -> float | None:
        """The change on the figure before, a fraction; None where there is none."""
        if self.before is None or self.now is None or not self.before:
            return None
        return self.now / self.before - 1


@dataclass(frozen=True)
class Ledger:
    """What changed after one day and up to another; `on` is the day at which it is judged what is overdue.

    `entries` are ranked: what moves most first, first reads last. `figures` and `records` (by table) have every change,
    one row each: see `changed_figures` and `changed_records`.
    """

    after: date
    until: date
    on: date
    entries: tuple[Entry, ...]
    figures: pd.DataFrame
    records: Mapping[str, pd.DataFrame]

    def of(self, *kinds: Kind) -> tuple[Entry, ...]:
        """The entries of some kinds, in their order."""
        return tuple(entry for entry in self.entries if entry.kind in kinds)

    def count(self, kind: Kind) -> int:
        """How many figures of a kind there are."""
        return sum(entry.figures for entry in self.of(kind))

    @property
    def news(self) -> tuple[Entry, ...]:
        """The entries that say something new: neither first reads nor what is overdue."""
        return tuple(entry for entry in self.entries if entry.kind not in (Kind.OVERDUE, Kind.FIRST_READ))

    @property
    def is_silent(self) -> bool:
        """Whether nothing changed."""
        return not self.news


def between(
    connection: Connection, *, after: date, until: date, on: date | None = None, selection: Selection = EVERYTHING
) -> Ledger:
    """The ledger of what became known after one day and up to another; what is overdue is judged `on` a day, or else on
    the later one.

    Of a selection count the markets, makers, models and, for figures of periods, the range from `since` to `until`.
    """
    on = on or until
    chosen = replace(
        EVERYTHING,
        market=selection.market,
        makers=selection.makers,
        models=selection.models,
        since=selection.since,
        until=selection.until,
    )
    return remembered(
        connection, (between, after, until, on, chosen), lambda: _between(connection, after, until, on, chosen)
    )


def _between(connection: Connection, after: date, until: date, on: date, selection: Selection) -> Ledger:
    told = changes.reach(connection, day=until)
    sizes = Sizes.of(changes.totals(connection, makers=HEADLINE_MAKERS, day=until), until=until)
    touched = changes.touched_figures(connection, after=after, until=until)
    files = set(zip(touched["source"].astype(str), touched["file"].astype(str), strict=True)) if len(touched) else set()
    known = changes.reach(connection, day=after, files=files) if files else {}
    figures = changed_figures(touched, known, after=after, until=until)
    figures = figures[_is_asked_for(figures, selection)].reset_index(drop=True)
    records = {}
    for table, frame in changes.touched_records(connection, after=after, until=until).items():
        changed = changed_records(frame, *changes.record_columns(table), after=after, until=until)
        changed = changed[[_is_about(row, selection) for row in _rows(changed)]].reset_index(drop=True)
        if len(changed):
            records[table] = changed
    narrowed = selection.makers or selection.models
    by_maker = set(figures["source"]) if narrowed else changes.sources_of_makers(connection)
    late = changes.overdue(connection, told, as_of=until, on=on)
    first = changes.first_reads(connection, after=after, until=until)
    entries = [
        *_figure_entries(figures, sizes, by_maker=by_maker, by_model=bool(selection.models), until=until),
        *(entry for table, frame in records.items() for entry in _record_entries(table, frame, sizes)),
        *(_overdue_entry(of, sizes, after=after) for of in late if _tells_of(of.markets, selection)),
        *_first_reads([of for of in first if _tells_of((of.market,), selection)]),
    ]
    return Ledger(after, until, on, tuple(sorted(entries, key=_rank)), figures, records)


def _is_asked_for(figures: pd.DataFrame, selection: Selection) -> pd.Series[bool]:
    rows = pd.Series(True, index=figures.index)
    for name, chosen in (("market", selection.market), ("maker", selection.makers), ("model", selection.models)):
        if chosen:
            rows &= figures[name].isin(chosen)
    if selection.since:
        rows &= figures["month"] >= month_number(selection.since)
    if selection.until:
        rows &= figures["month"] + _months(figures) <= month_number(selection.until) + 1
    return rows


def _is_about(row: Mapping[str, Any], selection: Selection) -> bool:
    told = row["now"] or row["before"]
    chosen = (("market", selection.market), ("maker", selection.makers), ("model", selection.models))
    return all(
        not wanted or (_market(told) if name == "market" else told.get(name)) in wanted for name, wanted in chosen
    )


def _market(told: Mapping[str, Any]) -> str:
    """The market or region of a record, by code; nothing where it has none."""
    code = str(told.get("market") or told.get("region") or "")
    return "WORLD" if code == "GLOBAL" else code


def _tells_of(markets: Collection[str], selection: Selection) -> bool:
    return not selection.market or not set(selection.market).isdisjoint(markets)


def _rank(entry: Entry) -> tuple[Any, ...]:
    last = entry.kind is Kind.FIRST_READ
    return last, -entry.weight, list(Kind).index(entry.kind), -entry.figures, entry.source, entry.market, entry.maker


# What changed

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


def _groups(frame: pd.DataFrame, names: Sequence[str]) -> Ints:
    """The number of each row's group, from 0."""
    return np.unique(_key(frame, names), return_inverse=True)[1]


def _sums(values: Any, groups: Ints) -> Floats:
    """By row the sum of its group; what is missing counts nothing."""
    if not len(groups):
        return np.zeros(0)
    sums = np.bincount(groups, weights=np.nan_to_num(np.asarray(values, dtype=np.float64))).astype(np.float64)
    return np.asarray(sums[groups])


def _any(rows: Any, groups: Ints) -> Bools:
    """By row whether any row of its group is one of some rows."""
    return _sums(np.asarray(rows, dtype=np.float64), groups) > 0


def _every(rows: Any, groups: Ints) -> Bools:
    """By row whether all rows of its group are among some rows."""
    return ~_any(~np.asarray(rows, dtype=np.bool_), groups)


def _under_one_name(touched: pd.DataFrame, *, end: int) -> pd.DataFrame:
    """The claims, those that were closed under the name that their file has for them since."""
    frame = touched.assign(known_to=np.where(touched["known_to"] > end, STANDING, touched["known_to"]))
    has_names = (frame["table"] == "sales") & (frame["vehicle_scope"] == VehicleScope.PASSENGER_CAR.value)
    cell = _groups(frame, ["table", *CELL, "month"])
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
    places = _groups(found, of)
    has_parts = _any(~is_whole, places)
    split = is_whole & went & has_parts & _every(came | is_whole, places)
    joined = is_whole & came & has_parts & _every(went | is_whole, places)
    part_of = {name: _sums(found[name].where(~is_whole, 0.0), places) for name in ("before", "now")}
    told = found.assign(
        now=found["now"].where(~split, part_of["now"]),
        before=found["before"].where(~joined, part_of["before"]),
        kind=found["kind"].where(~(split | joined), Kind.REVISED.value),
        is_detail=found["is_detail"] | (_any(split | joined, places) & ~is_whole),
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
    for row in _rows(touched):
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


def month_number(day: date) -> int:
    """The number of a day's month: year * 12 + month - 1."""
    return day.year * 12 + day.month - 1


def as_day(number: float) -> date:
    """The day of a number of days since 1970-01-01."""
    return date(1970, 1, 1) + timedelta(days=int(number))


# What it moves


_PLUG_INS: Final = (Powertrain.BEV, Powertrain.PHEV)
_TOGETHER: Final = (Powertrain.BEV_PHEV, Powertrain.BEV_PHEV_FCEV)


@dataclass(frozen=True)
class Sizes:
    """Cars a month, by their newest totals: electric cars of each market (the world is `WORLD`), all cars of the world,
    and each headline maker's own electric cars worldwide."""

    markets: Mapping[str, float]
    all_cars: float
    makers: Mapping[str, float]

    @classmethod
    def of(cls, told: Iterable[Total], *, until: date) -> Sizes:
        """The sizes that newest totals amount to, of the three years before a day; what is not told is left out.

        Battery cars and plug-in hybrids that one source states are added, if they are of one period or of its two
        newest; of several sizes that are told the largest counts.
        """
        oldest = month_number(until) - 36
        rates: dict[tuple[str, ...], dict[str, float]] = {}
        for each in told:
            if each.month >= oldest:
                key = (each.market, each.maker, each.source, each.basis, each.scope, each.grain)
                rates.setdefault(key, {})[each.powertrain] = each.cars / GRAIN_MONTHS[each.grain]
        markets: dict[str, float] = {}
        makers: dict[str, float] = {}
        all_cars = 0.0
        for (market, maker, *_), of in rates.items():
            rate = max(sum(of.get(word, 0.0) for word in _PLUG_INS), *(of.get(word, 0.0) for word in _TOGETHER))
            if maker == ALL:
                markets[market] = max(rate, markets.get(market, 0.0))
                all_cars = max(all_cars, of.get(Powertrain.ALL, 0.0) if market == "WORLD" else 0.0)
            else:
                makers[maker] = max(rate, makers.get(maker, 0.0))
        return cls(markets=markets, all_cars=all_cars, makers=makers)

    @property
    def world(self) -> float:
        """Electric cars a month, worldwide; where that is not told those of the largest market; zero for none."""
        return self.markets.get("WORLD") or max(self.markets.values(), default=0.0)

    def part(self, market: str) -> float:
        """A market's part of the world's electric cars; zero where it is not told."""
        return self.markets.get(market, 0.0) / self.world if self.world else 0.0


_FIRST_BASES = ("delivery", "wholesale", "registration", "retail", "insurance", "export", "production")
_FIRST_POWERTRAINS = ("BEV", "BEV+PHEV", "BEV+PHEV+FCEV", "PHEV", "FCEV", "ALL")


def _figure_entries(
    figures: pd.DataFrame, sizes: Sizes, *, by_maker: set[str], by_model: bool, until: date
) -> list[Entry]:
    """The changes of figures put together: a market's new period, what a maker states of itself, and what became of a
    maker's figures elsewhere."""
    if not len(figures):
        return []
    frame = _counted(figures, sizes, until=until)
    is_new = (frame["kind"] == Kind.NEW.value).to_numpy()
    whole_market = is_new & ~frame["source"].isin(by_maker).to_numpy()
    whose = frame["maker"].astype(object).where(~whole_market, "")
    frame = frame.assign(whose=whose, when=np.where(is_new, frame["month"] + 1, 0))
    entry = _groups(frame, ["kind", "source", "market", "table", "grain", "when", "whose"])
    moved, weights = _weights(frame.assign(entry=entry), sizes)
    # The lead of each entry: by basis and powertrain, what is stated as a whole before its parts, the largest first.
    ranks = (-frame["size"], -frame["level"], frame["by_powertrain"], ~frame["is_car"], frame["by_basis"])
    order = np.lexsort([*(rank.to_numpy() for rank in ranks), entry])
    _, opening = np.unique(entry[order], return_index=True)
    places = np.split(order, opening[1:])
    leads = _rows(frame.iloc[order[opening]])
    since = np.maximum.reduceat(frame["since"].to_numpy()[order], opening)
    steps = _steps_back(leads)
    found = []
    for number, lead in enumerate(leads):
        told = Entry(
            kind=Kind(lead["kind"]),
            table=lead["table"],
            source=lead["source"],
            market=lead["market"],
            basis=lead["basis"],
            powertrain=lead["powertrain"],
            grain=lead["grain"],
            month=int(lead["month"]),
            maker=lead["maker"],
            model=lead["model"],
            before=_stated(lead["before"]),
            now=_stated(lead["now"]),
            figures=len(places[number]),
            since=as_day(since[number]),
            weight=float(weights[number]) * 0.5 ** steps[number],
            changes=tuple(places[number].tolist()),
        )
        is_part = lead["level"] < (1 if lead["whose"] else 2)
        if told.kind is Kind.NEW and told.table == "sales" and not by_model and is_part:
            # What a record states no total of its parts add up to.
            amount = float(moved[order[opening[number]]]) * GRAIN_MONTHS[lead["grain"]]
            told = replace(told, maker=lead["whose"] or ALL, model=ALL, now=amount)
        found.append(told)
    return found


def _steps_back(leads: Sequence[Mapping[str, Any]]) -> list[int]:
    """By lead of a new period how many newer ones came with it: where several came at once, the newest is the news."""
    key = ("source", "market", "table", "grain", "whose")
    months: dict[tuple[Any, ...], set[int]] = {}
    for lead in leads:
        if lead["when"]:
            months.setdefault(tuple(lead[name] for name in key), set()).add(lead["month"])
    return [
        sum(month > lead["month"] for month in months[tuple(lead[name] for name in key)]) if lead["when"] else 0
        for lead in leads
    ]


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = list(map(str, frame.columns))
    return [dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _stated(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _months(figures: pd.DataFrame) -> Ints:
    """By row the length of its period in months."""
    return np.asarray(figures["grain"].map(GRAIN_MONTHS).to_numpy(dtype=np.int64))


def _counted(figures: pd.DataFrame, sizes: Sizes, *, until: date) -> pd.DataFrame:
    """The changes with what puts them in order and what they count: `change` and its `size` in cars a month, `level` (2
    for a total, 1 for a maker, 0 for a model), `fade` by the age of the period."""
    grain = _months(figures)
    age = (month_number(until) - figures["month"].to_numpy() - grain) / 12
    change = np.nan_to_num(figures["now"].to_numpy()) - np.nan_to_num(figures["before"].to_numpy())
    # A share of all cars counts those of its market.
    of_market = figures["market"].map(lambda code: sizes.markets.get(code, 0.0)).to_numpy(dtype=np.float64)
    return figures.assign(
        change=np.where(figures["table"] == "sales", change / grain, change * of_market),
        size=np.abs(change / grain),
        level=np.select([figures["maker"] == ALL, figures["model"] == ALL], [2, 1], default=0),
        fade=0.5 ** np.clip(age, 0.0, None),
        is_car=(figures["vehicle_scope"] == VehicleScope.PASSENGER_CAR.value).to_numpy(),
        by_basis=_place(figures["basis"], _FIRST_BASES),
        by_powertrain=_place(figures["powertrain"], _FIRST_POWERTRAINS),
    )


def _place(words: pd.Series[Any], order: Sequence[str]) -> Ints:
    place = words.map(lambda word: order.index(word) if word in order else len(order))
    return np.asarray(place.to_numpy(dtype=np.int64))


def _weights(frame: pd.DataFrame, sizes: Sizes) -> tuple[Floats, Floats]:
    """By row the cars a month by which the record of its entry changed as a whole, and by entry its weight.

    What is stated as a whole counts, and parts only where they are not summed up by it. Of a maker's figures in a
    period counts what they amount to after all changes: names that come for names that go move little. An unnamed rest
    weighs a tenth.
    """
    counted = ["basis", "powertrain", "vehicle_scope"]
    period = ["source", "market", "table", "grain", "month", *counted]
    of_period, of_maker, alike = (_groups(frame, key) for key in (period, [*period, "maker"], ["entry", *counted]))
    level, entry = frame["level"].to_numpy(), frame["entry"].to_numpy()
    below_maker = (level == 0) & _any(level == 1, of_maker)
    is_part = (level < 2) & _any(level == 2, of_period)
    change = np.where(below_maker | frame["is_detail"].to_numpy(dtype=np.bool_), 0.0, frame["change"].to_numpy())
    moved = _sums(np.where(is_part, 0.0, change), alike)
    net = _sums(change * frame["fade"].to_numpy(), of_maker)
    _, once = np.unique(entry * (int(of_maker.max()) + 1) + of_maker, return_index=True)
    makers = frame.iloc[once]
    net, alike, entry = net[once], alike[once], entry[once]
    is_market = (makers["whose"] == "").to_numpy()
    of_record = np.abs(_sums(np.where(is_part[once], 0.0, np.where(is_market, net, np.abs(net))), alike))
    is_all = ((makers["powertrain"] == Powertrain.ALL.value) & (makers["table"] == "sales")).to_numpy()
    own = makers["maker"].map(lambda slug: sizes.makers.get(slug, 0.0)).to_numpy(dtype=np.float64)
    of_own = _sums(np.abs(net), _groups(makers.assign(alike=alike), ["alike", "maker"]))
    # Where a size is not known, nothing can be said to be a part of it.
    parts = np.maximum(
        _part(of_record, np.where(is_all, sizes.all_cars, sizes.world)), _part(of_own, np.where(is_all, 0.0, own))
    )
    # What a publisher leaves unnamed mostly mirrors what it came to name.
    parts = np.where((makers["maker"] == OTHER).to_numpy() & ~is_market, parts / 10, parts)
    weights = np.zeros(int(frame["entry"].max()) + 1)
    np.maximum.at(weights, entry, np.minimum(parts, 1.0))
    return moved, weights


def _part(of: Floats, whole: Floats) -> Floats:
    """A part of a whole, zero where that is not known."""
    return np.divide(of, whole, out=np.zeros(len(of)), where=whole > 0)


# Records


_TOGETHER_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "price": ("market", "maker"),
    "list_price_count": ("market", "maker"),
    "fsd_price": ("market", "maker"),
    "adas_offer": ("market", "maker"),
    "vehicle": ("maker",),
    "tax_rate": ("market",),
    "price_index": (),
    "fx_rate": (),
    "attach": ("as_of", "attach_basis"),
    "maker_group": ("group_slug",),
}
"""The records that make one entry; of the tables that are not named each row is one."""

_RECORD_WEIGHTS: Final[Mapping[str, float]] = {
    "attach": 0.3,
    "fsd_price": 0.2,
    "price": 0.1,
    "fsd_event": 0.05,
    "adas_offer": 0.05,
    "maker_group": 0.05,
    "forecast": 0.02,
    "tax_rate": 0.02,
    "list_price_count": 0.005,
    "vehicle": 0.002,
    "price_index": 0.002,
    "fx_rate": 0.001,
}
"""What a record weighs that counts no cars, beside a whole world market's 1: a judgement. How many pay for driver
assistance is asked most often, a price concerns one maker, a rate only converts. A record of one market weighs the
root of its part of the world's electric cars, and of a maker that is no headline maker a tenth."""

_OF_USERS: Final = (
    AttachBasis.TAKE_RATE,
    AttachBasis.FLEET_ATTACH,
    AttachBasis.ALL_DELIVERED,
    AttachBasis.ELIGIBLE,
    AttachBasis.ACTIVE_SUBSCRIPTIONS,
    AttachBasis.PAID_USERS,
)
"""What tells how many pay for driver assistance; cars, miles and money weigh a third of it."""

_ABOUT_NOBODY = (*HEADLINE_MAKERS, ALL, "")


def _record_entries(table: str, frame: pd.DataFrame, sizes: Sizes) -> list[Entry]:
    by = _TOGETHER_BY.get(table)
    groups: dict[tuple[Any, ...], list[int]] = {}
    all_rows = _rows(frame)
    for place, row in enumerate(all_rows):
        told = row["now"] or row["before"]
        key = (place,) if by is None else tuple(told[name] for name in by)
        groups.setdefault((row["became"], row["told_by"], *key), []).append(place)
    key_names, value_names = changes.record_columns(table)
    found = []
    for places in groups.values():
        rows = [all_rows[place] for place in places]
        lead = max(rows, key=lambda row: _lead_of(row, key_names))
        told = lead["now"] or lead["before"]
        before, now = (first_number(lead[name], value_names) for name in ("before", "now"))
        found.append(
            Entry(
                kind=lead["became"],
                table=table,
                source=lead["told_by"],
                market=_market(told),
                powertrain=str(told.get("powertrain") or ""),
                maker=str(told.get("maker") or ""),
                model={"ALL": ALL}.get(str(told.get("model")), str(told.get("model") or ALL)),
                before=before,
                now=now,
                about=record_about(table, told),
                said=record_said(table, told),
                figures=len(rows),
                since=max(row["since"] for row in rows),
                weight=_record_weight(table, told, sizes),
                changes=tuple(places),
            )
        )
    return found


def _lead_of(row: Mapping[str, Any], key: Sequence[str]) -> tuple[bool, float, date, str]:
    """What puts the records of an entry in order: the largest change, then the newest day that they are about."""
    told = row["now"] or row["before"]
    days = [told[name] for name in key if isinstance(told[name], date)]
    return row["became"] is Kind.REVISED, _size(row), max(days, default=date.min), str(told)


def _size(row: Mapping[str, Any]) -> float:
    if not row["now"] or not row["before"] or "amount" not in row["now"]:
        return 0.0
    return abs(float(row["now"]["amount"] or 0.0) - float(row["before"]["amount"] or 0.0))


def first_number(said: Mapping[str, Any] | None, values: Iterable[str]) -> float | None:
    """The first of a record's values that is a number; None where none is, or nothing is said."""
    if said is None:
        return None
    for name in values:
        if isinstance(said[name], int | float) and not isinstance(said[name], bool):
            return float(said[name])
    return None


def _record_weight(table: str, told: Mapping[str, Any], sizes: Sizes) -> float:
    weight = _RECORD_WEIGHTS.get(table, 0.0)
    if table == "attach" and told["attach_basis"] not in _OF_USERS:
        weight /= 3
    market = str(told.get("market") or told.get("region") or "WORLD")
    if len(market) == 2:
        weight *= max(sizes.part(market), 0.01) ** 0.5
    return weight if str(told.get("maker") or "") in _ABOUT_NOBODY else weight / 10


def record_about(table: str, told: Mapping[str, Any]) -> str:
    """What a record is about, in words, without market, maker and model: 'Long Range, list price from 3 Oct 2026'."""
    if table == "price":
        kind = f"{_words(told['price_kind'])} price from {_words(told['effective_from'])}"
        return ", ".join(part for part in (told["trim"], kind) if part)
    if table in ("fsd_price", "adas_offer"):
        return f"{told['package']} from {_words(told['effective_from'])}"
    if table == "fsd_event":
        return str(told["text"])
    if table == "attach":
        return f"FSD {_words(told['attach_basis'])} on {_words(told['as_of'])} ({told['estimator']})"
    if table == "forecast":
        return f"{_words(told['metric'])} by {_words(told['target_date'])}, forecast of {told['forecaster']}"
    key, _ = changes.record_columns(table)
    named = [told[name] for name in key if name not in ("market", "maker", "model", "powertrain", "url")]
    return ", ".join(_words(each) for each in named if each not in ("", ALL, "none"))


def record_said(table: str, told: Mapping[str, Any]) -> str:
    """What a record claims, in words: '42,990 EUR', '1,480,000', 'withdrawn'."""
    if table in ("price", "fsd_price", "adas_offer"):
        terms = "" if table == "price" else _words(told["billing"])
        if told["amount"] is None:
            return terms
        return " ".join(part for part in (f"{told['amount']:,.10g}", told["currency"], terms) if part)
    if table == "forecast" and told["outcome"]:
        return "what came of it: " + str(told["outcome"])
    if table in ("attach", "forecast"):
        if told["unit"] == "share":
            return f"{float(told['value']) * 100:.1f} %"
        unit = {"count": "", "date": ""}.get(told["unit"], told["unit"])
        return f"{_words(told['value'])} {unit}".strip()
    if table == "maker_group":
        return str(told["group_name"])
    if table == "fsd_event":
        return ""
    if table == "vehicle":
        parts = (("segment", ""), ("battery_kwh", " kWh"), ("range_km", " km"))
        return ", ".join(_words(told[name]) + unit for name, unit in parts if told[name] not in (None, ""))
    _, values = changes.record_columns(table)
    return _words(told[values[0]])


def _words(value: Any) -> str:
    if isinstance(value, date):
        return style.day_text(value)
    if isinstance(value, float):
        return f"{value:,.0f}" if value == int(value) else f"{value:,.10g}"
    return f"{value:,}" if isinstance(value, int) and value > 9999 else str(value).replace("_", " ")


# What is overdue, and what was read for the first time


def _overdue_entry(of: Overdue, sizes: Sizes, *, after: date) -> Entry:
    """A source that is overdue; one that was so already on the earlier day is hardly news and weighs a tenth."""
    if of.states == States.MAKERS.value:
        size = 0.1
    else:
        size = max((1.0 if code == "WORLD" else sizes.part(code) for code in of.markets), default=0.01)
    return Entry(
        kind=Kind.OVERDUE,
        table="source",
        source=of.source,
        market=of.expected.market,
        grain=of.expected.grain.value,
        month=month_number(of.expected.last_period),
        about=of.title,
        since=of.expected.next_due,
        weight=size if of.expected.next_due >= after else size / 10,
    )


def _first_reads(found: Sequence[FirstRead]) -> list[Entry]:
    """One entry for each market of a source, and for each table of its records."""
    of: dict[tuple[str, ...], list[FirstRead]] = {}
    for each in found:
        of.setdefault((each.source, each.table, each.market, each.basis), []).append(each)
    entries = []
    for (source, table, market, basis), parts in of.items():
        last = max((part.last for part in parts if part.last), default=None)
        entries.append(
            Entry(
                kind=Kind.FIRST_READ,
                table=table,
                source=source,
                market=market,
                basis=basis,
                month=month_number(last) if last else None,
                figures=sum(part.figures for part in parts),
                since=max(part.known_on for part in parts),
            )
        )
    return entries
