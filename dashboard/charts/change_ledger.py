"""`change-ledger`: what was published, revised, taken back or is overdue between two days, most important first.

The later day is the selection's `as_of` (without one the latest day on which anything became known), the earlier one
its `date` (without one a week before). A row is an entry of the ledger (`dashboard.ledger`): a bar for what it moves,
and in words what changed, by how much and who says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import ledger, style
from dashboard.charts.change_ledger_drawing import draw
from dashboard.charts.change_ledger_words import (
    Changed,
    badge,
    cars_text,
    notes,
    subject,
    subtitle,
    title,
    what,
    who_name,
)
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart, Point, Reading, Table
from dashboard.ledger import Ledger
from dashboard.ledger_entries import Entry, first_number, record_about, record_said
from dashboard.selection import InvalidSelection, NotPublished, Selection
from dashboard.what_changed import Kind, as_day
from dashboard.windows import month_start
from db import Connection, changes, provenance, queries
from db.queries import Names
from db.vocabulary import ALL

TABLE_ROWS = 60
"""Entries in the table under the chart."""


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
        subtitle=subtitle(changed, selection),
        badge=badge(found),
        citations=changes.sources_cited(connection, told, as_of=until),
        notes=notes(changed, selection),
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
    starts = {month: month_start(month).isoformat() for month in set(frame["month"])}
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
        "period_start": month_start(entry.month).isoformat() if entry.month is not None else "",
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
    before, now = (first_number(row[name], values) for name in ("before", "now"))
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
        "low": _end(row["now"], "low", now),
        "high": _end(row["now"], "high", now),
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
        "about": record_about(entry.table, told),
        "said": record_said(entry.table, row["now"]) if row["now"] else "",
        "said_before": record_said(entry.table, row["before"]) if row["before"] else "",
        "url": told["url"],
    }


def _end(said: Mapping[str, Any] | None, end: str, value: float | None) -> float | None:
    """An end of a range that a record states; its value where that is no range."""
    stated = said.get(end) if said else None
    return value if stated is None else float(stated)


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
                "day": month_start(of["month"]),
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
    return provenance.record_receipts(connection, frame).assign(row=frame["row"])


_CLAIM = ("row", "day", "about", "stated", "snapshot_id", "source", "file", "line", "note", "url", "known_from")


def _receipt(side: str, name: str) -> str:
    return f"before_{name}" if side == "before" else name


def _stated(value: float, table: str, side: str) -> str:
    text = style.share_text(value) if table == "penetration" else cars_text(value)
    return f"{text} (before)" if side == "before" else text


def _record_claims(row: int, table: str, of: Any) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "day": next((said[name] for name in _DAYS if name in said), said["known_from"]),
            "about": record_about(table, said),
            "stated": record_said(table, said) + (" (before)" if side == "before" else ""),
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
