"""`revisions`: what was changed after it was published, and by how much.

One dot is one figure of a maker (or of a model) in one market and period: by how much its latest differs from its
first. Above and below the scale stand those that have no such change: figures that came late, and that vanished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from dashboard import style
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart, Reading, Table
from dashboard.charts.revisions_drawing import draw
from dashboard.charts.revisions_words import Revisions, badge, notes, printed_model, printed_name, subtitle, title
from dashboard.comparability import HEADLINE_BASES, check_names, check_sales
from dashboard.precedence import PUBLISHED_AS
from dashboard.revisions import Kind, Rename, cells_over_time, changes, outcomes, renames, typical, under_latest_names
from dashboard.selection import BasisChoice, By, Measure, NotPublished, Refusal, Selection, Window
from dashboard.what_changed import as_day
from dashboard.windows import month_number, month_start
from db import Connection, market_claims, queries
from db.claims import GRAIN_MONTHS
from db.memory import remembered
from db.provenance import Citation
from db.queries import Nouns
from db.vintages import Vintages, claims_over_time, vintages
from db.vocabulary import ALL, OTHER

TABLE_ROWS = 60
"""Changes in the table under the chart."""

MEASURES = (Measure.UNITS,)

_WHAT = {
    Kind.REVISED: "revised",
    Kind.VANISHED: "vanished",
    Kind.LATE: "added late",
    Kind.RENAMED: "renamed",
    Kind.MERGED: "merged under a name",
}


# Reading


def load(connection: Connection, selection: Selection, *, today: date) -> Reading:  # noqa: ARG001
    """What was changed of a selection's figures, as known on its `as_of`.

    Raises `InvalidSelection` for unknown names and `NotPublished` where no vintage could have changed anything yet,
    with the first day on which one had.
    """
    nouns = queries.nouns(connection, as_of=selection.as_of)
    check_names(selection, nouns)
    _check(connection, selection, nouns)
    is_reported = selection.basis is BasisChoice.REPORTED
    bases = HEADLINE_BASES if is_reported else (selection.basis.value,)
    powertrains = [word.value for word in PUBLISHED_AS[selection.powertrain]]
    told = _told(connection, selection, bases=bases, powertrains=powertrains, as_of=selection.as_of)
    found = _found(told, selection, nouns) if told else None
    if found is None or not len(found.judged):
        raise _too_early(connection, selection, nouns, bases=bases, powertrains=powertrains)
    citations = _cited(
        market_claims.sales_figures(
            connection, markets=selection.market, bases=bases, powertrains=powertrains, as_of=selection.as_of
        ).citations,
        found,
    )
    return Reading(
        selection=selection,
        title=title(found, selection),
        subtitle=subtitle(found, selection),
        badge=badge(found),
        citations=citations,
        notes=notes(found, citations),
        content=found,
    )


def _check(connection: Connection, selection: Selection, nouns: Nouns) -> None:
    if selection.by not in (By.MAKER, By.MODEL):
        raise NotPublished(
            f"publishers change the figures of makers and models, not of a {selection.by}: by=maker or by=model",
            nearest=replace(selection, by=By.MAKER),
        )
    published = queries.published(connection, markets=selection.market)
    refusals: dict[str, Refusal] = {}
    for code in selection.market:
        # Markets stand side by side here and are never added, and a model's claims are read whatever is drawn.
        asked = replace(
            selection,
            market=(code,),
            by=By.MAKER,
            makers=(),
            models=(),
            of=None,
            window=Window.NONE,
            measure=Measure.UNITS,
        )
        try:
            check_sales(asked, nouns, published, measures=MEASURES)
        except Refusal as refused:
            refusals[code] = refused
    if not refusals:
        return
    first = next(iter(refusals.values()))
    others = tuple(code for code in selection.market if code not in refusals)
    if others:
        first.nearest = replace(selection, market=others)
    elif first.nearest is not None:
        first.nearest = replace(first.nearest, by=selection.by, makers=selection.makers, models=selection.models)
    raise first


@dataclass(frozen=True, eq=False)
class _Told:
    """What became of all cells of some markets, as `cells_over_time` gives it, the proven renames, and the files."""

    steps: pd.DataFrame
    proven: tuple[Rename, ...]
    files: Mapping[tuple[str, str], Vintages]


def _told(
    connection: Connection,
    selection: Selection,
    *,
    bases: Sequence[str],
    powertrains: Sequence[str],
    as_of: date | None,
) -> _Told | None:
    """What became of the cells of a selection's markets, whichever of them it names; None where there are none."""
    by = "model" if selection.by is By.MODEL or selection.models else "maker"

    def ask() -> _Told | None:
        claims = claims_over_time(
            connection, markets=selection.market, bases=bases, powertrains=powertrains, as_of=as_of
        )
        if not len(claims):
            return None
        files, proven = vintages(connection, as_of=as_of), renames(claims)
        return _Told(cells_over_time(under_latest_names(claims, proven), files, by=by), proven, files)

    return remembered(connection, (_told, selection.market, tuple(bases), tuple(powertrains), as_of, by), ask)


def _found(told: _Told, selection: Selection, nouns: Nouns) -> Revisions:
    files, proven = told.files, told.proven
    steps = told.steps[_asked_for(told.steps, selection)]
    is_rest = (steps["maker"] == OTHER) | (steps["model"] == OTHER)
    named = steps[~is_rest]
    cells = outcomes(named, files)
    pairs = dict.fromkeys(zip(steps["source"].astype(str), steps["file"].astype(str), strict=True))
    shown = set(zip(*(named[name].astype(str) for name in ("maker", "model")), strict=True))
    return Revisions(
        cells=cells,
        changes=changes(named),
        rest_changes=len(changes(steps[is_rest])),
        renames=tuple(
            each
            for each in proven
            if not (selection.makers or selection.models) or each.new in shown or (each.new[0], ALL) in shown
        ),
        typical=typical(cells, files),
        looked=tuple(sorted({day for pair in pairs if not files[pair].is_own_history for day in files[pair].days})),
        nouns=nouns,
    )


def _asked_for(steps: pd.DataFrame, selection: Selection) -> pd.Series[bool]:
    """The rows of the makers, models and periods that a selection names; a period must lie wholly inside."""
    rows = pd.Series(True, index=steps.index)
    if selection.makers:
        rows &= steps["maker"].isin(selection.makers)
    if selection.models:
        rows &= steps["model"].isin(selection.models)
    if selection.since:
        rows &= steps["month"] >= month_number(selection.since)
    if selection.until:
        end = steps["month"] + steps["grain"].astype(str).map(GRAIN_MONTHS)
        rows &= end <= month_number(selection.until) + 1
    return rows


def _too_early(
    connection: Connection,
    selection: Selection,
    nouns: Nouns,
    *,
    bases: Sequence[str],
    powertrains: Sequence[str],
) -> NotPublished:
    """Why nothing can be told of a selection, with the first day on which something can."""
    ever = _told(connection, selection, bases=bases, powertrains=powertrains, as_of=None)
    days = _days_that_answer(ever, selection, nouns) if ever else []
    names = ", ".join(nouns.markets[code] for code in selection.market)
    what = f"{selection.powertrain} {selection.basis} figures of {names}"
    if days and selection.as_of is not None and days[0] > selection.as_of:
        return NotPublished(
            f"on {selection.as_of} the {what} had been published once at the most, so that nothing could have been "
            f"changed; the first day that can answer is {days[0]}",
            nearest=replace(selection, as_of=days[0]),
        )
    filtered = selection.makers or selection.models or selection.since or selection.until
    nearest = replace(selection, makers=(), models=(), since=None, until=None) if filtered else None
    return NotPublished(
        f"there is one vintage of the {what} only{' that were asked for' if filtered else ''}: nothing can be told of "
        "later changes until their publisher's next one is loaded",
        nearest=nearest,
    )


def _days_that_answer(ever: _Told, selection: Selection, nouns: Nouns) -> list[date]:
    """The days on which a file that states what was asked for was read again, or a figure restated; in order."""
    found = _found(ever, selection, nouns)
    days: set[date] = set()
    for (source, file), cells in found.cells.groupby(["source", "file"], observed=True):
        of = ever.files[str(source), str(file)]
        stated = found.changes[(found.changes["source"] == source) & (found.changes["file"] == file)]
        if of.is_own_history:
            days |= {as_day(since) for since in stated.loc[stated["kind"] == Kind.REVISED, "since"].tolist()}
        else:
            first = as_day(int(cells["first_since"].min()))
            days |= {day for day in of.days if day > first}
    return sorted(days)


def _cited(citations: Sequence[Citation], found: Revisions) -> tuple[Citation, ...]:
    """The citations of the sources whose figures were judged."""
    judged = set(found.judged["source"].astype(str))
    return tuple(cited for cited in citations if cited.slug in judged)


# Rows


def rows(reading: Reading) -> pd.DataFrame:
    """Every change: `value` is the new figure in cars (none where it vanished), `known_from` since when it stands.

    Columns of its own: kind, before, relative (the change on the figure before, a fraction), first (the first figure),
    renamed_from (slugs).
    """
    found: Revisions = reading.content
    frame = found.changes.sort_values(["month", "market", "maker", "model", "source", "since"])
    nouns, selection = found.nouns, reading.selection
    makers, models = frame["maker"].astype(str), frame["model"].astype(str)
    table = pd.DataFrame(
        {
            "period_start": [month_start(month).isoformat() for month in frame["month"]],
            "grain": frame["grain"].astype(str).to_numpy(),
            "window": "none",
            "market": frame["market"].astype(str).to_numpy(),
            "basis": frame["basis"].astype(str).to_numpy(),
            "powertrain": frame["powertrain"].astype(str).to_numpy(),
            "of": selection.denominator.value,
            "maker": makers.to_numpy(),
            "model": models.to_numpy(),
            "maker_name": [printed_name((maker, ALL), nouns) for maker in makers],
            "model_name": [printed_model(model, nouns) for model in models],
            "measure": Measure.UNITS.value,
            "value": frame["units"].to_numpy(dtype="float64"),
            "low": frame["units"].to_numpy(dtype="float64"),
            "high": frame["units"].to_numpy(dtype="float64"),
            "unit": "cars",
            "flags": frame["kind"].to_numpy(),
            "source": frame["source"].astype(str).to_numpy(),
            "known_from": [as_day(since).isoformat() for since in frame["since"]],
            "kind": frame["kind"].to_numpy(),
            "before": frame["before"].to_numpy(dtype="float64"),
            "relative": frame["relative"].to_numpy(dtype="float64"),
            "first": frame["first"].to_numpy(dtype="float64"),
            "renamed_from": [_slugs(names) for names in frame["renamed"]],
        }
    )
    return table[[*DOWNLOAD_COLUMNS, "kind", "before", "relative", "first", "renamed_from"]]


def _slugs(names: str) -> str:
    """The slugs of earlier names: of the model, or of the maker where it is the maker that was renamed."""
    pairs = (name.split(" ") for name in names.split(";") if name)
    return ";".join(maker if model == ALL else model for maker, model in pairs)


def table(reading: Reading) -> Table:
    """The newest changed figures; renames, which change no figure, are in the notes and in the download."""
    found: Revisions = reading.content
    frame = found.changes[~found.changes["kind"].isin([Kind.RENAMED.value, Kind.MERGED.value])]
    frame = frame.sort_values(["month", "since", "units"], ascending=[False, False, False])
    many = len(reading.selection.market) > 1
    body = []
    for row in frame.head(TABLE_ROWS).to_dict("records"):
        before, now = (style.units_text(row[name]) for name in ("before", "units"))
        body.append(
            (
                style.period_text(month_start(row["month"]), str(row["grain"])),
                *([found.nouns.markets[str(row["market"])]] if many else []),
                printed_name((str(row["maker"]), str(row["model"])), found.nouns),
                _WHAT[Kind(row["kind"])],
                before,
                now,
                style.growth_text(row["relative"]),
                style.day_text(as_day(row["since"])),
            )
        )
    left = max(len(frame) - TABLE_ROWS, 0)
    return Table(
        header=("Period", *(["Market"] if many else []), "Of", "Kind", "Before", "Then", "Change", "Since"),
        rows=tuple(body),
        caption=f"The newest changed figures{f'; {left:,} older ones are' if left else '; all are'} in the download.",
    )


REVISIONS = Chart(
    slug="revisions",
    name="Revisions",
    question="What was changed after it was published, and by how much?",
    defaults=Selection(measure=Measure.UNITS),
    measures=MEASURES,
    load=load,
    draw=draw,
    rows=rows,
    table=table,
)
