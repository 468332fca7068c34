"""What every table and column holds, in words: the data dictionary as plain values.

A column's meaning stands beside it in `db/schema.py` as its comment; what means the same in every table, or needs no
word there, stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Enum

from db.schema import metadata

TABLES: Final[Mapping[str, str]] = {
    "schema_version": "of which version of the program the tables are: one row",
    "data_state": "tells one state of the data from another: one row",
    "market": "a country or region of which figures are stated",
    "maker": "a brand, as it is drawn and ranked",
    "model": "a model of a maker",
    "source": "a publisher's table, or a file of an analyst's own: who says it, and on which terms",
    "snapshot": "one file of a source as it was on one day, with its receipt and the count of its rows",
    "rejection": "a row, or a whole file, that was not loaded, and why",
    "evidence": "what a publisher cites for figures",
    "series": "what figures are counts or shares of: one row for all periods of one cell of one file",
    "sales": "a count of cars of a series in a period, as claimed from one day to another",
    "penetration": "a publisher's own share of a series among all cars in a period, likewise",
    "maker_group": "to which group a brand belonged, and when",
    "price": "what a car costs, from a day on",
    "list_price_count": "how many cars of one official list price were registered in a month",
    "fx_rate": "what a euro is worth in a month",
    "price_index": "consumer prices in a year",
    "tax_rate": "value added or sales tax on cars, from a day on",
    "vehicle": "what kind of car a model is; battery and range of its versions",
    "fsd_price": "what Tesla asks for a package of driver assistance, from a day on",
    "adas_offer": "what other makers ask for driver assistance, from a day on",
    "attach": "what is stated of who uses and pays for driver assistance; each definition by itself",
    "fsd_event": "a rule, approval, launch, chip or recall that concerns FSD",
    "forecast": "what somebody forecast, and what came of it",
    "event": "what happened in a market and is marked on charts; no claim",
    "cross_check": "a rule to which figures are held after every load",
    "cross_check_difference": "two figures that differ under a rule",
}
"""What a row of each table is."""

COLUMNS: Final[Mapping[str, str]] = {
    "basis": "what was counted",
    "battery_kwh": "size of the battery in kWh",
    "billing": "how the offer is paid for",
    "currency": "ISO 4217 code of the money",
    "date_precision": "how exactly the day is known",
    "effective_from": "the first day on which it holds",
    "evidence": "how good the evidence is",
    "evidence_id": "what the publisher cites for it",
    "file": "the file that makes the claim",
    "grain": "the length of the period",
    "id": "number of the row",
    "known_from": "the day since which it is known",
    "known_to": "the day from which the publisher says something else; 9999-12-31 while the claim stands",
    "maker": "whose cars; 'all' the total, 'other' the unnamed rest",
    "market": "where, as a market's code",
    "model": "which model; 'all' for all of the maker's, 'other' for its unnamed rest",
    "note": "what a reader of it must know",
    "package": "name of the package, as offered",
    "period_start": "the first day of the period",
    "powertrain": "what drives the cars",
    "price_kind": "what the price is a price of",
    "range_cycle": "by which test the range was measured",
    "range_km": "range in km by that test",
    "series_id": "the series that it is a figure of",
    "snapshot_id": "the snapshot that first made the claim",
    "source_id": "the source that makes the claim",
    "tax_included": "whether value added or sales tax is in the amount",
    "vehicle_scope": "which vehicles are counted",
    "attach.attach_basis": "what the figure is of; each basis has an axis of its own",
    "cross_check.differing": "how many of the pairs differ",
    "cross_check.meaning": "the rule in words",
    "cross_check.rule": "name of the rule",
    "cross_check_difference.rule": "the rule under which they differ",
    "event.kind": "sort of event, such as policy, tax or subsidy",
    "event.market": "where it happened",
    "event.text": "what happened, in words",
    "event.url": "the address at which it can be read",
    "forecast.forecaster": "who forecast it",
    "forecast.metric": "what is forecast, in the forecaster's own measure",
    "forecast.region": "a market's code, GLOBAL or a larger region",
    "forecast.target_date": "the day for which it is forecast",
    "fsd_event.date": "the day of the event",
    "fsd_event.kind": "sort of event, such as approval, launch or recall",
    "fsd_event.market": "where it happened",
    "fsd_event.text": "what happened, in words",
    "maker.name": "the printed name",
    "maker_group.group_name": "the group's printed name",
    "maker_group.group_slug": "the group, in lower-case ASCII with hyphens",
    "maker_group.maker": "the brand",
    "maker_group.valid_from": "the first day on which the maker is in the group; 1900-01-01 for always",
    "market.kind": "whether it is a country or a region",
    "market.name": "the printed name",
    "model.maker": "whose model it is",
    "model.name": "the printed name",
    "price_index.year": "the calendar year",
    "rejection.column": "the column of the file; empty where none is to blame",
    "rejection.reason": "what is wrong and what to do about it",
    "rejection.snapshot_id": "the snapshot whose row or file it is",
    "rejection.value": "what stands there",
    "schema_version.version": "number of the schema's version",
    "snapshot.bytes": "length of the file in bytes",
    "snapshot.obtained": "how the file came here",
    "snapshot.origin_url": "the address that it was got from",
    "snapshot.rows_duplicate": "rows that say once more what another row says",
    "snapshot.rows_out_of_scope": "rows of what the project does not follow",
    "snapshot.rows_read": "rows in the file",
    "snapshot.rows_rejected": "rows that were not loaded, each in `rejection`",
    "snapshot.rows_unchanged": "rows that say what the file said before",
    "snapshot.sha256": "checksum of the file's bytes, in hexadecimal",
    "snapshot.source_id": "whose file it is",
    "snapshot.status": "what became of it",
    "evidence.source_id": "who cites it",
    "source.cadence": "how often it is expected to change",
    "source.licence": "what others may do with the figures",
    "source.licence_url": "the licence's address",
    "source.publisher": "who publishes it",
    "source.slug": "its name in commands and links",
    "source.states": "what its rows of one market and period amount to",
    "source.title": "its printed name",
    "source.url": "its address",
    "vehicle.body": "shape of the body, such as hatchback, sedan or SUV",
    "vehicle.launch_year": "the year in which it was first sold",
    "vehicle.length_mm": "length in mm",
}
"""Meanings of columns without a comment, by `table.column` or, where it is the same in all tables, by `column`."""


@dataclass(frozen=True)
class ColumnMeaning:
    """A column as the data dictionary has it. `words` names the closed list whose words it takes, if any."""

    name: str
    kind: str
    key: str
    meaning: str
    words: str = ""


@dataclass(frozen=True)
class TableMeaning:
    """A table as the data dictionary has it, with its columns in their order."""

    name: str
    meaning: str
    columns: tuple[ColumnMeaning, ...]


def tables() -> tuple[TableMeaning, ...]:
    """Every table with its columns, in the order of `db/schema.py`; `KeyError` for one without a meaning."""
    return tuple(
        TableMeaning(table.name, TABLES[table.name], tuple(_column(column) for column in table.columns))
        for table in metadata.tables.values()
    )


def _column(column: Column[Any]) -> ColumnMeaning:
    full = f"{column.table.name}.{column.name}"
    meaning = COLUMNS.get(full) or column.comment or COLUMNS[column.name]
    keys = ["primary" for _ in range(column.primary_key)]
    keys += [f"→ {key.target_fullname}" for key in column.foreign_keys]
    keys += ["unique" for _ in range(bool(column.unique))]
    keys += ["may be empty" for _ in range(bool(column.nullable))]
    kind = column.type
    is_word = isinstance(kind, Enum)
    words = kind.enum_class.__name__ if isinstance(kind, Enum) and kind.enum_class else ""
    return ColumnMeaning(
        column.name, "word" if is_word else _KINDS[kind.python_type.__name__], ", ".join(keys), meaning, words
    )


_KINDS: Final = {
    "int": "whole number",
    "float": "number",
    "str": "text",
    "date": "day",
    "datetime": "time",
    "bool": "yes or no",
}
