"""Whatever the control bar can say, every chart of the market pages draws it or explains itself with a way on.

The selections are generated: the same ones every time, spread evenly over the charts, on the figures that ship with the
project.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from random import Random

import pytest
from sqlalchemy import Engine

from dashboard.charts.chart import Chart
from dashboard.pages.head_to_head import HEAD_TO_HEAD
from dashboard.pages.market import MARKET
from dashboard.selection import (
    BasisChoice,
    By,
    Measure,
    PowertrainChoice,
    Selection,
    Window,
)
from db import queries
from db.queries import Nouns
from db.vocabulary import Grain
from tests.world import cards

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


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.slug)
def test_every_selection_is_drawn_or_explained_with_a_way_on(bundled_engine: Engine, chart: Chart, part: int) -> None:
    with bundled_engine.connect() as connection:
        nouns = queries.nouns(connection)
    ask = partial(cards.answer, bundled_engine, chart, today=TODAY, of_figures=True)
    drawn = cards.count_drawn(ask, chart, generated(chart, part, nouns))
    assert drawn >= count(chart) // PARTS // 10, "most of what is asked for must not be refusals alone"
