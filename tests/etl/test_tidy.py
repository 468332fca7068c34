"""The tidy CSV format: what is right is read to the letter, what is wrong is named by line, column and remedy."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.vocabulary import Basis, Powertrain, VehicleScope
from etl import tidy
from etl.claims import CLAIM_COLUMNS, PENETRATION_COLUMNS, cited_remark, cited_urls
from etl.harmonize import reference
from etl.snapshots import Refused
from etl.tidy import COLUMNS, Tidy, describe_problems, template

DAY = date(2026, 11, 20)
ROOT = Path(__file__).parents[2]

GOOD = {
    "period": "2026-06",
    "market": "DE",
    "basis": "registration",
    "powertrain": "BEV",
    "maker": "Tesla",
    "model": "Model Y",
    "units": "100",
    "published_on": "2026-07-02",
    "source_url": "https://a.example/june",
}


def row(**cells: str) -> dict[str, str]:
    """The good row with other cells."""
    return {**GOOD, **cells}


def text(*rows: dict[str, str], columns: Sequence[str] = tuple(COLUMNS)) -> str:
    """A file of these rows, as a spreadsheet would write it."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def read(content: str | bytes, *, require_address: bool = False, known_on: date = DAY, **more: bool) -> Tidy:
    """What the parser makes of this content."""
    encoded = content.encode() if isinstance(content, str) else content
    return tidy.read(encoded, file="mine.csv", require_address=require_address, known_on=known_on, **more)


def problems(content: str | bytes, **how: Any) -> list[tuple[int, str, str]]:
    """Line, column and reason of everything that is rejected."""
    return [(found.line, found.column, found.reason) for found in read(content, **how).rejected]


def reason(column: str, value: str, **how: Any) -> str:
    """Why a good row with this one cell is rejected: in that cell and nowhere else."""
    tidied = read(text(row(**{column: value})), **how)
    (found,) = tidied.rejected
    assert (found.line, found.column, found.value) == (2, column, value)
    assert tidied.claims.sales.empty
    return found.reason


def refusal(content: str | bytes, **how: Any) -> Refused:
    """Why nothing of this content can be read; one line that names the file."""
    with pytest.raises(Refused) as caught:
        read(content, **how)
    assert str(caught.value).startswith("mine.csv")
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


# What a good file says


def test_a_row_is_read_as_a_claim_with_its_line_address_and_day() -> None:
    claims = read(text(row())).claims
    assert claims.rows_read == 1
    assert claims.rejected == ()
    assert claims.sales.to_dict("records") == [
        {
            "market": "DE",
            "basis": "registration",
            "powertrain": "BEV",
            "vehicle_scope": "passenger_car",
            "grain": "month",
            "period_start": date(2026, 6, 1),
            "maker": "Tesla",
            "model": "Model Y",
            "units": 100,
            "line": 2,
            "evidence": "https://a.example/june",
            "published_on": date(2026, 7, 2),
        }
    ]
    assert list(claims.sales.columns) == [*CLAIM_COLUMNS, "published_on"]
    assert list(claims.penetration.columns) == [*PENETRATION_COLUMNS, "published_on"]
    assert claims.penetration.empty


def test_the_columns_may_stand_in_any_order_and_optional_ones_may_be_absent() -> None:
    content = "units,maker,powertrain,basis,market,period\n300,all,ALL,retail,CN,2025\n"
    (claim,) = read(content).claims.sales.to_dict("records")
    assert (claim["maker"], claim["model"], claim["units"], claim["grain"]) == ("all", "all", 300, "year")
    assert (claim["evidence"], claim["published_on"]) == ("", DAY)


@pytest.mark.parametrize(
    ("period", "start", "grain"),
    [
        ("2025-12", date(2025, 12, 1), "month"),
        ("2025-Q1", date(2025, 1, 1), "quarter"),
        ("2025-Q4", date(2025, 10, 1), "quarter"),
        ("2025", date(2025, 1, 1), "year"),
    ],
)
def test_a_period_is_a_month_a_quarter_or_a_year(period: str, start: date, grain: str) -> None:
    (claim,) = read(text(row(period=period))).claims.sales.to_dict("records")
    assert (claim["period_start"], claim["grain"]) == (start, grain)


def test_a_publishers_share_is_read_beside_the_units() -> None:
    whole = {"maker": "all", "model": ""}
    claims = read(text(row(**whole), row(**whole, units="", share="0.25"))).claims
    assert claims.sales["units"].tolist() == [100]
    assert claims.penetration["share"].tolist() == [0.25]
    assert claims.penetration["line"].tolist() == [3]


def test_the_total_the_rest_a_maker_and_its_rest_are_four_cells() -> None:
    names = [("all", ""), ("other", ""), ("Tesla", "all"), ("Tesla", "other"), ("Tesla", "Model Y")]
    claims = read(text(*(row(maker=maker, model=model) for maker, model in names))).claims
    assert claims.rejected == ()
    assert claims.sales[["maker", "model"]].to_numpy().tolist() == [
        ["all", "all"],
        ["other", "all"],
        ["Tesla", "all"],
        ["Tesla", "other"],
        ["Tesla", "Model Y"],
    ]


def test_what_excel_writes_is_read_mark_line_ends_empty_rows_and_spaces_included() -> None:
    content = "\ufeff" + text(row(maker=" Tesla ", units="100 ")).replace("\n", "\r\n") + "," * 12 + "\r\n\r\n"
    claims = read(content).claims
    assert (claims.rows_read, claims.rejected) == (1, ())
    assert claims.sales[["maker", "units"]].to_numpy().tolist() == [["Tesla", 100]]


def test_a_line_break_in_a_note_becomes_a_space_and_later_rows_keep_their_lines() -> None:
    tidied = read(text(row(note="two\nlines"), row(model="Model 3", units="x")))
    assert tidied.claims.sales["evidence"].tolist() == ["https://a.example/june (two lines)"]
    assert [found.line for found in tidied.rejected] == [4]


def test_a_restatement_is_a_second_claim_of_the_same_cell() -> None:
    claims = read(text(row(), row(units="200", published_on="2026-08-01"))).claims
    assert claims.rejected == ()
    assert claims.sales["units"].tolist() == [100, 200]


def test_the_template_is_a_good_file_with_all_columns() -> None:
    assert template().splitlines()[0].split(",") == list(COLUMNS)
    claims = read(template(), require_address=True).claims
    assert (claims.rows_read, claims.rejected) == (1, ())


def test_the_readme_describes_every_column_word_and_example() -> None:
    readme = (ROOT / tidy.FORMAT).read_text(encoding="utf-8")
    described = re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)
    assert described == list(COLUMNS)
    for word in [*Basis, *Powertrain, *VehicleScope]:
        assert f"`{word}`" in readme
    example = re.search(r"```\n(period,.*?)```", readme, re.DOTALL)
    assert example
    assert read(example[1], require_address=True, require_published_on=True).rejected == ()


# What it cites


@pytest.mark.parametrize(
    ("cells", "urls", "remark"),
    [
        ({}, ["https://a.example/june"], ""),
        ({"note": "includes vans"}, ["https://a.example/june"], "includes vans"),
        ({"note": "restated (see p. 2)"}, ["https://a.example/june"], "restated (see p. 2)"),
        ({"published_estimated": "yes"}, ["https://a.example/june"], "publication day estimated"),
        (
            {"published_estimated": "yes", "note": "(vans)"},
            ["https://a.example/june"],
            "(vans); publication day estimated",
        ),
        ({"note": "as in a, https://b.example"}, ["https://a.example/june"], "as in a; https://b.example"),
        ({"source_url": "", "note": "a letter"}, [], "a letter"),
        ({"source_url": "", "note": "a letter, https://b.example"}, [], "a letter; https://b.example"),
        ({"source_url": "", "published_on": ""}, [], ""),
    ],
)
def test_the_address_and_the_remark_are_found_in_the_evidence(
    cells: dict[str, str], urls: list[str], remark: str
) -> None:
    (evidence,) = read(text(row(**cells))).claims.sales["evidence"]
    assert cited_urls(evidence) == urls
    assert cited_remark(evidence) == remark


# What is wrong in one cell


@pytest.mark.parametrize(
    ("column", "value", "remedy"),
    [
        ("period", "2026-6", "2026-06"),
        ("period", "Jun-26", "set the column to text"),
        ("period", "2026-06-01", "set the column to text"),
        ("period", "2026-13", "2026-Q2"),
        ("period", "2026-Q5", "2026-Q2"),
        ("period", "", "is no period"),
        ("market", "UK", "write GB"),
        ("market", "de", "write DE"),
        ("market", "Germany", "write DE"),
        ("market", "GLOBAL", "write WORLD"),
        ("market", "XX", "etl/reference/markets.csv"),
        ("basis", "Registration", "write registration"),
        ("basis", "registrations", "did you mean 'registration'?"),
        ("basis", "sales", "production, wholesale"),
        ("powertrain", "NEV", "write BEV+PHEV, BEV+PHEV+FCEV or BEV"),
        ("powertrain", "nev", "publishers mean different sets"),
        ("powertrain", "PHEV+BEV", "write BEV+PHEV"),
        ("powertrain", "BEV + PHEV", "write BEV+PHEV"),
        ("powertrain", "all", "write ALL"),
        ("powertrain", "EREV", "write PHEV"),
        ("powertrain", "BEV+FCEV", "is none of BEV"),
        ("vehicle_scope", "passenger car", "write passenger_car"),
        ("vehicle_scope", "buses", "commercial_vehicle"),
        ("maker", "", "'all' for the total"),
        ("maker", "ALL", "write all"),
        ("maker", "Other", "write other"),
        ("maker", "比亚迪", "in Latin letters"),
        ("maker", "Tes\u200bla", "U+200B"),
        ("model", "x" * 61, "at most 60"),
        ("units", "1,234", "write 1234"),
        ("units", "1.234", "write 1234"),
        ("units", "1 234 567", "write 1234567"),
        ("units", "1234.0", "write 1234"),
        ("units", "0100", "write 100"),
        ("units", "12.5", "no whole number"),
        ("units", "-5", "no whole number"),
        ("units", "about 100", "no whole number"),
        ("units", "١٢", "no whole number"),
        ("units", "12345678901", "more cars than there are"),
        ("published_on", "02.07.2026", "2026-07-02"),
        ("published_on", "2026-02-30", "of the calendar"),
        ("published_on", "2026-11-21", "later than 2026-11-20"),
        ("published_on", "2026-06-30", "over on 2026-07-01"),
        ("published_estimated", "no", "leave it empty"),
        ("source_url", "a.example/june", "https://example.org"),
        ("source_url", "ftp://a.example", "https://example.org"),
        ("source_url", "https://a.example/a b", "%20"),
        ("source_url", "https://localhost/x", "https://example.org"),
        ("source_url", "https://me@a.example/x", "host"),
        ("source_url", "https://[a.example/x", "host"),
        ("note", "https://b.example", "source_url"),
        ("note", "bell \a", "U+0007"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named_with_the_remedy(column: str, value: str, remedy: str) -> None:
    assert remedy in reason(column, value)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("43.7%", "write the fraction, 0.437"),
        ("5 %", "write the fraction, 0.05"),
        ("0,437", "write 0.437, with a point"),
        ("43.7", "43.7 % is 0.437"),
        ("1.5", "from 0 to 1"),
        ("-0.1", "from 0 to 1"),
        ("half", "from 0 to 1"),
    ],
)
def test_a_share_is_a_fraction_with_a_point(value: str, remedy: str) -> None:
    ((line, column, why),) = problems(text(row(maker="all", model="", units="", share=value)))
    assert (line, column) == (2, "share")
    assert remedy in why


def test_an_address_and_a_day_are_needed_only_where_they_are_asked_for() -> None:
    bare = text(row(source_url="", published_on=""))
    assert problems(bare) == []
    asked = problems(bare, require_address=True, require_published_on=True)
    assert [(line, column) for line, column, _ in asked] == [(2, "published_on"), (2, "source_url")]
    columns = [name for name in COLUMNS if name not in ("source_url", "published_on")]
    without = text({name: GOOD[name] for name in GOOD if name in columns}, columns=columns)
    assert problems(without) == []
    assert "lacks the columns 'published_on', 'source_url'" in str(
        refusal(without, require_address=True, require_published_on=True)
    )


# What does not go together


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"units": ""}, "units"),
        ({"maker": "all", "model": "", "share": "0.5"}, "share"),
        ({"maker": "all", "model": "Model Y"}, "model"),
        ({"maker": "other", "model": "Model Y"}, "model"),
        ({"model": "", "units": "", "share": "0.5"}, "maker"),
        ({"maker": "other", "model": "", "units": "", "share": "0.5"}, "maker"),
        ({"published_on": "", "period": "2026-11"}, "period"),
        ({"published_on": "", "period": "2026"}, "period"),
        ({"published_on": "", "published_estimated": "yes"}, "published_estimated"),
    ],
)
def test_cells_that_contradict_each_other_are_one_problem(cells: dict[str, str], column: str) -> None:
    assert [found[:2] for found in problems(text(row(**cells)))] == [(2, column)]


def test_a_figure_of_june_may_be_known_on_the_first_of_july() -> None:
    assert problems(text(row(published_on="2026-07-01"))) == []


def test_the_same_cell_twice_on_one_day_is_named_with_the_first_line() -> None:
    ((line, column, why),) = problems(text(row(), row(model="Model 3"), row(maker="TESLA", units="200")))
    assert (line, column) == (4, "units")
    assert "line 2 states the same cell on the same day (100)" in why


def test_a_share_stated_twice_is_named_as_units_are() -> None:
    whole = {"maker": "all", "model": "", "units": ""}
    ((line, column, _),) = problems(text(row(**whole, share="0.5"), row(**whole, share="0.6")))
    assert (line, column) == (3, "share")


def test_a_row_repeated_to_the_letter_is_a_duplicate_and_no_problem() -> None:
    claims = read(text(row(), row(), row(model="Model 3"))).claims
    assert (claims.rows_read, len(claims.sales), claims.duplicate, claims.rejected) == (3, 2, 1, ())


def test_the_same_figure_from_another_address_is_the_same_cell_twice() -> None:
    assert len(problems(text(row(), row(source_url="https://b.example")))) == 1


def test_all_problems_of_all_rows_are_told_at_once() -> None:
    content = text(row(market="UK", units="1,234", powertrain="NEV"), row(), row(model="Model 3", period="2026-6"))
    tidied = read(content)
    assert [(found.line, found.column) for found in tidied.rejected] == [
        (2, "market"),
        (2, "powertrain"),
        (2, "units"),
        (4, "period"),
    ]
    assert tidied.claims.rows_read == 3
    assert tidied.claims.sales["line"].tolist() == [3]
    assert describe_problems(tidied.rejected, file="mine.csv")[:1] == ["mine.csv line 2, column market: 'UK': write GB"]


def test_a_problem_is_one_line_whatever_the_cell_holds() -> None:
    content = text(row(market="a\nb\a" + "c" * 100))
    (line,) = describe_problems(read(content).rejected, file="mine.csv")
    assert line.startswith("mine.csv line 2, column market: 'a b\N{REPLACEMENT CHARACTER}ccc")
    assert "\n" not in line
    assert len(line) < 180


def test_a_row_with_too_many_or_too_few_cells_is_named_and_the_next_is_read() -> None:
    head = "period,market,basis,powertrain,maker,units\n"
    content = (
        head + "2026-06,DE,registration,BEV,Tesla,1,234\n2026-06,DE,registration,BEV\n2026-06,DE,retail,BEV,Tesla,1\n"
    )
    many, few = read(content).rejected
    assert (many.line, many.column, few.line) == (2, "", 3)
    assert "has 7 cells where the header has 6" in many.reason
    assert "numbers have no commas" in many.reason
    assert "has 4 cells" in few.reason
    assert len(read(content).claims.sales) == 1
    assert describe_problems([few], file="mine.csv")[0].startswith("mine.csv line 3: has 4 cells")


def test_a_quote_that_is_never_closed_is_named_where_it_begins() -> None:
    content = text(row(), row(model="Model 3")) + '2026-06,"DE,registration\nmore\n'
    ((line, column, why),) = problems(content)
    assert (line, column) == (4, "")
    assert "nothing after it was read" in why


# What is no tidy file at all


def test_a_table_of_another_kind_is_told_what_it_lacks_what_it_has_and_where_the_format_is() -> None:
    refused = refusal("Name,Range,PriceinUK\nModel Y,455,1\n")
    assert "lacks the columns 'period', 'market', 'basis', 'powertrain', 'maker', 'units' or 'share'" in str(refused)
    assert "its columns are 'Name', 'Range', 'PriceinUK'" in str(refused)
    assert tidy.FORMAT in refused.remedy


def test_an_unknown_column_is_named_with_the_nearest_known_one() -> None:
    content = text(row()).replace("market,", "Markets,", 1)
    message = str(refusal(content))
    assert "lacks the column 'market'" in message
    assert "the unknown column 'Markets' (did you mean 'market'?)" in message


def test_a_column_that_stands_twice_or_has_no_name_is_named() -> None:
    content = text(row())
    assert "the column 'units' twice" in str(refusal(content.replace("share", "units", 1)))
    assert "a column without a name" in str(refusal(content.replace("note", "", 1)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text(row()).replace(",", ";"), "separated by semicolons"),
        (text(row()).replace(",", "\t"), "separated by tabs"),
        (b"PK\x03\x04 and so on", "save it as CSV"),
        (b"\xd0\xcf\x11\xe0 and so on", "save it as CSV"),
        (text(row()).encode("utf-16"), "UTF-16"),
        (text(row(note="Škoda")).encode("cp1250"), "is not UTF-8"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b",,,\n,,,\n", "is empty"),
        (",".join(COLUMNS), "no row"),
        ('"period', "broken off"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "not of the tidy format"),
        ("<!doctype html><html></html>", "not of the tidy format"),
    ],
)
def test_what_cannot_be_a_tidy_file_says_what_it_is(content: str | bytes, said: str) -> None:
    assert said in str(refusal(content))


def test_a_byte_that_is_not_utf8_is_named_by_its_line() -> None:
    content = text(row(), row(model="Enyaq", maker="Škoda")).encode("cp1250")
    assert refusal(content).line == 3


# Properties

_NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8).filter(
    lambda name: name.casefold() not in ("all", "other")
)
_NOTES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=20)


@st.composite
def _tables(draw: st.DrawFn) -> list[dict[str, str]]:
    """Valid rows of distinct cells, with every optional cell filled or empty."""
    rows = []
    for number in range(draw(st.integers(min_value=1, max_value=5))):
        year = 2000 + number  # distinct years make distinct cells
        period = draw(st.sampled_from([f"{year}", f"{year}-Q3", f"{year}-11"]))
        published = draw(st.dates(min_value=date(year + 1, 1, 1), max_value=DAY).map(date.isoformat) | st.just(""))
        whole = draw(st.booleans())
        share = whole and draw(st.booleans())
        rows.append(
            {
                "period": period,
                "market": draw(st.sampled_from(["DE", "CN", "WORLD"])),
                "basis": draw(st.sampled_from(list(Basis))).value,
                "powertrain": draw(st.sampled_from(list(Powertrain))).value,
                "vehicle_scope": draw(st.sampled_from([*(scope.value for scope in VehicleScope), ""])),
                "maker": "all" if whole else draw(_NAMES),
                "model": draw(st.sampled_from(["all", ""])) if whole else draw(_NAMES | st.just("other")),
                "units": "" if share else str(draw(st.integers(min_value=0, max_value=100_000_000))),
                "share": str(draw(st.decimals(0, 1, places=4))) if share else "",
                "published_on": published,
                "published_estimated": draw(st.sampled_from(["yes", ""])) if published else "",
                "source_url": f"https://a.example/{draw(_NAMES)}?q=({number}),x",
                "note": draw(_NOTES),
            }
        )
    return rows


def _expected(cells: dict[str, str], line: int) -> tuple[Any, ...]:
    year, _, rest = cells["period"].partition("-")
    grain, month = {"": ("year", 1), "Q3": ("quarter", 7), "11": ("month", 11)}[rest]
    return (
        cells["market"],
        cells["basis"],
        cells["powertrain"],
        cells["vehicle_scope"] or "passenger_car",
        grain,
        date(int(year), month, 1),
        cells["maker"],
        cells["model"] or "all",
        float(cells["share"]) if cells["share"] else int(cells["units"]),
        line,
        date.fromisoformat(cells["published_on"]) if cells["published_on"] else DAY,
    )


@settings(max_examples=150, deadline=None)
@given(_tables())
def test_any_valid_table_is_read_back_as_it_was_written(table: list[dict[str, str]]) -> None:
    claims = read(text(*table), require_address=True).claims
    assert claims.rejected == ()
    assert claims.rows_read == len(table)
    got = sorted(
        (tuple(values) for frame in (claims.sales, claims.penetration) for values in _plain(frame)),
        key=lambda values: values[9],
    )
    assert got == [_expected(cells, line) for line, cells in enumerate(table, start=2)]
    cited = {**dict(_cited(claims.sales)), **dict(_cited(claims.penetration))}
    for line, cells in enumerate(table, start=2):
        note = " ".join(cells["note"].split())
        estimated = "publication day estimated" if cells["published_estimated"] else ""
        assert cited_urls(cited[line]) == [cells["source_url"]]
        assert cited_remark(cited[line]) == "; ".join(part for part in (note, estimated) if part)


def _plain(frame: Any) -> list[list[Any]]:
    return frame.drop(columns="evidence").to_numpy().tolist()


def _cited(frame: Any) -> list[tuple[int, str]]:
    return list(zip(frame["line"], frame["evidence"], strict=True))


_GUARDED = [name for name in COLUMNS if name not in ("maker", "model", "note")]
"""The columns in which a cell can be garbage; any text is a name or a note."""
_GARBAGE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12).map(
    lambda garbage: f"?{garbage}?"
)


@settings(max_examples=150, deadline=None)
@given(_tables(), st.sampled_from(_GUARDED), _GARBAGE, st.data())
def test_any_cell_turned_into_garbage_is_reported_there_and_nowhere_else(
    table: list[dict[str, str]], column: str, garbage: str, data: st.DataObject
) -> None:
    spoilt = data.draw(st.integers(min_value=0, max_value=len(table) - 1))
    table[spoilt] = {**table[spoilt], column: garbage}
    content = text(*table)
    tidied = read(content, require_address=True)
    assert [(found.line, found.column, found.value) for found in tidied.rejected] == [(spoilt + 2, column, garbage)]
    assert len(tidied.claims.sales) + len(tidied.claims.penetration) == len(table) - 1


@settings(max_examples=300, deadline=None)
@given(st.text('period,maket\r\n"; \0\ufeff2026-DEBV\u20281', max_size=60) | st.binary(max_size=40), st.booleans())
def test_whatever_the_file_holds_it_is_read_rejected_or_refused(content: str | bytes, headed: bool) -> None:
    encoded = content.encode() if isinstance(content, str) else content
    head = b"period,market,basis,powertrain,maker,units\n" if headed else b""
    try:
        tidied = read(head + encoded)
    except Refused:
        return
    assert len(tidied.claims.sales) + len({found.line for found in tidied.rejected}) == tidied.claims.rows_read


def test_a_file_of_many_rows_gives_every_figure() -> None:
    markets = [market["code"] for market in reference().markets][:10]
    rows = (
        f"2025-{month:02d},{market},registration,BEV,Maker {maker},{month}"
        for month in range(1, 13)
        for market in markets
        for maker in range(100)
    )
    content = "\n".join(["period,market,basis,powertrain,maker,units", *rows])
    sales = read(content).claims.sales
    assert len(sales) == 12_000
    assert sales["units"].sum() == 1000 * sum(range(1, 13))


# Real tables of other kinds


@pytest.mark.extra
@pytest.mark.parametrize("folder", ["ev-database", "wa-dol"])
def test_real_tables_of_other_kinds_are_refused_by_their_columns(shared: Path, folder: str) -> None:
    files = sorted((shared / "raw" / folder).glob("*.csv"))
    assert len(files) == 4
    for path in files:
        first = next(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        refused = refusal(path.read_bytes())
        assert refused.line == 1
        assert "lacks the columns 'period', 'market'" in str(refused)
        assert f"'{first[0]}'" in str(refused)
