"""The FSD page: whatever its bar can say, a chart draws it or explains itself with a way on, on the real figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard import controls, downloads
from dashboard.charts import CHARTS
from dashboard.charts.chart import Chart, Reading
from dashboard.controls import edited, summary, values
from dashboard.pages import PAGES
from dashboard.pages.fsd import FSD
from dashboard.selection import InvalidSelection, PowertrainChoice, Real, Refusal, Selection, Tax
from dashboard.style import PICTURE, SCREEN
from db import queries
from db.vocabulary import AttachBasis
from tests.dashboard.test_fsd_price import NARROW
from tests.world import cards

TODAY = date(2026, 11, 22)
COUNT = 24
"""Generated selections of each chart."""


def generated(chart: Chart) -> Iterator[Selection]:
    """Selections as a reader of the page makes them: most change a few controls, some change many."""
    random = Random(chart.slug)
    months = [date(year, month, 1) for year in range(2016, 2028, 2) for month in (1, 4, 10)]
    known = ["AU", "CA", "CN", "DE", "FR", "GB", "JP", "KR", "LT", "MX", "NL", "NZ", "US"]
    choices: dict[str, Any] = {
        "market": lambda: tuple(sorted(random.sample(known, random.choice((1, 1, 2, 4, 13))))),
        "currency": lambda: random.choice(["local", "USD", "EUR", "CNY", "XYZ"]),
        "tax": lambda: random.choice([None, *Tax]),
        "date": lambda: random.choice([date(2014, 1, 5), date(2024, 5, 31), date(2026, 9, 1)]),
        "region": lambda: random.choice([None, "global", "nam", "us", "eu", "cn", "fi", "xx"]),
        "attach_basis": lambda: random.choice([None, *AttachBasis]),
        "since": lambda: random.choice(months),
        "until": lambda: random.choice(months),
        "as_of": lambda: random.choice([date(2012, 1, 1), date(2021, 12, 31), date(2025, 3, 1), date(2026, 6, 30)]),
        "makers": lambda: random.choice([("tesla",), ("byd",), ("byd", "tesla"), ("ford",)]),
        "powertrain": lambda: random.choice(list(PowertrainChoice)),
        "real": lambda: Real.REAL,
    }
    made = 0
    while made < COUNT:
        changes = {name: choices[name]() for name in random.sample(sorted(choices), random.choice((1, 1, 2, 3, 5)))}
        if changes.get("since") and changes.get("until") and changes["since"] > changes["until"]:
            continue
        made += 1
        yield replace(chart.defaults, **changes)


def answer(engine: Engine, chart: Chart, selection: Selection) -> Reading | Refusal | InvalidSelection:
    """What a chart says of a selection, or why nothing; what is drawn is drawn narrow and as a picture too."""
    found = cards.answer(engine, chart, selection, today=TODAY, looks=(SCREEN, NARROW))
    if isinstance(found, Reading):
        picture = downloads.framed(chart, found, look=PICTURE, site="")
        assert picture["data"]
        json.dumps(picture, allow_nan=False)
    return found


@pytest.mark.parametrize("chart", FSD.charts, ids=lambda chart: chart.slug)
def test_every_selection_is_drawn_or_explained_with_a_way_on(bundled_engine: Engine, chart: Chart) -> None:
    drawn = cards.count_drawn(partial(answer, bundled_engine, chart), chart, generated(chart))
    assert drawn >= COUNT // 4


def test_the_page_and_its_charts_are_registered() -> None:
    assert FSD in PAGES
    assert set(FSD.charts) <= set(CHARTS)
    assert all(chart.by_day and chart.receipts and chart.row_receipts for chart in FSD.charts)


def test_region_and_definition_can_be_chosen_and_left_again(bundled_engine: Engine) -> None:
    chart = FSD.charts[1]
    with bundled_engine.connect() as connection:
        nouns = queries.nouns(connection)

    def chosen(selection: Selection, name: str, value: str) -> Selection:
        return edited(selection, name, value, defaults=chart.defaults, nouns=nouns)

    begin = chart.defaults
    both = chosen(chosen(begin, "region", "nam"), "attach_basis", "new_sales_take_rate")
    assert (both.region, both.attach_basis) == ("nam", AttachBasis.TAKE_RATE)
    assert summary(both, nouns, names=("region", "attach_basis")) == "of NAM · new sales take rate"
    assert values(both)["region"] == "nam"
    assert chosen(chosen(both, "region", ""), "attach_basis", "") == begin
    assert controls.bar(chart, both, nouns, names=FSD.controls)
