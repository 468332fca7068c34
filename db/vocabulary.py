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
    RECORDS = "records", "prices, rates, offers or events: no counts of cars in a market"


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
    WEEK = "week", "only the week is known"
    MONTH = "month", "only the month is known; the date is its first day"
    QUARTER = "quarter", "only the quarter is known; the date is its first day"
    YEAR = "year", "only the year is known; the date is its first day"
    APPROXIMATE = "approximate", "about that day"
    OBSERVED = "observed", "it held on that day, and may have begun earlier: a level, never a change"
    INFERRED = "inferred", "worked out from context, not printed"


class Evidence(Word):
    """How good the evidence of a transcribed figure is."""

    PRIMARY = "primary", "the company's or authority's own page"
    DISCLOSED = "disclosed", "stated by the company itself"
    PRESS = "press", "printed by a newspaper, magazine or news site"
    SECONDARY = "secondary", "a mirror, digest or tracker of what others printed"
    SURVEY = "survey", "asked of some owners"
    ESTIMATE = "estimate", "worked out by somebody, not counted"


class PriceKind(Word):
    """What a price is a price of. Prices of two kinds never make one line."""

    LIST = "list", "the maker's list price of a named trim"
    STARTING = "starting", "the list price of the cheapest version, where the source names no trim"
    AFTER_INCENTIVE = "after_incentive", "the list price less a subsidy or a maker's bonus"
    TRANSACTION_AVG = "transaction_avg", "the average paid, over a brand or a market, as estimated by its publisher"


class TaxIncluded(Word):
    """Whether value added or sales tax is in a printed price."""

    YES = "yes", "it is in the price"
    NO = "no", "it is not"
    UNKNOWN = "unknown", "the source does not say, and there is no one custom in the market"


class RangeCycle(Word):
    """By which test a range was measured. Ranges of two tests are never compared."""

    WLTP = "WLTP", "Europe's test since 2017"
    WLTC = "WLTC", "Japan's version of it"
    NEDC = "NEDC", "Europe's earlier test, China's until 2021"
    CLTC = "CLTC", "China's test"
    EPA = "EPA", "the test of the United States"
    INMETRO = "Inmetro", "Brazil's test"
    NONE = "none", "no range is given"


class Billing(Word):
    """How an offer is paid for."""

    ONE_OFF = "one_off", "once"
    MONTH = "month", "each month"
    YEAR = "year", "each year"
    THREE_YEARS = "three_years", "every three years"
    INCLUDED = "included", "with the car, at no charge"
    WITHDRAWN = "withdrawn", "not offered any more from that day on"
    UNSTATED = "unstated", "the source does not say"


class AttachBasis(Word):
    """What a published figure about paid driver assistance is of. Each has an axis of its own."""

    TAKE_RATE = "new_sales_take_rate", "share of new cars in a period that were bought with it: a flow"
    FLEET_ATTACH = "fleet_attach", "share of the cars in use that have it active: a stock"
    ALL_DELIVERED = "all_delivered", "share of all cars ever delivered that have it active: a stock"
    ELIGIBLE = "eligible", "share of the cars that could have it that have it active: a stock"
    ACTIVE_SUBSCRIPTIONS = "active_subscriptions", "users as Tesla counts them: buyers for ever, and subscribers"
    PAID_USERS = "paid_users", "those who have paid for it, as stated"
    PAID_SUBSCRIPTION_SHARE = "paid_subscription_share", "share of paying users that subscribe"
    PAID_UPFRONT_SHARE = "paid_upfront_share", "share of paying users that bought outright"
    NET_ADDS = "net_adds", "users more than a quarter before"
    TARGET_ACTIVE_SUBSCRIPTIONS = "target_active_subscriptions", "users aimed at"
    ELIGIBLE_FLEET = "eligible_fleet", "cars that could have it"
    BETA_VEHICLES = "beta_vehicles", "cars with the test version"
    TRIAL_VEHICLES = "trial_vehicles", "cars given it for a while"
    TRIAL_CONVERSION = "trial_conversion", "share of trials after which it was paid for"
    FLEET_UPGRADES = "fleet_upgrades", "cars that bought it after delivery"
    CUMULATIVE_DELIVERIES = "cumulative_deliveries", "cars delivered in all"
    CUMULATIVE_MILES = "cumulative_miles", "miles driven with it in all"
    CUMULATIVE_KM = "cumulative_km", "kilometres driven with it in all"
    MILES_PER_DAY = "miles_per_day", "miles driven with it a day"
    ROBOTAXI_PAID_MILES = "robotaxi_paid_miles", "paid miles of robotaxis"
    ROBOTAXI_UNSUPERVISED_MILES = "robotaxi_unsupervised_miles", "miles of robotaxis without a supervisor in the car"
    CUMULATIVE_CASH = "cumulative_cash", "money taken for it in all"
    DEFERRED_REVENUE = "deferred_revenue", "money taken and not yet recognised"
    REVENUE_RECOGNISED_YTD = "revenue_recognised_ytd", "of the deferred, recognised in the year so far"
    REVENUE_RECOGNISED_TTM = "revenue_recognised_ttm", "of the deferred, recognised in twelve months"
    REVENUE_NEXT_12M = "revenue_to_recognise_next_12m", "of the deferred, to be recognised in the next twelve months"


class Cadence(Word):
    """How often a publisher's table is expected to change."""

    MONTHLY = "monthly", "new figures every month"
    QUARTERLY = "quarterly", "new figures every quarter"
    YEARLY = "yearly", "new figures once a year"
