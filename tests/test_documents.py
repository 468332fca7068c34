"""What the documents say is there: commands, files, sources and licences; and what must not be in the repository."""

from __future__ import annotations

import html
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dashboard import reference
from dashboard.charts import CHARTS
from dashboard.charts import chart as chart_of
from dashboard.charts.chart import DOWNLOAD_COLUMNS, patient
from dashboard.downloads import Format, download
from dashboard.projections.levers import NAMES as LEVERS
from dashboard.selection import NAMES, Selection
from db import dictionary
from db.schema import metadata
from etl import bundle
from etl.sources import CONNECTORS
from etl.sources.curated import CURATED

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "OPERATING.md", "DATA_LICENCES.md")
WITH_COMMANDS = ("README.md", "CONTRIBUTING.md", "OPERATING.md")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_to_a_file_leads_to_one(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", text_of(name)) + re.findall(
        r"`((?:dashboard|db|etl)/[\w/.-]+)`", text_of(name)
    )
    links = [link for link in links if "SLUG" not in link]
    assert links
    for link in links:
        assert (ROOT / link).exists(), f"{name} names {link}"


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_every_make_target_that_a_document_names_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = {command.split()[1] for command in commands_of(name) if command.startswith("make ")}
    assert named
    assert named <= targets


def test_make_alone_lists_every_target_that_has_a_description() -> None:
    described = set(re.findall(r"^([a-z-]+):.*?## ", text_of("Makefile"), re.MULTILINE))
    assert {"run", "test", "lint", "report", "bench"} <= described
    listed = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in listed for target in described)


COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:make [a-z]|python -(?:m|c) )")


def commands_of(name: str) -> set[str]:
    """The commands of ours in a document: lines of its blocks, and what stands between single backticks."""
    parts = re.split(r"^```.*$", text_of(name), flags=re.MULTILINE)
    shown = [line.partition("   #")[0].strip() for block in parts[1::2] for line in block.splitlines()]
    shown += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", "\n".join(parts[0::2]))]
    shown = [line.removeprefix("- run: ").rpartition("&& ")[2] if "- run: " in line else line for line in shown]
    return {re.split(r" >> \S+ 2>&1", line)[0] for line in shown if COMMAND.match(line)}


CONNECT = "python -c \"import sqlite3; sqlite3.connect('ev_market.sqlite')"
EXPORT = "python -m dashboard.export market-share"
TRIAL = "DATABASE_URL=sqlite:///trial.sqlite SNAPSHOTS=trial-snapshots"

RUN_HERE: dict[str, str] = {
    "python -m etl template > my.csv": "",
    "python -m etl check my.csv": "'python -m etl import my.csv' loads them",
    "python -m etl import my.csv": "loaded 1 snapshot",
    "python -m etl remove my": "my: ",
    "python -m etl status": "last snapshot",
    "python -m etl status --json": '"sources"',
    "python -m etl load": "nothing new: every snapshot is loaded already",
    f'{CONNECT}.execute(\\"VACUUM INTO \'backup.sqlite\'\\")"': "",
    f'{CONNECT}.execute(\\"VACUUM INTO \'trial.sqlite\'\\")"': "",
    f"{TRIAL} python -m etl load --source SLUG --from DIR": "loaded",
    f'{EXPORT} --query "market=CN&window=ttm" --format csv --out -': "period_start,grain,",
    "python -m dashboard.export market-share --help": "A selection starts from:",
    "python -m dashboard.reference": "DATA_DICTIONARY.md written",
    "python -m dashboard.alerts": "",
    "python -m dashboard.report": "",
    "python -m dashboard.fit": "",
    "python -m dashboard.password ann >> passwords": "",
}
"""Commands that the tests below run, in this order, and what they print."""

ONLY_HELP = ("dashboard.alerts", "dashboard.report", "dashboard.fit", "dashboard.password")
"""Modules of which only `--help` is asked here: their own tests run them (minutes, a browser, a terminal)."""

RUN_ELSEWHERE: dict[str, str] = {
    "python -m etl fetch": "etl/test_fetch_command.py::test_a_first_fetch_loads_what_ships_and_then_what_is_new",
    "python -m etl fetch --source SLUG": "etl/test_fetch_command.py::test_a_fetch_of_one_source_brings_no_other",
    "python -m etl fetch --history": (
        "etl/test_fetch_command.py::test_history_keeps_a_vintage_a_month_and_puts_each_in_its_place"
    ),
    "python -m etl load --from DIR": "etl/test_command_line.py::test_loading_a_folder_says_what_it_did_file_by_file",
    "python -m etl load --source SLUG --from DIR --known-on YYYY-MM-DD --address URL": (
        "etl/test_command_line.py::test_the_address_of_a_download_is_in_its_receipt"
    ),
    "python -m etl bundle --source SLUG": (
        "etl/test_bundle.py::test_a_bundle_written_from_a_database_and_loaded_again_gives_the_same_rows"
    ),
    "python -m etl rebuild": "etl/test_bundle.py::test_a_rebuild_puts_a_kept_snapshot_between_the_bundled_ones",
    "make weekly": "dashboard/test_weekly.py::test_the_job_downloads_then_reports_and_sends",
}
"""Commands that another test runs, from files of its own where they would ask the network."""

RECIPES: dict[str, tuple[str, ...]] = {
    "make setup": ("pip install", "--require-hashes"),
    "make data": ("-m etl load",),
    "make run": ("-m etl load", "-m dashboard"),
    "make test": ("ruff format --check", "ruff check", "lint-imports", "mypy", "-m pytest"),
    "make test-postgres": (".ci/postgres", "--engine postgresql"),
    "make format": ("ruff format --quiet", "ruff check --fix"),
    "make docs": ("-m dashboard.reference",),
    "make pictures": ("-m dashboard.export market-share", "pictures/market-share.svg"),
    "make report": ("-m etl load", "-m dashboard.report"),
    "make report WEEK=2026-W27": ("-m dashboard.report --week 2026-W27",),
    "make bench": ("-m bench",),
    "make audit": ("pip-audit", "--vulnerability-service osv"),
    "make lock": ("uv pip compile pyproject.toml", "--generate-hashes"),
}
"""What the targets do that are too long for a test, or ask the network: only their recipes are looked at."""


def test_every_command_of_the_documents_is_run_by_a_test_and_no_other_is_listed() -> None:
    shown = {
        command.replace("HYPOTHESIS_PROFILE=explore ", "") for name in WITH_COMMANDS for command in commands_of(name)
    }
    listed = {*RUN_HERE, *RUN_ELSEWHERE, *RECIPES}
    assert len(shown) > 30
    assert not shown - listed, f"no test runs these, list them in {Path(__file__).name}: {sorted(shown - listed)}"
    unknown = listed - shown
    assert not unknown, f"no document shows these: {sorted(unknown)}"


@pytest.mark.parametrize("place", sorted(set(RUN_ELSEWHERE.values())))
def test_the_test_that_runs_a_command_is_there(place: str) -> None:
    file, name = place.split("::")
    assert f"def {name}(" in text_of(f"tests/{file}")


@pytest.mark.parametrize("command", sorted(RECIPES))
def test_a_make_target_does_what_its_name_promises(command: str) -> None:
    done = subprocess.run(
        [*command.split(), "--dry-run", "--always-make", "-C", str(ROOT)], capture_output=True, text=True, check=True
    )
    for part in RECIPES[command]:
        assert part in done.stdout, f"{command} does not {part}"


def run(command: str, folder: Path) -> str:
    """What a command prints, run as typed in a folder, by the Python of these tests; it ends with code 0."""
    typed, _, target = (part.strip() for part in re.match(r"(.*?)(?:(>>?)(.*))?$", command).groups(default=""))  # type: ignore[union-attr]
    words = shlex.split(typed)
    settings = {name: value for name, _, value in (word.partition("=") for word in words[: words.index("python")])}
    arguments = words[words.index("python") + 1 :]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (command, done.stderr)
    if target:
        (folder / target).write_text(done.stdout, encoding="utf-8")
    return done.stdout


@pytest.mark.only("sqlite", "the commands are shown for a file")
def test_the_commands_of_the_documents_do_what_they_say(bundled_url: str, tmp_path: Path) -> None:
    shutil.copy(bundled_url.removeprefix("sqlite:///"), tmp_path / "ev_market.sqlite")
    shutil.copytree(ROOT / "tests" / "world" / "upstream", tmp_path / "DIR")
    for command, says in RUN_HERE.items():
        if command.split()[2] in ONLY_HELP:
            continue
        # A country of the small world covers less than it does here: the reader's own folder would not.
        typed = command.replace("--source SLUG", "--source open-ev-charts --accept-removals")
        assert says in run(typed, tmp_path), command
    assert (tmp_path / "backup.sqlite").stat().st_size > 1_000_000


@pytest.mark.parametrize("module", ONLY_HELP)
def test_a_command_that_takes_long_explains_itself(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert "--help" in capsys.readouterr().out


# What is written from the code


@pytest.mark.parametrize("name", sorted(reference.DOCUMENTS))
def test_a_document_made_from_the_code_is_what_the_code_says_now(name: str) -> None:
    assert text_of(name) == reference.DOCUMENTS[name](), f"{name} is not as the code says: run 'make docs'"


def test_every_table_and_column_has_a_meaning_and_no_meaning_is_left_over() -> None:
    told = dictionary.tables()
    assert [table.name for table in told] == list(metadata.tables)
    columns = {column.name for table in told for column in table.columns}
    columns |= {f"{table.name}.{column.name}" for table in told for column in table.columns}
    assert set(dictionary.COLUMNS) <= columns
    assert set(dictionary.TABLES) == set(metadata.tables)
    assert all(column.meaning for table in told for column in table.columns)


def test_every_word_of_a_closed_list_has_a_meaning() -> None:
    lists = reference.word_lists()
    assert len(lists) > 15
    assert [word for _, kind, _ in lists for word in kind if not word.meaning] == []


def test_every_name_of_a_link_and_every_column_of_a_download_has_a_meaning() -> None:
    assert set(reference.CHOICES) == set(NAMES)
    assert set(reference.MOVED) == set(LEVERS)
    assert tuple(reference.DOWNLOADED) == DOWNLOAD_COLUMNS


PROJECTED = ("fsd-projection", "fsd-revenue", "fsd-drivers", "fsd-backtest")
"""Charts whose rows rest on a fit, which takes minutes."""


def test_the_columns_of_a_charts_own_have_a_meaning(bundled_engine: Engine) -> None:
    own: set[str] = set()
    for chart in CHARTS:
        if chart.slug not in PROJECTED:
            body = download(bundled_engine, chart, "", format=Format.CSV, site="", today=date(2026, 11, 20)).body
            own |= set(body.decode().split("\n", 1)[0].split(",")) - set(DOWNLOAD_COLUMNS)
    assert len(own) > 60
    assert own <= set(reference.OWN), f"without a meaning in dashboard/reference.py: {sorted(own - set(reference.OWN))}"


# Pictures


def test_a_picture_of_the_readme_says_what_the_code_says_now(bundled_engine: Engine) -> None:
    made = {
        file: (slug, query)
        for slug, query, file in re.findall(
            r'dashboard.export ([a-z-]+) --query "([^"]+)".*?--out ([\w/-]+[.]svg)', text_of("Makefile"), re.DOTALL
        )
    }
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text_of("README.md"))
    assert shown
    assert set(shown) == set(made), "README shows other pictures than 'make pictures' makes"
    for file, (slug, query) in made.items():
        chart = chart_of(slug)
        selection = Selection.from_query(query, defaults=chart.defaults)
        assert selection.as_of, f"{file} is not drawn as known on a fixed day"
        with bundled_engine.connect() as connection:
            title = patient(chart, connection, selection, today=selection.as_of).title
        text = "".join(re.sub(r"<[^>]+>", " ", text_of(file)).split())
        assert "".join(html.escape(title, quote=False).split()) in text, (
            f"{file} has another title: run 'make pictures'"
        )
        assert (ROOT / file).stat().st_size < 300_000


def test_every_source_is_named_in_the_readme_and_every_bundled_one_among_the_licences() -> None:
    assert CONNECTORS
    for connector in CONNECTORS:
        assert f"[{connector.SOURCE.title}]({connector.SOURCE.url})" in text_of("README.md")
    for entry in CURATED:
        assert (ROOT / "etl" / "curated" / entry.file).exists()
    assert bundle.sources()
    for slug in bundle.sources():
        source = next(connector.SOURCE for connector in CONNECTORS if connector.SOURCE.slug == slug)
        assert f"etl/bundled/{slug}/" in text_of("DATA_LICENCES.md")
        if source.licence == "GPL-3.0":  # its text has to go with the figures; a Creative Commons licence is linked
            assert (bundle.FOLDER / slug / "COPYING").stat().st_size > 1000
        else:
            assert source.licence_url in (bundle.FOLDER / slug / "README.md").read_text(encoding="utf-8")


def test_pinned_versions_have_hashes_and_no_addresses() -> None:
    pins = text_of(".ci/requirements.txt") + text_of(".ci/uv.txt")
    assert pins.count("==") > 50
    assert "://" not in pins
    for pin in re.split(r"\n(?=\S)", pins.strip()):
        assert "--hash=sha256:" in pin, pin.splitlines()[0]


def test_the_bundled_figures_are_compact() -> None:
    size = sum(path.stat().st_size for path in (bundle.FOLDER / "open-ev-charts").iterdir())
    assert 500_000 < size < 2_000_000
