"""What other tools of the trade get wrong, one test for each of the ten mistakes.

Where a mistake is held elsewhere in part, a comment names the test, and here is the other part.
"""

from __future__ import annotations

import inspect
from datetime import date
from itertools import product
from urllib.parse import parse_qsl

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from dashboard import downloads, pictures, style
from dashboard.charts.chart import Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.charts.market_words import subtitle
from dashboard.sales_lines import MarketFigures
from dashboard.selection import (
    BasisChoice,
    By,
    Incomparable,
    InvalidSelection,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from db import database
from db.market_claims import Dataset
from db.queries import Nouns
from db.vocabulary import ALL, Grain, States
from etl import tidy
from tests import world
from tests.dashboard.test_own_figures import read
from tests.dashboard.test_precedence import HEADER, state
from tests.dashboard.test_sales_lines import ask, fill, line, monthly, periods

TODAY = date(2026, 7, 24)


def lines_of(reading: Reading) -> dict[str, list[float | None]]:
    """The drawn lines by name, without the edges of bands; a gap is None."""
    figure = MARKET_SHARE.draw(reading, style.SCREEN)
    return {trace["name"]: trace["y"] for trace in figure["data"] if "name" in trace}


# 1. A part year against a full year. Held too by test_sales_lines'
#    test_a_year_to_date_gives_one_cumulative_row_a_month_against_the_same_months.


@pytest.mark.parametrize("query", ["grain=year", "grain=year&window=ytd", "grain=year&window=ttm", "window=ttm"])
def test_1_a_part_year_is_never_set_against_a_full_year(empty_engine: Engine, query: str) -> None:
    part = {f"2026-{n:02d}": {"Tesla": 10} for n in range(1, 7)}
    fill(empty_engine, {"DE": monthly(2024, {"Tesla": 10}) | monthly(2025, {"Tesla": 10}) | part})
    figures = ask(empty_engine, f"measure=growth&{query}")
    assert set(line(figures, "tesla").value.tolist()) == {0.0}, "half a year did not fall by half"
    assert periods(figures)[-1] == ("2026-06" if query == "window=ttm" else "2025-01")


def test_1_a_year_to_date_with_a_hole_is_no_year_to_date(empty_engine: Engine) -> None:
    part = {f"2026-{n:02d}": {"Tesla": 10} for n in (1, 3, 4)}
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 10}) | part})
    assert periods(ask(empty_engine, "measure=growth&window=ytd")) == ["2026-01"]


# 2. A change that ignores the chosen range.


def test_2_the_change_in_the_title_is_that_of_the_chosen_range(empty_engine: Engine) -> None:
    shares = {2022: 90, 2023: 20, 2024: 40, 2025: 50, 2026: 60}
    fill(empty_engine, {"DE": {f"{year}-01": {"Tesla": of, "BYD": 100 - of} for year, of in shares.items()}})
    for since, until, change in ((2022, 2026, "+10.0 pp"), (2023, 2024, "+20.0 pp"), (2024, 2025, "+10.0 pp")):
        title = read(empty_engine, f"makers=tesla&since={since}-01&until={until}-01").title
        assert f"in Jan {until}, {change} on a year before" in title
    assert "year before" not in read(empty_engine, "makers=tesla&since=2025-01&until=2025-01").title
    assert "+100.0 %" in read(empty_engine, "makers=tesla&measure=growth&until=2024-01").title


# 3. Headline and line on different powertrains.

CARS = {
    PowertrainChoice.BEV: ("BEVs", "BEV"),
    PowertrainChoice.PHEV: ("plug-in hybrids", "PHEV"),
    PowertrainChoice.NEV: ("NEVs", "NEV"),
    PowertrainChoice.ALL: ("cars", "car"),
}


@pytest.mark.parametrize("powertrain", PowertrainChoice)
@pytest.mark.parametrize("query", ["", "measure=units", "measure=growth", "by=market&measure=units", "makers=tesla",
                                   "by=market&measure=growth", "basis=wholesale&measure=units"])  # fmt: skip
def test_3_title_subtitle_line_and_download_are_of_one_powertrain(
    empty_engine: Engine, powertrain: PowertrainChoice, query: str
) -> None:
    units = {"BEV": 100, "PHEV": 20, "ALL": 1000}
    for basis in ("registration", "wholesale"):
        for word, many in units.items():
            rows = [(f"{year}-01", "tesla", many) for year in (2025, 2026)]
            state(empty_engine, f"{basis}-{word.lower()}", *rows, powertrain=word, basis=basis)
        rows = [(f"{year}-01", f"{word} tesla", units[word]) for year in (2025, 2026) for word in ("BEV", "PHEV")]
        state(empty_engine, f"{basis}-parts", *rows, basis=basis, rank=50)
    reading = read(empty_engine, f"market=KR&powertrain={powertrain}&{query}")
    title, subtitle = CARS[powertrain]
    assert title.lower() in reading.title.lower()
    assert f"Passenger {subtitle} " in reading.subtitle
    download = MARKET_SHARE.rows(reading)
    assert set(download["powertrain"]) == {powertrain.value}
    if reading.selection.measure is Measure.UNITS:
        expected = {"NEV": 120, **units}[powertrain.value]
        assert set(download["value"]) == {expected}
        assert f" {style.units_text(expected)}" in reading.title
        assert set(next(iter(lines_of(reading).values()))) == {expected, None}, "the line, with a gap of eleven months"


# 4. Small models lost in `other` and shown as zero. Held too by test_sales_lines'
#    test_a_model_that_drops_off_the_list_has_no_row_but_is_bounded_in_a_window and test_market_share's
#    test_a_maker_that_is_not_named_is_a_gap_and_never_a_zero.


@pytest.mark.parametrize(
    "query", ["measure=units", "", "by=model", "measure=growth", "by=model&measure=growth", "by=market&makers=tesla"]
)
def test_4_what_drops_into_the_rest_is_never_zero(empty_engine: Engine, query: str) -> None:
    named = {"Tesla|Model 3": 20, "BYD|Seal": 40, "other": 40}
    months = {f"{year}-{n:02d}": named for year in (2025, 2026) for n in (1,)}
    months["2026-02"] = months["2025-02"] = {"BYD|Seal": 40, "other": 60}
    fill(empty_engine, {"CN": months})
    reading = read(empty_engine, f"market=CN&{query}")
    if "growth" not in query:
        assert all(0 not in values for values in lines_of(reading).values())
    assert all("Tesla 0" not in text for text in (reading.title, *reading.notes, *MARKET_SHARE.table(reading).rows[0]))
    rows = MARKET_SHARE.rows(reading)
    hidden = rows[(rows["maker"] == "tesla") & (rows["period_start"] == "2026-02-01")]
    assert set(hidden["value"]) <= {0}
    assert (hidden["high"] > 0).all()
    assert set(hidden["flags"]) <= {"lower_bound"}, "a bound, and called one"


# 5. Negative or above-100 % source values passed through. Held too by test_tidy's and test_our_world_in_data's
#    test_a_share_outside_0_to_100_is_rejected.


@pytest.mark.parametrize("units", ["-1", "-100", "1.5", "1e3", "inf", "nan"])
def test_5_units_that_are_no_count_are_rejected_with_their_line(units: str) -> None:
    text = f"{HEADER}\n2026-01,DE,registration,BEV,passenger_car,tesla,all,{units},2026-03-01,\n"
    found = tidy.read(text.encode(), file="mine.csv", require_address=False, known_on=world.DAY)
    assert [(each.line, each.column, each.value) for each in found.rejected] == [(2, "units", units)]
    assert found.claims.sales.empty


@pytest.mark.parametrize("share", ["-0.1", "1.01", "101", "nan"])
def test_5_shares_outside_0_to_1_are_rejected_with_their_line(share: str) -> None:
    header = HEADER.replace("units", "share")
    text = f"{header}\n2026-01,DE,registration,BEV,passenger_car,all,all,{share},2026-03-01,\n"
    found = tidy.read(text.encode(), file="mine.csv", require_address=False, known_on=world.DAY)
    assert [(each.line, each.column) for each in found.rejected] == [(2, "share")]
    assert found.claims.penetration.empty


@pytest.mark.parametrize(("table", "column", "wrong"), [("sales", "units", -1), ("penetration", "share", 1.5)])
def test_5_the_database_itself_refuses_them(empty_engine: Engine, table: str, column: str, wrong: float) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 10}}})
    copied = "series_id, period_start, known_to, snapshot_id, line, evidence_id"
    with database.writing(empty_engine) as connection, pytest.raises(IntegrityError):
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({copied}, known_from, {column}) "
            f"SELECT {copied.replace('period_start', repr('2026-02-01'))}, '2026-03-01', {wrong} FROM sales"
        )


def test_5_more_electric_cars_than_cars_are_no_share_above_the_whole(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Tesla": 110, "BYD": 10}}},
        all_cars={"DE": {"2026-01": {"Tesla": 100, "BYD": 10, "other": 90}}},
    )
    rows = MARKET_SHARE.rows(read(empty_engine, "of=ALL"))
    assert rows["high"].max() == 110 / 200, "a maker's two registers may differ; the market's total stands"


# 6. An unfinished month drawn as a collapse.


def test_6_a_sum_over_markets_ends_with_the_last_month_that_all_have(empty_engine: Engine) -> None:
    months = {f"2026-0{n}": {"Tesla": 100} for n in (1, 2, 3)}
    fill(empty_engine, {"DE": months, "FR": {name: of for name, of in months.items() if name != "2026-03"}})
    reading = read(empty_engine, "market=DE,FR&measure=units")
    assert lines_of(reading) == {"Tesla": [200, 200]}
    assert "Figures of France end with Feb 2026." in reading.notes
    assert "Feb 2026" in reading.title
    beside = read(empty_engine, "market=DE,FR&measure=units&by=market")
    assert lines_of(beside) == {"Germany": [100, 100, 100], "France": [100, 100, None]}
    shares = read(empty_engine, "market=DE,FR&by=market")
    assert lines_of(shares) == {"Germany": [0.5, 0.5], "France": [0.5, 0.5]}


@pytest.mark.parametrize("grain", ["quarter", "year"])
def test_6_a_quarter_or_year_that_has_begun_is_not_drawn(empty_engine: Engine, grain: str) -> None:
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 100}) | {"2026-01": {"Tesla": 100}}})
    values = line(ask(empty_engine, f"measure=units&grain={grain}"), "tesla").value
    assert set(values.tolist()) == {300 if grain == "quarter" else 1200}


@pytest.fixture
def unfinished(empty_engine: Engine) -> Engine:
    """Korea's last month holds a tenth of what the others do, and its publisher says that it is not all."""
    months = [(f"{year}-{n:02d}", maker, 100) for year in (2025, 2026) for n in (1, 2) for maker in ("tesla", "byd")]
    before = [("2025-03", "tesla", 100), ("2025-03", "byd", 20)]
    state(empty_engine, "office", *months, *before, rank=10)
    state(empty_engine, "late", ("2026-03", "tesla", 10), ("2026-03", "byd", 2), note="incomplete: two of ten regions",
          published_on=date(2026, 4, 2), rank=10)  # fmt: skip
    return empty_engine


def test_6_a_record_that_its_publisher_calls_incomplete_is_marked_and_out_of_trends(unfinished: Engine) -> None:
    reading = read(unfinished, "market=KR")
    assert reading.title == "Tesla has 83.3 % and BYD 16.7 %".replace("has ", "") + (
        " of South Korean BEVs in Mar 2026 (incomplete)"
    ), "nobody leads, and no change on a year before is told"
    assert reading.badge.amber
    assert "incomplete" in reading.badge.text
    assert "Records are incomplete in Mar 2026: they are marked, and not compared with complete ones." in reading.notes
    rows = MARKET_SHARE.rows(reading)
    assert set(rows.loc[rows["flags"] == "incomplete", "period_start"]) == {"2026-03-01"}
    assert reading.content.figures.unfinished.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("query", ["", "&by=market", "&window=3m", "&window=ytd", "&makers=tesla"])
def test_6_it_did_not_shrink(unfinished: Engine, query: str) -> None:
    try:
        figures = ask(unfinished, f"market=KR&measure=growth{query}")
    except NotPublished:
        return
    assert "2026-03" not in periods(figures)
    for each in figures.lines:
        assert each.value.tolist() == [0] * len(each.value)


def test_6_windows_that_reach_over_it_are_marked_too(unfinished: Engine) -> None:
    figures = ask(unfinished, "market=KR&measure=units&window=ytd")
    assert dict(zip(periods(figures), figures.unfinished.tolist(), strict=True))["2026-03"]
    assert not dict(zip(periods(figures), figures.unfinished.tolist(), strict=True))["2026-02"]


def test_6_a_month_that_is_told_while_it_runs_is_unfinished(empty_engine: Engine) -> None:
    months = {f"{year}-{n:02d}": {"Tesla": 100} for year in (2025, 2026) for n in (1, 2)}
    fill(empty_engine, {"DE": months}, known_on=date(2026, 2, 20))
    assert ask(empty_engine, "measure=units").unfinished.tolist() == [False, False, False, True]
    assert periods(ask(empty_engine, "measure=growth")) == ["2026-01"]


def test_6_a_month_that_is_over_is_finished(empty_engine: Engine) -> None:
    months = {f"{year}-{n:02d}": {"Tesla": 100} for year in (2025, 2026) for n in (1, 2)}
    fill(empty_engine, {"DE": months}, known_on=date(2026, 3, 1))
    assert not ask(empty_engine, "measure=units").unfinished.any()
    assert periods(ask(empty_engine, "measure=growth")) == ["2026-01", "2026-02"]


def test_6_what_is_only_unnamed_is_whole(empty_engine: Engine) -> None:
    note = "Incomplete: some models are not listed by name, but included as 'other'."
    state(empty_engine, "office", ("2026-01", "tesla", 60), ("2026-01", "other", 40), note=note)
    assert not ask(empty_engine, "market=KR").unfinished.any()


# 7. A shared link that drops filters. Held too by test_selection's
#    test_a_selection_is_read_back_from_its_own_query and test_a_card's test_a_deep_link_sets_chart_and_controls.


@given(
    selection=st.builds(
        Selection,
        market=st.sampled_from([("CN", "DE"), ("WORLD",), ("GB",)]),
        by=st.sampled_from(By),
        makers=st.sampled_from([(), ("tesla",), ("byd", "tesla")]),
        models=st.sampled_from([(), ("tesla-model-y",)]),
        powertrain=st.sampled_from(PowertrainChoice),
        of=st.sampled_from([None, *PowertrainChoice]),
        grain=st.sampled_from(Grain),
        window=st.sampled_from(Window),
        measure=st.sampled_from(Measure),
        since=st.sampled_from([None, date(2024, 1, 1)]),
        until=st.sampled_from([None, date(2026, 6, 1)]),
        as_of=st.sampled_from([None, date(2026, 7, 1)]),
        currency=st.sampled_from(["local", "EUR"]),
        scenario=st.sampled_from([None, "high"]),
    )
)
def test_7_a_link_keeps_every_filter(selection: Selection) -> None:
    link = downloads.link(MARKET_SHARE, selection, site="https://site.example")
    query = link.partition("?")[2]
    assert Selection.from_query(query, defaults=MARKET_SHARE.defaults) == selection
    names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    changed = {name for name, value in vars(selection).items() if value != getattr(MARKET_SHARE.defaults, name)}
    assert names == changed


def test_7_the_link_on_a_picture_is_the_selection_of_its_figures(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 10, "BYD": 20})})
    query = "makers=tesla&since=2025-03&until=2025-06&measure=units"
    reading = read(empty_engine, query)
    again = read(empty_engine, downloads.link(MARKET_SHARE, reading.selection, site="").partition("?")[2])
    assert MARKET_SHARE.rows(again).equals(MARKET_SHARE.rows(reading))


# 8. Exports that depend on the window size, clip titles, show menu dots or silently replace a missing font. Held too by
#    test_pictures' test_a_missing_font_stops_the_picture, test_a_picture_needs_a_width and
#    test_text_is_set_in_the_bundled_font, and by test_style's test_nothing_in_a_frame_overlaps_or_leaves_the_picture.


def test_8_a_picture_knows_no_window_and_shows_no_menu(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 10, "BYD": 20})})
    reading = read(empty_engine, "")
    figure = MARKET_SHARE.draw(reading, style.PICTURE)
    layout = figure["layout"]
    assert (layout["width"], layout["height"]) == (style.PICTURE.width, style.PICTURE.height)
    assert not layout.get("autosize")
    assert style.CONFIG["displayModeBar"] is False
    assert style.CONFIG["displaylogo"] is False
    assert layout["font"]["family"] == style.FONT_FAMILY
    assert "config" not in inspect.signature(pictures.render).parameters, "no picture is made with a menu"


@pytest.mark.parametrize("measure", ["share", "units", "growth"])
def test_8_titles_are_whole_sentences_and_never_cut(bundled_engine: Engine, measure: str) -> None:
    for query in ("market=GB", "market=GB&by=group", "market=CN&by=model", "market=GB&window=ttm&makers=tesla,byd"):
        title = read(bundled_engine, f"{query}&measure={measure}&grain=quarter").title
        assert len(title) <= 90
        assert not title.endswith("…")


WORLD = Nouns(
    markets={"GB": "United Kingdom", "AE": "United Arab Emirates", "EU": "European Union", "WORLD": "World"},
    adjectives={},
    regions=frozenset({"EU", "WORLD"}),
    makers={"mercedes-benz-cars": "Mercedes-Benz Cars", "zeekr-plus-lynk-and-co": "Zeekr + Lynk & Co"},
    models={},
    model_makers={},
    groups={},
    members={},
)


@pytest.mark.parametrize("basis", BasisChoice)
@pytest.mark.parametrize("powertrain", PowertrainChoice)
@pytest.mark.parametrize("measure", [Measure.SHARE, Measure.UNITS, Measure.GROWTH])
def test_8_subtitles_have_room_for_all_that_they_have_to_say(
    basis: BasisChoice, powertrain: PowertrainChoice, measure: Measure
) -> None:
    sets = [("WORLD",)] if basis is BasisChoice.REPORTED else [("GB",), ("AE",), ("AE", "EU", "GB")]
    named: list[tuple[str, ...]] = [(), ("mercedes-benz-cars",), tuple(WORLD.makers)]
    for market, of, by, makers, grain, window in product(sets, (None, PowertrainChoice.ALL), By, named, Grain, Window):
        chosen = Selection(market=market, basis=basis, powertrain=powertrain, of=of, by=by, makers=makers, grain=grain,
                           window=window, measure=measure)  # fmt: skip
        figures = MarketFigures(selection=chosen, start=np.array([]), lines=(), reach={}, nouns=WORLD, dataset=NOTHING)
        text = subtitle(figures)
        assert len(text) <= 90
        assert not text.endswith("…")
        assert CARS[PowertrainChoice.NEV if by is By.POWERTRAIN else powertrain][1] in text
        assert f"by {by}" in text
        assert text.endswith(("ly", "months", "sums", "to date"))


NOTHING = Dataset(markets={}, citations=(), as_of=None, remarks={})


# 9. Quarters divided by three and drawn as months.


@pytest.mark.parametrize("window", Window)
@pytest.mark.parametrize("measure", ["units", "share", "growth"])
def test_9_quarters_are_never_drawn_as_months(empty_engine: Engine, window: Window, measure: str) -> None:
    quarters = {f"{year}-Q{n}": {"Tesla|Model Y": 30, "other": 60} for year in (2024, 2025) for n in (1, 2, 3, 4)}
    fill(empty_engine, {"US": quarters})
    with pytest.raises(Refusal, match="a quarter is never cut into months") as refused:
        ask(empty_engine, f"market=US&window={window}&measure={measure}")
    nearest = refused.value.nearest
    assert nearest is not None
    assert nearest.grain is Grain.QUARTER
    figures = ask(empty_engine, nearest.query(defaults=Selection()))
    assert not np.isin(line(figures, "tesla").units, [10.0]).any()


def test_9_makers_own_quarters_are_never_drawn_as_months(empty_engine: Engine) -> None:
    state(empty_engine, "own", ("2025-Q1", "tesla", 300), ("2025-04", "tesla", 90), states=States.MAKERS,
          market="WORLD", basis="delivery")  # fmt: skip
    figures = ask(empty_engine, "market=WORLD&basis=delivery&measure=units")
    assert (periods(figures), line(figures, "tesla").value.tolist()) == (["2025-04"], [90])


# 10. Wholesale headlines compared with retail.


@pytest.fixture
def china(empty_engine: Engine) -> Engine:
    """China's market in retail and wholesale, and Tesla in both: 100 retailed, 300 shipped with exports."""
    for basis, market, tesla in (("retail", 400, 100), ("wholesale", 900, 300)):
        state(empty_engine, f"m-{basis}", ("2026-01", ALL, market), basis=basis, market="CN")
        state(empty_engine, f"t-{basis}", ("2026-01", "tesla", tesla), basis=basis, market="CN", states=States.MAKERS)
    state(empty_engine, "all-cars", ("2026-01", ALL, 2000), basis="wholesale", market="CN", powertrain="ALL")
    fill(empty_engine, {"CN": {"2026-01": {"Tesla": 200, "other": 300}}})
    return empty_engine


@pytest.mark.parametrize(
    ("basis", "units", "share", "word"),
    [
        ("retail", 100, 100 / 400, "retailed"),
        ("wholesale", 300, 300 / 900, "wholesaled"),
        ("registration", 200, 200 / 500, "of Chinese BEVs in"),
    ],
)
def test_10_each_basis_has_its_own_numerator_and_denominator(
    china: Engine, basis: str, units: int, share: float, word: str
) -> None:
    assert line(ask(china, f"market=CN&basis={basis}&measure=units"), "tesla").value.tolist() == [units]
    reading = read(china, f"market=CN&basis={basis}&makers=tesla")
    assert line(reading.content.figures, "tesla").value.tolist() == [share]
    assert word in reading.title
    assert set(MARKET_SHARE.rows(reading)["basis"]) == {basis}


def test_10_a_share_over_two_bases_is_refused_and_names_both(china: Engine) -> None:
    with pytest.raises(Incomparable, match="all cars are stated as wholesale figures only") as refused:
        ask(china, "market=CN&basis=retail&of=ALL")
    assert "battery-electric cars here as retail figures" in str(refused.value)
    assert refused.value.nearest is not None
    assert refused.value.nearest.basis == "retail"


def test_10_a_link_knows_no_two_bases() -> None:
    with pytest.raises(InvalidSelection, match="basis=retail,wholesale is unknown"):
        Selection.from_query("basis=retail,wholesale", defaults=Selection())
