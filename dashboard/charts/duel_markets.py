"""`duel-markets`: which of two makers leads in which market, by how much, since when, and where it is open.

Each market is told up to its own newest period, which each row prints: markets are compared with none but themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from dashboard import style
from dashboard.charts import duel, market_rows
from dashboard.charts.chart import CARS, Chart, Point, Reading, Table
from dashboard.charts.duel import margin_text, signed_text
from dashboard.charts.duel_markets_drawing import draw, labelled
from dashboard.charts.duel_markets_words import Markets, Standing, doubt_text, notes, span_text, subtitle, title
from dashboard.charts.market_notes import freshness
from dashboard.charts.market_words import marked_text
from dashboard.lines import Line, maker_name
from dashboard.metrics import Gap
from dashboard.precedence import PUBLISHED_AS, counted_parts
from dashboard.sales_lines import MarketFigures, figures_asked_for, figures_if_any
from dashboard.selection import (
    BasisChoice,
    By,
    Incomparable,
    Measure,
    NotPublished,
    PowertrainChoice,
    Refusal,
    Selection,
    Window,
)
from dashboard.windows import month_start
from db import Connection, queries
from db.queries import Nouns
from db.vocabulary import Grain

MEASURES = (Measure.SHARE, Measure.UNITS, Measure.GROWTH)

DEFAULTS = Selection(market=(), makers=duel.RIVALS, window=Window.TTM, measure=Measure.SHARE)
"""All countries whose makers are named, over trailing twelve months."""

STALE = 12
"""Months that a market's newest figure may be older than the newest of all; older ones are left out, and named."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """How two makers stand in each market; raises as `market_figures` and `duel.duellists` do."""
    found = duel.answered(connection, selection, ask=_standings, others=_ways_on(selection))
    cited = {cited.slug: cited for each in found.standings for cited in each.figures.dataset.citations}
    newest = max(found.standings, key=lambda each: each.end)
    return Reading(
        selection=found.selection,
        title=title(found),
        subtitle=subtitle(found),
        badge=freshness(newest.figures, today=today, doubt=doubt_text(found)),
        citations=tuple(cited.values()),
        notes=(*notes(found), *(duel.read_as(selection) if selection.by is not By.MARKET else [])),
        content=found,
    )


def _ways_on(selection: Selection) -> Iterable[Selection]:
    return [replace(selection, market=()), *duel.at_home(selection, DEFAULTS)]


def _standings(connection: Connection, selection: Selection) -> Markets:
    nouns = queries.nouns(connection, as_of=selection.as_of)
    if selection.basis is BasisChoice.REPORTED:
        raise Incomparable(
            "makers' own headline figures are worldwide and on unlike bases: who leads a market is told by its "
            "registrations",
            nearest=replace(selection, basis=BasisChoice.REGISTRATION),
        )
    two = duel.duellists(selection, nouns)
    regions = tuple(code for code in two.market if code in nouns.regions)
    asked = tuple(code for code in two.market if code not in regions)
    if regions and not asked:
        raise NotPublished(
            f"{', '.join(nouns.markets[code] for code in regions)} overlaps the countries that this chart sets side by "
            "side, and no makers are named in it",
            nearest=replace(selection, market=()),
        )
    markets = asked or _naming(connection, two, nouns)
    found = [each for figures in _figures(connection, two, markets) for each in _of_figures(figures, two)]
    if not found:
        raise NotPublished(
            f"in no market asked for have both {' and '.join(maker_name(slug, two, nouns) for slug in two.makers)} "
            "figures over such a window",
        )
    newest = max(each.end for each in found)
    stale = tuple(each for each in found if each.end < newest - STALE and not asked)
    told = sorted(
        (each for each in found if each not in stale),
        key=lambda each: (not each.lead.side, -each.middle, each.name),
    )
    codes = {each.code for each in found}
    return Markets(
        selection=two,
        names=(maker_name(two.makers[0], two, nouns), maker_name(two.makers[1], two, nouns)),
        standings=tuple(told),
        stale=stale,
        regions=tuple(nouns.markets[code] for code in regions),
        silent=tuple(nouns.markets[code] for code in asked if code not in codes),
    )


def _naming(connection: Connection, selection: Selection, nouns: Nouns) -> tuple[str, ...]:
    """The countries whose figures on the basis name makers of the powertrain, and one of the two at some time.

    Where neither was ever named, both are what the unnamed rest hides: that says nothing of who leads.
    """
    words: dict[str, set[str]] = {}
    for each in queries.published(connection, markets=sorted(nouns.markets.keys() - nouns.regions)):
        if each.basis == selection.basis.value and each.names_makers:
            words.setdefault(each.market, set()).add(each.powertrain)
    wanted = set(PUBLISHED_AS[selection.powertrain])
    is_set = selection.powertrain is PowertrainChoice.NEV
    codes = (code for code, stated in words.items() if (counted_parts(stated) if is_set else wanted & stated))
    makers = {maker for slug in selection.makers for maker in (slug, *nouns.members.get(slug, ()))}
    with_either = queries.naming(connection, makers=makers, basis=selection.basis.value)
    found = tuple(sorted(codes))
    if not found:
        raise NotPublished(
            f"no country's {selection.basis} figures name makers of {CARS[selection.powertrain]}",
            nearest=replace(selection, basis=BasisChoice.REGISTRATION, powertrain=PowertrainChoice.BEV, of=None),
        )
    return tuple(code for code in found if code in with_either) or found


def _figures(connection: Connection, selection: Selection, markets: tuple[str, ...]) -> list[MarketFigures]:
    """The figures of the markets: by months, and by quarters of those that have no months but fill the same window."""
    found: list[MarketFigures] = []
    asked: list[Selection] = []

    def ask(wanted: Selection, codes: tuple[str, ...]) -> None:
        readings = [replace(wanted, market=codes, by=By.MARKET)]
        if wanted.by is By.GROUP:
            # Groups are no lines by market: they are read market by market.
            readings = [replace(wanted, market=(code,)) for code in codes]
        asked.extend(readings)
        for reading in readings:
            with suppress(Refusal):
                figures = figures_if_any(connection, reading, measures=MEASURES)
                found.extend([figures] if figures else [])

    ask(selection, markets)
    if selection.grain is Grain.MONTH and selection.window is not Window.NONE:
        told = {line.market for of in found for line in of.entities}
        coarse = tuple(code for code in markets if code not in told)
        if coarse:
            ask(replace(selection, grain=Grain.QUARTER), coarse)
    if not found:
        # The first of them says why.
        figures_asked_for(connection, asked[0], measures=MEASURES)
    return found


def _of_figures(figures: MarketFigures, selection: Selection) -> list[Standing]:
    """The standing in each market of some figures in which both have any."""
    standings = []
    for code in figures.selection.market:
        lines = [duel.side(figures, slug, market=code) for slug in selection.makers]
        one, other = lines
        if one is None or other is None:
            continue
        gap = duel.gap_of(one, other)
        lead = duel.lead_of(gap, figures, one)
        if lead is not None:
            standings.append(
                Standing(
                    code=code,
                    name=figures.nouns.markets[code],
                    figures=figures,
                    one=one,
                    other=other,
                    gap=gap,
                    lead=lead,
                    before=_year_before(figures, (one, other), gap, lead.at),
                )
            )
    return standings


def _year_before(figures: MarketFigures, lines: tuple[Line, Line], gap: Gap, at: int) -> int | None:
    """The place of the same period a year before, if it has a gap and was told by the same sources."""
    place = int(np.searchsorted(figures.start, figures.start[at] - 12))
    if figures.start[place] != figures.start[at] - 12 or np.isnan(gap.value[place]):
        return None
    return place if all(line.sources[place] == line.sources[at] for line in lines) else None


# Table, download, receipts


def table(reading: Reading) -> Table:
    """A row a market: its own period, both figures, the gap now and a year before, and since when one is ahead."""
    found: Markets = reading.content
    selection = found.selection
    body = []
    for each in found.standings:
        then = _gap_words(each, each.before, found) if each.before is not None else style.MISSING
        body.append(
            (
                each.name,
                span_text(each, selection),
                marked_text(each.one, each.at, selection),
                marked_text(each.other, each.at, selection),
                _gap_words(each, each.at, found),
                then,
                each.since or style.MISSING,
            )
        )
    return Table(
        header=("Market", "Period", *found.names, "Ahead", "A year before", "Ahead since"),
        rows=tuple(body),
        caption="Every market up to its own newest period; ≥ and ≤ mark what the unnamed rest leaves open.",
    )


def _gap_words(standing: Standing, at: int, found: Markets) -> str:
    gap, measure = standing.gap, found.selection.measure
    side = float(gap.ahead[at])
    if side:
        return f"{found.names[0] if side > 0 else found.names[1]} by {margin_text(gap, at, measure)}"
    if gap.low[at] == gap.high[at]:
        return "level"
    return f"open: {signed_text(float(gap.low[at]), measure)} to {signed_text(float(gap.high[at]), measure)}"


def rows(reading: Reading) -> pd.DataFrame:
    """Both makers and the rest in each market's newest period, with `DOWNLOAD_COLUMNS` and columns of its own.

    Beside both makers' rows stand the gap (the first maker's value less the second's, in the measure's unit) with its
    ends, the slug of the one that is ahead, and the first period since which it is; a period with an open gap has none.
    """
    found: Markets = reading.content
    told: dict[int, list[Standing]] = {}
    for each in found.standings:
        told.setdefault(id(each.figures), []).append(each)
    parts = [_rows_of(standings, found) for standings in told.values()]
    return pd.concat(parts, ignore_index=True).sort_values(["market", "maker"], kind="stable", ignore_index=True)


def _rows_of(standings: Sequence[Standing], found: Markets) -> pd.DataFrame:
    """The rows of markets that are told by the same figures."""
    figures, makers = standings[0].figures, found.selection.makers
    of = {each.code: each for each in standings}
    newest = {each.code: np.where(np.arange(len(figures.start)) == each.at, 0.0, np.nan) for each in standings}
    lines = [line for line in figures.lines if line.market in of]
    part = market_rows.rows(
        replace(figures, lines=tuple(replace(line, value=line.value + newest[line.market]) for line in lines))
    )
    rows = [of[code] for code in part["market"]]
    is_side = part["maker"].isin(makers).to_numpy()
    part["period_start"] = [month_start(labelled(each, found)).isoformat() for each in rows]
    part["grain"] = found.selection.grain.value
    for name, end in (("gap", "value"), ("gap_low", "low"), ("gap_high", "high")):
        part[name] = np.where(is_side, [getattr(each.gap, end)[each.at] for each in rows], np.nan)
    leaders = [{1: makers[0], -1: makers[1]}.get(each.lead.side, "") for each in rows]
    firsts = [month_start(int(figures.start[each.lead.first])).isoformat() if each.lead.side else "" for each in rows]
    part["ahead"] = np.where(is_side, leaders, "")
    part["ahead_since"] = np.where(is_side, firsts, "")
    return part


def receipts(connection: Connection, reading: Reading, point: Point) -> pd.DataFrame:
    """The stored claims behind both makers' cars in a market's newest period: a gap rests on two figures."""
    found: Markets = reading.content
    standing = {each.code: each for each in found.standings}[point.market]
    start = int(standing.figures.start[standing.at])
    return pd.concat(
        [
            market_rows.receipts(
                connection,
                standing.figures,
                Point(market=point.market, maker=line.maker, model=line.model, period_start=start),
            )
            for line in (standing.one, standing.other)
        ],
        ignore_index=True,
    )


DUEL_MARKETS = Chart(
    slug="duel-markets",
    name="Who leads where",
    question="Which of the two leads where, and since when?",
    defaults=DEFAULTS,
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
    receipts=receipts,
)
