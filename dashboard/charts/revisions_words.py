"""The words of `revisions`: what became of the figures, and title, subtitle, badge and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pandas as pd

from dashboard import style
from dashboard.charts.chart import CARS, Badge, shortest
from dashboard.revisions import Rename
from dashboard.selection import By, Selection
from db.provenance import Citation
from db.queries import Nouns
from db.vintages import TypicalRevision, typical_size
from db.vocabulary import ALL, OTHER

ENOUGH = 10
"""Revised figures from which their 90th percentile says something."""


@dataclass(frozen=True)
class Revisions:
    """What has become of the figures of a selection.

    `cells` is as `outcomes` gives it and `changes` as `revisions.changes` does, both within the range asked for and
    without the unnamed rests; `rest_changes` counts the changes of these. `typical` is by source.
    """

    cells: pd.DataFrame
    changes: pd.DataFrame
    rest_changes: int
    renames: tuple[Rename, ...]
    typical: Mapping[str, TypicalRevision]
    looked: tuple[date, ...]
    """The days on which the files were read, over all of them."""
    nouns: Nouns

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The cells that a later vintage could have changed."""
        return self.cells[self.cells["is_judged"]]

    @cached_property
    def revised(self) -> pd.DataFrame:
        """Those of the judged cells whose figure was changed."""
        return self.judged[self.judged["is_revised"]]

    @cached_property
    def sizes(self) -> tuple[float | None, float | None]:
        """Median and 90th percentile of the size of the change of the revised cells."""
        return typical_size(self.revised["relative"].abs().dropna().to_numpy())


def title(found: Revisions, selection: Selection) -> str:
    """How much was revised and typically by how much, in at most 90 characters; neutral where nothing was."""
    count = len(found.judged)
    what = f"{count:,} {_figures_name(found, selection)}"
    only = f"The one judged {_figures_name(found, selection).replace('figures', 'figure', 1)}"
    renamed = len({(each.old, each.new) for each in found.renames})
    names = f"; {renamed} name{'s' if renamed > 1 else ''} changed" if renamed else ""
    if not len(found.revised):
        none = f"None of {what} was revised" if count > 1 else f"{only} was not revised"
        return shortest(f"{none} after publication{names}", f"{none}{names}", none)
    part = f"{len(found.revised):,} of {what}" if count > 1 else only
    were = "were" if len(found.revised) > 1 else "was"
    median, _ = found.sizes
    if median is None:
        return shortest(f"{part} {were} revised after publication{names}", f"{part} {were} revised")
    typically = f"half of them by {size_text(median)} or more" if len(found.revised) > 1 else f"by {size_text(median)}"
    return shortest(
        f"{part} {were} revised later, {typically}{names}",
        f"{part} {were} revised later, {typically}",
        f"{part} {were} revised, {typically}",
        f"{part} {were} revised",
    )


def _figures_name(found: Revisions, selection: Selection) -> str:
    """'figures of German BEVs'."""
    cars = CARS[selection.powertrain]
    if len(selection.market) == 1:
        return f"figures of {found.nouns.adjectives[selection.market[0]]} {cars}"
    return f"figures of {cars} in {len(selection.market)} markets"


def size_text(size: float) -> str:
    """The size of a change, without a sign."""
    return style.growth_text(size).removeprefix("+")


def subtitle(found: Revisions, selection: Selection) -> str:
    """Which figures, and what is drawn of them."""
    where = ", ".join(found.nouns.markets[code] for code in selection.market)
    by = "by model" if selection.by is By.MODEL or selection.models else "by maker (brand)"
    return (
        f"{where}. Latest figure against the first one known, change in %; {selection.basis} figures of "
        f"{CARS[selection.powertrain]} (passenger cars) {by}, by period as published"
    )


def badge(found: Revisions) -> Badge:
    """How many vintages there are and how much they judge; amber where that is less than half."""
    part = len(found.judged) / len(found.cells)
    looks = len(found.looked)
    parts = [f"{looks} vintages" if looks > 1 else "restated figures only"]
    if looks > 1:
        parts.append(f"{style.day_text(found.looked[0])} to {style.day_text(found.looked[-1])}")
    parts.append(f"{style.share_text(part)} judged")
    if part >= 0.5:
        return Badge(text=" · ".join(parts))
    return Badge(
        text=" · ".join(parts),
        amber=True,
        reason="Most of these figures were published once only: nobody can have changed them yet.",
    )


def notes(found: Revisions, citations: Sequence[Citation]) -> tuple[str, ...]:
    """How each source's figures were revised, and what was not judged, came late, vanished or was renamed."""
    notes = []
    for cited in citations:
        of = found.typical[cited.slug]
        if of.share is None:
            notes.append(
                f"{cited.title} is transcribed: it has {style.count_text(of.revised, 'restated figure')}, and nothing "
                "says how many others were looked at again."
            )
            continue
        size = ""
        if of.median is not None and of.p90 is not None and of.revised > 1:
            tenth = f", one in ten by {size_text(of.p90)} or more" if of.revised >= ENOUGH else ""
            size = f"; half of these by {size_text(of.median)} or more{tenth}"
        notes.append(f"{cited.title}: {style.share_text(of.share)} of {of.judged:,} judged figures revised{size}.")
    known, new = int(found.judged["is_from_start"].sum()), len(found.cells) - len(found.judged)
    if known:
        notes.append(
            f"{known:,} of the {len(found.judged):,} stand in the first vintage already: "
            "what was changed before is not known."
        )
    if new:
        notes.append(f"{style.count_text(new, 'more figure')} published once only: not judged.")
    late, vanished = int(found.cells["is_late"].sum()), int(found.cells["last"].isna().sum())
    if late or vanished:
        notes.append(
            f"{style.count_text(late, 'figure')} came late to a published record, {vanished:,} vanished. A maker's "
            "figure is what is named of it: cars move between names and the publisher's unnamed rest."
        )
    if found.renames:
        notes.append(f"Hollow: renamed, proven car for car. {_renames_text(found)}.")
    return tuple(notes)


def _renames_text(found: Revisions, *, listed: int = 4) -> str:
    """'BYD Yuan Plus is now Atto 3, …', what concerns most cars first."""
    cars: dict[tuple[tuple[str, str], tuple[str, str]], int] = {}
    for each in found.renames:
        cars[each.old, each.new] = cars.get((each.old, each.new), 0) + each.units
    pairs = sorted(cars, key=lambda pair: -cars[pair])
    texts = [f"{printed_name(old, found.nouns)} is now {printed_name(new, found.nouns)}" for old, new in pairs[:listed]]
    more = f" and {len(pairs) - listed} more" if len(pairs) > listed else ""
    return "; ".join(texts) + more


def printed_name(entity: tuple[str, str], nouns: Nouns) -> str:
    """The printed name of a maker, or of a maker and its model."""
    maker, model = entity
    of = "All makers" if maker == ALL else "Other" if maker == OTHER else nouns.makers.get(maker, maker)
    return of if model == ALL else f"{of} {printed_model(model, nouns)}"


def printed_model(model: str, nouns: Nouns) -> str:
    """A model's name; 'All models', and 'other models' for a rest."""
    if model == ALL:
        return "All models"
    return "other models" if model == OTHER else nouns.models.get(model, model)
