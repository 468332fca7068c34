"""Lines by powertrain: the parts of the NEVs of one maker or of markets, from one publisher, told apart by pattern."""

from __future__ import annotations

import json
from datetime import date

import pytest
from sqlalchemy import Engine

from dashboard import controls, downloads
from dashboard.charts.chart import Point, Reading
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.selection import By, Incomparable, NotPublished, PowertrainChoice, Refusal, Selection
from dashboard.style import SCREEN
from db.vocabulary import States
from tests.dashboard.test_controls import NOUNS
from tests.dashboard.test_precedence import state
from tests.world import cards

TODAY = date(2026, 7, 24)
BYD = "market=WORLD&basis=wholesale&makers=byd&by=powertrain"
KOREA = "market=KR&by=powertrain"


def own(engine: Engine, *rows: tuple[str, str, int]) -> None:
    """What BYD states of itself."""
    state(engine, "byd-own", *rows, states=States.MAKERS, market="WORLD", basis="wholesale")


TWO_MONTHS = (
    ("2025-01", "BEV byd", 100),
    ("2025-01", "PHEV byd", 300),
    ("2026-01", "BEV byd", 300),
    ("2026-01", "PHEV byd", 200),
)


def read(engine: Engine, query: str) -> Reading:
    return cards.read(engine, MARKET_SHARE, query, today=TODAY)


def refused(engine: Engine, query: str) -> Refusal:
    return cards.refused(engine, MARKET_SHARE, query, today=TODAY)


def values(reading: Reading) -> dict[str, list[float | None]]:
    """By powertrain: the value of each period."""
    figures = reading.content.figures
    return {
        line.powertrain: [None if value != value else value for value in line.value.tolist()] for line in figures.lines
    }


# What the lines are


def test_a_makers_powertrains_are_shares_of_its_own_nevs(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS)
    reading = read(empty_engine, BYD)
    assert values(reading) == {"BEV": [0.25, 0.6], "PHEV": [0.75, 0.4]}
    assert reading.title == "BYD's NEVs wholesaled, Jan 2026: BEV 60.0 %, PHEV 40.0 %"
    assert reading.subtitle == "World. Passenger NEV wholesale by powertrain, BYD, share of its NEVs in %; monthly"
    assert "PHEV: plug-in hybrids, and range-extended cars (EREV) where the publisher counts them so." in reading.notes
    assert not any("Plug-in hybrids are not in these figures" in note for note in reading.notes)


def test_which_of_them_grew_is_said(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS)
    reading = read(empty_engine, f"{BYD}&measure=growth")
    assert values(reading) == {"BEV": [2.0], "PHEV": [pytest.approx(-1 / 3)]}
    assert reading.title == "BYD's NEVs wholesaled, Jan 2026: BEV +200.0 % on a year before, PHEV −33.3 %"


def test_a_part_that_is_stated_later_keeps_the_title_where_both_are(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS, ("2026-02", "BEV byd", 100), ("2026-02", "BEV+PHEV byd", 400))
    reading = read(empty_engine, BYD)
    assert values(reading) == {"BEV": [0.25, 0.6, 0.25], "PHEV": [0.75, 0.4, None]}
    assert reading.title == "BYD's NEVs wholesaled, Jan 2026: BEV 60.0 %, PHEV 40.0 %"
    assert MARKET_SHARE.table(reading).rows[0] == ("Feb 2026", "25.0 %", "–")


def test_a_markets_parts_add_up_to_its_nevs_or_are_shares_of_all_cars(empty_engine: Engine) -> None:
    state(
        empty_engine,
        "alpha",
        ("2026-01", "BEV all", 500),
        ("2026-01", "PHEV all", 300),
        ("2026-01", "FCEV all", 200),
        ("2026-01", "ALL all", 10_000),
    )
    reading = read(empty_engine, KOREA)
    assert values(reading) == {"BEV": [0.5], "PHEV": [0.3], "FCEV": [0.2]}
    assert reading.title == "South Korean NEVs, Jan 2026: BEV 50.0 %, PHEV 30.0 %, FCEV 20.0 %"
    of_all = read(empty_engine, f"{KOREA}&of=ALL")
    assert values(of_all) == {"BEV": [0.05], "PHEV": [0.03], "FCEV": [0.02]}
    assert of_all.title == "South Korean NEVs, Jan 2026: BEV 5.0 % of all cars, PHEV 3.0 %, FCEV 2.0 %"
    assert values(read(empty_engine, f"{KOREA}&measure=units")) == {"BEV": [500], "PHEV": [300], "FCEV": [200]}


def test_parts_are_never_one_publishers_and_their_whole_anothers(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2026-01", "BEV all", 900), rank=10)
    state(empty_engine, "beta", ("2026-01", "BEV all", 100), ("2026-01", "PHEV all", 300), rank=20)
    reading = read(empty_engine, KOREA)
    assert values(reading) == {"BEV": [0.25], "PHEV": [0.75]}
    assert [cited.slug for cited in reading.citations] == ["beta"]


def test_the_sum_of_markets_counts_what_each_of_them_states(empty_engine: Engine) -> None:
    for market, bev in (("KR", 100), ("JP", 200)):
        of_both = ("2026-01", "BEV all", bev), ("2026-01", "PHEV all", 100)
        state(empty_engine, f"office-{market.lower()}", *of_both, market=market)
    assert values(read(empty_engine, "market=JP,KR&by=powertrain")) == {"BEV": [0.6], "PHEV": [0.4]}


# What is refused


def test_several_makers_are_refused_with_the_first_of_them(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS, ("2026-01", "BEV tesla", 100), ("2026-01", "PHEV tesla", 100))
    refusal = refused(empty_engine, "market=WORLD&basis=wholesale&makers=byd,tesla&by=powertrain")
    assert isinstance(refusal, Incomparable)
    assert refusal.nearest is not None
    assert (refusal.nearest.makers, refusal.nearest.by) == (("byd",), By.POWERTRAIN)


def test_makers_own_figures_have_no_total_to_split(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS)
    refusal = refused(empty_engine, "market=WORLD&basis=wholesale&by=powertrain")
    assert "single makers' own" in str(refusal)
    assert refusal.nearest is not None
    assert read(empty_engine, refusal.nearest.query(defaults=MARKET_SHARE.defaults)).title


def test_battery_cars_alone_are_no_split(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2026-01", "BEV all", 900), ("2026-01", "BEV+PHEV all", 1000))
    refusal = refused(empty_engine, KOREA)
    assert isinstance(refusal, NotPublished)
    assert "each by itself" in str(refusal)
    assert refusal.nearest is not None
    assert refusal.nearest.by is not By.POWERTRAIN


def test_a_plug_in_hybrid_is_no_share_of_battery_cars(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS)
    assert isinstance(refused(empty_engine, f"{BYD}&of=BEV"), Incomparable)


# How they are drawn and named


def test_powertrains_differ_by_pattern_and_never_by_hue(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS)
    traces = [trace for trace in MARKET_SHARE.draw(read(empty_engine, BYD), SCREEN)["data"] if "name" in trace]
    assert [trace["name"] for trace in traces] == ["BEV", "PHEV"]
    assert len({trace["line"]["color"] for trace in traces}) == 1
    assert len({trace["line"]["dash"] for trace in traces}) == 2
    assert len({trace["marker"]["symbol"] for trace in traces}) == 2


def test_a_point_names_its_powertrain_and_its_receipts_are_that_ones(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS)
    reading = read(empty_engine, BYD)
    traces = {trace.get("name"): trace for trace in MARKET_SHARE.draw(reading, SCREEN)["data"]}
    market, maker, part, month = traces["PHEV"]["customdata"][-1]
    assert (market, maker, part, month) == ("WORLD", "byd", "PHEV", 2026 * 12)
    with empty_engine.connect() as connection:
        assert MARKET_SHARE.receipts is not None
        claims = MARKET_SHARE.receipts(connection, reading, Point(market, maker, part, month))
    assert claims["units"].tolist() == [200]


def test_the_download_has_a_row_for_each_powertrain_with_its_own_receipt(empty_engine: Engine) -> None:
    own(empty_engine, *TWO_MONTHS)
    reading = read(empty_engine, f"{BYD}&measure=units&since=2026-01")
    rows = MARKET_SHARE.rows(reading)
    assert rows[["powertrain", "of", "maker", "model", "value"]].values.tolist() == [
        ["BEV", "NEV", "byd", "all", 300],
        ["PHEV", "NEV", "byd", "all", 200],
    ]
    with empty_engine.connect() as connection:
        document = downloads.document(connection, MARKET_SHARE, reading, rows, site="")
    lines = {each["powertrain"]: [place["lines"] for place in each["receipts"]] for each in document["rows"]}
    assert lines == {"BEV": [[4]], "PHEV": [[5]]}
    assert json.loads(downloads.json_text(document))["rows"]


# The link and the control bar


def test_a_link_by_powertrain_is_one_to_nevs() -> None:
    selection = Selection.from_query("by=powertrain&powertrain=PHEV", defaults=Selection())
    assert (selection.powertrain, selection.denominator) == (PowertrainChoice.NEV, PowertrainChoice.NEV)
    assert Selection.from_query(selection.query(defaults=Selection()), defaults=Selection()) == selection


def test_the_bar_hides_the_powertrain_and_gives_it_back() -> None:
    split = controls.edited(Selection(makers=("byd",)), "by", "powertrain", defaults=Selection(), nouns=NOUNS)
    assert (split.by, split.powertrain, split.makers) == (By.POWERTRAIN, PowertrainChoice.NEV, ("byd",))
    assert "powertrain" in controls.hidden(split)
    back = controls.edited(split, "by", "maker", defaults=Selection(), nouns=NOUNS)
    assert (back.by, back.powertrain) == (By.MAKER, PowertrainChoice.BEV)
    assert "powertrain" not in controls.hidden(back)


# The real figures


def test_byds_own_figures_answer_whether_battery_cars_or_plug_in_hybrids_grew(bundled_engine: Engine) -> None:
    reading = read(bundled_engine, f"{BYD}&measure=growth&grain=year&until=2025-12")
    assert reading.title == "BYD's NEVs wholesaled, 2025: BEV +27.9 % on a year before, PHEV −7.9 %"
