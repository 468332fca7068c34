"""Curated files of records: what a row has to be, and what becomes of records from one loading to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from db import database, provenance, queries, schema, store
from db.contents import Outcome, Receipt, Source
from db.database import open_engine
from db.health import source_health
from db.records import fields, spans
from db.vocabulary import OPEN_END, Cadence, Obtained, States
from etl import bundle
from etl.claims import Claims
from etl.harmonize import harmonize, reference
from etl.records import columns, no_tenfold_steps, read
from etl.snapshots import Refused
from etl.sources.curated import CURATED_RECORDS, parse_records
from tests.world.rows import NewDatabase

SOURCE: Final = Source(
    slug="made-up-rates",
    title="Made-up rates",
    publisher="Nobody",
    url="https://made-up.example",
    licence="none",
    licence_url="https://made-up.example/licence",
    states=States.RECORDS,
    cadence=Cadence.MONTHLY,
    lag_days=10,
    precedence=900,
    warning="",
)
TODAY = date(2026, 6, 1)
HEADER: Final = ",".join(columns("price"))
ROW: Final = (
    "DE,Example,Model One,Base,BEV,EUR,list,yes,2026-01-05,20000,day,press,50,300,WLTP,https://made-up.example/one,,"
    "2026-01-05,"
)


def told(*rows: str, table: str = "price", header: str = HEADER) -> Claims:
    return read("\n".join([header, *rows, ""]).encode(), file="made-up.csv", table=table, known_on=TODAY)


def changed(**cells: str) -> str:
    """The example's row with other cells."""
    named = dict(zip(columns("price"), ROW.split(","), strict=True))
    assert cells.keys() <= named.keys()
    return ",".join((named | cells).values())


@pytest.fixture
def engine(new_database: NewDatabase) -> Iterator[Engine]:
    made = open_engine(new_database("ev"))
    with database.writing(made) as connection:
        database.create(connection, markets=reference().markets)
    yield made
    made.dispose()


def receipt(name: str, known_on: date, obtained: Obtained = Obtained.CURATED) -> Receipt:
    return Receipt(SOURCE.slug, "made-up.csv", known_on, "https://made-up.example", None, name, 1, obtained)


def load_dated(engine: Engine, name: str, *rows: str) -> Outcome:
    with database.writing(engine) as connection:
        contents = harmonize(told(*rows), reference())
        return store.load_dated(connection, source=SOURCE, receipt=receipt(name, TODAY), contents=contents)


def load_snapshot(engine: Engine, name: str, known_on: date, *rows: str) -> Outcome:
    with database.writing(engine) as connection:
        contents = harmonize(told(*rows), reference())
        records = {table: [row[:-1] for row in of] for table, of in contents.records.items()}
        contents = replace(contents, records=records)
        where = receipt(name, known_on, Obtained.DOWNLOAD)
        return store.load_snapshot(connection, source=SOURCE, receipt=where, contents=contents)


def amounts(engine: Engine, as_of: date | None = None) -> dict[str, float]:
    """By trim: the price as known on a day."""
    with engine.connect() as connection:
        frame = queries.records(connection, "price", as_of=as_of)
    return dict(zip(frame["trim"], frame["amount"], strict=True))


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    return outcome.read, outcome.loaded, outcome.unchanged, outcome.closed


def test_every_table_of_records_has_a_file_format() -> None:
    assert len(schema.RECORDS) == 11
    for table in schema.RECORDS:
        names = columns(table.name)
        assert names[-4:] == ("source_url", "note", "published_on", "published_estimated")
        assert set(table.info["key"]) - {"url"} <= set(names), "what a row is about is in the file"


def test_a_row_is_read_as_it_stands() -> None:
    (row,) = told(ROW).records["price"].to_dict("records")
    assert row["amount"] == 20000
    assert row["effective_from"] == date(2026, 1, 5)
    assert row["line"] == 2
    assert row["url"] == "https://made-up.example/one"
    assert row["known_estimated"] is False


def test_a_cell_that_may_be_left_out_is_missing_and_no_zero() -> None:
    (row,) = told(changed(battery_kwh="")).records["price"].to_dict("records")
    assert row["battery_kwh"] is None


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("market", "XX", "no market"),
        ("powertrain", "NEV", "is none of BEV"),
        ("price_kind", "street", "is none of list"),
        ("amount", "", "is empty"),
        ("amount", "20,000", "cells"),
        ("amount", "cheap", "no plain number"),
        ("amount", "nan", "no plain number"),
        ("effective_from", "5 Jan 2026", "no day such as"),
        ("effective_from", "2026-02-30", "no day of the calendar"),
        ("published_on", "", "is empty"),
        ("published_on", "2026-06-02", "later than 2026-06-01"),
        ("published_estimated", "perhaps", "neither yes nor empty"),
        ("source_url", "", "is empty"),
        ("source_url", "a newspaper", "no address"),
    ],
)
def test_a_row_that_cannot_be_read_is_kept_with_its_reason(column: str, value: str, reason: str) -> None:
    claims = told(ROW, changed(**{column: value}))
    (rejected,) = claims.rejected
    assert rejected.line == 3
    assert reason in rejected.reason
    assert rejected.column in (column, "")
    assert len(claims.records["price"]) == 1, "the good row is still told"
    assert claims.rows_read == 2


def test_a_price_ten_times_the_one_before_it_is_a_slip_of_the_pen() -> None:
    later = changed(amount="200000", effective_from="2026-02-05", published_on="2026-02-05")
    other = changed(amount="200000", trim="Gold")
    claims = read(
        "\n".join([HEADER, ROW, later, other, ""]).encode(),
        file="made-up.csv",
        table="price",
        known_on=TODAY,
        across=(no_tenfold_steps,),
    )
    (rejected,) = claims.rejected
    assert (rejected.line, rejected.column, rejected.value) == (3, "amount", "200000.0")
    assert "10.0 times the 20,000 of line 2" in rejected.reason
    assert claims.records["price"]["line"].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("currency", "XYZ", "has no exchange rate: it is none of AUD, BGN"),
        ("effective_from", "2028-01-05", "is 730 days after the day of publication"),
        ("amount", "-20000", "is not above zero"),
        ("amount", "0", "is not above zero"),
    ],
)
def test_a_price_that_cannot_be_is_rejected_with_its_row(column: str, value: str, reason: str) -> None:
    (prices,) = (entry for entry in CURATED_RECORDS if entry.table == "price")
    content = "\n".join([HEADER, ROW, changed(trim="Odd", **{column: value}), ""]).encode()
    claims = parse_records(prices, content)
    (rejected,) = claims.rejected
    assert (rejected.line, rejected.column, rejected.value) == (3, column, value)
    assert reason in rejected.reason
    assert claims.records["price"]["line"].tolist() == [2]


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        ("tax_rate", "DE,VAT,all,2026-01-01,19,0", "is no fraction from 0 to below 1"),
        ("tax_rate", "DE,VAT,all,2026-01-01,-0.1,0", "is no fraction from 0 to below 1"),
        ("price_index", "DE,2025,-1,2015 = 100", "is not above zero"),
        ("attach", "2026-03-31,GLOBAL,paid_users,ALL,Nobody,3,1,2,count,survey", "does not lie between low and high"),
    ],
)
def test_what_the_table_would_refuse_is_told_with_its_row_before(table: str, row: str, reason: str) -> None:
    (file,) = (entry for entry in CURATED_RECORDS if entry.table == table)
    content = f"{','.join(columns(table))}\n{row},https://made-up.example/one,,2026-04-01,\n".encode()
    claims = parse_records(file, content)
    (rejected,) = claims.rejected
    assert rejected.line == 2
    assert reason in rejected.reason


def test_a_file_with_other_columns_is_refused_with_those_it_needs() -> None:
    with pytest.raises(Refused, match="published_estimated") as refused:
        told(ROW, header=HEADER.replace("amount", "price"))
    assert refused.value.line == 1


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    try:
        claims = read(f"{HEADER}\n{text}\n".encode(), file="made-up.csv", table="price", known_on=TODAY)
    except Refused:
        return
    assert claims.rows_read == len(claims.records["price"]) + len(claims.rejected)


def test_a_restated_price_stands_from_the_day_on_which_it_was_restated(engine: Engine) -> None:
    restated = changed(amount="21000", published_on="2026-03-01")
    assert counts(load_dated(engine, "first", ROW, restated)) == (2, 2, 0, 1)
    assert amounts(engine) == {"Base": 21000}
    assert amounts(engine, date(2026, 2, 28)) == {"Base": 20000}
    assert amounts(engine, date(2026, 1, 4)) == {}


def test_a_confirmed_price_is_no_new_claim(engine: Engine) -> None:
    confirmed = changed(published_on="2026-03-01", source_url="https://made-up.example/two")
    assert counts(load_dated(engine, "first", ROW, confirmed)) == (2, 1, 1, 0)


def test_one_thing_told_twice_on_one_day_is_refused() -> None:
    contents = harmonize(told(ROW, changed(amount="21000")), reference())
    with pytest.raises(ValueError, match="line 3: says the same thing as line 2"):
        spans("price", contents.records["price"])


def test_a_changed_curated_file_replaces_its_rows(engine: Engine) -> None:
    load_dated(engine, "first", ROW, changed(trim="Long"))
    load_dated(engine, "second", changed(amount="22000"))
    assert amounts(engine) == {"Base": 22000}


def test_a_later_snapshot_closes_what_it_no_longer_has_and_what_it_changes(engine: Engine) -> None:
    january, february = date(2026, 1, 10), date(2026, 2, 10)
    load_snapshot(engine, "first", january, ROW, changed(trim="Long"), changed(trim="Sport"))
    outcome = load_snapshot(engine, "second", february, ROW, changed(trim="Long", amount="23000"))
    assert counts(outcome) == (2, 1, 1, 2)
    assert amounts(engine) == {"Base": 20000, "Long": 23000}
    assert amounts(engine, date(2026, 2, 9)) == {"Base": 20000, "Long": 20000, "Sport": 20000}


def test_a_second_snapshot_of_one_day_takes_the_place_of_the_first(engine: Engine) -> None:
    january, february = date(2026, 1, 10), date(2026, 2, 10)
    load_snapshot(engine, "first", january, ROW)
    load_snapshot(engine, "second", february, changed(amount="1"))
    load_snapshot(engine, "third", february, changed(amount="20000", trim="Long"), ROW)
    assert amounts(engine) == {"Base": 20000, "Long": 20000}
    with engine.connect() as connection:
        frame = queries.records(connection, "price")
    assert set(frame["known_from"]) == {january, february}, "what stood before is as old as it was"


def test_records_go_through_a_bundle_unchanged(engine: Engine, tmp_path: Path, new_database: NewDatabase) -> None:
    load_snapshot(engine, "first", date(2026, 1, 10), ROW, changed(trim="Long", battery_kwh="", note="a note"))
    load_snapshot(engine, "second", date(2026, 2, 10), changed(amount="22000"))
    bundle.write(engine, SOURCE.slug, folder=tmp_path)
    (history,) = bundle.read(SOURCE.slug, folder=tmp_path)
    copy = open_engine(new_database("copy"))
    with database.writing(copy) as connection:
        database.create(connection, markets=reference().markets)
        store.load_history(connection, source=SOURCE, history=history)
    for day in (date(2026, 1, 9), date(2026, 1, 10), None):
        frames = []
        for each in (engine, copy):
            with each.connect() as connection:
                frames.append(queries.records(connection, "price", as_of=day))
        assert frames[0].drop(columns="snapshot_id").equals(frames[1].drop(columns="snapshot_id"))
    copy.dispose()


def test_a_source_of_records_says_how_many_there_are_and_since_when(engine: Engine) -> None:
    load_dated(engine, "first", ROW, changed(amount="21000", published_on="2026-03-01"))
    with engine.connect() as connection:
        (of,) = source_health(connection)
        assert [(each.table, each.figures, each.figures_all_vintages) for each in of.recorded] == [("price", 1, 2)]
        assert of.figures == 1
        assert of.last_snapshot == date(2026, 3, 1)
        assert of.latest is None
        (before,) = source_health(connection, as_of=date(2026, 2, 1))
        assert [(each.figures, each.figures_all_vintages) for each in before.recorded] == [(1, 1)]


def test_monthly_records_are_due_after_their_last_month(engine: Engine) -> None:
    header = ",".join(columns("fx_rate"))
    row = "USD,2026-04-01,1.1,20,https://made-up.example/r,,2026-05-01,"
    with database.writing(engine) as connection:
        contents = harmonize(told(row, table="fx_rate", header=header), reference())
        store.load_dated(connection, source=SOURCE, receipt=receipt("rates", TODAY), contents=contents)
    with engine.connect() as connection:
        (of,) = source_health(connection)
    assert of.latest is not None
    assert of.latest.next_due == date(2026, 6, 11)
    assert of.is_overdue(on=date(2026, 6, 12))
    assert not of.is_overdue(on=date(2026, 6, 11))


def test_a_receipt_names_the_file_the_line_and_the_address(engine: Engine) -> None:
    load_dated(engine, "first", ROW)
    with engine.connect() as connection:
        frame = queries.records(connection, "price")
        frame = frame.assign(day=frame["effective_from"], about="Model One Base", stated="20,000 EUR")
        (slip,) = provenance.record_receipts(connection, frame).to_dict("records")
        (cited,) = provenance.record_citations(connection, frame)
        (standing,) = provenance.standing_snapshots(connection)
        assert provenance.standing_snapshots(connection, as_of=date(2026, 1, 4)) == []
    assert (standing["file"], standing["known_on"]) == ("made-up.csv", "2026-01-05")
    assert (slip["file"], slip["line"], slip["urls"]) == ("made-up.csv", 2, "https://made-up.example/one")
    assert (slip["period_start"], slip["stated"], slip["known_from"]) == ("2026-01-05", "20,000 EUR", "2026-01-05")
    assert cited.slug == SOURCE.slug
    assert cited.known_on == date(2026, 1, 5)


def test_a_removed_source_takes_its_records_and_names_with_it(engine: Engine) -> None:
    load_dated(engine, "first", ROW)
    with database.writing(engine) as connection:
        assert store.remove_source(connection, SOURCE.slug) == 1
        assert "example" not in queries.names(connection).makers
        assert queries.records(connection, "price").empty


@given(
    st.lists(
        st.tuples(st.sampled_from(["Base", "Long"]), st.integers(1, 3), st.integers(1, 28)),
        max_size=12,
        unique_by=lambda row: (row[0], row[2]),
    )
)
def test_the_claims_about_one_thing_follow_each_other_without_gap_or_overlap(
    prices: list[tuple[str, int, int]],
) -> None:
    width, names = len(fields("price")), fields("price")
    blank = dict.fromkeys(names, "")
    rows = [
        (*(blank | {"trim": trim, "amount": amount, "line": n}).values(), date(2026, 1, day))
        for n, (trim, amount, day) in enumerate(prices)
    ]
    claims = spans("price", rows)
    for trim in ("Base", "Long"):
        of_trim = [row for row in claims if row[names.index("trim")] == trim]
        days = [(row[width], row[width + 1]) for row in of_trim]
        assert all(end == following for (_, end), (following, _) in pairwise(days))
        assert not days or days[-1][1] == OPEN_END
        for _, amount, day in (price for price in prices if price[0] == trim):
            stood = [row for row in of_trim if row[width] <= date(2026, 1, day) < row[width + 1]]
            assert [row[names.index("amount")] for row in stood] == [amount]
