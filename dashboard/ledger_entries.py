"""The lines of the ledger: changes that belong together, what they are about, and how much they move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.what_changed import Kind, any_in_group, as_day, group_numbers, group_sums, rows_as_dicts
from dashboard.windows import month_number
from db import changes
from db.changes import FirstRead, Overdue, Total
from db.claims import GRAIN_MONTHS, Floats, Ints
from db.vocabulary import ALL, OTHER, AttachBasis, Powertrain, States, VehicleScope

HEADLINE_MAKERS: Final = ("byd", "tesla")
"""The makers whose own figures weigh as much as a whole world market."""


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


def market_of(told: Mapping[str, Any]) -> str:
    """The market or region of a record, by code; nothing where it has none."""
    code = str(told.get("market") or told.get("region") or "")
    return "WORLD" if code == "GLOBAL" else code


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


def figure_entries(
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
    entry = group_numbers(frame, ["kind", "source", "market", "table", "grain", "when", "whose"])
    moved, weights = _weights(frame.assign(entry=entry), sizes)
    # The lead of each entry: by basis and powertrain, what is stated as a whole before its parts, the largest first.
    ranks = (-frame["size"], -frame["level"], frame["by_powertrain"], ~frame["is_car"], frame["by_basis"])
    order = np.lexsort([*(rank.to_numpy() for rank in ranks), entry])
    _, opening = np.unique(entry[order], return_index=True)
    places = np.split(order, opening[1:])
    leads = rows_as_dicts(frame.iloc[order[opening]])
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


def _stated(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def months_of(figures: pd.DataFrame) -> Ints:
    """By row the length of its period in months."""
    return np.asarray(figures["grain"].map(GRAIN_MONTHS).to_numpy(dtype=np.int64))


def _counted(figures: pd.DataFrame, sizes: Sizes, *, until: date) -> pd.DataFrame:
    """The changes with what puts them in order and what they count: `change` and its `size` in cars a month, `level` (2
    for a total, 1 for a maker, 0 for a model), `fade` by the age of the period."""
    grain = months_of(figures)
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
    of_period, of_maker, alike = (
        group_numbers(frame, key) for key in (period, [*period, "maker"], ["entry", *counted])
    )
    level, entry = frame["level"].to_numpy(), frame["entry"].to_numpy()
    below_maker = (level == 0) & any_in_group(level == 1, of_maker)
    is_part = (level < 2) & any_in_group(level == 2, of_period)
    change = np.where(below_maker | frame["is_detail"].to_numpy(dtype=np.bool_), 0.0, frame["change"].to_numpy())
    moved = group_sums(np.where(is_part, 0.0, change), alike)
    net = group_sums(change * frame["fade"].to_numpy(), of_maker)
    _, once = np.unique(entry * (int(of_maker.max()) + 1) + of_maker, return_index=True)
    makers = frame.iloc[once]
    net, alike, entry = net[once], alike[once], entry[once]
    is_market = (makers["whose"] == "").to_numpy()
    of_record = np.abs(group_sums(np.where(is_part[once], 0.0, np.where(is_market, net, np.abs(net))), alike))
    is_all = ((makers["powertrain"] == Powertrain.ALL.value) & (makers["table"] == "sales")).to_numpy()
    own = makers["maker"].map(lambda slug: sizes.makers.get(slug, 0.0)).to_numpy(dtype=np.float64)
    of_own = group_sums(np.abs(net), group_numbers(makers.assign(alike=alike), ["alike", "maker"]))
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


def record_entries(table: str, frame: pd.DataFrame, sizes: Sizes) -> list[Entry]:
    """The entries of one table of records, from the rows of `what_changed.changed_records`."""
    by = _TOGETHER_BY.get(table)
    groups: dict[tuple[Any, ...], list[int]] = {}
    all_rows = rows_as_dicts(frame)
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
                market=market_of(told),
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
        # A forecast may be a range: '0.1 to 0.15'.
        ends = str(told["value"]).split(" to ")
        if told["unit"] == "share":
            return f"{' to '.join(f'{float(end) * 100:.1f}' for end in ends)} %"
        unit = {"count": "", "date": ""}.get(told["unit"], told["unit"])
        said = ends if told["unit"] == "date" else [_words(float(end)) for end in ends]
        return f"{' to '.join(said)} {unit}".strip()
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


def overdue_entry(of: Overdue, sizes: Sizes, *, after: date) -> Entry:
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


def first_reads(found: Sequence[FirstRead]) -> list[Entry]:
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
