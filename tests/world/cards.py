"""Asking a chart as a page asks it, and what always holds of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date

import pytest
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Chart, Reading
from dashboard.selection import InvalidSelection, Refusal, Selection
from dashboard.style import SCREEN, Figure, Look


def read(engine: Engine, chart: Chart, query: str = "", *, today: date) -> Reading:
    """What a chart says of a query, as its address has it."""
    with engine.connect() as connection:
        return chart.load(connection, Selection.from_query(query, defaults=chart.defaults), today=today)


def refused(engine: Engine, chart: Chart, query: str = "", *, today: date) -> Refusal:
    """Why a chart does not answer a query."""
    with pytest.raises(Refusal) as caught:
        read(engine, chart, query, today=today)
    return caught.value


def drawn(chart: Chart, reading: Reading, look: Look = SCREEN) -> Figure:
    """The plot as a browser gets it: JSON without a number that is none."""
    return dict(json.loads(json.dumps(chart.draw(reading, look), allow_nan=False)))


def answer(
    engine: Engine,
    chart: Chart,
    selection: Selection,
    *,
    today: date,
    looks: Iterable[Look] = (SCREEN,),
    of_figures: bool = False,
) -> Reading | Refusal | InvalidSelection:
    """What a chart says of a selection, once it is held against what is always true; the reason where it says nothing.

    The words are whole sentences of text, each look is drawn, what is drawn is in the download between its bounds, and
    the table has a cell for each heading. Where the rows are `of_figures`, each has a value and stands for one entity
    in one period.
    """
    with engine.connect() as connection:
        try:
            reading = chart.load(connection, selection, today=today)
        except (Refusal, InvalidSelection) as refused:
            return refused
    _assert_words(reading)
    for look in looks:
        figure = drawn(chart, reading, look)
        assert figure["data"] or figure["layout"].get("shapes"), "an empty plot explains nothing"
    rows = chart.rows(reading)
    assert len(rows), "what is drawn is in the download"
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    stated = rows.dropna(subset=["value"])
    assert stated[["low", "high"]].notna().all(axis=None), "a value has its bounds"
    assert (stated["low"] <= stated["value"] + 1e-9).all(), "low is at most the value"
    assert (stated["value"] <= stated["high"] + 1e-9).all(), "high is at least the value"
    if of_figures:
        assert len(stated) == len(rows), "a row has a value"
        key = ["period_start", "market", "powertrain", "maker", "model", "measure"]
        assert not rows.duplicated([*key, *rows.columns.intersection(["part"])]).any(), "one row an entity and period"
    table = chart.table(reading)
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.header)}
    return reading


def count_drawn(
    ask: Callable[[Selection], Reading | Refusal | InvalidSelection], chart: Chart, selections: Iterable[Selection]
) -> int:
    """How many of some selections are drawn, as `answer` has it; each other one is refused in plain words, and leads to
    one that is. A link holds each of them."""
    count, ways_on = 0, set[Selection]()
    for selection in selections:
        query = selection.query(defaults=chart.defaults)
        assert Selection.from_query(query, defaults=chart.defaults) == selection, query
        refused = ask(selection)
        if isinstance(refused, Reading):
            count += 1
            continue
        assert str(refused).isprintable()
        # Where nothing is near, the page leads to what the chart begins with.
        nearest = getattr(refused, "nearest", None) or chart.defaults
        if nearest not in ways_on:
            ways_on.add(nearest)
            again = ask(nearest)
            assert isinstance(again, Reading), f"{query}: {refused} leads to {nearest}, which is refused: {again}"
    return count


def _assert_words(reading: Reading) -> None:
    assert 0 < len(reading.title) <= TITLE_LENGTH, reading.title
    assert not reading.title.endswith("…"), reading.title
    assert reading.subtitle
    assert reading.citations
    said = [reading.title, reading.subtitle, reading.badge.text, reading.badge.reason, *reading.notes]
    assert all(text.isprintable() for text in said)
    assert not {"nan", "inf", "None", "-inf"} & set(" ".join(said).replace(",", " ").split()), said
    assert all(note.endswith(".") for note in reading.notes), reading.notes
