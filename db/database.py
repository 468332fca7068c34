"""The database as a whole: the engine from a URL, the transactions of a writer, the tables, and what its errors mean.

A reader sees all of what was written or nothing of it, and a crash at any moment leaves the last good state. Two
writers wait for each other.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, MetaData, create_engine, delete, event, func, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from db import schema
from db.vocabulary import ALL, OTHER

DEFAULT_URL = "sqlite:///ev_market.sqlite"

BUSY_SECONDS = 60
"""How long a writer waits for another one before it gives up with a clear message."""

CONNECT_SECONDS = 10
"""How long a server that does not answer is waited for, where the URL's connect_timeout says nothing else."""

_WRITER_LOCK = 0x65766D6B
"""The number of the advisory lock that serialises writers on PostgreSQL (the letters 'evmk')."""


class StoreError(Exception):
    """The database cannot be used as asked. The text says what is wrong and what to do about it."""


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


def next_id(connection: Connection, table: Any) -> int:
    """The next free id. Writers are serialised, so that counting up is safe and the same on every engine."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1
