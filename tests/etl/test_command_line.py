"""`python -m etl` as a user meets it: exit codes, one clear line on standard error, and nothing lost in an accident."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from db.database import open_engine, writing
from etl import __main__ as command_line
from etl import pipeline
from etl.snapshots import SnapshotStore
from tests import world
from tests.world import rows
from tests.world.rows import NewDatabase

ROOT = Path(__file__).parents[2]


def etl(*arguments: str) -> Result:
    """What `python -m etl` does with these arguments, in the current folder; never a traceback."""
    result = CliRunner().invoke(command_line.app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def error(result: Result, *, code: int = 1) -> str:
    """The one line on standard error."""
    assert result.exit_code == code
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def start(*arguments: str, code: str | None = None, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """`python -m etl`, or other code, as a process of its own."""
    return subprocess.Popen(
        [sys.executable, *(["-c", code] if code else ["-m", "etl"]), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A copy of the tiny world's files."""
    return world.copy(tmp_path / "upstream")


@pytest.fixture
def database(default_url: str) -> Iterator[Engine]:
    """The default database of the test's own folder."""
    engine = open_engine(default_url)
    yield engine
    engine.dispose()


# Loading


def test_loading_a_folder_says_what_it_did_file_by_file(upstream: Path) -> None:
    result = etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    assert result.exit_code == 0
    assert "2026-03-01 data/data-DE.js: 15 rows read, 15 figures new or changed, 0 unchanged, 0 closed" in result.stdout
    assert result.stdout.endswith("loaded 5 snapshots: 31 rows read, 31 figures new or changed\n")
    assert result.stderr == ""


def test_a_second_load_says_that_nothing_is_new(upstream: Path, database: Engine) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    before = rows.dump(database)
    result = etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    assert (result.exit_code, result.stdout) == (0, "nothing new: every snapshot is loaded already\n")
    assert rows.dump(database) == before


def test_a_folder_never_brings_bundled_figures_with_it(upstream: Path, database: Engine) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    assert len(rows.figures(database)) == world.FIGURES
    etl("rebuild")
    assert len(rows.figures(database)) == world.FIGURES


def test_a_load_without_a_folder_brings_the_bundled_figures(bundled_copy: str) -> None:
    database = open_engine(bundled_copy)
    before = rows.dump(database)
    result = etl("load")
    assert (result.exit_code, result.stdout) == (0, "nothing new: every snapshot is loaded already\n")
    assert rows.dump(database) == before
    database.dispose()


def test_the_address_of_a_download_is_in_its_receipt(upstream: Path, database: Engine) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01", "--address", "https://mirror.example/ev/")
    found = rows.query(database, "SELECT origin_url FROM snapshot WHERE file = 'data/data-DE.js'")
    assert found == [("https://mirror.example/ev/data/data-DE.js",)]


def test_a_refused_file_is_told_the_others_are_loaded_and_the_exit_code_is_1(upstream: Path, database: Engine) -> None:
    (upstream / "data/data-DE.js").write_text("<!doctype html>")
    result = etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    assert result.exit_code == 1
    first, last = result.stderr.splitlines()
    assert first.startswith("refused: data/data-DE.js line 1: holds a web page instead of the figures")
    assert last == "error: 1 file not loaded (see above); everything else is"
    assert len(rows.figures(database)) == world.FIGURES - 15
    assert "refused 2026-03-01 data/data-DE.js line 1: holds a web page" in etl("status").stdout


def test_a_file_that_covers_less_is_loaded_when_the_user_follows_the_advice(upstream: Path, database: Engine) -> None:
    arguments = ["load", "--from", str(upstream), "--known-on"]
    etl(*arguments, "2026-03-01")
    german = upstream / "data/data-DE.js"
    german.write_text(world.record({"other": 200}))
    refused = etl(*arguments, "2026-03-02")
    assert refused.exit_code == 1
    assert "load it with --accept-removals" in refused.stderr
    assert etl(*arguments, "2026-03-02", "--accept-removals").exit_code == 0
    assert len(rows.figures(database, file="data/data-DE.js")) == 1


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["load", "--source", "kba"], "there is no source 'kba'; the sources are: open-ev-charts"),
        (["bundle", "--source", "kba"], "there is no source 'kba'; the sources are: open-ev-charts"),
        (["load", "--from", ".", "--known-on", "9998-01-01"], "lies in the future"),
        (["load", "--from", ".", "--known-on", "yesterday"], "'yesterday' is no day such as 2026-07-23"),
        (["load", "--from", ".", "--known-on", "2026-02-30"], "'2026-02-30' is no day"),
        (["load", "--from", ".", "--known-on", ""], "'' is no day"),
        (["load", "--known-on", "2026-03-01"], "go with --from DIR"),
        (["load", "--accept-removals"], "go with --from DIR"),
        (["load", "--from", ".", "--address", "mirror"], "'mirror' is no address"),
    ],
)
def test_wrong_usage_is_one_line_exit_code_2_and_makes_no_database(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    assert says in error(etl(*arguments), code=2)
    assert not (tmp_path / "ev_market.sqlite").exists()


@pytest.mark.parametrize("arguments", [["fly"], ["load", "--fast"], ["status", "extra"]])
def test_an_unknown_word_is_exit_code_2(arguments: list[str]) -> None:
    assert etl(*arguments).exit_code == 2


def test_a_missing_or_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name in ("missing", "file"):
        assert f"{name} is no folder" in error(etl("load", "--from", name))
    assert "empty holds no file of open-ev-charts" in error(etl("load", "--from", "empty"))


# Bad surroundings


@pytest.mark.parametrize("command", ["load", "rebuild", "status", "bundle"])
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "DATABASE_URL is no database URL; an example is sqlite:///ev_market.sqlite"),
        ("sqlite:///nowhere/ev.sqlite", "the folder nowhere does not exist"),
        ("sqlite:///rubbish.sqlite", "damaged or no database"),
    ],
)
def test_a_database_url_that_leads_nowhere_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, url: str, says: str
) -> None:
    (tmp_path / "rubbish.sqlite").write_bytes(b"rubbish" * 500)
    monkeypatch.setenv("DATABASE_URL", url)
    assert says in error(etl(command))


@pytest.mark.parametrize("command", ["status", "bundle"])
def test_reading_where_there_is_no_database_says_how_to_make_one(default_url: str, command: str) -> None:
    assert "python -m etl load" in error(etl(command))
    assert rows.untouched(default_url)


def test_another_schema_version_is_one_line_with_the_remedy(bundled_copy: str) -> None:
    engine = open_engine(bundled_copy)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    engine.dispose()
    for command in ("load", "status"):
        assert "schema version 99" in error(etl(command))


@pytest.mark.parametrize("damage", ["content", "receipt"])
def test_a_damaged_kept_snapshot_is_one_line_and_loses_nothing(upstream: Path, database: Engine, damage: str) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    before = rows.dump(database)
    pattern = {"content": "snapshots/*/content/*.gz", "receipt": "snapshots/*/2026-*/*.json"}[damage]
    next(Path.cwd().glob(pattern)).write_bytes(b"rubbish")
    assert "restore it from a backup" in error(etl("rebuild"))
    assert rows.dump(database) == before


def test_a_receipt_without_its_content_is_one_line(upstream: Path) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    shutil.rmtree("snapshots/open-ev-charts/content")
    assert "restore it from a backup" in error(etl("rebuild"))


@pytest.mark.only("sqlite", "a server has rights of its own: tests/db/test_postgresql.py")
@pytest.mark.parametrize("locked", ["file", "folder"])
def test_a_database_that_cannot_be_written_is_one_line(
    upstream: Path, tmp_path: Path, database: Engine, locked: str
) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    before = rows.dump(database)
    database.dispose()
    folder, file = tmp_path, tmp_path / "ev_market.sqlite"
    german = upstream / "data/data-DE.js"
    german.write_text(german.read_text(encoding="utf-8").replace(": 50", ": 60"), encoding="utf-8")
    for kept in [tmp_path / "snapshots", *(tmp_path / "snapshots").rglob("*")]:
        kept.chmod(0o777)
    file.chmod(0o444 if locked == "file" else 0o666)
    folder.chmod(0o555 if locked == "folder" else 0o777)
    for parent in folder.parents:
        if parent.name.startswith(("pytest-", "popen-")):
            parent.chmod(0o755)
    try:
        process = start("load", "--from", str(upstream), "--known-on", "2026-03-02", code=_AS_NOBODY)
        _, complaint = process.communicate(timeout=60)
    finally:
        folder.chmod(0o755)
        file.chmod(0o644)
    assert (process.returncode, complaint.count("\n")) == (1, 1), complaint
    assert "ev_market.sqlite: the database" in complaint
    assert "permissions" in complaint
    assert rows.dump(database) == before


_AS_NOBODY = """
import os, sys
from db.database import open_engine
from etl import __main__ as command_line
open_engine("sqlite://").connect().close()  # imports what is imported late
if os.geteuid() == 0:  # permissions do not bind root
    os.setgid(65534)
    os.setuid(65534)
command_line.app(sys.argv[1:])
"""


# What it prints


def test_the_status_as_json_is_json(bundled_copy: str) -> None:
    sources = json.loads(etl("status", "--json").stdout)["sources"]
    (found,) = (each for each in sources if each["slug"] == "open-ev-charts")
    assert (found["slug"], found["figures"], found["last_snapshot"]) == ("open-ev-charts", 108_954, "2026-07-23")


def test_the_status_in_words_names_each_market_with_its_periods(upstream: Path) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    lines = [line.split() for line in etl("status").stdout.splitlines()]
    assert ["DE", "BEV", "month", "2026-01-01", "to", "2026-02-01", "8", "figures"] in lines
    assert ["GB", "ALL", "quarter", "2025-10-01", "to", "2025-10-01", "1", "figures"] in lines


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error_and_leaves_no_file_unloaded(
    upstream: Path, database: Engine, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    for arguments in (["load", "--from", str(upstream), "--known-on", "2026-03-01"], ["status"]):
        read, write = os.pipe()
        os.close(read)
        process = start(*arguments, stdout=write)
        os.close(write)
        _, complaint = process.communicate(timeout=60)
        assert (process.returncode, complaint) == (0, "")
    assert len(rows.figures(database)) == world.FIGURES


# Accidents


def _loads(engine: Engine) -> tuple[object, object]:
    return rows.claims(engine), rows.snapshots(engine)


@pytest.fixture
def expected(new_database: NewDatabase) -> tuple[object, object]:
    """What the tiny world leaves in a database when nothing goes wrong."""
    engine = open_engine(new_database("expected"))
    pipeline.create(engine)
    pipeline.load(engine, _snapshots(), keep=None, tell=lambda _: None)
    result = _loads(engine)
    engine.dispose()
    return result


def _snapshots() -> list[pipeline.Snapshot]:
    return [world.snapshot(world.text(file), file=file) for file in world.FILES]


_KILLED = """
import os, signal, sys
from sqlalchemy import event
from db.database import open_engine
from etl import pipeline
from etl.snapshots import SnapshotStore
from tests import world

def load(url, moment):
    engine = open_engine(url)
    count = 0

    def step(*_):
        nonlocal count
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", step)
    event.listen(engine, "commit", step)
    pipeline.create(engine)
    found = [world.snapshot(world.text(file), file=file) for file in world.FILES]
    pipeline.load(engine, found, keep=SnapshotStore.beside(url), tell=lambda _: None)
    return count

whole, *urls = sys.argv[1:]
steps = load(whole, 0)
for n, url in enumerate(urls):
    child = os.fork()
    if not child:
        os.chdir(f"moment-{n}")
        load(url, 1 + n * (steps - 1) // 19)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (n, status)
print(steps)
"""


@pytest.mark.only("postgresql", "tests/faults kills every command on SQLite, at more moments")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_loader_killed_at_any_moment_leaves_whole_snapshots_and_the_next_load_completes(
    tmp_path: Path, expected: tuple[object, object], new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before a statement or at a commit, at twenty moments spread over the load from its first to its last."""
    names = [f"moment-{n}" for n in range(20)]
    for name in names:
        (tmp_path / name).mkdir()
    urls = [new_database(f"{name}/ev") for name in names]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, new_database("whole"), *urls],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert killed.stderr == ""
    assert int(killed.stdout) > 60
    sizes = {
        "config.js": 5,
        "data/data-DE.js": 15,
        "data/data-NO.js": 3,
        "data/data-UK.js": 6,
        "data/data-global.js": 2,
    }
    counts = set()
    for name, url in zip(names, urls, strict=True):
        monkeypatch.chdir(tmp_path / name)
        engine = open_engine(url)
        pipeline.create(engine)
        rows.healthy(engine)
        loaded = rows.query(engine, "SELECT file, rows_loaded FROM snapshot")
        counts.add(len(loaded))
        assert loaded == [(file, sizes[file]) for file, _ in loaded]
        for file, size in loaded:
            assert len(rows.figures(engine, file=file)) == (0 if file == "config.js" else size)
        keep = SnapshotStore.beside(url)
        assert len(list(keep.kept())) >= len(loaded)
        pipeline.load(engine, _snapshots(), keep=keep, tell=lambda _: None)
        assert _loads(engine) == expected
        pipeline.rebuild(engine, keep=keep, tell=lambda _: None)
        assert _loads(engine) == expected
        engine.dispose()
    assert counts == {0, 1, 2, 3, 4}


def test_a_rebuild_that_is_killed_leaves_the_database_as_it_was(upstream: Path, database: Engine) -> None:
    etl("load", "--from", str(upstream), "--known-on", "2026-03-01")
    before = rows.dump(database)
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys\nfrom db.database import open_engine\nfrom etl import pipeline\n"
            "from etl.snapshots import SnapshotStore\n"
            "pipeline.rebuild(open_engine(sys.argv[1]), keep=SnapshotStore.beside('sqlite:///x'),"
            "tell=lambda _: os.kill(os.getpid(), signal.SIGKILL))",
            database.url.render_as_string(hide_password=False),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert rows.dump(database) == before
    rows.healthy(database)


def test_loaders_at_the_same_time_wait_for_each_other_and_lose_nothing(upstream: Path, database: Engine) -> None:
    loaders = [start("load", "--from", str(upstream), "--known-on", "2026-03-01") for _ in range(2)]
    told = [loader.communicate(timeout=90) for loader in loaders]
    assert [(loader.returncode, complaint) for loader, (_, complaint) in zip(loaders, told, strict=True)] == [
        (0, "")
    ] * 2
    assert all("loaded " in said or "nothing new" in said for said, _ in told)
    assert len(rows.figures(database)) == world.FIGURES
    assert len(rows.snapshots(database)) == len(world.FILES)
    rows.healthy(database)


def test_a_loader_that_waits_in_vain_says_so(upstream: Path, database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.create(database)
    monkeypatch.setattr(command_line, "open_engine", lambda url: open_engine(url, busy_seconds=0.05))
    with writing(database):
        assert "another load is writing to the database" in error(etl("load", "--from", str(upstream)))
    assert etl("load", "--from", str(upstream)).exit_code == 0


def test_an_interrupted_load_says_what_is_safe(upstream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "load", interrupt)
    assert "interrupted; every snapshot that was reported is loaded whole" in error(
        etl("load", "--from", str(upstream)), code=130
    )
