"""What can be played out: every lever of the model, to and from the flat names and values of a link.

A lever of a region is written `approval.EU`, and so on. Dated values are `VALUE@DATE`, several joined by commas; a date
is `2026-11` (its first day) or `2026-11-15`. What cannot be is refused by the lever's name with what can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

from dashboard.projections.record import FIRST_SALE
from dashboard.projections.regions import REGIONS

HORIZON: Final = date(2035, 12, 31)
"""The last day of the projection."""


class ImpossibleLever(ValueError):
    """A lever that does not exist, or a value that cannot be. `name` is the lever, `valid` says what can."""

    def __init__(self, message: str, *, name: str, valid: str) -> None:
        super().__init__(f"{message}; valid: {valid}")
        self.name, self.valid = name, valid


class Route(StrEnum):
    """How driving in China gets into the training: not at all, on a data centre there, by export, or both tried."""

    NONE = "none"
    LOCAL = "local"
    EXPORT = "export"
    BOTH = "both"


class Chips(StrEnum):
    """What the US lets into a data centre in China: it waits 0, 3 or 12 months for chips."""

    OPEN = "open"
    LICENSED = "licensed"
    BLOCKED = "blocked"


CHIP_MONTHS: Final = {Chips.OPEN: 0.0, Chips.LICENSED: 3.0, Chips.BLOCKED: 12.0}
"""Expected wait for chips in months; judgement."""


class Demand(StrEnum):
    """Deliveries after the record: the drawn growth, or six percentage points a year less or more."""

    LOW = "low"
    BASE = "base"
    HIGH = "high"


DEMAND_SHIFT: Final = {Demand.LOW: -0.06, Demand.BASE: 0.0, Demand.HIGH: 0.06}
"""What a demand adds to the growth a year; judgement: about the P10 and P90 of the drawn growth."""


class Level(StrEnum):
    """What the release does: no city streets, city streets supervised, eyes off the road, no supervision."""

    PARTIAL = "partial"
    CITY = "city"
    EYES_OFF = "eyes_off"
    UNSUPERVISED = "unsupervised"


LEVELS: Final = tuple(Level)


@dataclass(frozen=True)
class When:
    """A day, or never (None); `late`: announced only, and later by a drawn number of months."""

    day: date | None
    late: bool = False


@dataclass(frozen=True)
class Step:
    """A value from a day on. `relative`: a change of what is in force, as a share (0.5 = 50 % more)."""

    value: float
    since: date
    relative: bool = False


@dataclass(frozen=True)
class LevelStep:
    """A level from a day on."""

    level: Level
    since: date


ByRegion = tuple[tuple[str, Any], ...]
"""A value for some regions, in the order of REGIONS; the others have none."""


@dataclass(frozen=True, kw_only=True)
class Levers:
    """One world to play out. The defaults here are neutral; `scenarios.defaults` gives what was known on a day."""

    data_route: Route = Route.NONE
    data_ready: date | None = None
    """Since when the local data centre trains, where that is known; None = drawn."""
    route_start: date = date(2024, 5, 1)
    export_chance: float = 0.25
    partner: bool = True
    chip_supply: Chips = Chips.OPEN
    approval: ByRegion = ()
    """Region to When: the day on which what is not approved there yet is."""
    level: ByRegion = ()
    """Region to tuple of LevelStep; city driving where there is none."""
    price: ByRegion = ()
    """Region to tuple of Step: the price a month in the region's money, after the list prices."""
    one_off: ByRegion = ()
    """Region to tuple of Step: the price for good in the region's money, after the list prices."""
    sub_only: ByRegion = ()
    """Region to the day on which the purchase for good ends."""
    basic_free: ByRegion = ()
    """Region to the day until which basic assistance is standard; without one it stays so."""
    free_adas: ByRegion = ()
    """Region to tuple of Step: share of rivals' new cars that give the same for free."""
    demand: Demand = Demand.BASE
    licence: bool = False
    licence_start: date = date(2027, 1, 1)
    licence_volume: float = 1_000_000.0
    """Cars that the licensed makers build in a year."""
    licence_fit: float = 0.3
    """Share of them with the licensed system."""
    licence_royalty: float | None = None
    """US dollars a car; None = drawn."""
    licence_lift: float = 0.0
    """What licensed rivals add to `free_adas` in China."""
    transfer: bool = False
    """Whether a right bought for good moves on when its car is scrapped."""

    @classmethod
    def from_text(cls, texts: Mapping[str, str], *, defaults: Levers) -> Levers:
        """The levers of a link's names and values; those that it leaves out keep the default.

        Raises `ImpossibleLever` for an unknown name or region and for a value that cannot be.
        """
        changed: dict[str, Any] = {}
        regional: dict[str, dict[str, Any]] = {}
        for name, text in texts.items():
            lever, _, region = name.strip().partition(".")
            lever, value = lever.lower(), text.strip()
            if lever in _REGIONAL:
                if region.upper() not in REGIONS:
                    raise ImpossibleLever(
                        f"'{name[:40]}' names no region of the model",
                        name=name,
                        valid=", ".join(f"{lever}.{one}" for one in REGIONS),
                    )
                regional.setdefault(lever, {})[region.upper()] = _REGIONAL[lever](name, value)
            elif lever in _PLAIN and not region:
                changed[lever] = _PLAIN[lever](name, value)
            else:
                raise ImpossibleLever(f"'{name[:40]}' is no lever", name=name, valid=", ".join(NAMES))
        for lever, values in regional.items():
            merged = {**dict(getattr(defaults, lever)), **values}
            kept = {region: merged[region] for region in REGIONS if merged.get(region) is not None}
            changed[lever] = tuple(kept.items())
        return replace(defaults, **changed)

    def text(self, *, defaults: Levers) -> dict[str, str]:
        """The names and values in which these levers differ from the defaults; `from_text` reads them back."""
        texts = {}
        for one in fields(self):
            mine, usual = getattr(self, one.name), getattr(defaults, one.name)
            if one.name not in _REGIONAL:
                if mine != usual:
                    texts[one.name] = _written(mine, empty="drawn")
                continue
            for region in REGIONS:
                here, there = dict(mine).get(region), dict(usual).get(region)
                if here != there:
                    texts[f"{one.name}.{region}"] = _written(here, empty="none")
        return texts

    def of(self, lever: str, region: str) -> Any:
        """A regional lever's value in a region, or None."""
        return dict(getattr(self, lever)).get(region)


def _date(name: str, text: str, *, since: date = FIRST_SALE) -> date:
    valid = f"a day from {since} to {HORIZON}, as 2026-11 or 2026-11-15"
    if not re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", text):
        raise ImpossibleLever(f"{name}: '{text[:40]}' is no date", name=name, valid=valid)
    try:
        day = date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError as error:
        raise ImpossibleLever(f"{name}: there is no {text}", name=name, valid=valid) from error
    if not since <= day <= HORIZON:
        raise ImpossibleLever(f"{name}: {text} is out of range", name=name, valid=valid)
    return day


def _number(name: str, text: str, *, least: float, most: float) -> float:
    valid = f"a number from {least:g} to {most:g}"
    try:
        number = float(text)
    except ValueError as error:
        raise ImpossibleLever(f"{name}: '{text[:40]}' is no number", name=name, valid=valid) from error
    if not least <= number <= most:
        raise ImpossibleLever(f"{name}: {text} is out of range", name=name, valid=valid)
    return number


def _one_of(*words: str) -> Callable[[str, str], str]:
    def parse(name: str, text: str) -> str:
        if text.lower() not in words:
            raise ImpossibleLever(f"{name}: '{text[:40]}' is not known", name=name, valid=", ".join(words))
        return text.lower()

    return parse


def _within(least: float, most: float) -> Callable[[str, str], float]:
    return lambda name, text: _number(name, text, least=least, most=most)


def _flag(name: str, text: str) -> bool:
    return _one_of("on", "off", "yes", "no")(name, text) in ("on", "yes")


def _or_drawn(parse: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    return lambda name, text: None if text.lower() == "drawn" else parse(name, text)


def _or_none(parse: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    return lambda name, text: None if text.lower() == "none" else parse(name, text)


def _approval(name: str, text: str) -> When:
    if text.lower() == "never":
        return When(None)
    day, late, _ = text.partition("+late")
    return When(_date(name, day), bool(late))


def _steps(parse: Callable[[str, str, date], Any]) -> Callable[[str, str], tuple[Any, ...]]:
    """`VALUE@DATE` joined by commas; a value without a date holds from the start."""

    def parse_all(name: str, text: str) -> tuple[Any, ...]:
        made = []
        for part in text.split(","):
            value, _, day = part.strip().partition("@")
            made.append(parse(name, value.strip(), _date(name, day) if day else FIRST_SALE))
        days = [step.since for step in made]
        if days != sorted(set(days)):
            raise ImpossibleLever(
                f"{name}: the dates are not in order", name=name, valid="VALUE@DATE,VALUE@DATE with later dates later"
            )
        return tuple(made)

    return parse_all


def _price(most: float) -> Callable[[str, str, date], Step]:
    def parse(name: str, text: str, since: date) -> Step:
        if text.endswith("%"):
            # A change by all of the price or more would make it free or negative.
            return Step(_number(name, text[:-1], least=-99, most=900) / 100, since, relative=True)
        return Step(_number(name, text, least=0.01, most=most), since)

    return parse


def _level_step(name: str, text: str, since: date) -> LevelStep:
    return LevelStep(Level(_one_of(*LEVELS)(name, text)), since)


def _share_step(name: str, text: str, since: date) -> Step:
    return Step(_number(name, text, least=0, most=1), since)


_PLAIN: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "data_route": lambda name, text: Route(_one_of(*Route)(name, text)),
    "data_ready": _or_drawn(_date),
    "route_start": _date,
    "export_chance": _within(0, 1),
    "partner": _flag,
    "chip_supply": lambda name, text: Chips(_one_of(*Chips)(name, text)),
    "demand": lambda name, text: Demand(_one_of(*Demand)(name, text)),
    "licence": _flag,
    "licence_start": _date,
    "licence_volume": _within(0, 50_000_000),
    "licence_fit": _within(0, 1),
    "licence_royalty": _or_drawn(_within(0, 5000)),
    "licence_lift": _within(0, 1),
    "transfer": _flag,
}
_REGIONAL: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "approval": _or_none(_approval),
    "level": _or_none(_steps(_level_step)),
    "price": _or_none(_steps(_price(10_000_000))),
    "one_off": _or_none(_steps(_price(100_000_000))),
    "sub_only": _or_none(_date),
    "basic_free": _or_none(_date),
    "free_adas": _or_none(_steps(_share_step)),
}
NAMES: Final = (*_PLAIN, *(f"{name}.REGION" for name in _REGIONAL))
"""All levers, as they are written in a link; REGION is one of REGIONS."""


def _written(value: Any, *, empty: str) -> str:
    if value is None:
        return empty
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, When):
        return "never" if value.day is None else value.day.isoformat() + ("+late" if value.late else "")
    if isinstance(value, Step):
        shown = f"{100 * value.value:+.6g}%" if value.relative else f"{value.value:.12g}"
        return shown if value.since == FIRST_SALE else f"{shown}@{value.since.isoformat()}"
    if isinstance(value, LevelStep):
        return value.level.value if value.since == FIRST_SALE else f"{value.level.value}@{value.since.isoformat()}"
    if isinstance(value, tuple):
        return ",".join(_written(one, empty=empty) for one in value)
    return f"{value:.12g}"
