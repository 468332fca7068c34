"""`coverage`: what there is for which market and period, how detailed it is, and how much of it has a name.

A cell is one published period of a market: told by model, by maker, as a total only, or by makers' own figures, which
add up to no market. Its value is the share of the cars that stand under a maker's name; the rest is the publisher's
unnamed `other`, and of a mere total everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import isnan
from typing import Any

import pandas as pd

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Badge, Chart, Reading, Table
from dashboard.comparability import check_names
from dashboard.coverage import TOLD, Cell, Coverage, Detail, MarketCoverage, coverage_of, in_periods
from dashboard.precedence import PUBLISHED_AS
from dashboard.selection import BasisChoice, Incomparable, Measure, NotPublished, Selection
from dashboard.style import Figure, Look, Theme
from dashboard.windows import month_start
from db import Connection, market_claims, queries
from db.market_claims import Dataset
from db.queries import Nouns
from db.vocabulary import ALL, Grain

DRAWN = 30
"""Markets drawn at the most, the largest: all of them are in the table and the download."""

UNNAMED = 0.05
"""An unnamed rest below this part of a market is no finding."""

MEASURES = (Measure.SHARE,)

_LISTED = 6
"""Markets that a note names before it counts the rest."""

HUES: dict[Detail, tuple[str, str]] = {
    Detail.MODEL: ("#0B4F9E", "#7DB7F5"),
    Detail.MAKER: ("#C2570C", "#F0A050"),
    Detail.TOTAL: ("#8A929B", "#6E7883"),
    Detail.OWN: ("#52141F", "#DECCBA"),
}
"""What a detail is drawn in on the light and on the dark background: a hue of the record, never of a maker."""

PALEST = 0.3
"""Of the hue of a record that names next to nothing this part is left, the background is the rest."""


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:
    """What is published about the markets of a selection; about all of them where it names none.

    Raises `InvalidSelection` for unknown markets, `Incomparable` for makers' headline figures, which stand on two bases
    at once, and `NotPublished` where there is nothing at all, each with the nearest selection that works.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(replace(selection, makers=(), models=()), nouns)
    if selection.basis is BasisChoice.REPORTED:
        raise Incomparable(
            "makers' own headline figures stand on different bases; what there is of them is shown one basis at a time",
            nearest=replace(selection, basis=BasisChoice.DELIVERY),
        )
    if selection.measure not in MEASURES:
        raise NotPublished(
            f"this chart draws {', '.join(MEASURES)}, not {selection.measure}",
            nearest=replace(selection, measure=MEASURES[0]),
        )
    dataset = market_claims.sales_figures(
        connection,
        markets=selection.market or tuple(nouns.markets),
        bases=(selection.basis.value,),
        powertrains=PUBLISHED_AS[selection.powertrain],
        as_of=selection.as_of,
    )
    coverage = coverage_of(dataset, selection, nouns)
    if not coverage.markets:
        raise _nothing(connection, selection, nouns)
    return Reading(
        selection=selection,
        title=title(coverage),
        subtitle=_subtitle(selection),
        badge=_badge(coverage, dataset, selection, today=today),
        citations=dataset.citations,
        notes=_notes(coverage, selection.grain),
        content=coverage,
    )


def _nothing(connection: Connection, selection: Selection, nouns: Nouns) -> NotPublished:
    everything = Selection(market=(), basis=selection.basis, powertrain=selection.powertrain)
    nearest = everything if everything != selection else None
    known = queries.first_known(
        connection, markets=selection.market or tuple(nouns.markets), basis=selection.basis.value
    )
    if selection.as_of and known and (first := min(known.values())) > selection.as_of:
        return NotPublished(
            f"nothing of it was loaded as known on {selection.as_of}; the first day as known that can be shown is "
            f"{first}",
            nearest=replace(selection, as_of=first),
        )
    if not nouns.markets:
        return NotPublished("no figures are loaded; run 'python -m etl load'")
    names = ", ".join(nouns.markets[code] for code in selection.market) or "any market"
    when = " in these months" if selection.since or selection.until else ""
    return NotPublished(
        f"no source states {selection.powertrain} {selection.basis} figures of {names}{when}", nearest=nearest
    )


# Words


def title(coverage: Coverage) -> str:
    """How many markets there are, how many of them have makers by name, and where most of it has none.

    All of it is said of each market's newest period. Regions overlap their countries: where there are countries, they
    alone count.
    """
    when = _month(coverage.end - 1)
    if len(coverage.markets) == 1:
        return _title_of_one(coverage.markets[0], when=when)
    markets = [of for of in coverage.markets if not of.is_region] or list(coverage.markets)
    said = f"{style.count_text(len(markets), 'market')} to {when}; "
    with_makers = [of for of in markets if of.last.detail.names_makers]
    if not with_makers:
        own = all(of.last.detail is Detail.OWN for of in markets)
        return said + ("makers' own figures only" if own else "no makers are named")
    said += f"makers are named in {'all' if len(with_makers) == len(markets) else len(with_makers)}"
    unnamed = [of for of in with_makers if 1 - of.last.named >= UNNAMED]
    if not unnamed:
        return said
    most = max(unnamed, key=lambda of: of.size * (1 - of.last.named))
    finding = f"{said}, {style.share_text(1 - most.last.named)} of {most.name} is unnamed"
    return finding if len(finding) <= 90 else said


def _title_of_one(of: MarketCoverage, *, when: str) -> str:
    if of.last.detail is Detail.OWN:
        return f"{of.name}: makers' own figures only, to {when}"
    if of.last.detail is Detail.TOTAL:
        return f"{of.name}: only totals are published, to {when}"
    unnamed = 1 - of.last.named
    rest = f", {style.share_text(unnamed)} of the cars are unnamed" if unnamed >= UNNAMED else ""
    return f"{of.name}: {TOLD[of.last.detail]} to {when}{rest}"


def _subtitle(selection: Selection) -> str:
    return (
        f"{selection.powertrain} ({selection.powertrain.meaning}), {selection.basis}, by market and {selection.grain}. "
        "Hue: how detailed. Strength: how large a part of the cars has a maker's name."
    )


def _badge(coverage: Coverage, dataset: Dataset, selection: Selection, *, today: date) -> Badge:
    """How far the figures go; overdue is judged at `as_of`, else today, unless the range asked for ends before."""
    known = dataset.as_of or max(cited.known_on for cited in dataset.citations)
    text = f"data to {_month(coverage.end - 1)} · as known {style.day_text(known)}"
    late = sorted(
        (of for of in coverage.markets if of.next_due < (selection.as_of or today)), key=lambda of: of.next_due
    )
    if not late or selection.until:
        return Badge(text=text)
    also = f" and {len(late) - 1} more" if len(late) > 1 else ""
    return Badge(
        text=f"{text} · {style.count_text(len(late), 'market')} overdue",
        amber=True,
        reason=f"Newer figures of {late[0].name}{also} were due by {style.day_text(late[0].next_due)}.",
    )


def _notes(coverage: Coverage, grain: Grain) -> tuple[str, ...]:
    markets, notes = coverage.markets, []
    totals = [of.name for of in markets if of.last.detail is Detail.TOTAL]
    if totals:
        notes.append(f"Only totals in the newest period: {_listed(totals)}.")
    if any(cell.detail is Detail.OWN for of in markets for cell in of.cells):
        notes.append("Makers' own figures add up to no market: what they leave unnamed cannot be said.")
    longer = [of.name for of in markets if of.last.months > grain.months]
    if longer:
        notes.append(f"Published in longer periods, each one cell: {_listed(longer)}.")
    behind = [f"{of.name} ({_month(of.last.end - 1)})" for of in markets if of.last.end < coverage.end]
    if behind:
        notes.append(f"The figures end earlier in: {_listed(behind)}.")
    if coverage.without:
        notes.append(f"Nothing of: {_listed(coverage.without)}.")
    if len(markets) > DRAWN:
        notes.append(f"Not drawn: {len(markets) - DRAWN} smaller markets; all are in the table and the download.")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _month(month: int) -> str:
    return style.period_text(month_start(month), "month")


def _named_text(cell: Cell) -> str:
    """The named share of a cell as a table says it."""
    return style.share_text(cell.named) if cell.detail.names_makers else style.MISSING


# The plot


_ROOM = {True: 215, False: 900}
"""Pixels that a narrow and a wide page leave for the cells of a row."""

_LEAST_CELL = 4
"""Cells narrower than this many pixels at the page's font size are put together into longer periods."""

_ROW = 17
"""Height of a row on a page in pixels."""


def draw(reading: Reading, look: Look) -> Figure:
    """A heat map of the largest markets by period; where periods would be too narrow, by quarters or years."""
    coverage: Coverage = reading.content
    markets = coverage.markets[:DRAWN]
    is_narrow = look.width is None and look.font_px < style.SCREEN.font_px
    room = look.width * 0.8 if look.width else _ROOM[is_narrow]
    first = min(of.cells[0].start for of in markets)
    grain = _drawable(reading.selection.grain, months=coverage.end - first, room=room * 13 / look.font_px)
    rows = [in_periods(of.cells, grain) for of in markets]
    first = min(cells[0].start for cells in rows)
    count = max(-(-(cells[-1].end - first) // grain.months) for cells in rows)
    z, texts = _matrix(rows, first=first, grain=grain, count=count)
    font = round(look.font_px * 0.92)
    top, bottom = round(look.font_px * (4.4 if is_narrow else 2.8)), round(look.font_px * 2.2)
    height = look.height if look.width else top + bottom + max(len(markets), 3) * _ROW
    if look.width:
        font = min(font, max(8, int(look.height * 0.62 / len(markets) * 0.8)))
    names = [
        style.fitting(of.name, width=105 if is_narrow else 220 * look.font_px / 13, font_px=font) for of in markets
    ]
    ink = style.INK[look.theme]
    trace = {
        "type": "heatmap",
        "z": z,
        "x": list(range(count)),
        "y": [style.escape(name) for name in names],
        "text": texts,
        "hovertemplate": "%{y}, %{text}<extra></extra>",
        "hoverongaps": False,
        "zmin": 0,
        "zmax": len(Detail),
        "colorscale": _colour_scale(look.theme),
        "showscale": False,
        "xgap": 1 if room / count >= 6 else 0,
        "ygap": 2,
    }
    ends = [
        {
            "text": style.escape(_named_text(of.last)),
            "font": {"size": font, "color": ink.quiet},
            "showarrow": False,
            "xref": "paper",
            "x": 1,
            "xanchor": "left",
            "xshift": 6,
            "yref": "y",
            "y": n,
            "yanchor": "middle",
        }
        for n, of in enumerate(markets)
    ]
    ends.append(ends[0] | {"text": "named", "yref": "paper", "y": 1, "yanchor": "bottom", "yshift": 2})
    wide = max(style.text_width(str(end["text"]), font) for end in ends)
    layout = style.layout(
        look,
        height=height,
        margin={
            "l": round(max(style.text_width(name, font) for name in names) + look.font_px * 0.8),
            # A picture has no edge of its own around the plot.
            "r": round(wide + 10 + (look.font_px * 1.5 if look.width else 0)),
            "t": top,
            "b": bottom,
        },
        hovermode="closest",
        showlegend=True,
        legend={"font": {"size": font}, "itemclick": False, "itemdoubleclick": False, "y": 1.01},
        xaxis={**_years(first, grain, count, room=room, font_px=font), "range": [-0.5, count - 0.5], "showline": False},
        yaxis={
            "type": "category",
            "autorange": "reversed",
            "showgrid": False,
            "zeroline": False,
            "tickfont": {"size": font, "color": ink.text},
            "tickmode": "array",
            "tickvals": list(range(len(names))),
            "ticktext": [style.escape(name) for name in names],
        },
        annotations=ends,
    )
    return {"data": [trace, *_key(rows, grain, look)], "layout": layout}


def _drawable(grain: Grain, *, months: int, room: float) -> Grain:
    """The shortest grain, from the one asked for on, whose cells are wide enough to be seen."""
    longer = [each for each in Grain if each.months >= grain.months]
    return next((each for each in longer if room / (months / each.months) >= _LEAST_CELL), Grain.YEAR)


def _matrix(
    rows: Sequence[Sequence[Cell]], *, first: int, grain: Grain, count: int
) -> tuple[list[list[float | None]], list[list[str]]]:
    """Level and named share of each cell as one number, and its words; a longer cell fills all of its columns."""
    months = grain.months
    z: list[list[float | None]] = []
    texts: list[list[str]] = []
    for cells in rows:
        z.append([None] * count)
        texts.append([""] * count)
        for cell in cells:
            strength = float(cell.months == months)
            if cell.detail.names_makers:
                strength = 0.0 if isnan(cell.named) else cell.named
            height, text = round(cell.detail + 0.998 * strength + 0.001, 3), style.escape(cell.text)
            for at in range((cell.start - first) // months, (cell.end - first) // months):
                z[-1][at], texts[-1][at] = height, text
    return z, texts


def shade(detail: Detail, share: float, theme: Theme) -> str:
    """The colour of a record that names a share of the cars: its hue, the paler the less is named.

    Of totals those of longer periods than the plot's are pale (a share of 0), the others are not (1).
    """
    full = HUES[detail][theme == "dark"]
    part = PALEST + (1 - PALEST) * share if detail is not Detail.OWN else 1.0
    ends = zip(_channels(style.INK[theme].background), _channels(full), strict=True)
    return "#" + "".join(f"{round(back + (own - back) * part):02X}" for back, own in ends)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _colour_scale(theme: Theme) -> list[list[float | str]]:
    """A span of the scale for each detail, from the palest to the full hue."""
    return [[(detail + share) / len(Detail), shade(detail, share, theme)] for detail in Detail for share in (0.0, 1.0)]


def _key(rows: Sequence[Sequence[Cell]], grain: Grain, look: Look) -> list[dict[str, Any]]:
    """A legend entry for each detail that is drawn, the best first."""
    details = {cell.detail for cells in rows for cell in cells}
    entries = [(TOLD[detail], shade(detail, 1.0, look.theme)) for detail in sorted(details, reverse=True)]
    if any(cell.detail is Detail.TOTAL and cell.months > grain.months for cells in rows for cell in cells):
        entries.append((f"total of more than a {grain}", shade(Detail.TOTAL, 0.0, look.theme)))
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [None],
            "y": [None],
            "marker": {"symbol": "square", "size": look.font_px * 0.8, "color": colour},
            "hoverinfo": "skip",
        }
        for name, colour in entries
    ]


def _years(first: int, grain: Grain, count: int, *, room: float, font_px: float) -> dict[str, Any]:
    """Ticks where years begin, as many as have room."""
    januaries = [at for at in range(count) if (first + at * grain.months) % 12 == 0] or [0]
    wide = style.text_width("2026", font_px) * 1.5
    step = max(1, -(-int(wide) // max(1, int(room * 12 / grain.months / count))))
    shown = [at for at in januaries if ((first + at * grain.months) // 12) % step == 0] or januaries[:1]
    return {
        "type": "linear",
        "tickmode": "array",
        "tickvals": [at - 0.5 if grain is not Grain.YEAR else at for at in shown],
        "ticktext": [str((first + at * grain.months) // 12) for at in shown],
    }


# Rows and table


def rows(reading: Reading) -> pd.DataFrame:
    """One row a market and period with `DOWNLOAD_COLUMNS`; `value` is the named share, `flags` how detailed.

    Behind them: market_name, months_covered, makers, models (numbers), cars, unnamed_cars.
    """
    coverage: Coverage = reading.content
    selection = reading.selection
    found = [
        (
            month_start(cell.start).isoformat(),
            cell.grain.value,
            "none",
            of.code,
            selection.basis.value,
            selection.powertrain.value,
            selection.powertrain.value,
            ALL,
            ALL,
            "All makers",
            "All models",
            Measure.SHARE.value,
            *(3 * [cell.named]),
            "fraction",
            cell.detail.flag + (";partial" if cell.covered < cell.months else ""),
            ";".join(sorted(cell.sources)),
            (date(1970, 1, 1) + timedelta(days=cell.known)).isoformat(),
            of.name,
            cell.covered,
            cell.makers,
            cell.models,
            cell.total,
            cell.unnamed,
        )
        for of in coverage.markets
        for cell in of.cells
    ]
    own = ("market_name", "months_covered", "makers", "models", "cars", "unnamed_cars")
    frame = pd.DataFrame(found, columns=[*DOWNLOAD_COLUMNS, *own])
    return frame.sort_values(["period_start", "market"], kind="stable", ignore_index=True)


def table(reading: Reading) -> Table:
    """Each market's newest period, the largest market first."""
    coverage: Coverage = reading.content
    return Table(
        header=("Market", "Newest period", "How detailed", "Makers", "Models", "Named", "Since", "Sources"),
        rows=tuple(
            (
                of.name,
                style.period_text(month_start(of.last.start), of.last.grain.value),
                TOLD[of.last.detail],
                f"{of.last.makers:,}" if of.last.makers else style.MISSING,
                f"{of.last.models:,}" if of.last.models else style.MISSING,
                _named_text(of.last),
                _month(of.cells[0].start),
                ", ".join(sorted(of.last.sources)),
            )
            for of in coverage.markets
        ),
        caption="The newest period of each market, the largest market first. All periods are in the download.",
    )


COVERAGE = Chart(
    slug="coverage",
    name="Coverage",
    question="What is there, for which market and period, and how detailed?",
    defaults=Selection(market=()),
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
