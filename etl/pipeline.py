"""From snapshots to the database: parse, harmonize, check, load; one transaction a snapshot.

A file that is refused leaves the others loaded. Whatever happens to a snapshot is told to `tell`, one outcome each.
"""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from pathlib import Path

from db import Connection, Engine, database, facts, health, loaded, market_claims, store
from db.contents import Contents, FileHistory, Outcome, Receipt, Source
from db.database import StoreError
from db.loaded import OutOfOrder
from db.store import CrossCheck
from db.vocabulary import BEGINNING, OPEN_END, Cadence, Obtained
from etl import bundle, checks, cross_checks, tidy
from etl.claims import Claims, Refused
from etl.harmonize import harmonize, reference
from etl.snapshots import Snapshot, SnapshotStore
from etl.sources import CONNECTORS, Connector, maker_groups
from etl.sources.curated import CURATED, CURATED_RECORDS, parse_records
from etl.sources.curated import parse as parse_curated


@dataclass(frozen=True)
class Refusal:
    """A file of which nothing was loaded, and why, in one line that names the remedy."""

    file: str
    message: str


Tell = Callable[[Outcome | Refusal], None]


def connector(slug: str) -> Connector:
    """The connector of a source; `KeyError` with the list of sources for an unknown one."""
    for candidate in CONNECTORS:
        if candidate.SOURCE.slug == slug:
            return candidate
    known = ", ".join(candidate.SOURCE.slug for candidate in CONNECTORS)
    raise KeyError(f"there is no source '{slug}'; the sources are: {known}")


def create(engine: Engine, *, keep: SnapshotStore | None = None) -> None:
    """Create the tables where there are none; `StoreError` for another schema version.

    What a killed writer left unfinished in the folder of kept snapshots is cleared away.
    """
    with database.writing(engine) as connection:
        if keep:
            keep.clear_unfinished()
        database.create(connection, markets=reference().markets, events=reference().events)


def snapshots_in(
    folder: Path,
    connectors: Iterable[Connector],
    *,
    known_on: date | None,
    retrieved_at: datetime,
    address: str | None = None,
    accept_removals: bool = False,
) -> Iterator[Snapshot | Refusal]:
    """The files of a folder laid out as upstream serves them. A file that no connector knows is left alone.

    `known_on` None takes the day on which an edition came out where the file tells, and else that of `retrieved_at`.
    `address` is where the folder was downloaded from, by default where upstream serves the files today.
    """
    for known in connectors:
        places: dict[str, list[str]] = {}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            place = path.relative_to(folder).as_posix()
            file = known.canonical_file(place)
            if file is not None:
                places.setdefault(file, []).append(place)
        for file, found in places.items():
            snapshots = []
            for place in found:
                path = folder / place
                try:
                    content = path.read_bytes()
                except OSError as error:
                    yield Refusal(file, f"{path}: cannot be read ({error.strerror}); check its permissions")
                    continue
                snapshots.append(
                    Snapshot(
                        source=known.SOURCE.slug,
                        file=file,
                        known_on=known_on or known.published_on(content) or retrieved_at.date(),
                        content=content,
                        origin_url=f"{address.rstrip('/')}/{place}" if address else known.origin_url(file),
                        obtained=Obtained.FOLDER,
                        retrieved_at=retrieved_at,
                        removals_accepted=accept_removals,
                    )
                )
            if len({snapshot.known_on for snapshot in snapshots}) < len(snapshots):
                yield Refusal(
                    file, f"{folder} holds {' and '.join(found)}, which are one file upstream on one day; remove one"
                )
                continue
            yield from sorted(snapshots, key=lambda snapshot: snapshot.known_on)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python's cycle collector still: a load makes a hundred thousand long-lived tuples and no cycles, and the
    collector would walk all of them again and again, for a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _forget_cross_checks(connection: Connection, *outcomes: Outcome | Refusal) -> None:
    """With new figures the results of before are of others, and whoever is killed here has not made new ones."""
    if any(isinstance(outcome, Outcome) and not outcome.already for outcome in outcomes):
        store.save_cross_checks(connection, ())


@_collector_paused()
def load(
    engine: Engine,
    snapshots: Iterable[Snapshot | Refusal],
    *,
    keep: SnapshotStore | None,
    tell: Tell,
) -> None:
    """Load snapshots one by one, each in its own transaction, and keep those that were accepted.

    A snapshot that is out of order is kept and refused; one that cannot be read is refused and not kept.
    """
    for snapshot in snapshots:
        if isinstance(snapshot, Refusal):
            tell(snapshot)
            continue
        with database.writing(engine) as connection:
            outcome = _load_one(connection, snapshot, keep=keep)
            _forget_cross_checks(connection, outcome)
        tell(outcome)


@_collector_paused()
def load_bundled(
    engine: Engine,
    slugs: Iterable[str],
    *,
    keep: SnapshotStore | None,
    tell: Tell,
    folder: Path = bundle.FOLDER,
) -> None:
    """Load the bundled snapshots that the database has not seen yet, unless later ones of the same file are loaded."""
    for slug in slugs:
        source = connector(slug).SOURCE
        with database.writing(engine) as connection:
            store.save_source(connection, source)
            if keep:  # before the figures, so that a rebuild after a crash has them too
                keep.mark("bundled")
            try:
                receipts = [receipt for of_file in bundle.receipts(slug, folder=folder).values() for receipt in of_file]
            except Refused as damaged:
                tell(Refusal(slug, str(damaged)))
                continue
            if all(_seen(connection, receipt) for receipt in receipts):
                continue
        for history in bundle.read(slug, folder=folder):
            with database.writing(engine) as connection:
                outcomes = _load_history(connection, source=source, history=history)
                _forget_cross_checks(connection, *outcomes)
            for outcome in outcomes:
                tell(outcome)


@dataclass(frozen=True)
class DatedFile:
    """A file of which every row says since when it is known: curated, or an analyst's own."""

    source: Source
    file: str
    content: bytes
    obtained: Obtained
    known_on: date | None = None
    """The day on which it was imported; a curated file is known on the day of its latest row."""


def curated() -> list[DatedFile]:
    """The files in `etl/curated/`, and the dated groups of the reference."""
    groups = maker_groups
    files = [
        DatedFile(entry.source, entry.file, entry.path.read_bytes(), Obtained.CURATED)
        for entry in (*CURATED, *CURATED_RECORDS)
    ]
    return [DatedFile(groups.SOURCE, groups.PATH.name, groups.PATH.read_bytes(), Obtained.CURATED), *files]


def load_curated(engine: Engine, slugs: Iterable[str] | None = None, *, keep: SnapshotStore | None, tell: Tell) -> None:
    """Load the curated files, or those of some sources."""
    wanted = None if slugs is None else set(slugs)
    files = [file for file in curated() if wanted is None or file.source.slug in wanted]
    if keep and files:  # before the figures, so that a rebuild after a crash has them too
        keep.mark("curated")
    load_dated(engine, files, tell=tell)


def load_dated(
    engine: Engine, files: Iterable[DatedFile], *, keep: Callable[[DatedFile], None] | None = None, tell: Tell
) -> None:
    """Load files that are their own history, each in its own transaction; a changed file replaces its rows.

    `keep` is called with each file that was accepted.
    """
    for file in files:
        with database.writing(engine) as connection:
            outcome = _load_dated(connection, file)
            _forget_cross_checks(connection, outcome)
            if keep and isinstance(outcome, Outcome):
                keep(file)  # before the figures are seen, so that a rebuild after a crash has them too
        tell(outcome)


def read_dated(file: DatedFile) -> Claims:
    """What such a file says. Raises `Refused` where it cannot be read, or any of its rows cannot."""
    if file.source.slug == maker_groups.SOURCE.slug:
        return maker_groups.parse(file.content)
    known_on = file.known_on or OPEN_END
    of_records = {entry.source.slug: entry for entry in CURATED_RECORDS}.get(file.source.slug)
    if of_records and file.obtained is Obtained.CURATED:
        claims = parse_records(of_records, file.content, known_on=known_on)
    elif file.obtained is Obtained.CURATED:
        claims = parse_curated(file.file, file.content, known_on=known_on).claims
    else:
        claims = tidy.read(file.content, file=file.file, require_address=False, known_on=known_on).claims
    if claims.rejected:
        first = claims.rejected[0]
        more = f" (and {len(claims.rejected) - 1} more problems)" if len(claims.rejected) > 1 else ""
        raise Refused(
            file=file.file,
            line=first.line,
            problem=f"column {first.column}: {first.reason}{more}" if first.column else f"{first.reason}{more}",
            remedy="'python -m etl check FILE' lists all of them",
            value=first.value,
        )
    return claims


def _load_dated(connection: Connection, file: DatedFile) -> Outcome | Refusal:
    receipt = Receipt(
        source=file.source.slug,
        file=file.file,
        known_on=file.known_on or BEGINNING,
        origin_url=file.source.url,
        retrieved_at=None,
        sha256=hashlib.sha256(file.content).hexdigest(),
        bytes=len(file.content),
        obtained=file.obtained,
    )
    try:
        if loaded.stands(connection, receipt):
            store.save_source(connection, file.source)  # its description may have changed
            return Outcome(receipt=receipt, already=True)
        claims = read_dated(file)
        contents = harmonize(claims, reference())
    except (Refused, ValueError) as refused:
        return Refusal(file.file, str(refused))
    if file.known_on is None:
        told = chain(contents.sales, contents.penetration, contents.groups, *contents.records.values())
        published = [row[-1] for row in told]
        receipt = replace(receipt, known_on=max(published))
    try:
        with connection.begin_nested():  # what stands is not taken away for a file that is refused after all
            return store.load_dated(connection, source=file.source, receipt=receipt, contents=contents)
    except ValueError as refused:
        return Refusal(file.file, f"{file.file} {refused}; keep one of them, or give a later one its own published_on")


def imported(engine: Engine) -> list[str]:
    """The slugs of the sources in the database that an analyst has imported."""
    database.ready(engine)
    with engine.connect() as connection:
        return loaded.imported_sources(connection)


def remove_import(engine: Engine, slug: str) -> int:
    """Remove an imported source and all that it claims, if it is there; how many claims that were."""
    with database.writing(engine) as connection:
        if slug not in loaded.imported_sources(connection):
            return 0
        removed = store.remove_source(connection, slug)
        store.save_cross_checks(connection, cross_checks.run(market_claims.standing_claims(connection)))
    return removed


def is_cross_checked(engine: Engine) -> bool:
    """Whether the results of the rules across figures are of the figures that stand now."""
    with engine.connect() as connection:
        return bool(health.cross_checks(connection))


def cross_check(engine: Engine) -> list[CrossCheck]:
    """Hold the figures that stand now against one another, and remember what differs; the results."""
    with database.writing(engine) as connection:
        found = cross_checks.run(market_claims.standing_claims(connection))
        store.save_cross_checks(connection, found)
    return found


@_collector_paused()
def rebuild(
    engine: Engine,
    *,
    keep: SnapshotStore,
    imported: Callable[[SnapshotStore], Iterable[DatedFile]] = lambda _: (),
    accept_removals: bool = False,
    tell: Tell,
    folder: Path = bundle.FOLDER,
) -> None:
    """From empty, every kept snapshot, in one transaction: a reader sees the old state or the new.

    Each file's snapshots are loaded in order of time; files do not depend on one another. `imported` reads what
    analysts have imported from among what is kept.

    Raises `StoreError` where the database has snapshots that are not kept, unless the user accepts that they are lost.
    """
    with database.writing(engine) as connection:  # what is kept is read within: nobody adds to it any more
        keep.clear_unfinished()
        kept: dict[tuple[str, str], list[Snapshot]] = {}
        for snapshot in keep.kept():
            _check_known(snapshot)
            kept.setdefault((snapshot.source, snapshot.file), []).append(snapshot)
        own = list(imported(keep))
        if not accept_removals:
            shipped = [
                receipt
                for slug in (bundle.sources(folder) if keep.holds("bundled") else [])
                for receipt in chain(*bundle.receipts(slug, folder=folder).values())
            ]
            held = [*(snapshot.receipt for snapshot in chain(*kept.values())), *shipped]
            _check_none_is_lost(connection, held, imported={file.source.slug for file in own}, keep=keep)
        database.drop(connection)
        database.create(connection, markets=reference().markets, events=reference().events)
        for slug in bundle.sources(folder) if keep.holds("bundled") else []:
            source = connector(slug).SOURCE
            for history in bundle.read(slug, folder=folder):
                later = kept.pop((slug, history.receipts[0].file), [])
                if not later or later[0].known_on >= history.receipts[-1].known_on:
                    for outcome in store.load_history(connection, source=source, history=history):
                        tell(outcome)
                    for snapshot in later:
                        tell(_load_one(connection, snapshot, keep=None))
                    continue
                entries: list[Receipt | Snapshot] = [*history.receipts, *later]
                for entry in sorted(entries, key=lambda entry: entry.known_on):
                    if isinstance(entry, Snapshot):
                        tell(_load_one(connection, entry, keep=None))
                    else:
                        outcome = _load_contents(
                            connection,
                            source=source,
                            receipt=entry,
                            contents=history.contents(entry),
                            removals_accepted=True,  # when the bundle was made
                        )
                        tell(outcome)
        for snapshots in kept.values():
            for snapshot in snapshots:
                tell(_load_one(connection, snapshot, keep=None))
        for dated in [*(curated() if keep.holds("curated") else ()), *own]:
            tell(_load_dated(connection, dated))
        store.save_cross_checks(connection, cross_checks.run(market_claims.standing_claims(connection)))


def _check_known(snapshot: Snapshot) -> None:
    if all(snapshot.source != known.SOURCE.slug for known in CONNECTORS):
        raise Refused(
            file=snapshot.file,
            line=0,
            problem=f"is kept as a snapshot of {snapshot.source}, which is no source of this program",
            remedy=f"update the program, or move the folder {snapshot.source} out of the kept snapshots",
        )


def _check_none_is_lost(
    connection: Connection, held: Iterable[Receipt], *, imported: set[str], keep: SnapshotStore
) -> None:
    """Raise `StoreError` where the database has snapshots that could not be loaded again.

    The day does not count: content that was seen again on a later day may have been told by that day until now.
    """
    contents = {(receipt.source, receipt.file, receipt.sha256) for receipt in held}
    lost = [
        snapshot
        for snapshot in loaded.snapshots_held(connection)
        if (snapshot.source, snapshot.file, snapshot.sha256) not in contents
        and snapshot.source not in imported
        and snapshot.obtained not in (Obtained.BUNDLED, Obtained.CURATED)
    ]
    if lost:
        first = f"{lost[0].source} {lost[0].file} of {lost[0].known_on}"
        others = f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""
        raise StoreError(
            f"{keep.folder.absolute()} does not hold all that the database has read: {first}{others} would be lost; "
            "name the folder of the kept snapshots in SNAPSHOTS, or give these up with "
            "'python -m etl rebuild --accept-removals'"
        )


def keep_history(engine: Engine, snapshots: Iterable[Snapshot | Refusal], *, keep: SnapshotStore, tell: Tell) -> int:
    """Keep past vintages that can be read, for a rebuild to put in their place; how many are kept now and were not.

    One that says what the file said then by what is kept already is nothing new.
    """
    kept = 0
    receipts: dict[str, list[Receipt]] = {}
    for snapshot in snapshots:
        if isinstance(snapshot, Refusal):
            tell(snapshot)
            continue
        if snapshot.source not in receipts:
            receipts[snapshot.source] = list(keep.receipts(snapshot.source))
        stood = _latest(receipts[snapshot.source], file=snapshot.file, on=snapshot.known_on)
        if stood and stood.sha256 == snapshot.receipt.sha256:
            continue
        try:
            _contents(connector(snapshot.source), snapshot)
        except Refused as refused:
            tell(Refusal(snapshot.file, f"as of {snapshot.known_on}: {refused}"))
            continue
        with database.writing(engine):  # nobody else writes there then
            keep.keep(replace(snapshot, removals_accepted=True))  # history is what it was
        kept += 1
    return kept


def _latest(receipts: Iterable[Receipt], *, file: str, on: date) -> Receipt | None:
    """The receipt of what a file said on a day, if any."""
    found = [receipt for receipt in receipts if receipt.file == file and receipt.known_on <= on]
    return max(found, key=lambda each: (each.known_on, str(each.retrieved_at or "")), default=None)


def _load_history(connection: Connection, *, source: Source, history: FileHistory) -> list[Outcome]:
    latest = loaded.latest_receipts(connection, source.slug)
    if history.receipts[0].file not in latest:
        return store.load_history(connection, source=source, history=history)
    return [
        store.load_snapshot(connection, source=source, receipt=receipt, contents=history.contents(receipt))
        for receipt in history.receipts
        if not _seen(connection, receipt)
    ]


def _seen(connection: Connection, receipt: Receipt) -> bool:
    try:
        return loaded.has_claimed(connection, receipt)
    except OutOfOrder:
        return True


def _load_one(connection: Connection, snapshot: Snapshot, *, keep: SnapshotStore | None) -> Outcome | Refusal:
    known = connector(snapshot.source)
    receipt = snapshot.receipt
    try:
        if loaded.has_claimed(connection, receipt):
            outcome = Outcome(receipt=receipt, already=True)
        else:
            seen_on = keep.last_kept(source=snapshot.source, file=snapshot.file) if keep else None
            if seen_on and receipt.known_on < seen_on:
                raise OutOfOrder(receipt, loaded=seen_on)
            contents = _contents(known, snapshot)
            outcome = _load_contents(
                connection,
                source=known.SOURCE,
                receipt=receipt,
                contents=contents,
                removals_accepted=snapshot.removals_accepted,
            )
    except Refused as refused:
        store.save_refusal(
            connection,
            source=known.SOURCE,
            receipt=receipt,
            line=refused.line,
            value=refused.value,
            reason=f"{refused.problem}; {refused.remedy}",
        )
        return Refusal(snapshot.file, str(refused))
    except OutOfOrder as late:
        if keep:
            keep.keep(snapshot)
        ahead = ""
        if snapshot.retrieved_at and late.loaded > snapshot.retrieved_at.date():
            ahead = (
                f" (if the clock was wrong when those came, since {late.loaded} is yet to come, "
                f"remove {snapshot.source}/{late.loaded} from the kept snapshots first, and rebuild with "
                "--accept-removals)"
            )
        return Refusal(snapshot.file, str(late) + ahead)
    if keep:
        keep.keep(snapshot)
    return outcome


def _contents(known: Connector, snapshot: Snapshot) -> Contents:
    claims = known.parse(snapshot)
    try:
        return harmonize(claims, reference())
    except ValueError as error:
        raise Refused(
            file=snapshot.file,
            line=0,
            problem=str(error),
            remedy="download the file again; if upstream serves it so, etl/harmonize.py has to tell the names apart",
        ) from error


def _load_contents(
    connection: Connection, *, source: Source, receipt: Receipt, contents: Contents, removals_accepted: bool
) -> Outcome:
    cells = checks.covered(contents)
    markets = {market for market, *_ in cells}
    unknown = sorted(markets - {market["code"] for market in reference().markets})
    if unknown:
        raise Refused(
            file=receipt.file,
            line=0,
            problem=f"holds figures of {', '.join(unknown)}, which the reference does not name",
            remedy="add a row to etl/reference/markets.csv",
        )
    others = facts.claims_of_other_files(connection, source=source.slug, file=receipt.file, markets=markets)
    checks.check_claims_its_own(file=receipt.file, claims=cells, others=others)
    if not removals_accepted:
        before = facts.covered(connection, source=source.slug, file=receipt.file)
        # A new edition of a yearly table leaves out some countries' early years; a file cut short loses far more.
        tolerated = 0.1 if source.cadence is Cadence.YEARLY else 0.0
        checks.check_still_covers(file=receipt.file, before=before, now=cells, tolerated=tolerated)
    return store.load_snapshot(connection, source=source, receipt=receipt, contents=contents)
