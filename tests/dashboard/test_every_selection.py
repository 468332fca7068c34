"""Whatever the control bar can say, every chart of the market pages draws it or explains itself with a way on.

The selections are generated: the same ones every time, spread evenly over the charts, on the figures that ship with the
project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from random import Random

import pytest
from sqlalchemy import Engine

from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Chart, Reading
from dashboard.pages.head_to_head import HEAD_TO_HEAD
from dashboard.pages.market import MARKET
from dashboard.selection import (
    BasisChoice,
    By,
    InvalidSelection,
    Measure,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from dashboard.style import SCREEN
from db import queries
from db.queries import Nouns
from db.vocabulary import Grain

TODAY = date(2026, 7, 24)
CHARTS = (*MARKET.charts, *HEAD_TO_HEAD.charts)
PARTS = 4
"""Tests for each chart, so that they can run side by side."""


def count(chart: Chart) -> int:
    """Generated selections of a chart: fewer of those that draw many markets at once, which takes them longer."""
    return 100 if chart.slug in ("share-change", "market-map", "duel-markets") else 220


def test_there_are_two_thousand_selections_and_more() -> None:
    assert len(CHARTS) >= 10
    assert sum(count(chart) for chart in CHARTS) >= 2000


def generated(chart: Chart, part: int, nouns: Nouns) -> Iterator[Selection]:
    """Selections of a chart as a reader makes them: most change a few controls, some change many."""
    random = Random(f"{chart.slug} {part}")
    countries = sorted(nouns.markets.keys() - nouns.regions)
    known = ("CN", "DE", "NO", "US", "GB", "FR", "SE", "NL", "ES", "AU", "CH", "BR")
    months = [date(year, month, 1) for year in range(2016, 2027) for month in (1, 3, 6, 10, 12)]
    choices = {
        "market": lambda: tuple(
            sorted(
                set(
                    random.choice(
                        (
                            [random.choice(known)],
                            random.sample(known, 2),
                            random.sample(known, random.randint(3, 6)),
                            [random.choice(countries)],
                            [random.choice(sorted(nouns.regions))],
                            [random.choice(sorted(nouns.regions)), random.choice(known)],
                        )
                    )
                )
            )
        ),
        "makers": lambda: tuple(
            sorted(
                random.choice(
                    (
                        ["byd"],
                        ["tesla"],
                        ["byd", "tesla"],
                        ["bmw", "volkswagen"],
                        random.sample(sorted(nouns.makers), random.randint(1, 4)),
                        random.sample(sorted(nouns.groups), 2),
                    )
                )
            )
        ),
        "models": lambda: tuple(sorted(random.sample(sorted(nouns.models), random.randint(1, 3)))),
        "basis": lambda: random.choice(list(BasisChoice)),
        "by": lambda: random.choice(list(By)),
        "measure": lambda: random.choice(list(Measure)),
        "powertrain": lambda: random.choice(list(PowertrainChoice)),
        "of": lambda: random.choice([None, *PowertrainChoice]),
        "grain": lambda: random.choice(list(Grain)),
        "window": lambda: random.choice(list(Window)),
        "since": lambda: random.choice(months),
        "until": lambda: random.choice(months),
        "as_of": lambda: random.choice([date(2019, 5, 1), date(2024, 5, 31), date(2025, 3, 1), date(2026, 7, 1)]),
    }
    made = 0
    while made < count(chart) // PARTS:
        names = random.sample(sorted(choices), random.choice((1, 1, 2, 2, 3, 4, 8)))
        changes = {name: choices[name]() for name in names}
        if changes.get("since") and changes.get("until") and changes["since"] > changes["until"]:
            continue
        made += 1
        yield replace(chart.defaults, **changes)


def answer(engine: Engine, chart: Chart, selection: Selection) -> Refusal | InvalidSelection | None:
    """Draw a selection and hold what is drawn against what is always true; the reason where it is not drawn."""
    with engine.connect() as connection:
        try:
            reading = chart.load(connection, selection, today=TODAY)
        except (Refusal, InvalidSelection) as refused:
            return refused
    assert_words(reading)
    figure = chart.draw(reading, SCREEN)
    json.dumps(figure, allow_nan=False)
    assert figure["data"] or figure["layout"].get("shapes"), "an empty plot explains nothing"
    rows = chart.rows(reading)
    assert len(rows), "what is drawn is in the download"
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert rows[["value", "low", "high"]].notna().all(axis=None), "a row has a value and its bounds"
    assert (rows["low"] <= rows["value"] + 1e-9).all(), "low is at most the value"
    assert (rows["value"] <= rows["high"] + 1e-9).all(), "high is at least the value"
    key = ["period_start", "market", "powertrain", "maker", "model", "measure"]
    assert not rows.duplicated([*key, *rows.columns.intersection(["part"])]).any(), "one row an entity and period"
    table = chart.table(reading)
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.header)}
    return None


def assert_words(reading: Reading) -> None:
    assert 0 < len(reading.title) <= TITLE_LENGTH, reading.title
    assert not reading.title.endswith("…"), reading.title
    assert reading.subtitle
    assert reading.citations
    said = [reading.title, reading.subtitle, reading.badge.text, reading.badge.reason, *reading.notes]
    assert all(text.isprintable() for text in said)
    assert not {"nan", "inf", "None", "-inf"} & set(" ".join(said).replace(",", " ").split()), said
    assert all(note.endswith((".", "?")) for note in reading.notes), reading.notes


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.slug)
def test_every_selection_is_drawn_or_explained_with_a_way_on(bundled_engine: Engine, chart: Chart, part: int) -> None:
    with bundled_engine.connect() as connection:
        nouns = queries.nouns(connection)
    drawn, ways_on = 0, set[Selection]()
    for selection in generated(chart, part, nouns):
        query = selection.query(defaults=chart.defaults)
        assert Selection.from_query(query, defaults=chart.defaults) == selection, query
        refused = answer(bundled_engine, chart, selection)
        if refused is None:
            drawn += 1
            continue
        assert str(refused).isprintable()
        # Where nothing is near, the page leads to what the chart begins with.
        nearest = getattr(refused, "nearest", None) or chart.defaults
        if nearest not in ways_on:
            ways_on.add(nearest)
            again = answer(bundled_engine, chart, nearest)
            assert again is None, f"{query}: {refused} leads to {nearest}, which is refused: {again}"
    assert drawn >= count(chart) // PARTS // 10, "most of what is asked for must not be refusals alone"
