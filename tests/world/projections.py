"""A made-up record of the projection: of 100,000 cars a quarter 50,000 go to the US, 20,000 each to Europe, China."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from dashboard import projected
from dashboard.projected import Told
from dashboard.projections import fitting
from dashboard.projections.parameters import known
from dashboard.projections.scenarios import world
from dashboard.projections.scoring import FORCED, PSEUDO, STRICT, Prediction
from db.database import open_engine
from etl import pipeline
from tests.dashboard.test_precedence import state
from tests.world.records import told

TODAY: Final = date(2026, 8, 1)
PAST: Final = date(2024, 5, 31)
_FIRST, _PAST_END, _END = 2019 * 4, 2024 * 4, 2026 * 4 + 1

_SOLD: Final = (
    ("WORLD", "delivery", 100_000),
    ("US", "registration", 50_000),
    ("NL", "registration", 20_000),
    ("CN", "retail", 20_000),
)
"""Cars a quarter, where and as what."""

COUNTS: Final = {"2025-06-30": 300_000, "2025-12-31": 400_000, "2026-06-30": 500_000}
"""Users worldwide as disclosed, each a month later: 50,000 more a quarter."""


def tell(engine: Engine) -> None:
    """Load the made-up record: known up to the first quarter of 2024 in May 2024, up to the second of 2026 now."""
    for slug, quarters, published_on in (
        ("old", range(_FIRST, _PAST_END + 1), date(2024, 4, 2)),
        ("new", range(_PAST_END + 1, _END + 1), date(2026, 7, 2)),
    ):
        names = [f"{quarter // 4}-Q{quarter % 4 + 1}" for quarter in quarters]
        for market, basis, cars in _SOLD:
            rows = [(name, "tesla", cars) for name in names]
            state(engine, f"{slug}-{market.lower()}", *rows, market=market, basis=basis, published_on=published_on)
    address = {"source_url": "https://made-up.example", "evidence": "disclosed", "date_precision": "day"}
    price = address | {"market": "US", "maker": "Tesla", "currency": "USD", "published_on": "2021-07-16"}
    told(
        engine,
        "fsd_price",
        price | {"package": "FSD", "billing": "one_off", "effective_from": "2020-01-01", "amount": 8000},
        price | {"package": "FSD_subscription", "billing": "month", "effective_from": "2021-07-16", "amount": 100},
        known_on=TODAY,
    )
    paid = {"model": "ALL", "unit": "count", "source_url": "https://made-up.example", "estimator": "Tesla"}
    stocks = {"NAM": 100_000, "EU": 20_000, "APAC": 10_000}
    surveyed = [
        paid
        | {"as_of": "2021-06-30", "region": region, "attach_basis": "paid_users", "evidence": "survey"}
        | {"value": cars, "low": cars, "high": cars, "published_on": "2021-12-01"}
        for region, cars in stocks.items()
    ]
    counted = [
        paid
        | {"as_of": day, "region": "GLOBAL", "attach_basis": "active_subscriptions", "evidence": "disclosed"}
        | {"value": cars, "low": cars - 5000, "high": cars + 5000, "published_on": "2026-07-22"}
        for day, cars in COUNTS.items()
    ]
    told(engine, "attach", *surveyed, *counted, known_on=TODAY)
    launch = {"market": "CN", "kind": "launch", "text": "A launch", "source_url": "https://made-up.example"}
    launch |= {"date": "2025-02-25", "date_precision": "day", "published_on": "2025-02-25"}
    told(engine, "fsd_event", launch, known_on=TODAY)
    said = {"source_url": "https://made-up.example", "region": "GLOBAL", "published_on": "2025-11-06", "unit": "count"}
    told(
        engine,
        "forecast",
        said
        | {"made_on": "2025-11-06", "forecaster": "Somebody (Bank)", "target_date": "2030-12-31"}
        | {"metric": "active_subscriptions", "value": "1000000", "low": 1_000_000, "high": 1_000_000},
        known_on=TODAY,
    )
    rate = {"source_url": "https://made-up.example", "published_on": "2026-07-01"}
    months = [f"{year}-{month:02d}-01" for year, month in product(range(2019, 2027), (1, 4))]
    rates = [
        rate | {"period_start": month, "currency": currency, "rate": 1}
        for month in months
        for currency in ("USD", "CAD", "CNY", "KRW", "AUD", "JPY")
    ]
    told(engine, "fx_rate", *rates, known_on=TODAY)
    tax = rate | {"tax": "VAT", "applies_to": "all", "effective_from": "2018-01-01", "rate": 0.25, "above": 0}
    told(engine, "tax_rate", *(tax | {"market": code} for code in ("NL", "CN", "KR", "AU", "JP")), known_on=TODAY)


def read(engine: Engine, *, as_of: date | None = None) -> Told:
    """The made-up record as known on a day."""
    with engine.connect() as connection:
        return projected.told(connection, as_of=as_of, today=TODAY)


def fit(of: Told, *, particles: int = 200) -> Path:
    """Keep a fit of few particles under the record's identity, as if it were a whole one."""
    setting, priors = world(of.record), known(of.record.as_of)
    made = fitting.fit(setting, priors, particles=particles, kept=particles)
    identity = fitting.identity(setting, priors)
    return fitting.save(replace(made, identity=identity, distinct=4000, particles=4000, steps=()), of.folder)


def predictions() -> tuple[Prediction, ...]:
    """Made-up back-tests: two of three counts inside, the median 10 % too low, the line right."""
    return tuple(
        Prediction(
            kind=kind, cut=2025 * 4 + 1, quarter=quarter, actual=actual, p10=0.8 * actual, p50=0.9 * actual,
            p90=high * actual, mean=0.9 * actual, crps=10_000.0, last_value=300_000.0, line=actual,
        )
        for kind in (PSEUDO, FORCED, STRICT)
        for quarter, actual, high in (
            (2025 * 4 + 2, 350_000.0, 1.1), (2025 * 4 + 3, 400_000.0, 1.1), (_END, 500_000.0, 0.95),
        )
    )  # fmt: skip


def fitted(folder: Path) -> Engine:
    """An engine on the made-up record with its fits, now and in May 2024, in a folder."""
    engine = open_engine(f"sqlite:///{folder / 'ev_market.sqlite'}")
    pipeline.create(engine)
    tell(engine)
    for as_of in (None, PAST):
        fit(read(engine, as_of=as_of))
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return engine
