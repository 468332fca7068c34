"""The plot of `value-frontier`: range over price, the frontier as steps with its cars named."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import Any

from dashboard import style
from dashboard.charts.chart import Reading
from dashboard.charts.price_drawing import is_narrow
from dashboard.charts.price_rows import point_key
from dashboard.charts.price_words import car_name, model_name, money, quote_text
from dashboard.charts.value_frontier_words import WIDE_SPREAD, Car, Frontier, full_name
from dashboard.style import Figure, Look
from db.vocabulary import PriceKind

CLOSEST = 0.2
"""The least part of the largest price or range that an axis shows: a nearer look would blow up small differences."""

_SYMBOLS = {PriceKind.LIST: "circle", PriceKind.STARTING: "diamond"}
_OTHER_SYMBOL = "triangle-up"


def draw(reading: Reading, look: Look) -> Figure:
    """Range over price: the frontier as steps with its cars named on its empty side, all others small."""
    frontier: Frontier = reading.content
    ink, font = style.INK[look.theme], round(look.font_px * 0.92)
    best = frontier.efficient
    prices = [car.price.amount for car in frontier.cars]
    is_log = max(prices) / min(prices) > WIDE_SPREAD
    top = max(car.range_km for car in frontier.cars)
    bottom = min(car.range_km for car in frontier.cars)
    low = max(0.0, min(bottom - (top - bottom) * 0.15 - 20, top * (1 - CLOSEST)))
    high = top + (top - low) * 0.12 + 10
    coloured = {car.price.quote.maker for car in (*best, *(car for car in frontier.cars if frontier.is_named(car)))}
    room = _plot_size(look)
    labels, first = _labels(frontier, is_log=is_log, y_range=(low, high), room=room, font_px=font, look=look)
    last = _scaled(max(prices), is_log)
    span = [first, last + (last - first) * 0.03]
    # Down to the axis before the first car, and on to the edge behind the last one: beyond, nothing better is known.
    edge = 10 ** span[1] if is_log else span[1]
    steps_x = [best[0].price.amount, *(car.price.amount for car in best), edge]
    steps_y = [low, *(car.range_km for car in best), best[-1].range_km]
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": steps_x,
            "y": steps_y,
            "line": {"shape": "hv", "color": ink.axis, "width": 1.5},
            "hoverinfo": "skip",
        }
    ]
    # A car's name is its trace's, so that its receipts are called by it.
    traces += [
        _mark(car, frontier, look=look, is_coloured=car.price.quote.maker in coloured)
        for car in sorted(frontier.cars, key=lambda car: (car.is_efficient, frontier.is_named(car)))
    ]
    layout = style.layout(
        look,
        hovermode="closest",
        xaxis={
            "type": "log" if is_log else "linear",
            "range": span,
            **_money_ticks(10 ** span[0] if is_log else span[0], edge, is_log=is_log, most=4 if is_narrow(look) else 8),
            "title": {"text": f"Price in {frontier.currency}{', logarithmic' if is_log else ''}"},
        },
        yaxis={"range": [low, high], "ticksuffix": " km", "zeroline": False},
    )
    layout["margin"] |= {"b": round(look.font_px * 4.4), "l": round(look.font_px * 4.8)}
    layout["annotations"] = labels
    return {"data": traces, "layout": layout}


def _plot_size(look: Look) -> tuple[float, float]:
    """About how wide and high the plot is: a page's width is not known, and a picture's words take height."""
    if look.width is None:
        return (270.0, 230.0) if is_narrow(look) else (800.0, 330.0)
    return look.width * 0.88, look.height * 0.5


def _scaled(amount: float, is_log: bool) -> float:
    return log10(amount) if is_log else amount


def _mark(car: Car, frontier: Frontier, *, look: Look, is_coloured: bool) -> dict[str, Any]:
    quote, ink = car.price.quote, style.INK[look.theme]
    stands_out = car.is_efficient or frontier.is_named(car)
    colour = style.colour(quote.maker, look.theme, highlight=frontier.is_named(car)) if is_coloured else ink.axis
    symbol = _SYMBOLS.get(quote.kind, _OTHER_SYMBOL)
    battery = f", {car.battery_kwh:g} kWh" if car.battery_kwh else ""
    per_km = f"{money(car.per_km, frontier.currency)} a km"
    of_model = " (the model's)" if car.vehicle else ""
    name = full_name(car, frontier)
    text = f"{car.range_km:.0f} km{of_model}{battery}, {quote_text(car.price)}, {per_km}"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": style.escape(name),
        "x": [car.price.amount],
        "y": [car.range_km],
        "marker": {
            "symbol": f"{symbol}-open" if car.vehicle else symbol,
            "size": round(look.font_px * (0.85 if stands_out else 0.5)),
            "color": colour,
            "opacity": 1.0 if stands_out else 0.6,
            "line": {"width": 1.5 if car.vehicle else 0, "color": colour},
        },
        "customdata": [point_key(quote)],
        "text": [text],
        "hovertext": [style.escape(f"{name}: {text}")],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _labels(
    frontier: Frontier,
    *,
    is_log: bool,
    y_range: tuple[float, float],
    room: tuple[float, float],
    font_px: int,
    look: Look,
) -> tuple[list[dict[str, Any]], float]:
    """Names left of the frontier's cars, where no car can be, and where the price axis begins so that they have room.

    One that would touch another is moved up, with a thin line to its car.
    """
    best, (width, height) = frontier.efficient, room
    most = width * (0.34 if is_narrow(look) else 0.3)
    told = [_label(car, frontier, look, width=most, font_px=font_px) for car in best]
    wide = [style.text_width(text, font_px) + font_px for text in told]
    places = [_scaled(car.price.amount, is_log) for car in best]
    prices = [_scaled(car.price.amount, is_log) for car in frontier.cars]
    end = max(prices)
    start = min(prices) if is_log else min(*prices, end * (1 - CLOSEST))
    # Where the axis has to begin for each label to end at its car.
    first = start - (end - start) * 0.03
    for place, needed in zip(places, wide, strict=True):
        share = min(needed / width, 0.6)
        first = min(first, (place - share * end) / (1 - share))
    if not is_log:
        first = max(first, 0.0)
    scale = width / ((end - first) * 1.03)
    # Next to nothing an axis cannot begin earlier: what has no room there is cut.
    wide = [min(needed, (place - first) * scale) for place, needed in zip(places, wide, strict=True)]
    texts = [
        text
        if needed >= style.text_width(text, font_px) + font_px - 1
        # The room left of its car, without the distance to it.
        else _label(car, frontier, look, width=max(needed - font_px, 2.0 * font_px), font_px=font_px)
        for car, text, needed in zip(best, told, wide, strict=True)
    ]
    per_km = height / (y_range[1] - y_range[0])
    line = font_px * style.LINE_HEIGHT
    taken: list[tuple[float, float, float]] = []
    labels = []
    for car, text, place, needed in zip(best, texts, places, wide, strict=True):
        right = (place - first) * scale
        natural = (car.range_km - y_range[0]) * per_km
        at = natural
        for left_end, right_end, bottom in taken:
            if left_end < right and right - needed < right_end and at < bottom + line:
                at = bottom + line
        taken.append((right - needed, right, at))
        moved = round(at - natural, 1)
        labels.append(
            {
                "text": style.escape(text),
                "font": {"size": font_px, "color": _label_colour(car, look)},
                "x": place,
                "y": car.range_km,
                "xanchor": "right",
                "yanchor": "middle",
                "align": "right",
                "borderpad": 0,
                **(
                    {
                        "showarrow": True,
                        "arrowhead": 0,
                        "arrowwidth": 1,
                        "arrowcolor": style.INK[look.theme].axis,
                        "standoff": 4,
                        "ax": -round(font_px * 0.8),
                        "ay": -moved,
                    }
                    if moved
                    else {"showarrow": False, "xshift": -round(font_px * 0.6)}
                ),
            }
        )
    return labels, first


def _label(car: Car, frontier: Frontier, look: Look, *, width: float, font_px: int) -> str:
    """As much as there is room for: car and price, the car, the model; at last the model cut."""
    names, quote = frontier.found.book.names, car.price.quote
    full, model = car_name(quote, names), model_name(quote, names)
    texts = [model, names[quote.model]]
    if not is_narrow(look):
        texts = [f"{full}, {_tick(float(f'{car.price.amount:.3g}'))}", full, *texts]
    fitting = next((text for text in texts if style.text_width(text, font_px) <= width), texts[-1])
    return style.fitting(fitting, width=width, font_px=font_px)


def _label_colour(car: Car, look: Look) -> str:
    ink = style.INK[look.theme]
    colour = style.colour(car.price.quote.maker, look.theme)
    return ink.quiet if colour == style.colour("other", look.theme) else colour


_STEPS = (1, 2, 2.5, 5, 10)


def _money_ticks(low: float, high: float, *, is_log: bool, most: int) -> dict[str, Any]:
    """Round amounts along the axis, `20k` or `1.2M`, as many as have room."""
    if is_log:
        fine = [of * 10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1) for of in (1, 2, 3, 5, 7)]
        ticks = [tick for tick in fine if low <= tick <= high]
        for chosen in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
            some = [tick for tick in ticks if round(tick / 10.0 ** floor(log10(tick) + 1e-9)) in chosen]
            if len(some) <= most:
                ticks = some or ticks
                break
    else:
        size = 10.0 ** floor(log10((high - low) / most))
        step = next(size * each for each in _STEPS if (high - low) / (size * each) <= most)
        ticks = [n * step for n in range(ceil(low / step), floor(high / step) + 1)]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": [_tick(tick) for tick in ticks]}


def _tick(amount: float) -> str:
    return f"{amount / 1e6:g}M" if amount >= 1e6 else f"{amount / 1e3:g}k" if amount >= 1e3 else f"{amount:g}"
