"""The glossary and the data dictionary, from the code itself: `python -m dashboard.reference`, or `make docs`.

GLOSSARY.md has every closed word list with the meanings of its words, and the trade's terms; DATA_DICTIONARY.md the
tables, the columns of downloads, and the names that a link may have.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from dashboard import selection
from dashboard.charts import CHARTS
from dashboard.charts.chart import DOWNLOAD_COLUMNS, Chart
from dashboard.projections.levers import NAMES as LEVERS
from dashboard.projections.regions import REGIONS
from dashboard.selection import NAMES, Selection
from db import dictionary, vocabulary
from db.vocabulary import Word

TERMS: Final[Mapping[str, str]] = {
    "as known on": "what publishers said up to a day, before they revised it: `as_of` in a link",
    "attach rate": "share of cars that have a package; of new cars (a flow, the take rate) or of all in use (a stock)",
    "back-test": "a projection made from what was known on a past day, held against what came",
    "basis": "what was counted: production, wholesale, export, retail, delivery, registration or insurance",
    "cell": "what one figure is of: market, period, basis, powertrain, vehicle scope, maker and model",
    "claim": "a figure as one publisher stated it, from the day since when it was known to the day it was changed",
    "conflict": "two sources that state the same cell otherwise; the one of higher rank is drawn, both are listed",
    "cross-check": "a rule between figures, such as quarters that add up to their year; held after every load",
    "denominator": "what a share is a share of: `of` in a link, the powertrain itself where it is left out",
    "FSD": "Full Self-Driving (Supervised), Tesla's paid package of driver assistance",
    "HHI": "Herfindahl-Hirschman index: the sum of squared shares in per cent, 0 to 10,000; high is concentrated",
    "lower bound": "a share or count that the publisher's unnamed rest could raise; printed with ≥",
    "maker": "a brand; a group is a company with all its brands, as of a day",
    "NEV": "new energy vehicle: BEV, PHEV and fuel-cell cars together; a reader's choice, never stored",
    "overdue": "later than its publisher usually is after the end of a period",
    "penetration": "share of electric cars among all cars on the same basis",
    "plug-in": "a car with a plug: BEV or PHEV",
    "precedence": "which of two sources is drawn: the one of the lower number",
    "receipt": "publisher, file, line, checksum and day of what stands behind a figure",
    "refused": "a file of which nothing was loaded, with the reason; what was loaded before stays",
    "rejected": "a row that was left out of a file that was loaded, with the reason",
    "rest": "the cars of a market, or of a maker, that the publisher names no maker, or model, for",
    "revision": "a figure that its publisher has changed; the earlier one is kept",
    "selection": "what a reader has chosen, as a link writes it",
    "snapshot": "one file of a source as it was on one day, kept as raw bytes with its receipt",
    "trailing twelve months": "the sum of twelve months up to the period: `window=ttm`",
    "vintage": "all that a source said as known on one day",
    "year to date": "the sum from January up to the period: `window=ytd`",
}
"""The trade's terms, as they are used here."""

DOWNLOADED: Final[Mapping[str, str]] = {
    "period_start": "first day of the period, or the day of a price, offer or event",
    "grain": "month, quarter or year; empty for what is of a day",
    "window": "how periods are put together: none, 3m, ttm or ytd; the period named is the last one",
    "market": "code of the market; several added together are joined by +",
    "basis": "what was counted; empty for prices and other records",
    "powertrain": "what drives the cars",
    "of": "what a share is a share of",
    "maker": "the maker's slug; all for the total, other for the unnamed rest",
    "model": "the model's slug; all for all of the maker's, other for its unnamed rest",
    "maker_name": "the maker's printed name",
    "model_name": "the model's printed name",
    "measure": "what `value` is: units, share, growth, rank, hhi, price and so on",
    "value": "the figure as drawn; shares and growth are fractions (0.09197 is 9.197 %)",
    "low": "the least that it can be: what the publisher's unnamed rest leaves open, or the end of an interval",
    "high": "the most that it can be",
    "unit": "the unit of value, low and high: cars, fraction, rank, a currency and so on",
    "flags": "what to mind, such as lower_bound, upper_bound, bounded, incomplete",
    "source": "slugs of the sources that it rests on",
    "known_from": "the day since when it is known",
}
"""The columns of every download."""

OWN: Final[Mapping[str, str]] = {
    "about": "what the change is about, in words",
    "actual": "the count that came",
    "ahead": "slug of the maker that is ahead",
    "ahead_since": "first day of the period since which it is",
    "as_at": "the day of the comparison",
    "assumption": "name of the assumption",
    "at_high": "the outcome where the assumption is at its high end, in `unit`",
    "at_low": "the outcome where the assumption is at its low end, in `unit`",
    "attach_basis": "what the figure is of, a word of `AttachBasis`",
    "attach_unit": "unit of `attach_value`",
    "attach_value": "what is said of the spread of an offer",
    "accepted": "rows of the standing files that were taken",
    "battery_kwh": "size of the battery in kWh",
    "before": "the figure before the change, in `unit`",
    "before_known_from": "since when the figure before was known",
    "billing": "how it is paid for, a word of `Billing`",
    "cars": "cars in the period",
    "computed": "yes where the share is made here of two published figures",
    "converted_by": "what was done to the published price, such as tax, exchange rate or consumer prices",
    "crps": "continuous ranked probability score of the prediction, in `unit`; lower is better",
    "currency": "the money of the value, as ISO 4217",
    "cut": "the quarter from whose record the prediction was made",
    "data_end": "the last day of the record that the fit rests on",
    "date_precision": "how exactly the day is known, a word of `DatePrecision`",
    "difference": "the other figure less the chosen one, in cars",
    "draws": "how many futures were drawn",
    "drive": "which wheels are driven",
    "duplicate": "rows that say once more what another row says",
    "error_high": "the most that the forecast was off by, as a fraction",
    "error_low": "the least that the forecast was off by, as a fraction",
    "estimator": "who counted or estimated it",
    "evidence": "how good the evidence is, a word of `Evidence`",
    "figures": "how many figures the change is of",
    "first": "the first figure that was published, in cars",
    "forecaster": "who forecast it",
    "frontier": "yes where no other car has more range for no more money",
    "gap": "the first maker's value less the second's in the measure's unit; of prices, as a fraction of the reference",
    "gap_high": "the most that the gap can be",
    "gap_low": "the least that the gap can be",
    "high_50": "high end of the 50 % interval",
    "high_at": "high end of the assumption",
    "index": "the price as a part of its line's first, that being 100",
    "judged_on": "the day on which it is judged whether a source is late",
    "kind": "what sort of row, change or event it is; the rows of some charts are told apart by it",
    "last_snapshot": "day of the newest snapshot",
    "last_value": "what the last count, carried forward, would have predicted",
    "late_markets": "codes of the markets whose next period is due",
    "low_50": "low end of the 50 % interval",
    "low_at": "low end of the assumption",
    "makers": "number of makers that are named",
    "market_growth": "part of the change that the market's growth explains, as a fraction",
    "market_name": "the market's printed name",
    "mean": "mean of the draws, in `unit`",
    "meaning": "the assumption in words",
    "metric": "what is forecast, in the forecaster's own measure",
    "mix": "part of the change that the mix of markets explains, as a fraction",
    "models": "number of models that are named; of FSD, the models that a figure is stated of",
    "months_covered": "months in the period",
    "months_late": "months from the target day to the outcome, or to the end of the record",
    "next_due": "day on which the next period is due",
    "note": "what a reader of it must know",
    "number": "its number in the picture",
    "offset": "months from the cut",
    "on_day": "day of the ladder",
    "other_maker": "slug of the pair's second maker",
    "other_model": "slug of the pair's second model",
    "other_price": "price of the pair's second car, as asked for",
    "other_price_from": "day since which that price stands",
    "other_range_km": "range of the pair's second car in km",
    "other_trim": "trim of the pair's second car",
    "other_url": "address of the second price",
    "other_value": "the figure of the source that is not drawn, in cars",
    "out_of_scope": "rows of what is not followed",
    "outcome": "what came of the forecast, in words",
    "outcome_date": "day of the outcome",
    "outcome_high": "the most that the outcome can be",
    "outcome_low": "the least that the outcome can be",
    "outcome_url": "where the outcome can be read",
    "own_growth": "part of the change that the maker's own growth explains, as a fraction",
    "package": "name of the package",
    "pairs": "pairs of cars in the month",
    "part": "which part of the whole the row is",
    "per_month": "a purchase spread over the time a car is held, in the same currency a month",
    "period_before": "first day of the earlier period",
    "placebo_high": "high end of what nine of ten months without a cut give, as a fraction",
    "placebo_low": "low end of it",
    "placebo_months": "months without a cut that were tried",
    "placebo_p": "share of them with an effect as large",
    "price": "price of the pair's first car, as asked for",
    "price_from": "day since which that price stands",
    "price_kind": "what the price is a price of, a word of `PriceKind`",
    "price_per_km": "price for each km of range, in the currency",
    "price_per_kwh": "price for each kWh of battery, in the currency",
    "price_url": "where the prices before and after can be read",
    "published_currency": "the currency of the published price",
    "published_price": "the price as published",
    "published_tax": "whether tax is in the published price: yes, no or unknown",
    "range_cycle": "the test by which the range was measured",
    "range_km": "range in km by that test",
    "range_of": "trim where the range was stated with the price, else model",
    "refused_files": "files of which nothing was loaded",
    "region": "a market, or a larger region that the figure is of",
    "rejected": "rows that were left out",
    "relative": "the change or difference as a fraction of the figure before, or of the chosen one",
    "renamed_from": "earlier slugs of what was renamed",
    "revised_share": "share of a source's figures that were ever revised, a fraction",
    "revision_median": "median size of its revisions, a fraction",
    "role": "cutter, control, moved (a price of its own moved or may have) or other",
    "sae_level": "SAE level, as claimed",
    "said": "what is said now, in words",
    "said_before": "what was said before, in words",
    "scenario": "name of the scenario",
    "season": "seasonal factor around 1",
    "seed": "seed of the draws: the same seed gives the same figures",
    "segment": "size class: A to F, with -SUV; sports, MPV, pickup",
    "share_before": "share in the earlier period, a fraction",
    "share_now": "share in the later period, a fraction",
    "stated": "the forecast as printed",
    "straight_line": "what a straight line through the record would have predicted",
    "table": "the table that changed",
    "target_date": "the day for which it was forecast",
    "tax": "whether tax is in the price: as asked for, or as published",
    "text": "what happened, in words",
    "title": "printed name of the source",
    "trend": "cars without the season",
    "trim": "version of the model; empty where the price is of no one version",
    "unnamed_cars": "cars of no named maker",
    "url": "the address that states it",
    "verdict": "what became of the forecast, in a word",
    "weight": "how much the change moves, by which changes are sorted",
    "wholesale": "the cars of which the row is a part",
    "worst": "the place if all were ahead who could be; empty where nothing limits it",
}
"""The columns that some charts have behind those of every download."""

CHOICES: Final[Mapping[str, str]] = {
    "market": "codes of markets, joined by commas: ISO 3166 (DE), EU, WORLD, EUROPE or OVERSEAS",
    "basis": "what is counted",
    "powertrain": "which cars",
    "of": "which cars a share is a share of; left out: the same cars",
    "by": "what a line stands for",
    "makers": "slugs of makers, joined by commas",
    "models": "slugs of models, joined by commas",
    "grain": "length of a period",
    "window": "how periods are put together",
    "measure": "what is drawn of the figures",
    "since": "first month, as 2021-01",
    "until": "last month, as 2026-06",
    "as_of": "as known on a day, as 2025-01-22; left out: now",
    "currency": "money of prices: local, or a code such as EUR",
    "tax": "whether tax is in prices; left out: as quoted",
    "real": "whether prices are corrected for inflation",
    "price_kind": "what prices are prices of; left out: the chart's own choice",
    "date": "the day on which prices are compared, as 2026-07-23",
    "segment": "size class of cars, such as d or c-suv",
    "cycle": "test of the range",
    "attach_basis": "what figures about paid driver assistance are of",
    "region": "region of a figure about FSD, such as us or global",
    "compare": "a second scenario to draw beside the first",
    "scenario": "a scenario of the projection, such as history or sunset",
}
"""What each name of a link chooses."""

MOVED: Final[Mapping[str, str]] = {
    "data_route": "how driving in China gets into the training: none, local, export or both",
    "data_ready": "the day since which a data centre in China trains, or drawn",
    "route_start": "the day on which work on the route begins",
    "export_chance": "chance that the export of data is allowed, 0 to 1",
    "partner": "whether there is a partner in China: on or off",
    "chip_supply": "what chips China gets: open, licensed or blocked (0, 3 or 12 months' wait)",
    "demand": "deliveries after the record: low, base or high (six percentage points of growth a year)",
    "licence": "whether other makers license FSD: on or off",
    "licence_start": "the day on which they begin",
    "licence_volume": "cars that they build in a year",
    "licence_fit": "share of those cars with the system, 0 to 1",
    "licence_royalty": "US dollars a car, or drawn",
    "licence_lift": "what licensed rivals add to free_adas in China, 0 to 1",
    "transfer": "whether a right bought for good moves on when its car is scrapped: on or off",
    "approval.REGION": "day of approval, DAY+late for announced only, never or none",
    "level.REGION": "what it does from a day on: partial, city, eyes_off or unsupervised, as city@2027-01",
    "price.REGION": "price a month from a day on in the region's money, as 99@2027-01, or a change as -20%@2027-01",
    "one_off.REGION": "price for good from a day on, likewise",
    "sub_only.REGION": "the day on which the purchase for good ends, or none",
    "basic_free.REGION": "the day until which basic assistance is standard, or none",
    "free_adas.REGION": "share of rivals' new cars that give the same for free from a day on, as 0.3@2027-01",
}
"""What each lever of a projection moves."""

_FEW: Final = 8
"""A closed list of more words is named and not copied."""

_MADE: Final = "<!-- Written by `make docs` from the code: change it there. -->\n"


def glossary() -> str:
    """GLOSSARY.md: the trade's terms, then every closed word list with the meanings of its words."""
    parts = [
        "# Glossary",
        _MADE.rstrip(),
        "The words of this project, each with one meaning. Two things that cannot be compared never share a word.",
        "## Terms",
        _table(("Term", "Meaning"), TERMS.items()),
    ]
    for name, kind, stored in word_lists():
        where = "" if stored else " A choice of a reader: no value of the database."
        parts += [
            f"## {name}",
            f"{inspect.getdoc(kind)}{where}",
            _table(("Word", "Meaning"), [(f"`{word.value}`", word.meaning) for word in kind]),
        ]
    return "\n\n".join(parts) + "\n"


def word_lists() -> list[tuple[str, type[Word], bool]]:
    """Every closed list by name, those of the database first, and whether the database stores its words."""
    return [
        (name, kind, module is vocabulary)
        for module in (vocabulary, selection)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, Word) and kind is not Word and kind.__module__ == module.__name__
    ]


def data_dictionary() -> str:
    """DATA_DICTIONARY.md: tables and columns of the database, columns of downloads, names of a link."""
    parts = [
        "# Data dictionary",
        _MADE.rstrip(),
        "Words in `code type` such as `Basis` are closed lists: see the [glossary](GLOSSARY.md).",
        "## The database",
        "A stored figure is a claim: who said it, in which file, on which line, and from when to when. What was known"
        " on a day D is `known_from <= D AND D < known_to`; what is known now has `known_to = '9999-12-31'`. Days are"
        " UTC. The tables are read by everybody and written by `python -m etl` alone.",
    ]
    for table in dictionary.tables():
        rows = [
            (
                f"`{column.name}`",
                f"`{column.words}`" if column.words else column.kind,
                column.key,
                column.meaning,
            )
            for column in table.columns
        ]
        parts += [
            f"### {table.name}",
            f"{_sentence(table.meaning)}",
            _table(("Column", "Type", "Key", "Meaning and unit"), rows),
        ]
    parts += [
        "## Downloads",
        "A CSV, or `rows` of a JSON, has one row for one entity in one period. Lists within a cell are joined by `;`,"
        ' an empty cell is "not known" or "does not apply", never zero.',
        _table(("Column", "Meaning and unit"), [(f"`{name}`", DOWNLOADED[name]) for name in DOWNLOAD_COLUMNS]),
        "### Rows of each chart",
        "`DOWNLOAD_COLUMNS` are the columns above; `PRICE_COLUMNS`, `GAP_COLUMNS` and `COLUMNS` are these and some of"
        " the columns below.",
        _table(("Chart", "Rows"), [(f"`{chart.slug}`", _rows(chart)) for chart in CHARTS]),
        "### Columns of some charts",
        "They stand behind those of every download; the header says which a chart has.",
        _table(("Column", "Meaning and unit"), [(f"`{name}`", OWN[name]) for name in sorted(OWN)]),
        "## Links",
        "A selection is written `name=value&name=value`, in any order; a name that is left out takes the chart's"
        " default (`python -m dashboard.export CHART --help` prints them).",
        _table(("Name", "Values", "Meaning"), [(f"`{name}`", _values(name), CHOICES[name]) for name in NAMES]),
        "### Levers of a projection",
        f"The charts `fsd-projection`, `fsd-revenue` and `fsd-drivers` take these besides. REGION is one of"
        f" {', '.join(REGIONS)}; days are written 2026-11 or 2026-11-15, several values from different days are"
        " joined by commas.",
        _table(("Lever", "Meaning"), [(f"`{name}`", MOVED[name]) for name in LEVERS]),
    ]
    return "\n\n".join(parts) + "\n"


def _rows(chart: Chart) -> str:
    """What the download of a chart has, as the function says that makes it."""
    return " ".join((inspect.getdoc(chart.rows) or "").split())


def _values(name: str) -> str:
    """The words that a name takes, or nothing where they are no closed list; of a long one its name."""
    lists = {each: kind for each, kind, _ in word_lists()}
    kind = lists.get(Selection.__annotations__[name].removesuffix(" | None"))
    if kind is None:
        return ""
    return ", ".join(f"`{word.value}`" for word in kind) if len(kind) <= _FEW else f"a word of `{kind.__name__}`"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


DOCUMENTS: Final = {"GLOSSARY.md": glossary, "DATA_DICTIONARY.md": data_dictionary}
"""What is written, by the name of the file."""


def main(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder that they are written to.")] = Path(),
) -> None:
    """Write GLOSSARY.md and DATA_DICTIONARY.md."""
    for name, text in DOCUMENTS.items():
        try:
            (out / name).write_text(text(), encoding="utf-8")
        except OSError as error:
            print(f"error: {out / name}: {error.strerror}; name another folder with --out", file=sys.stderr)
            raise typer.Exit(1) from error
        print(f"{out / name} written")


if __name__ == "__main__":
    typer.run(main)
