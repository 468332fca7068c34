"""Downloads: what is in the files, and that no row, text or error can harm who opens them."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from datetime import date

import pandas as pd
import pytest
from PIL import Image
from sqlalchemy import Engine

from dashboard import downloads, pictures
from dashboard.charts import chart
from dashboard.charts.chart import DOWNLOAD_COLUMNS
from dashboard.downloads import Download, Format, Problem, answer, csv_text
from dashboard.pictures import PictureError

TODAY = date(2026, 7, 24)


def got(engine: Engine, query: str = "", *, format: str = "csv", slug: str = "market-share") -> Download:
    made = answer(engine, slug, format, query, site="https://ev.example", today=TODAY)
    assert isinstance(made, Download), made
    return made


def rows_of(made: Download) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made.body.decode("utf-8"))))


def one_row(**values: object) -> pd.DataFrame:
    row: dict[str, object] = dict.fromkeys(DOWNLOAD_COLUMNS, "x")
    return pd.DataFrame([row | {"value": 1.0, "low": 1.0, "high": 1.0} | values], columns=list(DOWNLOAD_COLUMNS))


def test_a_csv_has_one_header_line_and_the_fixed_columns(bundled_engine: Engine) -> None:
    text = got(bundled_engine).body.decode("utf-8")
    header, first, *_ = text.splitlines()
    assert tuple(header.split(",")) == DOWNLOAD_COLUMNS
    assert len(next(csv.reader([first]))) == len(DOWNLOAD_COLUMNS)
    assert text.endswith("\n")
    assert "\r" not in text


def test_known_figures_are_in_the_csv(bundled_engine: Engine) -> None:
    rows = rows_of(got(bundled_engine, "measure=units&since=2026-06&until=2026-06&makers=tesla"))
    tesla = next(row for row in rows if row["maker"] == "tesla")
    assert (tesla["value"], tesla["low"], tesla["high"], tesla["unit"]) == ("7731", "7731", "7768", "cars")
    assert (tesla["period_start"], tesla["flags"]) == ("2026-06-01", "lower_bound")


def test_numbers_are_decimals_without_noise(bundled_engine: Engine) -> None:
    for row in rows_of(got(bundled_engine, "market=NO")):
        for name in ("value", "low", "high"):
            assert re.fullmatch(r"-?\d+(\.\d+)?", row[name]), row
            assert len(re.sub(r"^-?0\.0*|[.-]", "", row[name])) <= 10
        assert date.fromisoformat(row["period_start"])
        assert date.fromisoformat(row["known_from"])


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0919733, "0.0919733"),
        (0.1 + 0.2, "0.3"),
        (0.00001234, "0.00001234"),
        (84057.0, "84057"),
        (1e7, "10000000"),
        (1 / 3, "0.3333333333"),
        (-0.25, "-0.25"),
        (0.0, "0"),
        (math.nan, ""),
        (math.inf, ""),
    ],
)
def test_a_number_in_a_csv(number: float, text: str) -> None:
    line = csv_text(one_row(value=number)).splitlines()[1]
    assert line.split(",")[DOWNLOAD_COLUMNS.index("value")] == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://x","y")'])
def test_text_that_a_spreadsheet_would_run_is_escaped(text: str) -> None:
    row = next(csv.DictReader(io.StringIO(csv_text(one_row(maker_name=text)), newline="")))
    assert row["maker_name"] == f"'{text}".replace("\r", " ")


def test_text_with_commas_quotes_and_chinese_survives() -> None:
    text = '比亚迪, "BYD" & <b>Co</b>'
    assert next(csv.DictReader(io.StringIO(csv_text(one_row(maker_name=text)), newline="")))["maker_name"] == text


def test_a_json_has_the_csv_s_rows_and_what_the_page_prints(bundled_engine: Engine) -> None:
    query = "market=CN&since=2026-01&makers=byd,tesla"
    found = json.loads(got(bundled_engine, query, format="json").body)
    assert found["chart"] == "market-share"
    assert found["selection"]["query"] == "market=CN&makers=byd,tesla&since=2026-01"
    assert found["selection"]["fields"]["market"] == ["CN"]
    assert found["citations"][0]["licence"] == "GPL-3.0"
    assert found["link"] == "https://ev.example/charts/market-share?market=CN&makers=byd,tesla&since=2026-01"
    assert found["title"]
    assert found["subtitle"]
    assert found["notes"]
    assert date.fromisoformat(found["as_of"])
    as_csv = rows_of(got(bundled_engine, query))
    assert len(found["rows"]) == len(as_csv)
    for row, line in zip(found["rows"], as_csv, strict=True):
        assert [row["period_start"], row["maker"]] == [line["period_start"], line["maker"]]
        assert row["value"] == float(line["value"])


def test_rows_of_a_json_name_their_receipts(bundled_engine: Engine) -> None:
    found = json.loads(got(bundled_engine, "since=2026-06&until=2026-06&makers=tesla", format="json").body)
    tesla = next(row for row in found["rows"] if row["maker"] == "tesla")
    (rests_on,) = tesla["receipts"]
    receipt = found["receipts"][rests_on["receipt"]]
    assert rests_on["lines"] == [10064, 10078]
    assert receipt["file"] == "data/data-DE.js"
    assert re.fullmatch(r"[0-9a-f]{64}", receipt["sha256"])
    assert receipt["urls"][0].startswith("https://www.kba.de/")
    assert len({json.dumps(each) for each in found["receipts"]}) == len(found["receipts"])


def test_a_window_s_receipts_span_its_months(bundled_engine: Engine) -> None:
    query = "window=ttm&since=2026-06&until=2026-06&makers=tesla"
    found = json.loads(got(bundled_engine, query, format="json").body)
    tesla = next(row for row in found["rows"] if row["maker"] == "tesla")
    assert len(tesla["receipts"]) >= 12


def test_a_group_s_receipts_are_those_of_its_brands(bundled_engine: Engine) -> None:
    query = "by=group&since=2026-06&until=2026-06&makers=volkswagen-group"
    found = json.loads(got(bundled_engine, query, format="json").body)
    group = next(row for row in found["rows"] if row["maker"] == "volkswagen-group")
    assert sum(len(each["lines"]) for each in group["receipts"]) > 5


def test_a_json_never_has_a_number_that_json_does_not_know(bundled_engine: Engine) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    for query in ("measure=growth", "market=FR&measure=units"):
        json.loads(got(bundled_engine, query, format="json").body, parse_constant=refuse)


def test_names_of_files_say_chart_market_and_last_period(bundled_engine: Engine) -> None:
    assert got(bundled_engine, "until=2026-05").filename == "market-share_DE_2026-05.csv"
    assert got(bundled_engine, "market=NO,DE&until=2026-01").filename == "market-share_DE-NO_2026-01.csv"


def test_the_tag_follows_the_content(bundled_engine: Engine) -> None:
    assert got(bundled_engine).etag == got(bundled_engine, "market=DE").etag
    assert got(bundled_engine).etag != got(bundled_engine, "market=NO").etag


@pytest.mark.parametrize(
    ("slug", "format", "query", "status"),
    [
        ("market-share", "csv", "colour=red", 400),
        ("market-share", "csv", "market=XX", 400),
        ("market-share", "json", "since=2026-13", 400),
        ("market-share", "csv", "market=DE&market=FR", 400),
        ("market-share", "csv", "market=%3Cscript%3E", 400),
        ("market-share", "csv", "powertrain=PHEV", 422),
        ("market-share", "png", "market=EU,DE", 422),
        ("market-share", "csv", "as_of=1999-01-01", 422),
        ("nothing", "csv", "", 404),
        ("market-share", "xlsx", "", 404),
    ],
)
def test_why_there_is_no_file(bundled_engine: Engine, slug: str, format: str, query: str, status: int) -> None:
    made = answer(bundled_engine, slug, format, query, site="", today=TODAY)
    assert isinstance(made, Problem)
    assert made.status == status
    assert made.text
    assert "\n" not in made.text


def test_a_line_break_in_a_link_stays_out_of_the_explanation(bundled_engine: Engine) -> None:
    made = answer(bundled_engine, "market-share", "csv", "a%0d%0ab=1", site="", today=TODAY)
    assert isinstance(made, Problem)
    assert made.text.splitlines() == [made.text]


def test_a_picture_that_cannot_be_made_is_unavailable(bundled_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise PictureError("no browser")

    monkeypatch.setattr(pictures, "render", fail)
    assert answer(bundled_engine, "market-share", "png", "", site="", today=TODAY) == Problem(503, "no browser")


def test_a_database_without_tables_is_unavailable(tmp_path: object) -> None:
    from db.database import open_engine

    engine = open_engine(f"sqlite:///{tmp_path}/none.sqlite")
    made = answer(engine, "market-share", "csv", "", site="", today=TODAY)
    assert isinstance(made, Problem)
    assert made.status == 503


@pytest.mark.xdist_group("browser")
def test_pictures_are_what_they_claim(bundled_engine: Engine) -> None:
    png = got(bundled_engine, "market=NO", format="png")
    image = Image.open(io.BytesIO(png.body))
    assert image.format == "PNG"
    assert image.size == (3200, 1800)
    svg = got(bundled_engine, "market=NO", format="svg").body.decode()
    assert svg.startswith("<svg")
    assert "/charts/market-share?market=NO" in svg.replace("&amp;", "&")
    pictures.close()


def test_the_formats_name_their_media_types() -> None:
    assert {each.value for each in Format} == {"csv", "json", "png", "svg"}
    assert all("/" in each.content_type for each in Format)
    assert downloads.link(chart("market-share"), chart("market-share").defaults, site="") == "/charts/market-share"
