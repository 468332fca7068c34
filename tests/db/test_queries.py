"""What the read side asks of the database: figures as known on a day, where they come from, what is said about them."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from sqlalchemy import Engine

from db import changes, market_claims, provenance, queries
from db.market_claims import Dataset
from db.vocabulary import OPEN_END
from etl import pipeline
from tests import world
from tests.world import rows

JANUARY, FEBRUARY = date(2026, 1, 15), date(2026, 2, 15)


def load(engine: Engine, *contents: tuple[date, str], file: str = "data/data-DE.js") -> None:
    """Load vintages of a made-up file."""
    for known_on, content in contents:
        pipeline.load(engine, [world.snapshot(content, file=file, known_on=known_on)], keep=None, tell=lambda _: None)


def figures(
    engine: Engine, *, as_of: date | None = None, markets: tuple[str, ...] = ("DE",), powertrain: str = "BEV"
) -> Dataset:
    with engine.connect() as connection:
        return market_claims.sales_figures(
            connection, markets=markets, bases=["registration"], powertrains=[powertrain], as_of=as_of
        )


def units(dataset: Dataset) -> dict[tuple[str, str], float]:
    frame = dataset.frame
    return dict(zip(zip(frame["maker"], frame["model"], strict=True), frame["units"], strict=True))


@pytest.fixture
def revised(empty_engine: Engine) -> Engine:
    """Germany in January 2026: Tesla first 10, then 12; the Seal first 5, then withdrawn; the rest stays 3."""
    first = {"Tesla|Model Y": 10, "BYD|Seal": 5, "other": 3}
    then = {"Tesla|Model Y": 12, "other": 3}
    load(
        empty_engine,
        (JANUARY, world.record(first, cited="https://kba.example (first count)")),
        (FEBRUARY, world.record(then, cited="https://kba.example (recount)")),
    )
    return empty_engine


def test_claims_come_as_they_stand_on_a_day(revised: Engine) -> None:
    before = {("tesla", "tesla-model-y"): 10, ("byd", "byd-seal"): 5, ("other", "all"): 3}
    after = {("tesla", "tesla-model-y"): 12, ("other", "all"): 3}
    assert units(figures(revised, as_of=JANUARY)) == before
    assert units(figures(revised, as_of=date(2026, 2, 14))) == before
    assert units(figures(revised, as_of=FEBRUARY)) == after
    assert units(figures(revised)) == after
    assert units(figures(revised, as_of=OPEN_END)) == after


def test_nothing_was_known_before_the_first_vintage(revised: Engine) -> None:
    dataset = figures(revised, as_of=date(2026, 1, 14))
    assert len(dataset.frame) == 0
    assert dataset.citations == ()
    with revised.connect() as connection:
        assert queries.first_known(connection, markets=["DE", "FR"], basis="registration") == {"DE": JANUARY}


def test_a_row_says_its_month_its_grain_and_since_when_it_is_known(revised: Engine) -> None:
    frame = figures(revised).frame
    assert set(frame["month"]) == {2026 * 12}
    assert set(frame["grain"]) == {"month"}
    known = {maker: (day - date(1970, 1, 1)).days for maker, day in (("tesla", FEBRUARY), ("other", JANUARY))}
    since = dict(zip(frame["maker"], frame["known_from"], strict=True))
    assert since["tesla"] == known["tesla"]
    assert since["other"] == known["other"], "its figure did not change, whatever else is cited with it"


def test_only_the_asked_markets_and_powertrains_are_read(empty_engine: Engine) -> None:
    both = world.record({"Tesla": 1, "other": 2}, kind="ElectricCarsByBrand") + world.record(
        {"other": 50}, kind="AllCarsTotal"
    )
    load(empty_engine, (JANUARY, both))
    load(empty_engine, (JANUARY, world.record({"Tesla|Model Y": 9}, country="FR")), file="data/data-FR.js")
    assert figures(empty_engine).frame["units"].sum() == 3
    assert figures(empty_engine, powertrain="ALL").frame["units"].sum() == 50
    assert figures(empty_engine, markets=("DE", "FR")).frame["units"].sum() == 12
    assert len(figures(empty_engine, markets=("NO",)).frame) == 0


def test_a_citation_names_the_latest_snapshot_that_was_known(revised: Engine) -> None:
    (now,), (then,) = figures(revised).citations, figures(revised, as_of=date(2026, 2, 14)).citations
    assert (now.slug, now.known_on, then.known_on) == ("open-ev-charts", FEBRUARY, JANUARY)
    assert now.licence == "GPL-3.0"


def test_remarks_come_with_the_rows_that_they_are_about(empty_engine: Engine) -> None:
    records = [
        world.record({"Tesla|Model Y": 1}, period=f"2026-0{n}", cited=f"https://kba.example/{n}{remark}")
        for n, remark in ((1, " (with vans)"), (2, " (estimate)"), (3, " (estimate)"), (4, ""))
    ]
    load(empty_engine, (JANUARY, "\n".join(records)))
    dataset = figures(empty_engine)
    assert dataset.warnings(dataset.claims.evidence_id) == ("estimate", "with vans")
    january = dataset.frame[dataset.frame["month"] == 2026 * 12]
    assert dataset.warnings(january["evidence_id"].to_numpy()) == ("with vans",)
    april = dataset.frame[dataset.frame["month"] == 2026 * 12 + 3]
    assert dataset.warnings(april["evidence_id"].to_numpy()) == ()


def test_receipts_say_where_each_claim_stands(revised: Engine) -> None:
    with revised.connect() as connection:
        receipts = provenance.receipts(
            connection,
            markets=["DE"],
            bases=["registration"],
            powertrains=["BEV"],
            makers=["tesla"],
            model=None,
            first=date(2026, 1, 1),
            last=date(2026, 1, 1),
        )
        nobody = provenance.receipts(
            connection,
            markets=["DE"],
            bases=["registration"],
            powertrains=["BEV"],
            makers=None,
            model=None,
            first=date(2026, 2, 1),
            last=date(2026, 2, 1),
        )
    (receipt,) = receipts.to_dict("records")
    assert (receipt["maker"], receipt["model"], receipt["units"], receipt["line"]) == ("Tesla", "Model Y", 12, 2)
    assert (receipt["file"], receipt["urls"], receipt["obtained"]) == (
        "data/data-DE.js",
        "https://kba.example",
        "folder",
    )
    assert (receipt["known_from"], receipt["known_on"]) == ("2026-02-15", "2026-02-15")
    assert receipt["text"] == "https://kba.example (recount)"
    assert len(receipt["sha256"]) == 64
    assert len(nobody) == 0
    assert list(nobody.columns) == list(receipts.columns)


def test_receipts_as_known_on_a_day_are_those_of_the_day(revised: Engine) -> None:
    with revised.connect() as connection:
        receipts = provenance.receipts(
            connection,
            markets=["DE"],
            bases=["registration"],
            powertrains=["BEV"],
            makers=None,
            model=None,
            first=date(2026, 1, 1),
            last=date(2026, 1, 31),
            as_of=JANUARY,
        )
    assert receipts["units"].tolist() == [10, 5, 3]


def test_groups_are_those_of_the_day(empty_engine: Engine) -> None:
    load(empty_engine, (JANUARY, world.record({"Smart": 1}, kind="ElectricCarsByBrand")))
    config = 'const companyGroups =\n{ "%s": [\n[ "Smart"\n, "Lotus"\n]\n};'
    load(empty_engine, (JANUARY, config % "Old Group"), (FEBRUARY, config % "New Group"), file="config.js")
    with empty_engine.connect() as connection:
        then, now = queries.nouns(connection, as_of=JANUARY), queries.nouns(connection)
    assert (then.members, now.members) == ({"old-group": ("lotus", "smart")}, {"new-group": ("lotus", "smart")})
    assert now.groups == {"new-group": "New Group"}


def test_nouns_are_the_markets_with_figures_and_no_total_or_rest(revised: Engine) -> None:
    with revised.connect() as connection:
        nouns = queries.nouns(connection)
    assert nouns.markets == {"DE": "Germany"}
    assert nouns.adjectives == {"DE": "German"}
    assert set(nouns.makers) == {"tesla", "byd"}
    assert nouns.model_makers == {"tesla-model-y": "tesla", "byd-seal": "byd"}
    assert nouns.regions == frozenset()


def test_the_bundled_world_and_union_are_regions(bundled_engine: Engine) -> None:
    with bundled_engine.connect() as connection:
        nouns = queries.nouns(connection)
    assert nouns.regions == {"EU", "EUROPE", "OVERSEAS", "WORLD"}
    assert len(nouns.markets) == 58
    assert "skoda" in nouns.members["volkswagen-group"]


def test_every_stored_claim_of_a_market_is_in_its_frame_once(bundled_engine: Engine) -> None:
    stored = rows.query(
        bundled_engine,
        "SELECT maker, model, period_start, units FROM sales JOIN series ON series.id = series_id "
        "WHERE market = 'IS' AND powertrain = 'BEV' AND known_to = '9999-12-31'",
    )
    frame = figures(bundled_engine, markets=("IS",)).frame
    found = Counter(
        (maker, model, f"{month // 12}-{month % 12 + 1:02d}-01", int(cars))
        for maker, model, month, cars in frame[["maker", "model", "month", "units"]].itertuples(index=False)
    )
    assert found == Counter(stored)


def test_a_question_about_more_ids_than_an_engine_takes_in_one_is_answered(revised: Engine) -> None:
    """PostgreSQL takes 65,535 values in one question."""
    ids = range(-35_000, 35_000)
    with revised.connect() as connection:
        asked = changes.cited(connection, ids)
        every = changes.cited(connection, [number for (number,) in rows.query(revised, "SELECT id FROM evidence")])
        assert [row.id for row in changes._series(connection, ids)] == sorted(
            number for (number,) in rows.query(revised, "SELECT id FROM series")
        )
    assert asked == every
    assert len(every) == 2
