"""IEA Global EV Data: cars sold by powertrain, and the electric share of all cars, year by year, for 55 countries.

One CSV a yearly edition of the Global EV Outlook (spring), long: one row is one figure. What is easily misread:

* The 2024 edition has a column `region`; the 2025 edition calls it `region_country` and adds `Aggregate group`. A third
  layout is refused rather than guessed at.
* Each edition restates the past. Both are vintages of one file, each known from the day of its publication.
* Cars, vans, buses, trucks, stocks, chargers and projections share the table. Only past sales of cars are kept, and the
  electric share of past car sales.
* "EV" in the share is battery and plug-in hybrid cars, without fuel-cell cars. The table itself shows that: where only
  fuel-cell cars were sold (Iceland 2010) no share is stated, and all of Iceland's cars, as they follow from the share
  of its stock, stay at 210,000 from 2010 to 2012 only if its 20 fuel-cell cars are left out (they fall from 510,000 to
  320,000 otherwise).
* Figures are rounded to two significant digits. The 2024 edition prints shares as single-precision numbers with nine
  decimals, 2.299999952 for 2.3.
* A zero is never printed: what is missing is unknown or none.
* Europe is wider than the EU, EFTA and the United Kingdom; the rest of the world is what an edition does not list.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import numpy as np

from db.contents import Source
from db.vocabulary import Cadence, Powertrain, States
from etl.claims import Claims, Refused
from etl.snapshots import Snapshot
from etl.web import Get, Request
from etl.yearly_table import Unreadable, YearlyFigure, cars, share, unknown_market, year, yearly_claims

SOURCE: Final = Source(
    slug="iea-global-ev-data",
    title="Global EV Data",
    publisher="International Energy Agency",
    url="https://www.iea.org/data-and-statistics/data-tools/global-ev-data-explorer",
    licence="CC BY 4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    states=States.MARKET,
    cadence=Cadence.YEARLY,
    lag_days=140,
    precedence=200,
    warning=(
        "Rounded to two significant digits, so that parts need not add up to their sum; "
        "Europe takes in more than the EU, EFTA and the United Kingdom."
    ),
)

FILE: Final = "global-ev-data.csv"
FIRST_YEAR: Final = 2010
_NAMES = re.compile(r"global-ev-data\.csv|IEA Global EV Data 20[0-9]{2}\.csv|EVDataExplorer20[0-9]{2}\.csv")
_API = "https://api.iea.org/evs?parameters={parameter}&category=Historical&mode=Cars&year={year}&csv=true"


@dataclass(frozen=True)
class _Edition:
    """A yearly edition of the Global EV Outlook. It tells the past up to the year before its own."""

    year: int
    published_on: date
    columns: tuple[str, ...]

    @property
    def cited(self) -> str:
        return f"https://www.iea.org/reports/global-ev-outlook-{self.year} (IEA, Global EV Outlook {self.year})"


_COLUMNS = ("category", "parameter", "mode", "powertrain", "year", "unit", "value")
_EDITIONS: Final = (
    _Edition(year=2024, published_on=date(2024, 4, 23), columns=("region", *_COLUMNS)),
    _Edition(year=2025, published_on=date(2025, 5, 14), columns=("region_country", *_COLUMNS, "Aggregate group")),
)
_LAYOUTS: Final = {f"{edition.year} edition": edition.columns for edition in _EDITIONS}

_POWERTRAINS: Final = {"BEV": Powertrain.BEV, "PHEV": Powertrain.PHEV, "FCEV": Powertrain.FCEV}
_MARKETS: Final = {
    "World": "WORLD",
    "EU27": "EU",
    "Europe": "EUROPE",
    "Australia": "AU",
    "Austria": "AT",
    "Belgium": "BE",
    "Brazil": "BR",
    "Bulgaria": "BG",
    "Canada": "CA",
    "Chile": "CL",
    "China": "CN",
    "Colombia": "CO",
    "Costa Rica": "CR",
    "Croatia": "HR",
    "Cyprus": "CY",
    "Czech Republic": "CZ",
    "Denmark": "DK",
    "Estonia": "EE",
    "Finland": "FI",
    "France": "FR",
    "Germany": "DE",
    "Greece": "GR",
    "Hungary": "HU",
    "Iceland": "IS",
    "India": "IN",
    "Indonesia": "ID",
    "Ireland": "IE",
    "Israel": "IL",
    "Italy": "IT",
    "Japan": "JP",
    "Jordan": "JO",
    "Korea": "KR",
    "Latvia": "LV",
    "Lithuania": "LT",
    "Luxembourg": "LU",
    "Malaysia": "MY",
    "Mexico": "MX",
    "Netherlands": "NL",
    "New Zealand": "NZ",
    "Norway": "NO",
    "Poland": "PL",
    "Portugal": "PT",
    "Romania": "RO",
    "Russia": "RU",
    "Seychelles": "SC",
    "Slovakia": "SK",
    "Slovenia": "SI",
    "South Africa": "ZA",
    "Spain": "ES",
    "Sweden": "SE",
    "Switzerland": "CH",
    "Thailand": "TH",
    "Turkiye": "TR",
    "USA": "US",
    "United Arab Emirates": "AE",
    "United Kingdom": "GB",
    "Uzbekistan": "UZ",
    "Viet Nam": "VN",
}
_OTHER_REGIONS: Final = frozenset(
    {
        "Africa",
        "Asia Pacific",
        "Central and South America",
        "Middle East and Caspian",
        "North America",
        "Rest of the world",
    }
)
"""Sums whose members other publishers draw differently, so that nothing could be compared with them."""


def canonical_file(name: str) -> str | None:
    """`global-ev-data.csv` for the CSV of any edition, by the name that the IEA gives it; None for other files.

    The workbooks (.xlsx) hold the same rows and are left alone.
    """
    return FILE if _NAMES.fullmatch(name) else None


def origin_url(file: str) -> str:  # noqa: ARG001 - there is one file
    """The page on which the IEA offers `file`."""
    return SOURCE.url


def downloads(get: Get, kept: Collection[str], *, this_year: int | None = None) -> tuple[Request, ...]:  # noqa: ARG001
    """What to ask the IEA for: sales, then shares, of each year from 2010 to the one before `this_year` (now).

    The answers make one file. An answer without the shares would look as if the IEA had withdrawn them.
    """
    years = range(FIRST_YEAR, this_year or datetime.now(UTC).year)
    urls = [
        _API.format(parameter=parameter, year=year)
        for parameter in ("EV%20sales", "EV%20sales%20share")
        for year in years
    ]
    return (Request(file=FILE, urls=tuple(urls), join=join, origin_url=SOURCE.url),)


def join(parts: Sequence[bytes]) -> bytes:
    """The answers for single years as one file, in their order and with the header once.

    Raises `Refused` for no parts at all and for a part whose header is not that of the first.
    """
    if not parts:
        raise Refused(file=FILE, line=0, problem="was answered with nothing", remedy="download it again")
    first, _, _ = parts[0].partition(b"\n")
    joined = [first.rstrip(b"\r") + b"\n"]
    for number, part in enumerate(parts, start=1):
        header, _, rows = part.partition(b"\n")
        if header.rstrip(b"\r") != first.rstrip(b"\r"):
            raise Refused(
                file=FILE,
                line=0,
                problem=(
                    f"answer {number} of {len(parts)} begins with {_shown(header.rstrip())} "
                    f"and the first with {_shown(first.rstrip())}"
                ),
                remedy="download it again; if the IEA serves it so, the connector has to learn the new form",
                value=_shown(header.rstrip()),
            )
        if rows:
            joined.append(rows if rows.endswith(b"\n") else rows + b"\n")
    return b"".join(joined)


def published_on(snapshot_content: bytes) -> date | None:
    """The day on which the edition with this content was published, None where it is no known edition.

    An edition is known by its layout and by the last year whose sales it tells: an answer of the live service in the
    same layout tells a later one, and is no edition.
    """
    edition = _edition(snapshot_content)
    return edition.published_on if edition else None


def parse(snapshot: Snapshot) -> Claims:
    """What one edition claims: yearly sales of BEV, PHEV and FCEV cars, and the share of BEV and PHEV among all cars.

    All else in it is counted as out of scope. Raises `Refused` with the line for a file in another layout, with a row
    that is cut or with two figures for one cell; a row that cannot be read is among the rejected.
    """
    if snapshot.file != FILE:
        raise Refused(
            file=snapshot.file, line=0, problem="is not a file of this source", remedy=f"expected {FILE} or an edition"
        )
    edition = _edition(snapshot.content)
    return yearly_claims(
        snapshot,
        layouts=_LAYOUTS,
        read=_figure,
        evidence=edition.cited if edition else f"{SOURCE.url} (IEA, Global EV Data Explorer)",
    )


def _figure(row: Mapping[str, str]) -> YearlyFigure | None:
    if (row["category"], row["mode"]) != ("Historical", "Cars") or row["parameter"] not in (
        "EV sales",
        "EV sales share",
    ):
        return None
    place = "region" if "region" in row else "region_country"
    if row[place] in _OTHER_REGIONS:
        return None
    if row[place] not in _MARKETS:
        raise Unreadable(place, unknown_market(__name__))
    is_share = row["parameter"] == "EV sales share"
    powertrains = {"EV": Powertrain.BEV_PHEV} if is_share else _POWERTRAINS
    if row["powertrain"] not in powertrains:
        raise Unreadable("powertrain", f"is no powertrain of {row['parameter']}; known are {', '.join(powertrains)}")
    unit = "percent" if is_share else "Vehicles"
    if row["unit"] != unit:
        raise Unreadable("unit", f"is not the unit of {row['parameter']}, {unit}")
    return YearlyFigure(
        market=_MARKETS[row[place]],
        powertrain=powertrains[row["powertrain"]],
        year=year("year", row["year"]),
        units=None if is_share else cars("value", row["value"]),
        share=share("value", _as_rounded(row["value"])) if is_share else None,
    )


def _as_rounded(percent: str) -> str:
    """A share as it was rounded, where it is printed as a single-precision number; any other text as it is.

    >>> _as_rounded("2.299999952"), _as_rounded("0.006500000134110451"), _as_rounded("2.3"), _as_rounded("a")
    ('2.3', '0.0065', '2.3', 'a')
    """
    if not re.fullmatch(r"[0-9]{1,3}\.[0-9]+", percent):
        return percent
    single = np.float32(percent)
    printed = Decimal(percent) == Decimal(f"{single:.9f}") or float(percent) == float(single)
    return str(single) if printed else percent


def _edition(content: bytes) -> _Edition | None:
    reader = csv.DictReader(io.StringIO(content.decode("utf-8", "replace"), newline=""))
    try:
        columns = set(reader.fieldnames or ())
        years = [str(row.get("year")) for row in reader if row.get("category") == "Historical"]
    except csv.Error:
        return None
    known = {(frozenset(edition.columns), str(edition.year - 1)): edition for edition in _EDITIONS}
    return known.get((frozenset(columns), max(years, default="")))


def _shown(header: bytes) -> str:
    return repr(header[:120].decode("utf-8", "replace"))
