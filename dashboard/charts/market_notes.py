"""What a reader has to know of market figures: how fresh they are, what bounds leave open, where they end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from dashboard import style
from dashboard.charts.chart import Badge
from dashboard.charts.market_words import (
    Drawn,
    is_open,
    last_month,
    listed,
    not_drawn,
    places,
    rest_share,
    smaller_name,
    subtitle,
    sum_of,
    value_text,
)
from dashboard.comparability import is_of_totals
from dashboard.lines import Line
from dashboard.sales_lines import MarketFigures
from dashboard.selection import By, Measure, PowertrainChoice
from dashboard.windows import month_number, month_start
from db.claims import GRAIN_MONTHS


def badge(drawn: Drawn, *, today: date) -> Badge:
    """How fresh the figures are and how much of them is named; overdue is judged at `as_of`, else today."""
    doubt = ""
    if _open_lines(drawn):
        marks = "≥ marks a lower bound, ≤ what is not named and could be anything up to there"
        if drawn.figures.selection.measure is Measure.GROWTH:
            marks = "changes of what it may hide are uncertain"
        doubt = f"Part of this market is published without names: {marks}."
    return freshness(drawn.figures, today=today, doubt=doubt)


def freshness(figures: MarketFigures, *, today: date, doubt: str = "", markets: Sequence[str] | None = None) -> Badge:
    """The badge of figures: the last period, as known when, how much is named; `doubt` says what bounds leave open.

    `markets` are those whose newer figures are waited for, where not all are shown.
    """
    citations = figures.dataset.citations
    end = style.period_text(
        month_start(int(figures.start[-1]) + GRAIN_MONTHS[figures.selection.grain.value] - 1), "month"
    )
    known = max(cited.known_on for cited in citations)
    parts = [f"data to {end}", f"as known {style.day_text(known)}"]
    rest = rest_share(figures)
    if rest is not None:
        parts.append(f"{style.share_text(1 - rest)} named")
    late = overdue(figures, on=figures.selection.as_of or today, markets=markets)
    if late:
        parts.append("overdue")
    if figures.unfinished[-1]:
        parts.append("incomplete")
        late = f"{late} The last period is not yet published in full.".strip()
    reason = f"{late} {doubt}".strip()
    return Badge(text=" · ".join(parts), amber=bool(reason), reason=reason)


def overdue(figures: MarketFigures, *, on: date, markets: Sequence[str] | None = None) -> str:
    """Which market's next figures should be there by now; nothing where all that is due is there."""
    shown = {code: figures.reach[code] for code in markets or figures.reach if code in figures.reach}
    due = {code: reach.next_due for code, reach in shown.items() if reach.next_due and reach.next_due < on}
    if not due or (figures.selection.until and month_start(int(figures.start[-1])) >= figures.selection.until):
        return ""
    code = min(due, key=due.__getitem__)
    also = f" and {len(due) - 1} more" if len(due) > 1 else ""
    return f"Newer figures of {figures.nouns.markets[code]}{also} were due by {style.day_text(due[code])}."


def _open_lines(drawn: Drawn) -> list[Line]:
    """The drawn lines whose last value the unnamed rest leaves open."""
    measure = drawn.figures.selection.measure
    with_figure = [line for line in drawn.lines if not np.isnan(line.value[-1])]
    return [line for line in with_figure if is_open(line, measure)]


def notes(drawn: Drawn) -> tuple[str, ...]:
    """What a reader has to know of drawn lines: bounds, what is folded, unlike bases, and what `common_notes` say."""
    return (*bounds_notes(drawn), *_fold_notes(drawn), *_unlike_notes(drawn), *common_notes(drawn))


def bounds_notes(drawn: Drawn) -> list[str]:
    """Between what the line lies whose last value the unnamed rest leaves most open."""
    selection, notes = drawn.figures.selection, []
    loose = _open_lines(drawn)
    if loose:
        widest = max(loose, key=lambda line: line.high[-1] - line.low[-1])
        low, high = (value_text(float(end[-1]), selection.measure) for end in (widest.low, widest.high))
        what = "≥ marks a lower bound: the" if selection.measure is not Measure.GROWTH else "The"
        subject = "The change of " if selection.measure is Measure.GROWTH else ""
        notes.append(
            f"{what} publisher's unnamed rest could hide more. {subject}{widest.name} lies between {low} and {high}."
        )
    return notes


def common_notes(drawn: Drawn) -> list[str]:
    """What a reader of any chart has to know of its figures: coverage, where they end, publishers' remarks."""
    figures = drawn.figures
    notes = [*_coverage_notes(drawn), *reach_notes(figures)]
    if figures.selection.powertrain is PowertrainChoice.BEV:
        notes.append("Plug-in hybrids are not in these figures.")
    if figures.selection.by is By.POWERTRAIN:
        notes.append("PHEV: plug-in hybrids, and range-extended cars (EREV) where the publisher counts them so.")
    notes += [f"On some periods: {remark.rstrip('.')}." for remark in figures.remarks[:2]]
    return notes


def _fold_notes(drawn: Drawn) -> list[str]:
    selection = drawn.figures.selection
    folded = not_drawn(drawn)
    if selection.measure is Measure.GROWTH or drawn.figures.is_own:
        return [f"Not drawn: {len(folded)} others; all are in the download."] if folded else []
    own_rests = [line for line in folded if line.is_own_rest]
    smaller = [line for line in folded if not line.is_own_rest]
    notes = []
    if smaller:
        together = value_text(sum_of(smaller), selection.measure)
        notes.append(
            f"Not drawn: {smaller_name(len(smaller), selection)}, together {together}; all are in the download."
        )
    if own_rests:
        together = value_text(sum_of(own_rests), selection.measure)
        notes.append(f"Not drawn: named makers' unnamed models, together {together}.")
    return notes


def _unlike_notes(drawn: Drawn) -> list[str]:
    bases = sorted({line.basis for line in drawn.lines})
    if len(bases) < 2:
        return []
    return [f"Unlike bases ({' and '.join(bases)}): the lines stand side by side, and are neither added nor ranked."]


def _coverage_notes(drawn: Drawn) -> list[str]:
    """What keeps periods from being compared: incomplete records, a change of publisher."""
    figures, notes = drawn.figures, []
    selection = figures.selection
    if not figures.is_own and any(len(set(line.sources[~np.isnan(line.value)].tolist())) > 1 for line in figures.lines):
        notes.append("Publishers change along the lines: a step from one to the next need not be one of the market.")
    if not subtitle(figures).startswith(places(figures)[0]):
        notes.append(f"Markets: {', '.join(figures.nouns.markets[code] for code in selection.market)}.")
    unfinished = np.flatnonzero(figures.unfinished)
    if len(unfinished):
        first, last = (
            style.period_text(month_start(int(figures.start[at])), selection.grain.value) for at in unfinished[[0, -1]]
        )
        when = f"in periods from {first} to {last}" if first != last else f"in {last}"
        notes.append(f"Records are incomplete {when}: they are marked, and not compared with complete ones.")
    return notes


def reach_notes(figures: MarketFigures) -> list[str]:
    """Where a market's figures end before the chart does, or end the chart: the figures end there, not the market."""
    selection, notes = figures.selection, []
    names, reach = figures.nouns.markets, figures.reach
    length = GRAIN_MONTHS[selection.grain.value]
    end = int(figures.start[-1]) + length
    asked_to = month_number(selection.until) + 1 if selection.until else max(to.published_to for to in reach.values())
    totals_only = []
    if not is_of_totals(selection):
        totals_only = [
            code for code, to in reach.items() if to.named_to <= end and to.named_to < min(to.published_to, asked_to)
        ]
    for code in totals_only:
        named_to = reach[code].named_to
        # What was published before the range is not known here.
        since = f"Since {selection.since.year} only" if selection.since else "Only"
        when = f"After {last_month(named_to)} only" if named_to else since
        notes.append(f"{when} totals are published for {names[code]}: no makers.")
    if selection.by is By.MARKET:
        drawn = {line.market for line in figures.lines if not np.isnan(line.value[-1])}
        ended = [code for code in selection.market if code not in drawn and code not in totals_only]
    else:
        # The next period was asked for, and is there for other markets of the sum.
        furthest = min(asked_to, max(to.published_to for to in reach.values()))
        ended = [code for code, to in reach.items() if to.published_to < end + length <= furthest]
    for to in dict.fromkeys(reach[code].published_to for code in ended):
        who = listed([names[code] for code in ended if reach[code].published_to == to])
        notes.append(f"Figures of {who} end with {last_month(to)}." if to else f"No figures of {who} are known.")
    return notes
