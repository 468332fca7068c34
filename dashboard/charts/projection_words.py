"""What the charts of the projection share: what is asked of them, what is projected, fans, and the words around them.

A projection is never drawn as a figure: figures are solid points, what the model makes of the past is a thin band, and
what it makes of the future is a fan behind a line where the data end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from dashboard import fsd_record, projected, style
from dashboard.charts import fsd_words
from dashboard.charts.chart import Badge
from dashboard.charts.market_words import listed
from dashboard.fsd_record import AttachPoint
from dashboard.projected import AREAS, Outlook, Reach, Told, World
from dashboard.projections import record
from dashboard.projections.model import LAST
from dashboard.projections.record import START
from dashboard.projections.regions import REGIONS
from dashboard.selection import InvalidSelection, NotPublished, Refusal, Selection
from dashboard.style import Look
from db import Connection
from db.vocabulary import AttachBasis

Numbers = NDArray[Any]

AREA_NAMES: Final[Mapping[str, str]] = {
    "world": "World",
    "nam": "North America",
    "apac": "Asia-Pacific",
    "us": "United States",
    "ca": "Canada",
    "eu": "Europe",
    "cn": "China",
    "kr": "South Korea",
    "anz": "Australia and New Zealand",
    "jp": "Japan",
    "row": "Rest of the world",
}

QUANTILES: Final = (10, 25, 50, 75, 90)
"""The ends of the 80 % and the 50 % band, and the median between them, in per cent."""


# What is projected


@dataclass(frozen=True)
class Definition:
    """One thing that can be projected: what titles and subtitles call it, its unit, where it is in an outlook.

    `bases` are the published figures that are of the same, `metrics` the forecasts.
    """

    noun: str
    measure: str
    unit: str
    of: Callable[[Reach], Numbers]
    bases: tuple[AttachBasis, ...]
    metrics: tuple[str, ...]

    def text(self, value: float) -> str:
        """A value in words: `1.48 M`, `12.1 %`."""
        return style.share_text(value) if self.is_share else style.units_text(round(value, -2))

    def change_text(self, value: float) -> str:
        """A difference of two values, signed: `+0.3 pp`, `+12,000`."""
        if self.is_share:
            return style.pp_text(value)
        rounded = round(value, -2)
        sign = "+" if rounded > 0 else ""
        return sign + style.units_text(rounded)

    @property
    def is_share(self) -> bool:
        """Whether it is a share of cars, and not a count of them."""
        return self.unit == "fraction"


def _ratio(part: Numbers, whole: Numbers) -> Numbers:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _take_rate(one: Reach) -> Numbers:
    """Buyers among new cars; the first quarter has stocks and no flows."""
    made = _ratio(one.new_buyers, one.new_cars)
    made[:, 0] = np.nan
    return made


DEFINITIONS: Final[Mapping[AttachBasis | None, Definition]] = {
    None: Definition(
        noun="FSD users",
        measure="FSD users, buyers and subscribers, at the quarter's end",
        unit="users",
        of=lambda one: one.active,
        bases=(AttachBasis.ACTIVE_SUBSCRIPTIONS, AttachBasis.PAID_USERS),
        metrics=(AttachBasis.ACTIVE_SUBSCRIPTIONS.value,),
    ),
    AttachBasis.TAKE_RATE: Definition(
        noun="of new cars come with FSD",
        measure="Share of the quarter's new cars that come with FSD",
        unit="fraction",
        of=_take_rate,
        bases=(AttachBasis.TAKE_RATE,),
        metrics=("take_rate", AttachBasis.TAKE_RATE.value),
    ),
    AttachBasis.FLEET_ATTACH: Definition(
        noun="of cars in use have FSD",
        measure="FSD users over cars in use, at the quarter's end",
        unit="fraction",
        of=lambda one: _ratio(one.active, one.fleet),
        bases=(AttachBasis.FLEET_ATTACH,),
        metrics=(AttachBasis.FLEET_ATTACH.value,),
    ),
    AttachBasis.ALL_DELIVERED: Definition(
        noun="of all cars delivered have FSD",
        measure="FSD users over all cars ever delivered, at the quarter's end",
        unit="fraction",
        of=lambda one: _ratio(one.active, one.delivered),
        bases=(AttachBasis.ALL_DELIVERED,),
        metrics=(AttachBasis.ALL_DELIVERED.value,),
    ),
    AttachBasis.ELIGIBLE: Definition(
        noun="of eligible cars have FSD",
        measure="FSD users over cars for which FSD is sold, at the quarter's end",
        unit="fraction",
        of=lambda one: _ratio(one.active, one.eligible),
        bases=(AttachBasis.ELIGIBLE,),
        metrics=(AttachBasis.ELIGIBLE.value,),
    ),
}
"""What is projected by the definition that a reader chooses; users where none is chosen."""

_COUNTS: Final = (AttachBasis.ACTIVE_SUBSCRIPTIONS, AttachBasis.PAID_USERS)
"""Definitions that are the count of users."""


# What is asked


@dataclass(frozen=True)
class Asked:
    """What a selection asks of the projection: the record, the world, the one beside it, where, of what, and when.

    `first` and `last` are the quarters that are shown.
    """

    selection: Selection
    told: Told
    world: World
    compared: World | None
    area: str
    definition: Definition
    first: int
    last: int

    @property
    def regions(self) -> tuple[str, ...]:
        """The model's regions in the area."""
        return AREAS[self.area]

    @property
    def where(self) -> str:
        """The area's name."""
        return AREA_NAMES[self.area]

    @property
    def day(self) -> date:
        """The day as known on which everything is told."""
        return self.told.record.as_of

    @property
    def ahead(self) -> int:
        """The first quarter that is projected."""
        return self.told.record.cut_off + 1

    @property
    def end(self) -> str:
        """The last quarter shown, in words: `end of 2030`, `Q2 2030`."""
        return f"end of {self.last // 4}" if self.last % 4 == 3 else quarter_text(self.last)

    def outlook(self, world: World) -> Outlook:
        """What a world comes to in the area."""
        return projected.outlook(self.told, world.levers, self.regions)

    def reach(self, world: World) -> Numbers:
        """How far a world comes in the area, in the quarters shown, on some of the draws."""
        return self.shown(self.definition.of(projected.reach(self.told, world.levers, self.regions)))

    def shown(self, values: Numbers) -> Numbers:
        """The columns of (N, Q) values, or the values of (Q), that are shown."""
        return values[..., self.first - START : self.last - START + 1]

    @property
    def quarters(self) -> range:
        """The quarters shown."""
        return range(self.first, self.last + 1)


Content = TypeVar("Content")


def answered(ask: Callable[[Selection], Content], selection: Selection) -> Content:
    """What a chart asks of a selection; a refusal leads on to a selection that is answered, or nowhere."""
    try:
        return ask(selection)
    except Refusal as refused:
        nearest = refused.nearest
        while nearest is not None:
            try:
                ask(nearest)
                break
            except InvalidSelection:
                nearest = None
            except Refusal as further:
                nearest = further.nearest
        refused.nearest = nearest
        raise


def asked(connection: Connection, selection: Selection, *, today: date, with_fit: bool = True) -> Asked:
    """What a selection asks, of a record that has its fit unless that is not needed.

    Raises `InvalidSelection` for a region, a definition, a scenario or a lever that does not exist, by its name, and
    `NotPublished` for a day of which there is no record, a range outside the projection, and makers without Tesla;
    `NotYetMade` where the fit is missing.
    """
    fsd_words.check_tesla(selection, of="FSD", nearest=replace(selection, makers=()))
    area = {"global": "world"}.get(selection.region or "world", selection.region or "world")
    if area not in AREA_NAMES:
        raise InvalidSelection(
            f"region={area[:40]} is none of the projection's", name="region", valid=tuple(AREA_NAMES)
        )
    basis = None if selection.attach_basis in _COUNTS else selection.attach_basis
    if basis not in DEFINITIONS:
        valid = tuple(each.value for each in DEFINITIONS if each)
        raise InvalidSelection(f"attach_basis={basis} is not projected", name="attach_basis", valid=valid)
    first, last = START, LAST
    if selection.since:
        first = max(first, record.quarter_of(selection.since))
    if selection.until:
        last = min(last, record.quarter_of(selection.until))
    if first > last:
        raise NotPublished(
            "the projection runs from the middle of 2021 to the end of 2035",
            nearest=replace(selection, since=None, until=None),
        )
    try:
        told = projected.told(connection, as_of=selection.as_of, today=today)
    except NotPublished as refused:
        refused.nearest = replace(selection, as_of=None) if selection.as_of else None
        raise
    moved = dict(selection.levers)
    try:
        world = projected.world(told, selection.scenario or "history", moved)
        other = projected.world(told, selection.compare, moved, name="compare") if selection.compare else None
    except NotPublished as refused:
        refused.nearest = replace(selection, scenario=None, compare=None)
        raise
    if other is not None and other.scenario.slug == world.scenario.slug:
        # A moved world beside the same scenario as it stands: what the moved levers do.
        other = projected.world(told, other.scenario.slug, {}) if moved else None
    if with_fit:
        try:
            projected.fit(told)
        except Refusal as refused:
            refused.nearest = replace(selection, as_of=None) if selection.as_of else None
            raise
    return Asked(selection, told, world, other, area, DEFINITIONS[basis], first, last)


def quarter_text(quarter: int) -> str:
    """A quarter in words: `Q2 2026`."""
    return style.period_text(record.quarter_start(quarter), "quarter")


def published(of: Asked) -> tuple[AttachPoint, ...]:
    """The published figures of the same definition and area, about all models, in the range; of one day the most
    exact."""
    best: dict[date, AttachPoint] = {}
    for point in fsd_record.attach_points(of.told.attach):
        regions = _regions_of(point.region)
        if point.basis not in of.definition.bases or not point.is_of_all_models or regions != of.regions:
            continue
        other = best.get(point.as_of)
        if other is None or point.high - point.low <= other.high - other.low:
            best[point.as_of] = point
    return tuple(point for day, point in sorted(best.items()) if in_range(day, of))


def in_range(day: date, of: Asked) -> bool:
    """Whether a day lies in the quarters shown."""
    return of.first <= record.quarter_of(day) <= of.last


def _regions_of(region: str) -> tuple[str, ...] | None:
    return AREAS.get({"AU": "anz", "NZ": "anz"}.get(region, region.lower()))


def others_forecasts(of: Asked) -> tuple[record.Forecast, ...]:
    """What others have said of the same definition and area, with a day in the range."""
    return tuple(
        one
        for one in of.told.record.forecasts
        if one.metric in of.definition.metrics
        and _regions_of(one.region) == of.regions
        and one.low is not None
        and in_range(one.target_date, of)
    )


# Numbers


def quantiles(values: Numbers) -> Numbers:
    """The `QUANTILES` of (N, Q) draws as (5, Q); not a number in a quarter of which no draw has one."""
    there = np.isfinite(values).all(axis=0)
    made = np.full((len(QUANTILES), values.shape[1]), np.nan)
    if there.any():
        made[:, there] = np.percentile(values[:, there], QUANTILES, axis=0)
    return made


def spread(values: Numbers) -> tuple[float, float, float]:
    """The median and the ends of the 80 % interval of draws (N)."""
    low, middle, high = np.percentile(values, (10, 50, 90))
    return float(middle), float(low), float(high)


# Words


def run_note(of: Asked) -> str:
    """What every picture of a projection carries: scenario, end of the data, draws, seed, and what they rest on."""
    made = projected.fit(of.told)
    evidence = Counter(one.evidence for one in of.told.record.observations)
    names = {"disclosed": "disclosed", "survey": "by survey", "estimate": "estimated"}
    mix = listed([f"{count} {names.get(kind, kind)}" for kind, count in evidence.most_common()]) if evidence else "none"
    return (
        f"Scenario: {of.world.name}. Data to {quarter_text(of.told.record.cut_off)}; {len(made.draws):,} draws, seed "
        f"{made.draws.seed}, fitted to published figures ({mix}), as known on {style.day_text(of.day)}, with at least "
        f"{made.least_effective:,.0f} of {made.particles:,} parameter sets effective at every step."
    )


def moved_note(of: Asked) -> tuple[str, ...]:
    """The levers that the reader moved; nothing where none are."""
    usual = projected.lever_texts(of.world.scenario.levers)
    said = [f"{name} {value} (else {usual.get(name, 'as listed')})" for name, value in of.world.moved]
    return (f"Moved: {listed(said)}.",) if said else ()


def story_note(of: Asked) -> str:
    """What the scenario is, and what it is set beside."""
    beside = f" Beside it: {of.compared.name}. {of.compared.scenario.story}" if of.compared else ""
    return f"{of.world.scenario.story}{beside}"


ASSUMES: Final = (
    "It assumes that owners weigh price and worth as they have so far, and that prices, approvals and rivals are as "
    "the levers say. It cannot know a law, a recall, a rival's leap, or a change in what Tesla counts."
)

DRAWN: Final = "Band: the middle 50 % and 80 % of draws, no figures; solid points: published."


def cars_note(told: Told) -> str:
    """How cars come into regions."""
    cars = told.record.deliveries
    assumed = [AREA_NAMES[region.lower()] for row, region in zip(cars.modelled, REGIONS, strict=True) if row.all()]
    text = "Cars by region: Tesla's deliveries, split by registrations and China's retail sales"
    if told.named_only:
        text += f" (at least so many where only named models are published, as in {listed(told.named_only[-1:])})"
    return text + (f"; of {listed(assumed)} by assumed shares." if assumed else ".")


def unused(selection: Selection, defaults: Selection, *, but: Collection[str] = ()) -> tuple[str, ...]:
    """What of the selection means nothing to a chart of the projection, in a sentence; `but` are names that it does not
    look at and others do."""
    used = {"as_of", "region", "attach_basis", "scenario", "compare", "levers", "since", "until", "makers"}
    return fsd_words.unused_note(selection, defaults, used=used - set(but))


def badge(of: Asked, *, today: date) -> Badge:
    """How old the data are; amber where they end more than half a year before the day asked."""
    text = f"data to {quarter_text(of.told.record.cut_off)} · as known {style.day_text(of.day)}"
    behind = ((of.selection.as_of or today) - of.told.ended).days
    late = behind > 183
    return Badge(text, amber=late, reason=f"The data end {behind // 30} months before." if late else "")


# Drawing


def faded(colour: str, part: float) -> str:
    """A colour such as #C8102E that lets through what is behind it."""
    red, green, blue = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return f"rgba({red},{green},{blue},{part})"


def plain(values: Numbers) -> list[float | None]:
    """Numbers for Plotly: five digits are more than a screen shows of a projection, and NaN is a gap."""
    return [None if not np.isfinite(value) else float(f"{value:.5g}") for value in values.tolist()]


def days(quarters: Sequence[int]) -> list[str]:
    """The last days of quarters, where their values stand."""
    return [record.quarter_end(quarter).isoformat() for quarter in quarters]


def fan(of: Asked, made: Numbers, name: str, colour: str, *, hatched: str = "") -> list[dict[str, Any]]:
    """The traces of a world from its quantiles (5, Q shown): the bands of 80 % and 50 %, and the dashed median.

    Before the data end the model is not a projection: there is a thin band of 80 % and a dotted median. A second world
    has the band of 80 % alone, hatched in a colour.
    """
    x = days(of.quarters)
    cut = int(np.clip(of.ahead - of.first, 0, len(x)))
    flat = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False, "line": {"width": 0}}
    traces: list[dict[str, Any]] = []

    def between(low: int, high: int, part: slice, fill: dict[str, Any]) -> None:
        traces.append(flat | {"x": x[part], "y": plain(made[low, part])})
        traces.append(flat | {"x": x[part], "y": plain(made[high, part]), "fill": "tonexty", **fill})

    # The past ends where the future begins.
    past, future = slice(0, cut), slice(max(cut - 1, 0), len(x))
    if hatched:
        hatch = {"fillcolor": "rgba(0,0,0,0)", "fillpattern": style.hatch(hatched)}
        between(0, 4, future, hatch)
    else:
        between(0, 4, past, {"fillcolor": faded(colour, 0.09)})
        between(0, 4, future, {"fillcolor": faded(colour, 0.16)})
        between(1, 3, future, {"fillcolor": faded(colour, 0.26)})
    text = [
        ""
        if not np.isfinite(middle)
        else f"{of.definition.text(middle)} (80 %: {of.definition.text(low)} to {of.definition.text(high)})"
        for low, _, middle, _, high in made.T.tolist()
    ]
    line = flat | {"hoverinfo": "all", "hovertemplate": "%{text}", "name": style.escape(name)}
    if not hatched:
        traces.append(
            line
            | {
                "x": x[past],
                "y": plain(made[2, past]),
                "text": text[past],
                "line": {"color": colour, "width": 1.2, "dash": "dot"},
                "name": f"{style.escape(name)}, model",
            }
        )
    dash = "dashdot" if hatched else "dash"
    traces.append(
        line
        | {
            "x": x[future],
            "y": plain(made[2, future]),
            "text": text[future],
            "line": {"color": colour, "width": 2.4, "dash": dash},
        }
    )
    return traces


def data_end(of: Asked, look: Look) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The vertical line where the data end, and its label; nothing where that is not in the range."""
    if not in_range(of.told.ended, of):
        return [], []
    ink, day = style.INK[look.theme], of.told.ended.isoformat()
    line = {
        "type": "line",
        "xref": "x",
        "x0": day,
        "x1": day,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": ink.axis, "width": 1.2, "dash": "dash"},
    }
    label = {
        "text": f"data end {quarter_text(of.told.record.cut_off)}",
        "font": {"size": round(look.font_px * 0.85), "color": ink.quiet},
        "showarrow": False,
        "xref": "x",
        "x": day,
        "xanchor": "left",
        "xshift": 4,
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "borderpad": 0,
    }
    return [line], [label]


def time_axis(of: Asked) -> dict[str, Any]:
    """The time axis over the quarters shown."""
    return {"type": "date", "range": [record.quarter_start(of.first).isoformat(), days([of.last])[0]]}


def slugs(told: Told) -> str:
    """The sources that a projection rests on, for a download."""
    return ";".join(sorted({one.slug for one in told.citations}))


def years_end(quarters: Collection[int], *, ahead: int, last: int) -> list[int]:
    """The quarters that a table lists: the last with data, the ends of years, and the last shown."""
    return [quarter for quarter in quarters if quarter % 4 == 3 or quarter in (ahead - 1, last)]
