"""What a week says, in sentences by rule: each with its number, what it is compared with, its basis and the chart.

A rule is a pure function from figures to sentences, and silent where there is nothing to say: no figure, nothing to
compare it with, bounds that leave the sign open, or a size below its threshold (`dashboard/alerts.toml`). `of_week`
asks the database for what the rules need; `alerts` are the findings that cross a threshold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np

from dashboard import ledger, style
from dashboard.charts import change_ledger, duel, duel_lines, headline_makers, market_share, price_history
from dashboard.charts.change_ledger_words import REGIONS, who_name
from dashboard.charts.chart import Chart
from dashboard.charts.market_words import change_on_year, period_name
from dashboard.ledger import Ledger
from dashboard.ledger_entries import HEADLINE_MAKERS, Entry, record_said
from dashboard.lines import Line
from dashboard.price_book import PriceBook, price_book
from dashboard.prices import Move
from dashboard.sales_lines import MarketFigures, market_figures
from dashboard.selection import BasisChoice, By, InvalidSelection, Measure, Refusal, Selection, Window
from dashboard.thresholds import STANDARD, Thresholds
from dashboard.what_changed import Kind
from dashboard.windows import month_start
from db import Connection, changes, queries, vintages
from db.claims import Floats
from db.queries import Names
from db.vintages import TypicalRevision
from db.vocabulary import ALL, OTHER, Basis, Grain, TaxIncluded, Word

MOST: Final = 5
"""Sentences of a week at the most."""

OF_A_KIND: Final = 2
"""Sentences of one kind at the most, so that one market's many changes do not hide the rest."""


class About(Word):
    """What a finding is about."""

    LEAD = "lead", "a headline maker's own figure passed the other's"
    OWN_FIGURE = "own figure", "a headline maker stated a new figure of its own"
    MARKET = "market", "a watched market's new period"
    PASSING = "passing", "a maker passed another one in a watched market"
    SHARE = "share", "a share moved by more than it usually does"
    PRICE_CUT = "price cut", "a price fell in a watched market"
    DRIVER_ASSISTANCE = "driver assistance", "a new figure of how many pay for it"
    REVISION = "revision", "a figure was revised by more than is usual"
    OVERDUE = "overdue", "a source that should have newer figures has none"


ALERTING: Final = (About.LEAD, About.PASSING, About.SHARE, About.PRICE_CUT, About.REVISION, About.OVERDUE)
"""What is an alert: the findings that cross a threshold."""


@dataclass(frozen=True)
class Finding:
    """One sentence, with the chart and its selection (a query string) that shows what it says.

    `weight` puts the findings of a week in order; it is no figure.
    """

    kind: About
    text: str
    chart: str
    query: str
    weight: float

    @property
    def link(self) -> str:
        """The address of the chart."""
        return f"/charts/{self.chart}" + (f"?{self.query}" if self.query else "")


# A week


def of_week(
    connection: Connection,
    *,
    day: date,
    before: date,
    thresholds: Thresholds = STANDARD,
    found: Ledger | None = None,
) -> tuple[Finding, ...]:
    """The findings of what became known after `before` and up to `day`: at most five, what moves most first.

    None in a week in which nothing changed that a rule speaks of. `found` is the ledger between the two days where the
    caller has it.
    """
    told = told_by_rules(connection, day=day, before=before, thresholds=thresholds, found=found)
    kept: list[Finding] = []
    count: Counter[About] = Counter()
    for finding in told:
        if count[finding.kind] < OF_A_KIND and len(kept) < MOST:
            kept.append(finding)
            count[finding.kind] += 1
    return tuple(kept)


def told_by_rules(
    connection: Connection,
    *,
    day: date,
    before: date,
    thresholds: Thresholds = STANDARD,
    found: Ledger | None = None,
) -> tuple[Finding, ...]:
    """Everything that the rules say of what became known after `before` and up to `day`, what moves most first."""
    found = found or ledger.between(connection, after=before, until=day)
    names = queries.names(connection)
    told = [
        *_of_headlines(connection, found, day=day),
        *_of_markets(connection, found, thresholds, day=day),
        *_of_prices(connection, found, thresholds, names, day=day, before=before),
        *_of_driver_assistance(connection, found, day=day),
        *_of_revisions(connection, found, thresholds, names, before=before),
        *overdue(found, thresholds),
    ]
    return tuple(sorted(told, key=lambda finding: (-finding.weight, finding.text)))


def silence(*, day: date, before: date) -> str:
    """What is said of a week in which no rule had anything to say."""
    days = f"{style.day_text(before + timedelta(days=1))} to {style.day_text(day)}"
    return f"Nothing that became known from {days} says anything new of a watched market, maker or price."


def in_market(name: str) -> str:
    """A market's name within a sentence: 'the United States', 'Germany'."""
    return f"the {name}" if name.startswith("United ") or name in ("Netherlands", "European Union", "World") else name


def _link(chart: Chart, selection: Selection) -> tuple[str, str]:
    return chart.slug, selection.query(defaults=chart.defaults)


def _figures(connection: Connection, selection: Selection) -> MarketFigures | None:
    """The figures of a selection; None where it is refused: then there is nothing to say."""
    try:
        return market_figures(connection, selection, measures=(selection.measure,))
    except (InvalidSelection, Refusal):
        return None


# Makers' own figures


def _of_headlines(connection: Connection, found: Ledger, *, day: date) -> list[Finding]:
    new = [entry for entry in found.of(Kind.NEW) if _is_headline(entry)]
    makers = headline_makers.known_headline_makers(connection) if new else ()
    told: list[Finding] = []
    for grain in dict.fromkeys(entry.grain for entry in new):
        selection = replace(headline_makers.DEFAULTS, makers=makers, grain=Grain(grain), as_of=day)
        figures = _figures(connection, selection)
        if figures is not None:
            of_grain = [entry for entry in new if entry.grain == grain]
            told += own_figures(figures, of_grain)
            told += leads(figures, of_grain)
    return told


def _is_headline(entry: Entry) -> bool:
    return entry.table == "sales" and entry.market == "WORLD" and entry.maker in HEADLINE_MAKERS and entry.model == ALL


def own_figures(figures: MarketFigures, new: Sequence[Entry]) -> list[Finding]:
    """The newest own figure that a headline maker stated, against the same period of the year before.

    Silent on a maker without one of both, or with two sources for them.
    """
    told = []
    for line in figures.entities:
        at = _newest_of(line, figures, new)
        change = change_on_year(line, figures, at) if at is not None else None
        if at is None or change is None or not line.value[at] - change.value:
            continue
        grown = change.value / (float(line.value[at]) - change.value)
        did = headline_makers.DID[Basis(line.basis)][0]
        cars = f"{float(line.value[at]):,.0f} BEVs"
        before = f"{float(line.value[at]) - change.value:,.0f}"
        told.append(
            Finding(
                kind=About.OWN_FIGURE,
                text=f"{_name(line, figures)} {did} {cars} worldwide in {period_name(figures, at)}, "
                f"{style.growth_text(grown)} on the {before} of a year before (its own {line.basis} figures).",
                chart=headline_makers.NEWEST.slug,
                query=replace(figures.selection, makers=()).query(defaults=headline_makers.DEFAULTS),
                weight=1.0,
            )
        )
    return told


def leads(figures: MarketFigures, new: Sequence[Entry]) -> list[Finding]:
    """Which headline maker came to lead the other with a new figure; silent where the one before led it too, or where
    either period lacks a figure of one of them."""
    if len(figures.entities) != 2:
        return []
    one, other = figures.entities
    gap = duel.gap_of(one, other)
    both = np.flatnonzero(~np.isnan(gap.value) & ~figures.unfinished_of(one) & ~figures.unfinished_of(other))
    ends = [at for line in (one, other) if (at := _newest_of(line, figures, new)) is not None]
    if len(both) < 2 or int(both[-1]) not in ends:
        return []
    at, then = int(both[-1]), int(both[-2])
    if not gap.ahead[at] or not gap.ahead[then] or gap.ahead[at] == gap.ahead[then]:
        return []
    first, second = (one, other) if gap.ahead[at] > 0 else (other, one)
    unlike = " (unlike bases)" if one.basis != other.basis else ""
    ahead, behind = _name(first, figures), _name(second, figures)
    cars = [f"{float(line.value[at]):,.0f} {headline_makers.DID[Basis(line.basis)][0]}" for line in (first, second)]
    chart, query = _link(duel_lines.DUEL_LINES, replace(figures.selection, makers=duel.RIVALS))
    return [
        Finding(
            kind=About.LEAD,
            text=f"{ahead} passed {behind} in world BEVs in {period_name(figures, at)}: {cars[0]} against "
            f"{cars[1]}{unlike}; in {period_name(figures, then)} {behind} led.",
            chart=chart,
            query=query,
            weight=1.5,
        )
    ]


def _newest_of(line: Line, figures: MarketFigures, new: Iterable[Entry]) -> int | None:
    """The place of a line's newest finished period, if it is one that became known now."""
    there = np.flatnonzero(~np.isnan(line.value) & ~figures.unfinished_of(line))
    if not len(there):
        return None
    at = int(there[-1])
    months = {entry.month for entry in new if entry.maker in (line.maker, ALL)}
    return at if int(figures.start[at]) in months else None


def _name(line: Line, figures: MarketFigures) -> str:
    return figures.nouns.makers.get(line.maker, line.name)


# Markets


def _of_markets(connection: Connection, found: Ledger, thresholds: Thresholds, *, day: date) -> list[Finding]:
    newest: dict[str, Entry] = {}
    for entry in found.of(Kind.NEW):
        is_market = entry.maker == ALL and entry.table == "sales" and entry.market in thresholds.markets
        if is_market and entry.grain != Grain.YEAR and entry.basis == BasisChoice.REGISTRATION:
            other = newest.get(entry.market)
            if other is None or (entry.month or 0) > (other.month or 0):
                newest[entry.market] = entry
    told: list[Finding] = []
    for code, entry in newest.items():
        asked = Selection(market=(code,), grain=Grain(entry.grain), as_of=day)
        totals = _figures(connection, replace(asked, by=By.MARKET, measure=Measure.UNITS))
        if totals is not None:
            told += market_period(totals, entry)
        shares = _figures(connection, replace(asked, window=Window.TTM))
        if shares is not None:
            told += share_moves(shares, entry, thresholds)
            told += passings(shares, entry, thresholds)
    return told


def market_period(figures: MarketFigures, entry: Entry) -> list[Finding]:
    """A market's new period against the same one of the year before; silent without one of the same source."""
    (line,) = figures.lines[:1] or (None,)
    at = _newest_of(line, figures, [entry]) if line is not None else None
    change = change_on_year(line, figures, at) if line is not None and at is not None else None
    if line is None or at is None or change is None or not line.value[at] - change.value:
        return []
    code = figures.selection.market[0]
    grown = change.value / (float(line.value[at]) - change.value)
    shown = replace(figures.selection, by=By.MAKER, measure=Measure.SHARE)
    chart, query = _link(market_share.MARKET_SHARE, shown)
    return [
        Finding(
            kind=About.MARKET,
            text=f"{float(line.value[at]):,.0f} BEVs were registered in {in_market(figures.nouns.markets[code])} in "
            f"{period_name(figures, at)}, {style.growth_text(grown)} on a year before.",
            chart=chart,
            query=query,
            weight=entry.weight,
        )
    ]


def share_moves(figures: MarketFigures, entry: Entry, thresholds: Thresholds) -> list[Finding]:
    """Watched makers whose share over twelve months moved by more than it usually does from period to period.

    Silent where bounds leave the size of the move open, and where too few moves are known to call one usual.
    """
    told = []
    for line in figures.entities:
        at = _newest_of(line, figures, [entry])
        if line.maker not in thresholds.makers or at is None or at == 0:
            continue
        least = _least_move(line, at)
        usual = usual_move(line.value[:at], periods=thresholds.periods)
        if usual is None or least < max(thresholds.times_usual * usual, thresholds.share_at_least):
            continue
        before, now = float(line.value[at - 1]), float(line.value[at])
        market = figures.nouns.adjectives[figures.selection.market[0]]
        chart, query = _link(market_share.MARKET_SHARE, replace(figures.selection, makers=(line.maker,)))
        told.append(
            Finding(
                kind=About.SHARE,
                text=f"{_name(line, figures)}'s share of {market} BEVs registered moved to {style.share_text(now)} in "
                f"{period_name(figures, at)}, {style.pp_text(now - before)} on a {figures.selection.grain} before; its "
                f"usual move is {duel.size_text(usual, Measure.SHARE)}.",
                chart=chart,
                query=query,
                weight=0.5 * max(entry.weight, 0.01) ** 0.5,
            )
        )
    return told


def _least_move(line: Line, at: int) -> float:
    """By how much a line certainly moved since the period before, whichever way; zero where that is open."""
    up, down = float(line.low[at] - line.high[at - 1]), float(line.low[at - 1] - line.high[at])
    return 0.0 if np.isnan(up) else max(up, down, 0.0)


def usual_move(values: Floats, *, periods: int) -> float | None:
    """The median size of the steps between consecutive values, of the newest ones that are known; None for fewer than
    `periods` of them."""
    steps = np.abs(np.diff(values))
    steps = steps[~np.isnan(steps)][-2 * periods :]
    return float(np.median(steps)) if len(steps) >= periods else None


def passings(figures: MarketFigures, entry: Entry, thresholds: Thresholds) -> list[Finding]:
    """Makers that passed another one over twelve months, both among the first of the market.

    Silent where bounds leave open who was ahead, then or now.
    """
    lines = [line for line in figures.entities if _newest_of(line, figures, [entry]) is not None]
    lines = [line for line in lines if not np.isnan(line.value[-1])]
    first = sorted(lines, key=lambda line: -float(line.value[-1]))[: thresholds.among]
    told = []
    for n, ahead in enumerate(first):
        for behind in first[n + 1 :]:
            at = _newest_of(ahead, figures, [entry])
            if at is None or at == 0:
                continue
            is_ahead = ahead.low[at] > behind.high[at]
            was_behind = ahead.high[at - 1] < behind.low[at - 1]
            if not (is_ahead and was_behind):
                continue
            market = figures.nouns.adjectives[figures.selection.market[0]]
            shares = [style.share_text(float(line.value[at])) for line in (ahead, behind)]
            makers = tuple(sorted((ahead.maker, behind.maker)))
            chart, query = _link(market_share.MARKET_SHARE, replace(figures.selection, makers=makers))
            told.append(
                Finding(
                    kind=About.PASSING,
                    text=f"{_name(ahead, figures)} passed {_name(behind, figures)} in {market} BEVs registered over "
                    f"{period_name(figures, at)}: {shares[0]} against {shares[1]}.",
                    chart=chart,
                    query=query,
                    weight=0.7 * max(entry.weight, 0.01) ** 0.5,
                )
            )
    return told


# Prices


def _of_prices(
    connection: Connection, found: Ledger, thresholds: Thresholds, names: Names, *, day: date, before: date
) -> list[Finding]:
    frame = found.records.get("price")
    if frame is None or not (frame["market"].isin(thresholds.markets) & frame["maker"].isin(thresholds.makers)).any():
        return []
    book = price_book(connection, as_of=day, markets=thresholds.markets, makers=thresholds.makers, quotes_only=True)
    return price_cuts(book, thresholds, names, since=before)


def price_cuts(book: PriceBook, thresholds: Thresholds, names: Names, *, since: date) -> list[Finding]:
    """Prices that fell by so much that it is told, in quotes that became known after a day; one a model and market, the
    deepest cut. Silent on prices that rose, or fell by less."""
    known = book.frame["known_from"].tolist() if len(book.frame) else []
    deepest: dict[tuple[str, str], Move] = {}
    for line in book.lines():
        for move in line.moves:
            if known[move.after.row] <= since or move.change > -thresholds.price_cut_at_least:
                continue
            key = (line.key.market, line.key.model)
            if key not in deepest or move.change < deepest[key].change:
                deepest[key] = move
    told = []
    for move in deepest.values():
        after = move.after
        tax = {TaxIncluded.YES: ", tax included", TaxIncluded.NO: ", without tax"}.get(after.tax_included, "")
        chart, query = _link(
            price_history.PRICE_HISTORY,
            replace(
                price_history.PRICE_HISTORY.defaults,
                market=(after.market,),
                makers=(),
                models=(after.model,),
                as_of=book.as_of,
            ),
        )
        car = " ".join(part for part in (who_name(after.maker, after.model, names), after.trim) if part)
        kind = after.kind.value.replace("_", " ")
        told.append(
            Finding(
                kind=About.PRICE_CUT,
                text=f"{car} costs {after.amount:,.10g} {after.currency} in {in_market(names.markets[after.market])} "
                f"{'by' if move.by else 'from'} {style.day_text(after.day)}, {style.growth_text(move.change)} on "
                f"{move.before.amount:,.10g} ({kind} price{tax}).",
                chart=chart,
                query=query,
                weight=0.4 * min(abs(move.change) / 0.1, 1.5),
            )
        )
    return told


# Driver assistance


def _of_driver_assistance(connection: Connection, found: Ledger, *, day: date) -> list[Finding]:
    new = [entry for entry in found.of(Kind.NEW) if entry.table == "attach"]
    if not new:
        return []
    stated = queries.records(connection, "attach", as_of=day)
    told = []
    for entry in new:
        row = found.records["attach"].iloc[entry.changes[0]]["now"]
        alike = stated[
            (stated["attach_basis"] == row["attach_basis"])
            & (stated["region"] == row["region"])
            & (stated["unit"] == row["unit"])
            & (stated["model"] == row["model"])
        ]
        told += attach_figures(entry, row, alike.to_dict("records"), day=day)
    return told


def attach_figures(
    entry: Entry, row: Mapping[str, Any], alike: Sequence[Mapping[Any, Any]], *, day: date
) -> list[Finding]:
    """A new figure of how many pay for driver assistance against the last one of an earlier day on the same basis.

    `alike` are the stored figures of its basis, region and unit. Silent where there is no earlier one within a year and
    a quarter, or the two could be the same by their rounding.
    """
    earlier = [each for each in alike if 0 < (row["as_of"] - each["as_of"]).days <= _COMPARED_DAYS]
    if entry.weight < _USERS or not earlier:
        return []
    before = max(earlier, key=lambda each: (each["as_of"], each["known_from"]))
    if row["low"] <= before["high"] and before["low"] <= row["high"]:
        return []
    is_share = row["unit"] == "share"
    difference = row["value"] - before["value"]
    changed = style.pp_text(difference) if is_share else style.growth_text(difference / before["value"])
    now, then = (record_said("attach", each) for each in (row, before))
    region = {"GLOBAL": "worldwide"}.get(row["region"], f"in {REGIONS.get(row['region'], row['region'])}")
    what = str(row["attach_basis"]).replace("_", " ")
    return [
        Finding(
            kind=About.DRIVER_ASSISTANCE,
            text=f"FSD {what} {region}: {now} on {style.day_text(row['as_of'])} ({row['estimator']}), {changed} on the "
            f"{then} of {style.day_text(before['as_of'])}.",
            chart="fsd-attach-history",
            query=f"as_of={day.isoformat()}",
            weight=entry.weight,
        )
    ]


_COMPARED_DAYS: Final = 460

_USERS: Final = 0.1
"""The weight from which a figure of driver assistance is of those who pay for it in a large market."""


# Revisions and sources


def _of_revisions(
    connection: Connection, found: Ledger, thresholds: Thresholds, names: Names, *, before: date
) -> list[Finding]:
    if not any(entry.table == "sales" for entry in found.of(Kind.REVISED)):
        return []
    usual = vintages.typical_revision(connection, as_of=before)
    titles = changes.source_titles(connection)
    return revisions(found, usual, thresholds, names, titles)


def revisions(
    found: Ledger,
    usual: Mapping[str, TypicalRevision],
    thresholds: Thresholds,
    names: Names,
    titles: Mapping[str, str],
) -> list[Finding]:
    """The revised figures of watched makers, and totals of watched markets, that moved by more than nine in ten of
    their source's revisions had before; one a market and maker, the largest in cars.

    Silent on a source that has revised nothing before: what is usual there nobody knows.
    """
    frame = found.figures
    frame = frame[(frame["kind"] == Kind.REVISED.value) & (frame["table"] == "sales") & ~frame["is_detail"]]
    is_maker = frame["maker"].isin(thresholds.makers) & (frame["model"] != OTHER)
    is_total = (frame["maker"] == ALL) & frame["market"].isin(thresholds.markets)
    frame = frame[(is_maker | is_total) & (frame["before"] > 0)]
    size = (frame["now"] - frame["before"]).abs()
    limit = frame["source"].map(lambda slug: of.p90 if (of := usual.get(slug)) else None).astype(float)
    frame = frame.assign(size=size)[(size >= thresholds.revision_cars) & (size / frame["before"] > limit)]
    largest = frame.sort_values("size", ascending=False).drop_duplicates(["source", "market", "maker"])
    told = []
    for row in largest.to_dict("records"):
        p90 = usual[row["source"]].p90 or 0.0
        place = in_market(names.markets[row["market"]])
        who = "the total" if row["maker"] == ALL else who_name(row["maker"], row["model"], names)
        when = style.period_text(month_start(int(row["month"])), row["grain"])
        relative = style.growth_text(row["now"] / row["before"] - 1)
        told.append(
            Finding(
                kind=About.REVISION,
                text=f"{titles.get(row['source'], row['source'])} revised {who} of {place} in {when} from "
                f"{row['before']:,.0f} to {row['now']:,.0f} cars ({relative}; {row['powertrain']} {row['basis']}); "
                f"nine in ten of its revisions were within {style.share_text(p90)}.",
                chart=change_ledger.CHANGE_LEDGER.slug,
                query=Selection(market=(row["market"],), as_of=found.until, date=found.after).query(
                    defaults=change_ledger.CHANGE_LEDGER.defaults
                ),
                weight=max((entry.weight for entry in found.of(Kind.REVISED) if _holds(entry, row)), default=0.0)
                ** 0.5,
            )
        )
    return told


def _holds(entry: Entry, row: Mapping[Any, Any]) -> bool:
    return (entry.source, entry.market, entry.maker) == (row["source"], row["market"], row["maker"])


def overdue(found: Ledger, thresholds: Thresholds) -> list[Finding]:
    """The sources that came to be overdue between the two days; silent on those that were so before."""
    told = []
    for entry in found.of(Kind.OVERDUE):
        late = (found.on - entry.since).days
        was = (found.after - entry.since).days
        if late < thresholds.overdue_days or was >= thresholds.overdue_days:
            continue
        last = style.period_text(month_start(entry.month), entry.grain) if entry.month is not None else "unknown"
        days = f"{late} day{'' if late == 1 else 's'} on {style.day_text(found.on)}"
        told.append(
            Finding(
                kind=About.OVERDUE,
                text=f"{entry.about}: newer figures are overdue since {style.day_text(entry.since)}, {days}; the last "
                f"period is {last}.",
                chart="source-health",
                query=f"as_of={found.on.isoformat()}",
                weight=0.2 * max(entry.weight, 0.01) ** 0.5,
            )
        )
    return told
