"""What the database has already: the snapshots that it holds, and whether another one would change anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, inspect, select, text

from db import schema
from db.contents import Receipt
from db.database import StoreError
from db.vocabulary import Obtained, SnapshotStatus


class OutOfOrder(StoreError):
    """A snapshot that is older than what its file has already claimed: vintages are a history."""

    def __init__(self, receipt: Receipt, *, loaded: date) -> None:
        super().__init__(
            f"{receipt.file}: known on {receipt.known_on}, but figures known on {loaded} are loaded already; "
            "the snapshot is kept, and 'python -m etl rebuild' puts it in its place"
        )
        self.loaded = loaded


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


def stands(connection: Connection, receipt: Receipt) -> bool:
    """Whether this very file is what its source's rows were last read from."""
    return latest_receipts(connection, receipt.source).get(receipt.file, (None, ""))[1] == receipt.sha256


def imported_sources(connection: Connection) -> list[str]:
    """The slugs of the sources that are an analyst's own."""
    imported = select(schema.snapshot.c.source_id).where(schema.snapshot.c.obtained == Obtained.IMPORTED)
    query = select(schema.source.c.slug).where(schema.source.c.id.in_(imported)).order_by(schema.source.c.slug)
    return list(connection.execute(query).scalars())
