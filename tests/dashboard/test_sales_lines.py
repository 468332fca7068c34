"""From a selection to lines: small made-up markets, and figures of the bundled ones that are known by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Reading
from dashboard.charts.market_share import MARKET_SHARE, MEASURES
from dashboard.lines import Line
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import (
    BasisChoice,
    By,
    InvalidSelection,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from dashboard.style import SCREEN
from dashboard.windows import month_start, months_behind
from db.vocabulary import Grain
from etl import pipeline
from tests import world

Figures = Mapping[str, Mapping[str, int]]
"""Period to record: `2026-01` or `2026-Q1` to keys as upstream writes them; only `other` is a total."""


def day_after(period: str) -> date:
    """The first day after a month or quarter."""
    year, part = period.split("-")
    month = 3 * int(part[1]) if part.startswith("Q") else int(part)
    return date(int(year) + month // 12, month % 12 + 1, 1)


def fill(
    engine: Engine,
    bev: Mapping[str, Figures],
    *,
    all_cars: Mapping[str, Figures] | None = None,
    groups: Mapping[str, tuple[str, ...]] | None = None,
    known_on: date | None = None,
    cited: str = "https://made-up.example",
) -> Engine:
    """Load made-up markets (upstream's codes) through the real parser, known when the last of their periods is over."""
    if known_on is None:
        known_on = max([world.DAY, *(day_after(period) for figures in bev.values() for period in figures)])
    snapshots = []
    for area, figures in bev.items():
        lines = []
        for prefix, periods in (("ElectricCars", figures), ("AllCars", (all_cars or {}).get(area, {}))):
            for period, record in periods.items():
                form = "Total" if set(record) == {"other"} else "ByModel" if "|" in "".join(record) else "ByBrand"
                lines.append(world.record(record, period=period, kind=prefix + form, country=area, cited=cited))
        snapshots.append(world.snapshot("\n".join(lines), file=f"data/data-{area}.js", known_on=known_on))
    if groups:
        members = [
            f'{"," if n else "{"} "{name}": [\n'
            + "\n".join(f'{"," if m else "["} "{maker}"' for m, maker in enumerate(of))
            + "\n]"
            for n, (name, of) in enumerate(groups.items())
        ]
        config = "\n".join(["const companyGroups =", *members, "};"])
        snapshots.append(world.snapshot(config, file="config.js", known_on=known_on))
    refused: list[object] = []
    pipeline.load(
        engine,
        snapshots,
        keep=None,
        tell=lambda outcome: refused.append(outcome) if isinstance(outcome, pipeline.Refusal) else None,
    )
    assert not refused
    return engine


def ask(engine: Engine, query: str) -> MarketFigures:
    selection = Selection.from_query(query, defaults=Selection())
    with engine.connect() as connection:
        return market_figures(connection, selection, measures=MEASURES)


def line(figures: MarketFigures, maker: str, model: str = "all", *, market: str | None = None) -> Line:
    found = [
        each for each in figures.lines if (each.maker, each.model) == (maker, model) and market in (None, each.market)
    ]
    assert len(found) == 1, [(each.market, each.maker, each.model) for each in figures.lines]
    return found[0]


def triple(of: Line, at: int = -1) -> tuple[float, float, float]:
    """Low, value and high."""
    return float(of.low[at]), float(of.value[at]), float(of.high[at])


def periods(figures: MarketFigures) -> list[str]:
    return [f"{month_start(int(month)):%Y-%m}" for month in figures.start]


def monthly(year: int, record: Mapping[str, int]) -> dict[str, Mapping[str, int]]:
    return {f"{year}-{n:02d}": record for n in range(1, 13)}


# Bounds


def test_the_rest_is_at_most_what_is_published_and_a_makers_figure_at_least_what_is_named(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla|Model Y": 60, "BYD|Seal": 10, "BYD|other": 5, "other": 25}}})
    figures = ask(empty_engine, "measure=units")
    assert triple(line(figures, "tesla")) == (60, 60, 85)
    assert triple(line(figures, "byd")) == (15, 15, 15)
    assert triple(line(figures, "other")) == (0, 25, 25)
    shares = ask(empty_engine, "")
    assert triple(line(shares, "tesla")) == (0.6, 0.6, 0.85)
    assert sum(each.value[-1] for each in shares.lines) == pytest.approx(1)


def test_a_maker_that_drops_off_the_list_could_be_anything_up_to_the_rest(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"CN": {"2026-01": {"Tesla|Model Y": 60, "other": 40}, "2026-02": {"BYD|Seal": 70, "other": 30}}},
    )
    tesla = line(ask(empty_engine, "market=CN&measure=units&makers=tesla"), "tesla")
    assert triple(tesla) == (0, 0, 30)
    assert tesla.named.tolist() == [True, False]


def test_a_model_that_drops_off_the_list_has_no_row_but_is_bounded_in_a_window(empty_engine: Engine) -> None:
    records = {"2026-01": {"Tesla|Model Y": 60, "other": 40}, "2026-02": {"Tesla|Model 3": 70, "other": 30}}
    fill(empty_engine, {"CN": records | {"2026-03": {"Tesla|Model Y": 5, "Tesla|Model 3": 5, "other": 1}}})
    model_y = line(ask(empty_engine, "market=CN&measure=units&by=model"), "tesla", "tesla-model-y")
    assert [value if value == value else None for value in model_y.value.tolist()] == [60, None, 5]
    model_y = line(ask(empty_engine, "market=CN&measure=units&by=model&window=3m"), "tesla", "tesla-model-y")
    assert triple(model_y) == (65, 65, 95)


def test_a_group_adds_its_makers_and_counts_the_rest_once(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Volkswagen|ID.3": 40, "Škoda|Enyaq": 30, "Tesla|Model Y": 20, "other": 10}}},
        groups={"Volkswagen Group": ("Volkswagen", "Škoda")},
    )
    figures = ask(empty_engine, "measure=units&by=group")
    assert triple(line(figures, "volkswagen-group")) == (70, 70, 80)
    assert triple(line(figures, "tesla")) == (20, 20, 30)
    named_by_a_brand = ask(empty_engine, "measure=units&by=group&makers=skoda")
    assert [each.maker for each in named_by_a_brand.entities] == ["volkswagen-group"]


def test_all_cars_cap_what_the_rest_can_hide_of_a_battery_maker(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"DE": {"2026-01": {"Tesla|Model Y": 60, "other": 40}}},
        all_cars={"DE": {"2026-01": {"Tesla": 63, "other": 937}}},
    )
    assert triple(line(ask(empty_engine, "measure=units"), "tesla")) == (60, 60, 63)
    assert triple(line(ask(empty_engine, "of=ALL"), "tesla")) == (0.06, 0.06, 0.063)
    by_market = ask(empty_engine, "by=market&makers=tesla&measure=units")
    assert triple(line(by_market, "tesla")) == (60, 60, 63)


def test_windows_and_sums_over_markets_add_lows_and_highs(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {f"2026-0{n}": {"Tesla|Model Y": 10, "other": 1} for n in (1, 2, 3)},
            "FR": {f"2026-0{n}": {"Tesla|Model Y": 20, "other": 2} for n in (1, 2, 3)},
        },
    )
    assert triple(line(ask(empty_engine, "measure=units&window=3m"), "tesla")) == (30, 30, 33)
    assert triple(line(ask(empty_engine, "measure=units&window=3m&market=DE,FR"), "tesla", market="DE+FR")) == (
        90,
        90,
        99,
    )


# Periods


def test_since_and_until_are_inclusive_and_windows_reach_back_before_them(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": monthly(2025, {"Tesla": 10, "BYD": 5})})
    figures = ask(empty_engine, "measure=units&window=3m&since=2025-04&until=2025-06")
    assert periods(figures) == ["2025-04", "2025-05", "2025-06"]
    assert line(figures, "tesla").value.tolist() == [30, 30, 30]


def test_a_quarter_or_a_year_lies_wholly_inside_the_range(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": monthly(2024, {"Tesla": 10}) | monthly(2025, {"Tesla": 10})})
    quarters = ask(empty_engine, "measure=units&grain=quarter&since=2024-02&until=2024-11")
    assert periods(quarters) == ["2024-04", "2024-07"]
    assert periods(ask(empty_engine, "measure=units&grain=year&since=2024-01&until=2025-11")) == ["2024-01"]
    with pytest.raises(NotPublished, match="no period in the range"):
        ask(empty_engine, "grain=year&since=2024-02&until=2025-11")


def test_a_year_to_date_gives_one_cumulative_row_a_month_against_the_same_months(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": monthly(2024, {"Tesla": 10}) | {"2025-01": {"Tesla": 20}, "2025-02": {"Tesla": 10}}})
    assert line(ask(empty_engine, "measure=units&window=ytd&since=2024-12"), "tesla").value.tolist() == [120, 20, 30]
    grown = ask(empty_engine, "measure=growth&window=ytd")
    assert periods(grown) == ["2025-01", "2025-02"]
    assert line(grown, "tesla").value.tolist() == [1.0, 0.5]


def test_growth_needs_the_same_period_a_year_before(empty_engine: Engine) -> None:
    months = monthly(2024, {"Tesla": 10, "BYD": 1}) | monthly(2025, {"Tesla": 15, "BYD": 1, "Xiaomi": 3})
    del months["2024-03"]
    fill(empty_engine, {"DE": months})
    figures = ask(empty_engine, "measure=growth")
    assert "2025-03" not in periods(figures)
    assert set(line(figures, "tesla").value.tolist()) == {0.5}
    assert "xiaomi" not in {each.maker for each in figures.lines}, "nothing can be said of growth from nothing"
    assert "other" not in {each.maker for each in figures.lines}


def test_a_maker_that_drops_off_the_list_did_not_shrink_to_nothing(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {"CN": {"2025-01": {"Tesla|Model Y": 60, "BYD|Seal": 5, "other": 9}, "2026-01": {"BYD|Seal": 10, "other": 90}}},
    )
    figures = ask(empty_engine, "market=CN&measure=growth")
    assert {each.maker for each in figures.lines} == {"byd"}
    assert triple(line(figures, "byd")) == (pytest.approx(10 / 14 - 1), 1.0, 19.0)


def test_a_maker_that_a_whole_record_leaves_out_did(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2025-01": {"Tesla": 60, "BYD": 5}, "2026-01": {"BYD": 10}}})
    assert triple(line(ask(empty_engine, "measure=growth&makers=tesla"), "tesla")) == (-1, -1, -1)


def test_a_sum_of_markets_has_only_the_periods_that_all_of_them_have(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2026-01": {"Tesla": 10}, "2026-02": {"Tesla": 10}},
            "FR": {"2026-02": {"Tesla": 20}, "2026-03": {"Tesla": 20}},
        },
    )
    summed = ask(empty_engine, "market=DE,FR&measure=units")
    assert (periods(summed), line(summed, "tesla").value.tolist()) == (["2026-02"], [30])
    beside = ask(empty_engine, "market=DE,FR&measure=units&by=market&makers=tesla")
    assert periods(beside) == ["2026-01", "2026-02", "2026-03"]
    shares = ask(empty_engine, "market=DE,FR&by=market")
    assert periods(shares) == ["2026-02"], "a share of the sum needs the whole sum"


def test_quarters_and_months_aggregate_upward_and_never_down(empty_engine: Engine) -> None:
    fill(empty_engine, {"UK": {"2025-Q1": {"Tesla": 30}, "2025-04": {"Tesla": 10}, "2025-05": {"Tesla": 10}}})
    assert periods(ask(empty_engine, "market=GB&measure=units")) == ["2025-04", "2025-05"]
    assert periods(ask(empty_engine, "market=GB&measure=units&grain=quarter")) == ["2025-01"]


def test_months_behind_a_figure() -> None:
    june = 2026 * 12 + 5
    behind = {window: months_behind(Selection(window=window), june) for window in Window}
    assert behind == {
        Window.NONE: (range(june, june + 1),),
        Window.THREE_MONTHS: (range(june - 2, june + 1),),
        Window.TTM: (range(june - 11, june + 1),),
        Window.YTD: (range(june - 5, june + 1),),
    }
    year = months_behind(Selection(grain=Grain.YEAR, window=Window.TTM, measure=Measure.GROWTH), 2026 * 12)
    assert year == (range(2025 * 12, 2026 * 12), range(2026 * 12, 2027 * 12))


# What is not published


def test_a_quarter_is_offered_where_months_are_asked_for(empty_engine: Engine) -> None:
    fill(empty_engine, {"US": {"2025-Q1": {"Tesla|Model Y": 30, "other": 1}}, "DE": {"2025-01": {"Tesla": 1}}})
    with pytest.raises(NotPublished, match=r"^United States: figures are published by quarter") as refused:
        ask(empty_engine, "market=US")
    assert refused.value.nearest == Selection(market=("US",), grain=Grain.QUARTER)


def test_totals_only_is_said_and_the_markets_that_name_makers_are_offered(empty_engine: Engine) -> None:
    fill(
        empty_engine,
        {
            "DE": {"2026-01": {"Tesla": 10}},
            "FR": {"2025-12": {"Tesla": 10}, "2026-01": {"other": 50}},
        },
    )
    with pytest.raises(NotPublished, match="France: only totals are published since 2026-01, no makers") as refused:
        ask(empty_engine, "market=DE,FR&since=2026-01")
    assert refused.value.nearest == Selection(since=date(2026, 1, 1))
    with pytest.raises(NotPublished, match="only totals") as refused:
        ask(empty_engine, "market=FR&since=2026-01")
    assert refused.value.nearest is not None
    assert refused.value.nearest.by is By.MARKET


def test_makers_are_offered_where_models_are_not_published(empty_engine: Engine) -> None:
    fill(empty_engine, {"IL": {"2026-01": {"Tesla": 10, "BYD": 5}}, "DE": {"2026-01": {"Tesla|Model Y": 1}}})
    with pytest.raises(NotPublished, match="Israel: figures are published by maker, not by model") as refused:
        ask(empty_engine, "market=IL&by=model&models=tesla-model-y")
    assert refused.value.nearest == Selection(market=("IL",), makers=("tesla",))


def test_a_window_over_missing_months_offers_the_months(empty_engine: Engine) -> None:
    fill(empty_engine, {"DE": {"2026-01": {"Tesla": 10}, "2026-03": {"Tesla": 10}}})
    with pytest.raises(NotPublished, match="window need") as refused:
        ask(empty_engine, "window=ttm&makers=tesla")
    assert refused.value.nearest == Selection(makers=("tesla",))


# Growth of like with like


def test_growth_between_two_records_that_are_called_incomplete_alike_is_told(empty_engine: Engine) -> None:
    months = {f"{year}-01": {"Tesla": 100 * (year - 2023)} for year in (2024, 2025)}
    fill(empty_engine, {"DE": months}, cited="https://a.example (incomplete: no vans)")
    assert line(ask(empty_engine, "measure=growth"), "tesla").value.tolist() == [1.0]


# The bundled figures


def test_a_maker_counts_for_the_group_that_holds_it_at_the_time(bundled_engine: Engine) -> None:
    """Opel: GM to July 2017, PSA to 2020, Stellantis since the middle of January 2021; Volvo: Geely all the time."""
    groups = ask(bundled_engine, "measure=units&by=group")
    brands = ask(bundled_engine, "measure=units")

    def told(figures: MarketFigures, slug: str) -> dict[str, float]:
        of = line(figures, slug)
        return {
            period: value for period, value in zip(periods(figures), of.value.tolist(), strict=True) if value == value
        }

    stellantis, psa = told(groups, "stellantis"), told(groups, "groupe-psa")
    assert (min(stellantis), max(psa)) == ("2021-01", "2020-12")
    assert told(groups, "fiat-chrysler-automobiles").keys() <= psa.keys()
    parts = [told(brands, slug) for slug in ("opel", "peugeot", "citroen")]
    assert psa["2020-12"] >= sum(part["2020-12"] for part in parts) > 0
    assert stellantis["2021-01"] >= sum(part["2021-01"] for part in parts) > 0
    assert told(groups, "general-motors")["2017-07"] >= told(brands, "opel")["2017-07"]
    assert told(groups, "geely-holding-group")["2026-06"] >= told(brands, "volvo")["2026-06"] > 0
    windows = ask(bundled_engine, "measure=units&by=group&window=ttm")
    assert min(told(windows, "stellantis")) == "2021-12", "no year of a group that did not exist yet"
    for each in ("opel", "peugeot", "citroen", "volvo"):
        assert each not in {of.maker for of in groups.lines}, "a maker of a group is no line beside it"


def test_known_figures_of_june_2026_in_germany(bundled_engine: Engine) -> None:
    figures = ask(bundled_engine, "since=2026-06&measure=units")
    assert triple(line(figures, "volkswagen")) == (8711, 8711, 8711)
    assert triple(line(figures, "tesla")) == (7731, 7731, 7768)
    assert line(figures, "byd").value.tolist() == [2329]
    shares = ask(bundled_engine, "since=2026-06")
    low, value, high = triple(line(shares, "tesla"))
    assert (round(low, 5), round(value, 5), high) == (0.09197, 0.09197, 7768 / 84057)
    assert sum(each.value[-1] for each in shares.lines) == pytest.approx(1)


def test_known_trailing_year_to_june_2026_in_germany(bundled_engine: Engine) -> None:
    figures = ask(bundled_engine, "since=2026-06&measure=units&window=ttm")
    assert (line(figures, "tesla").value[0], line(figures, "byd").value[0]) == (39295, 17004)
    shares = ask(bundled_engine, "since=2026-06&window=ttm")
    assert line(shares, "tesla").value[0] == pytest.approx(39295 / 664422)


def test_known_bounds_of_byd_in_china(bundled_engine: Engine) -> None:
    assert triple(line(ask(bundled_engine, "market=CN&since=2026-06&measure=units"), "byd")) == (82948, 82948, 431241)
    low, _, high = triple(line(ask(bundled_engine, "market=CN&since=2026-06"), "byd"))
    assert (low, high) == (82948 / 685000, 431241 / 685000)


def test_the_british_year_2023_is_one_quarter_and_nine_months(bundled_engine: Engine) -> None:
    figures = ask(bundled_engine, "market=GB&grain=year&since=2023-01&until=2023-12&measure=units")
    with bundled_engine.connect() as connection:
        stored = connection.execute(
            text(
                "SELECT grain, maker, SUM(units) FROM sales JOIN series ON series.id = sales.series_id "
                "JOIN source ON source.id = source_id "
                "WHERE slug = 'open-ev-charts' AND market = 'GB' AND powertrain = 'BEV' AND known_to = '9999-12-31' "
                "AND period_start BETWEEN '2023-01-01' AND '2023-12-31' GROUP BY grain, maker"
            )
        ).all()
    assert {grain for grain, _, _ in stored} == {"month", "quarter"}
    for maker in ("tesla", "volkswagen", "mg", "other"):
        assert line(figures, maker).value.tolist() == [sum(units for _, of, units in stored if of == maker)]


def test_the_same_question_has_the_answer_of_its_day(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        period, before, after, changed = connection.execute(
            text(
                "SELECT old.period_start, old.units, new.units, new.known_from FROM sales old "
                "JOIN sales new ON new.series_id = old.series_id AND new.period_start = old.period_start "
                "AND new.known_from = old.known_to JOIN series ON series.id = old.series_id "
                "WHERE market = 'DE' AND powertrain = 'ALL' AND grain = 'month' AND maker = 'tesla' "
                "AND old.units <> new.units ORDER BY new.known_from DESC LIMIT 1"
            )
        ).one()
    month, day = period[:7], date.fromisoformat(changed)
    for as_of, units in ((day - timedelta(days=1), before), (day, after)):
        figures = ask(
            bundled_engine, f"powertrain=ALL&makers=tesla&measure=units&since={month}&until={month}&as_of={as_of}"
        )
        assert line(figures, "tesla").value.tolist() == [units]


def test_what_was_not_yet_known_is_explained_with_the_first_day_that_can_be_shown(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        first = connection.execute(text("SELECT MIN(known_on) FROM snapshot WHERE file = 'data/data-DE.js'")).scalar()
    with pytest.raises(NotPublished, match=f"the first day as known that can be shown is {first}") as refused:
        ask(bundled_engine, "as_of=2020-01-01")
    assert refused.value.nearest == Selection(as_of=date.fromisoformat(str(first)))
    assert ask(bundled_engine, f"as_of={first}").lines


def test_the_end_of_time_is_now(bundled_engine: Engine) -> None:
    now, then = ask(bundled_engine, "market=IS"), ask(bundled_engine, "market=IS&as_of=9999-12-31")
    assert periods(now) == periods(then)


MARKET_SETS = (
    ("DE",), ("CN",), ("GB",), ("US",), ("FR",), ("IL",), ("BE",), ("CA",), ("EU",), ("WORLD",),
    ("BE", "FR"), ("DE", "NO"), ("CN", "US"), ("EU", "IS"), ("AU", "GB"), ("CA", "PL"), ("IL", "PT"),
    ("KR",), ("JP",), ("IN",), ("EUROPE",), ("OVERSEAS",), ("CN", "KR"), ("DE", "GR"), ("EUROPE", "NO"),
    ("OVERSEAS", "WORLD"), ("DE", "OVERSEAS"),
)  # fmt: skip
DATES = (None, date(2017, 1, 1), date(2022, 12, 1), date(2025, 6, 1), date(2026, 6, 1))


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    """What somebody could ask of the bundled figures, sensible or not."""
    since, until = draw(st.sampled_from(DATES)), draw(st.sampled_from(DATES))
    if since and until and since > until:
        since, until = until, since
    return Selection(
        market=draw(st.sampled_from(MARKET_SETS)),
        basis=draw(st.sampled_from((BasisChoice.REGISTRATION,) * 4 + tuple(BasisChoice))),
        powertrain=draw(st.sampled_from((PowertrainChoice.BEV,) * 4 + tuple(PowertrainChoice))),
        of=draw(st.sampled_from((None, None, PowertrainChoice.ALL, PowertrainChoice.NEV, PowertrainChoice.BEV))),
        by=draw(st.sampled_from(By)),
        makers=draw(st.sampled_from(((), (), ("tesla",), ("byd", "tesla"), ("deepal",), ("volkswagen-group",)))),
        models=draw(st.sampled_from(((), (), (), ("tesla-model-y",)))),
        grain=draw(st.sampled_from(Grain)),
        window=draw(st.sampled_from(Window)),
        measure=draw(st.sampled_from((*MEASURES, *MEASURES, Measure.HHI))),
        since=since,
        until=until,
        as_of=draw(st.sampled_from((None, None, None, date(2019, 5, 1), date(2025, 2, 1)))),
    )


def answer(engine: Engine, selection: Selection) -> Refusal | InvalidSelection | None:
    """Draw a selection and check what comes out; or why there is nothing to draw."""
    with engine.connect() as connection:
        try:
            reading = MARKET_SHARE.load(connection, selection, today=date(2026, 7, 24))
        except (Refusal, InvalidSelection) as refused:
            return refused
    rows = MARKET_SHARE.rows(reading)
    assert tuple(rows.columns) == DOWNLOAD_COLUMNS
    assert len(rows)
    low, value, high = (rows[name].to_numpy() for name in ("low", "value", "high"))
    assert np.isfinite([low, value, high]).all()
    assert ((low <= value) & (value <= high)).all()
    assert not rows.duplicated(["period_start", "market", "powertrain", "maker", "model"]).any()
    if selection.measure is Measure.SHARE:
        assert ((low >= 0) & (high <= 1 + 1e-12)).all()
        if selection.by is not By.MARKET and not (selection.makers or selection.models):
            whole = rows.groupby("period_start")["value"].sum()
            assert (whole <= 1 + 1e-9).all()
            # A group has no window that reaches over its beginning or its end, and models are not told by every record.
            if (
                selection.denominator is selection.powertrain
                and selection.by is By.MAKER
                and not figures_are_own(reading)
            ):
                assert (whole >= 1 - 1e-9).all()
    figure = MARKET_SHARE.draw(reading, SCREEN)
    assert_drawable(figure)
    table = MARKET_SHARE.table(reading)
    assert table.rows
    assert all(len(row) == len(table.header) for row in table.rows)
    assert 0 < len(reading.title) <= 90
    assert 0 < len(reading.subtitle) <= 90
    assert not (reading.title + reading.subtitle).count("…")
    figures = reading.content.figures
    assert not (figures.is_own and "leads" in reading.title)
    if selection.basis is BasisChoice.REPORTED:
        assert selection.measure in (Measure.UNITS, Measure.GROWTH)
        assert not any("together" in note for note in reading.notes)
    assert reading.title.isprintable()
    assert all(note.endswith(".") or "remark" in note for note in reading.notes)
    assert "nan" not in " ".join([reading.title, reading.badge.text, reading.badge.reason, *reading.notes]).split()
    return None


def figures_are_own(reading: Reading) -> bool:
    return bool(reading.content.figures.is_own)


def assert_drawable(figure: dict[str, object]) -> None:
    plain = json.loads(json.dumps(figure, allow_nan=False))
    points = [
        value
        for trace in plain["data"]
        for value in trace["y" if trace["type"] == "scatter" else "x"]
        if value is not None
    ]
    assert points, "an empty plot explains nothing"


@settings(deadline=None)
@given(selection=selections())
def test_whatever_is_asked_is_drawn_truly_or_refused_with_a_way_on_that_is_drawn(
    bundled_engine: Engine, selection: Selection
) -> None:
    refused = answer(bundled_engine, selection)
    if refused is None:
        return
    assert str(refused).isprintable()
    if isinstance(refused, InvalidSelection):
        assert refused.valid
        assert selection.by is not By.GROUP
        return
    assert refused.nearest is not None, str(refused)
    again = answer(bundled_engine, refused.nearest)
    assert again is None, f"{refused} leads to {refused.nearest}, which is refused: {again}"
