"""An analyst's own figures from the shell: `check`, `import`, `remove`, `template`; what the charts make of them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dashboard import downloads, style
from dashboard.charts import chart as chart_of
from dashboard.downloads import Download, Problem
from dashboard.selection import Selection
from db.contents import Source
from db.database import open_engine
from db.vocabulary import Cadence, Obtained, States
from etl import __main__ as command_line
from etl import bundle, imports, pipeline, snapshots, tidy
from etl.pipeline import DatedFile
from etl.snapshots import SnapshotStore
from tests import world
from tests.etl.test_command_line import ROOT, error, etl
from tests.world import rows

HEADER = "period,market,basis,powertrain,maker,model,units,published_on,note\n"
MARKET = (
    "2026-01,DE,registration,BEV,all,,1000,2026-02-03,\n"
    "2026-01,DE,registration,BEV,Example Motors,,100,2026-02-03,counted by hand\n"
    "2026-01,DE,registration,BEV,Other Motors,,300,2026-02-03,\n"
)
MAKERS = MARKET.partition("\n")[2]
"""The same without the market's total."""
SLUG = "mine"
TODAY, LATER = date(2026, 3, 2), date(2026, 3, 9)


@pytest.fixture(autouse=True)
def _day(monkeypatch: pytest.MonkeyPatch) -> None:
    _set_day(monkeypatch, TODAY)


@pytest.fixture(autouse=True)
def _nothing_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "sources", lambda *_: [])


def _set_day(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr(command_line, "_now", lambda: datetime(day.year, day.month, day.day, 12, tzinfo=UTC))


@pytest.fixture
def database(default_url: str) -> Iterator[Engine]:
    """The default database of the test's own folder, with the tiny world as of 1 March."""
    engine = open_engine(default_url)
    assert etl("load", "--from", str(world.UPSTREAM), "--known-on", "2026-03-01").exit_code == 0
    yield engine
    engine.dispose()


@pytest.fixture
def keep(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def write(table: str, *, name: str = f"{SLUG}.csv", header: str = HEADER) -> str:
    """A file of figures in the working folder; its name."""
    Path(name).write_text(header + table, encoding="utf-8")
    return name


def figures(engine: Engine, *, slug: str = SLUG, as_of: date | None = None) -> dict[str, int]:
    """An import's figures of January in Germany by maker."""
    found = rows.figures(engine, source=slug, as_of=as_of)
    return {maker: units for (_, _, _, _, maker, _), units in found.items()}


def share(engine: Engine, query: str = "market=DE") -> list[dict[str, str]]:
    """The rows of the chart's CSV."""
    made = downloads.answer(engine, "market-share", "csv", f"window=none&{query}", site="", today=TODAY)
    assert isinstance(made, Download), made
    return list(csv.DictReader(io.StringIO(made.body.decode())))


def problem(engine: Engine, query: str) -> Problem:
    made = downloads.answer(engine, "market-share", "csv", f"window=none&{query}", site="", today=TODAY)
    assert isinstance(made, Problem), made
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("imported/*"))


# Checking


def test_a_good_file_is_summed_up_and_nothing_is_loaded(tmp_path: Path) -> None:
    result = etl("check", write(MARKET))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "mine.csv: 3 figures of 2 makers in DE, 2026-01 to 2026-01; new makers: Example Motors, Other Motors; "
        "'python -m etl import mine.csv' loads them\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_the_template_is_a_file_that_can_be_checked_and_imported(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_day(monkeypatch, date(2026, 7, 6))  # its figure is of June
    Path("template.csv").write_text(etl("template").stdout)
    assert etl("check", "template.csv").exit_code == 0
    assert etl("import", "template.csv").exit_code == 0
    assert list(rows.figures(database, source="template").values()) == [100]


@pytest.mark.parametrize("command", ["check", "import"])
def test_every_problem_is_listed_with_its_line_column_and_reason_and_nothing_is_loaded(
    database: Engine, keep: SnapshotStore, command: str
) -> None:
    before = rows.dump(database)
    write(
        MARKET
        + "2026-01,DE,registration,NEV,Third Motors,,100,2026-02-03,\n"
        + 'Jan-26,DE,registration,BEV,Fourth Motors,,"1,234",2026-02-03,\n'
        + "2026-01,DE,registration,BEV,Example Motors,,101,2026-02-03,\n"
    )
    result = etl(command, "mine.csv")
    assert result.exit_code == 1
    assert result.stdout == ""
    nev, jan, thousands, twice, last = result.stderr.splitlines()
    assert nev.startswith("mine.csv line 5, column powertrain: 'NEV': publishers mean different sets by it")
    assert jan.startswith("mine.csv line 6, column period: 'Jan-26': is no period")
    assert thousands == "mine.csv line 6, column units: '1,234': write 1234, without separators between the thousands"
    assert twice.startswith("mine.csv line 7, column units: '101': line 3 states the same cell on the same day (100)")
    assert last == "error: mine.csv: 4 problems in 6 rows; nothing loaded"
    assert rows.dump(database) == before
    assert names(keep.folder) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ((HEADER + MARKET).replace(",", ";").encode(), "line 1: has columns separated by semicolons; "),
        ((HEADER + MARKET).replace(",", "\t").encode(), "line 1: has columns separated by tabs; "),
        ((HEADER + MARKET).encode("utf-16"), "is UTF-16 or no text at all"),
        ((HEADER + MARKET.replace("by hand", "für uns")).encode("latin-1"), "line 3: is not UTF-8"),
        (b"PK\x03\x04" + bytes(range(200)), "is a spreadsheet's own file"),
        (b"", "is empty"),
        (HEADER.encode(), "holds a header and no row"),
        (b"<!doctype html><table><tr><td>100</table>", "is not of the tidy format"),
        (b"\0" * 100, "no text at all"),
    ],
    ids=["semicolons", "tabs", "UTF-16", "Latin-1", "xlsx", "empty", "header only", "web page", "NUL bytes"],
)
@pytest.mark.parametrize("command", ["check", "import"])
def test_an_awkward_file_is_one_clear_line(
    tmp_path: Path, default_url: str, command: str, content: bytes, says: str
) -> None:
    (tmp_path / "mine.csv").write_bytes(content)
    line = error(etl(command, "mine.csv"))
    assert line.startswith("error: mine.csv")
    assert says in line
    assert names(tmp_path / "snapshots") == []
    assert rows.untouched(default_url)


def test_a_file_as_excel_writes_it_is_read(database: Engine) -> None:
    Path("mine.csv").write_bytes(b"\xef\xbb\xbf" + (HEADER + MARKET).replace("\n", "\r\n").encode() + b",,,,,,,,\r\n")
    assert etl("import", "mine.csv").exit_code == 0
    assert figures(database) == {"all": 1000, "example-motors": 100, "other-motors": 300}


@pytest.mark.parametrize("command", ["check", "import"])
@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_what_is_no_file_is_named(command: str, name: str) -> None:
    arguments = [command, name] if command == "check" else [command, name, "--as", "mine"]
    assert f"error: {name} is no file; " in error(etl(*arguments))


@pytest.mark.extra
@pytest.mark.parametrize("folder", ["ev-database", "wa-dol", "iea", "owid", "open-ev-data"])
def test_a_real_table_of_another_kind_is_one_clear_line(shared: Path, folder: str) -> None:
    found = [path for path in sorted((shared / "raw" / folder).rglob("*")) if path.is_file()]
    assert found
    for path in found:
        assert error(etl("check", str(path))).startswith(f"error: {path}")


# Importing


def test_an_import_is_a_source_of_its_own_with_receipts(database: Engine, keep: SnapshotStore) -> None:
    result = etl(
        "import",
        write(MARKET),
        "--title",
        "Own count",
        "--publisher",
        "Our desk",
        "--url",
        "https://desk.example/count",
    )
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{TODAY} mine.csv: 3 rows read, 3 figures new or changed, 0 unchanged, 0 closed\n")
    assert result.stdout.endswith("loaded 1 snapshot: 3 rows read, 3 figures new or changed\n")
    assert figures(database) == {"all": 1000, "example-motors": 100, "other-motors": 300}
    assert figures(database, as_of=date(2026, 2, 2)) == {}
    assert figures(database, as_of=date(2026, 2, 3)) == figures(database)
    assert rows.query(
        database, "SELECT title, publisher, url, licence, states FROM source WHERE slug = 'mine'"
    ) == [("Own count", "Our desk", "https://desk.example/count", "not for publication", "market")]  # fmt: skip
    assert rows.query(
        database, "SELECT file, known_on, obtained, rows_read, rows_loaded FROM snapshot WHERE file = 'mine.csv'"
    ) == [("mine.csv", "2026-03-02", "imported", 3, 3)]  # fmt: skip
    (status,) = (each for each in json.loads(etl("status", "--json").stdout)["sources"] if each["slug"] == SLUG)
    assert (status["figures"], status["last_snapshot"]) == (3, "2026-02-03")
    rows.healthy(database)


def test_importing_a_file_twice_changes_nothing_on_whatever_day(
    database: Engine, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row without a day of publication is known since the first import, also after a rebuild."""
    etl("import", write(MARKET.replace("2026-02-03", "")))
    before, files = rows.dump(database), names(keep.folder)
    claims = rows.claims(database)
    _set_day(monkeypatch, LATER)
    result = etl("import", "mine.csv")
    assert (result.exit_code, result.stdout) == (0, "nothing new: mine.csv is loaded already as mine\n")
    assert rows.dump(database) == before
    assert names(keep.folder) == files
    assert figures(database, as_of=TODAY) == {"all": 1000, "example-motors": 100, "other-motors": 300}
    etl("rebuild")
    assert rows.claims(database) == claims


def test_a_changed_file_replaces_its_figures_and_says_what_it_replaces(
    database: Engine, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    etl("import", write(MARKET))
    _set_day(monkeypatch, LATER)
    write(MARKET.replace("Other Motors,,300", "Third Motors,,200"), name="corrected.csv")
    result = etl("import", "corrected.csv", "--as", SLUG)
    assert result.exit_code == 0
    assert f"mine: takes the place of mine.csv, imported on {TODAY}\n" in result.stdout
    assert figures(database) == {"all": 1000, "example-motors": 100, "third-motors": 200}
    assert rows.query(database, "SELECT slug FROM maker WHERE slug IN ('other-motors', 'third-motors')") == [
        ("third-motors",)
    ]
    assert len(names(keep.folder)) == 2
    claims = rows.claims(database)
    etl("rebuild")
    assert rows.claims(database) == claims


def test_an_import_survives_a_rebuild_and_a_load_into_a_new_database(database: Engine) -> None:
    etl("import", write(MARKET), "--title", "Own count")
    Path("mine.csv").unlink()
    before = rows.claims(database)
    assert etl("rebuild").exit_code == 0
    assert rows.claims(database) == before
    rows.lose(database)
    assert etl("load").exit_code == 0
    assert figures(database) == {"all": 1000, "example-motors": 100, "other-motors": 300}
    assert ("Own count",) in rows.query(database, "SELECT title FROM source")
    assert "nothing new" in etl("load").stdout


def test_a_bad_correction_leaves_what_was_imported(database: Engine, keep: SnapshotStore) -> None:
    etl("import", write(MARKET))
    before, files = rows.dump(database), names(keep.folder)
    assert etl("import", write(MARKET.replace("100", "a hundred"))).exit_code == 1
    assert rows.dump(database) == before
    assert names(keep.folder) == files


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--as", "open-ev-charts"], "'open-ev-charts' is a source of the project; give another name with --as"),
        (["--as", "tesla-deliveries"], "'tesla-deliveries' is a source of the project"),
        (["--as", "maker-groups"], "'maker-groups' is a source of the project"),
        (["--as", "Mine"], "'Mine' is no name of small letters, digits and hyphens"),
        (["--as", "../mine"], "'../mine' is no name"),
        (["--as", ""], "'' is no name"),
        (["--as", "m" * 65], "is no name"),
        (["--url", "javascript:alert(1)"], "--url 'javascript:alert(1)' is no address"),
        (["--title", "Own\x1b[31m count"], "holds a character that cannot be seen"),
    ],
)
def test_a_name_that_is_taken_or_none_is_wrong_usage(
    database: Engine, keep: SnapshotStore, arguments: list[str], says: str
) -> None:
    before = rows.dump(database)
    assert says in error(etl("import", write(MARKET), *arguments), code=2)
    assert rows.dump(database) == before
    assert names(keep.folder) == []


def test_an_analysts_spelling_renames_no_publishers_model(database: Engine) -> None:
    etl("import", write("2026-01,DE,registration,BEV,TESLA,MODEL-Y,100,2026-02-03,\n"))
    assert rows.figures(database, source=SLUG) == {("DE", "BEV", "month", "2026-01-01", "tesla", "tesla-model-y"): 100}
    found = rows.query(
        database,
        "SELECT maker.name, model.name FROM model JOIN maker ON maker = maker.slug WHERE model.slug = 'tesla-model-y'",
    )
    assert found == [("Tesla", "Model Y")]


# Accidents


def test_figures_that_cannot_be_kept_are_not_loaded(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    before = rows.dump(database)
    with monkeypatch.context() as broken:
        broken.setattr(imports, "keep", full)
        assert error(etl("import", write(MARKET))) == "error: the disk is full\n"
    assert rows.dump(database) == before
    assert etl("import", "mine.csv").exit_code == 0


def test_figures_that_were_kept_before_a_crash_come_with_the_next_load(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_whole = imports.keep

    def keep_and_break(store: SnapshotStore, file: DatedFile) -> None:
        keep_whole(store, file)
        raise OSError("broken off")

    before = rows.dump(database)
    with monkeypatch.context() as broken:
        broken.setattr(imports, "keep", keep_and_break)
        error(etl("import", write(MARKET)))
    assert rows.dump(database) == before
    etl("load")
    assert figures(database) == {"all": 1000, "example-motors": 100, "other-motors": 300}


@pytest.mark.parametrize("step", [1, 2])
def test_a_correction_broken_off_while_it_is_kept_leaves_the_earlier_figures_or_the_new_ones(
    database: Engine, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Step 1 writes the figures, step 2 what they are; broken off before either."""
    etl("import", write(MARKET))
    written = 0
    write_whole = snapshots.write_whole

    def break_off(path: Path, content: bytes) -> None:
        nonlocal written
        written += 1
        if written == step:
            raise OSError("broken off")
        write_whole(path, content)

    with monkeypatch.context() as broken:
        broken.setattr(imports, "write_whole", break_off)
        error(etl("import", write(MARKET.replace("300", "200"))))
    assert figures(database)["other-motors"] == 300
    assert etl("rebuild").exit_code == 0
    assert figures(database)["other-motors"] == 300
    assert etl("import", "mine.csv").exit_code == 0
    assert figures(database)["other-motors"] == 200
    assert len(names(keep.folder)) == 2


@pytest.mark.parametrize("damage", ["description", "figures", "figures gone"])
def test_a_damaged_import_is_one_line_and_can_be_removed(database: Engine, keep: SnapshotStore, damage: str) -> None:
    etl("import", write(MARKET))
    pattern = "imported/*.json" if damage == "description" else "imported/*.csv"
    (path,) = keep.folder.glob(pattern)
    if damage == "figures gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"300", b"900").replace(b"market", b"makers!"))
    loaded = etl("load")
    assert loaded.exit_code == 1
    told, last = loaded.stderr.splitlines()
    assert told.startswith("refused: snapshots/imported/mine.json: is no description of imported figures (")
    assert last == "error: 1 file not loaded (see above); everything else is"
    assert len(rows.figures(database, source="tesla-deliveries")) > 100
    before = rows.dump(database)
    line = error(etl("rebuild"))
    assert "'python -m etl remove mine' and import the figures again" in line
    assert rows.dump(database) == before
    assert etl("remove", SLUG).stdout == "mine: 3 figures removed\n"
    assert etl("rebuild").exit_code == 0


def test_a_rebuild_where_ones_figures_are_not_kept_is_refused_and_tells_where_it_looked(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from another working folder, on a server that has none of its own."""
    etl("import", write(MARKET))
    before, claims = rows.dump(database), rows.claims(database)
    monkeypatch.setenv("SNAPSHOTS", f"{tmp_path}/elsewhere")
    line = error(etl("rebuild"))
    assert f"{tmp_path}/elsewhere does not hold all that the database has read: open-ev-charts " in line
    assert " and 5 more would be lost; name the folder of the kept snapshots in SNAPSHOTS" in line
    assert rows.dump(database) == before
    monkeypatch.delenv("SNAPSHOTS")
    assert etl("rebuild").exit_code == 0
    assert rows.claims(database) == claims
    assert figures(database) == {"all": 1000, "example-motors": 100, "other-motors": 300}


# Removing


def test_removing_an_import_leaves_no_trace(database: Engine, keep: SnapshotStore) -> None:
    before = rows.dump(database)
    etl("import", write(MARKET))
    assert rows.dump(database) != before
    assert etl("remove", SLUG).stdout == "mine: 3 figures removed\n"
    assert rows.dump(database) == before
    assert names(keep.folder) == []
    etl("rebuild")
    assert figures(database) == {}


@pytest.mark.parametrize("then", [["remove", SLUG], ["rebuild", "--accept-removals"]], ids=["removed again", "rebuilt"])
def test_a_removal_that_was_broken_off_can_be_completed_and_no_rebuild_undoes_it(
    database: Engine, monkeypatch: pytest.MonkeyPatch, then: list[str]
) -> None:
    def broken_off(*_: object) -> int:
        raise OSError("broken off")

    before = rows.claims(database)
    etl("import", write(MARKET))
    with monkeypatch.context() as broken:
        broken.setattr(pipeline, "remove_import", broken_off)
        error(etl("remove", SLUG))
    assert figures(database) != {}
    assert "mine mine.csv of 2026-03-02 would be lost; " in error(etl("rebuild"))
    assert etl(*then).exit_code == 0
    assert rows.claims(database) == before
    etl("load", "--source", "open-ev-charts")
    assert rows.claims(database) == before


def test_an_import_that_the_database_has_not_is_removed_from_the_folder(database: Engine, keep: SnapshotStore) -> None:
    described = Source(
        SLUG, "Own count", "Imported", "", "", "", States.MARKET, Cadence.MONTHLY, 365, 900, ""
    )  # fmt: skip
    imports.keep(keep, DatedFile(described, "mine.csv", (HEADER + MARKET).encode(), Obtained.IMPORTED, TODAY))
    before = rows.dump(database)
    assert etl("remove", SLUG).stdout == "mine: 0 figures removed\n"
    assert names(keep.folder) == []
    assert rows.dump(database) == before


def test_only_imports_can_be_removed(database: Engine) -> None:
    assert error(etl("remove", "open-ev-charts")) == "error: 'open-ev-charts' is no import; nothing is imported\n"
    etl("import", write(MARKET))
    assert error(etl("remove", "yours")) == "error: 'yours' is no import; imported are: mine\n"
    assert len(rows.figures(database)) == world.FIGURES


def test_removing_where_there_is_no_database_makes_none(tmp_path: Path) -> None:
    assert "there is no database" in error(etl("remove", SLUG))
    assert list(tmp_path.iterdir()) == []


# What the charts make of it


def test_a_market_with_its_total_has_shares(database: Engine) -> None:
    etl("import", write(MARKET.replace("BEV", "PHEV")))
    found = {row["maker"]: (row["value"], row["high"]) for row in share(database, "market=DE&powertrain=PHEV")}
    assert found == {"example-motors": ("0.1", "0.1"), "other-motors": ("0.3", "0.3"), "other": ("0.6", "0.6")}


def test_a_market_with_its_unnamed_rest_has_shares(database: Engine) -> None:
    etl("import", write(MARKET.replace("BEV", "PHEV").replace("all,,1000", "other,,600")))
    found = {row["maker"]: row["value"] for row in share(database, "market=DE&powertrain=PHEV")}
    assert found == {"example-motors": "0.1", "other-motors": "0.3", "other": "0.6"}


def test_makers_without_their_market_have_units_and_no_share(database: Engine) -> None:
    result = etl("import", write(MAKERS.replace("BEV", "PHEV")))
    assert (
        "mine: makers' own figures, which add up to no market: line 2: PHEV cars in DE (registration, month from "
        "2026-01) are told by maker without a row 'all' or 'other' for the market\n"
    ) in result.stdout
    refused = problem(database, "market=DE&powertrain=PHEV")
    assert refused.status == 422
    assert "single makers' own" in refused.text
    units = share(database, "market=DE&powertrain=PHEV&measure=units")
    assert {row["maker"]: row["value"] for row in units} == {"example-motors": "100", "other-motors": "300"}


def test_one_market_without_a_total_makes_no_share_there_though_another_has_one(database: Engine) -> None:
    """Two makers of France are not all of France: they would have 25 % and 75 % of it."""
    german, french = MARKET.replace("BEV", "PHEV"), MAKERS.replace("BEV", "PHEV").replace(",DE,", ",FR,")
    result = etl("import", write(german + french))
    assert "mine: makers' own figures, which add up to no market: line 5: PHEV cars in FR " in result.stdout
    assert problem(database, "market=FR&powertrain=PHEV").status == 422


def test_a_total_that_is_known_later_than_its_makers_gives_no_share_before(database: Engine) -> None:
    late = MARKET.replace("BEV", "PHEV").replace("all,,1000,2026-02-03", "all,,1000,2026-02-10")
    result = etl("import", write(late))
    assert "are told by maker before 'all' or 'other' is known, on 2026-02-10\n" in result.stdout
    assert problem(database, "market=DE&powertrain=PHEV&as_of=2026-02-05").status == 422


def test_a_publishers_share_alone_is_a_market(database: Engine) -> None:
    header = "period,market,basis,powertrain,maker,share,published_on\n"
    result = etl("import", write("2026-01,DE,registration,BEV,all,0.4,2026-02-03\n", header=header))
    assert result.exit_code == 0
    assert "add up to no market" not in result.stdout
    assert rows.query(database, "SELECT share FROM penetration") == [(0.4,)]


def test_public_figures_are_drawn_unless_ones_own_are_preferred(database: Engine) -> None:
    """The whole record of January changes hands: nothing of the public one is mixed in, and February stays."""
    public = {(row["period_start"], row["maker"]): row["value"] for row in share(database)}
    assert public["2026-01-01", "tesla"] == "0.3"
    etl("import", write(MARKET))
    assert {(row["period_start"], row["maker"]): row["value"] for row in share(database)} == public
    result = etl("import", "mine.csv", "--preferred")
    assert result.stdout == "nothing new: mine.csv is loaded already as mine; how it is described has changed\n"
    for _ in ("as imported", "as rebuilt"):
        january = [row for row in share(database) if row["period_start"] == "2026-01-01" and row["value"] != "0"]
        assert {row["maker"]: row["value"] for row in january} == {
            "example-motors": "0.1",
            "other-motors": "0.3",
            "other": "0.6",
        }
        assert {row["source"] for row in january} == {SLUG}
        february = {row["maker"]: row["value"] for row in share(database, "market=DE&since=2026-02")}
        assert (february["tesla"], february["volkswagen"]) == ("0.5", "0.25")
        assert etl("rebuild").exit_code == 0


def test_what_is_drawn_and_what_is_not_are_shown_as_a_conflict(database: Engine) -> None:
    etl("import", write(MARKET), "--preferred")
    found = downloads.answer(database, "conflicts", "csv", "market=DE", site="", today=TODAY)
    assert isinstance(found, Download), found
    (row,) = csv.DictReader(io.StringIO(found.body.decode()))
    assert (row["maker"], row["value"], row["other_value"]) == ("all", "1000", "200")
    assert row["source"] == "mine;open-ev-charts"


def test_the_shell_gives_what_was_imported(database: Engine) -> None:
    etl("import", write(MARKET), "--preferred")
    database.dispose()
    query = "market=DE&window=none&since=2026-01&until=2026-01&makers=example-motors"
    done = subprocess.run(
        [sys.executable, "-m", "dashboard.export", "market-share", "--format", "csv", "--out", "-", "--query", query],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    row, rest = csv.DictReader(io.StringIO(done.stdout))
    assert (row["maker_name"], row["value"], row["source"]) == ("Example Motors", "0.1", "mine")
    assert (rest["maker"], rest["value"]) == ("other", "0.6")


FORMULA = "=HYPERLINK(1)"


def test_a_name_never_runs_as_a_formula_in_a_spreadsheet(database: Engine) -> None:
    nasty = [FORMULA, "+Plus Motors", "-Minus Motors", "@At Motors"]
    table = "".join(f"2026-01,DE,registration,PHEV,{name},{name},100,2026-02-03,{name}\n" for name in nasty)
    etl("import", write("2026-01,DE,registration,PHEV,all,,1000,2026-02-03,\n" + table), "--title", FORMULA)
    for by, column in (("maker", "maker_name"), ("model", "model_name")):
        found = share(database, f"market=DE&powertrain=PHEV&by={by}")
        assert {row[column] for row in found} >= {f"'{name}" for name in nasty}
        cells = [cell for row in found for cell in row.values()]
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []


def test_a_title_a_note_and_a_name_are_never_markup(database: Engine) -> None:
    bold = "<b>Bold</b> & <i>more</i>"
    table = MARKET.replace("BEV", "PHEV").replace("counted by hand", bold).replace("Other Motors", bold)
    etl("import", write(table), "--title", bold, "--publisher", bold, "--licence", bold)
    chart = chart_of("market-share")
    selection = Selection.from_query("market=DE&powertrain=PHEV&window=none", defaults=chart.defaults)
    with database.connect() as connection:
        reading = chart.load(connection, selection, today=TODAY)
        figure = downloads.framed(chart, reading, look=style.PICTURE, site="")
    drawn = json.dumps(figure, default=str)
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; &lt;i&gt;" in drawn
    assert "<b>Bold" not in drawn
    assert "<i>more" not in drawn


# What was imported, as kept


def test_a_kept_import_is_read_back_as_it_was_kept(keep: SnapshotStore) -> None:
    described = Source(
        SLUG, "Größe", "Desk", "https://desk.example", "own", "", States.MAKERS, Cadence.MONTHLY, 365, 0, "careful"
    )  # fmt: skip
    mine = DatedFile(described, "mine.csv", tidy.template().encode(), Obtained.IMPORTED, TODAY)
    imports.keep(keep, mine)
    assert imports.kept(keep) == [mine]
    assert imports.named(keep, SLUG) == mine
    assert imports.named(keep, "yours") is None
    assert imports.slugs(keep) == [SLUG]
    imports.forget(keep, SLUG)
    imports.forget(keep, SLUG)
    assert imports.kept(keep) == []
    assert names(keep.folder) == []
