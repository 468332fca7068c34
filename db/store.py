"""Writing: what one snapshot, one file's history or an analyst's file claims, in the caller's transaction.

A snapshot is compared with what its file last claimed: an unchanged figure is not written again, a changed one closes
the earlier claim and opens a new one, a vanished one is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import chain
from typing import Any

from sqlalchemy import Connection, delete, insert, select, union_all, update

from db import facts, records, schema
from db.contents import SERIES_KEY, Contents, FileHistory, Outcome, Receipt, Source
from db.database import StoreError, next_id
from db.loaded import has_claimed
from db.vocabulary import ALL, OPEN_END, OTHER, Obtained, SnapshotStatus


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
    snapshot_id = next_id(connection, schema.snapshot)
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
    for fact, rows in ((facts.SALES, contents.sales), (facts.PENETRATION, contents.penetration)):
        opened_rows, closed_rows = facts.load(
            connection,
            fact,
            source_id=source_id,
            receipt=receipt,
            snapshot_id=snapshot_id,
            rows=rows,
            evidence_ids=evidence_ids,
        )
        opened, closed = opened + opened_rows, closed + closed_rows
    opened_rows, closed_rows = facts.load_groups(
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
        snapshot_ids[day] = next_id(connection, schema.snapshot)
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
    for fact, of_fact in ((facts.SALES, history.sales), (facts.PENETRATION, history.penetration)):
        facts.insert_history(
            connection,
            fact,
            source_id=source_id,
            file=file,
            rows=of_fact,
            evidence_ids=evidence_ids,
            snapshot_ids=snapshot_ids,
        )
    if history.groups:
        facts.insert_groups(
            connection,
            source_id=source_id,
            file=file,
            rows=[(*row, snapshot_ids[row[-2]]) for row in history.groups],
        )
    records.insert_history(
        connection, source_id=source_id, file=file, records=history.records, snapshot_ids=snapshot_ids
    )
    return outcomes


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
    sales, penetration = facts.spans(contents.sales, width=width), facts.spans(contents.penetration, width=width)
    groups = [(*row[:-1], row[-1], OPEN_END) for row in contents.groups]
    told = {name: records.spans(name, rows) for name, rows in contents.records.items()}
    of_records = list(chain(*told.values()))
    loaded = len(sales) + len(penetration) + len(groups) + len(of_records)
    unchanged = contents.claims - loaded
    closed = sum(row[-1] != OPEN_END for row in [*sales, *penetration, *of_records])
    snapshot_id = next_id(connection, schema.snapshot)
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
    for fact, of_fact in ((facts.SALES, sales), (facts.PENETRATION, penetration)):
        facts.insert_history(
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
        facts.insert_groups(connection, source_id=source_id, file=receipt.file, rows=rows)
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
    snapshot_id = next_id(connection, snapshot)
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
        source_id = next_id(connection, schema.source)
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
        first = next_id(connection, schema.rejection)
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
        first = next_id(connection, table)
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
