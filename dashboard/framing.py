"""The frame of a picture: a figure with all that a page prints around it, in a size of its own."""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from math import ceil, isfinite
from typing import Any

from dashboard.style import (
    INK,
    LINE_END,
    LINE_HEIGHT,
    MINUS,
    Figure,
    LineEnd,
    Look,
    end_annotations,
    escape,
    fitting,
    line_end_labels,
    text_width,
    wrap,
)


def framed(
    figure: Figure,
    *,
    title: str,
    subtitle: str = "",
    badge: str = "",
    amber: bool = False,
    source_line: str = "",
    notes: Sequence[str] = (),
    key: Sequence[str] = (),
    look: Look,
) -> Figure:
    """A copy of a figure as a picture of `look.width` x `look.height`, with all that is written around it.

    All texts are plain. Each wraps, and the margins grow with what is written; the title is set smaller if it
    would take more than two lines. `key` stands in columns under the plot, one line an entry, cut where the column
    has no room. Labels at line ends are placed anew for the height left to the plot.
    """
    if look.width is None:
        raise ValueError("a picture has a fixed width")
    ink, size = INK[look.theme], look.font_px
    own = figure.get("layout", {})
    pad, inner = round(size * 1.5), look.width - 2 * round(size * 1.5)

    pill = _Block(badge, px=round(size * 0.8), width=inner * 0.42, bold=True)
    pill_pad = round(size * 0.55)
    pill_room = pill.wide + 2 * pill_pad if pill.lines else 0
    head = _headline(title, px=round(size * 1.55), width=inner - (pill_room + size if pill_room else 0))
    under = _Block(subtitle, px=size, width=inner)
    noted = [_Block(note, px=round(size * 0.85), width=inner) for note in notes if note.strip()]
    source = _Block(source_line, px=round(size * 0.75), width=inner)

    under_top = pad + max(head.high, pill.high + pill_pad if pill.lines else 0) + size * 0.2
    top = ceil(under_top + under.high + _rise(own, size) + _legend_room(figure, size, inner) + size * 1.1)
    source_top = pad * 0.8 + source.high
    heights = list(
        accumulate((block.high for block in reversed(noted)), initial=source_top + size * 0.5 * bool(source.lines))
    )
    columns = _columns(key, px=round(size * 0.8), width=inner)
    key_high = max((column.high for column in columns), default=0)
    key_top = (heights[-1] if noted else source_top) + (key_high + size * 0.5 if columns else 0)
    bottom = ceil(key_top + _axis_room(figure, size, inner) + size * 0.9)
    margin = {
        "l": max(pad + _left_room(figure, size, inner), 0),
        "r": max(pad, own.get("margin", {}).get("r", 0), _right_room(own, size) + pad),
        "t": top,
        "b": bottom,
        "pad": 0,
    }
    plot_height = look.height - top - bottom

    def text(
        name: str, block: "_Block | _Column", colour: str, *, above: float | None = None, below: float | None = None
    ) -> dict[str, Any]:
        """An annotation with its top `above` px under the picture's, or its bottom `below` px over it."""
        return {
            "name": name,
            "text": block.html,
            "font": {"size": block.px, "color": colour, "weight": 600 if block.bold else 400},
            "showarrow": False,
            "align": "left",
            "borderpad": 0,
            "xref": "paper",
            "x": 0,
            "xanchor": "left",
            "xshift": pad - margin["l"],
            "yref": "paper",
            "y": 0 if above is None else 1,
            "yanchor": "bottom" if above is None else "top",
            "yshift": (below or 0) - bottom if above is None else top - above,
        }

    written = [text("title", head, ink.text, above=pad), text("subtitle", under, ink.quiet, above=under_top)]
    written += [
        text(f"note-{n}", block, ink.quiet, below=height)
        for n, (block, height) in enumerate(zip(reversed(noted), heights, strict=False))
    ]
    for n, column in enumerate(columns):
        place = text(f"key-{n}", column, ink.quiet, above=look.height - key_top)
        written.append(place | {"xshift": pad - margin["l"] + n * inner / len(columns)})
    written.append(text("source", source, ink.quiet, below=pad * 0.8))
    shapes = list(own.get("shapes", ()))
    if pill.lines:
        badge_top = pad + max(0, (head.px * LINE_HEIGHT - pill.px * LINE_HEIGHT) / 2)
        right = margin["r"] - pad
        written.append(
            text("badge", pill, ink.amber_text if amber else ink.text, above=badge_top)
            | {"x": 1, "xanchor": "right", "xshift": right - pill_pad, "align": "right"}
        )
        shapes.append(
            _pill(
                right=right,
                top=top - badge_top + pill_pad * 0.6,
                width=pill_room,
                height=pill.high + pill_pad * 1.2,
                fill=ink.amber if amber else ink.pill,
            )
        )
    framed_layout = {
        **{name: value for name, value in own.items() if name not in ("title", "autosize")},
        "width": look.width,
        "height": look.height,
        "margin": margin,
        "annotations": [
            *_placed_anew(own, plot_height=plot_height),
            *(block for block in written if block["text"]),
        ],
        "shapes": shapes,
    }
    return {**figure, "layout": framed_layout}


class _Block:
    """A wrapped text and the room it takes in pixels."""

    def __init__(self, text: str, *, px: float, width: float, bold: bool = False) -> None:
        self.px, self.bold = px, bold
        self.lines = wrap(text, width=width, font_px=px, bold=bold)
        self.html = "<br>".join(escape(line) for line in self.lines)
        self.wide = ceil(max((text_width(line, px, bold=bold) for line in self.lines), default=0))
        self.high = len(self.lines) * px * LINE_HEIGHT


class _Column:
    """Lines of plain text one under the other, each cut to a width in pixels, and the room they take."""

    bold = False

    def __init__(self, entries: Sequence[str], *, px: float, width: float) -> None:
        self.px = px
        self.html = "<br>".join(escape(fitting(entry, width=width, font_px=px)) for entry in entries)
        self.high = len(entries) * px * LINE_HEIGHT


def _columns(entries: Sequence[str], *, px: float, width: float) -> list[_Column]:
    """Entries in columns of equal width, read downwards: as many as have room for the longest entry, two to four."""
    if not entries:
        return []
    gap = px * 2
    widest = max(text_width(entry, px) for entry in entries) + gap
    count = min(max(2, int(width // widest)), 4, len(entries))
    deep = ceil(len(entries) / count)
    parts = [entries[n : n + deep] for n in range(0, len(entries), deep)]
    return [_Column(part, px=px, width=width / len(parts) - gap) for part in parts]


def _headline(text: str, *, px: int, width: float) -> _Block:
    """A title in at most two lines of even length, set smaller where it must be (down to two thirds)."""
    sizes = range(px, round(px * 2 / 3) - 1, -1)
    block = next(
        (found for found in (_Block(text, px=s, width=width, bold=True) for s in sizes) if len(found.lines) <= 2),
        _Block(text, px=sizes[-1], width=width, bold=True),
    )
    count = len(block.lines)
    if count < 2:
        return block
    steps = (width * (0.5 + 0.025 * n) for n in range(20))
    even = (_Block(text, px=block.px, width=step, bold=True) for step in steps)
    return next((found for found in even if len(found.lines) == count), block)


def _pill(*, right: float, top: float, width: float, height: float, fill: str) -> dict[str, Any]:
    """A rounded rectangle; `right` and `top` are pixels right of and above the plot's upper right corner."""
    left, bottom, r = right - width, top - height, min(height / 2, 16)
    path = (
        f"M{left + r:.1f},{top:.1f}H{right - r:.1f}Q{right:.1f},{top:.1f},{right:.1f},{top - r:.1f}"
        f"V{bottom + r:.1f}Q{right:.1f},{bottom:.1f},{right - r:.1f},{bottom:.1f}"
        f"H{left + r:.1f}Q{left:.1f},{bottom:.1f},{left:.1f},{bottom + r:.1f}"
        f"V{top - r:.1f}Q{left:.1f},{top:.1f},{left + r:.1f},{top:.1f}Z"
    )
    return {
        "name": "badge",
        "type": "path",
        "path": path,
        "xref": "paper",
        "yref": "paper",
        "xsizemode": "pixel",
        "ysizemode": "pixel",
        "xanchor": 1,
        "yanchor": 1,
        "fillcolor": fill,
        "line": {"width": 0},
    }


def _axes(own: Mapping[str, Any], letter: str) -> list[dict[str, Any]]:
    return [axis for name, axis in own.items() if re.fullmatch(f"{letter}axis[0-9]*", name) and isinstance(axis, dict)]


def _axis_room(figure: Figure, size: int, inner: int) -> float:
    """Height under the plot for an axis title and tick labels, which turn if too wide for their places."""
    own = figure.get("layout", {})
    axes = [axis for axis in _axes(own, "x") if axis.get("visible", True) and axis.get("showticklabels", True)]
    if not axes:
        return size * 0.4
    across = dict.fromkeys(x for trace in figure.get("data", ()) for x in _list(trace.get("x")) if isinstance(x, str))
    dates = [x for x in across if re.match(r"\d{4}-\d\d", x)]
    labels = [str(label) for axis in axes for label in axis.get("ticktext") or ()] or [
        x for x in across if x not in dates
    ]
    lines = max((label.count("<br>") + 1 for label in labels), default=2 if _days(dates) < 400 else 1)
    high = lines * size * 0.92 * LINE_HEIGHT
    wide = max((text_width(part, size * 0.92) for label in labels for part in label.split("<br>")), default=0)
    if wide * len(labels) > inner * 0.8:
        high = max(high, wide)
    return size * (0.5 + 1.9 * any(_axis_title(axis) for axis in axes)) + high


def _days(dates: Sequence[str]) -> int:
    """Days, by calendar years, that ISO dates span; within about a year ticks carry a second line."""
    return (int(max(dates)[:4]) - int(min(dates)[:4])) * 365 if dates else 10_000


def _axis_title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title") or ""
    return str(title.get("text") or "") if isinstance(title, Mapping) else str(title)


def _right_room(own: Mapping[str, Any], size: int) -> int:
    """Width right of the plot for labels at line ends."""
    labels = [note for note in own.get("annotations", ()) if note.get("name") == LINE_END]
    return ceil(
        max((text_width(note["text"], note["font"]["size"]) for note in labels), default=-size * 1.5) + size * 1.5
    )


def _left_room(figure: Figure, size: int, inner: int) -> int:
    """Width left of the plot for the labels of the value axis, or of its categories, and an axis title."""
    own = figure.get("layout", {})
    axes = [axis for axis in _axes(own, "y") if axis.get("visible", True) and axis.get("showticklabels", True)]
    if not axes:
        return 0
    labels = [str(label) for axis in axes for label in axis.get("ticktext") or ()]
    if not labels:
        values = [y for trace in figure.get("data", ()) for y in _list(trace.get("y"))]
        labels = [y for y in values if isinstance(y, str)]
        if not labels:
            edges = [edge for axis in axes for edge in axis.get("range") or ()]
            numbers = [abs(v) for v in (*values, *edges) if isinstance(v, (int, float)) and isfinite(v)]
            affix = max(((axis.get("tickprefix") or "") + (axis.get("ticksuffix") or "") for axis in axes), key=len)
            labels = [_tick_text(max(numbers, default=0), axes[0].get("tickformat") or "") + affix]
    wide = max(text_width(line, size * 0.92) for label in labels for line in (label.split("<br>") or [""]))
    titled = any(_axis_title(axis) for axis in axes)
    return ceil(min(wide, inner * 0.4) + size * (0.7 + 1.9 * titled))


def _list(values: Any) -> Sequence[Any]:
    return values.tolist() if hasattr(values, "tolist") else values or ()


def _tick_text(value: float, tick_format: str) -> str:
    """The widest text a numeric axis is likely to show, with a sign."""
    if "%" in tick_format:
        return f"{MINUS}{value * 100:,.1f}%"
    if not tick_format and value >= 1e4:
        return f"{MINUS}{value / 10 ** (3 * (len(str(int(value))) - 1) // 3):.1f}M" if value >= 1e6 else "\u2212000k"
    return f"{MINUS}{value:,.0f}" if value >= 10 else f"{MINUS}0.00"


def _rise(own: Mapping[str, Any], size: int) -> float:
    """Height above the plot that the chart's own annotations and shapes take: names of panels, numbers of events."""
    shapes = (
        shape["y1"]
        for shape in own.get("shapes", ())
        if shape.get("ysizemode") == "pixel" and shape.get("yref") == "paper" and shape.get("yanchor") == 1
    )
    notes = (
        note.get("yshift", 0)
        + (str(note.get("text", "")).count("<br>") + 1) * note.get("font", {}).get("size", size) * LINE_HEIGHT
        for note in own.get("annotations", ())
        if note.get("yref") == "paper" and note.get("y", 0) >= 1 and note.get("yanchor") == "bottom"
    )
    return float(max(chain(shapes, notes), default=0))


def _legend_room(figure: Figure, size: int, inner: int) -> float:
    """Height of a horizontal legend above the plot."""
    if not figure.get("layout", {}).get("showlegend"):
        return 0
    names = [str(trace.get("name", "")) for trace in figure.get("data", ()) if trace.get("showlegend", True)]
    widest = max((text_width(name, size) for name in names), default=0) + 60
    return ceil(len(names) / max(1, int(inner * 0.9 // widest))) * size * 1.6


def _placed_anew(own: Mapping[str, Any], *, plot_height: float) -> list[dict[str, Any]]:
    """The chart's own annotations, with labels at line ends moved for a plot of another height."""
    notes = list(own.get("annotations", ()))
    kept = [note for note in notes if note.get("name") != LINE_END]
    for yref in dict.fromkeys(note["yref"] for note in notes if note.get("name") == LINE_END):
        axis = own.get("yaxis" + yref[1:], {})
        group = [note for note in notes if note.get("name") == LINE_END and note["yref"] == yref]
        if "range" not in axis:
            kept += group
            continue
        bottom, top = axis.get("domain", (0, 1))
        px = group[0]["font"]["size"]
        ends = [LineEnd(note["text"], note["y"], note["font"]["color"]) for note in group]
        labels = line_end_labels(
            ends,
            height_px=plot_height * (top - bottom),
            font_px=px,
            value_range=(axis["range"][0], axis["range"][1]),
        )
        anew = end_annotations(labels, font_px=px, yref=yref)
        kept += [{**new, "text": old["text"], "xref": old["xref"]} for new, old in zip(anew, group, strict=True)]
    return kept
