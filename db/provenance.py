"""Where figures come from: sources as they are cited, the snapshots that stood, the receipt of each stored claim."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, case, func, or_, select

from db.database import explained, ready
from db.memory import remembered
from db.rows import EPOCH, day_number, frame_of, rows_with, stood_on
from db.schema import RECORDS, evidence, maker, maker_group, penetration, sales, series, snapshot, source
from db.schema import model as model_table
from db.vocabulary import Obtained, SnapshotStatus, VehicleScope


@dataclass(frozen=True)
class Citation:
    """A publisher's table that figures come from, as of its latest snapshot among those that were used.

    A transcribed or imported file says for each row since when it is known: there `known_on` is the latest of these.
    """

    slug: str
    title: str
    publisher: str
    url: str
    licence: str
    licence_url: str
    known_on: date
    warning: str
    states: str
    precedence: int
    lag_days: int


def receipts(
    connection: Connection,
    *,
    markets: Sequence[str],
    bases: Sequence[str],
    powertrains: Sequence[str],
    makers: Sequence[str] | None,
    model: str | None,
    first: date,
    last: date,
    as_of: date | None = None,
    scope: VehicleScope = VehicleScope.PASSENGER_CAR,
) -> pd.DataFrame:
    """The stored claims that a figure is made of, each with its receipt.

    `makers` None takes every claim of the records (what a total is the sum of). Periods start from `first` to `last`.
    Columns: market, period_start, grain, maker, model (names), units, source (title), source_slug, file, line, text
    (what the publisher cites), urls (one a line), known_from, known_on (of the snapshot), sha256, obtained, origin_url.
    """
    query = (
        select(
            series.c.market,
            sales.c.period_start,
            series.c.grain,
            maker.c.name.label("maker"),
            model_table.c.name.label("model"),
            sales.c.units,
            source.c.title.label("source"),
            source.c.slug.label("source_slug"),
            snapshot.c.file,
            sales.c.line,
            evidence.c.text,
            evidence.c.urls,
            sales.c.known_from,
            snapshot.c.known_on,
            snapshot.c.sha256,
            snapshot.c.obtained,
            snapshot.c.origin_url,
        )
        .join_from(series, sales, series.c.id == sales.c.series_id)
        .join(maker, maker.c.slug == series.c.maker)
        .join(model_table, model_table.c.slug == series.c.model)
        .join(source, source.c.id == series.c.source_id)
        .join(snapshot, snapshot.c.id == sales.c.snapshot_id)
        .join(evidence, evidence.c.id == sales.c.evidence_id)
        .where(
            series.c.market.in_(markets),
            series.c.basis.in_(bases),
            series.c.powertrain.in_(powertrains),
            series.c.vehicle_scope == scope,
            sales.c.period_start >= first,
            sales.c.period_start <= last,
            stood_on(sales, as_of),
        )
        .order_by(series.c.market, sales.c.period_start, sales.c.units.desc(), maker.c.name, model_table.c.name)
    )
    if makers is not None:
        query = query.where(series.c.maker.in_(makers))
    if model is not None:
        query = query.where(series.c.model == model)
    return frame_of(connection, query)


def record_citations(connection: Connection, *frames: pd.DataFrame, as_of: date | None = None) -> tuple[Citation, ...]:
    """The publishers' tables behind the rows of frames of `records`, each once."""
    files = {key for frame in frames for key in zip(frame["source"], frame["file"], strict=True)}
    published: dict[str, date] = {}
    for frame in frames:
        for slug, day in zip(frame["source"], frame["known_from"], strict=True):
            published[slug] = max(published.get(slug, day), day)
    return citations(connection, files, published, as_of=as_of)


def record_receipts(connection: Connection, rows: pd.DataFrame) -> pd.DataFrame:
    """The receipts of some rows of `records`, to which the caller has added `day`, `about` and `stated`.

    `day` (a date) and `about` say what a row is of, `stated` what it claims, in words. Columns: these as text, and as
    `receipts`: source (title), source_slug, file, line, text (the note), urls, known_from, known_on, sha256, obtained,
    origin_url.
    """
    query = select(
        snapshot.c.id,
        source.c.title,
        snapshot.c.known_on,
        snapshot.c.sha256,
        snapshot.c.obtained,
        snapshot.c.origin_url,
    ).join(source, source.c.id == snapshot.c.source_id)
    named = rows_with(connection, query, snapshot.c.id, map(int, rows["snapshot_id"]))
    read_from = {number: rest for number, *rest in named}
    told = [read_from[number] for number in rows["snapshot_id"]]
    return pd.DataFrame(
        {
            "period_start": [day.isoformat() for day in rows["day"]],
            "about": rows["about"].tolist(),
            "stated": rows["stated"].tolist(),
            "source": [title for title, *_ in told],
            "source_slug": rows["source"].tolist(),
            "file": rows["file"].tolist(),
            "line": rows["line"].tolist(),
            "text": rows["note"].tolist(),
            "urls": rows["url"].tolist(),
            "known_from": [day.isoformat() for day in rows["known_from"]],
            "known_on": [known_on.isoformat() for _, known_on, *_ in told],
            "sha256": [sha256 for _, _, sha256, *_ in told],
            "obtained": [str(obtained) for *_, obtained, _ in told],
            "origin_url": [url for *_, url in told],
        }
    )


def last_snapshot(engine: Engine) -> date | None:
    """The day as known of the latest snapshot that is loaded; None where there is none."""
    ready(engine)
    with explained(engine), engine.connect() as connection:
        query = select(func.max(snapshot.c.known_on)).where(snapshot.c.status == SnapshotStatus.LOADED)
        return connection.execute(query).scalar()


def standing_snapshots(connection: Connection, *, as_of: date | None = None) -> list[dict[str, str]]:
    """For each file, the snapshot whose claims stood on a day: source, file, known_on, sha256, origin_url."""
    standing = remembered(connection, (standing_snapshots, as_of), lambda: _standing_snapshots(connection, as_of))
    return [dict(zip(_STANDING_SNAPSHOT, row, strict=True)) for row in standing]


_STANDING_SNAPSHOT = ("source", "file", "known_on", "sha256", "origin_url")


def _standing_snapshots(connection: Connection, as_of: date | None) -> tuple[tuple[str, ...], ...]:
    query = (
        select(source.c.slug, snapshot.c.file, snapshot.c.known_on, snapshot.c.sha256, snapshot.c.origin_url)
        .join(source, source.c.id == snapshot.c.source_id)
        .where(snapshot.c.status == SnapshotStatus.LOADED)
        .order_by(source.c.slug, snapshot.c.file, snapshot.c.known_on)
    )
    is_own_history = snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED))
    if as_of is not None:
        query = query.where(or_(is_own_history, snapshot.c.known_on <= as_of))
    # The rows of a file come in order of time, so that its last one stays.
    latest = {(row.slug, row.file): row for row in connection.execute(query)}
    # A file that is its own history says for each row since when it is known.
    published: dict[str, date] = {}
    for table in (sales, penetration, maker_group, *RECORDS):
        of_file = select(source.c.slug, func.max(table.c.known_from)).select_from(table)
        if "series_id" in table.c:
            of_file = of_file.join(series, series.c.id == table.c.series_id)
        of_source = series.c.source_id if "series_id" in table.c else table.c.source_id
        of_file = (
            of_file.join(source, source.c.id == of_source)
            .where(source.c.id.in_(select(snapshot.c.source_id).where(is_own_history)))
            .group_by(source.c.slug)
        )
        if as_of is not None:
            of_file = of_file.where(table.c.known_from <= as_of)
        for slug, day in connection.execute(of_file).tuples():
            published[slug] = max(day, published.get(slug, day))
    own = {slug for (slug,) in connection.execute(select(source.c.slug).join(snapshot).where(is_own_history)).tuples()}
    return tuple(
        (row.slug, row.file, published.get(row.slug, row.known_on).isoformat(), row.sha256, row.origin_url)
        for row in latest.values()
        if row.slug not in own or row.slug in published
    )


@dataclass(frozen=True)
class Sources:
    """Every source by slug, in the order of precedence; and of each file that is loaded source (slug), file, the days
    of its snapshots, and whether it says itself since when its rows are known."""

    sources: Mapping[str, Citation]
    files: Mapping[tuple[str, str], tuple[tuple[date, ...], bool]]


def sources(connection: Connection) -> Sources:
    """All sources and loaded files: asked for once for as long as no other data are loaded."""
    is_own_history = case((snapshot.c.obtained.in_((Obtained.CURATED, Obtained.IMPORTED)), True), else_=False)

    def ask() -> Sources:
        days: dict[tuple[str, str], list[date]] = {}
        own = set()
        rows = connection.execute(
            select(source.c.slug, snapshot.c.file, snapshot.c.known_on, is_own_history)
            .join(source, source.c.id == snapshot.c.source_id)
            .where(snapshot.c.status == SnapshotStatus.LOADED)
        )
        for slug, file, known_on, is_own in rows.tuples():
            days.setdefault((slug, file), []).append(known_on)
            own |= {(slug, file)} if is_own else set()
        sources = connection.execute(select(source).order_by(source.c.precedence, source.c.slug))
        return Sources(
            sources=MappingProxyType({row.slug: _cited(row) for row in sources}),
            files=MappingProxyType({key: (tuple(sorted(of)), key in own) for key, of in days.items()}),
        )

    return remembered(connection, (sources,), ask)


def _cited(row: Any) -> Citation:
    """A source as it is cited, as known on no day yet."""
    return Citation(
        slug=row.slug,
        title=row.title,
        publisher=row.publisher,
        url=row.url,
        licence=row.licence,
        licence_url=row.licence_url,
        known_on=date.min,
        warning=row.warning,
        states=str(row.states),
        precedence=row.precedence,
        lag_days=row.lag_days,
    )


def citations(
    connection: Connection, files: Collection[tuple[str, str]], published: Mapping[str, date], *, as_of: date | None
) -> tuple[Citation, ...]:
    """The sources of claims of some files (source and name), each as of the latest that was known on the day.

    `published` has for each source the latest day since when one of the claims is known.
    """
    days = {slug: day_number(day) for slug, day in published.items()}
    return latest_citations(connection, files, [days], as_of=as_of)


def latest_citations(
    connection: Connection,
    files: Collection[tuple[str, str]],
    told_on: Iterable[Mapping[str, int]],
    *,
    as_of: date | None,
) -> tuple[Citation, ...]:
    """The sources of some claims, each as of the latest of the files that was known on the day.

    `told_on` has for each market the day since 1970-01-01 on which the latest claim of each source became known.
    """
    latest: dict[str, int] = {}
    for of_market in told_on:
        for slug, day in of_market.items():
            latest[slug] = max(latest.get(slug, 0), day)
    known = sources(connection)
    read: dict[str, date] = {}
    own = {slug for slug, file in files if known.files.get((slug, file), ((), False))[1]}
    for slug, file in files:
        days, _ = known.files.get((slug, file), ((), False))
        if slug in own:
            days = (EPOCH + timedelta(days=latest[slug]),) if slug in latest else ()
        elif as_of is not None:
            days = tuple(day for day in days if day <= as_of)
        if slug in latest and days:
            read[slug] = max(days[-1], read.get(slug, date.min))
    return tuple(replace(cited, known_on=read[slug]) for slug, cited in known.sources.items() if slug in read)
