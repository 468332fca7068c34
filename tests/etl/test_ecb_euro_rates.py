"""The parser of the ECB's euro rates: each month's mean, every entry accounted for, and no month before it is over."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from db import queries, records
from db.vocabulary import Obtained
from etl import pipeline
from etl.claims import Claims
from etl.pipeline import Refusal
from etl.snapshots import Refused, Snapshot, SnapshotStore
from etl.sources import ecb_euro_rates
from etl.sources.ecb_euro_rates import canonical_file, published_on
from etl.web import Fetched, Web, fetch
from tests.etl.test_fetch_command import _OnThisMachine
from tests.upstream import Clock, Reply, running
from tests.world import rows

FILE = "eurofxref-hist.zip"
REAL = Path(__file__).parents[1] / "world" / "ecb" / "eurofxref-hist.csv"
"""27 lines of the ECB's file of 2026-10-30 as they stand there: May 2024, a day on either side, and two old days."""

MAY_IS_OVER = date(2026, 5, 29)
"""A Friday; the 30th and the 31st are a weekend."""


def table(*lines: str, header: str = "Date,USD,CNY,", first: str = "2015-01-02,1,8,") -> str:
    """A file of these lines, above one of January 2015, with which every file begins."""
    return "\n".join([header, *lines, first, ""])


def packed(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def snapshot(content: str | bytes, *, known_on: date = MAY_IS_OVER, file: str = FILE) -> Snapshot:
    return Snapshot(
        source="ecb-euro-rates",
        file=file,
        known_on=known_on,
        content=content.encode() if isinstance(content, str) else content,
        origin_url="https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip",
        obtained=Obtained.FOLDER,
    )


def parse(content: str | bytes, *, known_on: date = MAY_IS_OVER) -> Claims:
    """What the parser makes of a file; every row is counted once, whatever became of it."""
    claims = ecb_euro_rates.parse(snapshot(content, known_on=known_on))
    frame = claims.records["fx_rate"]
    assert tuple(frame) == records.fields("fx_rate")
    assert claims.rows_read == len(frame) + len(claims.rejected) + claims.out_of_scope + claims.duplicate
    assert not frame.duplicated(["currency", "period_start"]).any()
    return claims


def means(claims: Claims, *, since: date = date(2015, 2, 1)) -> dict[tuple[str, str], tuple[float, int]]:
    """Rate and number of days by currency and month."""
    frame = claims.records["fx_rate"]
    told = frame[["currency", "period_start", "rate", "days"]].itertuples(index=False, name=None)
    return {(currency, f"{month:%Y-%m}"): (rate, days) for currency, month, rate, days in told if month >= since}


def told(claims: Claims) -> list[tuple[int, str, str, str]]:
    return [(row.line, row.column, row.value, row.reason) for row in claims.rejected]


def refusal(content: str | bytes) -> str:
    with pytest.raises(Refused) as caught:
        ecb_euro_rates.parse(snapshot(content))
    assert str(caught.value).startswith(FILE)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is read


def test_a_months_rate_is_the_mean_of_its_days_and_stands_where_its_last_day_does() -> None:
    claims = parse(table("2026-05-29,3,N/A,", "2026-05-28,2,9,", "2026-05-27,1,7,"))
    assert means(claims) == {("USD", "2026-05"): (2.0, 3), ("CNY", "2026-05"): (8.0, 2)}
    may = claims.records["fx_rate"].query("currency == 'CNY'").iloc[-1].to_dict()
    assert (may["line"], may["note"], may["known_estimated"]) == (3, "", False)
    assert may["url"] == "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip"


def test_a_mean_is_exact_and_then_rounded_to_six_decimals_half_to_even() -> None:
    days = ("2026-05-29,1.000001,8.000003,", "2026-05-28,1.000002,8.000002,")
    assert means(parse(table(*days))) == {("USD", "2026-05"): (1.000002, 2), ("CNY", "2026-05"): (8.000002, 2)}


def test_a_currency_that_is_not_quoted_in_a_month_has_no_rate_for_it_and_no_row() -> None:
    claims = parse(table("2026-05-29,1,N/A,"))
    assert means(claims) == {("USD", "2026-05"): (1.0, 1)}
    assert claims.rows_read == 3  # with both currencies of January 2015


def test_months_before_2015_are_out_of_scope_and_counted() -> None:
    claims = parse(
        table("2026-05-29,1,8,", first="2015-01-02,1,8,\n2014-12-31,1,8,\n2014-12-30,1,N/A,\n1999-01-04,1,N/A,")
    )
    assert claims.out_of_scope == 3
    assert claims.records["fx_rate"]["period_start"].min() == date(2015, 1, 1)


@pytest.mark.parametrize(
    ("newest", "over"),
    [
        ("2026-05-29", True),  # a Friday before a weekend at the month's end
        ("2026-05-28", False),
        ("2024-03-28", True),  # Good Friday is the 29th
        ("2024-03-27", False),
        ("2018-03-29", True),  # Good Friday is the 30th
        ("2027-04-30", True),
        ("2025-12-31", True),
        ("2025-12-24", False),
        ("2026-02-27", True),
    ],
)
def test_a_month_counts_once_the_last_day_on_which_rates_are_set_is_there(newest: str, over: bool) -> None:
    claims = parse(table(f"{newest},1,8,"), known_on=date.fromisoformat(newest))
    assert bool(means(claims)) is over
    assert claims.out_of_scope == (0 if over else 2)


def test_a_month_that_a_later_one_follows_is_over() -> None:
    claims = parse(table("2026-05-04,3,9,", "2026-04-29,1,8,"))
    assert means(claims) == {("USD", "2026-04"): (1.0, 1), ("CNY", "2026-04"): (8.0, 1)}
    assert claims.out_of_scope == 2


def test_a_zip_and_the_csv_in_it_say_the_same() -> None:
    content = table("2026-05-29,1,8,")
    zipped = parse(packed(("eurofxref-hist.csv", content.encode())))
    assert zipped.records["fx_rate"].equals(parse(content).records["fx_rate"])


def test_the_file_goes_by_one_name() -> None:
    names = ["eurofxref-hist.zip", "eurofxref-hist.csv", "eurofxref-hist-90d.xml", "x/eurofxref-hist.zip", "rates.csv"]
    assert [canonical_file(name) for name in names] == [FILE, FILE, None, None, None]
    with pytest.raises(Refused, match="is not a file of this source"):
        ecb_euro_rates.parse(snapshot("", file="rates.csv"))


def test_a_file_came_out_on_its_newest_day() -> None:
    assert published_on(table("2026-05-28,1,8,", "2026-05-29,1,8,").encode()) == MAY_IS_OVER
    assert published_on(b"PK damaged") is None
    assert published_on(b"Date,USD,\n") is None


@given(
    st.dictionaries(
        st.dates(min_value=date(2015, 2, 1), max_value=date(2026, 4, 30)),
        st.lists(st.one_of(st.none(), st.integers(min_value=50, max_value=99)), min_size=2, max_size=2),
        max_size=40,
    )
)
def test_the_mean_of_any_month_is_that_of_its_entries(entries: dict[date, list[int | None]]) -> None:
    shown = [
        f"{day},{','.join('N/A' if rate is None else str(rate) for rate in entries[day])},"
        for day in sorted(entries, reverse=True)
    ]
    expected: dict[tuple[str, str], list[int]] = defaultdict(list)
    for day, told_rates in entries.items():
        for currency, rate in zip(("USD", "CNY"), told_rates, strict=True):
            if rate is not None:
                expected[currency, f"{day:%Y-%m}"].append(rate)
    found = means(parse(table("2026-05-29,60,60,", *shown, first="2015-01-02,60,60,")))
    del found["USD", "2026-05"], found["CNY", "2026-05"]
    assert {cell: days for cell, (_, days) in found.items()} == {cell: len(rates) for cell, rates in expected.items()}
    for cell, rates in expected.items():
        assert abs(Fraction(found[cell][0]) - Fraction(sum(rates), len(rates))) < Fraction(1, 10**6)


# What is rejected


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("-8", "is not positive"),
        ("0", "is not positive"),
        ("0.000", "is not positive"),
        ("", "is no number"),
        ("n/a", "is no number"),
        ("8e0", "is no number"),
        ("NaN", "is no number"),
        ("١", "is no plain text"),
        ("80", "is out of all proportion to the rate before, 8"),
        ("0.8", "is out of all proportion to the rate before, 8"),
    ],
)
def test_an_entry_that_is_no_rate_is_rejected_and_the_month_is_of_the_others(entry: str, reason: str) -> None:
    content = table("2026-05-29,1,9,", f"2026-05-28,1,{entry},", "2026-05-27,1,8,")
    if not entry.isascii():
        assert reason in refusal(content)
        return
    claims = parse(content)
    assert told(claims) == [(3, "CNY", entry, reason)]
    assert means(claims) == {("USD", "2026-05"): (1.0, 3), ("CNY", "2026-05"): (8.5, 2)}
    notes = claims.records["fx_rate"].query("period_start >= @MAY", local_dict={"MAY": date(2026, 5, 1)})
    assert dict(zip(notes["currency"], notes["note"], strict=True)) == {
        "USD": "",
        "CNY": "1 of the month's daily rates could not be read",
    }


def test_a_month_of_which_no_entry_can_be_read_has_no_rate() -> None:
    claims = parse(table("2026-05-29,1,x,"))
    assert claims.rows_read == 4
    assert means(claims) == {("USD", "2026-05"): (1.0, 1)}
    assert told(claims) == [(2, "CNY", "x", "is no number")]


@pytest.mark.parametrize("day", ["2026-05-30", "2062-05-29"])
def test_a_day_after_that_of_the_file_is_rejected(day: str) -> None:
    claims = parse(table(f"{day},5,5,", "2026-05-29,1,8,"))
    assert told(claims) == [(2, "Date", day, "is after 2026-05-29, the day of this file")]
    assert means(claims)["USD", "2026-05"] == (1.0, 1)


@pytest.mark.parametrize("day", ["29 May 2026", "2026-02-30", "20260529", ""])
def test_a_line_without_a_day_is_rejected(day: str) -> None:
    claims = parse(table(f"{day},5,5,", "2026-05-29,1,8,"))
    assert told(claims) == [(2, "Date", day, "is no day such as 2026-10-30")]


def test_a_day_with_two_sets_of_rates_has_none() -> None:
    claims = parse(table("2026-05-29,1,8,", "2026-05-28,2,8,", "2026-05-28,3,8,"))
    assert told(claims) == [
        (3, "Date", "2026-05-28", "has other rates in lines 3 and 4"),
        (4, "Date", "2026-05-28", "has other rates in lines 3 and 4"),
    ]
    assert means(claims)["USD", "2026-05"] == (1.0, 1)


def test_a_day_that_is_there_twice_to_the_letter_counts_once() -> None:
    claims = parse(table("2026-05-29,1,8,", "2026-05-28,2,8,", "2026-05-28,2,8,"))
    assert (claims.duplicate, claims.rejected) == (1, ())
    assert means(claims)["USD", "2026-05"] == (1.5, 2)


def test_a_rate_is_held_against_a_recent_one_only() -> None:
    """A currency that was not quoted for years comes back at any rate, and a new level that lasts a month is one."""
    june = date(2026, 6, 30)
    claims = parse(table("2026-06-30,1,80,", "2026-06-29,1,80,", "2026-05-29,1,8,"), known_on=june)
    assert means(claims)["CNY", "2026-06"] == (80.0, 1)
    assert [row.line for row in claims.rejected] == [3]


# What is refused


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "another header"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"Date,USD\n2026-05-29,1\n", "another header"),
        (table("2026-05-29,1,8,", header="Date,USD,USD,"), "another header"),
        (table("2026-05-29,1,8,", header="Date,USD,yuan,"), "another header"),
        (table("2026-05-29,1,8,", header="Day,USD,CNY,"), "another header"),
        (table("2026-05-29,1,"), "line 2: has 3 fields"),
        (table("2026-05-29,1,8,9"), "line 2: has 4 fields and ends in '9'"),
        (table('2026-05-29,"1,8,'), "is no CSV"),
        (table(first=""), "holds no day that can be read"),
        (table("2027-01-04,1,8,", first=""), "holds no day that can be read (line 2: Date is after 2026-05-29"),
        (table("2026-05-29,1,8,", first="2015-02-02,1,8,"), "begins on 2015-02-02 only"),
        (b"PK\x03\x04 and then nothing", "cannot be unpacked"),
    ],
)
def test_what_is_no_such_table_is_refused(content: str | bytes, says: str) -> None:
    assert says in refusal(content)


@pytest.mark.parametrize(
    "names",
    [(), ("other.csv",), ("../eurofxref-hist.csv",), ("eurofxref-hist.csv", "readme.txt")],
)
def test_a_zip_holds_the_one_table_and_nothing_else(names: tuple[str, ...]) -> None:
    assert "not eurofxref-hist.csv alone" in refusal(packed(*((name, b"x") for name in names)))


def test_a_zip_that_unpacks_to_far_too_much_is_refused() -> None:
    content = packed(("eurofxref-hist.csv", b"0" * (33 * 2**20)))
    assert len(content) < 100_000
    assert "unpacks to more than 33,554,432 bytes" in refusal(content)


def test_a_damaged_zip_is_refused() -> None:
    content = bytearray(packed(("eurofxref-hist.csv", table("2026-05-29,1,8,").encode())))
    content[60] ^= 0xFF
    assert "cannot be unpacked" in refusal(bytes(content))


# The ECB's own lines


def test_the_ecbs_own_lines_give_the_mean_that_can_be_worked_out_from_them() -> None:
    """May 2024, 22 days: the yuan's column adds up to 172.0539; the kuna is no more."""
    claims = parse(REAL.read_bytes().replace(b"\n2014-12-31", b"\n2015-01-31"), known_on=date(2024, 6, 3))
    found = means(claims)
    assert found["CNY", "2024-05"] == (7.820632, 22)
    assert found["CNY", "2024-05"][0] == round(172.0539 / 22, 6)
    assert ("CNY", "2024-06") not in found
    assert ("HRK", "2024-05") not in found
    assert claims.rejected == ()


# Into the database and back


def loaded(engine: Engine, *contents: tuple[str | bytes, date]) -> list[object]:
    outcomes: list[object] = []
    pipeline.load(engine, [snapshot(text, known_on=day) for text, day in contents], keep=None, tell=outcomes.append)
    assert not any(isinstance(each, Refusal) for each in outcomes), outcomes
    return outcomes


def standing(engine: Engine, *, as_of: date | None = None) -> dict[tuple[str, str], float]:
    with engine.connect() as connection:
        frame = queries.records(connection, "fx_rate", as_of=as_of)
    return {
        (currency, f"{month:%Y-%m}"): rate
        for currency, month, rate in frame[["currency", "period_start", "rate"]].itertuples(index=False, name=None)
        if month.year > 2015
    }


def test_a_later_file_adds_a_month_and_changes_one_and_what_was_known_before_stays(empty_engine: Engine) -> None:
    may, june = date(2026, 5, 29), date(2026, 6, 30)
    first = table("2026-05-29,2,N/A,", "2026-04-30,1,N/A,")
    second = table("2026-06-30,3,N/A,", "2026-05-29,2,N/A,", "2026-04-30,1.5,N/A,")
    outcomes = loaded(empty_engine, (first, may), (second, june))
    assert standing(empty_engine, as_of=may) == {("USD", "2026-04"): 1.0, ("USD", "2026-05"): 2.0}
    assert standing(empty_engine) == {("USD", "2026-04"): 1.5, ("USD", "2026-05"): 2.0, ("USD", "2026-06"): 3.0}
    counts = [(each.read, each.loaded, each.unchanged, each.closed) for each in outcomes]  # type: ignore[attr-defined]
    assert counts == [(4, 4, 0, 0), (5, 2, 3, 1)]
    rows.healthy(empty_engine)


def test_the_same_months_a_day_later_change_nothing(empty_engine: Engine) -> None:
    first = table("2026-05-29,2,8,")
    _, again = loaded(
        empty_engine, (first, MAY_IS_OVER), (table("2026-06-01,9,9,", "2026-05-29,2,8,"), date(2026, 6, 1))
    )
    assert (again.loaded, again.unchanged, again.closed) == (0, 4, 0)  # type: ignore[attr-defined]


def test_the_zip_is_fetched_loaded_and_not_sent_again(empty_engine: Engine, tmp_path: Path) -> None:
    keep = SnapshotStore(tmp_path / "snapshots")
    content = packed(("eurofxref-hist.csv", table("2026-02-27,2,8,").encode()))
    clock = Clock()
    with running() as server:
        server.serve("/www.ecb.europa.eu/stats/eurofxref/eurofxref-hist.zip", Reply(body=content, etag='"1"'))
        for unchanged in (False, True):
            with Web(now=clock.now, transport=_OnThisMachine(server.url), clock=clock, sleep=clock.sleep) as web:
                (found,) = fetch(
                    "ecb-euro-rates", ecb_euro_rates.downloads, web=web, known=keep, today=date(2026, 3, 1)
                )
            assert isinstance(found, Fetched)
            assert found.unchanged is unchanged
            assert found.snapshot.content == content
            pipeline.load(empty_engine, [found.snapshot], keep=keep, tell=lambda _: None)
    assert standing(empty_engine) == {("USD", "2026-02"): 2.0, ("CNY", "2026-02"): 8.0}


# Upstream's own file


@pytest.mark.extra
def test_every_mean_that_was_transcribed_is_that_of_the_ecbs_file(shared: Path) -> None:
    """1,534 means of `fx_monthly.csv`. Five of them lie exactly between two roundings and are off by the last digit."""
    claims = ecb_euro_rates.parse(
        snapshot((shared / "raw/ecb/eurofxref-hist.zip").read_bytes(), known_on=date(2026, 10, 30))
    )
    found = means(claims)
    assert (len(found), len({currency for currency, _ in found})) == (4_365, 32)
    with (shared / "figures/fx_monthly.csv").open(encoding="utf-8", newline="") as stream:
        differences = [
            abs(Decimal(str(found[row["currency"], row["period"]][0])) - Decimal(row["rate"]))
            for row in csv.DictReader(stream)
        ]
    assert len(differences) == 1_534
    assert max(differences) <= Decimal("0.000001")
    assert sum(difference > 0 for difference in differences) == 5
    assert claims.rejected == ()
    assert (claims.rows_read, claims.out_of_scope) == (10_393, 5_997)


@pytest.mark.extra
def test_the_real_zip_and_csv_are_one_file_of_which_a_folder_has_one(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "eurofxref-hist.csv").write_bytes((shared / "raw/ecb/eurofxref-hist.csv").read_bytes())
    day = MAY_IS_OVER + timedelta(days=1)
    (found,) = pipeline.snapshots_in(
        tmp_path, [ecb_euro_rates], known_on=None, retrieved_at=Clock().now().replace(tzinfo=None)
    )
    assert isinstance(found, Snapshot)
    assert (found.file, found.known_on) == (FILE, date(2026, 10, 30))
    assert found.known_on > day
