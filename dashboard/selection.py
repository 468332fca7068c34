"""One selection, one link: what a reader has chosen, to and from a query string.

The page's address, the download address and `--query` are the same grammar. Defaults are left out; order and case do
not matter; an unknown name or value is an error that lists the valid ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from dashboard.projections.levers import NAMES as LEVERS
from db.vocabulary import AttachBasis, Basis, Grain, PriceKind, RangeCycle, Word


class BasisChoice(Word):
    """What a reader may count: one basis, or makers' own headline figures side by side."""

    PRODUCTION = Basis.PRODUCTION.value, Basis.PRODUCTION.meaning
    WHOLESALE = Basis.WHOLESALE.value, Basis.WHOLESALE.meaning
    EXPORT = Basis.EXPORT.value, Basis.EXPORT.meaning
    RETAIL = Basis.RETAIL.value, Basis.RETAIL.meaning
    DELIVERY = Basis.DELIVERY.value, Basis.DELIVERY.meaning
    REGISTRATION = Basis.REGISTRATION.value, Basis.REGISTRATION.meaning
    INSURANCE = Basis.INSURANCE.value, Basis.INSURANCE.meaning
    REPORTED = "reported", "each maker's own headline figure, labelled with its basis; never added or divided"


class PowertrainChoice(Word):
    """Which cars a reader looks at. NEV is a set of powertrains, never a stored value."""

    BEV = "BEV", "battery-electric cars"
    PHEV = "PHEV", "plug-in hybrids, with range-extended cars where the publisher counts them so"
    NEV = "NEV", "BEV, PHEV and fuel-cell cars together"
    ALL = "ALL", "all cars"


class By(Word):
    """What one line of a chart stands for."""

    MAKER = "maker", "a brand"
    GROUP = "group", "a company with all its brands"
    MODEL = "model", "a model"
    MARKET = "market", "a market"
    POWERTRAIN = "powertrain", "a powertrain: battery cars, plug-in hybrids and fuel-cell cars of one maker or market"


class Window(Word):
    """How periods are put together. A window is a sum, labelled by its last period."""

    NONE = "none", "each period by itself"
    THREE_MONTHS = "3m", "three months to the end of the period"
    TTM = "ttm", "trailing twelve months"
    YTD = "ytd", "the year up to the end of the period"


class Measure(Word):
    """What is drawn of the figures."""

    UNITS = "units", "cars"
    SHARE = "share", "share of the denominator"
    GROWTH = "growth", "change against the same window a year before"
    RANK = "rank", "place by units"
    HHI = "hhi", "sum of squared percentage shares, 0 to 10,000"


class Tax(Word):
    """Whether value added or sales tax is in a price."""

    INCLUDED = "included", "with tax"
    EXCLUDED = "excluded", "without tax"


class Real(Word):
    """Whether prices are corrected for inflation."""

    NOMINAL = "nominal", "as quoted"
    REAL = "real", "in the money of one year, by consumer prices"


class InvalidSelection(Exception):
    """A name or value that the grammar does not know. `valid` lists what it does know."""

    def __init__(self, message: str, *, name: str, valid: tuple[str, ...] = ()) -> None:
        text = f"{message}; valid: {', '.join(valid)}" if valid else message
        # The message quotes what somebody typed: it stays one line of text wherever it is printed.
        super().__init__("".join(character if character.isprintable() else "\ufffd" for character in text))
        self.name, self.valid = name, valid


class Refusal(Exception):
    """A valid selection that cannot be answered. The text says why; `nearest` is the nearest one that can be."""

    def __init__(self, message: str, *, nearest: Selection | None = None) -> None:
        super().__init__(message)
        self.nearest = nearest


class Incomparable(Refusal):
    """The selection would add, divide or rank figures that are not alike. The text names both sides."""


class NotPublished(Refusal):
    """No source states what the selection asks for, or it was not known on the day asked for."""


class NotYetMade(Refusal):
    """What the answer rests on takes longer to compute than a page may, and nobody has yet: `make` does it."""

    def __init__(self, message: str, *, make: Callable[[], object]) -> None:
        super().__init__(message)
        self.make = make


LONGEST = 8000
"""Characters of a query string: what servers take as the first line of a request."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a reader has chosen. An empty tuple or None means: everything, or the chart's own choice."""

    market: tuple[str, ...] = ("DE",)
    basis: BasisChoice = BasisChoice.REGISTRATION
    powertrain: PowertrainChoice = PowertrainChoice.BEV
    of: PowertrainChoice | None = None
    by: By = By.MAKER
    makers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    grain: Grain = Grain.MONTH
    window: Window = Window.NONE
    measure: Measure = Measure.SHARE
    since: date | None = None
    until: date | None = None
    as_of: date | None = None
    currency: str = "local"
    tax: Tax | None = None
    real: Real = Real.NOMINAL
    price_kind: PriceKind | None = None
    date: date | None = None
    segment: str | None = None
    cycle: RangeCycle | None = None
    attach_basis: AttachBasis | None = None
    region: str | None = None
    compare: str | None = None
    scenario: str | None = None
    levers: tuple[tuple[str, str], ...] = ()
    """What is moved of the scenario's levers, by name as `projections.levers` writes them: `(("price.CN", "99"),)`."""

    def __post_init__(self) -> None:
        if self.by is By.POWERTRAIN:
            # Lines by powertrain are the parts of the NEVs, and a link to them says so, whichever part it named.
            object.__setattr__(self, "powertrain", PowertrainChoice.NEV)

    @classmethod
    def from_query(cls, query: str, *, defaults: Self) -> Self:
        """The selection of a query string; names that it leaves out take the default.

        Raises `InvalidSelection` for an unknown name, a value that is not of the name's form, a name given twice, and a
        query string that is longer than a link may be.
        """
        if len(query) > LONGEST:
            raise InvalidSelection(f"the selection is longer than {LONGEST:,} characters", name="")
        chosen: dict[str, Any] = {}
        moved: dict[str, str] = {}
        try:
            pairs = parse_qsl(query.lstrip("?"), keep_blank_values=True, max_num_fields=100)
        except ValueError as error:
            raise InvalidSelection("the selection has more than 100 parts", name="") from error
        for raw_name, raw_value in pairs:
            name = lever_name(raw_name) or raw_name.strip().lower()
            if name in chosen or name in moved:
                raise InvalidSelection(f"'{name}' is given twice; separate its values by commas", name=name)
            if name in _PARSERS:
                chosen[name] = _PARSERS[name](name, raw_value.strip())
            elif lever_name(name):
                moved[name] = raw_value.strip().lower()[:200]
            else:
                raise InvalidSelection(f"'{raw_name[:40]}' is no part of a selection", name=raw_name, valid=NAMES)
        selection = replace(defaults, **chosen, levers=tuple(sorted((dict(defaults.levers) | moved).items())))
        if selection.since and selection.until and selection.since > selection.until:
            raise InvalidSelection(
                f"since={_text(selection.since, 'since')} is later than until={_text(selection.until, 'until')}",
                name="since",
            )
        return selection

    def query(self, *, defaults: Selection) -> str:
        """The query string, without what is the default; the same selection always gives the same string."""
        pairs = []
        for name in NAMES:
            value = getattr(self, name)
            if value != getattr(defaults, name):
                pairs.append((name, _text(value, name)))
        pairs += [lever for lever in self.levers if lever not in defaults.levers]
        return urlencode(pairs, safe=",")

    @property
    def denominator(self) -> PowertrainChoice:
        """What a share is a share of: `of`, by default the powertrain itself."""
        return self.of or self.powertrain


_LEVERS = {name.partition(".")[0]: "." in name for name in LEVERS}
"""The levers of a projection, and whether each belongs to a region."""


def lever_name(name: str) -> str | None:
    """A lever's name as a link writes it (`price.CN`); None for what is none. Region and value are not looked at."""
    lever, _, region = name.strip().partition(".")
    if _LEVERS.get(lever.lower()) is not bool(region):
        return None
    return f"{lever.lower()}.{region.upper()}" if region else lever.lower()


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, date):
        return value.strftime("%Y-%m") if name in ("since", "until") else value.isoformat()
    return str(value)


def _word(kind: type[StrEnum], *, optional: bool = False) -> Callable[[str, str], Any]:
    def parse(name: str, value: str) -> Any:
        if optional and not value:
            return None
        for word in kind:
            # A link may join the parts of a word by hyphens, as slugs do.
            if word.value.lower().replace("-", "_") == value.lower().replace("-", "_"):
                return word
        raise InvalidSelection(f"{name}={value[:40]} is unknown", name=name, valid=tuple(word.value for word in kind))

    return parse


LONG_CODES = ("WORLD", "EUROPE", "OVERSEAS")
"""The markets whose code has more than two letters: regions that no standard has a code for."""


def _markets(name: str, value: str) -> tuple[str, ...]:
    codes = {code.strip().upper() for code in value.split(",") if code.strip()}
    codes = {{"UK": "GB", "GLOBAL": "WORLD"}.get(code, code) for code in codes}
    for code in sorted(codes):
        if not re.fullmatch(r"[A-Z]{2}", code) and code not in LONG_CODES:
            raise InvalidSelection(f"{name}={code[:40]} is no market; write a code such as DE, EU or WORLD", name=name)
    if not codes:
        raise InvalidSelection("market is empty; write a code such as DE, EU or WORLD", name=name)
    return tuple(sorted(codes))


def _slugs(name: str, value: str) -> tuple[str, ...]:
    slugs = {slug.strip().lower() for slug in value.split(",") if slug.strip()}
    for slug in sorted(slugs):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or len(slug) > 128:
            raise InvalidSelection(f"{name}={slug[:40]} is no name such as tesla or tesla-model-y", name=name)
    return tuple(sorted(slugs))


def _slug(name: str, value: str) -> str | None:
    slugs = _slugs(name, value)
    if len(slugs) > 1:
        raise InvalidSelection(f"{name} takes one value", name=name)
    return slugs[0] if slugs else None


def _month(name: str, value: str) -> date | None:
    if not value:
        return None
    if not re.fullmatch(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", value):
        raise InvalidSelection(f"{name}={value[:40]} is no month such as 2026-06", name=name)
    return date(int(value[:4]), int(value[5:]), 1)


def _day(name: str, value: str) -> date | None:
    if not value:
        return None
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError as error:
        raise InvalidSelection(f"{name}={value[:40]} is no day such as 2026-07-23", name=name) from error


def _currency(name: str, value: str) -> str:
    if value.lower() == "local":
        return "local"
    if not re.fullmatch(r"[A-Za-z]{3}", value):
        raise InvalidSelection(
            f"{name}={value[:40]} is no currency such as EUR", name=name, valid=("local", "EUR", "…")
        )
    return value.upper()


_PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "market": _markets,
    "basis": _word(BasisChoice),
    "powertrain": _word(PowertrainChoice),
    "of": _word(PowertrainChoice, optional=True),
    "by": _word(By),
    "makers": _slugs,
    "models": _slugs,
    "grain": _word(Grain),
    "window": _word(Window),
    "measure": _word(Measure),
    "since": _month,
    "until": _month,
    "as_of": _day,
    "currency": _currency,
    "tax": _word(Tax, optional=True),
    "real": _word(Real),
    "price_kind": _word(PriceKind, optional=True),
    "date": _day,
    "segment": _slug,
    "cycle": _word(RangeCycle, optional=True),
    "attach_basis": _word(AttachBasis, optional=True),
    "region": _slug,
    "compare": _slug,
    "scenario": _slug,
}

NAMES: tuple[str, ...] = tuple(field.name for field in fields(Selection) if field.name != "levers")
"""The fixed names of a selection, in the order in which a link writes them; levers follow, in that of the alphabet."""

assert set(NAMES) == set(_PARSERS)
