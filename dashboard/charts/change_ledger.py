"""`change-ledger`: what was published, revised, taken back or is overdue between two days, most important first.

The later day is the selection's `as_of` (without one the latest day on which anything became known), the earlier one
its `date` (without one a week before). A row is an entry of the ledger (`dashboard.ledger`): a bar for what it moves,
and in words what changed, by how much and who says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from dashboard import ledger, style
from dashboard.charts.chart import CARS, DOWNLOAD_COLUMNS, Badge, Chart, Point, Reading, Table, shortest
from dashboard.ledger import Entry, Kind, Ledger, as_day
from dashboard.selection import (
    By,
    InvalidSelection,
    Measure,
    NotPublished,
    PowertrainChoice,
    Selection,
    Window,
)
from dashboard.style import Figure, Look
from db import Connection, changes, queries
from db.queries import Names
from db.vocabulary import ALL, OTHER, Basis, Grain

TABLE_ROWS = 60
"""Entries in the table under the chart."""

SECTIONS = (
    (Kind.NEW,),
    (Kind.REVISED,),
    (Kind.VANISHED,),
    (Kind.ADDED, Kind.RESTORED),
    (Kind.OVERDUE,),
    (Kind.FIRST_READ,),
)
"""What stands together on the plot, in this order."""

_HEADINGS = {
    Kind.NEW: "New",
    Kind.REVISED: "Revised",
    Kind.VANISHED: "Taken back",
    Kind.ADDED: "Added later",
    Kind.OVERDUE: "Overdue",
    Kind.FIRST_READ: "Read for the first time",
}

_PATTERNS = {Kind.REVISED: "/", Kind.VANISHED: "x", Kind.ADDED: "-", Kind.RESTORED: "-", Kind.OVERDUE: "."}

REGIONS = {"NAM": "North America"}
"""Regions of records that are no market."""

AT_LEAST = 2
"""Entries of each kind that are drawn before the rest of the room goes to what weighs most."""

_ROW, _NARROW_ROW = 30, 48
"""Height of a row on a page in pixels; with two lines where there is no room for one."""

_ROWS, _NARROW_ROWS = 18, 10
"""Rows of a plot, headings with them."""

_FEW = 12
"""Rows that a picture has room for at the least."""

_NARROW = 330
"""Pixels for the words of a row on a page that is narrow."""

_WIDE = 1000
"""Pixels that a page has for a plot at the least where it is not narrow."""


@dataclass(frozen=True)
class Changed:
    """The ledger of a selection with what its codes are called. `sources` are titles by slug."""

    ledger: Ledger
    names: Names
    sources: dict[str, str]


# Reading


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What changed between the two days of a selection, about its markets, makers and models.

    Raises `InvalidSelection` for unknown names and days in the wrong order, and `NotPublished` where nothing was known
    by the earlier day or nothing is loaded.
    """
    names = queries.names(connection)
    _check_names(selection, names)
    after, until = days(connection, selection, today=today)
    found = ledger.between(connection, after=after, until=until, on=selection.as_of or today, selection=selection)
    changed = Changed(ledger=found, names=names, sources=changes.source_titles(connection))
    told: dict[str, date] = {}
    for entry in found.entries:
        day = until if entry.kind is Kind.OVERDUE else entry.since
        told[entry.source] = max(day, told.get(entry.source, day))
    return Reading(
        selection=selection,
        title=title(changed),
        subtitle=_subtitle(changed, selection),
        badge=_badge(found),
        citations=changes.sources_cited(connection, told, as_of=until),
        notes=_notes(changed, selection),
        content=changed,
    )


def days(connection: Connection, selection: Selection, *, today: date) -> tuple[date, date]:
    """The earlier and the later day of a selection's ledger; raises as `load` does."""
    latest = changes.latest_day(connection, until=selection.as_of or today)
    if latest is None:
        first = changes.first_day(connection)
        if first is None:
            raise NotPublished("nothing is loaded; run 'python -m etl load'")
        raise NotPublished(
            f"nothing was known on {selection.as_of or today}; the first day on which anything was is {first}",
            nearest=replace(selection, as_of=first, date=None),
        )
    until = selection.as_of or latest
    after = selection.date or until - ledger.WEEK
    if after >= until:
        raise InvalidSelection(
            f"date={after} is the day from which changes are told, and is to be before as_of={until}", name="date"
        )
    return after, until


def _check_names(selection: Selection, names: Names) -> None:
    for name, chosen, valid in (
        ("market", selection.market, names.markets),
        ("makers", selection.makers, names.makers),
        ("models", selection.models, names.models),
    ):
        for slug in chosen:
            if slug not in valid:
                raise InvalidSelection(f"{name}={slug} is unknown", name=name, valid=tuple(sorted(valid)))


# Words


def subject(entry: Entry, names: Names, sources: dict[str, str]) -> str:
    """What an entry is about: 'Tesla, World, Q3 2026', 'BYD Seagull, China: list price from 3 Oct 2026'."""
    if entry.kind is Kind.OVERDUE:
        return entry.about
    place = names.markets.get(entry.market) or REGIONS.get(entry.market, entry.market)
    if entry.kind is Kind.FIRST_READ:
        what = place or entry.table.replace("_", " ")
        return f"{what} ({sources.get(entry.source, entry.source)})"
    who = "" if entry.maker in (ALL, "") else who_name(entry.maker, entry.model, names)
    when = style.period_text(_start(entry.month), entry.grain) if entry.month is not None and entry.grain else ""
    return ": ".join(part for part in (", ".join(each for each in (who, place, when) if each), entry.about) if part)


def who_name(maker: str, model: str, names: Names) -> str:
    """A maker, or a maker and its model, by name; 'unnamed makers' and 'other models' for rests."""
    of = {OTHER: "Unnamed makers", ALL: "All makers"}.get(maker) or names.makers.get(maker, maker)
    if model == ALL:
        return of
    return f"{of} {'other models' if model == OTHER else names.models.get(model, model)}"


def what(entry: Entry, ledger_on: date) -> str:
    """What became of it: '486,532 BEVs', '387,075 → 319,375 (−17.5 %)', 'due since 31 Aug 2026'."""
    if entry.kind is Kind.OVERDUE:
        late = (ledger_on - entry.since).days
        return f"due since {style.day_text(entry.since)}, {late} day{'' if late == 1 else 's'} late"
    if entry.kind is Kind.FIRST_READ:
        to = f", to {style.period_text(_start(entry.month), 'month')}" if entry.month is not None else ""
        return f"{_count(entry.figures, 'figure')}{to}"
    more = f", and {entry.figures - 1:,} more" if entry.figures > 1 else ""
    if entry.table not in ("sales", "penetration"):
        return _of_record(entry) + more
    before, now = (_amount(value, entry) for value in (entry.before, entry.now))
    if entry.kind is Kind.REVISED:
        relative = f" ({style.growth_text(entry.relative)})" if entry.relative is not None else ""
        return f"{before} → {now}{relative}{more}"
    if entry.kind is Kind.VANISHED:
        return f"{before} taken back{more}"
    counted = _unit(entry)
    if entry.kind is Kind.NEW and entry.maker == ALL:
        more = f", with {entry.figures - 1:,} more figures" if entry.figures > 2 else ""
    return f"{now} {counted}".strip() + more


def _of_record(entry: Entry) -> str:
    said = entry.said or {Kind.NEW: "", Kind.REVISED: "changed"}.get(entry.kind, "")
    if entry.kind is Kind.VANISHED:
        return f"{entry.said} taken back".strip()
    if entry.kind is Kind.REVISED and entry.before is not None and entry.now is not None and entry.before != entry.now:
        return f"{entry.before:,.10g} → {said}"
    return said


def _amount(value: float | None, entry: Entry) -> str:
    if value is None:
        return style.MISSING
    return style.share_text(value) if entry.table == "penetration" else _cars_text(value)


def _cars_text(units: float) -> str:
    """Cars in full: two figures that differ are to be seen to differ."""
    return f"{round(units):,}"


_COUNTED = {
    Basis.PRODUCTION: "built",
    Basis.WHOLESALE: "wholesaled",
    Basis.EXPORT: "exported",
    Basis.RETAIL: "retailed",
    Basis.DELIVERY: "delivered",
    Basis.INSURANCE: "insured",
}


def _unit(entry: Entry) -> str:
    """What is counted: 'BEVs delivered'; registrations are what is counted if nothing else is said."""
    if entry.table == "penetration":
        return f"of all cars are {_cars(entry.powertrain)}"
    counted = _COUNTED.get(Basis(entry.basis), "") if entry.basis else ""
    return f"{_cars(entry.powertrain)} {counted}".strip()


def _cars(powertrain: str) -> str:
    named = {"ALL": CARS[PowertrainChoice.ALL], "BEV+PHEV": "plug-in cars", "FCEV": "fuel-cell cars"}
    named |= {"BEV": CARS[PowertrainChoice.BEV], "PHEV": CARS[PowertrainChoice.PHEV]}
    return named.get(powertrain, CARS[PowertrainChoice.NEV])


def _start(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def title(changed: Changed) -> str:
    """The change that moves most, and how many others there are; that there is none, where there is none."""
    found = changed.ledger
    span = f"from {style.day_text(found.after + timedelta(days=1))} to {style.day_text(found.until)}"
    late = found.of(Kind.OVERDUE)
    overdue = f"; {_count(len(late), 'source')} overdue" if late else ""
    first = found.count(Kind.FIRST_READ)
    if found.is_silent:
        if first:
            return shortest(
                f"{_count(first, 'figure')} read for the first time, with nothing to compare them with{overdue}",
                f"{_count(first, 'figure')} read for the first time, with nothing to compare them with",
            )
        return shortest(
            f"Nothing was published, revised or taken back {span}{overdue}",
            f"Nothing was published, revised or taken back {span}",
        )
    lead, *others = found.news
    named = Counter(entry.kind for entry in others)
    counts = [f"{count:,} more {_HEADINGS[kind].lower()}" for kind, count in named.items() if kind is lead.kind]
    counts += [f"{count:,} {_WORDS[kind]}" for kind, count in named.items() if kind is not lead.kind]
    rest = f"; {', '.join(counts)}" if counts else ""
    short = f"; {_count(len(others), 'other change')}" if others else ""
    about, said = subject(lead, changed.names, changed.sources), what(lead, found.on)
    said = said.split(", with ")[0].split(", and ")[0]
    said = f", {said}" if lead.kind is Kind.REVISED or lead.kind is Kind.VANISHED else f": {said}" if said else ""
    told = f"{_HEADINGS.get(lead.kind, 'Added later')}: {about}{said.replace(': ', ', ', 1)}"
    return shortest(
        f"{told}{rest}", f"{told}{short}", told, f"{_HEADINGS.get(lead.kind, 'Added later')}: {about}{short}"
    )


_WORDS = {
    Kind.NEW: "new",
    Kind.REVISED: "revised",
    Kind.VANISHED: "taken back",
    Kind.ADDED: "added later",
    Kind.RESTORED: "restored",
}


def _subtitle(changed: Changed, selection: Selection) -> str:
    found = changed.ledger
    where = ", ".join(changed.names.markets[code] for code in selection.market) or "All markets"
    who = [changed.names.makers[slug] for slug in selection.makers]
    who += [changed.names.models[slug] for slug in selection.models]
    named = f", {', '.join(who)}" if who else ""
    return (
        f"{where}{named}. What changed in {_count((found.until - found.after).days, 'day')}, to "
        f"{style.day_text(found.until)}, ordered by the part of the world's electric cars, or of Tesla's or BYD's own, "
        "that it moves"
    )


def _badge(found: Ledger) -> Badge:
    late = found.of(Kind.OVERDUE)
    text = f"{style.day_text(found.after + timedelta(days=1))} to {style.day_text(found.until)}"
    if not late:
        return Badge(text=f"{text} · nothing overdue")
    return Badge(
        text=f"{text} · {len(late)} overdue on {style.day_text(found.on)}",
        amber=True,
        reason="Sources whose newer figures should have been here: what they would say is not in the ledger.",
    )


def _notes(changed: Changed, selection: Selection) -> tuple[str, ...]:
    found = changed.ledger
    notes = []
    figures = {kind: found.count(kind) for kind in (Kind.NEW, Kind.REVISED, Kind.VANISHED, Kind.ADDED, Kind.RESTORED)}
    if not found.is_silent:
        told = ", ".join(f"{count:,} {_WORDS[kind]}" for kind, count in figures.items() if count)
        notes.append(f"Figures and records: {told}. Names that changed car for car are no changes.")
    if figures[Kind.ADDED]:
        notes.append("Added later: of periods that others of the same table were known of before.")
    if found.of(Kind.FIRST_READ):
        notes.append("What a file says when it is read for the first time is counted and is no news.")
    ignored = [name for name, default in _NOT_APPLIED.items() if getattr(selection, name) != default]
    if ignored:
        notes.append(
            f"The ledger is of every kind of figure: {', '.join(ignored)} of the selection does not narrow it."
        )
    if (selection.since or selection.until) and found.records:
        notes.append("Prices, offers and other records are of no period: the range does not narrow them.")
    return tuple(notes)


_NOT_APPLIED = {
    "basis": Selection().basis,
    "powertrain": Selection().powertrain,
    "of": None,
    "by": By.MAKER,
    "grain": Grain.MONTH,
    "window": Window.NONE,
    "measure": Measure.SHARE,
    "currency": "local",
    "tax": None,
    "real": Selection().real,
    "price_kind": None,
    "segment": None,
    "cycle": None,
    "attach_basis": None,
    "region": None,
    "compare": None,
    "scenario": None,
}
"""What of a selection a ledger does not look at, with what it is where nobody asks for it."""


# The plot


@dataclass(frozen=True)
class _Row:
    """A row of the plot: a heading, or an entry with its place in the ledger."""

    heading: str
    entry: Entry | None = None
    number: int = -1


def draw(reading: Reading, look: Look) -> Figure:
    """A row for each entry, by kind: what it is about, a bar for what it moves, and what became of it."""
    changed: Changed = reading.content
    is_narrow = (look.width or 0) < 600 and (look.width is not None or look.font_px < style.SCREEN.font_px)
    rows_of = _chosen(changed.ledger, most=_NARROW_ROWS if is_narrow else _ROWS)
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    top, bottom = round(look.font_px * 1.2), round(look.font_px * 3.2)
    # Few rows stand on top, as close to each other as many do.
    lines = max(len(rows_of), _FEW if look.width else 3)
    height = look.height if look.width else top + bottom + lines * (_NARROW_ROW if is_narrow else _ROW)
    room = _NARROW if is_narrow else (look.width * 0.94 if look.width else _WIDE)
    # Of the width: the words of the subject, the bars, and the words of the change.
    left, bars = (0.0, 1.0) if is_narrow else (0.43, 0.1)
    written: list[dict[str, Any]] = []
    for n, row in enumerate(rows_of):
        written += _words_of_row(row, n, changed, look, room=room, left=left, bars=bars, is_narrow=is_narrow, font=font)
    if not rows_of:
        written.append(_statement("No figure changed, and nothing is overdue.", look))
    at = [(n, row.entry) for n, row in enumerate(rows_of) if row.entry]
    most = max((entry.weight for _, entry in at), default=0.0) or 1.0
    layout = style.layout(
        look,
        height=height,
        margin={"l": 8, "r": 8, "t": top, "b": bottom},
        hovermode="closest",
        barmode="overlay",
        xaxis={
            "range": [0, most],
            "domain": [left, left + bars],
            "tickvals": [0, most],
            "ticktext": ["0", style.share_text(most)],
            "showgrid": False,
            "zeroline": True,
            "title": {"text": "" if is_narrow else "moves", "font": {"size": font, "color": ink.quiet}},
            "fixedrange": True,
            "visible": bool(at) and not is_narrow,
        },
        yaxis={
            "range": [lines - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
            "showticklabels": False,
            "fixedrange": True,
        },
        annotations=written,
    )
    return {"data": [_bars(at, rows_of, changed, look, is_narrow=is_narrow)], "layout": layout}


def _chosen(found: Ledger, *, most: int) -> list[_Row]:
    """What is drawn: of each kind the first, and then what weighs most, under headings that count all of a kind."""
    numbers = {id(entry): n for n, entry in enumerate(found.entries)}
    sections = [(kinds, found.of(*kinds)) for kinds in SECTIONS]
    sections = [(kinds, entries) for kinds, entries in sections if entries]
    room = most - len(sections)
    taken = {kinds: min(AT_LEAST, len(entries)) for kinds, entries in sections}
    for entry in found.entries:
        kinds = next(kinds for kinds, _ in sections if entry.kind in kinds)
        of = dict(sections)[kinds]
        if sum(taken.values()) < room and taken[kinds] < len(of) and of.index(entry) >= taken[kinds]:
            taken[kinds] += 1
    rows_of = []
    for kinds, entries in sections:
        rows_of.append(_Row(heading=_heading(kinds[0], entries, shown=taken[kinds])))
        rows_of += [_Row(heading="", entry=entry, number=numbers[id(entry)]) for entry in entries[: taken[kinds]]]
    return rows_of


def _heading(kind: Kind, entries: Sequence[Entry], *, shown: int) -> str:
    if kind is Kind.OVERDUE:
        counted = _count(len(entries), "source")
    else:
        counted = _count(sum(entry.figures for entry in entries), "figure")
    more = len(entries) - shown
    return f"{_HEADINGS[kind]}: {counted}" + (f", {more:,} more in the download" if more else "")


def _words_of_row(
    row: _Row,
    n: int,
    changed: Changed,
    look: Look,
    *,
    room: float,
    left: float,
    bars: float,
    is_narrow: bool,
    font: int,
) -> list[dict[str, Any]]:
    ink = style.INK[look.theme]
    plain = {"showarrow": False, "xref": "paper", "yref": "y", "yanchor": "middle", "xanchor": "left", "y": n}
    if row.entry is None:
        bold = {"size": font, "color": ink.text, "weight": 600}
        return [
            plain | {"text": style.escape(style.fitting(row.heading, width=room, font_px=font)), "x": 0, "font": bold}
        ]
    about = subject(row.entry, changed.names, changed.sources)
    said = what(row.entry, changed.ledger.on)
    if row.entry.kind is not Kind.OVERDUE and row.entry.kind is not Kind.FIRST_READ:
        by = changed.sources.get(row.entry.source, row.entry.source)
        said = said if is_narrow else f"{said} – {by}" if said else by
    widths = (room, room) if is_narrow else (room * left - font, room * (1 - left - bars) - 2 * font)
    above, below = (n - 0.22, n + 0.2) if is_narrow else (n, n)
    return [
        plain
        | {
            "text": style.escape(style.fitting(about, width=widths[0], font_px=font)),
            "x": 0,
            "y": above,
            "font": {"size": font, "color": ink.text},
        },
        plain
        | {
            "text": style.escape(style.fitting(said, width=widths[1], font_px=font)),
            "x": 0 if is_narrow else left + bars,
            "xshift": 0 if is_narrow else font,
            "y": below,
            "font": {"size": font, "color": ink.quiet if is_narrow else ink.text},
        },
    ]


def _bars(
    at: Sequence[tuple[int, Entry]], rows_of: Sequence[_Row], changed: Changed, look: Look, *, is_narrow: bool
) -> dict[str, Any]:
    """The bars of what is moved; a first read and what weighs nothing has none."""
    ink = style.INK[look.theme]
    colours = [
        style.colour(entry.maker, look.theme) if entry.maker in ledger.HEADLINE_MAKERS else ink.axis for _, entry in at
    ]
    texts = [
        style.escape(f"{subject(entry, changed.names, changed.sources)}: {what(entry, changed.ledger.on)}")
        for _, entry in at
    ]
    return {
        "type": "bar",
        "orientation": "h",
        "x": [round(entry.weight, 5) for _, entry in at],
        "y": [n + 0.45 if is_narrow else n for n, _ in at],
        "width": 0.06 if is_narrow else 0.5,
        "marker": {
            "color": colours,
            "line": {"color": colours, "width": 1},
            "pattern": {"shape": [_PATTERNS.get(entry.kind, "") for _, entry in at], "fgcolor": ink.background},
        },
        "ids": texts,
        "text": texts,
        "textposition": "none",
        "customdata": [_key(rows_of[n]) for n, _ in at],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _key(row: _Row) -> list[Any] | None:
    entry = row.entry
    if entry is None or entry.kind in (Kind.OVERDUE, Kind.FIRST_READ):
        return None
    return [entry.market, entry.maker, str(row.number), entry.since.toordinal()]


def _statement(text: str, look: Look) -> dict[str, Any]:
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "font": {"size": look.font_px, "color": style.INK[look.theme].quiet},
    }


# Download, table, receipts

OWN_COLUMNS = (
    "kind",
    "table",
    "before",
    "before_known_from",
    "weight",
    "figures",
    "about",
    "said",
    "said_before",
    "url",
)


def rows(reading: Reading) -> pd.DataFrame:
    """Every change, what moves most first, with `DOWNLOAD_COLUMNS`: one row a figure or record, a source that is
    overdue, a market of a file that was read for the first time.

    `value` is what is said now (cars, a fraction, a record's number, days overdue, a count of figures), empty where it
    was taken back or is no number. Columns of its own: kind (`Kind`), table, before (likewise), before_known_from,
    weight (of the entry that it belongs to), figures (1, or how many were read first), about, said, said_before (of
    records, in words) and url.
    """
    return _placed_rows(reading.content)[[*DOWNLOAD_COLUMNS, *OWN_COLUMNS]]


def _placed_rows(changed: Changed) -> pd.DataFrame:
    """The rows of the download, with the place of each in the ledger's frames; -1 for what is in none."""
    found, names = changed.ledger, changed.names
    told: list[dict[str, Any]] = []
    for entry in found.entries:
        if entry.kind in (Kind.OVERDUE, Kind.FIRST_READ):
            told.append(_row_of(entry, found) | {"place": -1})
        elif entry.table in found.records:
            frame = found.records[entry.table]
            told += [_record_row(frame.iloc[n], entry, names) | {"place": n} for n in entry.changes]
    columns = [*DOWNLOAD_COLUMNS, *OWN_COLUMNS, "place"]
    others = pd.DataFrame(told, columns=columns, dtype=object)
    for name in columns:
        others[name] = others[name].astype("float64") if name in _NUMBERS else others[name].fillna("").astype(str)
    figures = _figure_rows(found, names).assign(place=np.arange(len(found.figures), dtype=np.float64))
    placed = pd.concat([part for part in (figures[columns], others) if len(part)] or [others], ignore_index=True)
    return placed.sort_values("weight", ascending=False, kind="stable", ignore_index=True)


_NUMBERS = ("value", "low", "high", "before", "weight", "figures", "place")


def _figure_rows(found: Ledger, names: Names) -> pd.DataFrame:
    frame = found.figures
    weight = np.zeros(len(frame))
    for entry in found.entries:
        if entry.table in ("sales", "penetration") and entry.changes:
            weight[list(entry.changes)] = entry.weight
    days_of = {number: as_day(number).isoformat() for number in {*frame["since"], *frame["before_since"]}}
    starts = {month: _start(month).isoformat() for month in set(frame["month"])}
    is_share = (frame["table"] == "penetration").to_numpy()
    words = {
        name: frame[name].astype(str).astype(object)
        for name in ("table", "source", "market", "basis", "powertrain", "grain", "maker", "model")
    }
    return pd.DataFrame(
        {
            "period_start": frame["month"].map(starts),
            "grain": words["grain"],
            "window": "none",
            "market": words["market"],
            "basis": words["basis"],
            "powertrain": words["powertrain"],
            "of": np.where(is_share, "ALL", words["powertrain"]),
            "maker": words["maker"],
            "model": words["model"],
            "maker_name": words["maker"].map(lambda slug: who_name(slug, ALL, names)),
            "model_name": words["model"].map(lambda slug: names.models.get(slug, slug)),
            "measure": np.where(is_share, "share", "units"),
            "value": frame["now"],
            "low": frame["now"],
            "high": frame["now"],
            "unit": np.where(is_share, "fraction", "cars"),
            "flags": frame["kind"],
            "source": words["source"],
            "known_from": frame["since"].map(days_of),
            "kind": frame["kind"],
            "table": words["table"],
            "before": frame["before"],
            "before_known_from": frame["before_since"].map(days_of).where(frame["before"].notna(), ""),
            "weight": weight,
            "figures": 1.0,
            **dict.fromkeys(("about", "said", "said_before", "url"), ""),
        }
    )


def _row_of(entry: Entry, found: Ledger) -> dict[str, Any]:
    """The row of a source that is overdue, or of what was read for the first time."""
    is_late = entry.kind is Kind.OVERDUE
    value = float((found.on - entry.since).days) if is_late else float(entry.figures)
    return {
        "period_start": _start(entry.month).isoformat() if entry.month is not None else "",
        "grain": entry.grain,
        "window": "none",
        "market": entry.market,
        "basis": entry.basis,
        "maker": ALL,
        "model": ALL,
        "maker_name": "All makers",
        "model_name": "All models",
        "measure": "days_overdue" if is_late else "figures",
        "value": value,
        "low": value,
        "high": value,
        "unit": "days" if is_late else "figures",
        "flags": entry.kind.value,
        "source": entry.source,
        "known_from": "" if is_late else entry.since.isoformat(),
        "kind": entry.kind.value,
        "table": entry.table,
        "weight": entry.weight,
        "figures": entry.figures,
        "about": entry.about,
        "said": f"due {entry.since}" if is_late else "",
    }


def _record_row(row: Any, entry: Entry, names: Names) -> dict[str, Any]:
    told = row["now"] or row["before"]
    values = changes.record_columns(entry.table)[1]
    before, now = (ledger.first_number(row[name], values) for name in ("before", "now"))
    maker, model = str(told.get("maker") or ALL), str(told.get("model") or ALL)
    day = next((told[name] for name in _DAYS if name in told), None)
    return {
        "period_start": day.isoformat() if day else "",
        "window": "none",
        "market": entry.market,
        "powertrain": told.get("powertrain") or "",
        "maker": maker,
        "model": model,
        "maker_name": who_name(maker, ALL, names),
        "model_name": names.models.get(model, model),
        "measure": entry.table,
        "value": now,
        "low": now,
        "high": now,
        "unit": told.get("currency") or told.get("unit") or "",
        "flags": ";".join([row["became"].value, *(["day_inferred"] if told["known_estimated"] else [])]),
        "source": row["told_by"],
        "known_from": row["since"].isoformat(),
        "kind": row["became"].value,
        "table": entry.table,
        "before": before,
        "before_known_from": row["before"]["known_from"].isoformat() if row["before"] else "",
        "weight": entry.weight,
        "figures": 1,
        "about": ledger.record_about(entry.table, told),
        "said": ledger.record_said(entry.table, row["now"]) if row["now"] else "",
        "said_before": ledger.record_said(entry.table, row["before"]) if row["before"] else "",
        "url": told["url"],
    }


_DAYS = ("effective_from", "period_start", "as_of", "date", "made_on", "valid_from")
"""The columns of records that say from when on, or of when, they are."""


def table(reading: Reading) -> Table:
    """The entries in the order of what they move."""
    changed: Changed = reading.content
    found = changed.ledger
    body = tuple(
        (
            subject(entry, changed.names, changed.sources),
            entry.kind.value,
            what(entry, found.on),
            f"{entry.figures:,}",
            style.share_text(entry.weight) if entry.weight else style.MISSING,
            changed.sources.get(entry.source, entry.source),
            style.day_text(entry.since),
        )
        for entry in found.entries[:TABLE_ROWS]
    )
    left = len(found.entries) - len(body)
    return Table(
        header=("What", "Kind", "Change", "Figures", "Moves", "Source", "Known from, or due"),
        rows=body,
        caption="Ordered by what is moved: a part of the world's electric cars, or of Tesla's or BYD's own"
        + (f". {left:,} more entries are in the download." if left else "; every figure is in the download."),
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The claims behind an entry: of each of its figures what was said before, and what is said now."""
    changed: Changed = reading.content
    entry = changed.ledger.entries[int(point.model)]
    return _claims(connection, changed, [(0, entry.table, place) for place in entry.changes]).drop(columns="row")


def row_receipts(connection: Connection, reading: Reading) -> pd.DataFrame:
    """The claims behind the rows of the download, as `receipts`, with the number of the row in `row`."""
    changed: Changed = reading.content
    placed = _placed_rows(changed)[["table", "place"]]
    told = [
        (n, str(name), int(place)) for n, (name, place) in enumerate(placed.itertuples(index=False)) if int(place) >= 0
    ]
    return _claims(connection, changed, told)


def _claims(connection: Connection, changed: Changed, told: Sequence[tuple[int, str, int]]) -> pd.DataFrame:
    """The receipts of what was said before and now: `told` names row, table and place in the table's frame."""
    found, names = changed.ledger, changed.names
    of_figures = [(row, place) for row, name, place in told if name in ("sales", "penetration")]
    figures = found.figures.iloc[[place for _, place in of_figures]].to_dict("records")
    # A total that is now told by its parts has their receipts.
    sides = [
        (row, side, of)
        for (row, _), of in zip(of_figures, figures, strict=True)
        for side in ("before", "now")
        if of[_receipt(side, "snapshot_id")] and not np.isnan(of[side])
    ]
    cited = changes.cited(connection, {of[_receipt(side, "evidence_id")] for _, side, of in sides})
    claims: list[dict[str, Any]] = []
    for row, side, of in sides:
        text, urls = cited[of[_receipt(side, "evidence_id")]]
        since = of["before_since"] if side == "before" else of["since"]
        claims.append(
            {
                "row": row,
                "day": _start(of["month"]),
                "about": f"{who_name(of['maker'], of['model'], names)}, {names.markets[of['market']]}",
                "stated": _stated(of[side], of["table"], side),
                "snapshot_id": of[_receipt(side, "snapshot_id")],
                "source": of["source"],
                "file": of["file"],
                "line": of[_receipt(side, "line")],
                "note": text,
                "url": urls,
                "known_from": as_day(since),
            }
        )
    for row, name, place in told:
        if name in found.records:
            claims += _record_claims(row, name, found.records[name].iloc[place])
    frame = pd.DataFrame(claims, columns=_CLAIM)
    return queries.record_receipts(connection, frame).assign(row=frame["row"])


_CLAIM = ("row", "day", "about", "stated", "snapshot_id", "source", "file", "line", "note", "url", "known_from")


def _receipt(side: str, name: str) -> str:
    return f"before_{name}" if side == "before" else name


def _stated(value: float, table: str, side: str) -> str:
    text = style.share_text(value) if table == "penetration" else _cars_text(value)
    return f"{text} (before)" if side == "before" else text


def _record_claims(row: int, table: str, of: Any) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "day": next((said[name] for name in _DAYS if name in said), said["known_from"]),
            "about": ledger.record_about(table, said),
            "stated": ledger.record_said(table, said) + (" (before)" if side == "before" else ""),
            **{name: said[name] for name in ("snapshot_id", "source", "file", "line", "note", "url", "known_from")},
        }
        for side in ("before", "now")
        if (said := of[side])
    ]


CHANGE_LEDGER = Chart(
    slug="change-ledger",
    name="What changed",
    question="What changed since last week, and was it news or a revision?",
    defaults=Selection(market=()),
    measures=(),
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
    row_receipts=row_receipts,
    by_day=True,
)
