"""Where a plant's cars went: an identity of one maker's flow, split only where all of it is published."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point, Reading
from dashboard.charts.wholesale_split import WHOLESALE_SPLIT
from dashboard.selection import NotPublished, Refusal
from dashboard.style import PICTURE, SCREEN, Figure
from db.vocabulary import States
from tests.dashboard.test_precedence import state
from tests.world import cards

TODAY = date(2026, 7, 24)


def flows(engine: Engine, *, maker: str = "tesla", market: str = "CN", **months: tuple[int | None, ...]) -> None:
    """A maker's wholesale, retail and exports by month, such as `m2026_01=(300, 200, 100)`; None is not published."""
    for n, basis in enumerate(("wholesale", "retail", "export")):
        rows = [
            (month[1:].replace("_", "-"), maker, units) for month, of in months.items() if (units := of[n]) is not None
        ]
        if rows:
            slug = f"{maker}-{basis}"
            known = date(2026, 6, 1)
            state(engine, slug, *rows, states=States.MAKERS, market=market, basis=basis, published_on=known)


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, WHOLESALE_SPLIT, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, WHOLESALE_SPLIT, query, today=TODAY)


def drawn(reading: Reading, look: Any = SCREEN) -> Figure:
    return cards.drawn(WHOLESALE_SPLIT, reading, look)


def bars(reading: Reading) -> dict[str, list[Any]]:
    return {trace["name"]: trace["y"] for trace in drawn(reading)["data"]}


def test_wholesale_is_retail_and_exports_and_the_rest(empty_engine: Engine) -> None:
    flows(empty_engine, m2025_01=(200, 150, 40), m2026_01=(300, 150, 100))
    reading = read(empty_engine)
    assert bars(reading) == {"Exports": [40, 100], "Retail in China": [150, 150], "Rest": [10, 50]}
    assert reading.title == "Tesla exported 33.3 % of its Chinese wholesale in Jan 2026, 20.0 % a year before"
    assert WHOLESALE_SPLIT.table(reading).rows[0] == ("Jan 2026", "300", "150", "100", "50", "33.3 %")
    assert "never added to registrations" in " ".join(reading.notes)


def test_without_the_same_month_of_the_year_before_there_is_no_change(empty_engine: Engine) -> None:
    flows(empty_engine, m2025_02=(200, 150, 50), m2026_01=(300, 200, 100))
    assert read(empty_engine).title == "Tesla exported 33.3 % of its Chinese wholesale in Jan 2026"


def test_a_period_is_split_only_where_all_three_are_published_and_never_a_zero(empty_engine: Engine) -> None:
    flows(
        empty_engine, m2026_01=(300, 200, 100), m2026_02=(300, 200, None), m2026_03=(None, 200, 100),
        m2026_04=(300, None, None),
    )  # fmt: skip
    reading = read(empty_engine)
    assert bars(reading) == {
        "Exports": [100, None, None, None],
        "Retail in China": [200, None, None, None],
        "Rest": [0, None, None, None],
        "Wholesale, not split": [None, 300, None, 300],
    }
    assert reading.title == "Tesla exported 33.3 % of its Chinese wholesale in Jan 2026"
    assert reading.badge.text.startswith("data to Jan 2026")
    assert "3 of 4 periods are not split" in " ".join(reading.notes)
    cells = [row[1:] for row in WHOLESALE_SPLIT.table(reading).rows]
    assert cells[0] == ("300", "–", "–", "–", "–")
    assert cells[1] == ("–", "200", "100", "–", "–")


def test_a_rest_below_zero_is_drawn_below_zero_and_said(empty_engine: Engine) -> None:
    flows(empty_engine, m2026_01=(300, 250, 100), m2026_02=(300, 100, 100))
    reading = read(empty_engine)
    figure = drawn(reading)
    assert bars(reading)["Rest"] == [-50, 100]
    assert figure["layout"]["barmode"] == "relative"
    assert figure["layout"]["yaxis"]["range"][0] < 0
    assert any(note.startswith("Below zero, in 1 of 2 periods") for note in reading.notes)
    flows_of = WHOLESALE_SPLIT.rows(reading)
    assert flows_of[flows_of["part"] == "rest"]["value"].tolist() == [-50, 100]


def test_a_rest_of_nothing_or_more_is_not_said_to_be_below_zero(empty_engine: Engine) -> None:
    flows(empty_engine, m2026_01=(300, 200, 100))
    assert not any(note.startswith("Below zero") for note in read(empty_engine).notes)


def test_a_quarter_needs_three_months_of_all_three(empty_engine: Engine) -> None:
    months = {f"m2025_{n:02d}": (300, 200, 100) for n in (1, 2, 3, 4, 5)}
    flows(empty_engine, **months, m2025_06=(300, None, 100))
    reading = read(empty_engine, "grain=quarter")
    assert bars(reading)["Exports"] == [300, None]
    assert bars(reading)["Wholesale, not split"] == [None, 900]


def test_shares_are_of_wholesale(empty_engine: Engine) -> None:
    flows(empty_engine, m2026_01=(400, 200, 100))
    reading = read(empty_engine, "measure=share")
    assert bars(reading) == {"Exports": [0.25], "Retail in China": [0.5], "Rest": [0.25]}
    assert set(WHOLESALE_SPLIT.rows(reading)["unit"]) == {"fraction"}


def test_the_download_has_the_parts_beside_their_whole_and_never_as_another_row(empty_engine: Engine) -> None:
    flows(empty_engine, m2026_01=(300, 200, 60), m2026_02=(300, 200, None), m2026_03=(300, None, None))
    rows = WHOLESALE_SPLIT.rows(read(empty_engine))
    assert tuple(rows.columns[: len(DOWNLOAD_COLUMNS)]) == DOWNLOAD_COLUMNS
    assert rows[["period_start", "part", "basis", "value", "wholesale"]].values.tolist() == [
        ["2026-01-01", "export", "export", 60, 300],
        ["2026-01-01", "retail", "retail", 200, 300],
        ["2026-01-01", "rest", "wholesale;retail;export", 40, 300],
        ["2026-02-01", "retail", "retail", 200, 300],
        ["2026-03-01", "wholesale", "wholesale", 300, 300],
    ]
    assert rows["source"].tolist()[2] == "tesla-export;tesla-retail;tesla-wholesale"


def test_a_parts_receipts_are_its_own_and_the_rests_are_all_three(empty_engine: Engine) -> None:
    flows(empty_engine, m2026_01=(300, 200, 60))
    reading = read(empty_engine)

    def units(part: str, of: Reading = reading) -> list[int]:
        assert WHOLESALE_SPLIT.receipts is not None
        with empty_engine.connect() as connection:
            claims = WHOLESALE_SPLIT.receipts(connection, of, Point("CN", "tesla", part, 2026 * 12))
        return [int(found) for found in claims["units"]]

    assert (units("export"), units("retail")) == ([60], [200])
    assert units("rest") == [300, 200, 60]
    assert units("export", read(empty_engine, "measure=share")) == [60, 300]
    with empty_engine.connect() as connection:
        document = downloads.document(connection, WHOLESALE_SPLIT, reading, WHOLESALE_SPLIT.rows(reading), site="")
    assert [len(row["receipts"]) for row in document["rows"]] == [1, 1, 3]


def test_other_markets_and_makers_lead_to_what_is_published(empty_engine: Engine) -> None:
    flows(empty_engine, m2026_01=(300, 200, 100))
    flows(empty_engine, maker="byd", m2026_01=(500, None, None))
    for query in ("market=DE", "makers=byd", "measure=growth", "powertrain=PHEV", "until=2020-12"):
        refusal = refused(empty_engine, query)
        assert isinstance(refusal, NotPublished)
        assert refusal.nearest is not None
        assert read(empty_engine, refusal.nearest.query(defaults=WHOLESALE_SPLIT.defaults)).title
    both = read(empty_engine, "makers=byd,tesla")
    assert both.title.startswith("Tesla exported")
    assert "Not drawn: BYD, of whom not all three are published." in both.notes


def test_a_range_in_which_they_never_meet_is_refused(empty_engine: Engine) -> None:
    flows(empty_engine, m2026_01=(300, 200, 100), m2026_02=(300, 200, None), m2026_03=(None, None, 100))
    refusal = refused(empty_engine, "since=2026-02")
    assert "all three" in str(refusal)
    assert refusal.nearest is not None
    assert refusal.nearest.since is None


@pytest.mark.parametrize("look", [SCREEN, PICTURE], ids=["screen", "picture"])
@pytest.mark.parametrize("query", ["", "grain=year", "measure=share&grain=quarter", "as_of=2025-03-01", "window=ttm"])
def test_full_data_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Any) -> None:
    reading = read(bundled_engine, query)
    figure = drawn(reading, look)
    assert figure["layout"]["height"] == look.height
    assert len(reading.title) <= 90
    assert len(reading.subtitle) <= 90


def test_the_real_year_2024_is_split_as_published(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, "grain=year&until=2024-12")
    assert reading.title == "Tesla exported 28.3 % of its Chinese wholesale in 2024, 36.3 % a year before"
    assert WHOLESALE_SPLIT.table(reading).rows[0] == ("2024", "916,660", "657,102", "259,485", "73", "28.3 %")
