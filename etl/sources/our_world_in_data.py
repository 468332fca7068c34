"""Our World in Data: electric cars sold, and their share of all cars sold, year by year, for 30 countries.

Two CSV files behind two charts, `Entity,Code,Year` and the figure. What is easily misread:

* The figures are the IEA's, republished: agreement with the IEA confirms nothing.
* An electric car is a battery-electric or a plug-in hybrid one, in both files; there is no split.
* Aggregates stand among the countries. World, Europe and European Union (27) are the IEA's own. "Rest of World" is the
  world less the countries listed, and so a balancing number of rounded figures: it is negative in four years and not
  kept.
* The share is in per cent, 0 to 100.
* The last line has no line end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Final

from db.contents import Source
from db.vocabulary import Cadence, Powertrain, States
from etl.claims import Claims, Refused
from etl.snapshots import Snapshot
from etl.web import Get, Request
from etl.yearly_table import Unreadable, YearlyFigure, cars, share, unknown_market, year, yearly_claims

SOURCE: Final = Source(
    slug="our-world-in-data",
    title="Electric car sales",
    publisher="Our World in Data",
    url="https://ourworldindata.org/grapher/electric-car-sales",
    licence="CC BY 4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    states=States.MARKET,
    cadence=Cadence.YEARLY,
    lag_days=170,
    precedence=210,
    warning=(
        "The IEA's rounded figures, republished, with battery-electric and plug-in hybrid cars as one number; "
        "Europe takes in more than the EU, EFTA and the United Kingdom."
    ),
)

_SALES = "electric-car-sales.csv"
_SHARE = "electric-car-sales-share.csv"
_FIGURES: Final = {_SALES: "Electric cars sold", _SHARE: "Share of new cars that are electric"}
_GRAPHER = "https://ourworldindata.org/grapher/"

_MARKETS: Final = {
    "OWID_WRL": "WORLD",
    "OWID_EU27": "EU",
    "OWID_EUR": "EUROPE",
    "ARE": "AE",
    "AUS": "AU",
    "AUT": "AT",
    "BEL": "BE",
    "BGR": "BG",
    "BRA": "BR",
    "CAN": "CA",
    "CHE": "CH",
    "CHL": "CL",
    "CHN": "CN",
    "COL": "CO",
    "CRI": "CR",
    "CYP": "CY",
    "CZE": "CZ",
    "DEU": "DE",
    "DNK": "DK",
    "ESP": "ES",
    "EST": "EE",
    "FIN": "FI",
    "FRA": "FR",
    "GBR": "GB",
    "GRC": "GR",
    "HRV": "HR",
    "HUN": "HU",
    "IDN": "ID",
    "IND": "IN",
    "IRL": "IE",
    "ISL": "IS",
    "ISR": "IL",
    "ITA": "IT",
    "JOR": "JO",
    "JPN": "JP",
    "KOR": "KR",
    "LTU": "LT",
    "LUX": "LU",
    "LVA": "LV",
    "MEX": "MX",
    "MYS": "MY",
    "NLD": "NL",
    "NOR": "NO",
    "NZL": "NZ",
    "POL": "PL",
    "PRT": "PT",
    "ROU": "RO",
    "RUS": "RU",
    "SVK": "SK",
    "SVN": "SI",
    "SWE": "SE",
    "SYC": "SC",
    "THA": "TH",
    "TUR": "TR",
    "USA": "US",
    "UZB": "UZ",
    "VNM": "VN",
    "ZAF": "ZA",
}
"""The countries that the IEA tells of by ISO 3166 code, also those that this publisher has left out so far."""


def canonical_file(name: str) -> str | None:
    """The name itself for the two files that are read, None for any other."""
    return name if name in _FIGURES else None


def origin_url(file: str) -> str:
    """The address from which the publisher serves `file` today."""
    return f"{_GRAPHER}{file}?v=1&csvType=full&useColumnShortNames=false"


REQUESTS: Final = tuple(Request(file=file, urls=(origin_url(file),)) for file in _FIGURES)


def downloads(get: Get, kept: Collection[str]) -> tuple[Request, ...]:  # noqa: ARG001
    """What to ask the publisher for: the two files, whatever is kept already."""
    return REQUESTS


def published_on(content: bytes) -> date | None:  # noqa: ARG001
    """None: a file of this source does not tell when it came out."""
    return None


def parse(snapshot: Snapshot) -> Claims:
    """What one file claims: yearly sales of BEV and PHEV cars together, or their share of all cars.

    Raises `Refused` with the line for a file with other columns, with a row that is cut or with two figures for one
    cell; a row that cannot be read is among the rejected.
    """
    column = _FIGURES.get(snapshot.file)
    if column is None:
        raise Refused(
            file=snapshot.file,
            line=0,
            problem="is not a file of this source",
            remedy=f"expected {' or '.join(_FIGURES)}",
        )

    def figure(row: Mapping[str, str]) -> YearlyFigure | None:
        if (row["Entity"], row["Code"]) == ("Rest of World", ""):
            return None
        if row["Code"] not in _MARKETS:
            raise Unreadable("Code" if row["Code"] else "Entity", unknown_market(__name__))
        return YearlyFigure(
            market=_MARKETS[row["Code"]],
            powertrain=Powertrain.BEV_PHEV,
            year=year("Year", row["Year"]),
            units=cars(column, row[column]) if snapshot.file == _SALES else None,
            share=share(column, row[column]) if snapshot.file == _SHARE else None,
        )

    return yearly_claims(
        snapshot,
        layouts={"layout of 2026": ("Entity", "Code", "Year", column)},
        read=figure,
        evidence=f"{_GRAPHER}{snapshot.file.removesuffix('.csv')} (Our World in Data, based on IEA, Global EV Outlook)",
    )
