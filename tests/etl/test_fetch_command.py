"""`python -m etl fetch` from end to end: a server on this machine stands for the publishers' hosts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from typer.testing import Result

from db.database import open_engine
from etl import __main__ as command_line
from etl import bundle, pipeline
from etl.snapshots import Snapshot, SnapshotStore
from etl.web import Web
from tests import world
from tests.etl.test_command_line import error, etl
from tests.upstream import Clock, Reply, Upstream, archive, commits, running
from tests.world import rows
from tests.world.rows import NewDatabase

RAW = "/raw.githubusercontent.com/simonkrauter/Open-EV-Charts/"
MASTER = f"{RAW}master/"
GERMAN = "data/data-DE.js"
SHIPPED_ON, TODAY, TOMORROW = date(2026, 2, 10), date(2026, 3, 1), date(2026, 3, 2)
A_DAY = 24 * 60 * 60


class _OnThisMachine(httpx.BaseTransport):
    """Every host is a folder of one server: https://publisher.example/x is asked for as /publisher.example/x."""

    def __init__(self, server: str) -> None:
        self._server, self._through = httpx.URL(server), httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = f"/{request.url.host}".encode() + request.url.raw_path
        there = httpx.Request(
            request.method,
            self._server.copy_with(raw_path=path),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._through.handle_request(there)

    def close(self) -> None:
        self._through.close()


@pytest.fixture
def clock() -> Clock:
    """What time it is for the command: noon of `TODAY`, until a test winds it."""
    return Clock()


@pytest.fixture
def publishers(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Upstream]:
    """The publishers' hosts, which serve the tiny world as Open EV Charts."""
    with running() as server:
        through = partial(Web, transport=_OnThisMachine(server.url), clock=clock, sleep=clock.sleep)
        monkeypatch.setattr(command_line, "Web", through)
        monkeypatch.setattr(command_line, "_now", clock.now)
        scripts = "".join(f'<script src="{file}"></script>' for file in world.FILES)
        server.serve(f"{MASTER}index.html", scripts)
        for file in world.FILES:
            publish(server, file, world.text(file))
        yield server


@pytest.fixture(autouse=True)
def shipped(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """What ships with the project here: the tiny world as of `SHIPPED_ON`, when it told of 30 Model Y in January."""
    folder = tmp_path_factory.mktemp("shipped")
    engine = open_engine(new_database("made"))
    pipeline.create(engine)
    earlier = [world.snapshot(text_with(30, file), file=file, known_on=SHIPPED_ON) for file in world.FILES]
    pipeline.load(engine, earlier, keep=None, tell=lambda _: None)
    bundle.write(engine, "open-ev-charts", folder=folder / "bundled")
    engine.dispose()
    all_sources = bundle.sources
    monkeypatch.setattr(bundle, "sources", lambda in_folder=folder / "bundled": all_sources(in_folder))
    for name in ("load_bundled", "rebuild"):
        monkeypatch.setattr(pipeline, name, partial(getattr(pipeline, name), folder=folder / "bundled"))
    return folder / "bundled"


@pytest.fixture
def database(default_url: str) -> Iterator[Engine]:
    engine = open_engine(default_url)
    yield engine
    engine.dispose()


@pytest.fixture
def keep(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def text_with(model_y: int, file: str = GERMAN) -> str:
    """A file of the tiny world, where the German one tells of so many Model Y in January instead of 50."""
    return world.text(file).replace('"Tesla|Model Y": 50', f'"Tesla|Model Y": {model_y}')


def publish(server: Upstream, file: str, text: str) -> None:
    """Serve a file of Open EV Charts as GitHub does, with a tag that changes with it."""
    server.serve(f"{MASTER}{file}", Reply(body=text.encode(), etag=f'"{sha256(text.encode()).hexdigest()[:8]}"'))


def model_y(engine: Engine, *, as_of: date | None = None) -> int | None:
    """How many Model Y were registered in Germany in January, as known on a day."""
    cell = ("DE", "BEV", "month", "2026-01-01", "tesla", "tesla-model-y")
    return rows.figures(engine, as_of=as_of).get(cell)


def kept(keep: SnapshotStore, *, file: str | None = None) -> list[tuple[str, date]]:
    """The files of which receipts are kept, with their days."""
    found = [(receipt.file, receipt.known_on) for receipt in keep.receipts("open-ev-charts")]
    return sorted(each for each in found if file in (None, each[0]))


FETCH = ("fetch", "--source", "open-ev-charts")
NOTHING_NEW = "nothing new: upstream serves what is loaded already\n"


# What arrives


def test_a_first_fetch_loads_what_ships_and_then_what_is_new(
    publishers: Upstream, database: Engine, keep: SnapshotStore
) -> None:
    result = etl(*FETCH)
    assert result.exit_code == 0, result.output
    assert f"{TODAY} {GERMAN}: 15 rows read, 1 figures new or changed, 14 unchanged, 1 closed" in result.stdout
    assert result.stdout.endswith("loaded 6 snapshots: 46 rows read, 32 figures new or changed\n")
    assert [model_y(database, as_of=day) for day in (date(2026, 2, 9), SHIPPED_ON, date(2026, 2, 28), TODAY)] == [
        None,
        30,
        30,
        50,
    ]
    assert kept(keep) == sorted((file, TODAY) for file in world.FILES)
    assert rows.query(database, "SELECT obtained, known_on FROM snapshot WHERE file = 'data/data-DE.js'") == [
        ("bundled", "2026-02-10"),
        ("download", "2026-03-01"),
    ]
    rows.healthy(database)


def test_the_receipt_of_a_download_names_the_publishers_address_and_the_time(
    publishers: Upstream, database: Engine
) -> None:
    etl(*FETCH)
    ((address, retrieved_at, checksum),) = rows.query(
        database,
        "SELECT origin_url, retrieved_at, sha256 FROM snapshot "
        "WHERE obtained = 'download' AND file = 'data/data-DE.js'",
    )
    assert (address, retrieved_at[:16]) == (f"https:/{MASTER}{GERMAN}", "2026-03-01 12:00")
    assert checksum == sha256(world.text(GERMAN).encode()).hexdigest()


def test_a_fetch_that_finds_nothing_new_says_so_and_remembers_that_all_was_seen_again(
    publishers: Upstream, database: Engine, keep: SnapshotStore, clock: Clock
) -> None:
    etl(*FETCH)
    before = rows.dump(database)
    contents = sorted((keep.folder / "open-ev-charts/content").iterdir())
    publishers.asked.clear()
    clock.seconds += A_DAY
    result = etl(*FETCH)
    assert (result.exit_code, result.stdout) == (0, NOTHING_NEW)
    assert rows.dump(database) == before
    assert kept(keep) == sorted((file, day) for file in world.FILES for day in (TODAY, TOMORROW))
    assert sorted((keep.folder / "open-ev-charts/content").iterdir()) == contents
    data = [asked for asked in publishers.asked if not asked.path.endswith("index.html")]
    assert sorted(asked.path for asked in data) == sorted(MASTER + file for file in world.FILES)
    assert all("If-None-Match" in asked.headers for asked in data)


def test_of_a_later_fetch_only_the_changed_file_is_loaded(
    publishers: Upstream, database: Engine, keep: SnapshotStore, clock: Clock
) -> None:
    etl(*FETCH)
    publish(publishers, GERMAN, text_with(60))
    clock.seconds += A_DAY
    result = etl(*FETCH)
    assert result.exit_code == 0
    assert result.stdout.endswith("loaded 1 snapshot: 15 rows read, 1 figures new or changed\n")
    assert [model_y(database, as_of=day) for day in (SHIPPED_ON, TODAY, TOMORROW)] == [30, 50, 60]
    before = rows.claims(database)
    assert etl("rebuild").exit_code == 0
    assert rows.claims(database) == before


def test_a_fetch_into_a_new_database_dates_what_is_kept_as_it_first_came(
    publishers: Upstream, database: Engine, clock: Clock
) -> None:
    """Upstream says that nothing has changed; that is no reason to date its figures to the day of the new database."""
    etl(*FETCH)
    before = rows.claims(database)
    rows.lose(database)
    clock.seconds += A_DAY
    assert etl(*FETCH).exit_code == 0
    assert rows.claims(database) == before


def test_a_fetch_of_all_sources_loads_the_curated_figures_too_as_a_rebuild_does(
    publishers: Upstream, database: Engine
) -> None:
    """The other publishers do not answer here, which is told; what ships is complete all the same."""
    result = etl("fetch")
    assert result.exit_code == 1
    assert len([line for line in result.stderr.splitlines() if line.startswith("refused: ")]) == 5
    assert len(rows.figures(database, source="tesla-deliveries")) > 100
    before = rows.claims(database)
    etl("rebuild")
    assert rows.claims(database) == before


def test_a_fetch_of_one_source_brings_no_other(publishers: Upstream, database: Engine) -> None:
    etl(*FETCH)
    assert rows.query(database, "SELECT slug FROM source") == [("open-ev-charts",)]
    etl("rebuild")
    assert rows.query(database, "SELECT slug FROM source") == [("open-ev-charts",)]


# What goes wrong


def test_one_file_that_fails_leaves_the_others_loaded_and_is_told_in_one_line(
    publishers: Upstream, database: Engine, keep: SnapshotStore
) -> None:
    publishers.serve(f"{MASTER}data/data-NO.js", Reply(status=404))
    result = etl(*FETCH)
    assert result.exit_code == 1
    (refused,) = [line for line in result.stderr.splitlines() if line.startswith("refused: ")]
    assert refused.startswith(f"refused: data/data-NO.js: https:/{MASTER}data/data-NO.js answered 404 Not Found; ")
    assert result.stderr.splitlines()[-1] == "error: 1 file not loaded (see above); everything else is"
    assert model_y(database) == 50
    assert kept(keep) == sorted((file, TODAY) for file in world.FILES if file != "data/data-NO.js")


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(body=b"<!DOCTYPE html><p>We moved."), "line 1: holds a web page instead of the figures"),
        (Reply(body=text_with(60).encode()[:-40]), "line "),
        (Reply(body=text_with(60).partition("db.insert")[0].encode()), "holds no record"),
        (Reply(body=text_with(60).encode().split(b'db.insert(db.countries.DE, "2026-02"')[0]), "no longer covers "),
        (Reply(body=text_with(60).encode(), cut_after=200), "was cut off"),
        (Reply(body=b""), " is empty"),
        (Reply(body=text_with(60).encode() + b"\xff"), "is not UTF-8"),
    ],
    ids=["web page", "cut in a record", "no record", "cut between records", "cut on the way", "empty", "no text"],
)
def test_what_is_no_whole_file_is_refused_and_nothing_of_it_is_loaded_or_kept(
    publishers: Upstream, database: Engine, keep: SnapshotStore, clock: Clock, reply: Reply, says: str
) -> None:
    etl(*FETCH)
    before = rows.claims(database)
    contents = sorted((keep.folder / "open-ev-charts/content").iterdir())
    publishers.serve(MASTER + GERMAN, reply)
    clock.seconds += A_DAY
    result = etl(*FETCH)
    assert result.exit_code == 1
    (refused,) = [line for line in result.stderr.splitlines() if line.startswith("refused: ")]
    assert refused.startswith(f"refused: {GERMAN}")
    assert says in refused
    assert "; " in refused
    assert rows.claims(database) == before
    assert sorted((keep.folder / "open-ev-charts/content").iterdir()) == contents
    assert kept(keep, file=GERMAN) == [(GERMAN, TODAY)]
    publish(publishers, GERMAN, text_with(60))
    assert etl(*FETCH).exit_code == 0
    assert model_y(database) == 60
    assert etl("rebuild").exit_code == 0
    assert model_y(database) == 60


def test_what_arrived_before_the_time_was_up_is_loaded_and_the_rest_is_told(
    publishers: Upstream, database: Engine, keep: SnapshotStore, clock: Clock
) -> None:
    clock.tick = 1
    result = etl(*FETCH, "--time-limit", "15")
    assert result.exit_code == 1
    late = [
        line for line in result.stderr.splitlines() if "was not fetched in time: the whole fetch may take 15 s" in line
    ]
    assert 0 < len(late) < len(world.FILES)
    assert all(line.startswith("refused: ") and line.endswith("; run it again for what is missing") for line in late)
    assert len(kept(keep)) == len(world.FILES) - len(late)
    assert len(rows.figures(database)) == world.FIGURES
    clock.tick = 0
    assert etl(*FETCH).exit_code == 0
    assert kept(keep) == sorted((file, TODAY) for file in world.FILES)


def test_what_is_going_on_is_told_beside_the_results(publishers: Upstream) -> None:
    publishers.serve(MASTER + GERMAN, Reply(status=503), Reply(body=text_with(60).encode()))
    result = etl(*FETCH)
    assert result.exit_code == 0
    asking, again = result.stderr.splitlines()
    assert asking == "open-ev-charts: asking Open EV Charts (Simon Krauter) what has changed"
    assert again.startswith(f"https:/{MASTER}{GERMAN} answered 503 Service Unavailable; trying again in ")
    assert "trying again" not in result.stdout
    assert result.stdout.endswith("loaded 6 snapshots: 46 rows read, 32 figures new or changed\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--source", "tesla-deliveries"], "nothing to download: these are live: open-ev-charts, "),
        (["--source", "kba"], "there is no source 'kba'; the sources are: "),
        (["--history", "--source", "our-world-in-data"], "--history goes with --source open-ev-charts"),
        (["--time-limit", "0"], "--time-limit 0 leaves no time"),
        (["--time-limit", "-5"], "--time-limit -5 leaves no time"),
        (["--time-limit", "nan"], "--time-limit nan leaves no time"),
    ],
)
def test_wrong_usage_asks_nothing_and_makes_no_database(
    publishers: Upstream, default_url: str, arguments: list[str], says: str
) -> None:
    assert says in error(etl("fetch", *arguments), code=2)
    assert publishers.asked == []
    assert rows.untouched(default_url)


# Upstream's own history

JANUARY, FEBRUARY = date(2026, 1, 31), date(2026, 2, 27)
FETCH_HISTORY = (*FETCH, "--history")
NORWAY = {"data/data-NO.js": world.text("data/data-NO.js")}
MONTHS = {JANUARY: {GERMAN: text_with(20), **NORWAY}, FEBRUARY: {GERMAN: text_with(40), **NORWAY}}


def publish_history(server: Upstream, months: dict[date, dict[str, str]], *, since: str = "2019-01-01") -> None:
    """Serve a commit on each day with these files, and the list of commits that is asked for next."""
    shas = {day: f"{day:%Y%m%d}" * 5 for day in months}
    api = f"/api.github.com/repos/simonkrauter/Open-EV-Charts/commits?since={since}T00:00:00Z"
    listed = commits([(f"{day}T12:00:00Z", sha) for day, sha in shas.items() if f"{day}" >= since])
    server.serve(f"{api}&until=2026-03-01T00:00:00Z&per_page=100&page=1", listed)
    for day, files in months.items():
        packed = archive({file: text.encode() for file, text in files.items()})
        server.serve(f"/codeload.github.com/simonkrauter/Open-EV-Charts/tar.gz/{shas[day]}", packed)


@pytest.fixture
def history(publishers: Upstream) -> Upstream:
    """Two months: Germany tells of 20 and then of 40 Model Y, Norway says the same in both."""
    publish_history(publishers, MONTHS)
    publish_history(publishers, MONTHS, since="2026-02-01")
    return publishers


def test_history_keeps_a_vintage_a_month_and_puts_each_in_its_place(
    history: Upstream, database: Engine, keep: SnapshotStore
) -> None:
    etl(*FETCH)
    result = etl(*FETCH_HISTORY)
    assert result.exit_code == 0, result.output
    assert "kept 3 past snapshots; putting them in their places\n" in result.stdout
    days = (date(2026, 1, 30), JANUARY, SHIPPED_ON, date(2026, 2, 26), FEBRUARY, TODAY)
    assert [model_y(database, as_of=day) for day in days] == [None, 20, 30, 30, 40, 50]
    assert kept(keep, file=GERMAN) == [(GERMAN, JANUARY), (GERMAN, FEBRUARY), (GERMAN, TODAY)]
    assert kept(keep, file="data/data-NO.js") == [("data/data-NO.js", JANUARY), ("data/data-NO.js", TODAY)]
    rows.healthy(database)


def test_history_into_an_empty_database_is_in_order_too(history: Upstream, database: Engine) -> None:
    result = etl(*FETCH_HISTORY)
    assert result.exit_code == 0, result.output
    assert "loaded 7 snapshots: 61 rows read, 33 figures new or changed\n" in result.stdout
    assert [model_y(database, as_of=day) for day in (JANUARY, SHIPPED_ON, FEBRUARY)] == [20, 30, 40]
    before = rows.claims(database)
    etl("rebuild")
    assert rows.claims(database) == before


def test_a_second_run_of_history_finds_nothing_new_and_rebuilds_nothing(
    history: Upstream, database: Engine, keep: SnapshotStore
) -> None:
    etl(*FETCH_HISTORY)
    before, receipts = rows.dump(database), kept(keep)
    result = etl(*FETCH_HISTORY)
    assert (result.exit_code, result.stdout) == (0, "nothing new: every month of the history is kept already\n")
    assert rows.dump(database) == before
    assert kept(keep) == receipts


def test_a_past_file_that_cannot_be_read_is_told_and_the_others_are_kept(
    publishers: Upstream, database: Engine
) -> None:
    publish_history(
        publishers,
        {
            JANUARY: {GERMAN: "rubbish", **NORWAY},
            FEBRUARY: {GERMAN: text_with(40)},
        },
    )
    result = etl(*FETCH_HISTORY)
    assert result.exit_code == 1
    (refused,) = [line for line in result.stderr.splitlines() if line.startswith("refused: ")]
    assert refused.startswith(f"refused: as of {JANUARY}: {GERMAN} line 1")
    assert [model_y(database, as_of=day) for day in (JANUARY, SHIPPED_ON, FEBRUARY)] == [None, 30, 40]


def test_a_month_that_cannot_be_had_ends_the_history_and_the_next_run_goes_on(
    history: Upstream, database: Engine, keep: SnapshotStore
) -> None:
    path = f"/codeload.github.com/simonkrauter/Open-EV-Charts/tar.gz/{f'{FEBRUARY:%Y%m%d}' * 5}"
    history.serve(path, Reply(status=404))
    result = etl(*FETCH_HISTORY)
    assert result.exit_code == 1
    assert "(later months wait for this one)" in result.stderr
    assert [model_y(database, as_of=day) for day in (JANUARY, SHIPPED_ON, FEBRUARY)] == [20, 30, 30]
    publish_history(history, MONTHS, since="2026-01-01")
    assert etl(*FETCH_HISTORY).exit_code == 0
    assert [model_y(database, as_of=day) for day in (JANUARY, SHIPPED_ON, FEBRUARY)] == [20, 30, 40]
    assert len(kept(keep, file=GERMAN)) == 2


def test_history_that_was_interrupted_while_it_was_kept_goes_on_in_the_next_run(
    history: Upstream, database: Engine, keep: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_one = SnapshotStore.keep

    def interrupt(store: SnapshotStore, snapshot: Snapshot) -> None:
        if snapshot.known_on == FEBRUARY:
            raise KeyboardInterrupt
        keep_one(store, snapshot)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(SnapshotStore, "keep", interrupt)
        assert "interrupted" in error_at_last(etl(*FETCH_HISTORY))
    assert kept(keep, file=GERMAN) == [(GERMAN, JANUARY)]
    publish_history(history, MONTHS, since="2026-01-01")
    result = etl(*FETCH_HISTORY)
    assert result.exit_code == 0, result.output
    assert [model_y(database, as_of=day) for day in (JANUARY, SHIPPED_ON, FEBRUARY)] == [20, 30, 40]


def test_history_that_was_interrupted_before_its_rebuild_names_the_remedy(
    history: Upstream, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(pipeline, "rebuild", interrupt)
        assert "interrupted" in error_at_last(etl(*FETCH_HISTORY))
    assert model_y(database, as_of=JANUARY) is None
    result = etl(*FETCH_HISTORY)
    assert result.exit_code == 1
    assert f"refused: {GERMAN}: known on {JANUARY}, but figures known on {SHIPPED_ON} are loaded" in result.stderr
    assert "'python -m etl rebuild' puts it in its place" in result.stderr
    assert etl("rebuild").exit_code == 0
    assert [model_y(database, as_of=day) for day in (JANUARY, SHIPPED_ON, FEBRUARY)] == [20, 30, 40]


def error_at_last(result: Result) -> str:
    """The last line on standard error, which says why the command ended."""
    assert result.exit_code == 130
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    return last
