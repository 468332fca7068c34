"""The words of `change-ledger`: what each entry is about and what became of it, title and notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from dashboard import style
from dashboard.charts.chart import CARS, Badge, shortest
from dashboard.ledger import Ledger
from dashboard.ledger_entries import Entry
from dashboard.selection import By, Measure, PowertrainChoice, Selection, Window
from dashboard.what_changed import Kind
from dashboard.windows import month_start
from db.queries import Names
from db.vocabulary import ALL, OTHER, Basis, Grain

HEADINGS = {
    Kind.NEW: "New",
    Kind.REVISED: "Revised",
    Kind.VANISHED: "Taken back",
    Kind.ADDED: "Added later",
    Kind.OVERDUE: "Overdue",
    Kind.FIRST_READ: "Read for the first time",
}

REGIONS = {"NAM": "North America"}
"""Regions of records that are no market."""


@dataclass(frozen=True)
class Changed:
    """The ledger of a selection with what its codes are called. `sources` are titles by slug."""

    ledger: Ledger
    names: Names
    sources: dict[str, str]


def subject(entry: Entry, names: Names, sources: dict[str, str]) -> str:
    """What an entry is about: 'Tesla, World, Q3 2026', 'BYD Seagull, China: list price from 3 Oct 2026'."""
    if entry.kind is Kind.OVERDUE:
        return entry.about
    place = names.markets.get(entry.market) or REGIONS.get(entry.market, entry.market)
    if entry.kind is Kind.FIRST_READ:
        what = place or entry.table.replace("_", " ")
        return f"{what} ({sources.get(entry.source, entry.source)})"
    who = "" if entry.maker in (ALL, "") else who_name(entry.maker, entry.model, names)
    when = style.period_text(month_start(entry.month), entry.grain) if entry.month is not None and entry.grain else ""
    return ": ".join(part for part in (", ".join(each for each in (who, place, when) if each), entry.about) if part)


def who_name(maker: str, model: str, names: Names) -> str:
    """A maker, or a maker and its model, by name; 'unnamed makers' and 'other models' for rests."""
    of = {OTHER: "Unnamed makers", ALL: "All makers"}.get(maker) or names.makers.get(maker, maker)
    if model == ALL:
        return of
    return f"{of} {'other models' if model == OTHER else names.models.get(model, model)}"


def what(entry: Entry, ledger_on: date) -> str:
    """What became of it: '486,532 BEVs', '387,075 → 319,375 (−17.5 %)', 'due since 31 Aug 2026'."""
    if entry.kind is Kind.OVERDUE:
        late = (ledger_on - entry.since).days
        return f"due since {style.day_text(entry.since)}, {late} day{'' if late == 1 else 's'} late"
    if entry.kind is Kind.FIRST_READ:
        to = f", to {style.period_text(month_start(entry.month), 'month')}" if entry.month is not None else ""
        return f"{style.count_text(entry.figures, 'figure')}{to}"
    more = f", and {entry.figures - 1:,} more" if entry.figures > 1 else ""
    if entry.table not in ("sales", "penetration"):
        return _of_record(entry) + more
    before, now = (_amount(value, entry) for value in (entry.before, entry.now))
    if entry.kind is Kind.REVISED:
        relative = f" ({style.growth_text(entry.relative)})" if entry.relative is not None else ""
        return f"{before} → {now}{relative}{more}"
    if entry.kind is Kind.VANISHED:
        return f"{before} taken back{more}"
    counted = _unit(entry)
    if entry.kind is Kind.NEW and entry.maker == ALL:
        more = f", with {entry.figures - 1:,} more figures" if entry.figures > 2 else ""
    return f"{now} {counted}".strip() + more


def _of_record(entry: Entry) -> str:
    said = entry.said or {Kind.NEW: "", Kind.REVISED: "changed"}.get(entry.kind, "")
    if entry.kind is Kind.VANISHED:
        return f"{entry.said} taken back".strip()
    if entry.kind is Kind.REVISED and entry.before is not None and entry.now is not None and entry.before != entry.now:
        return f"{entry.before:,.10g} → {said}"
    return said


def _amount(value: float | None, entry: Entry) -> str:
    if value is None:
        return style.MISSING
    return style.share_text(value) if entry.table == "penetration" else cars_text(value)


def cars_text(units: float) -> str:
    """Cars in full: two figures that differ are to be seen to differ."""
    return f"{round(units):,}"


_COUNTED = {
    Basis.PRODUCTION: "built",
    Basis.WHOLESALE: "wholesaled",
    Basis.EXPORT: "exported",
    Basis.RETAIL: "retailed",
    Basis.DELIVERY: "delivered",
    Basis.INSURANCE: "insured",
}


def _unit(entry: Entry) -> str:
    """What is counted: 'BEVs delivered'; registrations are what is counted if nothing else is said."""
    if entry.table == "penetration":
        return f"of all cars are {_cars(entry.powertrain)}"
    counted = _COUNTED.get(Basis(entry.basis), "") if entry.basis else ""
    return f"{_cars(entry.powertrain)} {counted}".strip()


def _cars(powertrain: str) -> str:
    named = {"ALL": CARS[PowertrainChoice.ALL], "BEV+PHEV": "plug-in cars", "FCEV": "fuel-cell cars"}
    named |= {"BEV": CARS[PowertrainChoice.BEV], "PHEV": CARS[PowertrainChoice.PHEV]}
    return named.get(powertrain, CARS[PowertrainChoice.NEV])


def title(changed: Changed) -> str:
    """The change that moves most, and how many others there are; that there is none, where there is none."""
    found = changed.ledger
    span = f"from {style.day_text(found.after + timedelta(days=1))} to {style.day_text(found.until)}"
    late = found.of(Kind.OVERDUE)
    overdue = f"; {style.count_text(len(late), 'source')} overdue" if late else ""
    first = found.count(Kind.FIRST_READ)
    if found.is_silent:
        if first:
            read = f"{style.count_text(first, 'figure')} read for the first time, with nothing to compare them with"
            return shortest(f"{read}{overdue}", read)
        return shortest(
            f"Nothing was published, revised or taken back {span}{overdue}",
            f"Nothing was published, revised or taken back {span}",
        )
    lead, *others = found.news
    named = Counter(entry.kind for entry in others)
    counts = [f"{count:,} more {HEADINGS[kind].lower()}" for kind, count in named.items() if kind is lead.kind]
    counts += [f"{count:,} {_WORDS[kind]}" for kind, count in named.items() if kind is not lead.kind]
    rest = f"; {', '.join(counts)}" if counts else ""
    short = f"; {style.count_text(len(others), 'other change')}" if others else ""
    about, said = subject(lead, changed.names, changed.sources), what(lead, found.on)
    said = said.split(", with ")[0].split(", and ")[0]
    said = f", {said}" if lead.kind is Kind.REVISED or lead.kind is Kind.VANISHED else f": {said}" if said else ""
    told = f"{HEADINGS.get(lead.kind, 'Added later')}: {about}{said.replace(': ', ', ', 1)}"
    return shortest(
        f"{told}{rest}", f"{told}{short}", told, f"{HEADINGS.get(lead.kind, 'Added later')}: {about}{short}"
    )


_WORDS = {
    Kind.NEW: "new",
    Kind.REVISED: "revised",
    Kind.VANISHED: "taken back",
    Kind.ADDED: "added later",
    Kind.RESTORED: "restored",
}


def subtitle(changed: Changed, selection: Selection) -> str:
    """Which markets, makers and models, between which days, and what puts the entries in order."""
    found = changed.ledger
    where = ", ".join(changed.names.markets[code] for code in selection.market) or "All markets"
    who = [changed.names.makers[slug] for slug in selection.makers]
    who += [changed.names.models[slug] for slug in selection.models]
    named = f", {', '.join(who)}" if who else ""
    return (
        f"{where}{named}. What changed in {style.count_text((found.until - found.after).days, 'day')}, to "
        f"{style.day_text(found.until)}, ordered by the part of the world's electric cars, or of Tesla's or BYD's own, "
        "that it moves"
    )


def badge(found: Ledger) -> Badge:
    """The days of the ledger; amber where a source is overdue."""
    late = found.of(Kind.OVERDUE)
    text = f"{style.day_text(found.after + timedelta(days=1))} to {style.day_text(found.until)}"
    if not late:
        return Badge(text=f"{text} · nothing overdue")
    return Badge(
        text=f"{text} · {len(late)} overdue on {style.day_text(found.on)}",
        amber=True,
        reason="Sources whose newer figures should have been here: what they would say is not in the ledger.",
    )


def notes(changed: Changed, selection: Selection) -> tuple[str, ...]:
    """What is counted as a change, what is none, and what of the selection does not narrow the ledger."""
    found = changed.ledger
    notes = []
    figures = {kind: found.count(kind) for kind in (Kind.NEW, Kind.REVISED, Kind.VANISHED, Kind.ADDED, Kind.RESTORED)}
    if not found.is_silent:
        told = ", ".join(f"{count:,} {_WORDS[kind]}" for kind, count in figures.items() if count)
        notes.append(f"Figures and records: {told}. Names that changed car for car are no changes.")
    if figures[Kind.ADDED]:
        notes.append("Added later: of periods that others of the same table were known of before.")
    if found.of(Kind.FIRST_READ):
        notes.append("What a file says when it is read for the first time is counted and is no news.")
    ignored = [name for name, default in _NOT_APPLIED.items() if getattr(selection, name) != default]
    if ignored:
        notes.append(
            f"The ledger is of every kind of figure: {', '.join(ignored)} of the selection does not narrow it."
        )
    if (selection.since or selection.until) and found.records:
        notes.append("Prices, offers and other records are of no period: the range does not narrow them.")
    return tuple(notes)


_NOT_APPLIED = {
    "basis": Selection().basis,
    "powertrain": Selection().powertrain,
    "of": None,
    "by": By.MAKER,
    "grain": Grain.MONTH,
    "window": Window.NONE,
    "measure": Measure.SHARE,
    "currency": "local",
    "tax": None,
    "real": Selection().real,
    "price_kind": None,
    "segment": None,
    "cycle": None,
    "attach_basis": None,
    "region": None,
    "compare": None,
    "scenario": None,
}
"""What of a selection a ledger does not look at, with what it is where nobody asks for it."""
