"""The parser of Our World in Data: both files are read to the last figure, and nothing gets lost uncounted."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.claims import CLAIM_COLUMNS, PENETRATION_COLUMNS, Claims, cited_remark, cited_urls
from etl.snapshots import Refused
from etl.sources import iea_global_ev_data, our_world_in_data
from etl.sources.our_world_in_data import canonical_file, origin_url
from tests import world

SALES = "electric-car-sales.csv"
SHARE = "electric-car-sales-share.csv"
SALES_HEADER = "Entity,Code,Year,Electric cars sold"
SHARE_HEADER = "Entity,Code,Year,Share of new cars that are electric"


def parse(content: str | bytes, *, file: str = SALES) -> Claims:
    """What the parser makes of a file with this content; its rows are counted once each, whatever became of them."""
    claims = our_world_in_data.parse(world.snapshot(content, file=file))
    assert tuple(claims.sales) == CLAIM_COLUMNS
    assert tuple(claims.penetration) == PENETRATION_COLUMNS
    assert claims.rows_read == (
        len(claims.sales) + len(claims.penetration) + len(claims.rejected) + claims.out_of_scope + claims.duplicate
    )
    return claims


def sales(*rows: str) -> Claims:
    """What a sales file of a good row of 100 cars in China and these rows says."""
    return parse("\n".join([SALES_HEADER, "China,CHN,2025,100", *rows]))


def shares(*rows: str) -> Claims:
    """What a share file of a good row of 50 % in China and these rows says."""
    return parse("\n".join([SHARE_HEADER, "China,CHN,2025,50", *rows]), file=SHARE)


def figures(claims: Claims) -> list[tuple[str, int, float]]:
    """Market, year and units or share of every figure, in the file's order."""
    frame, value = (claims.sales, "units") if len(claims.sales) else (claims.penetration, "share")
    return [
        (market, start.year, figure)
        for market, start, figure in frame[["market", "period_start", value]].itertuples(index=False, name=None)
    ]


def refusal(content: str | bytes, *, file: str = SALES) -> Refused:
    """Why the parser refuses this content: one line that names the file, what is wrong and the remedy."""
    with pytest.raises(Refused) as caught:
        parse(content, file=file)
    refused = caught.value
    assert str(refused).startswith(f"{file} line {refused.line}: " if refused.line else f"{file}: ")
    assert refused.remedy
    assert "\n" not in str(refused)
    return refused


# What is read


def test_sales_are_battery_and_plug_in_hybrid_cars_of_a_calendar_year_as_one_number() -> None:
    claims = sales("Germany,DEU,2025,200")
    assert len(claims.penetration) == 0
    assert list(claims.sales.drop(columns="evidence").iloc[1]) == [
        "DE",
        "registration",
        "BEV+PHEV",
        "passenger_car",
        "year",
        date(2025, 1, 1),
        "all",
        "all",
        200,
        3,
    ]


def test_a_share_in_per_cent_becomes_a_fraction_of_all_cars() -> None:
    claims = shares("Germany,DEU,2024,20")
    assert len(claims.sales) == 0
    assert list(claims.penetration.drop(columns="evidence").iloc[1]) == [
        "DE",
        "registration",
        "BEV+PHEV",
        "passenger_car",
        "year",
        date(2024, 1, 1),
        "all",
        "all",
        0.2,
        3,
    ]


@pytest.mark.parametrize(
    ("percent", "fraction"), [("0.0061", 0.000061), ("0.029", 0.00029), ("2.7", 0.027), ("100", 1.0), ("0", 0.0)]
)
def test_a_share_keeps_its_digits_without_noise(percent: str, fraction: float) -> None:
    assert figures(shares(f"Norway,NOR,2025,{percent}"))[1] == ("NO", 2025, fraction)


@given(st.decimals(min_value=0, max_value=100, places=8))
def test_any_share_is_the_nearest_number_to_a_hundredth_of_what_is_printed(percent: Decimal) -> None:
    assert figures(shares(f"Norway,NOR,2025,{percent:f}"))[1][2] == float(f"{percent.scaleb(-2):f}")


@pytest.mark.parametrize(("text", "units"), [("2000000", 2_000_000), ("2e6", 2_000_000), ("200.0", 200), ("0", 0)])
def test_a_whole_number_is_read_however_it_is_written(text: str, units: int) -> None:
    value = sales(f"Norway,NOR,2025,{text}").sales["units"].tolist()[1]
    assert value == units
    assert type(value) is int


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_last_line_counts_with_and_without_its_line_end(end: str) -> None:
    content = f"{SALES_HEADER}\nChina,CHN,2025,100\nWorld,OWID_WRL,2025,300{end}"
    assert figures(parse(content)) == [("CN", 2025, 100), ("WORLD", 2025, 300)]


@pytest.mark.parametrize(
    ("entity", "market"),
    [
        ("World,OWID_WRL", "WORLD"),
        ("Europe,OWID_EUR", "EUROPE"),
        ("European Union (27),OWID_EU27", "EU"),
        ("Turkey,TUR", "TR"),
        ("United Kingdom,GBR", "GB"),
        ("South Korea,KOR", "KR"),
    ],
)
def test_the_publisher_s_codes_become_ours(entity: str, market: str) -> None:
    assert figures(sales(f"{entity},2025,200"))[1] == (market, 2025, 200)


def test_the_markets_are_those_that_the_iea_tells_of() -> None:
    assert set(our_world_in_data._MARKETS.values()) == set(iea_global_ev_data._MARKETS.values())
    assert len(set(our_world_in_data._MARKETS.values())) == len(our_world_in_data._MARKETS)


def test_the_rest_of_the_world_is_a_balancing_number_and_out_of_scope() -> None:
    claims = sales("Rest of World,,2024,300", "Rest of World,,2025,-300")
    assert (len(claims.sales), claims.out_of_scope, claims.rejected) == (1, 2, ())


def test_a_row_that_stands_twice_is_counted_once() -> None:
    claims = sales("Norway,NOR,2025,200", "Norway,NOR,2025,200")
    assert (len(claims.sales), claims.duplicate) == (2, 1)


def test_a_figure_cites_its_chart_and_the_iea() -> None:
    texts = [sales().sales["evidence"][0], shares().penetration["evidence"][0]]
    assert [cited_urls(text) for text in texts] == [
        ["https://ourworldindata.org/grapher/electric-car-sales"],
        ["https://ourworldindata.org/grapher/electric-car-sales-share"],
    ]
    assert {cited_remark(text) for text in texts} == {"Our World in Data, based on IEA, Global EV Outlook"}


def test_the_two_files_are_known_by_name_and_address() -> None:
    assert [canonical_file(name) for name in (SALES, SHARE)] == [SALES, SHARE]
    assert [canonical_file(name) for name in ("car-sales.csv", "electric-car-sales.xlsx", "")] == [None] * 3
    query = "?v=1&csvType=full&useColumnShortNames=false"
    assert origin_url(SALES) == f"https://ourworldindata.org/grapher/electric-car-sales.csv{query}"
    assert origin_url(SHARE) == f"https://ourworldindata.org/grapher/electric-car-sales-share.csv{query}"


def test_each_file_is_one_download() -> None:
    requests = our_world_in_data.downloads(lambda url: b"", ())
    assert [(request.file, request.urls) for request in requests] == [
        (SALES, (origin_url(SALES),)),
        (SHARE, (origin_url(SHARE),)),
    ]


# What is rejected, row by row


@pytest.mark.parametrize(
    ("bad", "column", "value", "says"),
    [
        ("Norway,NOR,2025,-200", "Electric cars sold", "-200", "negative"),
        ("Norway,NOR,2025,200.5", "Electric cars sold", "200.5", "no whole number of cars"),
        ("Norway,NOR,2025,", "Electric cars sold", "", "no number"),
        ("Norway,NOR,2025,many", "Electric cars sold", "many", "no number"),
        ("Norway,NOR,2025,9999999999", "Electric cars sold", "9999999999", "more cars than"),
        ("Norway,NOR,25,200", "Year", "25", "no year"),
        ("Norway,NOR,2025-06,200", "Year", "2025-06", "no year"),
        ("Atlantis,ATL,2025,200", "Code", "ATL", "etl/reference/markets.csv"),
        ("High-income countries,,2025,200", "Entity", "High-income countries", "etl/sources/our_world_in_data.py"),
        ("Rest of World,ROW,2025,200", "Code", "ROW", "is no market that is known"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_reason(bad: str, column: str, value: str, says: str) -> None:
    claims = sales(bad)
    assert figures(claims) == [("CN", 2025, 100)]
    (rejected,) = claims.rejected
    assert (rejected.line, rejected.column, rejected.value) == (3, column, value)
    assert says in rejected.reason


@pytest.mark.parametrize(
    ("percent", "says"), [("100.1", "more than 100 per cent"), ("-1", "negative"), ("1%", "number")]
)
def test_a_share_outside_0_to_100_is_rejected(percent: str, says: str) -> None:
    claims = shares(f"Norway,NOR,2025,{percent}")
    assert figures(claims) == [("CN", 2025, 0.5)]
    (rejected,) = claims.rejected
    assert rejected.column == "Share of new cars that are electric"
    assert says in rejected.reason


# What is refused as a whole


@pytest.mark.parametrize(
    ("file", "header", "says"),
    [
        (SALES, SALES_HEADER + ",Note", "'Note' is new"),
        (SALES, "Entity,Code,Year", "'Electric cars sold' is missing"),
        (SALES, SHARE_HEADER, "'Share of new cars that are electric' is new; 'Electric cars sold' is missing"),
        (SHARE, SALES_HEADER, "'Electric cars sold' is new; 'Share of new cars that are electric' is missing"),
        (SALES, "entity,code,year,ev_sales", "are new"),
        (SALES, "", "are missing"),
    ],
)
def test_other_columns_are_refused_by_name(file: str, header: str, says: str) -> None:
    refused = refusal(f"{header}\nChina,CHN,2025,100", file=file)
    assert refused.line == 1
    assert says in refused.problem
    assert our_world_in_data._FIGURES[file] in refused.remedy


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 0, "is empty"),
        (SALES_HEADER, 0, "holds no figure of cars sold"),
        (f"{SALES_HEADER}\nChina,CHN,2025,100\nNorway,NOR,2025", 3, "has 3 fields where the header has 4"),
        (f"{SALES_HEADER}\nChina,CHN,2025,100\nWorld,OWID", 3, "has 2 fields where the header has 4"),
        (f'{SALES_HEADER}\nChina,CHN,2025,100\n"Norway,NOR,2025,200', 3, "is no CSV"),
        (
            f"{SALES_HEADER}\nChina,CHN,2025,100\nChina,CHN,2025,200",
            3,
            "a second number of BEV+PHEV cars in CN in 2025; the first is in line 2",
        ),
        (b"<!DOCTYPE html><html></html>", 1, "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", 1, "a Git-LFS pointer"),
        (SALES_HEADER.encode("utf-16"), 1, "is not UTF-8"),
    ],
)
def test_what_is_no_table_of_this_publisher_is_refused_for_what_it_is(
    content: str | bytes, line: int, says: str
) -> None:
    refused = refusal(content)
    assert refused.line == line
    assert says in refused.problem


def test_a_file_of_another_name_is_refused() -> None:
    assert refusal(SALES_HEADER, file="car-sales.csv").problem == "is not a file of this source"


# The publisher's own files


def raw(shared: Path, file: str) -> bytes:
    """A file as the publisher serves it."""
    return (shared / "raw" / "owid" / file).read_bytes()


@pytest.mark.extra
@pytest.mark.parametrize(("file", "counts"), [(SALES, (526, 510, 16)), (SHARE, (522, 510, 12))])
def test_a_whole_file_says_what_an_independent_reader_finds(
    shared: Path, file: str, counts: tuple[int, int, int]
) -> None:
    content = raw(shared, file)
    claims = parse(content, file=file)
    assert (claims.rejected, claims.duplicate) == ((), 0)
    assert (claims.rows_read, len(figures(claims)), claims.out_of_scope) == counts
    scale = 1 if file == SALES else 100
    found = [
        (line, int(year), float(value) / scale)
        for line, (entity, _, year, value) in enumerate(csv.reader(content.decode().splitlines()), start=1)
        if line > 1 and entity != "Rest of World"
    ]
    frame = claims.sales if file == SALES else claims.penetration
    read = zip(frame["line"], figures(claims), strict=True)
    for (line, year, value), (read_line, (_, read_year, read_value)) in zip(found, read, strict=True):
        assert (line, year) == (read_line, read_year)
        assert value == pytest.approx(read_value, rel=1e-12)
    assert len({market for market, *_ in figures(claims)}) == 33


@pytest.mark.extra
def test_figures_read_by_eye_stand_in_the_files(shared: Path) -> None:
    found = figures(parse(raw(shared, SALES)))
    for figure in (
        ("WORLD", 2025, 21_200_000),
        ("CN", 2025, 13_300_000),
        ("AU", 2011, 49),
        ("EU", 2024, 2_270_000),
        ("EUROPE", 2023, 3_200_000),
    ):
        assert figure in found
    found = figures(parse(raw(shared, SHARE), file=SHARE))
    for share in (("WORLD", 2025, 0.25), ("NO", 2025, 0.97), ("AU", 2011, 0.000061)):
        assert share in found
