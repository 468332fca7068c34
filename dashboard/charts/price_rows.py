"""Prices as a download has them, the keys of their points, and the stored claims behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard.charts.chart import DOWNLOAD_COLUMNS, Point
from dashboard.charts.price_words import day_of, money, price_name
from dashboard.price_book import PriceBook
from dashboard.prices import LineKey, Price, Quote
from db import Connection, provenance
from db.vocabulary import ALL

PRICE_COLUMNS = (
    *DOWNLOAD_COLUMNS,
    "currency",
    "price_kind",
    "tax",
    "trim",
    "date_precision",
    "evidence",
    "url",
    "published_price",
    "published_currency",
    "published_tax",
    "converted_by",
)
"""The columns of a price: those of every download, its terms, and how it was published."""


def price_row(price: Price, book: PriceBook, *, tax: str = "", flags: Iterable[str] = ()) -> dict[str, Any]:
    """A price as a row of `PRICE_COLUMNS`. `tax` is what the reader asked for, empty for as published."""
    quote, given = price.quote, price.given
    stored: dict[str, Any] = {name: book.frame.at[quote.row, name] for name in ("source", "known_from", "url")}
    return {
        "period_start": quote.day.isoformat(),
        "grain": "",
        "window": "",
        "market": quote.market,
        "basis": "",
        "powertrain": quote.powertrain,
        "of": "",
        "maker": quote.maker,
        "model": quote.model,
        "maker_name": "All makers" if quote.maker == ALL else book.names[quote.maker],
        "model_name": "All models" if quote.model == ALL else book.names[quote.model],
        "measure": "price",
        "value": given.amount,
        "low": given.amount,
        "high": given.amount,
        "unit": given.currency,
        "flags": ";".join(flags),
        "source": stored["source"],
        "known_from": stored["known_from"].isoformat(),
        "currency": given.currency,
        "price_kind": quote.kind.value,
        "tax": tax or quote.tax_included.value,
        "trim": quote.trim,
        "date_precision": quote.precision.value,
        "evidence": quote.evidence.value,
        "url": stored["url"],
        "published_price": quote.amount,
        "published_currency": quote.currency,
        "published_tax": quote.tax_included.value,
        "converted_by": "; ".join(given.done),
    }


def price_rows(prices: Iterable[Price], book: PriceBook, *, tax: str = "") -> pd.DataFrame:
    """Prices as rows of `PRICE_COLUMNS`, in the order given."""
    return pd.DataFrame([price_row(price, book, tax=tax) for price in prices], columns=list(PRICE_COLUMNS))


# Points and receipts


def line_id(key: LineKey | Quote) -> str:
    """What names a line among those of a maker, where a point of cars has its model."""
    tax = key.tax_included.value
    return "|".join((key.model, key.trim, key.powertrain, key.kind.value, key.currency, tax))


def point_key(quote: Quote) -> list[Any]:
    """What a click on a quote hands over: market, maker, line and day."""
    return [quote.market, quote.maker, line_id(quote), quote.day.toordinal()]


def quotes_at(point: Point, quotes: Iterable[Quote]) -> list[Quote]:
    """The quotes that a point made by `point_key` is of: several where a price was told twice."""
    of = [point.market, point.maker, point.model, point.period_start]
    return [quote for quote in quotes if point_key(quote) == of]


def price_receipts(connection: Connection, book: PriceBook, quotes: Sequence[Quote]) -> pd.DataFrame:
    """The stored claims of some quotes, as `provenance.record_receipts` gives them, in the same order."""
    rows = book.frame.iloc[[quote.row for quote in quotes]].assign(
        day=[quote.day for quote in quotes],
        about=[_about(quote, book.names) for quote in quotes],
        stated=[money(quote.amount, quote.currency) for quote in quotes],
    )
    return provenance.record_receipts(connection, rows)


def _about(quote: Quote, names: Mapping[str, str]) -> str:
    precision = "" if quote.is_dated and day_of(quote)[0].isdigit() else f" ({day_of(quote)})"
    return f"{price_name(quote, names)}, {quote.market}{precision}"


def row_receipts(connection: Connection, book: PriceBook, of_rows: Sequence[Sequence[Quote]]) -> pd.DataFrame:
    """The claims behind the rows of a download, given the quotes behind each: with the row's number in `row`."""
    behind = [(number, quote) for number, quotes in enumerate(of_rows) for quote in quotes]
    claims = price_receipts(connection, book, [quote for _, quote in behind])
    return claims.assign(row=[number for number, _ in behind])
