"""`duel-models`: two makers' models in one market side by side, each with its change on the year.

A model that a publisher names is exact; what it lumps together of a maker, and of the market, is shown as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import duel, market_rows
from dashboard.charts.chart import CARS, Chart, Reading, Table, shortest
from dashboard.charts.market_drawing import plain
from dashboard.charts.market_notes import common_notes, freshness
from dashboard.charts.market_words import Drawn, amount_text, marked_text, period_name, place_name, subtitle, value_text
from dashboard.lines import Line, maker_name
from dashboard.sales_lines import MarketFigures, figures_asked_for
from dashboard.selection import By, Measure, NotPublished, Refusal, Selection, Window
from dashboard.style import Figure, Look
from dashboard.windows import month_start
from db import Connection, queries
from db.queries import Nouns
from db.vocabulary import ALL, OTHER, Grain

MEASURES = (Measure.UNITS, Measure.SHARE)

DEFAULTS = Selection(by=By.MODEL, makers=duel.RIVALS, window=Window.TTM, measure=Measure.UNITS)

MOST = 7
"""Named models drawn of each maker at the most; the smaller ones stand together."""


@dataclass(frozen=True)
class Entry:
    """One model in the newest period, or what stands together: value with its bounds, in the measure's unit.

    `before` is the value in the same period a year before, NaN where there is none that can be set against it; `line`
    is None for what stands together. `is_new`: its publisher named the maker's models then, and not this one.
    """

    name: str
    value: float
    low: float
    high: float
    before: float
    is_new: bool
    line: Line | None

    @property
    def change(self) -> float:
        """The relative change on the year, a fraction; NaN where it cannot be told."""
        if not self.before > 0 or self.high > self.low:
            return float("nan")
        return self.value / self.before - 1


@dataclass(frozen=True)
class Side:
    """One of the two with its models in the newest period, the largest first, and its own unnamed rest last."""

    slug: str
    name: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Models:
    """Both sides, and how much of the market is published without a name (NaN where nothing is).

    `selection` is of the two makers or groups; the figures are of all brands that stand behind them.
    """

    selection: Selection
    figures: MarketFigures
    at: int
    sides: tuple[Side, Side]
    unnamed: float


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """Two makers' models in a market; raises as `market_figures` and `duel.duellists` do."""
    found = duel.answered(connection, selection, ask=_models, others=_ways_on(selection))
    figures = found.figures
    doubt = ""
    if any(entry.high > entry.low * 1.02 for side in found.sides for entry in side.entries if entry.line):
        doubt = "Some of these models could hide in what is published without a name."
    return Reading(
        selection=found.selection,
        title=_title(found),
        subtitle=subtitle(figures),
        badge=freshness(figures, today=today, doubt=doubt),
        citations=figures.dataset.citations,
        notes=_notes(found, selection),
        content=found,
    )


def _ways_on(selection: Selection) -> Iterable[Selection]:
    here = replace(DEFAULTS, market=selection.market, makers=selection.makers, as_of=selection.as_of)
    return [here, *duel.at_home(selection, DEFAULTS)]


def _models(connection: Connection, selection: Selection) -> Models:
    nouns = queries.nouns(connection, as_of=selection.as_of)
    two = duel.duellists(selection, nouns)
    brands = {slug: _brands(slug, two, nouns) for slug in two.makers}
    every = tuple(sorted(brand for of in brands.values() for brand in of))
    asked = replace(
        two,
        by=By.MODEL,
        makers=every,
        models=(),
        # How each model grew stands beside it.
        measure=Measure.UNITS if selection.measure is Measure.GROWTH else selection.measure,
    )
    figures = _figures(connection, asked)
    models = tuple(slug for slug in selection.models if nouns.model_makers.get(slug) in every)
    figures = _of_models(figures, models, sides=brands.values())
    shown = np.array([not line.is_rest for line in figures.lines])
    values = np.array([line.value for line in figures.lines])[shown]
    finished = np.flatnonzero(~np.isnan(values).all(axis=0) & ~figures.unfinished)
    at = int(finished[-1]) if len(finished) else len(figures.start) - 1
    before = _year_before(figures, at)
    sides = [
        Side(slug=slug, name=maker_name(slug, two, nouns), entries=_entries(figures, brands[slug], at, before))
        for slug in two.makers
    ]
    if not any(side.entries for side in sides):
        raise NotPublished(
            f"no model of {' or '.join(side.name for side in sides)} is named in the newest period",
            nearest=replace(DEFAULTS, makers=selection.makers),
        )
    rest = [line.value[at] for line in figures.lines if line.is_rest]
    return Models(
        selection=replace(
            two,
            by=By.GROUP if two.by is By.GROUP else By.MODEL,
            models=models,
            measure=asked.measure,
            grain=figures.selection.grain,
        ),
        figures=figures,
        at=at,
        sides=(sides[0], sides[1]),
        unnamed=float(rest[0]) if rest else float("nan"),
    )


def _of_models(figures: MarketFigures, models: Sequence[str], *, sides: Iterable[Sequence[str]]) -> MarketFigures:
    """The figures with the chosen models only, where a side has any; one of which none is chosen keeps all of its."""
    makers = {figures.nouns.model_makers[slug] for slug in models}
    narrowed = {brand for side in sides if not makers.isdisjoint(side) for brand in side}
    kept = (line for line in figures.lines if line.maker not in narrowed or line.model in models)
    return replace(figures, lines=tuple(kept))


def _brands(slug: str, selection: Selection, nouns: Nouns) -> tuple[str, ...]:
    return nouns.members.get(slug, (slug,)) if selection.by is By.GROUP else (slug,)


def _figures(connection: Connection, selection: Selection) -> MarketFigures:
    """The figures by months, or by quarters where these are published and fill the same window."""
    try:
        return figures_asked_for(connection, selection, measures=MEASURES)
    except NotPublished as refused:
        by_quarter = replace(selection, grain=Grain.QUARTER)
        if selection.grain is not Grain.MONTH or selection.window is Window.NONE:
            raise
        if refused.nearest is None or refused.nearest.grain is not Grain.QUARTER:
            raise
        try:
            return figures_asked_for(connection, by_quarter, measures=MEASURES)
        except Refusal:
            raise refused from None


def _year_before(figures: MarketFigures, at: int) -> int | None:
    """The place of the same period a year before, if there is one and it is finished."""
    place = int(np.searchsorted(figures.start, figures.start[at] - 12))
    is_there = figures.start[place] == figures.start[at] - 12 and not figures.unfinished[[place, at]].any()
    return place if is_there else None


def _entries(figures: MarketFigures, brands: Sequence[str], at: int, before: int | None) -> tuple[Entry, ...]:
    """The maker's models that are named in the period, the smaller ones together, and its own rest."""
    lines = [line for line in figures.entities if line.maker in brands and not np.isnan(line.value[at])]
    was_told = before is not None and any(
        not np.isnan(line.value[before]) for line in figures.entities if line.maker in brands
    )
    entries = [_entry(line, figures, at, before, was_told=was_told, is_one_brand=len(brands) == 1) for line in lines]
    named = sorted((each for each in entries if each.line and not each.line.is_own_rest), key=_by_size)
    rests = sorted((each for each in entries if each.line and each.line.is_own_rest), key=_by_size)
    if len(named) > MOST + 1:
        named, smaller = named[:MOST], named[MOST:]
        named.append(
            Entry(
                name=f"{len(smaller)} smaller models",
                value=sum(each.value for each in smaller),
                low=sum(each.low for each in smaller),
                high=sum(each.high for each in smaller),
                before=float("nan"),
                is_new=False,
                line=None,
            )
        )
    return (*named, *rests)


def _by_size(entry: Entry) -> tuple[float, str]:
    return -entry.value, entry.name


def _entry(
    line: Line, figures: MarketFigures, at: int, before: int | None, *, was_told: bool, is_one_brand: bool
) -> Entry:
    value_before = float("nan")
    is_new = False
    if before is not None:
        is_like = line.sources[before] == line.sources[at] or line.sources[before] == 0
        if line.named[before] and line.low[before] == line.high[before] and is_like:
            value_before = float(line.value[before])
        is_new = was_told and not line.named[before] and not line.is_own_rest
    name = figures.nouns.models[line.model] if line.model not in (OTHER, ALL) else "other models"
    if not is_one_brand:
        name = line.name
    return Entry(
        name=name,
        value=float(line.value[at]),
        low=float(line.low[at]),
        high=float(line.high[at]),
        before=value_before,
        is_new=is_new,
        line=line,
    )


# Words


def _title(found: Models) -> str:
    """Which of the best named models sells more, where bounds leave no doubt, in at most 90 characters."""
    figures, selection = found.figures, found.figures.selection
    when = period_name(figures, found.at).removeprefix("the ")
    where = f"{place_name(figures)} {CARS[selection.powertrain]}"
    best = [
        next((each for each in side.entries if each.line and not each.line.is_own_rest), None) for side in found.sides
    ]
    named = [
        (side.name, entry, _full_name(side, entry)) for side, entry in zip(found.sides, best, strict=True) if entry
    ]
    if not named:
        return shortest(f"{where[:1].upper()}{where[1:]}, {when}: neither maker has a named model")
    if len(named) == 1:
        _, entry, name = named[0]
        (silent,) = [side.name for side, each in zip(found.sides, best, strict=True) if each is None]
        amount = amount_text(_line(entry), found.at, selection)
        return shortest(
            f"{name} has {amount} in {where}, {when}; no model of {silent} is named",
            f"{name} {amount}, {when}; no model of {silent} is named",
            f"{name} {amount}, {when}",
        )
    (_, first, first_name), (_, second, second_name) = sorted(named, key=lambda each: -each[1].value)
    amounts = [marked_text(_line(each), found.at, selection) for each in (first, second)]
    if first.low > second.high:
        return shortest(
            f"{first_name} outsells {second_name} in {where}: {amounts[0]} to {amounts[1]}, {when}",
            f"{first_name} outsells {second_name}: {amounts[0]} to {amounts[1]}, {when}",
            f"{first_name} outsells {second_name}, {when}",
        )
    marked = [amount_text(_line(each), found.at, selection) for each in (first, second)]
    return shortest(
        f"{where[:1].upper()}{where[1:]}, {when}: {first_name} {marked[0]}, {second_name} {marked[1]}",
        f"{first_name} {marked[0]}, {second_name} {marked[1]}, {when}",
        f"{first_name} and {second_name}, {when}",
    )


def _full_name(side: Side, entry: Entry) -> str:
    return _line(entry).name if entry.line is not None else f"{side.name} {entry.name}"


def _line(entry: Entry) -> Line:
    assert entry.line is not None
    return entry.line


def _notes(found: Models, asked: Selection) -> tuple[str, ...]:
    figures, selection = found.figures, found.figures.selection
    when = period_name(figures, found.at)
    notes = [f"All figures are of {when}; changes and short lines are about the same period a year before."]
    for side in found.sides:
        if not side.entries:
            limit = f": at most {value_text(found.unnamed, selection.measure)}" if found.unnamed > 0 else ""
            notes.append(f"No model of {side.name} is named{limit}.")
    if any(entry.line is not None and entry.line.is_own_rest for side in found.sides for entry in side.entries):
        notes.append("Other models: what the publisher counts as the maker's without naming it.")
    if found.unnamed > 0:
        notes.append(
            f"{value_text(found.unnamed, selection.measure)} of the market are published without a name: a model that "
            "is not listed, or in some months only, could have up to so many more."
        )
    if any(entry.is_new for side in found.sides for entry in side.entries):
        notes.append('"New" is a model that was not on the publisher\'s list a year before; it need not be new.')
    if asked.measure is Measure.GROWTH:
        notes.append("Cars are drawn: the change of each model stands beside it.")
    return (*notes, *common_notes(Drawn(figures=figures, lines=figures.entities)))


# Drawing

_SLOT = 2.9
"""Height of a model's row, a line of words over a bar, in font sizes."""


def draw(reading: Reading, look: Look) -> Figure:
    """A column for each maker: a model's name and figures over its bar, both columns to one scale."""
    found: Models = reading.content
    font = round(look.font_px * 0.92)
    slots = max(len(side.entries) for side in found.sides)
    entries = [entry for side in found.sides for entry in side.entries]
    top = max(entry.high if entry.line else entry.value for entry in entries) or 1.0
    top = max(top, *(entry.before for entry in entries if entry.before > 0), 0.0)
    traces: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    for number, (side, domain) in enumerate(zip(found.sides, _COLUMNS, strict=True), start=1):
        axis = "x" if number == 1 else "x2"
        colour = style.colour(side.slug, look.theme, highlight=True)
        traces += _column(found, side, axis, colour, look, top=top)
        notes.append(_heading(side, domain[0], colour, look))
    margin = {"l": 12, "r": 12, "t": round(look.font_px * 2.4), "b": round(font * 1.2)}
    height = look.height
    if look.width is None:
        height = max(200, round(slots * font * _SLOT + margin["t"] + margin["b"]))
    axis_layout = {"range": [0, top * 1.001], "visible": False, "showticklabels": False}
    layout = style.layout(
        look,
        height=height,
        hovermode="closest",
        barmode="overlay",
        margin=margin,
        xaxis={**axis_layout, "domain": list(_COLUMNS[0])},
        yaxis={"range": [slots, 0], "visible": False, "showticklabels": False},
    )
    layout["xaxis2"] = {**layout["xaxis"], **axis_layout, "domain": list(_COLUMNS[1])}
    layout["annotations"] = notes
    return {"data": traces, "layout": layout}


_COLUMNS = ((0.0, 0.475), (0.525, 1.0))
"""The parts of the width that the two makers have."""


def _column(found: Models, side: Side, axis: str, colour: str, look: Look, *, top: float) -> list[dict[str, Any]]:
    """Bars of one maker's models with a line of words over each."""
    if not side.entries:
        return []
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    places = [n + 0.72 for n in range(len(side.entries))]
    words = [n + 0.3 for n in range(len(side.entries))]
    texts = [_figures_text(entry, found) for entry in side.entries]
    paper = look.width * 0.47 if look.width else 165.0 if look.height < 400 else 400.0
    names = [
        style.fitting(entry.name, width=max(paper - style.text_width(text, font) - font, font * 4), font_px=font)
        for entry, text in zip(side.entries, texts, strict=True)
    ]
    shared = {"type": "bar", "orientation": "h", "xaxis": axis, "y": places, "width": 0.36, "showlegend": False}
    is_part = [entry.line is None or entry.line.is_own_rest for entry in side.entries]
    low = np.array([entry.value for entry in side.entries])
    # What stands together could hide in one and the same rest: it has no hatched bar of its own.
    spare = np.array([entry.high - entry.value if entry.line else 0.0 for entry in side.entries])
    traces: list[dict[str, Any]] = [
        shared
        | {
            "name": style.escape(side.name),
            "x": plain(low),
            "marker": {"color": colour, "opacity": [0.45 if part else 1.0 for part in is_part]},
            "customdata": [_key(entry, found) for entry in side.entries],
            # The places of the bars are numbers: these are their names for whoever cannot see them.
            "ids": [style.escape(f"{side.name} {entry.name}") for entry in side.entries],
            "text": texts,
            "textposition": "none",
            "hovertext": [style.escape(f"{entry.name}: {_hover(entry, found)}") for entry in side.entries],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
    ]
    if (spare > 0).any():
        traces.append(
            shared
            | {
                "x": plain(spare),
                "base": plain(low),
                "marker": {"color": "rgba(0,0,0,0)", "pattern": style.hatch(colour)},
                "hoverinfo": "skip",
            }
        )
    marks = [(place, entry.before) for place, entry in zip(places, side.entries, strict=True) if entry.before > 0]
    if marks:
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "A year before",
                "xaxis": axis,
                "x": [before for _, before in marks],
                "y": [place for place, _ in marks],
                "marker": {
                    "symbol": "line-ns-open",
                    "size": round(look.font_px * 0.55),
                    "color": ink.text,
                    "line": {"width": 2, "color": ink.text},
                },
                "hoverinfo": "skip",
                "showlegend": False,
                "cliponaxis": False,
            }
        )
    for at, written, position, ink_colour in ((0.0, names, "right", ink.text), (top, texts, "left", ink.quiet)):
        traces.append(
            {
                "type": "scatter",
                "mode": "text",
                "xaxis": axis,
                "x": [at] * len(words),
                "y": words,
                "text": [style.escape(each) for each in written],
                "textposition": f"middle {position}",
                "textfont": {"size": font, "color": ink_colour},
                "hoverinfo": "skip",
                "showlegend": False,
                "cliponaxis": False,
            }
        )
    return traces


def _heading(side: Side, x: float, colour: str, look: Look) -> dict[str, Any]:
    named = sum(1 for entry in side.entries if entry.line and not entry.line.is_own_rest)
    said = "" if named else ": no model named"
    return {
        "text": f"<b>{style.escape(side.name)}</b>{said}",
        "font": {"size": look.font_px, "color": colour},
        "showarrow": False,
        "xref": "paper",
        "x": x,
        "xanchor": "left",
        "yref": "paper",
        "y": 1,
        "yanchor": "bottom",
        "yshift": 2,
        "borderpad": 0,
    }


def _figures_text(entry: Entry, found: Models) -> str:
    """A model's figure with its change: '21,345  −12.3 %', '≥5,120', '812  new'."""
    measure = found.figures.selection.measure
    if entry.line is None:
        return ("≥" if entry.high > entry.value else "") + value_text(entry.value, measure)
    text = marked_text(entry.line, found.at, found.figures.selection)
    if entry.is_new:
        return f"{text}  new"
    return text if np.isnan(entry.change) else f"{text}  {style.growth_text(entry.change)}"


def _hover(entry: Entry, found: Models) -> str:
    measure = found.figures.selection.measure
    text = _figures_text(entry, found).replace("  ", ", ")
    if entry.high > entry.value and value_text(entry.high, measure) != value_text(entry.value, measure):
        text += f", at most {value_text(entry.high, measure)}"
    return text + (f"; a year before {value_text(entry.before, measure)}" if entry.before > 0 else "")


def _key(entry: Entry, found: Models) -> list[Any]:
    """What `Point` is made of; nothing for what stands together."""
    if entry.line is None:
        return []
    return [entry.line.market, entry.line.maker, entry.line.model, int(found.figures.start[found.at])]


# Table, download, receipts


def rows(reading: Reading) -> pd.DataFrame:
    """Every model of both makers and the market's rest in every period, with `DOWNLOAD_COLUMNS`."""
    return market_rows.rows(reading.content.figures)


def table(reading: Reading) -> Table:
    """A row a model: its figure in the newest period, the one a year before, and the change."""
    found: Models = reading.content
    measure = found.figures.selection.measure
    body = []
    for side in found.sides:
        for entry in side.entries:
            low, high = (value_text(end, measure) for end in (entry.low, entry.high))
            now = low if low == high else f"{low} to {high}"
            then = value_text(entry.before, measure) if entry.before > 0 else "new" if entry.is_new else style.MISSING
            change = style.MISSING if np.isnan(entry.change) else style.growth_text(entry.change)
            body.append((side.name, entry.name, now, then, change))
    newest = style.period_text(month_start(int(found.figures.start[found.at])), found.figures.selection.grain.value)
    return Table(
        header=("Maker", "Model", period_name(found.figures, found.at).removeprefix("the "), "A year before", "Change"),
        rows=tuple(body),
        caption=f"The period that ends with {newest}; all models and periods are in the download.",
    )


DUEL_MODELS = Chart(
    slug="duel-models",
    name="Model against model",
    question="Which of their models meet?",
    defaults=DEFAULTS,
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=market_rows.receipts_of,
)
