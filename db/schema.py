"""Tables and every constraint.

A stored figure is a claim: who said it (source), in which file as it was on one day (snapshot), at which place in that
file (line), citing what (evidence), and from when to when the publisher stood by it (known_from, known_to; "as known on
D" is `known_from <= D < known_to`).

`sales` is keyed by `series` and stored in that order, so that drawing a selection reads the rows of its own series and
no others, however much else is stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateColumn

from db.vocabulary import (
    OPEN_END,
    AttachBasis,
    Basis,
    Billing,
    Cadence,
    DatePrecision,
    Evidence,
    Grain,
    MarketKind,
    Obtained,
    Powertrain,
    PriceKind,
    RangeCycle,
    SnapshotStatus,
    States,
    TaxIncluded,
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
        length=32,
    )


@compiles(CreateColumn, "postgresql")
def _by_code_point(create: CreateColumn, compiler: Any, **options: Any) -> str:
    """On PostgreSQL texts are as on SQLite: of any length, and sorted byte by byte whatever the server's language."""
    written: str = compiler.visit_create_column(create, **options)
    if not isinstance(create.element.type, String):
        return written
    return re.sub(r"VARCHAR\(\d+\)", "TEXT", written) + ' COLLATE "C"'


_COUNT: Final = Integer().with_variant(BigInteger(), "postgresql")
"""A number that may be above 2 ** 31: SQLite's whole numbers are long enough as they are."""


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
    Column("bytes", _COUNT, nullable=False),
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
    Column("units", _COUNT, nullable=False, comment="cars"),
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


def _record(
    name: str,
    *key: Column[Any],
    values: Sequence[Column[Any]],
    checks: Sequence[CheckConstraint] = (),
    by_address: bool = False,
) -> Table:
    """A table of claims that are no figures of a series: what a row is about (`key`), and what is claimed of it.

    Each row says besides where it stands in its file, since when it is known, and at which address it can be read;
    with `by_address` two addresses that tell the same thing are two rows. `info` has the names of `key` and `values`,
    and under `fields` the order of a row of `contents.Contents.records`.
    """
    about = (*(column.name for column in key), *(("url",) if by_address else ()))
    said = tuple(column.name for column in values)
    fields = (*about, *said, *(() if by_address else ("url",)), "note", "known_estimated", "line")
    return Table(
        name,
        metadata,
        Column("source_id", ForeignKey("source.id"), primary_key=True),
        Column("file", Text, primary_key=True),
        *key,
        Column("known_to", Date, primary_key=True),
        *_claimed_at(),
        Column("known_estimated", Boolean, nullable=False, comment="since when it is known is inferred, not printed"),
        *values,
        Column("url", Text, primary_key=by_address, nullable=False, comment="where it can be read"),
        Column("note", Text, nullable=False, comment="what a reader of it must know"),
        CheckConstraint("known_from < known_to", name="known_for_at_least_a_day"),
        *checks,
        info={"key": about, "values": said, "fields": fields},
    )


def _about(name: str, kind: Any, comment: str = "") -> Column[Any]:
    return Column(name, kind, primary_key=True, comment=comment)


def _said(name: str, kind: Any, comment: str = "", *, optional: bool = False) -> Column[Any]:
    return Column(name, kind, nullable=optional, comment=comment)


price = _record(
    "price",
    _about("market", ForeignKey("market.code")),
    _about("maker", ForeignKey("maker.slug"), "'all' for the average over a market"),
    _about("model", ForeignKey("model.slug"), "'all' for the average over a maker's models"),
    _about("trim", Text, "in the publisher's words, Tesla's in the project's; empty where the price is of no one trim"),
    _about("powertrain", _word(Powertrain, "powertrain")),
    _about("currency", String(3)),
    _about("price_kind", _word(PriceKind, "price_kind")),
    _about("tax_included", _word(TaxIncluded, "tax_included")),
    _about("effective_from", Date),
    values=(
        _said("amount", Float, "in units of the currency"),
        _said("date_precision", _word(DatePrecision, "date_precision")),
        _said("evidence", _word(Evidence, "evidence")),
        _said("battery_kwh", Float, optional=True),
        _said("range_km", Float, optional=True),
        _said("range_cycle", _word(RangeCycle, "range_cycle"), "'none' where no range is given"),
    ),
    checks=(CheckConstraint("amount > 0", name="amount_is_positive"),),
)

list_price_count = _record(
    "list_price_count",
    _about("market", ForeignKey("market.code")),
    _about("maker", ForeignKey("maker.slug")),
    _about("model", ForeignKey("model.slug")),
    _about("currency", String(3)),
    _about("period_start", Date, "the month of first registration"),
    _about("amount", _COUNT, "the official list price, tax included"),
    values=(_said("cars", _COUNT, "how many cars first registered in the month have that list price"),),
    checks=(CheckConstraint("amount > 0 AND cars > 0", name="amount_and_cars_are_positive"),),
)

fx_rate = _record(
    "fx_rate",
    _about("currency", String(3)),
    _about("period_start", Date, "the first day of the month"),
    values=(
        _said("rate", Float, "units of the currency per euro, mean over the month's working days"),
        _said("days", Integer, "how many daily rates that is the mean of", optional=True),
    ),
    checks=(CheckConstraint("rate > 0", name="rate_is_positive"),),
)

price_index = _record(
    "price_index",
    _about("market", ForeignKey("market.code")),
    _about("year", Integer),
    values=(_said("value", Float, "consumer prices, yearly mean"), _said("base", Text, "what stands for 100")),
    checks=(CheckConstraint("value > 0", name="value_is_positive"),),
)

tax_rate = _record(
    "tax_rate",
    _about("market", ForeignKey("market.code")),
    _about("tax", String(24), "VAT, GST or sales_tax"),
    _about("applies_to", String(24), "all, or the powertrain whose cars it is the rate of"),
    _about("effective_from", Date),
    values=(
        _said("rate", Float, "as a fraction of the price without tax"),
        _said("above", Float, "it is charged on the part of the price above this amount, in the market's currency"),
    ),
    checks=(CheckConstraint("rate >= 0 AND rate < 1", name="rate_is_a_fraction"),),
)

vehicle = _record(
    "vehicle",
    _about("maker", ForeignKey("maker.slug")),
    _about("model", ForeignKey("model.slug")),
    _about("powertrain", _word(Powertrain, "powertrain")),
    _about("range_cycle", _word(RangeCycle, "range_cycle"), "'none' where no range is given"),
    values=(
        _said("segment", String(24), "by size: A to F, with -SUV; sports, MPV, pickup"),
        _said("body", String(24)),
        _said("drive", String(24), "FWD, RWD, AWD; several joined by ;"),
        _said("battery_kwh", Float, optional=True),
        _said("range_km", Float, optional=True),
        _said("length_mm", Integer, optional=True),
        _said("launch_year", Integer, optional=True),
    ),
)

fsd_price = _record(
    "fsd_price",
    _about("market", ForeignKey("market.code")),
    _about("maker", ForeignKey("maker.slug")),
    _about("package", String(40)),
    _about("currency", String(3)),
    _about("billing", _word(Billing, "billing")),
    _about("effective_from", Date),
    values=(
        _said("amount", Float, "in units of the currency; empty where the offer ends", optional=True),
        _said("date_precision", _word(DatePrecision, "date_precision")),
        _said("evidence", _word(Evidence, "evidence")),
    ),
    checks=(CheckConstraint("(billing = 'withdrawn') = (amount IS NULL)", name="an_end_has_no_amount"),),
)

adas_offer = _record(
    "adas_offer",
    _about("market", ForeignKey("market.code")),
    _about("maker", ForeignKey("maker.slug")),
    _about("package", Text),
    _about("currency", String(3)),
    _about("billing", _word(Billing, "billing")),
    _about("effective_from", Date),
    values=(
        _said(
            "amount", Float, "in units of the currency; empty where it is not stated or the offer ends", optional=True
        ),
        _said("date_precision", _word(DatePrecision, "date_precision")),
        _said("evidence", _word(Evidence, "evidence")),
        _said("sae_level", String(4), "as claimed"),
        _said("attach_value", Float, "what is said of its spread, in attach_unit", optional=True),
        _said("attach_unit", String(48), "empty where nothing is said of it"),
    ),
    by_address=True,
)

attach = _record(
    "attach",
    _about("as_of", Date, "the day, or the last day of the quarter, of which it is stated"),
    _about("region", String(12), "a market's code, GLOBAL, NAM, APAC or ANZ"),
    _about("attach_basis", _word(AttachBasis, "attach_basis")),
    _about("model", String(12), "ALL or the models that it is stated of, as 3/Y"),
    _about("estimator", Text, "who counted or estimated it"),
    values=(
        _said("value", Float, "as printed"),
        _said("low", Float, "the least that rounds to it, or the low end of a published range"),
        _said("high", Float, "the most that rounds to it, or the high end"),
        _said("unit", String(24), "share (a fraction), count, usd, miles or km"),
        _said("evidence", _word(Evidence, "evidence")),
    ),
    checks=(CheckConstraint("low <= value AND value <= high", name="low_value_high_in_order"),),
    by_address=True,
)

fsd_event = _record(
    "fsd_event",
    _about("date", Date),
    _about("market", ForeignKey("market.code")),
    _about("kind", String(24)),
    _about("text", Text),
    values=(_said("date_precision", _word(DatePrecision, "date_precision")),),
)

forecast = _record(
    "forecast",
    _about("made_on", Date, "the day on which it was printed"),
    _about("forecaster", Text),
    _about("target_date", Date),
    _about("region", String(12)),
    _about("metric", String(40)),
    values=(
        _said("value", Text, "as printed: a number, or a day where the metric is a date"),
        _said("low", Float, "empty where the value is a day", optional=True),
        _said("high", Float, "empty where the value is a day", optional=True),
        _said("unit", String(24), "share (a fraction), count, usd or date"),
        _said("outcome", Text, "what came of it, in words; empty where it is not known"),
        _said("outcome_url", Text, "where that can be read"),
    ),
    by_address=True,
)

RECORDS: Final = (
    price,
    list_price_count,
    fx_rate,
    price_index,
    tax_rate,
    vehicle,
    fsd_price,
    adas_offer,
    attach,
    fsd_event,
    forecast,
)
"""The tables of claims that are no figures of a series."""

for _table in (sales, penetration, maker_group, *RECORDS):
    # What became known between two days is found without reading what did not: by the snapshots that told it, since an
    # index of the day alone would be taken for "as known on", which is about nearly all rows. Few claims are closed:
    # the index of these is small.
    _closed = _table.c.known_to < text(f"'{OPEN_END.isoformat()}'")
    Index(f"{_table.name}_opened", _table.c.snapshot_id)
    Index(f"{_table.name}_closed", _table.c.known_to, sqlite_where=_closed, postgresql_where=_closed)

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
    Column("stated", _COUNT, nullable=False, comment="cars, as published"),
    Column("computed", _COUNT, nullable=False, comment="cars, from other figures"),
    Column("note", Text, nullable=False),
)
