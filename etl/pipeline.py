"""From snapshots to the database: parse, harmonize, check, load; one transaction a snapshot.

A file that is refused leaves the others loaded. Whatever happens to a snapshot is told to `tell`, one outcome each.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from db import Connection, Engine, store
from db.store import Contents, FileHistory, Outcome, OutOfOrder, Receipt, Source
from db.vocabulary import Obtained
from etl import bundle, checks
from etl.harmonize import harmonize, reference
from etl.snapshots import Refused, Snapshot, SnapshotStore
from etl.sources import CONNECTORS, Connector


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


def create(engine: Engine) -> None:
    """Create the tables where there are none; `StoreError` for another schema version."""
    with store.writing(engine) as connection:
        store.create(connection, markets=reference().markets)


def snapshots_in(
    folder: Path,
    connectors: Iterable[Connector],
    *,
    known_on: date,
    retrieved_at: datetime,
    address: str | None = None,
    accept_removals: bool = False,
) -> Iterator[Snapshot | Refusal]:
    """The files of a folder laid out as upstream serves them. A file that no connector knows is left alone.

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
            place = found[0]
            path = folder / place
            if len(found) > 1:
                yield Refusal(file, f"{folder} holds {' and '.join(found)}, which are one file upstream; remove one")
                continue
            try:
                content = path.read_bytes()
            except OSError as error:
                yield Refusal(file, f"{path}: cannot be read ({error.strerror}); check its permissions")
                continue
            yield Snapshot(
                source=known.SOURCE.slug,
                file=file,
                known_on=known_on,
                content=content,
                origin_url=f"{address.rstrip('/')}/{place}" if address else known.origin_url(file),
                obtained=Obtained.FOLDER,
                retrieved_at=retrieved_at,
                removals_accepted=accept_removals,
            )


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
        with store.writing(engine) as connection:
            outcome = _load_one(connection, snapshot, keep=keep)
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
        with store.writing(engine) as connection:
            store.save_source(connection, source)
            if keep:  # before the figures, so that a rebuild after a crash has them too
                keep.mark_bundled()
            receipts = [receipt for of_file in bundle.receipts(slug, folder=folder).values() for receipt in of_file]
            if all(_seen(connection, receipt) for receipt in receipts):
                continue
        for history in bundle.read(slug, folder=folder):
            with store.writing(engine) as connection:
                outcomes = _load_history(connection, source=source, history=history)
            for outcome in outcomes:
                tell(outcome)


@_collector_paused()
def rebuild(engine: Engine, *, keep: SnapshotStore, tell: Tell, folder: Path = bundle.FOLDER) -> None:
    """From empty, every kept snapshot, in one transaction: a reader sees the old state or the new.

    Each file's snapshots are loaded in order of time; files do not depend on one another.
    """
    kept: dict[tuple[str, str], list[Snapshot]] = {}
    for snapshot in keep.kept():
        kept.setdefault((snapshot.source, snapshot.file), []).append(snapshot)
    with store.writing(engine) as connection:
        store.drop(connection)
        store.create(connection, markets=reference().markets)
        for slug in bundle.sources(folder) if keep.has_bundled() else []:
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


def _load_history(connection: Connection, *, source: Source, history: FileHistory) -> list[Outcome]:
    loaded = store.latest_receipts(connection, source.slug)
    if history.receipts[0].file not in loaded:
        return store.load_history(connection, source=source, history=history)
    return [
        store.load_snapshot(connection, source=source, receipt=receipt, contents=history.contents(receipt))
        for receipt in history.receipts
        if not _seen(connection, receipt)
    ]


def _seen(connection: Connection, receipt: Receipt) -> bool:
    try:
        return store.has_claimed(connection, receipt)
    except OutOfOrder:
        return True


def _load_one(connection: Connection, snapshot: Snapshot, *, keep: SnapshotStore | None) -> Outcome | Refusal:
    known = connector(snapshot.source)
    receipt = snapshot.receipt
    try:
        if store.has_claimed(connection, receipt):
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
        return Refusal(snapshot.file, str(late))
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
    others = store.claims_of_other_files(connection, source=source.slug, file=receipt.file, markets=markets)
    checks.check_claims_its_own(file=receipt.file, claims=cells, others=others)
    if not removals_accepted:
        before = store.covered(connection, source=source.slug, file=receipt.file)
        checks.check_still_covers(file=receipt.file, before=before, now=cells)
    return store.load_snapshot(connection, source=source, receipt=receipt, contents=contents)
