"""All that is known of some markets' prices on a day, as the database gives it, and what of it a reader has chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from dashboard.prices import EURO, CannotConvert, PriceLine, Quote, Rates, TaxRule, Terms, price_lines
from dashboard.selection import InvalidSelection, NotPublished, PowertrainChoice, Real, Selection
from db import Connection, provenance, queries
from db.provenance import Citation
from db.vocabulary import DatePrecision, Evidence, PriceKind, RangeCycle, TaxIncluded


@dataclass(frozen=True)
class Vehicle:
    """What a model is: its size and drive, and its battery and range by one test; what is not known is None."""

    maker: str
    model: str
    powertrain: str
    segment: str
    body: str
    drives: tuple[str, ...]
    battery_kwh: float | None
    range_km: float | None
    range_cycle: RangeCycle
    row: int


@dataclass(frozen=True)
class PriceBook:
    """All that is known of some markets' prices on a day, with what converts them.

    `frame` and `vehicle_frame` are the stored rows, see `queries.records`: quotes and vehicles name their place in
    them. `names` are those of makers and models by slug, `market_names` those of markets by code.
    """

    quotes: tuple[Quote, ...]
    rates: Rates
    vehicles: tuple[Vehicle, ...]
    frame: pd.DataFrame
    vehicle_frame: pd.DataFrame
    rate_frames: Mapping[str, pd.DataFrame]
    names: Mapping[str, str]
    market_names: Mapping[str, str]
    as_of: date | None = None

    def lines(self) -> tuple[PriceLine, ...]:
        """The quotes put together into lines, by key."""
        return price_lines(self.quotes)


def price_book(
    connection: Connection,
    *,
    as_of: date | None = None,
    markets: Sequence[str] = (),
    makers: Sequence[str] = (),
    models: Sequence[str] = (),
    currency: str = "local",
    quotes_only: bool = False,
) -> PriceBook:
    """What is known of prices on a day, of all or of some markets, makers and models.

    With it come the vehicles, taxes and indices of these prices, as known on the day too, and for a `currency` that is
    not `local` the rates that exchange them into it; for a chart of changes in price, `quotes_only`, none of these.
    """
    only = {name: chosen for name, chosen in (("market", markets), ("maker", makers), ("model", models)) if chosen}
    frame = queries.records(connection, "price", as_of=as_of, **only)
    nouns = queries.names(connection)
    book = PriceBook(
        quotes=tuple(_quotes(frame)),
        rates=Rates(),
        vehicles=(),
        frame=frame,
        vehicle_frame=pd.DataFrame(),
        rate_frames={},
        names=nouns.makers_and_models,
        market_names=nouns.markets,
        as_of=as_of,
    )
    if quotes_only:
        return book
    vehicles = queries.records(connection, "vehicle", as_of=as_of, model=set(frame["model"]))
    places = set(frame["market"])
    exchanged = set() if currency == "local" else {currency, *frame["currency"]}
    rates = {
        "fx_rate": queries.exchange_rates(connection, as_of=as_of, currency=exchanged),
        "tax_rate": queries.records(connection, "tax_rate", as_of=as_of, market=places),
        "price_index": queries.records(connection, "price_index", as_of=as_of, market=places),
    }
    return replace(
        book,
        rates=rates_from(**rates),
        vehicles=tuple(_vehicles(vehicles)),
        vehicle_frame=vehicles,
        rate_frames=rates,
    )


def _quotes(frame: pd.DataFrame) -> Iterable[Quote]:
    for row, told in enumerate(frame.to_dict("records")):
        yield Quote(
            market=told["market"],
            maker=told["maker"],
            model=told["model"],
            trim=told["trim"],
            powertrain=told["powertrain"],
            kind=PriceKind(told["price_kind"]),
            currency=told["currency"],
            tax_included=TaxIncluded(told["tax_included"]),
            day=told["effective_from"],
            precision=DatePrecision(told["date_precision"]),
            amount=told["amount"],
            battery_kwh=_stated(told["battery_kwh"]),
            range_km=_stated(told["range_km"]),
            range_cycle=RangeCycle(told["range_cycle"]),
            evidence=Evidence(told["evidence"]),
            note=told["note"],
            row=row,
        )


def _vehicles(frame: pd.DataFrame) -> Iterable[Vehicle]:
    for row, told in enumerate(frame.to_dict("records")):
        yield Vehicle(
            maker=told["maker"],
            model=told["model"],
            powertrain=told["powertrain"],
            segment=told["segment"],
            body=told["body"],
            drives=tuple(told["drive"].split(";")) if told["drive"] else (),
            battery_kwh=_stated(told["battery_kwh"]),
            range_km=_stated(told["range_km"]),
            range_cycle=RangeCycle(told["range_cycle"]),
            row=row,
        )


def _stated(value: float) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def rates_from(*, fx_rate: pd.DataFrame, tax_rate: pd.DataFrame, price_index: pd.DataFrame) -> Rates:
    """The rates in frames of `queries.records`: of the tables of these names, all of them or a part."""
    taxes: dict[tuple[str, str], list[tuple[date, TaxRule]]] = {}
    for told in tax_rate.sort_values("effective_from", kind="stable").to_dict("records"):
        rule = TaxRule(rate=told["rate"], above=told["above"])
        taxes.setdefault((told["market"], told["applies_to"]), []).append((told["effective_from"], rule))
    return Rates(
        exchange={
            (currency, month): rate
            for currency, month, rate in fx_rate[["currency", "period_start", "rate"]].itertuples(index=False)
        },
        taxes=taxes,
        index={
            (market, year): level
            for market, year, level in price_index[["market", "year", "value"]].itertuples(index=False)
        },
    )


# What a reader has chosen


def chosen_book(connection: Connection, selection: Selection) -> PriceBook:
    """The book of a selection's markets, makers and models, of its powertrain, segment and kind, within its dates.

    A maker that is named keeps all its models unless one of them is named too. Raises `InvalidSelection` for a maker,
    model, market, segment or currency that there is no price of.
    """
    book = price_book(
        connection,
        as_of=selection.as_of,
        markets=selection.market,
        makers=selection.makers,
        models=() if selection.makers else selection.models,
        currency=selection.currency,
    )
    known = queries.price_nouns(connection, as_of=selection.as_of)
    if not known.markets:
        raise NotPublished(f"no price was known on {selection.as_of}", nearest=replace(selection, as_of=None))
    for name, chosen, valid in (
        ("market", selection.market, known.markets),
        ("makers", selection.makers, known.makers),
        ("models", selection.models, known.models),
    ):
        for slug in chosen:
            if slug not in valid:
                raise InvalidSelection(f"no price is known of {name}={slug}", name=name, valid=tuple(sorted(valid)))
    _check_currency(connection, selection, book)
    if selection.segment and not any(vehicle.segment.lower() == selection.segment for vehicle in book.vehicles):
        segments = queries.records(connection, "vehicle", as_of=selection.as_of)["segment"].str.lower()
        if selection.segment not in set(segments):
            sizes = tuple(sorted(set(segments) - {""}))
            raise InvalidSelection(f"segment={selection.segment} is unknown", name="segment", valid=sizes)
    narrowed = {quote.maker for quote in book.quotes if quote.model in selection.models}
    of_size = {
        vehicle.model
        for vehicle in book.vehicles
        if not selection.segment or vehicle.segment.lower() == selection.segment
    }
    return replace(
        book,
        quotes=tuple(
            quote
            for quote in book.quotes
            if _is_chosen(quote, selection)
            and (quote.model in selection.models or quote.maker not in narrowed)
            and (not selection.segment or quote.model in of_size)
        ),
    )


def _check_currency(connection: Connection, selection: Selection, book: PriceBook) -> None:
    rated = {"local", EURO, *(currency for currency, _ in book.rates.exchange)}
    if selection.currency not in rated:
        known = queries.exchange_rates(connection, as_of=selection.as_of)["currency"]
        raise InvalidSelection(
            f"no exchange rate of {selection.currency} is known",
            name="currency",
            valid=("local", *sorted({EURO, *known})),
        )


def _is_chosen(quote: Quote, selection: Selection) -> bool:
    drives = {PowertrainChoice.BEV: ("BEV",), PowertrainChoice.PHEV: ("PHEV",)}.get(selection.powertrain)
    month = quote.day.replace(day=1)
    return (
        (drives is None or quote.powertrain in drives)
        and (selection.price_kind is None or quote.kind is selection.price_kind)
        and (selection.since is None or month >= selection.since)
        and (selection.until is None or month <= selection.until)
    )


def terms_of(selection: Selection, book: PriceBook) -> Terms:
    """How a selection wants its prices; `CannotConvert` where real prices are asked of markets without an index."""
    base = None
    if selection.real is Real.REAL:
        markets = sorted({quote.market for quote in book.quotes})
        base = book.rates.last_index_year(markets)
        if base is None:
            lacking = [code for code in markets if book.rates.last_index_year([code]) is None]
            raise CannotConvert(f"consumer prices of {', '.join(lacking or markets)} are not known")
    return Terms(currency=selection.currency, tax=selection.tax, on=selection.date, base_year=base)


def cited(connection: Connection, book: PriceBook, terms: Terms, rows: Iterable[int]) -> tuple[Citation, ...]:
    """The publishers behind some rows of the book, and behind what converted them."""
    frames = [book.frame.iloc[sorted(set(rows))]]
    if terms.currency != "local":
        frames.append(book.rate_frames["fx_rate"])
    if terms.tax is not None:
        frames.append(book.rate_frames["tax_rate"])
    if terms.base_year is not None:
        frames.append(book.rate_frames["price_index"])
    return provenance.record_citations(connection, *frames, as_of=book.as_of)
