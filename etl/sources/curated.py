"""The curated figures: transcribed by hand from filings and press, one row one address, in the tidy CSV format.

One file one source. `etl/curated/README.md` says how a figure gets in, since when it counts as known, and what was left
out. A file is its own history: a restated figure is a second row with a later day of publication.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import pandas as pd

from db.contents import Source
from db.vocabulary import OPEN_END, Cadence, States
from etl import bundle, records, tidy
from etl.claims import Claims
from etl.sources import ecb_euro_rates

FOLDER: Final = Path(__file__).parents[1] / "curated"
"""Where the curated files are."""

_LICENCE: Final = "Facts, cited one by one"


@dataclass(frozen=True)
class CuratedFile:
    """One curated file and what it is as a source.

    `table` is the table of records that it fills, empty for figures in the tidy format.
    """

    source: Source
    table: str = ""
    folder: Path = FOLDER
    address_optional: bool = False

    @property
    def file(self) -> str:
        """The file's name; its stem is the source's slug."""
        return f"{self.source.slug}.csv"

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / self.file


CURATED: Final = (
    CuratedFile(
        Source(
            slug="tesla-deliveries",
            title="Tesla production and deliveries",
            publisher="Tesla",
            url="https://ir.tesla.com",
            licence=_LICENCE,
            licence_url="https://ir.tesla.com",
            states=States.MAKERS,
            cadence=Cadence.QUARTERLY,
            lag_days=4,
            precedence=50,
            warning=(
                "Tesla's own count worldwide, as first printed: quarters fall short of the restated year by up to some "
                "hundred cars; the groups of models changed with 2019, 2020 and the last quarter of 2023."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="byd-sales",
            title="BYD monthly sales",
            publisher="BYD",
            url="https://www.bydglobal.com",
            licence=_LICENCE,
            licence_url="https://www.bydglobal.com",
            states=States.MAKERS,
            cadence=Cadence.MONTHLY,
            lag_days=4,
            precedence=50,
            warning=(
                "Wholesale of all the group's brands, exports included; plug-in hybrids include range-extended cars; "
                "overseas sales are a part of all vehicles; months that were not read are missing, not zero."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="tesla-china",
            title="Tesla Shanghai: wholesale, retail in China and exports",
            publisher="China Passenger Car Association (CPCA)",
            url="http://www.cpcaauto.com",
            licence=_LICENCE,
            licence_url="http://www.cpcaauto.com",
            states=States.MAKERS,
            cadence=Cadence.MONTHLY,
            lag_days=12,
            precedence=50,
            warning=(
                "Wholesale is retail in China plus exports from Shanghai, never to be added to either; what was called "
                "retail in 2020 is wholesale by today's words; months that were not read are missing."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="china-nev-market",
            title="China's market of electric and plug-in cars",
            publisher="China Passenger Car Association (CPCA)",
            url="http://www.cpcaauto.com",
            licence=_LICENCE,
            licence_url="http://www.cpcaauto.com",
            states=States.MARKET,
            cadence=Cadence.MONTHLY,
            lag_days=12,
            precedence=60,
            warning=(
                "Rounded to thousands by the publisher, so that parts can miss their sum by one; a share is among all "
                "cars of the same basis, wholesale or retail; many months were not read and are missing."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="maker-deliveries",
            title="Other makers' deliveries",
            publisher="The makers, CPCA and Cox Automotive, as the press prints them",
            url="https://cnevpost.com",
            licence=_LICENCE,
            licence_url="https://cnevpost.com",
            states=States.MAKERS,
            cadence=Cadence.MONTHLY,
            lag_days=15,
            precedence=70,
            warning=(
                "Companies' own figures under their printed names: a company may hold several brands (NIO, Geely, VW "
                "Group, HIMA), and their figures overlap; many months were not read and are missing."
            ),
        )
    ),
    CuratedFile(
        Source(
            slug="annual-totals",
            title="Published years",
            publisher="The makers, CPCA and Cox Automotive, as the press prints them",
            url="https://cnevpost.com",
            licence=_LICENCE,
            licence_url="https://cnevpost.com",
            states=States.MAKERS,
            cadence=Cadence.YEARLY,
            lag_days=31,
            precedence=300,
            warning=(
                "For checking sums: Tesla's years of 2015, 2016, 2018 to 2021 exceed the sums of the first-printed "
                "quarters by up to 727 cars; years taken from a later comparison can be restated."
            ),
        )
    ),
)
"""The curated files of cars counted, each a source of its own."""

CURATED_RECORDS: Final = (
    CuratedFile(
        Source(
            slug="ev-prices",
            title="List and paid prices of electric cars",
            publisher="The makers and the press, row by row",
            url="https://ir.tesla.com",
            licence=_LICENCE,
            licence_url="https://ir.tesla.com",
            states=States.RECORDS,
            cadence=Cadence.MONTHLY,
            lag_days=60,
            precedence=50,
            warning=(
                "A price holds from its day until the next of the same trim and kind; 'observed' is a level on a day, "
                "never a change; the day is approximate where marked. Kinds and taxes differ: see each row."
            ),
        ),
        table="price",
    ),
    CuratedFile(
        Source(
            slug="vat-rates",
            title="Value added and sales taxes on new cars",
            publisher="Tax guides and authorities, row by row",
            url="https://taxsummaries.pwc.com",
            licence=_LICENCE,
            licence_url="https://taxsummaries.pwc.com",
            states=States.RECORDS,
            cadence=Cadence.YEARLY,
            lag_days=365,
            precedence=50,
            warning=(
                "The standard rate; registration taxes, luxury taxes and reduced rates for cars are not in it. Where a "
                "tax was in force before the first row, its day is the first of the window, not of the law."
            ),
        ),
        table="tax_rate",
    ),
    CuratedFile(
        Source(
            slug="consumer-prices",
            title="Consumer price indices",
            publisher="World Bank, as the datasets project prints it",
            url="https://github.com/datasets/cpi",
            licence=_LICENCE,
            licence_url="https://github.com/datasets/cpi",
            states=States.RECORDS,
            cadence=Cadence.YEARLY,
            lag_days=380,
            precedence=50,
            warning=(
                "Yearly means, chained from the World Bank's rates of change; a year that is not out yet is missing."
            ),
        ),
        table="price_index",
    ),
    CuratedFile(
        Source(
            slug="vehicles",
            title="Segments, bodies, batteries and ranges",
            publisher="The makers and the press, row by row",
            url="https://ev-database.org",
            licence=_LICENCE,
            licence_url="https://ev-database.org",
            states=States.RECORDS,
            cadence=Cadence.YEARLY,
            lag_days=365,
            precedence=50,
            warning=(
                "One row a model: versions differ. Segment and body without an address are reviewed general knowledge; "
                "figures of battery, range and length have an address or are left out."
            ),
        ),
        table="vehicle",
        folder=FOLDER.with_name("reference"),
        address_optional=True,
    ),
    CuratedFile(
        Source(
            slug="fsd-prices",
            title="What FSD costs",
            publisher="Tesla, as the press prints it",
            url="https://www.tesla.com",
            licence=_LICENCE,
            licence_url="https://www.tesla.com",
            states=States.RECORDS,
            cadence=Cadence.MONTHLY,
            lag_days=60,
            precedence=50,
            warning=(
                "EUR, GBP, AUD, NZD, JPY, KRW and CNY prices include tax, USD and CAD prices do not. The end of "
                "purchase is an end, not a price of zero."
            ),
        ),
        table="fsd_price",
    ),
    CuratedFile(
        Source(
            slug="adas-offers",
            title="What makers ask for driver assistance",
            publisher="The makers and the press, row by row",
            url="https://cnevpost.com",
            licence=_LICENCE,
            licence_url="https://cnevpost.com",
            states=States.RECORDS,
            cadence=Cadence.QUARTERLY,
            lag_days=120,
            precedence=50,
            warning=("Half of the rows rest on mirrors or digests. 'Level' is the SAE level that the maker claims."),
        ),
        table="adas_offer",
    ),
    CuratedFile(
        Source(
            slug="fsd-attach",
            title="What is known of who pays for FSD",
            publisher="Tesla, surveys and estimates, row by row",
            url="https://ir.tesla.com",
            licence=_LICENCE,
            licence_url="https://ir.tesla.com",
            states=States.RECORDS,
            cadence=Cadence.QUARTERLY,
            lag_days=40,
            precedence=50,
            warning=(
                "Take rate of new cars, active over all delivered, over cars in use and over eligible cars are four "
                "different things. Tesla's count holds up-front buyers for ever and is rounded. Surveys and "
                "estimates are marked."
            ),
        ),
        table="attach",
    ),
    CuratedFile(
        Source(
            slug="fsd-events",
            title="Rules, approvals, chips and launches around FSD",
            publisher="The press, row by row",
            url="https://electrek.co",
            licence=_LICENCE,
            licence_url="https://electrek.co",
            states=States.RECORDS,
            cadence=Cadence.MONTHLY,
            lag_days=60,
            precedence=50,
            warning=("What is missing after September 2026 is unknown, not absent."),
        ),
        table="fsd_event",
    ),
    CuratedFile(
        Source(
            slug="fsd-forecasts",
            title="What others forecast of FSD",
            publisher="The forecasters, as the press prints them",
            url="https://electrek.co",
            licence=_LICENCE,
            licence_url="https://electrek.co",
            states=States.RECORDS,
            cadence=Cadence.YEARLY,
            lag_days=365,
            precedence=50,
            warning=("Forecasts are drawn as such and never among observations."),
        ),
        table="forecast",
    ),
)
"""The curated files of records: prices, rates, offers, events."""


def _effective_by_then(row: dict[str, Any]) -> tuple[str, str] | None:
    """A price is announced before it holds, by months at the most; a day far ahead is a slip of the pen."""
    ahead = (row["effective_from"] - row["published_on"]).days if row["published_on"] else 0
    return ("effective_from", f"is {ahead} days after the day of publication") if ahead > 400 else None


@cache
def _rated() -> frozenset[str]:
    """The currencies that the bundled exchange rates know, and the euro."""
    rates = pd.read_csv(bundle.FOLDER / ecb_euro_rates.SOURCE.slug / "fx_rate.csv.gz", usecols=["currency"])
    return frozenset({"EUR", *rates["currency"].unique()})


def _in_a_rated_currency(row: dict[str, Any]) -> tuple[str, str] | None:
    """A price in a currency without any exchange rate could be set against nothing: mostly it is a slip of the pen."""
    if row["currency"] in _rated():
        return None
    return "currency", f"has no exchange rate: it is none of {', '.join(sorted(_rated()))}"


def _above_zero(column: str) -> records.Rule:
    def rule(row: dict[str, Any]) -> tuple[str, str] | None:
        return (column, "is not above zero") if row[column] is not None and row[column] <= 0 else None

    return rule


def _a_fraction(row: dict[str, Any]) -> tuple[str, str] | None:
    return None if 0 <= row["rate"] < 1 else ("rate", "is no fraction from 0 to below 1 (19 % is 0.19)")


def _in_order(row: dict[str, Any]) -> tuple[str, str] | None:
    return None if row["low"] <= row["value"] <= row["high"] else ("value", "does not lie between low and high")


_RULES: Final[dict[str, tuple[records.Rule, ...]]] = {
    "price": (_above_zero("amount"), _effective_by_then, _in_a_rated_currency),
    "fsd_price": (_above_zero("amount"), _effective_by_then, _in_a_rated_currency),
    "tax_rate": (_a_fraction,),
    "price_index": (_above_zero("value"),),
    "attach": (_in_order,),
}
"""What a row has to be beside what its columns say, by table: the constraints of the table, told with the remedy."""

_ACROSS: Final[dict[str, tuple[records.AcrossRule, ...]]] = dict.fromkeys(
    ("price", "fsd_price"), (records.no_tenfold_steps,)
)


def parse(file: str, content: bytes, *, known_on: date = OPEN_END) -> tidy.Tidy:
    """What a curated file says. Every row has an address and a day of publication; one that lacks it is rejected.

    `known_on` is the day on which the file is read: a row that is published later is rejected. Raises `Refused` where
    the file is not of the tidy format. The caller refuses the whole file where a row is rejected.
    """
    return tidy.read(content, file=file, require_address=True, known_on=known_on, require_published_on=True)


def parse_records(file: CuratedFile, content: bytes, *, known_on: date = OPEN_END) -> Claims:
    """The same for a file of records."""
    return records.read(
        content,
        file=file.file,
        table=file.table,
        known_on=known_on,
        rules=_RULES.get(file.table, ()),
        across=_ACROSS.get(file.table, ()),
        address_optional=file.address_optional,
    )
