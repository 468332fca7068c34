"""`wholesale-split`: how much of what a plant sends out was exported, and how much stayed.

It reads three bases, which no comparison may: wholesale = retail in the country + exports + rest is an identity of one
maker's flow, where each car that leaves the plant is in exactly one of the parts. The rest is what went into stock or
is not stated; it is below zero where more was retailed and exported than left the plant. Nothing is set against another
maker or market, and a period is split only where all three are published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import market_rows
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart, Point, Reading, Table, shortest
from dashboard.charts.market_drawing import hover_format, plain
from dashboard.charts.market_notes import freshness
from dashboard.charts.market_words import period_name, value_text
from dashboard.charts.whole_market import answered
from dashboard.lines import Line
from dashboard.sales_lines import MarketFigures, figures_asked_for
from dashboard.selection import BasisChoice, By, Measure, NotPublished, PowertrainChoice, Selection
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db import Connection, queries
from db.claims import GRAIN_MONTHS, Bools, Floats, Ints
from db.provenance import Citation
from db.vocabulary import ALL

MARKET = "CN"
"""The market whose makers state all three; a plant's own country."""

MAKER = "tesla"
"""Who is looked at unless the reader names somebody."""

MEASURES = (Measure.UNITS, Measure.SHARE)

TABLE_PERIODS = 25
"""Periods in the table under the chart: two years and the same period before."""

FEW = 8
"""Periods up to which each has its name under its bar."""

WHOLESALE, RETAIL, EXPORT, REST = "wholesale", "retail", "export", "rest"
"""The whole and its parts, as points and the download name them."""

_BASES = {WHOLESALE: BasisChoice.WHOLESALE, RETAIL: BasisChoice.RETAIL, EXPORT: BasisChoice.EXPORT}


@dataclass(frozen=True)
class Split:
    """One maker's wholesale over the periods (`start`, L) and the parts of it, in cars; NaN where not published.

    `figures` are what is stated on each basis, by `WHOLESALE`, `RETAIL` and `EXPORT`; `lines` the maker's among them
    over the periods of the split. `unsplit` are makers that the reader named and that do not state all three.
    """

    selection: Selection
    maker: str
    start: Ints
    figures: dict[str, MarketFigures]
    lines: dict[str, Line]
    unsplit: tuple[str, ...]

    @property
    def rest(self) -> Floats:
        """What is neither retailed nor exported (L): stock, and what is not stated. NaN where one of the three is."""
        return np.asarray(self.lines[WHOLESALE].value - self.lines[RETAIL].value - self.lines[EXPORT].value)

    @property
    def is_split(self) -> Bools:
        """The periods (L) of which all three are published."""
        return ~np.isnan(self.rest)

    @property
    def unfinished(self) -> Bools:
        """The periods (L) of which one of the figures is not yet complete."""
        early = {
            int(month)
            for of in self.figures.values()
            for month, part in zip(of.start, of.unfinished, strict=True)
            if part
        }
        return np.isin(self.start, np.array(sorted(early), dtype=np.int64))

    def part(self, name: str) -> Floats:
        """The cars of a part, or of the whole (L)."""
        return self.rest if name == REST else self.lines[name].value

    def measured(self, name: str) -> Floats:
        """A part in the reader's measure (L): in cars, or as a fraction of wholesale."""
        if self.selection.measure is Measure.SHARE:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(self.lines[WHOLESALE].value > 0, self.part(name) / self.lines[WHOLESALE].value, np.nan)
        return self.part(name)

    @property
    def exported(self) -> Floats:
        """The exports as a fraction of wholesale (L), where the period is split."""
        with np.errstate(divide="ignore", invalid="ignore"):
            whole = np.where(self.is_split & (self.lines[WHOLESALE].value > 0), self.lines[WHOLESALE].value, np.nan)
            return self.lines[EXPORT].value / whole

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What the three rest on, each once."""
        return tuple({cited.slug: cited for of in self.figures.values() for cited in of.dataset.citations}.values())


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """One maker's wholesale and where it went; `NotPublished` for makers and markets that do not state all three."""
    begin = WHOLESALE_SPLIT.defaults
    instead = (
        replace(selection, measure=Measure.UNITS),
        replace(begin, grain=selection.grain, as_of=selection.as_of),
        replace(begin, as_of=selection.as_of),
        begin,
    )
    split = answered(lambda asked: _split(connection, asked), selection, *instead)
    wholesale = split.figures[WHOLESALE]
    shown = wholesale.at(np.isin(wholesale.start, split.start[split.is_split]))
    return Reading(
        selection=selection,
        title=title(split),
        subtitle=_subtitle(split),
        badge=freshness(replace(shown, dataset=replace(shown.dataset, citations=split.citations)), today=today),
        citations=split.citations,
        notes=notes(split),
        content=split,
    )


def _split(connection: Connection, selection: Selection) -> Split:
    if selection.measure not in MEASURES:
        raise NotPublished(f"this chart draws {' and '.join(MEASURES)}, not {selection.measure}")
    nouns = queries.nouns(connection, as_of=selection.as_of)
    if selection.market != (MARKET,):
        names = ", ".join(nouns.markets.get(code, code) for code in selection.market)
        raise NotPublished(
            f"no maker states wholesale, retail and exports of its plants in {names}; there is one in China",
            nearest=replace(selection, market=(MARKET,)),
        )
    if selection.powertrain is PowertrainChoice.PHEV:
        raise NotPublished(
            "wholesale, retail and exports of plug-in hybrids are not published of one maker",
            nearest=replace(selection, powertrain=PowertrainChoice.BEV),
        )
    makers = tuple(slug for slug in selection.makers or (MAKER,) if slug in nouns.makers)
    lacking = NotPublished(
        f"wholesale, retail and exports are not all published of {', '.join(selection.makers) or MAKER}",
        nearest=replace(selection, makers=()) if selection.makers else None,
    )
    if not makers:
        raise lacking
    figures = {name: _stated(connection, basis, makers, selection) for name, basis in _BASES.items()}
    start = np.unique(np.concatenate([of.start for of in figures.values()]))
    found = [_of_maker(maker, start, figures, selection) for maker in makers]
    split = next((each for each in found if each and each.is_split.any()), None)
    if split is None:
        if any(found):
            lacking = NotPublished(
                "no period in the range has wholesale, retail and exports, all three",
                nearest=replace(selection, since=None, until=None),
            )
        raise lacking
    others = tuple(nouns.makers[slug] for slug in makers if slug != split.maker)
    return replace(split, unsplit=others)


def _stated(connection: Connection, basis: BasisChoice, makers: tuple[str, ...], selection: Selection) -> MarketFigures:
    """The makers' figures on one basis; a refusal's nearest differs from the reader's selection in its periods only."""
    asked = Selection(
        market=(MARKET,),
        basis=basis,
        makers=makers,
        grain=selection.grain,
        window=selection.window,
        measure=Measure.UNITS,
        since=selection.since,
        until=selection.until,
        as_of=selection.as_of,
    )
    try:
        return figures_asked_for(connection, asked, measures=(Measure.UNITS,))
    except NotPublished as refused:
        if near := refused.nearest:
            refused.nearest = replace(
                selection, grain=near.grain, window=near.window, since=near.since, until=near.until, as_of=near.as_of
            )
        raise


def _of_maker(maker: str, start: Ints, figures: dict[str, MarketFigures], selection: Selection) -> Split | None:
    """A maker's three lines over the same periods; None where one of them is not there at all."""
    lines = {name: next((each for each in of.entities if each.maker == maker), None) for name, of in figures.items()}
    if any(line is None for line in lines.values()):
        return None
    over = {name: _over(line, figures[name].start, start) for name, line in lines.items() if line}
    there: Bools = np.any([~np.isnan(line.value) for line in over.values()], axis=0)
    return Split(
        selection=selection,
        maker=maker,
        start=start[there],
        figures=figures,
        lines={name: line.at(there) for name, line in over.items()},
        unsplit=(),
    )


def _over(line: Line, own: Ints, start: Ints) -> Line:
    """A line over other periods; NaN in those that it does not have."""
    place = np.minimum(np.searchsorted(own, start), len(own) - 1)
    gap = np.where(own[place] == start, 0.0, np.nan)
    found = line.at(place)
    return replace(found, value=found.value + gap, low=found.low + gap, high=found.high + gap)


# Words


def title(split: Split) -> str:
    """The exports' part in the last period that is complete and split, and in the same one a year before."""
    figures = split.figures[WHOLESALE]
    name, adjective = figures.nouns.makers[split.maker], figures.nouns.adjectives[MARKET]
    places = np.flatnonzero(~np.isnan(split.exported) & ~split.unfinished)
    if not len(places):
        return shortest(f"What {name} wholesaled from its {adjective} plant, and where it went")
    at = int(places[-1])
    share = style.share_text(float(split.exported[at]))
    before = [place for place in places if split.start[place] == split.start[at] - 12]
    said = f"{name} exported {share} of its {adjective} wholesale in {_when(split, at)}"
    if not before:
        return shortest(said, f"{name} exported {share} in {_when(split, at)}")
    then = style.share_text(float(split.exported[before[0]]))
    return shortest(f"{said}, {then} a year before", said, f"{name} exported {share} in {_when(split, at)}")


def _when(split: Split, at: int) -> str:
    figures = split.figures[WHOLESALE]
    return period_name(replace(figures, start=split.start), at)


def _subtitle(split: Split) -> str:
    figures, selection = split.figures[WHOLESALE], split.selection
    grain = {"month": "monthly", "quarter": "quarterly", "year": "yearly"}[selection.grain.value]
    window = {"none": "", "3m": ", three-month sums", "ttm": ", trailing twelve months", "ytd": ", year to date"}
    unit = "in % of it" if selection.measure is Measure.SHARE else "in cars"
    name, place = figures.nouns.makers[split.maker], figures.nouns.markets[MARKET]
    return shortest(
        f"{place}. {name}'s passenger BEV wholesale by where it went, {unit}; {grain}{window[selection.window.value]}",
        f"{place}. {name}'s BEV wholesale by where it went, {unit}; {grain}{window[selection.window.value]}",
    )


def notes(split: Split) -> tuple[str, ...]:
    """What the parts are, where there is no split, and what must not be done with exports."""
    place = split.figures[WHOLESALE].nouns.markets[MARKET]
    said = [
        f"Wholesale is retail in {place}, exports, and the rest: stock, and what is not stated. It is one maker's "
        "flow; no basis is compared with another.",
        "Cars that were exported are registered abroad later: they are never added to registrations there.",
    ]
    rest = split.rest[split.is_split]
    if (rest < 0).any():
        said.append(
            f"Below zero, in {int((rest < 0).sum())} of {len(rest)} periods: more was retailed and exported than "
            "wholesaled, from stock."
        )
    if (rest == 0).any():
        said.append(
            f"The rest is zero in {int((rest == 0).sum())} of {len(rest)} periods, as it is wherever retail was taken "
            "as wholesale less exports."
        )
    missing = int((~split.is_split).sum())
    if missing:
        said.append(
            f"{missing} of {len(split.start)} periods are not split, since not all three are published: a hollow bar "
            "is wholesale alone, and where there is no bar it is not published either."
        )
    if split.unsplit:
        said.append(f"Not drawn: {', '.join(split.unsplit)}, of whom not all three are published.")
    return tuple(said)


def _name(part: str, split: Split) -> str:
    place = split.figures[WHOLESALE].nouns.markets[MARKET]
    return {EXPORT: "Exports", RETAIL: f"Retail in {place}", REST: "Rest", WHOLESALE: "Wholesale"}[part]


# Drawing


def draw(reading: Reading, look: Look) -> Figure:
    """Stacked bars: exports on the axis, then retail, then the rest; wholesale alone is hollow."""
    split: Split = reading.content
    selection, ink = split.selection, style.INK[look.theme]
    dates = [month_start(int(month)).isoformat() for month in split.start]
    whole = split.lines[WHOLESALE].value
    months = GRAIN_MONTHS[selection.grain.value]
    shared = {"type": "bar", "x": dates, "xperiod": f"M{months}", "xperiodalignment": "middle", "textposition": "none"}
    colours = _colours(split, look)
    stated = {part: np.where(split.is_split, split.measured(part), np.nan) for part in (EXPORT, RETAIL, REST)}
    traces: list[dict[str, Any]] = [
        shared
        | {
            "name": style.escape(_name(part, split)),
            "y": plain(values),
            "marker": {
                "color": [ink.background if early else colours[part] for early in split.unfinished],
                "line": {"color": colours[part], "width": 1},
            },
            "customdata": _keys(split, part, ~np.isnan(values)),
            "text": [_text(value, split, part, at) for at, value in enumerate(values)],
            "hovertemplate": "%{text}",
        }
        for part, values in stated.items()
    ]
    alone = np.where(split.is_split | np.isnan(whole), np.nan, whole)
    if selection.measure is Measure.UNITS and not np.isnan(alone).all():
        traces.append(
            shared
            | {
                "name": "Wholesale, not split",
                "y": plain(alone),
                "marker": {"color": "rgba(0,0,0,0)", "line": {"color": ink.axis, "width": 1}},
                "customdata": _keys(split, WHOLESALE, ~np.isnan(alone)),
                "text": ["" if np.isnan(value) else style.units_text(float(value)) for value in alone],
                "hovertemplate": "%{text}",
            }
        )
    heights = np.nansum([np.maximum(values, 0) for values in stated.values()], axis=0)
    top = float(max(np.nanmax(heights, initial=0.0), np.nanmax(alone, initial=0.0) if len(traces) > 3 else 0.0)) or 1.0
    bottom = float(min(np.nanmin(stated[REST], initial=0.0), 0.0))
    within = (bottom * 1.1, top * 1.05)
    ends = _ends(split, stated, colours, within=within, look=look)
    font = round(look.font_px * 0.92)
    layout = style.layout(
        look,
        barmode="relative",
        bargap=0.2 if len(dates) > 2 else 0.6,
        xaxis={"type": "date", "hoverformat": hover_format(selection), **_time_axis(split)},
        yaxis={
            "range": list(within),
            "tickformat": ".0%" if selection.measure is Measure.SHARE else "~s" if top >= 10_000 else ",",
        },
    )
    layout["margin"] |= {"r": style.end_room(ends, font_px=font)}
    plot_height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    placed = style.line_end_labels(ends, height_px=plot_height, font_px=font, value_range=within)
    layout["annotations"] = style.end_annotations(placed, font_px=font)
    return {"data": traces, "layout": layout}


def _time_axis(split: Split) -> dict[str, Any]:
    """From the first period's start to the last one's end; few periods are named one by one."""
    grain = split.selection.grain.value
    first, end = int(split.start[0]), int(split.start[-1]) + GRAIN_MONTHS[grain]
    axis: dict[str, Any] = {"range": [month_start(month).isoformat() for month in (first, end)]}
    if len(split.start) > FEW:
        return axis
    starts = [month_start(int(month)) for month in split.start]
    ends = [month_start(int(month) + GRAIN_MONTHS[grain]) for month in split.start]
    middles = [(start + (stop - start) / 2).isoformat() for start, stop in zip(starts, ends, strict=True)]
    names = [style.period_text(start, grain).replace(" ", "<br>") for start in starts]
    return axis | {"tickmode": "array", "tickvals": middles, "ticktext": names}


def _colours(split: Split, look: Look) -> dict[str, str]:
    """Exports have the maker's colour, since they are what is asked about; the other parts are greys."""
    ink = style.INK[look.theme]
    return {EXPORT: style.colour(split.maker, look.theme, highlight=True), RETAIL: ink.axis, REST: ink.grid}


def _keys(split: Split, part: str, there: Bools) -> list[list[Any]]:
    """What a click on each bar hands over: the part stands where `Point` has a model."""
    return [
        [MARKET, split.maker, part, int(month)] if shown else []
        for month, shown in zip(split.start, there, strict=True)
    ]


def _text(value: float, split: Split, part: str, at: int) -> str:
    """'20,393 (34.8 % of wholesale)'."""
    if np.isnan(value):
        return ""
    cars, whole = float(split.part(part)[at]), float(split.lines[WHOLESALE].value[at])
    return style.units_text(cars) + (f" ({style.share_text(cars / whole)} of wholesale)" if whole > 0 else "")


def _ends(
    split: Split, stated: dict[str, Floats], colours: dict[str, str], *, within: tuple[float, float], look: Look
) -> list[style.LineEnd]:
    """A label for each part beside its place in the last bar that is split; nothing for a rest of nothing."""
    at = int(np.flatnonzero(split.is_split)[-1])
    when = style.period_text(month_start(int(split.start[at])), split.selection.grain.value)
    dated = f" ({when})" if at < len(split.start) - 1 else ""
    ends, below = [], 0.0
    for part, values in stated.items():
        value = float(values[at])
        if np.isnan(value) or (part == REST and not value):
            continue
        middle = value / 2 if value < 0 else below + value / 2
        below += max(value, 0.0)
        ends.append(
            style.LineEnd(
                text=f"{_name(part, split)} {value_text(value, split.selection.measure)}{dated}",
                value=float(np.clip(middle, *within)),
                colour=colours[part] if part == EXPORT else style.INK[look.theme].quiet,
            )
        )
    return ends


# Download, table, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """Each part of each period, with `DOWNLOAD_COLUMNS` and columns of its own; wholesale where it stands alone.

    `part`: `export`, `retail`, `rest`, or `wholesale` of a period without either. `wholesale`: the cars of which it is
    a part. The rest is made of all three bases.
    """
    split: Split = reading.content
    selection = split.selection
    figures = split.figures[WHOLESALE]
    whole = split.lines[WHOLESALE].value
    unfinished = split.unfinished
    listed: list[dict[str, Any]] = []
    for at, month in enumerate(split.start.tolist()):
        stated = [part for part in (EXPORT, RETAIL) if not np.isnan(split.part(part)[at])]
        parts = [*stated, *((REST,) if split.is_split[at] else ())] or [WHOLESALE]
        for part in parts:
            value = float(split.measured(part)[at])
            if np.isnan(value):
                continue
            behind = tuple(_BASES) if part == REST or selection.measure is Measure.SHARE else (part,)
            behind = tuple(name for name in behind if not np.isnan(split.part(name)[at]))
            listed.append(
                {
                    "period_start": month_start(month).isoformat(),
                    "grain": selection.grain.value,
                    "window": selection.window.value,
                    "market": MARKET,
                    "basis": ";".join(_BASES if part == REST else (part,)),
                    "powertrain": PowertrainChoice.BEV.value,
                    "of": PowertrainChoice.BEV.value,
                    "maker": split.maker,
                    "model": ALL,
                    "maker_name": figures.nouns.makers[split.maker],
                    "model_name": "All models",
                    "measure": selection.measure.value,
                    "value": value,
                    "low": value,
                    "high": value,
                    "unit": "fraction" if selection.measure is Measure.SHARE else "cars",
                    "flags": "incomplete" if unfinished[at] else "",
                    "source": ";".join(_sources(split, behind, month)),
                    "known_from": _known(split, behind, at),
                    "part": part,
                    "wholesale": float(whole[at]),
                }
            )
    return pd.DataFrame(listed, columns=[*DOWNLOAD_COLUMNS, "part", "wholesale"])


def _sources(split: Split, names: Sequence[str], month: int) -> list[str]:
    found = [
        slug
        for name in names
        for line in split.figures[name].entities
        if line.maker == split.maker
        for slug in market_rows.sources_at(line, split.figures[name], month)
    ]
    return sorted(set(found))


def _known(split: Split, names: Sequence[str], at: int) -> str:
    day = max(int(split.lines[name].known[at]) for name in names)
    return (pd.Timestamp(0) + pd.Timedelta(days=day)).date().isoformat()


def table(reading: Reading) -> Table:
    """The newest periods: wholesale, its parts, and the exports' share; a dash where a figure is not published."""
    split: Split = reading.content
    parts = (WHOLESALE, RETAIL, EXPORT, REST)
    exported = split.exported
    body = [
        (
            style.period_text(month_start(int(split.start[at])), split.selection.grain.value),
            *(style.units_text(float(split.part(part)[at])) for part in parts),
            style.share_text(float(exported[at])),
        )
        for at in range(len(split.start) - 1, max(len(split.start) - 1 - TABLE_PERIODS, -1), -1)
    ]
    return Table(
        header=("Period", *(_name(part, split) for part in parts), "Exported"),
        rows=tuple(body),
        caption="The newest periods, in cars; a dash stands for what is not published. All are in the download.",
    )


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind a part: its own, with wholesale where it is a share, all three for the rest."""
    split: Split = reading.content
    if point.model == REST:
        names: tuple[str, ...] = tuple(_BASES)
    elif split.selection.measure is Measure.SHARE and point.model != WHOLESALE:
        names = (point.model, WHOLESALE)
    else:
        names = (point.model,)
    claims = [market_rows.receipts(connection, split.figures[name], replace(point, model=ALL)) for name in names]
    return pd.concat(claims, ignore_index=True)


WHOLESALE_SPLIT = Chart(
    slug="wholesale-split",
    name="Wholesale and exports",
    question="How much of a plant's output was exported?",
    defaults=Selection(
        market=(MARKET,), basis=BasisChoice.WHOLESALE, by=By.MAKER, makers=(MAKER,), measure=Measure.UNITS
    ),
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
)
