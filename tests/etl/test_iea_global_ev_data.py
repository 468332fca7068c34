"""The parser of the IEA's table: both editions are read to the last figure, and nothing of it gets lost uncounted."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.claims import CLAIM_COLUMNS, PENETRATION_COLUMNS, Claims, cited_remark, cited_urls
from etl.snapshots import Refused
from etl.sources import iea_global_ev_data
from etl.sources.iea_global_ev_data import FILE, canonical_file, downloads, join, origin_url, published_on
from tests import world

HEADER_2024 = "region,category,parameter,mode,powertrain,year,unit,value"
HEADER_2025 = "region_country,category,parameter,mode,powertrain,year,unit,value,Aggregate group"

EDITION_2024 = "\r\n".join(
    [
        HEADER_2024,
        "Germany,Historical,EV sales,Cars,BEV,2023,Vehicles,300",
        "Germany,Historical,EV sales,Cars,PHEV,2023,Vehicles,200",
        "Germany,Historical,EV sales,Cars,FCEV,2023,Vehicles,100",
        "Germany,Historical,EV sales share,Cars,EV,2023,percent,25",
        "Germany,Historical,EV sales,Vans,BEV,2023,Vehicles,900",
        "Germany,Historical,EV stock,Cars,BEV,2023,Vehicles,900",
        "World,Projection-STEPS,EV sales,Cars,BEV,2035,Vehicles,900",
        "",
    ]
)
EDITION_2025 = "\n".join(
    [
        HEADER_2025,
        "Germany,Historical,EV sales,Cars,BEV,2023,Vehicles,310,Other",
        "Germany,Historical,EV sales,Cars,BEV,2024,Vehicles,400,Other",
        "World,Historical,EV sales share,Cars,EV,2024,percent,22,_World",
        "India,Projection-STEPS,EV sales,Trucks,BEV,2030,Vehicles,900,Other",
        "India,Projection-STEPS,EV sales,Trucks,BEV,2030,Vehicles,900,Other",
    ]
)

Figure = tuple[str, str, int, float]


def parse(content: str | bytes, *, file: str = FILE) -> Claims:
    """What the parser makes of a file with this content; its rows are counted once each, whatever became of them."""
    claims = iea_global_ev_data.parse(world.snapshot(content, file=file))
    assert tuple(claims.sales) == CLAIM_COLUMNS
    assert tuple(claims.penetration) == PENETRATION_COLUMNS
    assert claims.rows_read == (
        len(claims.sales) + len(claims.penetration) + len(claims.rejected) + claims.out_of_scope + claims.duplicate
    )
    return claims


def sales(claims: Claims) -> list[Figure]:
    """Market, powertrain, year and units of every number of cars, in the file's order."""
    columns = claims.sales[["market", "powertrain", "period_start", "units"]].itertuples(index=False, name=None)
    return [(market, str(powertrain), start.year, units) for market, powertrain, start, units in columns]


def shares(claims: Claims) -> list[Figure]:
    """Market, powertrain, year and share of every share, in the file's order."""
    columns = claims.penetration[["market", "powertrain", "period_start", "share"]].itertuples(index=False, name=None)
    return [(market, str(powertrain), start.year, share) for market, powertrain, start, share in columns]


def table(*rows: str) -> str:
    """A file in the layout of 2024: a good row of 100 cars, and these."""
    return "\n".join([HEADER_2024, "China,Historical,EV sales,Cars,BEV,2023,Vehicles,100", *rows, ""])


def row(
    value: str = "200",
    *,
    region: str = "Norway",
    category: str = "Historical",
    parameter: str = "EV sales",
    mode: str = "Cars",
    powertrain: str = "BEV",
    year: str = "2022",
    unit: str = "Vehicles",
) -> str:
    """A row in the layout of 2024."""
    return ",".join([region, category, parameter, mode, powertrain, year, unit, value])


def share_row(value: str, *, powertrain: str = "EV", unit: str = "percent") -> str:
    """A row with a share in the layout of 2024."""
    return row(value, parameter="EV sales share", powertrain=powertrain, unit=unit)


def refusal(content: str | bytes, *, file: str = FILE) -> Refused:
    """Why the parser refuses this content: one line that names the file, what is wrong and the remedy."""
    with pytest.raises(Refused) as caught:
        parse(content, file=file)
    refused = caught.value
    assert str(refused).startswith(f"{file} line {refused.line}: " if refused.line else f"{file}: ")
    assert refused.remedy
    assert "\n" not in str(refused)
    return refused


# What is read


def test_past_sales_of_cars_by_powertrain_and_the_electric_share_are_kept() -> None:
    claims = parse(EDITION_2024)
    assert sales(claims) == [("DE", "BEV", 2023, 300), ("DE", "PHEV", 2023, 200), ("DE", "FCEV", 2023, 100)]
    assert shares(claims) == [("DE", "BEV+PHEV", 2023, 0.25)]


def test_vans_stocks_and_projections_are_out_of_scope_and_counted() -> None:
    assert parse(EDITION_2024).out_of_scope == 3


def test_a_figure_is_of_a_calendar_year_of_all_makers_registered_passenger_cars() -> None:
    claims = parse(EDITION_2024)
    for frame in (claims.sales, claims.penetration):
        assert {
            tuple(key)
            for key in frame[["basis", "vehicle_scope", "grain", "period_start", "maker", "model"]].to_numpy()
        } == {("registration", "passenger_car", "year", date(2023, 1, 1), "all", "all")}


def test_the_layout_of_2025_is_read_and_its_exact_duplicates_are_counted_once() -> None:
    claims = parse(EDITION_2025)
    assert sales(claims) == [("DE", "BEV", 2023, 310), ("DE", "BEV", 2024, 400)]
    assert shares(claims) == [("WORLD", "BEV+PHEV", 2024, 0.22)]
    assert (claims.rows_read, claims.out_of_scope, claims.duplicate) == (5, 1, 1)


def test_each_figure_knows_its_line() -> None:
    assert parse(EDITION_2024).sales["line"].tolist() == [2, 3, 4]
    assert parse(EDITION_2024).penetration["line"].tolist() == [5]


def test_an_empty_line_is_no_row_and_is_counted_as_a_line() -> None:
    claims = parse(table("", row("200")))
    assert claims.rows_read == 2
    assert claims.sales["line"].tolist() == [2, 4]


def test_a_line_end_inside_quotes_does_not_shift_the_lines_of_later_rows() -> None:
    claims = parse(table('"Nor\nway",Historical,EV sales,Cars,BEV,2022,Vehicles,200', row("300")))
    assert [rejected.line for rejected in claims.rejected] == [3]
    assert claims.sales["line"].tolist() == [2, 5]


@pytest.mark.parametrize(
    ("content", "url", "remark"),
    [
        (EDITION_2024, "https://www.iea.org/reports/global-ev-outlook-2024", "IEA, Global EV Outlook 2024"),
        (EDITION_2025, "https://www.iea.org/reports/global-ev-outlook-2025", "IEA, Global EV Outlook 2025"),
        (
            table(row(year="2024")),
            "https://www.iea.org/data-and-statistics/data-tools/global-ev-data-explorer",
            "IEA, Global EV Data Explorer",
        ),
    ],
)
def test_a_figure_cites_its_edition(content: str, url: str, remark: str) -> None:
    (text,) = set(parse(content).sales["evidence"])
    assert cited_urls(text) == [url]
    assert cited_remark(text) == remark


def test_columns_in_another_order_are_read_by_their_names() -> None:
    content = (
        "value,unit,year,powertrain,mode,parameter,category,region\n100,Vehicles,2023,BEV,Cars,EV sales,Historical,USA"
    )
    assert sales(parse(content)) == [("US", "BEV", 2023, 100)]


@pytest.mark.parametrize(
    ("spelled", "market"),
    [
        ("World", "WORLD"),
        ("EU27", "EU"),
        ("Europe", "EUROPE"),
        ("Turkiye", "TR"),
        ("Korea", "KR"),
        ("Viet Nam", "VN"),
        ("USA", "US"),
        ("Czech Republic", "CZ"),
        ("United Kingdom", "GB"),
    ],
)
def test_the_iea_s_names_of_markets_become_codes(spelled: str, market: str) -> None:
    assert sales(parse(table(row(region=spelled))))[1] == (market, "BEV", 2022, 200)


def test_every_market_is_one_that_the_reference_names() -> None:
    path = Path(iea_global_ev_data.__file__).parents[1] / "reference" / "markets.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        known = [market["code"] for market in csv.DictReader(stream)]
    assert len(set(known)) == len(known)
    assert set(iea_global_ev_data._MARKETS.values()) <= set(known)


@pytest.mark.parametrize(
    "region",
    [
        "Rest of the world",
        "Africa",
        "Asia Pacific",
        "Central and South America",
        "Middle East and Caspian",
        "North America",
    ],
)
def test_a_region_that_no_other_publisher_draws_so_is_out_of_scope(region: str) -> None:
    claims = parse(table(row(region=region)))
    assert (len(claims.sales), claims.out_of_scope) == (1, 1)


@pytest.mark.parametrize(("text", "units"), [("2e3", 2000), ("1.5e3", 1500), ("200.0", 200), ("0.0", 0), ("0", 0)])
def test_a_whole_number_is_read_however_it_is_written_and_a_stated_zero_is_zero(text: str, units: int) -> None:
    value = parse(table(row(text))).sales["units"].tolist()[1]
    assert value == units
    assert type(value) is int


@pytest.mark.parametrize(
    ("percent", "fraction"),
    [("0.0061", 0.000061), ("2.3", 0.023), ("100", 1.0), ("0", 0.0), ("2.299999952", 0.023), ("0.119999997", 0.0012)],
)
def test_a_share_in_per_cent_becomes_the_fraction_that_the_publisher_rounded_to(percent: str, fraction: float) -> None:
    assert shares(parse(table(share_row(percent)))) == [("NO", "BEV+PHEV", 2022, fraction)]


def test_a_share_with_many_digits_that_is_no_single_precision_number_keeps_them() -> None:
    assert shares(parse(table(share_row("2.299999999")))) == [("NO", "BEV+PHEV", 2022, 0.02299999999)]


@given(st.decimals(min_value=0, max_value=100, places=3).map(lambda share: share.normalize()))
def test_a_rounded_share_is_the_same_whether_it_is_printed_as_such_or_in_single_precision(share: Decimal) -> None:
    noisy = f"{np.float32(str(share)):.9f}".rstrip("0").rstrip(".")
    (plain,) = shares(parse(table(share_row(f"{share:f}"))))
    assert shares(parse(table(share_row(noisy)))) == [plain]


# What is rejected, row by row


@pytest.mark.parametrize(
    ("bad", "column", "value", "says"),
    [
        (row("2.2"), "value", "2.2", "no whole number of cars"),
        (row("-200"), "value", "-200", "negative"),
        (row("1e12"), "value", "1e12", "more cars than are sold in a year"),
        (row("1e999"), "value", "1e999", "no number"),
        (row(""), "value", "", "no number"),
        (row("n/a"), "value", "n/a", "no number"),
        (row("NaN"), "value", "NaN", "no number"),
        (row('"1,000"'), "value", "1,000", "no number"),
        (row("٢٠٠"), "value", "٢٠٠", "no number"),
        (row(year="2022.0"), "year", "2022.0", "no year"),
        (row(year="22"), "year", "22", "no year"),
        (row(unit="thousand"), "unit", "thousand", "not the unit of EV sales, Vehicles"),
        (row(powertrain="EV"), "powertrain", "EV", "known are BEV, PHEV, FCEV"),
        (share_row("101"), "value", "101", "more than 100 per cent"),
        (share_row("-1"), "value", "-1", "negative"),
        (share_row("1", unit="fraction"), "unit", "fraction", "not the unit of EV sales share, percent"),
        (share_row("1", powertrain="BEV"), "powertrain", "BEV", "known are EV"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_reason(bad: str, column: str, value: str, says: str) -> None:
    claims = parse(table(bad))
    assert sales(claims) == [("CN", "BEV", 2023, 100)]
    (rejected,) = claims.rejected
    assert (rejected.line, rejected.column, rejected.value) == (3, column, value)
    assert says in rejected.reason


def test_an_unknown_market_is_rejected_and_the_reference_is_named_as_the_remedy() -> None:
    (rejected,) = parse(table(row(region="Atlantis"))).rejected
    assert (rejected.line, rejected.column, rejected.value) == (3, "region", "Atlantis")
    assert "etl/reference/markets.csv" in rejected.reason
    assert "etl/sources/iea_global_ev_data.py" in rejected.reason
    (rejected,) = parse(EDITION_2025.replace("World,", "Atlantis,")).rejected
    assert rejected.column == "region_country"


# What is refused as a whole


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (HEADER_2024 + ",note", "against the 2024 edition, 'note' is new"),
        (HEADER_2024.replace(",unit", ""), "against the 2024 edition, 'unit' is missing"),
        (HEADER_2025.replace(",Aggregate group", ""), "against the 2025 edition, 'Aggregate group' is missing"),
        (HEADER_2024.replace("mode", "year"), "against the 2024 edition, 'mode' is missing; 'year' is there twice"),
        (HEADER_2024 + ",value", "'value' is there twice"),
        (HEADER_2025.replace("region_country", "country"), "'country' is new; 'region_country' is missing"),
        (HEADER_2024.upper(), "are new"),
        ('{"region": "World"}', "is new"),
        ("C:\\Users\\me\\global-ev-data.csv", "is new"),
        ("", "are missing"),
    ],
)
def test_a_third_layout_is_refused_naming_the_column_and_the_known_ones(header: str, says: str) -> None:
    refused = refusal(header + "\n" + row())
    assert refused.line == 1
    assert says in refused.problem
    assert HEADER_2024 in refused.remedy
    assert HEADER_2025 in refused.remedy


def test_two_figures_for_one_cell_are_refused_with_both_lines() -> None:
    refused = refusal(table(row("200"), row("300")))
    assert refused.line == 4
    assert refused.problem == "a second number of BEV cars in NO in 2022; the first is in line 3"
    assert "a second share of BEV+PHEV cars in NO" in refusal(table(share_row("2"), share_row("3"))).problem


def test_a_row_that_is_cut_is_refused_as_damaged() -> None:
    refused = refusal(EDITION_2024[: EDITION_2024.index(",900")])
    assert refused.line == 6
    assert refused.problem == "has 7 fields where the header has 8"
    assert "cut short" in refused.remedy


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 0, "is empty"),
        (HEADER_2024, 0, "holds no figure of cars sold"),
        (table().replace("Cars", "Buses"), 0, "holds no figure of cars sold"),
        (table().replace("China", "Atlantis"), 0, "that can be read (line 2: region is no market"),
        (table('"Norway'), 3, "is no CSV"),
        (table('"Nor"way,Historical'), 3, "is no CSV"),
        (table(row("200") + ",300"), 3, "has 9 fields"),
        (EDITION_2024.encode("utf-16"), 1, "is not UTF-8"),
        (EDITION_2024.encode("utf-8-sig"), 1, "byte order mark"),
        (b"<!DOCTYPE html><html></html>", 1, "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", 1, "a Git-LFS pointer"),
    ],
)
def test_what_is_no_table_of_the_iea_is_refused_for_what_it_is(content: str | bytes, line: int, says: str) -> None:
    refused = refusal(content)
    assert refused.line == line
    assert says in refused.problem


def test_a_file_of_another_name_is_refused() -> None:
    assert refusal(EDITION_2024, file="evs.csv").problem == "is not a file of this source"


# Whatever the file

_ROWS = st.builds(
    row,
    st.sampled_from(["100", "200", "-1", "2.2", "", "50"]),
    region=st.sampled_from(["Norway", "World", "Africa", "Atlantis"]),
    category=st.sampled_from(["Historical", "Projection-STEPS"]),
    parameter=st.sampled_from(["EV sales", "EV sales share", "EV stock"]),
    mode=st.sampled_from(["Cars", "Vans"]),
    powertrain=st.sampled_from(["BEV", "PHEV", "EV"]),
    year=st.sampled_from(["2021", "2022", "x"]),
    unit=st.sampled_from(["Vehicles", "percent"]),
)


@given(st.lists(_ROWS, max_size=12))
def test_every_row_is_accounted_for_once_or_the_file_is_refused(rows: list[str]) -> None:
    readable = {r.rsplit(",", 1)[0]: r for r in rows}
    if len(readable) < len(set(rows)):  # two values for one cell, of which one may be refused
        rows = list(readable.values())
    claims = parse(table(*rows))  # which checks the sum
    assert claims.rows_read == 1 + len(rows)
    assert claims.duplicate == len(rows) - len(set(rows))
    used = [*claims.sales["line"], *claims.penetration["line"], *(rejected.line for rejected in claims.rejected)]
    assert len(set(used)) == len(used)


@given(
    st.integers(min_value=0, max_value=len(EDITION_2024) - 1),
    st.sampled_from(["delete", "replace", "insert"]),
    st.one_of(st.sampled_from(',"\r\n\0 0-.e'), st.characters(codec="utf-8")),
)
def test_one_changed_character_never_breaks_the_parser_nor_touches_other_rows(
    position: int, change: str, character: str
) -> None:
    after = position if change == "insert" else position + 1
    damaged = EDITION_2024[:position] + ("" if change == "delete" else character) + EDITION_2024[after:]
    try:
        claims = parse(damaged)
    except Refused:
        return
    whole = set(sales(parse(EDITION_2024)) + shares(parse(EDITION_2024)))
    assert len(whole - set(sales(claims) + shares(claims))) <= 1


# Editions and answers


@pytest.mark.parametrize("name", [FILE, "IEA Global EV Data 2024.csv", "EVDataExplorer2025.csv"])
def test_every_edition_is_one_file(name: str) -> None:
    assert canonical_file(name) == "global-ev-data.csv"


@pytest.mark.parametrize("name", ["EVDataExplorer2025.xlsx", "global-ev-data.csv.bak", "electric-car-sales.csv", ""])
def test_a_file_that_is_no_edition_in_csv_is_left_alone(name: str) -> None:
    assert canonical_file(name) is None


def test_an_edition_is_known_from_the_day_of_its_publication() -> None:
    assert published_on(EDITION_2024.encode()) == date(2024, 4, 23)
    assert published_on(EDITION_2025.encode()) == date(2025, 5, 14)


@pytest.mark.parametrize(
    "content",
    [
        table(row(year="2024")),  # a later answer in the layout of 2024
        table().replace("2023", "2022"),
        HEADER_2024,
        HEADER_2024 + ",note\n",
        "",
        "<html></html>",
        HEADER_2024 + '\n"Norway',
        "\0",
    ],
)
def test_what_is_no_known_edition_has_no_day_of_publication(content: str) -> None:
    assert published_on(content.encode()) is None
    assert published_on(content.encode("utf-16")) is None


def test_sales_and_shares_are_asked_for_year_by_year_from_2010_and_make_one_file() -> None:
    (request,) = downloads(_no_answer, (), this_year=2012)
    assert (request.file, request.join, request.origin_url) == (FILE, join, origin_url(FILE))
    assert request.urls == (
        "https://api.iea.org/evs?parameters=EV%20sales&category=Historical&mode=Cars&year=2010&csv=true",
        "https://api.iea.org/evs?parameters=EV%20sales&category=Historical&mode=Cars&year=2011&csv=true",
        "https://api.iea.org/evs?parameters=EV%20sales%20share&category=Historical&mode=Cars&year=2010&csv=true",
        "https://api.iea.org/evs?parameters=EV%20sales%20share&category=Historical&mode=Cars&year=2011&csv=true",
    )


def _no_answer(url: str) -> bytes:
    raise AssertionError(f"{url} need not be read to know what to download")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_the_answers_of_single_years_are_joined_with_one_header(end: str, last: bool) -> None:
    years = [row("100", year="2021"), row("200", year="2022"), row("300", year="2023")]
    parts = [f"{HEADER_2024}{end}{of_year}{end if last else ''}".encode() for of_year in years]
    joined = join([*parts, HEADER_2024.encode()])  # a year without a figure
    assert joined.count(b"region") == 1
    assert sales(parse(joined)) == [("NO", "BEV", 2021, 100), ("NO", "BEV", 2022, 200), ("NO", "BEV", 2023, 300)]


def test_answers_with_different_headers_are_not_joined() -> None:
    with pytest.raises(
        Refused, match=r"global-ev-data.csv: answer 2 of 2 begins with 'region_country,.* and the first"
    ):
        join([EDITION_2024.encode(), EDITION_2025.encode()])
    with pytest.raises(Refused, match="answer 2 of 2 begins with '<html>'"):
        join([EDITION_2024.encode(), b"<html>\n</html>"])
    with pytest.raises(Refused, match="answer 2 of 2 begins with ''"):
        join([EDITION_2024.encode(), b""])
    with pytest.raises(Refused, match="answered with nothing"):
        join([])


# The IEA's own files

_FILES = {2024: "IEA Global EV Data 2024.csv", 2025: "EVDataExplorer2025.csv"}


def edition(shared: Path, year: int) -> bytes:
    """An edition as the IEA published it."""
    return (shared / "raw" / "iea" / _FILES[year]).read_bytes()


@pytest.mark.extra
@pytest.mark.parametrize(
    ("year", "counts"), [(2024, (12_654, 1314, 590, 1, 10_749, 0)), (2025, (16_436, 1527, 694, 1, 14_202, 12))]
)
def test_every_row_of_an_edition_is_accounted_for(shared: Path, year: int, counts: tuple[int, ...]) -> None:
    claims = parse(edition(shared, year))
    assert counts == (
        claims.rows_read,
        len(claims.sales),
        len(claims.penetration),
        len(claims.rejected),
        claims.out_of_scope,
        claims.duplicate,
    )
    (rejected,) = claims.rejected  # 2.2 fuel-cell cars in the Netherlands in 2014
    assert rejected.value.startswith("2.2")


@pytest.mark.extra
@pytest.mark.parametrize("year", [2024, 2025])
def test_a_whole_edition_says_what_an_independent_reader_finds(shared: Path, year: int) -> None:
    text = edition(shared, year).decode()
    found: dict[tuple[str, str, int], list[tuple[int, float]]] = {}
    regions: dict[int, str] = {}
    for line, fields in enumerate(csv.reader(text.splitlines()), start=1):
        region, category, parameter, mode, powertrain, in_year, _, value = fields[:8]
        if category == "Historical" and mode == "Cars" and parameter in ("EV sales", "EV sales share"):
            found.setdefault((parameter, powertrain, int(in_year)), []).append((line, float(value)))
            regions[line] = region
    claims = parse(text)
    read: dict[tuple[str, str, int], list[tuple[int, float]]] = {}
    markets: dict[int, str] = {}
    for name, frame in (("EV sales", claims.sales), ("EV sales share", claims.penetration)):
        for market, powertrain, start, value, line in frame[
            ["market", "powertrain", "period_start", "units" if name == "EV sales" else "share", "line"]
        ].itertuples(index=False, name=None):
            key = (name, "EV" if name == "EV sales share" else str(powertrain), start.year)
            read.setdefault(key, []).append((line, value if name == "EV sales" else value * 100))
            markets[line] = market
    left_out = {line for line in regions if line not in markets} - {rejected.line for rejected in claims.rejected}
    assert {regions[line] for line in left_out} <= {
        "Africa",
        "Asia Pacific",
        "Central and South America",
        "Middle East and Caspian",
        "North America",
        "Rest of the world",
    }
    assert len({(regions[line], market) for line, market in markets.items()}) == len(set(markets.values()))
    unread = left_out | {rejected.line for rejected in claims.rejected}
    for key, figures in found.items():
        expected = [(line, value) for line, value in figures if line not in unread]
        assert [line for line, _ in read.get(key, [])] == [line for line, _ in expected]
        assert [value for _, value in read.get(key, [])] == pytest.approx([value for _, value in expected], rel=1e-6)


@pytest.mark.extra
@pytest.mark.parametrize("year", [2024, 2025])
def test_an_edition_states_every_share_in_two_significant_digits(shared: Path, year: int) -> None:
    for share in parse(edition(shared, year)).penetration["share"]:
        assert len(Decimal(repr(share)).normalize().as_tuple().digits) <= 2


@pytest.mark.extra
def test_figures_read_by_eye_stand_in_the_editions(shared: Path) -> None:
    first, second = (parse(edition(shared, year)) for year in (2024, 2025))
    for figure in (("CN", "BEV", 2023, 5_400_000), ("DE", "PHEV", 2022, 360_000), ("KR", "FCEV", 2022, 10_000)):
        assert figure in sales(first)
    for figure in (("WORLD", "BEV", 2024, 11_000_000), ("TR", "BEV", 2024, 99_000), ("VN", "BEV", 2024, 69_000)):
        assert figure in sales(second)
    assert ("NO", "BEV+PHEV", 2023, 0.93) in shares(first)
    assert ("NO", "BEV+PHEV", 2024, 0.92) in shares(second)


@pytest.mark.extra
def test_the_editions_are_vintages_and_the_plug_in_hybrids_of_2023_were_revised(shared: Path) -> None:
    first, second = edition(shared, 2024), edition(shared, 2025)
    assert (published_on(first), published_on(second)) == (date(2024, 4, 23), date(2025, 5, 14))
    assert ("WORLD", "PHEV", 2023, 4_300_000) in sales(parse(first))
    assert ("WORLD", "PHEV", 2023, 4_200_000) in sales(parse(second))
