"""Writing: the engine from a URL, creating the tables, and loading one snapshot in one transaction.

A reader sees all of a snapshot or nothing of it, and a crash at any moment leaves the last good state. Two writers
wait for each other. A snapshot is compared with what its file last claimed: an unchanged figure is not written again, a
changed one closes the earlier claim and opens a new one, a vanished one is closed.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError

from db import records, schema
from db.vocabulary import (
    ALL,
    OPEN_END,
    OTHER,
    Cadence,
    Obtained,
    SnapshotStatus,
    States,
)

DEFAULT_URL = "sqlite:///ev_market.sqlite"
BUSY_SECONDS = 60
"""How long a writer waits for another one before it gives up with a clear message."""

CONNECT_SECONDS = 10
"""How long a server that does not answer is waited for, where the URL's connect_timeout says nothing else."""

_WRITER_LOCK = 0x65766D6B
"""The number of the advisory lock that serialises writers on PostgreSQL (the letters 'evmk')."""


class StoreError(Exception):
    """The database cannot be used as asked. The text says what is wrong and what to do about it."""


class OutOfOrder(StoreError):
    """A snapshot that is older than what its file has already claimed: vintages are a history."""

    def __init__(self, receipt: Receipt, *, loaded: date) -> None:
        super().__init__(
            f"{receipt.file}: known on {receipt.known_on}, but figures known on {loaded} are loaded already; "
            "the snapshot is kept, and 'python -m etl rebuild' puts it in its place"
        )
        self.loaded = loaded


@dataclass(frozen=True)
class Source:
    """A publisher's table: who publishes it, under which licence, what it amounts to and how often it changes."""

    slug: str
    title: str
    publisher: str
    url: str
    licence: str
    licence_url: str
    states: States
    cadence: Cadence
    lag_days: int
    """Days after a period's end by which the publisher usually has stated it: after that it is overdue."""
    precedence: int
    """Where two sources claim one cell, the lower number is drawn."""
    warning: str
    """What a reader of these figures must know; printed with them."""


@dataclass(frozen=True)
class Receipt:
    """Where one file came from and what identifies it."""

    source: str
    file: str
    known_on: date
    origin_url: str
    retrieved_at: datetime | None
    sha256: str
    bytes: int
    obtained: Obtained


SERIES_KEY: Final = ("market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model")
"""What a series of figures is about; with source and file, its identity."""

SALES_FIELDS: Final = (*SERIES_KEY, "period_start", "units", "line", "evidence")
"""The order of a row of `Contents.sales`: units of a maker or model in a market and period, as one file states them."""


@dataclass(frozen=True)
class Contents:
    """What one snapshot claims, in our ids.

    `sales` holds rows in the order of `SALES_FIELDS`, `penetration` likewise with a share of all cars (a fraction) in
    the place of units; `groups` rows of maker, group slug, group name, valid from, valid to and line; `makers` and
    `models` name every slug used (`models`: slug to maker and name); `evidence` maps each evidence text to its
    addresses (one a line) and its remark. `records` are claims that are no figures of a series, see `db.records`.
    """

    sales: Sequence[tuple[Any, ...]]
    groups: Sequence[tuple[str, str, str, date, date, int]]
    makers: Mapping[str, str]
    models: Mapping[str, tuple[str, str]]
    evidence: Mapping[str, tuple[str, str]]
    rows_read: int
    penetration: Sequence[tuple[Any, ...]] = ()
    records: records.Rows = field(default_factory=dict)
    rejected: Sequence[tuple[int, str, str, str]] = ()
    """Line, column, value and reason of each row refused."""
    out_of_scope: int = 0
    duplicate: int = 0

    @property
    def claims(self) -> int:
        """How many claims that are, of all kinds."""
        return len(self.sales) + len(self.penetration) + len(self.groups) + sum(map(len, self.records.values()))


@dataclass(frozen=True)
class FileHistory:
    """All that one file has claimed over time: its receipts, oldest first, and each claim once.

    Rows are as in `Contents`, with the days from and to which the claim stood behind them; the names likewise.
    """

    receipts: Sequence[Receipt]
    sales: Sequence[tuple[Any, ...]]
    groups: Sequence[tuple[Any, ...]]
    makers: Mapping[str, str]
    models: Mapping[str, tuple[str, str]]
    evidence: Mapping[str, tuple[str, str]]
    penetration: Sequence[tuple[Any, ...]] = ()
    records: records.Rows = field(default_factory=dict)
    left_out: Mapping[date, tuple[int, int]] = field(default_factory=dict)
    """By the day of the receipt: how many rows were out of scope, and how many duplicates."""
    rejected: Mapping[date, Sequence[tuple[int, str, str, str]]] = field(default_factory=dict)
    """By the day of the receipt: line, column, value and reason of each row refused."""

    def contents(self, receipt: Receipt) -> Contents:
        """What the file claimed on the day of one of its receipts."""

        def standing(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            return [row[:-2] for row in rows if row[-2] <= receipt.known_on < row[-1]]

        sales, penetration, groups = standing(self.sales), standing(self.penetration), standing(self.groups)
        told = {name: standing(rows) for name, rows in self.records.items()}
        out_of_scope, duplicate = self.left_out.get(receipt.known_on, (0, 0))
        rejected = self.rejected.get(receipt.known_on, ())
        contents = Contents(
            sales=sales,
            groups=groups,
            makers=self.makers,
            models=self.models,
            evidence=self.evidence,
            penetration=penetration,
            records=told,
            rows_read=0,
            rejected=rejected,
            out_of_scope=out_of_scope,
            duplicate=duplicate,
        )
        return replace(contents, rows_read=contents.claims + out_of_scope + duplicate + len(rejected))


@dataclass(frozen=True)
class Outcome:
    """What loading a snapshot did. `already` is set where the file had claimed the same before: nothing was written."""

    receipt: Receipt
    already: bool
    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    rejected: int = 0
    closed: int = 0


def open_engine(url: str, *, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """The engine for a database URL: SQLite in WAL mode with its foreign keys enforced, or PostgreSQL.

    Raises `StoreError` for a URL that is none, for another engine, for a driver that is not installed, and for an
    SQLite file whose folder does not exist.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # It may hold a password, which is for no log.
        raise StoreError(f"DATABASE_URL is no database URL; an example is {DEFAULT_URL}") from None
    if parsed.get_backend_name() == "postgresql":
        return _open_postgresql(parsed, busy_seconds)
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StoreError(
            f"figures are kept in SQLite or PostgreSQL, not in {parsed.drivername}; examples are {DEFAULT_URL} and "
            "postgresql+psycopg://me@localhost/ev_market"
        )
    if parsed.database and parsed.database != ":memory:":
        folder = Path(parsed.database).parent
        if not folder.is_dir():
            raise StoreError(f"the folder {folder} does not exist; create it or change DATABASE_URL")
    engine = create_engine(parsed, connect_args={"timeout": busy_seconds})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own: `writing` says when one begins.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
            "cache_size = -65536",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = "IMMEDIATE" if connection.get_execution_options().get("writing") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _open_postgresql(url: URL, busy_seconds: float) -> Engine:
    """A reader sees one state of the data throughout its transaction, a writer what the one before it left."""
    patience = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            isolation_level="REPEATABLE READ",
            connect_args=patience,
            execution_options={"busy_seconds": busy_seconds},
        )
    except (ArgumentError, ImportError) as error:
        raise StoreError(
            f"no driver for {url.drivername} is installed; write postgresql+psycopg://, and install the driver: "
            "pip install 'psycopg[binary]'"
        ) from error

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # Days are read as ISO writes them, however the server or the user's role would show them. And a market's rows
        # are looked up by the index, as they are worth it on anything but a turning disk.
        connection.execute("SET DateStyle TO ISO; SET extra_float_digits TO 1; SET random_page_cost TO 1.1")
        connection.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writing"):
            return
        # A rebuild drops the tables and makes new ones. A reader that had begun before would find these empty: it
        # begins when the rebuild is over, and the rebuild when the readers under way are. This takes no picture of
        # the data yet, as any question would.
        try:
            connection.exec_driver_sql(f"LOCK TABLE {schema.data_state.name} IN ACCESS SHARE MODE")
        except DatabaseError as error:
            if _state(error) not in (_NO_TABLE, _NO_PERMISSION):
                raise
            connection.connection.rollback()

    return engine


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Turn the driver's errors about the database as a whole into `StoreError` with the remedy."""
    try:
        yield
    except DatabaseError as error:
        message = _complaint(engine, error)
        if message is None:
            raise
        raise StoreError(f"{_place(engine)}: {message}") from error


def _complaint(engine: Engine, error: DatabaseError) -> str | None:
    """What an error says of the database as a whole, with the remedy; None where it is about what was asked."""
    said = str(error.orig)
    if engine.dialect.name == "postgresql":
        state = _state(error)
        if state in _STATES:
            return _STATES[state]
        if state and state[:2] not in ("08", "28", "57"):
            return None
        line = " ".join(said.split())
        remedy = next((remedy for words, remedy in _REFUSALS.items() if words in line), None)
        return remedy or f"the server does not answer; see that it runs and that DATABASE_URL names it ({line})"
    found = {"not a database": _DAMAGED, "malformed": _DAMAGED}
    if isinstance(error, OperationalError):
        found |= _FILE_TROUBLES
    remedy = next((remedy for words, remedy in found.items() if words in said.lower()), None)
    return remedy or (said if isinstance(error, OperationalError) else None)


_DAMAGED: Final = "the file is damaged or no database; move it away and run 'python -m etl rebuild'"
_LOCKED: Final = "another load is writing to the database and did not finish; wait for it and try again"
_FULL: Final = "the disk is full; nothing of this snapshot was loaded; free some space and load again"
_UNWRITABLE: Final = "the database cannot be written; check the permissions of its file and folder"

_FILE_TROUBLES: Final = {
    "locked": _LOCKED,
    "readonly": _UNWRITABLE,
    "read-only": _UNWRITABLE,
    "full": _FULL,
    "i/o error": "the disk is full or fails; free some space, or check the disk, and try again",
    "unable to open": "the database file cannot be opened; check its path and permissions",
}
"""What SQLite says of its file, in part, and what to do about it."""

_NO_TABLE, _NO_PERMISSION, _NO_DATABASE, _NO_LOGIN = "42P01", "42501", "3D000", "28P01"

_MAY_NOT: Final = (
    "this user may not do that; grant it the right to read or to write, or name another one in DATABASE_URL"
)
_NO_DATABASE_SAYS: Final = "there is no such database; make it with createdb, or name another one in DATABASE_URL"
_NO_LOGIN_SAYS: Final = "the server does not let this user in; check user and password in DATABASE_URL"

_STATES: Final = {
    "55P03": "another load is writing to the database, or someone reads it without end; wait for it and try again",
    "53100": _FULL,
    "53300": "the server has no connection left; close some, or raise its max_connections",
    "25006": "the server takes no changes; name the one that does in DATABASE_URL",
    _NO_PERMISSION: _MAY_NOT,
    _NO_TABLE: "a table is missing; run 'python -m etl rebuild'",
    _NO_DATABASE: _NO_DATABASE_SAYS,
    _NO_LOGIN: _NO_LOGIN_SAYS,
}
"""By PostgreSQL's code of an error: what to do about it."""

_REFUSALS: Final = {
    "authentication failed": _NO_LOGIN_SAYS,
    "no password supplied": _NO_LOGIN_SAYS,
    "no pg_hba.conf entry": _NO_LOGIN_SAYS,
    'FATAL: role "': _NO_LOGIN_SAYS,
    'FATAL: database "': _NO_DATABASE_SAYS,
    "too many clients": "the server has no connection left; close some, or raise its max_connections",
}
"""What the server says, in part, to one whom it does not let in: these errors come without a code."""


def _state(error: DatabaseError) -> str:
    """PostgreSQL's code of an error; empty where there is none."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def _place(engine: Engine) -> str:
    return engine.url.database or "" if engine.dialect.name == "sqlite" else engine.url.render_as_string()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer shares: it waits for the one that is under way.

    With its changes it commits a new identity of the data, so that nobody takes what was remembered of the earlier ones
    for these.
    """
    options: dict[str, Any] = {"writing": True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "READ COMMITTED"  # after the wait it must see what the writer before it has left
    with (
        explained(engine),
        engine.connect().execution_options(**options) as connection,
        connection.begin(),
    ):
        if engine.dialect.name == "postgresql":
            patience = max(1, int(1000 * engine.get_execution_options()["busy_seconds"]))  # 0 would be for ever
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {patience}")
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _WRITER_LOCK})
        yield connection
        if inspect(connection).has_table(schema.data_state.name):
            connection.execute(delete(schema.data_state))
            connection.execute(insert(schema.data_state), [{"token": secrets.token_hex(16)}])


def identity(connection: Connection) -> str | None:
    """The identity of the data that a connection reads: equal data of one database have the same, others another one.

    None while it writes, since what it reads then may never be committed, and where nothing was ever written.
    """
    if connection.get_execution_options().get("writing"):
        return None
    return connection.execute(select(schema.data_state.c.token)).scalar()


def create(
    connection: Connection, *, markets: Iterable[Mapping[str, str]], events: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Create the tables where there are none, and the markets and events of the reference.

    Markets have code, name, adjective and kind; events date, date_precision, market, kind, maker, text and url, and
    replace those that are there.

    Raises `StoreError` where the database is of another schema version.
    """
    if inspect(connection).has_table(schema.schema_version.name):
        check_version(connection)
    else:
        _check_ours(connection)
        schema.metadata.create_all(connection)
        connection.execute(insert(schema.schema_version), [{"version": schema.SCHEMA_VERSION}])
        connection.execute(
            insert(schema.maker), [{"slug": ALL, "name": "All makers"}, {"slug": OTHER, "name": "Other"}]
        )
        connection.execute(
            insert(schema.model),
            [
                {"slug": ALL, "maker": ALL, "name": "All models"},
                {"slug": OTHER, "maker": ALL, "name": "Other models"},
            ],
        )
    known = dict(connection.execute(select(schema.market.c.code, schema.market.c.name)).tuples().all())
    missing = [dict(market) for market in markets if market["code"] not in known]
    if missing:
        connection.execute(insert(schema.market), missing)
    table = schema.event
    wanted = [{"id": n, **event} for n, event in enumerate(events, start=1)]
    if [dict(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()] != wanted:
        connection.execute(delete(table))
        if wanted:
            connection.execute(insert(table), wanted)


def check_version(connection: Connection) -> None:
    """Raise `StoreError` where the tables are missing or of another version than this code's."""
    if not inspect(connection).has_table(schema.schema_version.name):
        raise StoreError("the database is empty; run 'python -m etl load'")
    version = connection.execute(select(schema.schema_version.c.version)).scalar()
    if version != schema.SCHEMA_VERSION:
        raise StoreError(
            f"the database has schema version {version}, this program needs {schema.SCHEMA_VERSION}; "
            "run 'python -m etl rebuild' (kept snapshots are read again, nothing is lost)"
        )


def _check_ours(connection: Connection) -> None:
    tables = inspect(connection).get_table_names()
    if tables and schema.schema_version.name not in tables:
        raise StoreError(
            f"the database holds tables of another program ({', '.join(sorted(tables)[:3])}); "
            "choose another one with DATABASE_URL"
        )


def drop(connection: Connection) -> None:
    """Remove every table, of whatever schema version; `StoreError` where they are another program's."""
    _check_ours(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    elif inspect(connection).has_table(schema.data_state.name):
        # First what every reader holds: whoever waits here for one under way keeps none of its tables from it.
        connection.exec_driver_sql(f"LOCK TABLE {schema.data_state.name} IN ACCESS EXCLUSIVE MODE")
    found = MetaData()
    found.reflect(connection)
    found.drop_all(connection)


def ready(engine: Engine) -> None:
    """Raise `StoreError` where the database cannot be read: missing, empty, damaged or of another version."""
    place = engine.url.database
    if engine.dialect.name == "sqlite" and place and place != ":memory:" and not Path(place).exists():
        raise StoreError(f"there is no database {place}; run 'make data' or 'python -m etl load'")
    with explained(engine), engine.connect() as connection:
        check_version(connection)


def check_whole(engine: Engine) -> None:
    """Raise `StoreError` where an SQLite file is damaged anywhere: all of it is read, a second or so for each 100 MB.

    What is damaged is otherwise met when it is asked for, and not always then. PostgreSQL looks after its own files.
    """
    if engine.dialect.name != "sqlite":
        return
    with explained(engine), engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise StoreError(f"{_place(engine)}: {_DAMAGED}")


def latest_receipts(connection: Connection, source: str) -> dict[str, tuple[date, str]]:
    """For each file of a source: the day and the checksum of the snapshot that its open claims come from."""
    snapshot = schema.snapshot
    rows = connection.execute(
        select(snapshot.c.file, snapshot.c.known_on, snapshot.c.sha256)
        .join(schema.source, schema.source.c.id == snapshot.c.source_id)
        .where(schema.source.c.slug == source, snapshot.c.status == SnapshotStatus.LOADED)
        .order_by(snapshot.c.known_on, snapshot.c.id)
    )
    return {file: (known_on, sha256) for file, known_on, sha256 in rows.tuples()}


@dataclass(frozen=True)
class Held:
    """A snapshot that the database has, as far as that can be told of tables of any schema version."""

    source: str
    file: str
    known_on: str
    sha256: str
    obtained: str


_NEEDED: Final = {
    "snapshot": {"id", "source_id", "file", "known_on", "sha256", "obtained", "status"},
    "source": {"id", "slug"},
}
_SNAPSHOTS_HELD: Final = """
SELECT source.slug, file, known_on, sha256, obtained FROM snapshot JOIN source ON source.id = source_id
WHERE status <> 'refused' ORDER BY known_on, snapshot.id
"""


def snapshots_held(connection: Connection) -> list[Held]:
    """The snapshots that the database has, oldest first, without refused ones; of another schema version's tables too.

    None where the tables are missing, or so different that they cannot tell.
    """
    there = inspect(connection)
    for name, columns in _NEEDED.items():
        if not there.has_table(name) or not columns <= {column["name"] for column in there.get_columns(name)}:
            return []
    return [Held(*map(str, row)) for row in connection.execute(text(_SNAPSHOTS_HELD))]


def has_claimed(connection: Connection, receipt: Receipt) -> bool:
    """Whether this very snapshot changes nothing any more: it is part of the file's history, or says what stood then.

    Within a day the time of retrieval orders snapshots; bundled ones, which have none, come first.
    Raises `OutOfOrder` where it would have changed something and is yet older than the file's latest word.
    """
    snapshot = schema.snapshot
    rows = connection.execute(
        select(snapshot.c.known_on, snapshot.c.retrieved_at, snapshot.c.sha256)
        .join(schema.source, schema.source.c.id == snapshot.c.source_id)
        .where(
            schema.source.c.slug == receipt.source,
            snapshot.c.file == receipt.file,
            snapshot.c.status != SnapshotStatus.REFUSED,
        )
        .order_by(snapshot.c.known_on, snapshot.c.id)
    ).all()
    if not rows:
        return False
    history = [(_moment(known_on, retrieved_at), sha256) for known_on, retrieved_at, sha256 in rows]
    moment = _moment(receipt.known_on, receipt.retrieved_at)
    stood = [sha256 for when, sha256 in history if when <= moment]
    if stood and stood[-1] == receipt.sha256:
        return True
    if (receipt.known_on, receipt.sha256) in {(known_on, sha256) for (known_on, _), sha256 in history}:
        return True
    latest = history[-1][0]
    if receipt.known_on < latest[0]:
        raise OutOfOrder(receipt, loaded=latest[0])
    return moment < latest  # a later snapshot of the same day has replaced it


def _moment(known_on: date, retrieved_at: datetime | None) -> tuple[date, str]:
    return known_on, retrieved_at.isoformat() if retrieved_at else ""


def load_snapshot(connection: Connection, *, source: Source, receipt: Receipt, contents: Contents) -> Outcome:
    """Compare a snapshot with what its file last claimed and write the differences, inside the caller's transaction.

    A second snapshot of the same file from the same day replaces the first, since claims are dated by day.
    Raises `OutOfOrder` for a snapshot that is older than the file's latest.
    """
    source_id = save_source(connection, source)
    if has_claimed(connection, receipt):
        return Outcome(receipt=receipt, already=True)
    _forget_refusal(connection, source_id=source_id, receipt=receipt)
    _undo_same_day(connection, source_id=source_id, receipt=receipt)
    _name_makers_and_models(connection, makers=contents.makers, models=contents.models)
    evidence_ids = _evidence_ids(connection, source_id=source_id, evidence=contents.evidence)
    snapshot_id = _next_id(connection, schema.snapshot)
    # Its figures refer to the snapshot, so its row comes first; until they are compared, all count as unchanged.
    connection.execute(
        insert(schema.snapshot),
        [
            _snapshot_row(
                receipt,
                snapshot_id=snapshot_id,
                source_id=source_id,
                status=SnapshotStatus.LOADED,
                read=contents.rows_read,
                unchanged=contents.rows_read - len(contents.rejected) - contents.out_of_scope - contents.duplicate,
                rejected=len(contents.rejected),
                out_of_scope=contents.out_of_scope,
                duplicate=contents.duplicate,
            )
        ],
    )
    opened = closed = 0
    for fact, rows in ((_SALES, contents.sales), (_PENETRATION, contents.penetration)):
        opened_rows, closed_rows = _load_facts(
            connection,
            fact,
            source_id=source_id,
            receipt=receipt,
            snapshot_id=snapshot_id,
            rows=rows,
            evidence_ids=evidence_ids,
        )
        opened, closed = opened + opened_rows, closed + closed_rows
    opened_rows, closed_rows = _load_groups(
        connection, source_id=source_id, receipt=receipt, snapshot_id=snapshot_id, groups=contents.groups
    )
    opened, closed = opened + opened_rows, closed + closed_rows
    opened_rows, closed_rows = records.load(
        connection,
        source_id=source_id,
        file=receipt.file,
        known_on=receipt.known_on,
        snapshot_id=snapshot_id,
        records=contents.records,
    )
    opened, closed = opened + opened_rows, closed + closed_rows
    unchanged = contents.claims - opened
    connection.execute(
        update(schema.snapshot)
        .where(schema.snapshot.c.id == snapshot_id)
        .values(rows_loaded=opened, rows_unchanged=unchanged, rows_closed=closed)
    )
    _save_rejections(connection, snapshot_id=snapshot_id, rejected=contents.rejected)
    return Outcome(
        receipt=receipt,
        already=False,
        read=contents.rows_read,
        loaded=opened,
        unchanged=unchanged,
        rejected=len(contents.rejected),
        closed=closed,
    )


def load_history(connection: Connection, *, source: Source, history: FileHistory) -> list[Outcome]:
    """Write a file's whole history at once, inside the caller's transaction, where none of it is loaded yet.

    It leaves the same rows as loading its snapshots one by one, without comparing each with the one before.
    """
    source_id = save_source(connection, source)
    file = history.receipts[0].file
    _name_makers_and_models(connection, makers=history.makers, models=history.models)
    evidence_ids = _evidence_ids(connection, source_id=source_id, evidence=history.evidence)
    claims = [*history.sales, *history.penetration, *history.groups, *chain(*history.records.values())]
    opened = Counter(row[-2] for row in claims)
    closed = Counter(row[-1] for row in claims)
    snapshot_ids: dict[date, int] = {}
    outcomes = []
    standing = 0
    for receipt in history.receipts:
        day = receipt.known_on
        standing += opened[day] - closed[day]
        out_of_scope, duplicate = history.left_out.get(day, (0, 0))
        rejected = history.rejected.get(day, ())
        read = standing + out_of_scope + duplicate + len(rejected)
        snapshot_ids[day] = _next_id(connection, schema.snapshot)
        outcomes.append(
            Outcome(
                receipt=receipt,
                already=False,
                read=read,
                loaded=opened[day],
                unchanged=standing - opened[day],
                rejected=len(rejected),
                closed=closed[day],
            )
        )
        row = _snapshot_row(
            receipt,
            snapshot_id=snapshot_ids[day],
            source_id=source_id,
            status=SnapshotStatus.LOADED,
            read=read,
            unchanged=standing - opened[day],
            rejected=len(rejected),
            out_of_scope=out_of_scope,
            duplicate=duplicate,
        )
        connection.execute(insert(schema.snapshot), [row | {"rows_loaded": opened[day], "rows_closed": closed[day]}])
        _save_rejections(connection, snapshot_id=snapshot_ids[day], rejected=rejected)
    for fact, of_fact in ((_SALES, history.sales), (_PENETRATION, history.penetration)):
        _insert_history(
            connection,
            fact,
            source_id=source_id,
            file=file,
            rows=of_fact,
            evidence_ids=evidence_ids,
            snapshot_ids=snapshot_ids,
        )
    if history.groups:
        _insert_groups(
            connection,
            source_id=source_id,
            file=file,
            rows=[(*row, snapshot_ids[row[-2]]) for row in history.groups],
        )
    records.insert_history(
        connection, source_id=source_id, file=file, records=history.records, snapshot_ids=snapshot_ids
    )
    return outcomes


def stands(connection: Connection, receipt: Receipt) -> bool:
    """Whether this very file is what its source's rows were last read from."""
    return latest_receipts(connection, receipt.source).get(receipt.file, (None, ""))[1] == receipt.sha256


def load_dated(connection: Connection, *, source: Source, receipt: Receipt, contents: Contents) -> Outcome:
    """Load a file that is its own history: every row says since when it is known. It replaces the source's rows.

    Rows are as in `Contents` with the day of publication behind them. Of the rows about one cell each stands until the
    next one is published; one that only confirms the figure before it counts as unchanged. All within the caller's
    transaction.
    """
    source_id = save_source(connection, source)
    replaced = _remove_claims(connection, source_id)
    _name_makers_and_models(
        connection,
        makers=contents.makers,
        models=contents.models,
        rename=receipt.obtained is not Obtained.IMPORTED,
    )
    evidence_ids = _evidence_ids(connection, source_id=source_id, evidence=contents.evidence)
    width = len(SERIES_KEY) + 1
    sales, penetration = _spans(contents.sales, width=width), _spans(contents.penetration, width=width)
    groups = [(*row[:-1], row[-1], OPEN_END) for row in contents.groups]
    told = {name: records.spans(name, rows) for name, rows in contents.records.items()}
    of_records = list(chain(*told.values()))
    loaded = len(sales) + len(penetration) + len(groups) + len(of_records)
    unchanged = contents.claims - loaded
    closed = sum(row[-1] != OPEN_END for row in [*sales, *penetration, *of_records])
    snapshot_id = _next_id(connection, schema.snapshot)
    row = _snapshot_row(
        receipt,
        snapshot_id=snapshot_id,
        source_id=source_id,
        status=SnapshotStatus.LOADED,
        read=contents.rows_read,
        unchanged=unchanged,
        rejected=len(contents.rejected),
        out_of_scope=contents.out_of_scope,
        duplicate=contents.duplicate,
    )
    connection.execute(insert(schema.snapshot), [row | {"rows_loaded": loaded, "rows_closed": closed}])
    days = {row[-2] for row in [*sales, *penetration, *groups, *of_records]}
    for fact, of_fact in ((_SALES, sales), (_PENETRATION, penetration)):
        _insert_history(
            connection,
            fact,
            source_id=source_id,
            file=receipt.file,
            rows=of_fact,
            evidence_ids=evidence_ids,
            snapshot_ids=dict.fromkeys(days, snapshot_id),
        )
    if groups:
        rows = [(*row, snapshot_id) for row in groups]
        _insert_groups(connection, source_id=source_id, file=receipt.file, rows=rows)
    records.insert_history(
        connection,
        source_id=source_id,
        file=receipt.file,
        records=told,
        snapshot_ids=dict.fromkeys(days, snapshot_id),
    )
    _save_rejections(connection, snapshot_id=snapshot_id, rejected=contents.rejected)
    if replaced:
        _forget_unused_names(connection)
    return Outcome(
        receipt=receipt,
        already=False,
        read=contents.rows_read,
        loaded=loaded,
        unchanged=unchanged,
        rejected=len(contents.rejected),
        closed=closed,
    )


def _spans(rows: Sequence[tuple[Any, ...]], *, width: int) -> list[tuple[Any, ...]]:
    """Rows with their day of publication as claims with the days from and to which they stand."""
    by_cell: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in sorted(rows, key=lambda row: row[-1]):
        of_cell = by_cell.setdefault(row[:width], [])
        if not of_cell or of_cell[-1][width] != row[width]:
            of_cell.append(row)
    return [
        (*row, following[-1] if following else OPEN_END)
        for of_cell in by_cell.values()
        for row, following in zip(of_cell, [*of_cell[1:], None], strict=True)
    ]


@dataclass(frozen=True)
class Difference:
    """Two figures that should agree and do not: what is published, and what other figures give in its place."""

    source: str
    market: str
    basis: str
    powertrain: str
    maker: str
    period_start: date
    grain: str
    stated: int
    computed: int
    note: str = ""


@dataclass(frozen=True)
class CrossCheck:
    """A rule across figures: what it says, how many pairs of figures were compared, and which of them differ."""

    rule: str
    meaning: str
    checked: int
    differences: Sequence[Difference]


def save_cross_checks(connection: Connection, found: Sequence[CrossCheck]) -> None:
    """Replace the results of the rules across figures."""
    connection.execute(delete(schema.cross_check_difference))
    connection.execute(delete(schema.cross_check))
    rules = [
        {
            "rule": check.rule,
            "meaning": check.meaning,
            "checked": check.checked,
            "differing": len(check.differences),
        }
        for check in found
    ]
    if rules:
        connection.execute(insert(schema.cross_check), rules)
    rows = [{"rule": check.rule, **asdict(difference)} for check in found for difference in check.differences]
    if rows:
        numbered = [{"id": number, **row} for number, row in enumerate(rows, start=1)]
        connection.execute(insert(schema.cross_check_difference), numbered)


def imported_sources(connection: Connection) -> list[str]:
    """The slugs of the sources that are an analyst's own."""
    imported = select(schema.snapshot.c.source_id).where(schema.snapshot.c.obtained == Obtained.IMPORTED)
    query = select(schema.source.c.slug).where(schema.source.c.id.in_(imported)).order_by(schema.source.c.slug)
    return list(connection.execute(query).scalars())


def remove_source(connection: Connection, slug: str) -> int:
    """Remove a source and all that it claims; how many claims that were.

    Raises `StoreError` for a source that is not there.
    """
    source = schema.source
    source_id = connection.execute(select(source.c.id).where(source.c.slug == slug)).scalar()
    if source_id is None:
        raise StoreError(f"there is no source '{slug}' in the database; 'python -m etl status' lists them")
    removed = _remove_claims(connection, source_id)
    connection.execute(delete(source).where(source.c.id == source_id))
    _forget_unused_names(connection)
    return removed


def _remove_claims(connection: Connection, source_id: int) -> int:
    series, snapshot = schema.series, schema.snapshot
    removed = records.remove(connection, source_id)
    own_series = select(series.c.id).where(series.c.source_id == source_id)
    for table, own in (
        (schema.sales, schema.sales.c.series_id.in_(own_series)),
        (schema.penetration, schema.penetration.c.series_id.in_(own_series)),
        (schema.maker_group, schema.maker_group.c.source_id == source_id),
    ):
        removed += connection.execute(delete(table).where(own)).rowcount
    own_snapshots = select(snapshot.c.id).where(snapshot.c.source_id == source_id)
    connection.execute(delete(schema.rejection).where(schema.rejection.c.snapshot_id.in_(own_snapshots)))
    for table in (series, schema.evidence, snapshot):
        connection.execute(delete(table).where(table.c.source_id == source_id))
    return removed


def _forget_unused_names(connection: Connection) -> None:
    """Remove the models and makers that nothing speaks of any more."""
    for table in (schema.model, schema.maker):
        users = [
            select(column)
            for other in schema.metadata.sorted_tables
            for column in other.c
            for key in column.foreign_keys
            if key.column is table.c.slug
        ]
        unused = table.c.slug.not_in((ALL, OTHER)) & ~table.c.slug.in_(union_all(*users))
        connection.execute(delete(table).where(unused))


def save_refusal(
    connection: Connection, *, source: Source, receipt: Receipt, line: int, value: str, reason: str
) -> None:
    """Remember that a file was refused as a whole, and why. The same refusal is remembered once."""
    source_id = save_source(connection, source)
    snapshot = schema.snapshot
    known = connection.execute(
        select(snapshot.c.id).where(
            snapshot.c.source_id == source_id,
            snapshot.c.file == receipt.file,
            snapshot.c.known_on == receipt.known_on,
            snapshot.c.sha256 == receipt.sha256,
        )
    ).first()
    if known:
        return
    snapshot_id = _next_id(connection, snapshot)
    row = _snapshot_row(
        receipt,
        snapshot_id=snapshot_id,
        source_id=source_id,
        status=SnapshotStatus.REFUSED,
        read=0,
        rejected=0,
    )
    connection.execute(insert(snapshot), [row])
    _save_rejections(connection, snapshot_id=snapshot_id, rejected=[(line, "", value, reason)])


def save_source(connection: Connection, source: Source) -> int:
    """The id of a source, whose description is written or brought up to date."""
    fields = asdict(source)
    known = connection.execute(select(schema.source).where(schema.source.c.slug == source.slug)).mappings().first()
    if known is None:
        source_id = _next_id(connection, schema.source)
        connection.execute(insert(schema.source), [{"id": source_id, **fields}])
        return source_id
    if any(known[name] != value for name, value in fields.items()):
        connection.execute(update(schema.source).where(schema.source.c.id == known["id"]).values(**fields))
    return int(known["id"])


def _snapshot_row(
    receipt: Receipt,
    *,
    snapshot_id: int,
    source_id: int,
    status: SnapshotStatus,
    read: int,
    unchanged: int = 0,
    rejected: int = 0,
    out_of_scope: int = 0,
    duplicate: int = 0,
) -> dict[str, Any]:
    fields = asdict(receipt)
    del fields["source"]
    return {
        "id": snapshot_id,
        "source_id": source_id,
        "status": status,
        "rows_read": read,
        "rows_loaded": 0,
        "rows_unchanged": unchanged,
        "rows_rejected": rejected,
        "rows_out_of_scope": out_of_scope,
        "rows_duplicate": duplicate,
        "rows_closed": 0,
        **fields,
    }


def _save_rejections(
    connection: Connection, *, snapshot_id: int, rejected: Sequence[tuple[int, str, str, str]]
) -> None:
    if rejected:
        first = _next_id(connection, schema.rejection)
        connection.execute(
            insert(schema.rejection),
            [
                {
                    "id": first + n,
                    "snapshot_id": snapshot_id,
                    "line": line,
                    "column": column,
                    "value": value,
                    "reason": why,
                }
                for n, (line, column, value, why) in enumerate(rejected)
            ],
        )


def _forget_refusal(connection: Connection, *, source_id: int, receipt: Receipt) -> None:
    """Take back that this very snapshot was refused: it is accepted now, by the user or by a newer program."""
    snapshot, rejection = schema.snapshot, schema.rejection
    refused = select(snapshot.c.id).where(
        snapshot.c.source_id == source_id,
        snapshot.c.file == receipt.file,
        snapshot.c.known_on == receipt.known_on,
        snapshot.c.sha256 == receipt.sha256,
        snapshot.c.status == SnapshotStatus.REFUSED,
    )
    connection.execute(delete(rejection).where(rejection.c.snapshot_id.in_(refused)))
    connection.execute(delete(snapshot).where(snapshot.c.id.in_(refused)))


def _undo_same_day(connection: Connection, *, source_id: int, receipt: Receipt) -> None:
    """Take back what an earlier snapshot of this file wrote for the same day."""
    snapshot, series, group = schema.snapshot, schema.series, schema.maker_group
    same_day = connection.execute(
        update(snapshot)
        .where(
            snapshot.c.source_id == source_id,
            snapshot.c.file == receipt.file,
            snapshot.c.known_on == receipt.known_on,
            snapshot.c.status == SnapshotStatus.LOADED,
        )
        .values(status=SnapshotStatus.SUPERSEDED)
    )
    if not same_day.rowcount:
        return
    own_series = select(series.c.id).where(series.c.source_id == source_id, series.c.file == receipt.file)
    own_groups = (group.c.source_id == source_id) & (group.c.file == receipt.file)
    for table, own in (
        (schema.sales, schema.sales.c.series_id.in_(own_series)),
        (schema.penetration, schema.penetration.c.series_id.in_(own_series)),
        (group, own_groups),
    ):
        connection.execute(delete(table).where(own, table.c.known_from == receipt.known_on))
        connection.execute(update(table).where(own, table.c.known_to == receipt.known_on).values(known_to=OPEN_END))
    records.undo(connection, source_id=source_id, file=receipt.file, known_on=receipt.known_on)


def _name_makers_and_models(
    connection: Connection, *, makers: Mapping[str, str], models: Mapping[str, tuple[str, str]], rename: bool = True
) -> None:
    """Add the makers and models that are new, and take over a name that the reference has changed.

    Without `rename` those that are there keep their names: an analyst's spelling is no better than a publisher's.
    """
    for table, wanted in (
        (schema.maker, {slug: {"slug": slug, "name": name} for slug, name in makers.items()}),
        (
            schema.model,
            {slug: {"slug": slug, "maker": maker, "name": name} for slug, (maker, name) in models.items()},
        ),
    ):
        known = dict(connection.execute(select(table.c.slug, table.c.name)).tuples().all())
        new = [row for slug, row in wanted.items() if slug not in known]
        if new:
            connection.execute(insert(table), new)
        for slug, row in wanted.items():
            if rename and slug in known and known[slug] != row["name"]:
                connection.execute(update(table).where(table.c.slug == slug).values(name=row["name"]))


def _evidence_ids(connection: Connection, *, source_id: int, evidence: Mapping[str, tuple[str, str]]) -> dict[str, int]:
    table = schema.evidence
    texts = list(evidence)
    known: dict[str, int] = {}
    for begin in range(0, len(texts), 500):
        some = table.c.text.in_(texts[begin : begin + 500])
        query = select(table.c.text, table.c.id).where(table.c.source_id == source_id, some)
        known |= dict(connection.execute(query).tuples().all())
    new = [text_ for text_ in evidence if text_ not in known]
    if new:
        first = _next_id(connection, table)
        rows = [
            {
                "id": first + n,
                "source_id": source_id,
                "text": text_,
                "urls": evidence[text_][0],
                "remark": evidence[text_][1],
            }
            for n, text_ in enumerate(new)
        ]
        connection.execute(insert(table), rows)
        known |= {text_: first + n for n, text_ in enumerate(new)}
    return known


def _series_ids(
    connection: Connection, *, source_id: int, file: str, keys: set[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    table = schema.series
    query = select(table.c.id, *(table.c[name] for name in SERIES_KEY)).where(
        table.c.source_id == source_id, table.c.file == file
    )
    known = {tuple(map(str, key)): id_ for id_, *key in connection.execute(query).tuples()}
    new = sorted(keys - known.keys())
    if new:
        first = _next_id(connection, table)
        rows = [
            {"id": first + n, "source_id": source_id, "file": file, **dict(zip(SERIES_KEY, key, strict=True))}
            for n, key in enumerate(new)
        ]
        connection.execute(insert(table), rows)
        known |= {key: first + n for n, key in enumerate(new)}
    return known


@dataclass(frozen=True)
class _Fact:
    """A table of claims with a value: the name of the table and of the column."""

    table: Table
    value: str


_SALES = _Fact(schema.sales, "units")
_PENETRATION = _Fact(schema.penetration, "share")


def _load_facts(
    connection: Connection,
    fact: _Fact,
    *,
    source_id: int,
    receipt: Receipt,
    snapshot_id: int,
    rows: Sequence[tuple[Any, ...]],
    evidence_ids: Mapping[str, int],
) -> tuple[int, int]:
    """Write the differences to what the file last claimed; how many claims were opened and closed."""
    table, series = fact.table, schema.series
    width = len(SERIES_KEY)
    keys = [row[:width] for row in rows]
    series_ids = _series_ids(connection, source_id=source_id, file=receipt.file, keys=set(keys))
    claimed = {(series_ids[key], row[width]): row for key, row in zip(keys, rows, strict=True)}
    if len(claimed) < len(rows):
        raise ValueError(f"{receipt.file}: two rows claim the same cell")
    query = (
        select(table.c.series_id, table.c.period_start, table.c[fact.value])
        .join(series, series.c.id == table.c.series_id)
        .where(series.c.source_id == source_id, series.c.file == receipt.file, table.c.known_to == OPEN_END)
    )
    standing = {(series_id, start): value for series_id, start, value in connection.execute(query).tuples()}
    opened = [
        (*cell, OPEN_END, receipt.known_on, snapshot_id, line, value, evidence_ids[evidence])
        for cell, row in claimed.items()
        for value, line, evidence in (row[width + 1 :],)
        if standing.get(cell) != value
    ]
    closed = [
        {"in_series": cell[0], "in_period": cell[1]}
        for cell, value in standing.items()
        if cell not in claimed or claimed[cell][width + 1] != value
    ]
    if closed:
        connection.execute(
            update(table)
            .where(
                table.c.series_id == bindparam("in_series"),
                table.c.period_start == bindparam("in_period"),
                table.c.known_to == OPEN_END,
            )
            .values(known_to=receipt.known_on),
            closed,
        )
    _insert_facts(connection, fact, sorted(opened))
    return len(opened), len(closed)


def _insert_history(
    connection: Connection,
    fact: _Fact,
    *,
    source_id: int,
    file: str,
    rows: Sequence[tuple[Any, ...]],
    evidence_ids: Mapping[str, int],
    snapshot_ids: Mapping[date, int],
) -> None:
    """Insert claims of all vintages: rows of `Contents` with the days from and to which they stood."""
    width = len(SERIES_KEY)
    series_ids = _series_ids(connection, source_id=source_id, file=file, keys={row[:width] for row in rows})
    claims = [
        (
            series_ids[row[:width]],
            start,
            known_to,
            known_from,
            snapshot_ids[known_from],
            line,
            value,
            evidence_ids[text_],
        )
        for row in rows
        for start, value, line, text_, *_, known_from, known_to in (row[width:],)
    ]
    _insert_facts(connection, fact, sorted(claims))


def _insert_facts(connection: Connection, fact: _Fact, rows: list[tuple[Any, ...]]) -> None:
    """Insert claims: series, period, known to, known from, snapshot, line, value, evidence.

    By the driver itself, on PostgreSQL by its bulk copy, on SQLite a hundred rows a statement: row by row through
    SQLAlchemy's parameter handling, a hundred thousand rows take four times as long.
    """
    columns = ("series_id", "period_start", "known_to", "known_from", "snapshot_id", "line", fact.value, "evidence_id")
    if connection.dialect.name == "postgresql":
        driver: Any = connection.dialect.loaded_dbapi
        cursor: Any = connection.connection.cursor()
        statement = f"COPY {fact.table.name} ({', '.join(columns)}) FROM STDIN"
        try:
            with cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except driver.Error as error:
            raise DBAPIError.instance(statement, None, error, driver.Error, dialect=connection.dialect) from error
        return
    days = {row[1] for row in rows} | {row[2] for row in rows} | {row[3] for row in rows}
    iso = {day: day.isoformat() for day in days}
    one_row = f"({', '.join(['?'] * len(columns))})"
    for begin in range(0, len(rows), 100):
        chunk = rows[begin : begin + 100]
        values: list[Any] = []
        for series_id, start, known_to, known_from, *rest in chunk:
            values += (series_id, iso[start], iso[known_to], iso[known_from], *rest)
        statement = f"INSERT INTO {fact.table.name} ({', '.join(columns)}) VALUES {', '.join([one_row] * len(chunk))}"
        connection.exec_driver_sql(statement, tuple(values))


def _load_groups(
    connection: Connection,
    *,
    source_id: int,
    receipt: Receipt,
    snapshot_id: int,
    groups: Sequence[tuple[str, str, str, date, date, int]],
) -> tuple[int, int]:
    """As for sales: how many memberships were opened and closed."""
    table = schema.maker_group
    own = (table.c.source_id == source_id) & (table.c.file == receipt.file) & (table.c.known_to == OPEN_END)
    members = (table.c.maker, table.c.group_slug, table.c.valid_from, table.c.valid_to)
    standing = {tuple(row) for row in connection.execute(select(*members).where(own))}
    claimed = {(maker, slug, valid_from, valid_to) for maker, slug, _, valid_from, valid_to, _ in groups}
    opened = [row for row in groups if (row[0], row[1], row[3], row[4]) not in standing]
    closed = standing - claimed
    for maker, _, valid_from, _ in closed:
        of_one = (table.c.maker == maker) & (table.c.valid_from == valid_from)
        connection.execute(update(table).where(own, of_one).values(known_to=receipt.known_on))
    if opened:
        rows = [(*row, receipt.known_on, OPEN_END, snapshot_id) for row in opened]
        _insert_groups(connection, source_id=source_id, file=receipt.file, rows=rows)
    return len(opened), len(closed)


def _insert_groups(connection: Connection, *, source_id: int, file: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert memberships: maker, group slug and name, valid from and to, line, known from and to, snapshot."""
    names = (
        "maker",
        "group_slug",
        "group_name",
        "valid_from",
        "valid_to",
        "line",
        "known_from",
        "known_to",
        "snapshot_id",
    )
    connection.execute(
        insert(schema.maker_group),
        [{"source_id": source_id, "file": file, **dict(zip(names, row, strict=True))} for row in rows],
    )


def _next_id(connection: Connection, table: Any) -> int:
    """The next free id. Writers are serialised, so that counting up is safe and the same on every engine."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1


def covered(connection: Connection, *, source: str, file: str) -> list[tuple[str, str, str, date]]:
    """Market, powertrain, grain and period start of everything that a file says something about today."""
    table, series = schema.sales, schema.series
    query = (
        select(series.c.market, series.c.powertrain, series.c.grain, table.c.period_start)
        .join(series, series.c.id == table.c.series_id)
        .join(schema.source, schema.source.c.id == series.c.source_id)
        .where(schema.source.c.slug == source, series.c.file == file, table.c.known_to == OPEN_END)
        .distinct()
    )
    return [
        (market, str(powertrain), str(grain), start)
        for market, powertrain, grain, start in connection.execute(query).tuples()
    ]


def claims_of_other_files(
    connection: Connection, *, source: str, file: str, markets: set[str]
) -> list[tuple[str, str, str, str, date]]:
    """What a source's other files speak for today in some markets: file, market, powertrain, grain, period start."""
    table, series = schema.sales, schema.series
    query = (
        select(series.c.file, series.c.market, series.c.powertrain, series.c.grain, table.c.period_start)
        .join(series, series.c.id == table.c.series_id)
        .join(schema.source, schema.source.c.id == series.c.source_id)
        .where(schema.source.c.slug == source, series.c.file != file, series.c.market.in_(markets))
        .where(table.c.known_to == OPEN_END)
        .distinct()
    )
    return [
        (name, market, str(powertrain), str(grain), start)
        for name, market, powertrain, grain, start in connection.execute(query).tuples()
    ]
