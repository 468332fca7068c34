"""A source's claims in all vintages, as they are bundled."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Engine, select

from db.database import ready
from db.rows import frame_of
from db.schema import RECORDS, evidence, maker, maker_group, penetration, rejection, sales, series, snapshot, source
from db.schema import model as model_table
from db.vocabulary import ALL, OTHER, SnapshotStatus


@dataclass(frozen=True)
class History:
    """A source's claims, all vintages: what `etl bundle` writes.

    `snapshots`: file, known_on, sha256, bytes, origin_url, rows_out_of_scope, rows_duplicate. `rejections`: file,
    known_on, line, column, value, reason. `sales`: file, the series' members, period_start, known_from, known_to,
    units, line, evidence; `penetration` likewise with share. `records`: by table its fields with file, known_from and
    known_to. `groups`: file, maker, group_slug, group_name, valid_from,
    valid_to, known_from, known_to, line. `names`:
    kind (maker or model), slug, maker, name. Rows are ordered: equal databases give equal frames.
    """

    snapshots: pd.DataFrame
    rejections: pd.DataFrame
    sales: pd.DataFrame
    penetration: pd.DataFrame
    groups: pd.DataFrame
    records: dict[str, pd.DataFrame]
    names: pd.DataFrame


def history(engine: Engine, slug: str) -> History:
    """All vintages of one source's claims."""
    ready(engine)
    of_source = source.c.slug == slug
    members = (series.c.market, series.c.basis, series.c.powertrain, series.c.vehicle_scope, series.c.grain)
    with engine.connect() as connection:
        snapshots = frame_of(
            connection,
            select(
                snapshot.c.file,
                snapshot.c.known_on,
                snapshot.c.sha256,
                snapshot.c.bytes,
                snapshot.c.origin_url,
                snapshot.c.rows_out_of_scope,
                snapshot.c.rows_duplicate,
            )
            .join(source, source.c.id == snapshot.c.source_id)
            .where(of_source, snapshot.c.status == SnapshotStatus.LOADED)
            .order_by(snapshot.c.known_on, snapshot.c.file),
        )
        rejections = frame_of(
            connection,
            select(
                snapshot.c.file,
                snapshot.c.known_on,
                rejection.c.line,
                rejection.c.column,
                rejection.c.value,
                rejection.c.reason,
            )
            .join(snapshot, snapshot.c.id == rejection.c.snapshot_id)
            .join(source, source.c.id == snapshot.c.source_id)
            .where(of_source, snapshot.c.status == SnapshotStatus.LOADED)
            .order_by(snapshot.c.known_on, snapshot.c.file, rejection.c.line, rejection.c.column),
        )
        claims, penetrations = (
            frame_of(
                connection,
                select(
                    series.c.file,
                    *members,
                    series.c.maker,
                    series.c.model,
                    table.c.period_start,
                    table.c.known_from,
                    table.c.known_to,
                    value,
                    table.c.line,
                    evidence.c.text.label("evidence"),
                )
                .join(series, series.c.id == table.c.series_id)
                .join(source, source.c.id == series.c.source_id)
                .join(evidence, evidence.c.id == table.c.evidence_id)
                .where(of_source)
                .order_by(
                    series.c.file,
                    *members,
                    series.c.maker,
                    series.c.model,
                    table.c.period_start,
                    table.c.known_from,
                ),
            )
            for table, value in ((sales, sales.c.units), (penetration, penetration.c.share))
        )
        groups = frame_of(
            connection,
            select(
                maker_group.c.file,
                maker_group.c.maker,
                maker_group.c.group_slug,
                maker_group.c.group_name,
                maker_group.c.valid_from,
                maker_group.c.valid_to,
                maker_group.c.known_from,
                maker_group.c.known_to,
                maker_group.c.line,
            )
            .join(source, source.c.id == maker_group.c.source_id)
            .where(of_source)
            .order_by(maker_group.c.file, maker_group.c.maker, maker_group.c.known_from),
        )
        told = {
            table.name: frame_of(
                connection,
                select(
                    *(table.c[name] for name in ("file", *table.info["fields"], "known_from", "known_to")),
                )
                .join(source, source.c.id == table.c.source_id)
                .where(of_source)
                .order_by(table.c.file, *(table.c[name] for name in table.info["key"]), table.c.known_from),
            )
            for table in RECORDS
        }
        told = {name: frame for name, frame in told.items() if len(frame)}
        makers = dict(connection.execute(select(maker.c.slug, maker.c.name)).tuples().all())
        models = {
            slug: (of, name)
            for slug, of, name in connection.execute(
                select(model_table.c.slug, model_table.c.maker, model_table.c.name)
            ).tuples()
        }
    named = {
        kind: {each for frame in told.values() if kind in frame for each in frame[kind]} for kind in ("maker", "model")
    }
    used_makers = sorted({*claims["maker"], *groups["maker"], *named["maker"]} - {ALL, OTHER})
    used_models = sorted({*claims["model"], *named["model"]} - {ALL, OTHER})
    names = [("maker", slug, "", makers[slug]) for slug in used_makers]
    names += [("model", slug, *models[slug]) for slug in used_models]
    return History(
        snapshots=snapshots,
        rejections=rejections,
        sales=claims,
        penetration=penetrations,
        groups=groups,
        records=told,
        names=pd.DataFrame(names, columns=["kind", "slug", "maker", "name"]),
    )
