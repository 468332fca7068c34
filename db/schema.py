"""Tables and every constraint.

A stored figure is a claim: who said it (source), in which file as it was on one day (snapshot), at which place in that
file (line), citing what (evidence), and from when to when the publisher stood by it (known_from, known_to; "as known on
D" is `known_from <= D < known_to`).

`sales` is keyed by `series` and stored in that order, so that drawing a selection reads the rows of its own series and
no others, however much else is stored.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from db.vocabulary import (
    Basis,
    Cadence,
    DatePrecision,
    Grain,
    MarketKind,
    Obtained,
    Powertrain,
    SnapshotStatus,
    States,
    VehicleScope,
    Word,
)

SCHEMA_VERSION: Final = 3
"""Raised with every change of this file: a database of another version is refused with the advice to rebuild it."""

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_name)s_unique",
        "ck": "%(table_name)s_%(constraint_name)s",
        "ix": "%(table_name)s_%(column_0_name)s",
    }
)


def _word(kind: type[Word], name: str) -> Enum:
    """A text column that takes the words of one closed list only."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda words: [word.value for word in words],
        length=24,
    )


schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

data_state = Table(
    "data_state",
    metadata,
    Column("token", String(32), primary_key=True, comment="one row: a random word, another one after every write"),
)

market = Table(
    "market",
    metadata,
    Column("code", String(12), primary_key=True, comment="ISO 3166 alpha-2, or a region such as EU or WORLD"),
    Column("name", Text, nullable=False, unique=True),
    Column("adjective", Text, nullable=False, comment="as in 'German BEVs'"),
    Column("kind", _word(MarketKind, "kind"), nullable=False),
)

maker = Table(
    "maker",
    metadata,
    Column("slug", String(64), primary_key=True, comment="a brand; also 'all' and 'other'"),
    Column("name", Text, nullable=False),
)

model = Table(
    "model",
    metadata,
    Column("slug", String(128), primary_key=True, comment="begins with its maker's slug; also 'all' and 'other'"),
    Column("maker", ForeignKey("maker.slug"), nullable=False),
    Column("name", Text, nullable=False),
)

source = Table(
    "source",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("publisher", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("licence", Text, nullable=False),
    Column("licence_url", Text, nullable=False),
    Column("states", _word(States, "states"), nullable=False),
    Column("cadence", _word(Cadence, "cadence"), nullable=False),
    Column("lag_days", Integer, nullable=False, comment="days after a period's end until it is usually published"),
    Column(
        "precedence",
        Integer,
        nullable=False,
        comment="where two sources claim one cell, the lower number is drawn",
    ),
    Column("warning", Text, nullable=False, comment="what a reader of these figures must know; printed with them"),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source_id", ForeignKey("source.id"), nullable=False),
    Column("file", Text, nullable=False, comment="the file's name as upstream serves it"),
    Column("known_on", Date, nullable=False, comment="the day from which these figures count as known"),
    Column("origin_url", Text, nullable=False),
    Column("retrieved_at", DateTime, nullable=True, comment="UTC; empty where only the day is known"),
    Column("sha256", String(64), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("obtained", _word(Obtained, "obtained"), nullable=False),
    Column("status", _word(SnapshotStatus, "status"), nullable=False),
    Column("rows_read", Integer, nullable=False),
    Column("rows_loaded", Integer, nullable=False, comment="new or changed figures"),
    Column("rows_unchanged", Integer, nullable=False),
    Column("rows_rejected", Integer, nullable=False),
    Column("rows_out_of_scope", Integer, nullable=False),
    Column("rows_duplicate", Integer, nullable=False),
    Column(
        "rows_closed",
        Integer,
        nullable=False,
        comment="earlier figures that this file changed or no longer has",
    ),
    UniqueConstraint("source_id", "file", "known_on", "sha256"),
    CheckConstraint(
        "status = 'refused' OR rows_read = "
        "rows_loaded + rows_unchanged + rows_rejected + rows_out_of_scope + rows_duplicate",
        name="every_row_accounted_for",
    ),
)

rejection = Table(
    "rejection",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("snapshot_id", ForeignKey("snapshot.id"), nullable=False, index=True),
    Column("line", Integer, nullable=False, comment="line in the file; 0 for the file as a whole"),
    Column("column", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source_id", ForeignKey("source.id"), nullable=False),
    Column("text", Text, nullable=False, comment="what the publisher cites, to the letter"),
    Column("urls", Text, nullable=False, comment="the addresses found in that text, one a line"),
    Column(
        "remark",
        Text,
        nullable=False,
        comment="what that text says beside the addresses; printed with the chart",
    ),
    UniqueConstraint("source_id", "text"),
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source_id", ForeignKey("source.id"), nullable=False),
    Column("file", Text, nullable=False, comment="the file that makes the claim"),
    Column("market", ForeignKey("market.code"), nullable=False),
    Column("basis", _word(Basis, "basis"), nullable=False),
    Column("powertrain", _word(Powertrain, "powertrain"), nullable=False),
    Column("vehicle_scope", _word(VehicleScope, "vehicle_scope"), nullable=False),
    Column("grain", _word(Grain, "grain"), nullable=False),
    Column("maker", ForeignKey("maker.slug"), nullable=False),
    Column("model", ForeignKey("model.slug"), nullable=False),
    UniqueConstraint("source_id", "file", "market", "basis", "powertrain", "vehicle_scope", "grain", "maker", "model"),
    CheckConstraint("maker NOT IN ('all', 'other') OR model = 'all'", name="rest_and_total_have_no_model"),
    Index("series_market", "market", "basis", "powertrain"),
)


def _claimed_at() -> tuple[Column[Any], ...]:
    """The columns that say since when a claim stands and where it was first made."""
    return (
        Column("known_from", Date, nullable=False),
        Column("snapshot_id", ForeignKey("snapshot.id"), nullable=False),
        Column("line", Integer, nullable=False, comment="line in that snapshot's file"),
    )


sales = Table(
    "sales",
    metadata,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("period_start", Date, primary_key=True),
    Column("known_to", Date, primary_key=True, comment="in the key: a cell has one open claim at the most"),
    *_claimed_at(),
    Column("units", Integer, nullable=False, comment="cars"),
    Column("evidence_id", ForeignKey("evidence.id"), nullable=False),
    CheckConstraint("known_from < known_to", name="known_for_at_least_a_day"),
    CheckConstraint("units >= 0", name="units_not_negative"),
    sqlite_with_rowid=False,
)

penetration = Table(
    "penetration",
    metadata,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("period_start", Date, primary_key=True),
    Column("known_to", Date, primary_key=True),
    *_claimed_at(),
    Column("share", Float, nullable=False, comment="of all cars, as a fraction, as the publisher states it"),
    Column("evidence_id", ForeignKey("evidence.id"), nullable=False),
    CheckConstraint("known_from < known_to", name="known_for_at_least_a_day"),
    CheckConstraint("share >= 0 AND share <= 1", name="share_is_a_fraction"),
    sqlite_with_rowid=False,
)

maker_group = Table(
    "maker_group",
    metadata,
    Column("source_id", ForeignKey("source.id"), primary_key=True),
    Column("file", Text, primary_key=True),
    Column("maker", ForeignKey("maker.slug"), primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("known_to", Date, primary_key=True),
    *_claimed_at(),
    Column("valid_to", Date, nullable=False, comment="the first day on which the maker is no longer in the group"),
    Column("group_slug", String(64), nullable=False),
    Column("group_name", Text, nullable=False),
    CheckConstraint("known_from < known_to", name="known_for_at_least_a_day"),
    CheckConstraint("valid_from < valid_to", name="valid_for_at_least_a_day"),
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("date", Date, nullable=False, comment="the first day of the month or year where only that is known"),
    Column("date_precision", _word(DatePrecision, "date_precision"), nullable=False),
    Column("market", ForeignKey("market.code"), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("maker", String(64), nullable=False, comment="a maker's slug; 'all' where it concerns the market"),
    Column("text", Text, nullable=False),
    Column("url", Text, nullable=False),
)

cross_check = Table(
    "cross_check",
    metadata,
    Column("rule", String(40), primary_key=True),
    Column("meaning", Text, nullable=False),
    Column("checked", Integer, nullable=False, comment="how many pairs of figures were compared"),
    Column("differing", Integer, nullable=False),
)

cross_check_difference = Table(
    "cross_check_difference",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rule", ForeignKey("cross_check.rule"), nullable=False, index=True),
    Column("source", String(64), nullable=False, comment="slug of the source of the stated figure"),
    Column("market", String(12), nullable=False),
    Column("basis", String(24), nullable=False),
    Column("powertrain", String(24), nullable=False),
    Column("maker", String(64), nullable=False),
    Column("period_start", Date, nullable=False),
    Column("grain", String(24), nullable=False),
    Column("stated", Integer, nullable=False, comment="cars, as published"),
    Column("computed", Integer, nullable=False, comment="cars, from other figures"),
    Column("note", Text, nullable=False),
)
