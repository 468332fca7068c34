"""The closed word lists of the trade as this project uses them: each list is a type, each word has one meaning.

The app prints this file as its glossary, the database checks against it, and a link that uses another word is refused
with the list. Two things that cannot be compared never share a word.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Self

OPEN_END = date(9999, 12, 31)
"""`known_to` of a claim that its publisher has not withdrawn or changed; `valid_to` of what has not ended."""

BEGINNING = date(1900, 1, 1)
"""`valid_from` of what has been so since before our time."""

ALL = "all"
"""The member of a key that stands for the whole: the total over makers, or over a maker's models."""

OTHER = "other"
"""The member of a key that stands for the unnamed rest: of a market (maker `other`) or of a maker (model `other`)."""


class Word(StrEnum):
    """A word of a closed list, with its meaning."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        word = str.__new__(cls, value)
        word._value_ = value
        word.meaning = meaning
        return word


class Basis(Word):
    """What was counted. Figures on different bases are never added, divided or ranked together."""

    PRODUCTION = "production", "cars built"
    WHOLESALE = "wholesale", "cars shipped from the factory to dealers; in Chinese use exports are included"
    EXPORT = "export", "cars shipped abroad"
    RETAIL = "retail", "cars sold to customers in the market"
    DELIVERY = "delivery", "cars handed to customers, as the maker states it, worldwide"
    REGISTRATION = "registration", "cars registered in a market for the first time"
    INSURANCE = "insurance", "cars insured in a market for the first time"


class Powertrain(Word):
    """What drives the car, as stored. A sum that a publisher states without its parts is spelled by its members.

    NEV and plug-in are choices of a reader, never a stored value: publishers mean different sets by them.
    """

    BEV = "BEV", "battery only"
    PHEV = "PHEV", "plug-in hybrid; range-extended cars (EREV) are counted here where the publisher does so"
    FCEV = "FCEV", "hydrogen fuel cell"
    BEV_PHEV = "BEV+PHEV", "battery and plug-in hybrid cars, published as one figure"
    BEV_PHEV_FCEV = "BEV+PHEV+FCEV", "battery, plug-in hybrid and fuel-cell cars, published as one figure"
    ALL = "ALL", "all cars, whatever drives them"


class Grain(Word):
    """The length of a period. A quarter is never cut into months."""

    MONTH = "month", "one calendar month"
    QUARTER = "quarter", "three calendar months from January, April, July or October"
    YEAR = "year", "twelve calendar months from January"

    @property
    def months(self) -> int:
        """How many calendar months a period of this grain spans."""
        return {"month": 1, "quarter": 3, "year": 12}[self.value]


class VehicleScope(Word):
    """Which vehicles are counted."""

    PASSENGER_CAR = "passenger_car", "passenger cars"
    COMMERCIAL_VEHICLE = "commercial_vehicle", "buses, trucks and vans"
    ALL_VEHICLES = "all_vehicles", "passenger cars and commercial vehicles together; never added to either"


class MarketKind(Word):
    """What a market code stands for. Regions overlap their countries and are never added to them."""

    COUNTRY = "country", "one country"
    REGION = "region", "several countries, or the world, as its publisher sums them"


class States(Word):
    """What the rows of a source's one market and period amount to."""

    MARKET = "market", "the market: makers, the unnamed rest and the total, of which each maker's share can be taken"
    MAKERS = "makers", "single makers' own figures, which add up to no market"


class Obtained(Word):
    """How a snapshot came into the project's hands."""

    BUNDLED = "bundled", "ships with the project"
    FOLDER = "folder", "read from a folder that the user named"
    DOWNLOAD = "download", "downloaded from the publisher"
    CURATED = "curated", "transcribed by hand from filings and press, one row one address"
    IMPORTED = "imported", "an analyst's own figures"


class SnapshotStatus(Word):
    """What became of a snapshot."""

    LOADED = "loaded", "its figures are in the database"
    SUPERSEDED = "superseded", "replaced by a later snapshot of the same file from the same day"
    REFUSED = "refused", "nothing of it is in the database; the reason is among the rejections"


class DatePrecision(Word):
    """How exactly a date is known."""

    DAY = "day", "the day is known"
    MONTH = "month", "only the month is known; the date is its first day"
    YEAR = "year", "only the year is known; the date is its first day"
    APPROXIMATE = "approximate", "about that day"


class Cadence(Word):
    """How often a publisher's table is expected to change."""

    MONTHLY = "monthly", "new figures every month"
    QUARTERLY = "quarterly", "new figures every quarter"
    YEARLY = "yearly", "new figures once a year"
