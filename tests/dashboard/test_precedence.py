"""Which publisher is drawn: one at a time, whole, and never two added up."""

from __future__ import annotations

import csv
import io
from datetime import date

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from dashboard import precedence
from dashboard.charts.chart import Point
from dashboard.charts.market_share import MARKET_SHARE
from dashboard.selection import NotPublished, PowertrainChoice, Refusal, Selection
from db.claims import GRAIN_MONTHS, Claims
from db.contents import Source
from db.provenance import Citation
from db.vocabulary import ALL, OTHER, Cadence, Obtained, States
from etl import pipeline
from tests.dashboard.test_sales_lines import ask, line, periods

DAY = date(2026, 3, 1)
TODAY = date(2026, 7, 24)
HEADER = "period,market,basis,powertrain,vehicle_scope,maker,model,units,published_on,note"


def state(
    engine: Engine,
    slug: str,
    *rows: tuple[str, str, int],
    rank: int = 100,
    states: States = States.MARKET,
    market: str = "KR",
    basis: str = "registration",
    powertrain: str = "BEV",
    scope: str = "passenger_car",
    published_on: date = DAY,
    note: str = "",
) -> None:
    """Load a made-up publisher's file. A row is a period, a name and units; `all` is a total, `other` a rest,
    `tesla|Model Y` a model. A name may begin with a powertrain of its own: `PHEV all`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    for period, name, units in rows:
        word, _, who = name.rpartition(" ") if name.split(" ")[0] in WORDS else ("", "", name)
        maker, _, model = who.partition("|")
        kind = word or powertrain
        writer.writerow((period, market, basis, kind, scope, maker, model or ALL, units, published_on, note))
    source = Source(
        slug=slug,
        title=slug.title(),
        publisher=f"{slug.title()} Office",
        url=f"https://{slug}.example",
        licence="CC0",
        licence_url="https://licence.example",
        states=states,
        cadence=Cadence.MONTHLY,
        lag_days=30,
        precedence=rank,
        warning="",
    )
    content = stream.getvalue().encode()
    file = pipeline.DatedFile(source, f"{slug}.csv", content, Obtained.IMPORTED, published_on)
    told: list[object] = []
    pipeline.load_dated(engine, [file], tell=told.append)
    assert not [outcome for outcome in told if isinstance(outcome, pipeline.Refusal)], told


WORDS = ("BEV", "PHEV", "FCEV", "BEV+PHEV", "BEV+PHEV+FCEV", "ALL")
KOREA = "market=KR&measure=units"


def units_by_market(engine: Engine, query: str) -> dict[str, float]:
    """The total of each period that is drawn."""
    figures = ask(engine, f"market=KR&measure=units&by=market&{query}")
    return dict(zip(periods(figures), line(figures, ALL).value.tolist(), strict=True))


# One publisher at a time


@pytest.mark.parametrize("first", ["alpha", "beta"])
def test_of_two_publishers_of_one_month_the_one_of_better_rank_is_drawn_alone(empty_engine: Engine, first: str) -> None:
    ranks = {"alpha": 10, "beta": 20}
    units = {"alpha": 100, "beta": 300}
    for slug in sorted(ranks, key=lambda slug: slug != first):
        state(empty_engine, slug, ("2026-01", "tesla", units[slug]), rank=ranks[slug])
    figures = ask(empty_engine, KOREA)
    assert line(figures, "tesla").value.tolist() == [100]
    assert [cited.slug for cited in figures.dataset.citations] == ["alpha"]


def test_one_publishers_maker_never_stands_beside_anothers_rest(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2026-01", "all", 500), rank=10)
    state(empty_engine, "beta", ("2026-01", "tesla", 100), ("2026-01", "other", 300), rank=20)
    assert units_by_market(empty_engine, "") == {"2026-01": 500}
    with pytest.raises(NotPublished, match="only totals are published"):
        ask(empty_engine, KOREA)


def test_another_publisher_fills_only_what_the_first_leaves_out(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2025-02", "all", 100), rank=10)
    state(empty_engine, "beta", ("2025-01", "all", 200), ("2025-02", "all", 300), rank=20)
    assert units_by_market(empty_engine, "") == {"2025-01": 200, "2025-02": 100}


def test_a_year_beside_the_months_of_a_better_publisher_is_left_out_and_never_added(empty_engine: Engine) -> None:
    months = [(f"2025-{n:02d}", "all", 10) for n in range(1, 12)]  # December is missing
    state(empty_engine, "alpha", *months, rank=10)
    state(empty_engine, "beta", ("2024", "all", 1000), ("2025", "all", 1000), rank=20)
    assert units_by_market(empty_engine, "grain=year") == {"2024-01": 1000}
    assert sum(units_by_market(empty_engine, "").values()) == 110


def test_a_better_publishers_year_silences_the_months_of_another(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2025", "all", 1000), rank=10)
    state(empty_engine, "beta", ("2025-03", "all", 1), ("2026-01", "all", 2), rank=20)
    assert units_by_market(empty_engine, "grain=year") == {"2025-01": 1000}
    assert units_by_market(empty_engine, "") == {"2026-01": 2}


def test_growth_is_never_from_one_publisher_to_another(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2024", "all", 100), ("2025", "all", 150), rank=10)
    state(empty_engine, "beta", ("2022", "all", 300), ("2023", "all", 600), rank=20)
    assert list(units_by_market(empty_engine, "grain=year").values()) == [300, 600, 100, 150]
    figures = ask(empty_engine, "market=KR&by=market&grain=year&measure=growth")
    assert dict(zip(periods(figures), line(figures, ALL).value.tolist(), strict=True)) == {
        "2023-01": 1.0,
        "2025-01": 0.5,
    }


def test_a_title_gives_no_change_of_share_from_one_publisher_to_another(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2026-01", "tesla", 60), ("2026-01", "byd", 40), rank=10)
    state(empty_engine, "beta", ("2025-01", "tesla", 10), ("2025-01", "byd", 90), rank=20)
    with empty_engine.connect() as connection:
        reading = MARKET_SHARE.load(connection, Selection(market=("KR",)), today=TODAY)
    assert reading.title == "Tesla leads South Korean BEVs in Jan 2026: 60.0 %; BYD 40.0 %"
    assert any(note.startswith("Publishers change along the lines") for note in reading.notes)


# Property: whatever they state, no month is told twice


@st.composite
def published(draw: st.DrawFn) -> pd.DataFrame:
    """Totals of three publishers over two years, in months, quarters and years at random."""
    rows = []
    for source in ("alpha", "beta", "gamma"):
        for grain, length in GRAIN_MONTHS.items():
            starts = draw(st.sets(st.sampled_from(range(2024 * 12, 2026 * 12, length)), max_size=6))
            rows += [(source, grain, start, draw(st.integers(1, 9))) for start in sorted(starts)]
    sources, grains, months, units = zip(*rows, strict=True) if rows else ((), (), (), ())
    constant = {"market": "KR", "powertrain": "BEV", "maker": ALL, "model": ALL, "basis": "registration"}
    frame = pd.DataFrame({"source": sources, "grain": grains, "month": months, "units": units, **constant})
    words = ("source", "grain", "market", "powertrain", "maker", "model", "basis")
    return frame.astype({**dict.fromkeys(words, "category"), "month": "int64", "units": "float64"}).assign(
        known_from=1, evidence_id=1
    )


def cited(slug: str, rank: int, states: States = States.MARKET) -> Citation:
    return Citation(
        slug=slug,
        title=slug,
        publisher=slug,
        url="",
        licence="",
        licence_url="",
        known_on=DAY,
        warning="",
        states=states.value,
        precedence=rank,
        lag_days=30,
    )


@given(frame=published(), ranks=st.permutations([10, 20, 30]))
def test_no_month_is_told_twice_and_the_best_publisher_of_a_month_tells_it(
    frame: pd.DataFrame, ranks: list[int]
) -> None:
    of = dict(zip(("alpha", "beta", "gamma"), ranks, strict=True))
    citations = [cited(slug, rank) for slug, rank in of.items()]
    chosen = precedence.of_market(Claims.of(frame), PowertrainChoice.BEV, citations).records.frame()

    def months(row: object) -> range:
        return range(row.month, row.month + GRAIN_MONTHS[row.grain])  # type: ignore[attr-defined]

    told: dict[int, str] = {}
    for row in chosen.itertuples():
        for month in months(row):
            assert month not in told, "a month of two records"
            told[month] = str(row.source)
    kept = {(row.source, row.grain, row.month) for row in chosen.itertuples()}
    for row in frame.itertuples():
        if (row.source, row.grain, row.month) not in kept:
            instead = [told[month] for month in months(row) if month in told]
            assert instead, "it would fit beside what is drawn"
            assert min(of[source] for source in instead) <= of[str(row.source)], "it is better than what is drawn"


# NEV: a published sum or all of its parts


@pytest.mark.parametrize(
    ("rows", "nev"),
    [
        ([("2025", "BEV all", 100), ("2025", "PHEV all", 30)], 130),
        ([("2025", "BEV all", 100), ("2025", "PHEV all", 30), ("2025", "FCEV all", 2)], 132),
        ([("2025", "BEV all", 100), ("2025", "PHEV all", 30), ("2025", "BEV+PHEV all", 131)], 131),
        ([("2025", "BEV+PHEV all", 131), ("2025", "FCEV all", 2)], 133),
        ([("2025", "BEV+PHEV all", 131), ("2025", "BEV+PHEV+FCEV all", 140), ("2025", "FCEV all", 2)], 140),
        ([("2025", "BEV+PHEV+FCEV all", 140), ("2025", "BEV all", 100), ("2025", "PHEV all", 30)], 140),
    ],
    ids=["parts", "with fuel cells", "their sum", "sum and fuel cells", "the sum of all three", "not beside its parts"],
)
def test_nevs_are_the_published_sum_or_the_sum_of_all_parts(
    empty_engine: Engine, rows: list[tuple[str, str, int]], nev: int
) -> None:
    state(empty_engine, "alpha", *rows)
    query = "market=KR&measure=units&by=market&grain=year&powertrain=NEV"
    assert line(ask(empty_engine, query), ALL).value.tolist() == [nev]
    with empty_engine.connect() as connection:
        reading = MARKET_SHARE.load(
            connection, Selection.from_query(query, defaults=MARKET_SHARE.defaults), today=TODAY
        )
        assert MARKET_SHARE.receipts is not None
        behind = MARKET_SHARE.receipts(connection, reading, Point("KR", ALL, ALL, 2025 * 12))
    assert behind["units"].sum() == nev, "the receipts of a sum are not its parts as well"


@pytest.mark.parametrize("part", ["BEV", "PHEV", "FCEV", "ALL"])
def test_nevs_are_never_one_part_alone(empty_engine: Engine, part: str) -> None:
    state(empty_engine, "alpha", ("2025", f"{part} all", 100))
    with pytest.raises(NotPublished) as refused:
        ask(empty_engine, "market=KR&measure=units&by=market&grain=year&powertrain=NEV")
    assert "NEV" in str(refused.value)


def test_nevs_are_never_one_publishers_battery_cars_and_anothers_hybrids(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2025", "BEV all", 100))
    state(empty_engine, "beta", ("2025", "PHEV all", 30))
    with pytest.raises(NotPublished) as refused:
        ask(empty_engine, "market=KR&measure=units&by=market&grain=year&powertrain=NEV")
    assert refused.value.nearest is not None
    assert refused.value.nearest.powertrain is not PowertrainChoice.NEV


def test_a_maker_told_in_one_part_only_takes_the_names_from_the_nevs_and_not_cars_from_the_total(
    empty_engine: Engine,
) -> None:
    by_maker = [("2025-01", "BEV tesla", 60), ("2025-01", "BEV byd", 40), ("2025-01", "PHEV byd", 30)]
    state(empty_engine, "alpha", *by_maker, ("2025-01", "BEV all", 100), ("2025-01", "PHEV all", 30))
    assert units_by_market(empty_engine, "powertrain=NEV") == {"2025-01": 130}
    with pytest.raises(NotPublished, match="only totals"):
        ask(empty_engine, f"{KOREA}&powertrain=NEV")


def test_without_a_total_such_a_record_is_not_known(empty_engine: Engine) -> None:
    state(empty_engine, "alpha", ("2025-01", "BEV tesla", 60), ("2025-01", "BEV byd", 40), ("2025-01", "PHEV byd", 30))
    with pytest.raises(NotPublished):
        ask(empty_engine, f"{KOREA}&by=market&powertrain=NEV")


# Vehicles


def test_passenger_commercial_and_all_vehicles_never_mix(empty_engine: Engine) -> None:
    for n, scope in enumerate(("passenger_car", "commercial_vehicle", "all_vehicles"), start=1):
        state(empty_engine, f"source-{n}", ("2026-01", "tesla", 100 * n), scope=scope, rank=-n)
    assert line(ask(empty_engine, KOREA), "tesla").value.tolist() == [100]


@pytest.mark.parametrize("scope", ["commercial_vehicle", "all_vehicles"])
@pytest.mark.parametrize("query", ["", "&basis=wholesale", "&by=market", "&powertrain=NEV&of=ALL", "&measure=growth"])
def test_other_vehicles_are_never_drawn_as_passenger_cars(empty_engine: Engine, scope: str, query: str) -> None:
    state(empty_engine, "alpha", ("2026-01", "byd", 100), scope=scope, market="OVERSEAS", basis="wholesale")
    state(empty_engine, "beta", ("2026-01", "byd", 300), market="WORLD", basis="wholesale", states=States.MAKERS)
    with pytest.raises(Refusal, match="passenger cars apart from other vehicles") as refused:
        ask(empty_engine, f"market=OVERSEAS{query}")
    assert refused.value.nearest is not None
    assert refused.value.nearest.market == ("WORLD",), "of which the cars abroad are a part"


# Makers' own figures beside a market's record


def test_makers_own_figures_stay_out_of_a_record_that_names_makers(empty_engine: Engine) -> None:
    state(empty_engine, "office", ("2026-01", "tesla", 100), ("2026-01", "other", 300), basis="retail")
    state(empty_engine, "tesla-own", ("2026-01", "tesla", 200), basis="retail", states=States.MAKERS, rank=1)
    figures = ask(empty_engine, "market=KR&basis=retail&measure=units")
    assert not figures.is_own
    assert line(figures, "tesla").value.tolist() == [100]
    assert line(figures, OTHER).value.tolist() == [300]


def test_a_makers_own_figure_is_a_share_of_the_total_of_its_market_and_basis(empty_engine: Engine) -> None:
    state(empty_engine, "office", ("2026-01", "all", 400), basis="retail")
    state(empty_engine, "tesla-own", ("2026-01", "tesla", 100), basis="retail", states=States.MAKERS)
    state(empty_engine, "tesla-wholesale", ("2026-01", "tesla", 300), basis="wholesale", states=States.MAKERS)
    figures = ask(empty_engine, "market=KR&basis=retail")
    assert figures.is_own
    assert [(each.maker, each.value.tolist()) for each in figures.lines] == [("tesla", [0.25])]
    with pytest.raises(Refusal, match="add up to no market"):
        ask(empty_engine, "market=KR&basis=wholesale")
