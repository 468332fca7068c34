"""The CSV files that people write: imports, curated figures and records, the reference. Nearly right ones, and rubbish.

A row that is accepted says what its cells say, read by other means; any other is rejected with line, column and reason.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from db import records as tables
from db.database import open_engine
from db.vocabulary import Obtained
from etl import __main__ as command_line
from etl import harmonize, pipeline, tidy
from etl.claims import MOST_CARS, Claims
from etl.pipeline import DatedFile
from etl.sources import curated, maker_groups
from tests.fuzz.mutations import damaged, edited, or_refused, rubbish
from tests.world import rows

KNOWN = date(2026, 11, 1)
HEADER = "period,market,basis,powertrain,vehicle_scope,maker,model,units,share,published_on,source_url,note\n"
TIDY = (
    HEADER
    + """2026-06,DE,registration,BEV,,all,,300,,2026-07-02,https://made-up.example/a,
2026-06,DE,registration,BEV,,BYD,,100,,2026-07-02,https://made-up.example/a,"a, note"
2026-06,DE,registration,BEV,,BYD,Seal,20,,2026-07-03,https://made-up.example/a,
2026-Q2,FR,retail,BEV+PHEV,all_vehicles,Tesla,,200,,2026-07-02,https://made-up.example/b,
2026-05,NO,registration,BEV,,all,,,0.937,2026-06-02,https://made-up.example/c,
"""
).encode()
FEW = 25
"""Rows of a curated file that are mutated: more of the same would only take longer."""


def first_rows(path: Path) -> bytes:
    with path.open(encoding="utf-8", newline="") as stream:
        found = list(csv.reader(stream))[: FEW + 1]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(found)
    return text.getvalue().encode()


def mutated(good: bytes) -> st.SearchStrategy[bytes]:
    return edited(good) | edited(good) | damaged(good)


def cells_of(content: bytes, line: int) -> dict[str, str]:
    """The cells of the row that begins in a line, by column."""
    lines = re.split("\r\n|\n|\r", content.decode("utf-8-sig"))
    body = csv.reader(io.StringIO("\n".join(lines[line - 1 :]), newline=""))
    head = next(row for row in csv.reader(io.StringIO("\n".join(lines), newline="")) if "".join(row).strip())
    return {name.strip(): cell.strip() for name, cell in zip(head, next(body), strict=True)}


def adds_up(claims: Claims) -> None:
    told = [claims.sales, claims.penetration, claims.groups, *claims.records.values()]
    lines = {row.line for row in claims.rejected}
    assert claims.rows_read == sum(map(len, told)) + len(lines) + claims.out_of_scope + claims.duplicate
    assert all(row.reason for row in claims.rejected)


# The tidy format


def is_right(claims: Claims, content: bytes) -> None:
    for row in claims.sales.to_dict("records"):
        cells = cells_of(content, row["line"])
        assert re.fullmatch("[0-9]+", cells["units"], re.ASCII)
        assert row["units"] == int(cells["units"]) <= MOST_CARS
        assert cells["period"].startswith(str(row["period_start"].year))
        assert (row["market"], str(row["basis"])) == (cells["market"], cells["basis"])
        assert row["published_on"].isoformat() == (cells.get("published_on") or KNOWN.isoformat())
        assert row["maker"] == " ".join(cells["maker"].split())
    for row in claims.penetration.to_dict("records"):
        assert row["share"] == float(cells_of(content, row["line"])["share"])
        assert 0 <= row["share"] <= 1


@given(mutated(TIDY) | rubbish())
def test_a_file_of_figures_is_refused_or_every_row_is_told(content: bytes) -> None:
    found = or_refused(
        lambda: tidy.read(content, file="mine.csv", require_address=False, known_on=KNOWN), file="mine.csv"
    )
    if found is not None:
        adds_up(found.claims)
        is_right(found.claims, content)
        assert all(line.isprintable() for line in tidy.describe_problems(found.rejected, file="mine.csv"))


@settings(max_examples=settings.default.max_examples // 5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=mutated(TIDY) | rubbish())
def test_check_and_import_end_with_0_or_1_and_never_with_a_traceback(tmp_path: Path, content: bytes) -> None:
    for path in (*tmp_path.glob("ev_market.sqlite*"), *tmp_path.glob("snapshots/imported/*")):
        path.unlink()
    (tmp_path / "mine.csv").write_bytes(content)
    codes = set()
    for command in ("check", "import"):
        result = CliRunner().invoke(command_line.app, [command, "mine.csv"])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        codes.add(result.exit_code)
        assert result.stdout.isprintable() or "\n" in result.stdout
        if result.exit_code:
            assert result.stderr.splitlines()[-1].startswith("error: ")
    assert codes in ({0}, {1})
    engine = open_engine("sqlite:///ev_market.sqlite")
    pipeline.create(engine)
    rows.healthy(engine)
    loaded = rows.query(engine, "SELECT count(*) FROM snapshot")
    assert loaded == [(1 if codes == {0} else 0,)]
    engine.dispose()


@pytest.mark.parametrize("arguments", [["check"], ["import"], ["check", "a", "b"], ["import", "a", "--as", "Ä"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(command_line.app, arguments).exit_code == 2


# Curated files


CURATED = pytest.mark.parametrize("of", [*curated.CURATED, *curated.CURATED_RECORDS], ids=lambda of: of.source.slug)


@CURATED
@settings(max_examples=settings.default.max_examples // 4)
@given(data=st.data())
def test_a_curated_file_is_refused_or_every_row_is_told(of: curated.CuratedFile, data: st.DataObject) -> None:
    content = data.draw(mutated(first_rows(of.path)) | rubbish())
    if not of.table:
        found = or_refused(lambda: curated.parse(of.file, content), file=of.file)
        if found is not None:
            adds_up(found.claims)
            is_right(found.claims, content)
        return
    claims = or_refused(lambda: curated.parse_records(of, content), file=of.file)
    if claims is None:
        return
    adds_up(claims)
    kinds = {field.name: field.kind for field in tables.fields_of(of.table)}
    for row in claims.records[of.table].to_dict("records"):
        cells = cells_of(content, row["line"])
        for name, cell in cells.items():
            if name in kinds and kinds[name] in (int, float) and row[name] is not None:
                assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", cell, re.ASCII)
                assert row[name] == float(Decimal(cell)) >= 0
            if name in kinds and kinds[name] is date:
                assert row[name].isoformat() == cell


@CURATED
@settings(max_examples=settings.default.max_examples // 20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_curated_file_is_loaded_whole_or_what_stands_stays(
    of: curated.CuratedFile, tmp_path: Path, data: st.DataObject
) -> None:
    """Down to the database: the good file first, then the mutated one in its place."""
    good = first_rows(of.path)
    content = data.draw(mutated(good))
    engine = open_engine(f"sqlite:///{tmp_path}/fuzz.sqlite")
    pipeline.create(engine)
    told: list[object] = []
    pipeline.load_dated(engine, [DatedFile(of.source, of.file, good, Obtained.CURATED)], tell=told.append)
    before = rows.claims(engine)
    pipeline.load_dated(engine, [DatedFile(of.source, of.file, content, Obtained.CURATED)], tell=told.append)
    assert len(told) == 2
    if isinstance(told[1], pipeline.Refusal):
        assert rows.claims(engine) == before
    rows.healthy(engine)
    engine.dispose()
    for path in tmp_path.glob("fuzz.sqlite*"):
        path.unlink()


# The reference


REFERENCE = ("markets.csv", "makers.csv", "market_events.csv")


@pytest.mark.parametrize("name", REFERENCE)
@settings(max_examples=settings.default.max_examples // 2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_reference_file_is_refused_or_says_what_its_cells_say(name: str, tmp_path: Path, data: st.DataObject) -> None:
    content = data.draw(mutated(first_rows(harmonize.REFERENCE / name)) | rubbish())
    for each in REFERENCE:
        (tmp_path / each).write_bytes((harmonize.REFERENCE / each).read_bytes())
    (tmp_path / name).write_bytes(content)
    found = or_refused(lambda: harmonize.read_reference(tmp_path), file="market" if name != "makers.csv" else "ma")
    if found is None:
        return
    count = sum(bool("".join(row).strip()) for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    told = {"markets.csv": found.markets, "makers.csv": found.makers, "market_events.csv": found.events}[name]
    assert len(told) == count - 1
    assert len({market["code"] for market in found.markets}) == len(found.markets)
    assert all(isinstance(event["date"], date) for event in found.events)


@given(mutated(first_rows(maker_groups.PATH)) | rubbish())
def test_the_dated_groups_are_refused_or_told_row_by_row(content: bytes) -> None:
    claims = or_refused(lambda: maker_groups.parse(content), file=maker_groups.PATH.name)
    if claims is None:
        return
    adds_up(claims)
    for row in claims.groups.to_dict("records"):
        cells = cells_of(content, row["line"])
        assert (row["maker"].strip(), row["group"].strip()) == (cells["maker"], cells["group"])
        assert row["valid_from"] < row["valid_to"]
