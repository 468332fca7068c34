"""The months behind the figures of a selection: its range, its periods and their windows."""

from __future__ import annotations

from datetime import date

import numpy as np

from dashboard.panels import window_opening
from dashboard.selection import (
    BasisChoice,
    By,
    Measure,
    Selection,
    Window,
)
from db.claims import GRAIN_MONTHS, Bools, Ints

_WINDOW_MONTHS = {Window.THREE_MONTHS: 3, Window.TTM: 12}


def first_wanted(selection: Selection) -> date | None:
    """The first day of what the range needs, or None for all there is.

    It is a New Year's Day: no record reaches over one, so that none is cut off which would stand before others.
    """
    if selection.since is None:
        return None
    spans = months_behind(selection, month_number(selection.since))
    return month_start(spans[0].start).replace(month=1)


def last_wanted(selection: Selection) -> date | None:
    """The last day of which the figures may be taken up, or None where later ones change nothing within the range.

    Which makers' headlines there are, and which sources tell powertrains apart, is to be seen within the range alone.
    """
    is_chosen = selection.basis is BasisChoice.REPORTED or selection.by is By.POWERTRAIN
    return selection.until if is_chosen else None


def month_number(day: date) -> int:
    """A date's month as year * 12 + month - 1."""
    return day.year * 12 + day.month - 1


def month_start(month: int) -> date:
    """The first day of a month that is counted as year * 12 + month - 1."""
    return date(int(month) // 12, int(month) % 12 + 1, 1)


def months_behind(selection: Selection, period_start: int) -> tuple[range, ...]:
    """The months that the figure of a period is made of: its window, for growth after the same a year before."""
    end = period_start + GRAIN_MONTHS[selection.grain.value]
    label = np.array([period_start], dtype=np.int64)
    opening = int(window_opening(label, grain=selection.grain.value, window=window_of(selection))[0])
    if selection.measure is Measure.GROWTH:
        return range(opening - 12, end - 12), range(opening, end)
    return (range(opening, end),)


def window_of(selection: Selection) -> int | str:
    """The window as `panel` takes it."""
    if selection.window in _WINDOW_MONTHS:
        # A window is never shorter than the period that it ends with: three months of a quarter are the quarter.
        return max(_WINDOW_MONTHS[selection.window], GRAIN_MONTHS[selection.grain.value])
    return "ytd" if selection.window is Window.YTD else "grain"


def in_range(start: Ints, selection: Selection) -> Bools:
    """The periods that lie wholly between since and until."""
    inside = np.ones(len(start), dtype=np.bool_)
    if selection.since:
        inside &= start >= month_number(selection.since)
    if selection.until:
        inside &= start + GRAIN_MONTHS[selection.grain.value] - 1 <= month_number(selection.until)
    return inside
