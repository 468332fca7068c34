"""Made-up prices and vehicles in a database: a row is what differs from a plain one."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from sqlalchemy import Engine

from db import database, store
from db.contents import Receipt, Source
from db.vocabulary import Cadence, Obtained, States
from etl.harmonize import harmonize, reference
from etl.records import columns, read

KNOWN: Final = date(2025, 6, 1)

PRICE: Final = {
    "market": "KR",
    "maker": "Tesla",
    "model": "Model Y",
    "trim": "RWD",
    "powertrain": "BEV",
    "currency": "KRW",
    "price_kind": "list",
    "tax_included": "yes",
    "effective_from": "2025-01-10",
    "amount": "300",
    "date_precision": "day",
    "evidence": "press",
    "range_cycle": "none",
    "source_url": "https://made-up.example/price",
    "published_on": "2025-01-10",
}
VEHICLE: Final = {
    "maker": "Tesla",
    "model": "Model Y",
    "powertrain": "BEV",
    "range_cycle": "WLTP",
    "segment": "D-SUV",
    "source_url": "https://made-up.example/vehicle",
    "published_on": "2024-01-01",
}


def prices(engine: Engine, *rows: Mapping[str, object]) -> None:
    """Load a file of prices, each a row that differs from `PRICE` as given."""
    _load(engine, "price", [{**PRICE, **row} for row in rows])


def vehicles(engine: Engine, *rows: Mapping[str, object]) -> None:
    """Load a file of vehicles, each a row that differs from `VEHICLE` as given."""
    _load(engine, "vehicle", [{**VEHICLE, **row} for row in rows])


def rates(engine: Engine, table: str, *rows: Mapping[str, object]) -> None:
    """Load a file of `fx_rate`, `tax_rate` or `price_index`: rows without address and day."""
    told = {"source_url": "https://made-up.example/rate", "published_on": "2020-01-01"}
    _load(engine, table, [{**told, **row} for row in rows])


def told(engine: Engine, table: str, *rows: Mapping[str, object], known_on: date = KNOWN) -> None:
    """Load a file of any table of records, as of a day: whole rows but for what is optional."""
    _load(engine, table, rows, known_on=known_on)


def _load(engine: Engine, table: str, rows: Sequence[Mapping[str, object]], *, known_on: date = KNOWN) -> None:
    slug = f"made-up-{table}s"
    source = Source(
        slug=slug,
        title=f"Made-up {table}s",
        publisher="Nobody",
        url="https://made-up.example",
        licence="CC0",
        licence_url="https://licence.example",
        states=States.RECORDS,
        cadence=Cadence.MONTHLY,
        lag_days=10,
        precedence=900,
        warning="",
    )
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns(table), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    claims = read(stream.getvalue().encode(), file=f"{slug}.csv", table=table, known_on=known_on)
    assert not claims.rejected, claims.rejected
    receipt = Receipt(slug, f"{slug}.csv", known_on, source.url, None, slug, 1, Obtained.CURATED)
    with database.writing(engine) as connection:
        store.load_dated(connection, source=source, receipt=receipt, contents=harmonize(claims, reference()))
