"""Titles that say what the data say, gaps that are not zeros, labels and receipts that agree with the figures."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, text

from dashboard.charts.chart import Point, Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.charts.market_words import period_name
from dashboard.selection import Selection
from dashboard.style import PICTURE, SCREEN, Figure
from tests.dashboard.test_sales_lines import fill, line, monthly
from tests.world import cards

TODAY = date(2026, 7, 24)
"""A day after the latest bundled snapshot, on which nothing of June is overdue."""


def read(engine: Engine, query: str = "") -> Reading:
    return cards.read(engine, MARKET_SHARE, query, today=TODAY)


def drawn(reading: Reading) -> Figure:
    figure = MARKET_SHARE.draw(reading, SCREEN)
    return dict(json.loads(json.dumps(figure, allow_nan=False)))


def lines_of(figure: Figure) -> dict[str, list[Any]]:
    """The drawn lines, without the edges of bands."""
    return {trace["name"]: trace["y"] for trace in figure["data"] if "name" in trace}


def labels(figure: Figure) -> list[str]:
    return [str(note["text"]) for note in figure["layout"]["annotations"]]


# Titles

TWO_YEARS = {
    "2025-01": {"Tesla": 50, "BYD": 40, "other": 10},
    "2026-01": {"Tesla": 60, "BYD": 30, "other": 10},
}


def test_who_leads_is_said_with_the_change_and_the_second(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": TWO_YEARS})
    assert (
        read(empty_engine).title == "Tesla leads German BEVs in Jan 2026: 60.0 %, +10.0 pp on a year before; BYD 30.0 %"
    )
    assert read(empty_engine, "measure=units").title == "Tesla leads German BEVs in Jan 2026: 60; BYD 30"


@pytest.mark.parametrize(
    "record",
    [
        {"Tesla": 50, "BYD": 50},
        {"Tesla|Model Y": 40, "BYD|Seal": 35, "other": 25},
        {"Tesla": 40, "BYD": 15, "other": 45},
        {"Tesla|Model Y": 46, "BYD|Seal": 44, "other": 4},
    ],
    ids=["a tie", "the second could have the rest", "the rest could be one maker", "a small rest is enough"],
)
def test_nobody_leads_who_might_not(empty_engine: Engine, record: dict[str, int]) -> None:
    fill(empty_engine, {"DE": {"2026-01": record}})
    title = read(empty_engine).title
    assert "leads" not in title
    assert "Tesla" in title


def test_a_filter_on_makers_does_not_claim_to_lead_the_market(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": TWO_YEARS})
    assert (
        read(empty_engine, "makers=byd").title == "BYD has 30.0 % of German BEVs in Jan 2026, −10.0 pp on a year before"
    )
    assert read(empty_engine, "makers=byd,tesla").title == "Tesla 60.0 % and BYD 30.0 % of German BEVs in Jan 2026"


def test_an_interval_is_called_one(empty_engine: Engine) -> None:
    fill(empty_engine, {"CN": {"2026-01": {"BYD|Seal": 12, "Tesla|Model Y": 8, "other": 80}}})
    assert read(empty_engine, "market=CN").title == (
        "BYD has at least 12.0 % of Chinese BEVs in Jan 2026; 80.0 % of the market is unnamed"
    )
    alone = read(empty_engine, "market=CN&makers=byd").title
    assert alone == "BYD has at least 12.0 %, at most 92.0 % of Chinese BEVs in Jan 2026"


def test_a_difference_that_rounds_away_is_not_called_one(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 60_000, "BYD|Seal": 39_999, "other": 1}}})
    assert read(empty_engine).title == "Tesla leads German BEVs in Jan 2026: 60.0 %; BYD 40.0 %"
    assert not read(empty_engine, "as_of=2026-03-02").badge.amber


def test_a_maker_that_is_not_named_has_at_most_and_not_at_least_nothing(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"BR": {"2025-12": {"Tesla|Model Y": 1, "BYD|Seal": 9}, "2026-01": {"BYD|Seal": 94, "other": 6}}},
    )
    reading = read(empty_engine, "market=BR&makers=tesla")
    assert reading.title == "Tesla has at most 6.0 % of Brazilian BEVs in Jan 2026"
    assert MARKET_SHARE.table(reading).rows[0] == ("Jan 2026", "≤6.0 %")
    assert read(empty_engine, "market=BR").notes == (
        "≥ marks a lower bound: the publisher's unnamed rest could hide more. BYD lies between 94.0 % and 100 %.",
        "Plug-in hybrids are not in these figures.",
    ), "a maker that is not named is no smaller maker with nothing"


def test_a_share_whose_ends_differ_in_print_is_a_lower_one(empty_engine: Engine) -> None:
    # One car in a thousand has no name: BYD could have it.
    fill(empty_engine, {"CN": {"2026-01": {"BYD|Seal": 500, "Tesla|Model Y": 499, "other": 1}}})
    assert read(empty_engine, "market=CN&makers=byd").title.startswith("BYD has at least 50.0 %")
    fill(empty_engine, {"DE": {"2026-01": {"BYD|Seal": 50_000, "Tesla|Model Y": 49_999, "other": 1}}})
    assert read(empty_engine, "market=DE&makers=byd").title.startswith("BYD has 50.0 %"), "rounding hides the rest"


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (
            {"Tesla|Model Y": 60_000, "BYD|Seal": 39_980, "other": 20},
            {"Tesla|Model Y": 60_010, "BYD|Seal": 39_970, "other": 20},
        ),
        ({"Tesla|Model Y": 10, "BYD|Seal": 85, "other": 5}, {"Tesla|Model Y": 95, "other": 5}),
    ],
    ids=["up or down by next to nothing", "up, by 80 points or by 90"],
)
def test_a_change_whose_sign_or_size_is_open_is_not_printed(
    empty_engine: Engine, before: dict[str, int], now: dict[str, int]
) -> None:
    fill(empty_engine, {"DE": {"2025-01": before, "2026-01": now}})
    title = read(empty_engine).title
    assert title.startswith("Tesla leads German BEVs in Jan 2026: ")
    assert "year before" not in title


def test_a_share_of_all_cars_says_so(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 60, "BYD": 40}}}, all_cars={"DE": {"2026-01": {"other": 1000}}})
    assert read(empty_engine, "of=ALL").title == "Tesla leads German BEVs in Jan 2026: 6.0 % of all cars; BYD 4.0 %"


def test_growth_names_the_strongest_and_the_weakest(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": TWO_YEARS})
    assert read(empty_engine, "measure=growth").title == (
        "German BEVs, Jan 2026: Tesla +20.0 % on a year before, BYD −25.0 %"
    )
    assert (
        read(empty_engine, "measure=growth&makers=byd").title == "German BEVs, Jan 2026: BYD −25.0 % on a year before"
    )


def test_growth_that_the_rest_leaves_open_is_not_claimed(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "CN": {
                "2025-01": {"BYD|Seal": 10, "Tesla|Model Y": 10, "other": 10},
                "2026-01": {"BYD|Seal": 30, "Tesla|Model Y": 15, "other": 10},
            }
        },
    )
    assert read(empty_engine, "market=CN&measure=growth").title == (
        "Chinese BEVs, Jan 2026: BYD up at least 50.0 % on a year before"
    )
    assert read(empty_engine, "market=CN&measure=growth&makers=tesla").title == (
        "Chinese BEVs, Jan 2026: Tesla between −25.0 % and +150.0 % on a year before"
    )
    both = read(empty_engine, "market=CN&measure=growth&makers=byd,tesla")
    assert both.badge.amber
    assert "The change of BYD lies between +50.0 % and +300.0 %." in both.notes[0]


def test_markets_side_by_side_are_named_with_what_their_share_is_of(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Tesla": 30, "BYD": 30}}, "FR": {"2026-01": {"Tesla": 10, "BYD": 30}}},
        all_cars={"DE": {"2026-01": {"other": 600}}, "FR": {"2026-01": {"other": 100}}},
    )
    query = "market=DE,FR&by=market"
    assert read(empty_engine, query).title == "Of 2 markets' BEVs: Germany 60.0 %, France 40.0 % in Jan 2026"
    assert read(empty_engine, f"{query}&of=ALL").title == "BEVs: France 40.0 % of all cars, Germany 10.0 % in Jan 2026"
    assert read(empty_engine, f"{query}&makers=tesla").title == "Tesla: Germany 50.0 %, France 25.0 % in Jan 2026"
    assert read(empty_engine, f"{query}&measure=units").title == "BEVs: Germany 60, France 40 in Jan 2026"


def test_a_makers_unnamed_models_are_no_model_that_leads(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 30, "BYD|Seal": 20, "BYD|other": 50}}})
    reading = read(empty_engine, "by=model")
    assert reading.title == "Tesla Model Y 30.0 % and BYD Seal 20.0 % of German BEVs in Jan 2026", (
        "BYD's may hide one of 50"
    )
    assert "Not drawn: named makers' unnamed models, together 50.0 %." in reading.notes
    assert [each.name for each in reading.content.lines] == ["Tesla Model Y", "BYD Seal"]
    asked_for = read(empty_engine, "by=model&makers=byd")
    assert asked_for.title == "BYD Seal has 20.0 % of German BEVs in Jan 2026"
    assert {each.name for each in asked_for.content.lines} == {"BYD Seal", "BYD, other models"}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "Jun 2026"),
        ("grain=quarter", "Q2 2026"),
        ("grain=year&until=2025-12", "2025"),
        ("window=ttm", "the 12 months to Jun 2026"),
        ("window=3m", "the 3 months to Jun 2026"),
        ("window=ytd", "Jan to Jun 2026"),
        ("window=ytd&until=2026-01", "Jan 2026"),
        ("window=ytd&until=2025-12", "2025"),
    ],
)
def test_periods_are_named(empty_engine: Engine, query: str, name: str) -> None:
    half = {f"2026-0{n}": {"Tesla": 10} for n in range(1, 7)}
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 10}) | half})
    assert period_name(read(empty_engine, query).content.figures, -1) == name


@pytest.mark.parametrize("measure", ["share", "units", "growth"])
def test_a_title_is_at_most_90_characters(empty_engine: Engine, measure: str) -> None:
    long, longer = "Vereinigte Elektrische Wagenwerke", "Société des Automobiles Parfaitement Électriques de Lyon"
    fill(
        empty_engine, {"DE": {f"{year}-01": {f"{long}|A": 60, f"{longer}|B": 30, "other": 1} for year in (2025, 2026)}}
    )
    for query in ("", "&by=model", f"&makers={'vereinigte-elektrische-wagenwerke'}"):
        assert len(read(empty_engine, f"measure={measure}{query}").title) <= 90


# Notes


def test_where_makers_end_and_totals_go_on_is_said(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2025-12": {"Tesla": 1}, "2026-01": {"Tesla": 1}},
            "FR": {"2025-12": {"Tesla": 1}, "2026-01": {"other": 5}},
            "NO": {"2025-12": {"Tesla": 1}},
        },
    )
    totals = "After Dec 2025 only totals are published for France: no makers."
    assert totals in read(empty_engine, "market=FR").notes
    assert totals in read(empty_engine, "market=DE,FR").notes
    assert totals in read(empty_engine, "market=DE,FR&by=market&makers=tesla").notes
    assert not any("totals" in note for note in read(empty_engine, "market=DE,FR&by=market&measure=units").notes)
    ended = "Figures of Norway end with Dec 2025."
    assert ended in read(empty_engine, "market=DE,NO").notes
    assert ended in read(empty_engine, "market=DE,NO&by=market&measure=units").notes
    assert ended not in read(empty_engine, "market=NO").notes
    assert ended not in read(empty_engine, "market=DE,NO&until=2025-12").notes
    assert totals not in read(empty_engine, "market=FR&until=2025-12").notes
    assert totals in read(empty_engine, "market=FR&until=2026-01").notes


def test_a_publishers_remark_is_printed_where_it_applies(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2025-01": {"Tesla": 1}}, "FR": {"2025-01": {"Tesla": 1}}},
        cited="https://a.example (includes vans)",
    )
    reading = read(empty_engine)
    assert "On some periods: includes vans." in reading.notes


def test_a_remark_on_other_years_is_left_out(bundled_engine: Engine) -> None:
    remark = "On some periods: includes commercial vehicles."
    with bundled_engine.connect() as connection:
        last = connection.execute(
            text(
                "SELECT MAX(period_start) FROM sales JOIN series ON series.id = series_id "
                "JOIN evidence ON evidence.id = evidence_id WHERE market = 'ES' AND powertrain = 'BEV' "
                "AND known_to = '9999-12-31' AND remark = 'includes commercial vehicles'"
            )
        ).scalar_one()
    assert remark in read(bundled_engine, f"market=ES&since={last[:7]}&until={last[:7]}").notes
    year, month = int(last[:4]), int(last[5:7])
    after = f"{year + month // 12}-{month % 12 + 1:02d}"
    if after <= "2026-06":
        assert remark not in read(bundled_engine, f"market=ES&since={after}").notes


# Drawing


def test_a_maker_that_is_not_named_is_a_gap_and_never_a_zero(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "CN": {
                "2026-01": {"Tesla|Model Y": 60, "BYD|Seal": 30, "other": 10},
                "2026-02": {"BYD|Seal": 90, "other": 10},
                "2026-03": {"Tesla|Model Y": 60, "BYD|Seal": 30, "other": 10},
            }
        },
    )
    figure = drawn(read(empty_engine, "market=CN&measure=units"))
    assert lines_of(figure) == {"Tesla": [60, None, 60], "BYD": [30, 90, 30]}
    assert all(trace["connectgaps"] is False for trace in figure["data"])


def test_a_line_that_ends_early_is_labelled_with_its_last_period(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2025-12": {"Tesla": 10}, "2026-01": {"Tesla": 20}},
            "NO": {"2025-12": {"Tesla": 7}, "2025-11": {"Tesla": 8}},
        },
    )
    figure = drawn(read(empty_engine, "market=DE,NO&by=market&measure=units"))
    assert lines_of(figure) == {"Germany": [None, 10, 20], "Norway": [8, 7, None]}
    assert labels(figure) == ["Germany 20", "Norway 7 (Dec 2025)"]


def test_bands_are_drawn_only_where_the_bounds_differ(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {
                "2026-01": {"Tesla|Model Y": 60, "BYD|Seal": 30, "BYD|other": 5, "other": 5},
                "2026-02": {"Tesla|Model Y": 60, "BYD|Seal": 30, "BYD|other": 5, "other": 5},
            }
        },
    )
    data = drawn(read(empty_engine, "measure=units"))["data"]
    bands = [trace["y"] for trace in data if "name" not in trace]
    assert bands == [[60, 60], [65, 65]]
    assert [trace["name"] for trace in data if "name" in trace] == ["Tesla", "BYD"]


def test_labels_at_line_ends_are_the_tables_newest_values(bundled_engine: Engine) -> None:
    reading = read(bundled_engine)
    newest = dict(zip(MARKET_SHARE.table(reading).header[1:], MARKET_SHARE.table(reading).rows[0][1:], strict=True))
    for each, label in zip(reading.content.lines, labels(drawn(reading)), strict=True):
        low = newest[each.name].split(" to ")[0]
        assert label in (f"{each.name} {low}", f"{each.name} ≥{low}")


def test_a_growth_beyond_the_axis_keeps_its_label_inside(empty_engine: Engine) -> None:
    before = {"Tesla": 1, "BYD": 100}
    fill(
        empty_engine,
        {
            "DE": {
                "2025-01": before,
                "2025-02": before,
                "2026-01": {"Tesla": 50, "BYD": 110},
                "2026-02": {"Tesla": 90, "BYD": 110},
            }
        },
    )
    layout = drawn(read(empty_engine, "measure=growth"))["layout"]
    bottom, top = layout["yaxis"]["range"]
    assert all(bottom <= note["y"] <= top for note in layout["annotations"])
    assert "Tesla +8,900.0 %" in [note["text"] for note in layout["annotations"]]


def test_a_single_period_is_drawn_as_bars_with_what_is_folded(empty_engine: Engine) -> None:
    record = {f"Maker{n}|A": 100 - n for n in range(9)} | {"other": 36}
    fill(empty_engine, {"DE": {"2026-01": record}})
    hatched, solid = drawn(read(empty_engine, "measure=units"))["data"]
    assert hatched["type"] == solid["type"] == "bar"
    assert solid["y"] == [*(f"Maker{n}" for n in range(7)), "2 smaller makers", "Other (unnamed)"]
    assert solid["x"] == [100, 99, 98, 97, 96, 95, 94, 93 + 92, 36]
    assert hatched["x"] == [136, 135, 134, 133, 132, 131, 130, 185, 36]
    assert hatched["text"][0] == "≥100"


def test_a_bar_of_a_maker_that_is_not_named_is_all_hatch(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"BYD|Seal": 94, "other": 6}, "2025-06": {"Tesla|Model Y": 1}}})
    hatched, solid = drawn(read(empty_engine, "makers=tesla&since=2026-01&measure=units"))["data"]
    assert (hatched["x"], solid["x"], hatched["text"]) == ([6], [None], ["≤6"])


@pytest.mark.parametrize("look", [SCREEN, PICTURE], ids=["screen", "picture"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "market=CN&window=ttm",
        "since=2026-06",
        "by=group",
        "by=market&market=DE,FR,NO&of=ALL",
        "measure=growth",
        "makers=deepal",
    ],
)
def test_full_data_are_drawn_as_plain_values(bundled_engine: Engine, query: str, look: Any) -> None:
    figure = MARKET_SHARE.draw(read(bundled_engine, query), look)
    assert json.dumps(figure, allow_nan=False)
    assert figure["data"]
    assert figure["layout"]["height"] == look.height


def test_names_from_data_are_never_markup(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"<b>x</b>": 10, "Ab&C": 5}, "2026-02": {"<b>x</b>": 10, "Ab&C": 5}}})
    for query in ("", "since=2026-02"):
        figure = json.dumps(drawn(read(empty_engine, query)))
        assert "<b>" not in figure
        assert "&lt;b&gt;x&lt;/b&gt;" in figure


def test_at_most_seven_are_drawn_unless_more_are_named(bundled_engine: Engine) -> None:
    assert len(read(bundled_engine).content.lines) == 7
    eight = "audi,bmw,byd,cupra,mg,skoda,tesla,volkswagen"
    assert len(read(bundled_engine, f"makers={eight}").content.lines) == 8


# Receipts


def behind(engine: Engine, reading: Reading, maker: str, *, market: str, model: str = "all", period: str) -> list[int]:
    point = Point(market=market, maker=maker, model=model, period_start=int(period[:4]) * 12 + int(period[5:7]) - 1)
    with engine.connect() as connection:
        return [int(units) for units in MARKET_SHARE.receipts(connection, reading, point)["units"]]


@pytest.mark.parametrize(
    ("query", "maker", "model", "market"),
    [
        ("measure=units", "tesla", "all", "DE"),
        ("measure=units", "other", "all", "DE"),
        ("measure=units&window=ttm", "volkswagen", "all", "DE"),
        ("measure=units&window=ytd&grain=quarter", "tesla", "all", "DE"),
        ("measure=units&by=group", "volkswagen-group", "all", "DE"),
        ("measure=units&by=model", "tesla", "tesla-model-y", "DE"),
        ("measure=units&by=model", "volkswagen", "other", "DE"),
        ("measure=units&by=model", "other", "other", "DE"),
        ("measure=units&market=DE,IT&window=3m", "byd", "all", "DE+IT"),
        ("measure=units&market=DE,EU&by=market", "all", "all", "DE"),
        ("measure=units&market=DE,IT&by=market&makers=tesla", "tesla", "all", "IT"),
        ("measure=units&market=GB&grain=year&until=2023-12", "tesla", "all", "GB"),
    ],
)
def test_the_claims_behind_a_point_add_up_to_it(
    bundled_engine: Engine, query: str, maker: str, model: str, market: str
) -> None:
    reading = read(bundled_engine, query)
    figures = reading.content.figures
    of = line(figures, maker, model, market=market)
    at = -1 if of.value[-1] == of.value[-1] else -3
    start = int(figures.start[at])
    units = behind(
        bundled_engine, reading, maker, market=market, model=model, period=f"{start // 12}-{start % 12 + 1:02d}"
    )
    assert sum(units) == of.value[at] > 0


def test_a_shares_receipts_are_its_numerator(bundled_engine: Engine) -> None:
    reading = read(bundled_engine)
    assert sum(behind(bundled_engine, reading, "tesla", market="DE", period="2026-06")) == 7731


def test_a_growths_receipts_are_both_months_and_none_between(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 10}) | {"2026-01": {"Tesla": 15}}})
    reading = read(empty_engine, "measure=growth")
    assert behind(empty_engine, reading, "tesla", market="DE", period="2026-01") == [10, 15]


# The download


def test_the_download_holds_everybody_and_the_rest_and_never_a_fold(empty_engine: Engine) -> None:
    record = {f"Maker{n}|A": 100 - n for n in range(9)} | {"other": 36}
    fill(empty_engine, {"DE": {"2026-01": record, "2026-02": record}})
    rows = MARKET_SHARE.rows(read(empty_engine, "measure=units"))
    assert rows["period_start"].tolist() == ["2026-01-01"] * 10 + ["2026-02-01"] * 10
    assert rows["maker"].tolist() == [*(f"maker{n}" for n in range(9)), "other"] * 2
    assert rows["value"].tolist()[:10] == [100, 99, 98, 97, 96, 95, 94, 93, 92, 36]
    assert rows["high"].tolist()[:10] == [136, 135, 134, 133, 132, 131, 130, 129, 128, 36]
    assert rows["flags"].tolist()[:10] == ["lower_bound"] * 9 + ["upper_bound"]
    assert set(rows["known_from"]) == {"2026-03-01"}
    assert rows.iloc[0][["grain", "window", "market", "basis", "powertrain", "of", "model", "unit"]].tolist() == [
        "month", "none", "DE", "registration", "BEV", "BEV", "all", "cars",
    ]  # fmt: skip


def test_makers_filter_rows_while_the_denominator_stays_whole(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": TWO_YEARS})
    rows = MARKET_SHARE.rows(read(empty_engine, "makers=tesla&since=2026-01"))
    assert rows[["maker", "value", "low", "high", "of", "unit"]].values.tolist() == [
        ["other", 0.1, 0.0, 0.1, "BEV", "fraction"],
        ["tesla", 0.6, 0.6, 0.6, "BEV", "fraction"],
    ]


def test_a_title_of_two_makers_says_how_much_of_the_market_could_hide_between_them(bundled_engine: Engine) -> None:
    chosen = Selection.from_query("market=CN&makers=byd,tesla&window=ttm&until=2026-06", defaults=MARKET_SHARE.defaults)
    with bundled_engine.connect() as connection:
        reading = MARKET_SHARE.load(connection, chosen, today=TODAY)
    assert reading.title == "BYD ≥12.6 % and Tesla ≥7.6 % of Chinese BEVs in the 12 months to Jun 2026; 53.7 % unnamed"
    assert len(reading.title) <= 90
