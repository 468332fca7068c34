"""A tile for every country, at a place of its own: shades, periods that differ, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine

from dashboard import downloads
from dashboard.charts.chart import DOWNLOAD_COLUMNS, TITLE_LENGTH, Reading
from dashboard.charts.market_map import MARKET_MAP
from dashboard.charts.market_map_drawing import BLOCKS, SHADES, places
from dashboard.charts.market_map_words import Map, scale
from dashboard.pages.points import points
from dashboard.selection import Incomparable, InvalidSelection, Measure, Refusal, Selection
from dashboard.style import PICTURE, SCREEN, SHEET, Figure, Look, text_width
from etl import harmonize
from tests.dashboard.test_sales_lines import fill
from tests.dashboard.test_style import THEMES, contrast, seen
from tests.world import cards

TODAY = date(2026, 7, 24)
NARROW = Look(height=320, font_px=12)
LOOKS = (SCREEN, NARROW, Look(theme="dark"), PICTURE, SHEET)

Totals = Mapping[str, tuple[int, int]]
"""Period to electric cars and all cars."""


def months(first: str, electric: int, every: int) -> Totals:
    """Twelve equal months from a month such as 2025-07 on."""
    year, month = int(first[:4]), int(first[5:]) - 1
    return {f"{year + (month + n) // 12}-{(month + n) % 12 + 1:02d}": (electric, every) for n in range(12)}


def fill_totals(engine: Engine, markets: Mapping[str, Totals]) -> Engine:
    """Load made-up totals."""
    bev, every = (
        {code: {period: {"other": cars[n]} for period, cars in totals.items()} for code, totals in markets.items()}
        for n in (0, 1)
    )
    return fill(engine, bev, all_cars=every)


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, MARKET_MAP, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, MARKET_MAP, query, today=TODAY)


def drawn(reading: Reading, look: Look = SCREEN) -> Figure:
    return cards.drawn(MARKET_MAP, reading, look)


def words(figure: Figure) -> dict[str, list[str]]:
    """What is written on the tiles, by code."""
    texts = [text.split("<br>") for text in figure["data"][0]["text"] if text.startswith("<b>")]
    return {lines[0].removeprefix("<b>").removesuffix("</b>"): lines[1:] for lines in texts}


def tiles(reading: Reading) -> dict[str, tuple[str, str, str]]:
    """Amount, change and period of each tile that has a figure."""
    shown: Map = reading.content
    return {tile.code: (tile.amount, tile.change, tile.period) for tile in shown.tiles}


TWO_YEARS = {**months("2024-07", 10, 100), **months("2025-07", 20, 100)}
WORLD: Mapping[str, Totals] = {
    "DE": TWO_YEARS,
    "FR": {**months("2024-07", 5, 100), **months("2025-07", 4, 100)},
    "NO": months("2025-05", 90, 100),
    "US": {f"2025-Q{n}": (5, 100) for n in (1, 2, 3, 4)},
}
"""Germany from 10 to 20 %, France from 5 to 4 %, Norway to April only, the US by quarter."""


# Places


@pytest.mark.parametrize("narrow", [False, True])
def test_every_country_has_a_place_and_no_two_share_one(narrow: bool) -> None:
    placed = places(narrow=narrow)
    countries = {market["code"] for market in harmonize.reference().markets if market["kind"] == "country"}
    assert countries <= placed.keys()
    assert placed.keys() - countries == {"WORLD", "EUROPE", "EU"}
    corners = list(placed.values())
    assert len(corners) == sum(row.split().count(code) for block in BLOCKS for row in block.rows for code in placed)
    for n, (x, y) in enumerate(corners):
        assert not any(abs(x - other) < 1 and abs(y - beneath) < 1 for other, beneath in corners[n + 1 :])


def test_every_market_of_the_database_with_passenger_cars_has_a_place(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, "measure=units")
    assert {tile.code for tile in reading.content.tiles} <= places(narrow=False).keys()
    assert len(reading.content.tiles) > 20


def test_neighbours_lie_as_on_earth() -> None:
    placed = places(narrow=False)
    for west, east in (("PT", "ES"), ("IE", "GB"), ("FR", "DE"), ("NO", "FI"), ("US", "CN"), ("AU", "NZ")):
        assert placed[west][0] < placed[east][0]
    for north, south in (("CA", "US"), ("NO", "DK"), ("DE", "IT"), ("CN", "TH"), ("GB", "FR"), ("PL", "GR")):
        assert placed[north][1] < placed[south][1]


# Shades


@pytest.mark.parametrize("theme", THEMES)
def test_shades_are_steps_of_lightness_with_text_that_can_be_read(theme: str) -> None:
    steps = SHADES[theme]  # type: ignore[index]
    light = [float(seen(fill, "normal")[0]) for fill, _ in steps]
    widths = [abs(b - a) for a, b in pairwise(light)]
    assert light == sorted(light, reverse=theme == "light"), "more is farther from the background"
    assert max(widths) - min(widths) < 1.5
    assert all(contrast(shade, text) >= 4.5 for shade, text in steps)


def test_the_scale_is_the_narrowest_that_tells_the_largest_apart() -> None:
    assert scale(0.97, Measure.SHARE)[-1] == 0.70
    assert scale(0.20, Measure.SHARE)[-1] == 0.16
    assert scale(0.02, Measure.SHARE)[-1] == 0.032
    for measure in (Measure.SHARE, Measure.UNITS):
        for largest in (0.001, 0.1, 1.0):
            assert list(scale(largest, measure)) == sorted(scale(largest, measure))
            assert len(scale(largest, measure)) == len(SHADES["light"]) - 1


def test_more_is_darker_and_a_value_on_an_edge_belongs_to_the_step_above(empty_engine: Engine) -> None:
    fill_totals(empty_engine, {code: months("2025-07", n, 100) for code, n in (("DE", 40), ("FR", 39), ("NO", 95))})
    figure = drawn(read(empty_engine))
    fills = [shape["fillcolor"] for shape in figure["layout"]["shapes"]]
    placed = dict(zip(places(narrow=False), fills, strict=False))
    shades = [fill for fill, _ in SHADES["light"]]
    assert [shades.index(placed[code]) for code in ("FR", "DE", "NO")] == [4, 5, 6]


# Figures


def test_a_tile_has_its_markets_newest_twelve_months_and_the_change_in_them(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    assert tiles(read(empty_engine)) == {
        "NO": ("90.0 %", "", "12 months to Apr 2026"),
        "DE": ("20.0 %", "+10.0 pp", "12 months to Jun 2026"),
        "US": ("5.0 %", "", "12 months to Dec 2025"),
        "FR": ("4.0 %", "−1.0 pp", "12 months to Jun 2026"),
    }


def test_a_figure_of_another_period_is_marked_with_it(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    reading = read(empty_engine)
    figure = drawn(reading)
    written = {code: "".join(lines) for code, lines in words(figure).items() if lines}
    assert ">+10.0<" in written["DE"]
    assert ">to 4/26<" in written["NO"]
    assert ">to 12/25<" in written["US"]
    dashes = [shape["line"]["dash"] for shape in figure["layout"]["shapes"]]
    marked = {code for code, dash in zip(places(narrow=False), dashes, strict=False) if dash == "dot"}
    assert marked == {"NO", "US"}
    note = next(note for note in reading.notes if note.startswith("Dashed"))
    assert note == (
        "Dashed, of another period than the others: 12 months to Apr 2026: Norway; 12 months to Dec 2025: "
        "United States."
    )


def test_a_market_published_by_year_shows_its_year(empty_engine: Engine) -> None:
    fill_totals(empty_engine, {"DE": months("2025-01", 20, 100), "FR": {"2025-Q1": (1, 100), "2025-Q2": (2, 100)}})
    by_year = read(empty_engine, "grain=year")
    assert tiles(by_year) == {"DE": ("20.0 %", "", "2025")}
    assert by_year.content.without == {"FR": "nothing recent for this selection"}


def test_a_market_without_a_figure_is_an_outline_that_says_no_data(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    fill(empty_engine, {"IT": {"2026-01": {"other": 10}}})
    reading = read(empty_engine)
    figure = drawn(reading)
    assert words(figure)["IT"] == []
    hovers = {trace.get("name"): trace.get("hovertext", [""])[0] for trace in figure["data"][1:]}
    assert hovers["Italy"].startswith("no data: no source loaded states ALL totals")
    assert hovers["JP"].startswith("no data")
    assert any(note.startswith("No data: Italy (no source") for note in reading.notes)
    shapes = dict(zip(places(narrow=False), figure["layout"]["shapes"], strict=False))
    assert shapes["IT"]["fillcolor"] == "rgba(0,0,0,0)"


def test_an_old_figure_is_no_answer(empty_engine: Engine) -> None:
    fill_totals(empty_engine, {"DE": TWO_YEARS, "FR": months("2020-01", 50, 100)})
    assert set(tiles(read(empty_engine))) == {"DE"}
    assert set(tiles(read(empty_engine, "until=2021-06"))) == {"FR"}


def test_a_maker_has_its_share_of_each_markets_cars_with_its_bounds(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2026-06": {"BYD|Seal": 20, "Tesla|Model Y": 70, "other": 10}},
            "FR": {"2026-06": {"BYD": 40, "Tesla": 60}},
            "NO": {"2026-06": {"Tesla|Model Y": 95, "other": 5}},
            "IT": {"2026-06": {"other": 5}},
        },
    )
    reading = read(empty_engine, "makers=byd&window=none")
    assert {code: amount for code, (amount, _, _) in tiles(reading).items()} == {
        "FR": "40.0 %",
        "DE": "≥20.0 %",
        "NO": "≤5.0 %",
    }
    assert reading.title == "BYD: France 40.0 %, Germany at least 20.0 % of BEVs; named in 2 of 3 markets"
    figure = drawn(reading)
    shapes = dict(zip(places(narrow=False), figure["layout"]["shapes"], strict=False))
    assert shapes["NO"]["fillcolor"] == "rgba(0,0,0,0)", "not named is not next to nothing"
    assert reading.notes[0].startswith("≥ marks a lower bound")


def test_cars_can_be_shown_in_the_place_of_shares(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD | {"CN": months("2025-07", 100_000, 200_000)})
    reading = read(empty_engine, "measure=units")
    assert reading.title == "BEVs: China 1.20 M, Norway 1,080, Germany 240, newest figures"
    written = {code: lines for code, lines in words(drawn(reading)).items() if lines}
    assert written["CN"][0] == "1.20\u2009M"
    assert ">+100 %<" in written["DE"][1], "240 after 120"


# Titles


def test_the_title_says_how_far_the_first_is_and_how_many_are_far(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    assert read(empty_engine).title == "BEVs are 90.0 % of Norwegian cars, and a fifth or more in 2 of 4 countries"
    fill_totals(empty_engine, {"IT": months("2025-07", 60, 100)})
    assert read(empty_engine).title == "BEVs are 90.0 % of Norwegian cars, and half or more in 2 of 5 countries"


def test_where_few_are_far_the_title_has_the_last_instead(empty_engine: Engine) -> None:
    fill_totals(empty_engine, {code: months("2025-07", n, 100) for code, n in (("DE", 9), ("FR", 2), ("NO", 95))})
    assert read(empty_engine).title == "BEVs are 95.0 % of Norwegian cars, 2.0 % of French ones, newest figures"


def test_regions_do_not_count_as_countries(empty_engine: Engine) -> None:
    fill_totals(empty_engine, {code: months("2025-07", 50, 100) for code in ("DE", "FR", "EU")})
    assert read(empty_engine).title.endswith("half or more in 2 of 2 countries")


def test_of_one_market_the_title_has_the_change(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    assert read(empty_engine, "market=DE").title == (
        "BEVs are 20.0 % of German cars in the 12 months to Jun 2026, +10.0 pp on a year before"
    )
    assert read(empty_engine, "market=NO").title == "BEVs are 90.0 % of Norwegian cars in the 12 months to Apr 2026"


def test_a_maker_that_nobody_names_has_no_share(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-06": {"Tesla|Model Y": 95, "other": 5}, "2020-06": {"BYD|Seal": 1, "other": 1}}})
    reading = read(empty_engine, "makers=byd&window=none")
    assert reading.title == "BYD is named in none of 1 markets' newest figures"


# Refusals, rows, looks


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("measure=growth", "this chart draws share, units, not growth"),
        ("makers=byd,tesla", "a single brand"),
        ("powertrain=ALL", "all cars are all of all cars"),
        ("basis=reported", "there is no share across them"),
        ("basis=retail", "no source loaded states retail figures"),
        ("powertrain=NEV", "no source loaded states NEV"),
        ("market=IT", "no source loaded states ALL totals"),
        ("as_of=2010-01-01", "2010-01-01"),
        ("until=2010-01", ""),
    ],
)
def test_what_cannot_be_shown_is_refused_with_a_way_on_that_can(empty_engine: Engine, query: str, said: str) -> None:
    fill_totals(empty_engine, WORLD)
    fill(empty_engine, {"IT": {"2026-06": {"BYD": 20, "Tesla": 70, "other": 10}}})
    refusal = refused(empty_engine, query)
    assert said in str(refusal)
    assert refusal.nearest is not None
    with empty_engine.connect() as connection:
        assert MARKET_MAP.load(connection, refusal.nearest, today=TODAY).content.tiles


def test_names_that_nobody_knows_are_invalid(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    for query in ("market=XX", "makers=nobody"):
        with pytest.raises(InvalidSelection):
            read(empty_engine, query)


def test_an_empty_database_is_refused_and_not_a_blank(empty_engine: Engine) -> None:
    refusal = refused(empty_engine, "")
    assert "etl load" in str(refusal)
    assert refusal.nearest is None


def test_rows_are_one_a_market_each_with_its_own_period(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    rows = MARKET_MAP.rows(read(empty_engine))
    assert tuple(rows.columns) == DOWNLOAD_COLUMNS
    assert sorted(rows["market"]) == ["DE", "FR", "NO", "US"]
    of_us = rows[rows["market"] == "US"].iloc[0]
    assert (of_us["period_start"], of_us["grain"], of_us["window"]) == ("2025-10-01", "quarter", "ttm")
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()


def test_a_tile_has_the_receipts_of_its_own_period(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    reading = read(empty_engine)
    found = {each.point.market: each for each in points(drawn(reading))}
    assert found.keys() == {"DE", "FR", "NO", "US"}
    assert found["DE"].text == "20.0 %, 12 months to Jun 2026, +10.0 pp on a year before"
    assert MARKET_MAP.receipts is not None
    with empty_engine.connect() as connection:
        of_us = MARKET_MAP.receipts(connection, reading, found["US"].point)
        of_de = MARKET_MAP.receipts(connection, reading, found["DE"].point)
    assert sorted(of_us["period_start"]) == ["2025-01-01", "2025-04-01", "2025-07-01", "2025-10-01"]
    assert len(of_de) == 12
    assert set(of_de["units"]) == {20}


def test_the_download_with_receipts_tells_each_tiles_own_periods(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    reading = read(empty_engine)
    with empty_engine.connect() as connection:
        document = downloads.document(connection, MARKET_MAP, reading, MARKET_MAP.rows(reading), site="")
    lines = {row["market"]: sum(len(ref["lines"]) for ref in row["receipts"]) for row in document["rows"]}
    assert lines == {"DE": 12, "FR": 12, "NO": 12, "US": 4}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("query", ["", "market=DE", "measure=units", "market=US&window=none"])
def test_every_look_of_every_reading_is_a_figure(empty_engine: Engine, look: Look, query: str) -> None:
    fill_totals(empty_engine, WORLD)
    reading = read(empty_engine, query)
    assert len(reading.title) <= TITLE_LENGTH
    figure = drawn(reading, look)
    assert figure["layout"]["height"] > 300
    assert MARKET_MAP.table(reading).rows


def test_on_a_narrow_screen_tiles_keep_code_and_value_within_their_edges(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD | {"CN": months("2025-07", 123_456, 234_567)})
    for query in ("", "measure=units"):
        figure: dict[str, Any] = drawn(read(empty_engine, query), NARROW)
        first, last = figure["layout"]["xaxis"]["range"]
        tile = (358 - 8) / (last - first)
        for lines in words(figure).values():
            assert len(lines) <= 1
            for line in lines:
                assert text_width(line, figure["data"][0]["textfont"]["size"]) <= tile
        assert figure["data"][0]["textfont"]["size"] >= 12


def test_a_refusal_of_all_markets_keeps_its_kind(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    assert isinstance(refused(empty_engine, "basis=reported"), Incomparable)
    assert not isinstance(refused(empty_engine, "basis=retail"), Incomparable)


def test_a_window_that_years_do_not_have_is_the_year(empty_engine: Engine) -> None:
    fill_totals(empty_engine, {"DE": months("2025-01", 20, 100)})
    assert tiles(read(empty_engine, "grain=year&window=3m")) == {"DE": ("20.0 %", "", "2025")}


def test_the_change_on_the_year_is_there_while_the_figure_is(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        selection = Selection.from_query("market=CA,US", defaults=MARKET_MAP.defaults)
        late = MARKET_MAP.load(connection, selection, today=date(2026, 11, 22))
    assert {code: change for code, (_, change, _) in tiles(late).items()} == {"CA": "−3.8 pp", "US": "−0.8 pp"}


def test_only_markets_on_the_map_are_waited_for(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-06": {"Tesla": 10}}, "FR": {"2020-06": {"Tesla": 10}}})
    with empty_engine.connect() as connection:
        selection = Selection.from_query("makers=tesla&window=none", defaults=MARKET_MAP.defaults)
        reading = MARKET_MAP.load(connection, selection, today=date(2026, 12, 1))
    assert set(tiles(reading)) == {"DE"}
    assert reading.badge.reason.startswith("Newer figures of Germany were due")


def test_a_code_is_never_wider_than_its_tile(empty_engine: Engine) -> None:
    fill_totals(empty_engine, WORLD)
    figure = drawn(read(empty_engine), NARROW)
    (name,) = (text for text in figure["data"][0]["text"] if "Europe</b>" in text)
    size = float(name.split("font-size:")[1].split("px")[0])
    left, right = figure["layout"]["xaxis"]["range"]
    assert text_width("Europe", size, bold=True) < 330 / (right - left), "330 pixels are for all columns"
    assert any(text.startswith("<b>DE</b>") for text in figure["data"][0]["text"]), "a short one is as large as ever"
