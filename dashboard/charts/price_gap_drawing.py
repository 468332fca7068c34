"""The plot of `price-gap`: the median of the pairs with its range, in per cent and in money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.price_gap_words import PriceGap, pair_name
from dashboard.charts.price_rows import line_id
from dashboard.charts.price_words import money
from dashboard.price_pairs import GapMonth, Pair
from dashboard.style import Figure, Look

MEDIAN: Final = "median"
"""What stands for a pair in points and in the download where a figure is of all pairs of a month."""

LABELLED: Final = 7
"""Pairs that have a label of their own at the end of their line."""


_PANELS = ((0.46, 1.0), (0.0, 0.34))
"""The parts of the height that the gap in per cent and the gap in money have."""


def draw(reading: Reading, look: Look) -> Figure:
    """The gap in per cent over the gap in money: the median with its range, and each pair as a thin line."""
    gap: PriceGap = reading.content
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    colour = style.colour(gap.one.maker, look.theme, highlight=True)
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    annotations: list[dict[str, Any]] = []
    ends: dict[str, tuple[list[style.LineEnd], tuple[float, float]]] = {}
    currency = gap.last.pairs[0].one_given.currency
    for number, (domain, is_money) in enumerate(zip(_PANELS, (False, True), strict=True), start=1):
        yaxis = "y" if number == 1 else "y2"
        if len(gap.latest) > 1:
            traces += _pair_lines(gap, yaxis, colour, is_money=is_money)
        traces.append(_median_line(gap, yaxis, colour, look, is_money=is_money))
        spreads = [month.spread(money=is_money) for month in gap.found.months]
        within = _axis_range(min(low for low, _, _ in spreads), max(high for _, _, high in spreads))
        middle = gap.last.spread(money=is_money)[1]
        text = signed_money(middle, currency) if is_money else style.growth_text(middle)
        several = len(gap.last.pairs) > 1
        ends[yaxis] = [style.LineEnd(("median " if several else "") + text, middle, colour)], within
        if several and not is_money and len(gap.last.pairs) <= LABELLED:
            ends[yaxis][0].extend(_pair_ends(gap, look))
        layout["yaxis" + yaxis[1:]] = {
            "domain": list(domain),
            "range": list(within),
            "tickformat": "~s" if is_money else ".0%",
            "nticks": 4 if is_money else 6,
            "rangemode": "tozero",
        }
        one, other = gap.names
        annotations.append(
            {
                "text": style.escape(
                    f"in {currency}" if is_money else f"in % of the price of {other}; below zero {one} is cheaper"
                ),
                "font": {"size": font, "color": ink.quiet},
                "showarrow": False,
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "yref": "paper",
                "y": domain[1],
                "yanchor": "bottom",
                "yshift": 2,
                "borderpad": 0,
            }
        )
    drawn = style.layout(look, xaxis={"type": "date", "hoverformat": "%b %Y", **_time_axis(gap), "anchor": "y2"},
                         yaxis=layout["yaxis"])  # fmt: skip
    drawn["yaxis2"] = {**drawn["yaxis"], **layout["yaxis2"]}
    drawn["margin"] |= {
        "r": style.end_room([end for of, _ in ends.values() for end in of], font_px=font),
        "t": drawn["margin"]["t"] + round(font * 1.4),
    }
    height = drawn["height"] - drawn["margin"]["t"] - drawn["margin"]["b"]
    for (yaxis, (of, within)), domain in zip(ends.items(), _PANELS, strict=True):
        placed = style.line_end_labels(of, height_px=height * (domain[1] - domain[0]), font_px=font, value_range=within)
        annotations += style.end_annotations(placed, font_px=font, yref=yaxis)
    drawn["annotations"] = annotations
    return {"data": traces, "layout": drawn}


def _pair_ends(gap: PriceGap, look: Look) -> list[style.LineEnd]:
    """A label for each pair of the newest month: its cars without their makers, and how far apart they are."""
    font, quiet = round(look.font_px * 0.92), style.INK[look.theme].quiet
    found = []
    for pair in gap.last.pairs:
        cars = " / ".join(f"{gap.book.names[key.model]} {key.trim}".strip() for key in pair.cars)
        text = f"{style.fitting(cars, width=font * 17, font_px=font)} {style.growth_text(pair.fraction)}"
        found.append(style.LineEnd(text, pair.fraction, quiet))
    return found


def _axis_range(low: float, high: float) -> tuple[float, float]:
    """From below the least to above the greatest, with zero, which is no gap."""
    low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.08 or 1.0
    return low - room * (low < 0), high + room * (high > 0 or low == 0)


def _time_axis(gap: PriceGap) -> dict[str, Any]:
    """From the first to the last month, with room; a few months are named one by one."""
    months = gap.found.months
    ends = [months[0].day - timedelta(days=20), months[-1].day + timedelta(days=12)]
    axis: dict[str, Any] = {"range": [day.isoformat() for day in ends]}
    if (months[-1].day - months[0].day).days < 300:
        days = list(dict.fromkeys(month.day for month in months))
        names = [style.period_text(day, "month").replace(" ", "<br>") for day in days]
        axis |= {"tickmode": "array", "tickvals": [day.isoformat() for day in days], "ticktext": names}
    return axis


def _broken(gap: PriceGap) -> list[GapMonth | None]:
    """The months with a gap between those that have not the same pairs."""
    found: list[GapMonth | None] = []
    for run in gap.found.runs:
        found += [*run, None]
    return found[:-1]


def _median_line(gap: PriceGap, yaxis: str, colour: str, look: Look, *, is_money: bool) -> dict[str, Any]:
    months, ink = _broken(gap), style.INK[look.theme]
    spreads = [month.spread(money=is_money) if month else None for month in months]
    several = any(month and len(month.pairs) > 1 for month in months)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "Median of the pairs" if several else "The pair",
        "yaxis": yaxis,
        "x": [month.day.isoformat() if month else None for month in months],
        "y": [spread[1] if spread else None for spread in spreads],
        "line": {"color": colour, "width": 2.5},
        "marker": {
            "size": round(look.font_px * 0.55),
            "color": [
                colour if month is None or all(pair.confirmed for pair in month.pairs) else ink.background
                for month in months
            ],
            "line": {"color": colour, "width": 2},
        },
        "customdata": [_key(gap, month, MEDIAN) if month else [] for month in months],
        "text": [_median_text(month, gap) if month else "" for month in months],
        "hovertemplate": "%{text}<extra></extra>",
        "connectgaps": False,
    }


def _pair_lines(gap: PriceGap, yaxis: str, colour: str, *, is_money: bool) -> list[dict[str, Any]]:
    """A thin line for each pair, broken where it does not stand."""
    traces = []
    for _, latest in gap.latest:
        points = [next((pair for pair in month.pairs if pair.cars == latest.cars), None) for month in gap.found.months]
        heights = [None if pair is None else pair.gap if is_money else pair.fraction for pair in points]
        dash = "dot" if latest.one_reach.of_model or latest.other_reach.of_model else "solid"
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": style.escape(pair_name(latest, gap)),
                "yaxis": yaxis,
                "x": [month.day.isoformat() for month in gap.found.months],
                "y": heights,
                "opacity": 0.5,
                "line": {"color": colour, "width": 1, "dash": dash},
                "marker": {"size": 3, "color": colour},
                "customdata": [
                    [] if pair is None else _key(gap, month, pair_id(pair))
                    for month, pair in zip(gap.found.months, points, strict=True)
                ],
                "text": ["" if pair is None else style.escape(_pair_text(pair, gap)) for pair in points],
                "hovertemplate": "%{text}<extra></extra>",
                "connectgaps": False,
            }
        )
    return traces


def _median_text(month: GapMonth, gap: PriceGap) -> str:
    if len(month.pairs) == 1:
        return style.escape(_pair_text(month.pairs[0], gap))
    low, middle, high = month.spread(money=False)
    cash = signed_money(month.spread(money=True)[1], month.pairs[0].one_given.currency)
    return (
        f"median {style.growth_text(middle)} ({cash}), {style.growth_text(low)} to {style.growth_text(high)}, "
        f"{len(month.pairs)} pairs"
    )


def _pair_text(pair: Pair, gap: PriceGap) -> str:
    amounts = [money(given.amount, given.currency) for given in (pair.one_given, pair.other_given)]
    return f"{pair_name(pair, gap)}: {' / '.join(amounts)}, {style.growth_text(pair.fraction)}"


def signed_money(amount: float, currency: str) -> str:
    """An amount with its sign: '+1,200 EUR'."""
    sign = "+" if amount > 0 else style.MINUS if amount < 0 else ""
    return sign + money(abs(amount), currency)


def pair_id(pair: Pair) -> str:
    """A pair in one word, as its points name it."""
    return "~".join(line_id(key) for key in pair.cars)


def _key(gap: PriceGap, month: GapMonth, part: str) -> list[Any]:
    """What a click hands over: the pair, or `MEDIAN`, stands where `Point` has a model."""
    return [gap.selection.market[0], gap.one.maker, part, month.day.toordinal()]
