"""The curated figures: they add up as their publishers' own totals do, and each cites the address that prints it."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from db.vocabulary import MarketKind, States
from etl.claims import Claims, cited_remark, cited_urls
from etl.harmonize import reference, slug
from etl.snapshots import Refused
from etl.sources.curated import CURATED, CURATED_RECORDS, FOLDER, CuratedFile, parse
from etl.tidy import COLUMNS, describe_problems

REFERENCE = FOLDER.parent / "reference"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
LAST = date(2026, 11, 1)
"""The day by which all that has been curated so far was published."""

Cells = dict[str, dict[tuple[str, ...], int]]


@cache
def claims(source: str) -> Claims:
    """What a curated file says."""
    (entry,) = (entry for entry in CURATED if entry.source.slug == source)
    tidied = parse(entry.file, entry.path.read_bytes(), known_on=LAST)
    assert describe_problems(tidied.rejected, file=entry.file) == []
    return tidied.claims


def units(source: str, **which: str) -> dict[str, int]:
    """Units by period (as `2026-06`, `2026-Q2`, `2026`) of one series, the latest known of each cell."""
    key = {"maker": "Tesla", "model": "all", "vehicle_scope": "passenger_car", "powertrain": "BEV", **which}
    frame = claims(source).sales
    for column, value in key.items():
        frame = frame[frame[column] == value]
    frame = frame.sort_values("published_on", kind="stable")
    return {_period(start, grain): count for start, grain, count in _columns(frame, "period_start", "grain", "units")}


def _columns(frame: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    return zip(*(frame[name] for name in names), strict=True)


def _period(start: date, grain: str) -> str:
    return {"month": f"{start:%Y-%m}", "quarter": f"{start:%Y}-Q{start.month // 3 + 1}", "year": f"{start:%Y}"}[grain]


def _year(figures: dict[str, int], year: int, *, periods: int) -> int:
    found = [count for period, count in figures.items() if period.startswith(f"{year}-")]
    assert len(found) == periods
    return sum(found)


# The files as a whole


@pytest.mark.parametrize("entry", CURATED, ids=lambda entry: entry.source.slug)
def test_a_curated_file_is_read_whole(entry: CuratedFile) -> None:
    tidied = parse(entry.file, entry.path.read_bytes(), known_on=LAST)
    assert describe_problems(tidied.rejected, file=entry.file) == []
    read = tidied.claims
    assert read.duplicate == 0
    assert read.rows_read == len(read.sales) + len(read.penetration) == entry.path.read_bytes().count(b"\n") - 1


def test_every_curated_file_is_a_source_and_the_readme_names_it() -> None:
    files = {path.name for path in FOLDER.glob("*.csv")}
    here = {entry.file for entry in (*CURATED, *CURATED_RECORDS) if entry.folder == FOLDER}
    assert files == here == set(re.findall(r"^\| `([\w-]+\.csv)`", README, re.MULTILINE))


def test_the_curated_files_hold_927_figures_and_ten_shares() -> None:
    sizes = {entry.source.slug: len(claims(entry.source.slug).sales) for entry in CURATED}
    assert sizes == {
        "tesla-deliveries": 241,
        "byd-sales": 260,
        "tesla-china": 159,
        "china-nev-market": 46,
        "maker-deliveries": 155,
        "annual-totals": 66,
    }
    assert sum(len(claims(entry.source.slug).penetration) for entry in CURATED) == 10


def test_sources_differ_in_name_and_the_makers_own_word_comes_before_others() -> None:
    sources = [entry.source for entry in CURATED]
    assert len({source.slug for source in sources}) == len({source.title for source in sources}) == len(sources)
    assert [source.precedence for source in sources] == sorted(source.precedence for source in sources)
    assert {source.slug for source in sources if source.states == States.MARKET} == {"china-nev-market"}
    assert all(source.warning and source.lag_days > 0 and source.url.startswith("http") for source in sources)


def test_a_curated_row_without_an_address_or_a_day_is_rejected() -> None:
    content = ",".join(COLUMNS) + "\n2026-06,CN,retail,BEV,,all,,100,,,,,\n"
    tidied = parse(CURATED[0].file, content.encode())
    assert [(found.line, found.column) for found in tidied.rejected] == [(2, "published_on"), (2, "source_url")]
    with pytest.raises(Refused, match=r"^tesla-deliveries\.csv line 1"):
        parse(CURATED[0].file, b"period,market\n")


@pytest.mark.parametrize("entry", CURATED, ids=lambda entry: entry.source.slug)
def test_every_figure_cites_one_address_and_says_when_its_day_is_inferred(entry: CuratedFile) -> None:
    with entry.path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    read = claims(entry.source.slug)
    cited = dict(_columns(read.sales, "line", "evidence")) | dict(_columns(read.penetration, "line", "evidence"))
    for line, row in enumerate(rows, start=2):
        assert cited_urls(cited[line]) == [row["source_url"]]
        assert ("publication day estimated" in cited_remark(cited[line])) == (row["published_estimated"] == "yes")
        assert row["note"] in cited_remark(cited[line])


_DAYS = re.compile(r"(?<!\d)(20[12]\d)(?:/(\d\d)/(\d\d)|-(\d\d)-(\d\d)|(\d\d)(\d\d)|/(\d\d)(\d\d)|(\d\d)/(\d\d))(?!\d)")


def _days(address: str) -> set[str]:
    """The days that an address may name, as 2024-01-02."""
    return {"-".join(part for part in found if part) for found in _DAYS.findall(address)}


@pytest.mark.parametrize("entry", CURATED, ids=lambda entry: entry.source.slug)
def test_a_day_that_is_not_inferred_stands_in_the_address(entry: CuratedFile) -> None:
    with entry.path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            stands = row["published_on"] in _days(row["source_url"])
            assert stands == (row["published_estimated"] == ""), row


def test_an_inferred_day_is_soon_after_the_periods_end() -> None:
    late = []
    for entry in CURATED:
        for frame in (claims(entry.source.slug).sales, claims(entry.source.slug).penetration):
            for start, grain, published, evidence in _columns(
                frame, "period_start", "grain", "published_on", "evidence"
            ):
                over = (start + timedelta(days=31 * grain.months)).replace(day=1)
                over = over if grain != "year" else date(start.year + 1, 1, 1)
                assert published >= over
                if published > over + timedelta(days=31):
                    late.append(cited_remark(evidence))
    assert len(late) == 4
    assert all("the first print may differ" in remark for remark in late)


def test_the_only_cell_with_two_days_is_teslas_restated_year_2020() -> None:
    cells = Counter(
        (entry.source.slug, *cell)
        for entry in CURATED
        for frame in (claims(entry.source.slug).sales, claims(entry.source.slug).penetration)
        for cell in _columns(
            frame.assign(kind=frame.columns[8]),
            *("kind", "market", "basis", "powertrain", "vehicle_scope", "grain", "period_start", "maker", "model"),
        )
    )
    twice = [cell for cell, times in cells.items() if times > 1]
    assert [(cell[0], cell[7], cell[8]) for cell in twice] == [("annual-totals", date(2020, 1, 1), "Tesla")]
    assert cells[twice[0]] == 2
    assert units("annual-totals", basis="delivery")["2020"] == 499_647


def test_every_maker_has_a_reviewed_name() -> None:
    spelled = {maker for entry in CURATED for maker in claims(entry.source.slug).sales["maker"]} - {"all"}
    known = reference().makers
    assert {maker: known.get(slug(maker)) for maker in spelled} == {maker: maker for maker in spelled}


# Tesla


@pytest.mark.parametrize(
    ("year", "deliveries"),
    [
        (2019, 367_200),
        (2020, 498_920),
        (2021, 935_950),
        (2022, 1_313_851),
        (2023, 1_808_581),
        (2024, 1_789_226),
        (2025, 1_636_129),
    ],
)
def test_teslas_quarterly_deliveries_sum_to(year: int, deliveries: int) -> None:
    assert _year(units("tesla-deliveries", basis="delivery"), year, periods=4) == deliveries


@pytest.mark.parametrize(
    ("year", "production"),
    [(2020, 509_737), (2021, 930_422), (2022, 1_369_611), (2023, 1_845_985), (2024, 1_773_443), (2025, 1_654_667)],
)
def test_teslas_quarterly_production_sums_to_the_published_year(year: int, production: int) -> None:
    assert _year(units("tesla-deliveries", basis="production"), year, periods=4) == production
    assert units("annual-totals", basis="production")[str(year)] == production


def test_teslas_first_printed_quarters_miss_the_published_years_as_the_readme_says() -> None:
    quarters, years = units("tesla-deliveries", basis="delivery"), units("annual-totals", basis="delivery")
    missed = {year: count - _year(quarters, int(year), periods=4) for year, count in years.items()}
    assert {year: count for year, count in missed.items() if count} == {
        "2015": 38,
        "2016": 340,
        "2018": 320,
        "2019": 300,
        "2020": 727,
        "2021": 222,
    }
    assert (
        "38 (2015), 340 (2016),\n  320 (2018), 300 (2019), 630 (2020; 727 after the restatement) and 222 (2021)"
        in README
    )


def test_teslas_groups_of_models_add_to_the_total_wherever_all_are_present() -> None:
    frame = claims("tesla-deliveries").sales
    groups: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for basis, start, model, count in _columns(frame, "basis", "period_start", "model", "units"):
        groups[basis, start][model] = count
    whole = 0
    for (basis, start), models in groups.items():
        parts = {model: count for model, count in models.items() if model != "all"}
        if not parts:
            continue
        if sum(parts.values()) != models["all"]:
            # Production of 2017 names the Model 3 alone.
            assert (basis, start.year, set(parts)) == ("production", 2017, {"Model 3"})
        else:
            whole += 1
    assert whole == 73


def test_teslas_latest_quarter() -> None:
    assert units("tesla-deliveries", basis="delivery")["2026-Q3"] == 486_532
    assert "2026-Q3" not in units("tesla-deliveries", basis="production")


# BYD


def _byd(powertrain: str = "BEV+PHEV", scope: str = "passenger_car", **which: str) -> dict[str, int]:
    key = {"market": "WORLD", "basis": "wholesale", **which}
    return units("byd-sales", maker="BYD", powertrain=powertrain, vehicle_scope=scope, **key)


def test_byds_battery_cars_and_plug_in_hybrids_add_to_its_passenger_cars() -> None:
    bev, phev, both = _byd("BEV"), _byd("PHEV"), _byd()
    periods = set(bev) & set(phev) & set(both)
    assert len(periods) == 37
    assert {period: bev[period] + phev[period] for period in periods} == {period: both[period] for period in periods}


def test_byds_passenger_cars_and_commercial_vehicles_add_to_its_total() -> None:
    cars, others, total = _byd(), _byd(scope="commercial_vehicle"), _byd(scope="all_vehicles")
    periods = set(cars) & set(others) & set(total)
    assert len(periods) == 24
    assert {period: cars[period] + others[period] for period in periods} == {
        period: total[period] for period in periods
    }


def test_byds_battery_cars_of_eight_months_of_2023_are_the_published_year_to_date() -> None:
    bev = _byd("BEV")
    assert sum(bev[f"2023-{month:02d}"] for month in range(1, 9)) == 897_220


def test_byds_quarter_and_two_months_of_2025_are_the_published_year_to_date() -> None:
    bev = _byd("BEV")
    assert (bev["2025-Q1"], bev["2025-Q1"] + bev["2025-04"] + bev["2025-05"]) == (416_388, 816_497)


def test_byds_sales_abroad_and_in_china_are_parts_of_all_vehicles() -> None:
    abroad, total = _byd(scope="all_vehicles", market="OVERSEAS"), _byd(scope="all_vehicles")
    assert all(abroad[period] < total[period] for period in set(abroad) & set(total))
    assert _byd(scope="all_vehicles", market="CN") == {"2025-08": 292_813}


def test_byds_year_2025_adds_up() -> None:
    year = [units("annual-totals", maker="BYD", powertrain=p, basis="wholesale")["2025"] for p in ("BEV", "PHEV")]
    assert (year, sum(year)) == ([2_256_714, 2_288_709], 4_545_423)


# China


def test_tesla_in_china_wholesale_is_retail_plus_exports_in_all_42_complete_months() -> None:
    wholesale, retail, export = (units("tesla-china", basis=basis) for basis in ("wholesale", "retail", "export"))
    months = set(wholesale) & set(retail) & set(export)
    assert len(months) == 42
    assert {month: retail[month] + export[month] for month in months} == {month: wholesale[month] for month in months}


@pytest.mark.parametrize(("year", "wholesale"), [(2022, 710_865), (2023, 947_742)])
def test_tesla_in_china_wholesale_sums_to_the_published_year(year: int, wholesale: int) -> None:
    assert _year(units("tesla-china", basis="wholesale"), year, periods=12) == wholesale
    assert units("annual-totals", basis="wholesale", market="CN")[str(year)] == wholesale


def test_what_was_called_retail_in_2020_says_so() -> None:
    frame = claims("tesla-china").sales
    early = [
        (basis, cited_remark(evidence))
        for basis, start, evidence in _columns(frame, "basis", "period_start", "evidence")
        if start.year == 2020
    ]
    assert len(early) == 7
    assert all(("wholesale by today's words" in remark) == (basis == "retail") for basis, remark in early)


def test_chinas_battery_cars_and_plug_in_hybrids_add_to_the_market_but_for_rounding() -> None:
    checked = 0
    for basis in ("retail", "wholesale"):
        parts = [units("china-nev-market", maker="all", powertrain=p, basis=basis) for p in ("BEV", "PHEV", "BEV+PHEV")]
        for month in set(parts[0]) & set(parts[1]):
            bev, phev, both = (part[month] for part in parts)
            assert abs(bev + phev - both) <= 1000
            checked += 1
    assert checked == 7


def test_chinas_penetrations_imply_a_market_of_all_cars_on_their_own_basis() -> None:
    frame = claims("china-nev-market").penetration
    implied = {}
    for basis, start, share in _columns(frame, "basis", "period_start", "share"):
        month = f"{start:%Y-%m}"
        both = units("china-nev-market", maker="all", powertrain="BEV+PHEV", basis=basis)[month]
        implied[basis, month] = both / share / 1e6
    assert all(1.4 < cars < 2.4 for cars in implied.values())
    # In November 2022 makers shipped about 0.4 million cars more than were sold: each share is of its own basis.
    assert implied["wholesale", "2022-11"] - implied["retail", "2022-11"] == pytest.approx(0.38, abs=0.01)


# Other makers


@pytest.mark.parametrize(
    ("maker", "powertrain", "quarter", "months"),
    [
        ("XPeng", "BEV", "2023-Q2", ("2023-04", "2023-05", "2023-06")),
        ("NIO", "BEV", "2023-Q2", ("2023-04", "2023-05", "2023-06")),
        ("Li Auto", "BEV+PHEV", "2023-Q2", ("2023-04", "2023-05", "2023-06")),
        ("NIO", "BEV", "2025-Q4", ("2025-10", "2025-11", "2025-12")),
    ],
)
def test_a_makers_months_sum_to_its_published_quarter(
    maker: str, powertrain: str, quarter: str, months: tuple[str, ...]
) -> None:
    figures = units("maker-deliveries", maker=maker, powertrain=powertrain, basis="delivery")
    assert sum(figures[month] for month in months) == figures[quarter]


def test_xpengs_months_of_2025_sum_to_the_published_year() -> None:
    months = {
        month: count
        for powertrain in ("BEV", "BEV+PHEV")
        for month, count in units("maker-deliveries", maker="XPeng", powertrain=powertrain, basis="delivery").items()
        if month.startswith("2025-")
    }
    assert len(months) == 12
    year = units("annual-totals", maker="XPeng", powertrain="BEV+PHEV", basis="delivery")
    assert sum(months.values()) == year["2025"] == 429_445


def test_the_us_market_is_a_total_and_no_maker() -> None:
    figures = units("maker-deliveries", maker="all", market="US", basis="delivery")
    assert figures == {"2024-Q4": 365_830, "2025-Q4": 234_171}


# Wrong prints


def test_no_wrong_print_of_the_press_was_taken_over() -> None:
    wrong = {10_659, 295_189, 145_063, 250_346, 4_550_036, 2_254_714, 3_500}
    taken = {count for entry in CURATED for count in claims(entry.source.slug).sales["units"]}
    assert not wrong & taken
    assert {10_695, 295_324, 145_036, 253_046, 2_256_714, 13_500} <= taken
    assert units("tesla-deliveries", basis="production")["2025-Q3"] == 447_450
    for figure in wrong:
        assert f"{figure:,}" in README


# The reference tables that were cleaned together with the figures


def _reference(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_event_has_a_day_a_market_a_kind_and_an_address() -> None:
    events = _reference("market_events.csv")
    assert len(events) == 200
    markets = {market["code"] for market in reference().markets}
    kinds = {"ban", "launch", "price_war", "recall", "regulation", "subsidy", "supply", "tariff", "tax"}
    for event in events:
        assert list(event) == ["date", "date_precision", "market", "kind", "maker", "text", "source_url"]
        day = date.fromisoformat(event["date"])
        assert event["date_precision"] in ("day", "month", "year", "approximate")
        assert event["date_precision"] != "month" or day.day == 1
        assert event["date_precision"] != "year" or (day.month, day.day) == (1, 1)
        assert event["market"] in markets
        assert event["kind"] in kinds
        assert event["maker"] in {"", *reference().makers}
        assert event["text"]
        assert event["source_url"].startswith(("http://", "https://"))
    assert [event["date"] for event in events] == sorted(event["date"] for event in events)


def test_a_maker_belongs_to_one_group_at_a_time_without_a_gap() -> None:
    rows = _reference("maker_groups.csv")
    assert len(rows) == 74
    assert list(rows[0]) == ["maker", "group", "valid_from", "valid_to", "source_url", "note"]
    spans: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        spans[row["maker"]].append((row["valid_from"], row["valid_to"]))
        assert row["group"]
        assert row["source_url"].startswith("http") or "not sourced" in row["note"]
    for maker, held in spans.items():
        assert slug(maker) in reference().makers
        assert (held[0][0], held[-1][1]) == ("", "")
        assert all(one[1] == following[0] != "" for one, following in pairwise(held))


def test_stellantis_begins_on_the_day_after_the_last_day_of_psa() -> None:
    opel = [row for row in _reference("maker_groups.csv") if row["maker"] == "Opel"]
    assert [(row["group"], row["valid_from"], row["valid_to"]) for row in opel] == [
        ("General Motors", "", "2017-08-01"),
        ("Groupe PSA", "2017-08-01", "2021-01-16"),
        ("Stellantis", "2021-01-16", ""),
    ]


def test_outside_the_home_market_is_a_region() -> None:
    (overseas,) = (market for market in reference().markets if market["code"] == "OVERSEAS")
    assert overseas["kind"] == MarketKind.REGION


# The figures that these files were transcribed from


def _transcribed(entry_slug: str) -> set[tuple[str, str, str]]:
    (entry,) = (entry for entry in CURATED if entry.source.slug == entry_slug)
    with entry.path.open(encoding="utf-8", newline="") as stream:
        return {(row["period"], row["units"] or row["share"], row["source_url"]) for row in csv.DictReader(stream)}


def _left_out() -> set[tuple[str, str]]:
    """Figure and address of each row of the README's list of what was left out."""
    section = README.split("## Left out, and why")[1].split("Wrong prints")[0]
    return {
        (figure.replace(",", ""), address)
        for figure, address in re.findall(r"\| [^|]*: ([\d,]+) \| <([^>]+)>", section)
    }


@pytest.mark.extra
@pytest.mark.parametrize(
    ("file", "source", "period", "values"),
    [
        ("tesla_quarterly.csv", "tesla-deliveries", "period", ("production", "deliveries")),
        ("byd_monthly.csv", "byd-sales", "period", ("units",)),
        ("byd_quarterly.csv", "byd-sales", "period", ("units",)),
        ("tesla_china_monthly.csv", "tesla-china", "period", ("units",)),
        ("china_nev_monthly.csv", "china-nev-market", "period", ("units", "penetration_share")),
        ("maker_monthly.csv", "maker-deliveries", "period", ("units",)),
        ("annual_totals.csv", "annual-totals", "year", ("units",)),
    ],
)
def test_every_figure_that_was_read_is_here_or_on_the_list_of_what_was_left_out(
    shared: Path, file: str, source: str, period: str, values: tuple[str, ...]
) -> None:
    here, left_out = _transcribed(source), _left_out()
    with (shared / "figures" / file).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows
    for row in rows:
        for value in filter(None, (row[name] for name in values)):
            assert (row[period], value, row["source_url"]) in here or (value, row["source_url"]) in left_out, row


@pytest.mark.extra
def test_only_figures_that_were_read_are_here(shared: Path) -> None:
    read: set[tuple[str, str]] = set()
    for path in (shared / "figures").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                names = ("units", "production", "deliveries", "penetration_share")
                read |= {(row[name], row.get("source_url", "")) for name in names if row.get(name)}
    for entry in CURATED:
        assert {(value, address) for _, value, address in _transcribed(entry.source.slug)} <= read
