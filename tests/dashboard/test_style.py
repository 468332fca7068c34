"""Colours that can be told apart, numbers as they are read, labels and frames that do not overlap."""

import json
from dataclasses import replace
from datetime import date
from itertools import combinations, pairwise

import numpy as np
import pytest
from colorspacious import cspace_convert
from hypothesis import given
from hypothesis import strategies as st

from dashboard import framing, style
from dashboard.style import INK, PALETTE, PICTURE, SCREEN, SHEET, LineEnd, Look

LEAST_CONTRAST = 3.0
LEAST_DIFFERENCE = 10.0
LEAST_DIFFERENCE_IN_FULL_COLOUR = 14.0
THEMES: tuple[style.Theme, ...] = ("light", "dark")
VISIONS = ("normal", "protanomaly", "deuteranomaly", "tritanomaly")


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = rgb(colour)
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, vision: str) -> np.ndarray:
    """A colour in CAM02-UCS as seen with full loss of one kind of cone."""
    channels = rgb(colour)
    if vision != "normal":
        space = {"name": "sRGB1+CVD", "cvd_type": vision, "severity": 100}
        channels = np.clip(cspace_convert(channels, space, "sRGB1"), 0, 1)
    return np.asarray(cspace_convert(channels, "sRGB1", "CAM02-UCS"))


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


def test_the_named_makers_have_their_colours() -> None:
    starter = {
        "tesla": "#C8102E",
        "byd": "#0B6FC2",
        "volkswagen": "#0619C4",
        "volkswagen-group": "#0619C4",
        "geely": "#5B385A",
        "geely-holding-group": "#5B385A",
        "saic-motor": "#CA8277",
        "hyundai-motor-group": "#481615",
        "xiaomi": "#FB5910",
        "other": "#7A828C",
    }
    assert {slug: style.colour(slug, "light") for slug in starter} == starter
    assert len(PALETTE) >= 19


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_stands_out_from_the_background(theme: style.Theme) -> None:
    weak = {
        slug: ratio
        for slug in PALETTE
        if (ratio := contrast(style.colour(slug, theme), INK[theme].background)) < LEAST_CONTRAST
    }
    assert not weak


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES)
def test_any_two_makers_can_be_told_apart(theme: style.Theme, vision: str) -> None:
    places = {slug: seen(style.colour(slug, theme), vision) for slug in PALETTE}
    least = LEAST_DIFFERENCE_IN_FULL_COLOUR if vision == "normal" else LEAST_DIFFERENCE
    alike = {
        pair: round(float(distance), 1)
        for pair in combinations(places, 2)
        if (distance := np.linalg.norm(places[pair[0]] - places[pair[1]])) < least
    }
    assert not alike


@pytest.mark.parametrize("theme", THEMES)
def test_text_has_contrast_aa(theme: style.Theme) -> None:
    ink = INK[theme]
    for text, behind in (
        (ink.text, ink.background),
        (ink.quiet, ink.background),
        (ink.text, ink.pill),
        (ink.amber_text, ink.amber),
    ):
        assert contrast(text, behind) >= 4.5


def test_makers_without_a_colour_are_grey_until_highlighted() -> None:
    assert style.colour("nio") == style.colour("a-maker-of-tomorrow") == style.colour("other")
    assert style.colour("nio", "dark", highlight=True) == INK["dark"].text
    assert style.colour("tesla", highlight=True) == style.colour("tesla")


def test_greys_differ_in_dash_and_symbol() -> None:
    marks = {slug: (style.dash(slug), style.symbol(slug)) for slug in style.GREYS}
    assert len(set(marks.values())) == len(style.GREYS)
    assert "solid" not in {dash for dash, _ in marks.values()}
    assert not set(style.GREYS) & {*PALETTE, *style.SHARED}
    assert (style.dash("tesla"), style.symbol("mg")) == ("solid", "circle")
    assert style.dash("a-maker-of-tomorrow") == style.dash("a-maker-of-tomorrow") != "solid"


@pytest.mark.parametrize(
    ("units", "text"),
    [
        (0, "0"),
        (7, "7"),
        (84_057, "84,057"),
        (999_999, "999,999"),
        (999_999.6, "1.00 M"),
        (1_000_000, "1.00 M"),
        (1_636_129, "1.64 M"),
        (1_645_000, "1.65 M"),
        (9_994_999, "9.99 M"),
        (9_995_000, "10.0 M"),
        (16_449_999, "16.4 M"),
        (99_950_000, "100 M"),
        (1_234_567_890, "1,235 M"),
        (-45, "−45"),
        (-1_500_000, "−1.50 M"),
        (-0.4, "0"),
        (0.5, "1"),
        (float("nan"), "–"),
    ],
)
def test_units(units: float, text: str) -> None:
    assert style.units_text(units) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.00099, "<0.1 %"),
        (0.001, "0.1 %"),
        (0.084, "8.4 %"),
        (0.0845, "8.5 %"),
        (0.09197, "9.2 %"),
        (0.12, "12.0 %"),
        (0.9994, "99.9 %"),
        (0.9996, ">99.9 %"),
        (1, "100 %"),
        (-0.032, "−3.2 %"),
        (float("nan"), "–"),
    ],
)
def test_shares(share: float, text: str) -> None:
    assert style.share_text(share) == text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (0.012, "+1.2 pp"),
        (-0.012, "−1.2 pp"),
        (0, "0 pp"),
        (0.0004, "≈0 pp"),
        (-0.0005, "−0.1 pp"),
        (0.1005, "+10.1 pp"),
    ],
)
def test_changes_of_shares(change: float, text: str) -> None:
    assert style.pp_text(change) == text


def test_growth_is_signed() -> None:
    assert [style.growth_text(x) for x in (0.123, -0.5, 12.0)] == ["+12.3 %", "−50.0 %", "+1,200.0 %"]


def test_periods() -> None:
    assert style.period_text(date(2026, 9, 1), "month") == "Sep 2026"
    assert style.period_text("2026-09-01", "month") == "Sep 2026"
    quarters = [style.period_text(date(2026, month, 1), "quarter") for month in (1, 4, 7, 10)]
    assert quarters == ["Q1 2026", "Q2 2026", "Q3 2026", "Q4 2026"]
    assert style.period_text(date(2026, 1, 1), "year") == "2026"
    with pytest.raises(ValueError, match="week"):
        style.period_text(date(2026, 1, 1), "week")


def test_text_from_data_is_no_markup() -> None:
    assert style.escape("Lynk & Co") == "Lynk &amp; Co"
    assert style.escape("<b>x</b>\n&lt;") == "&lt;b&gt;x&lt;/b&gt; &amp;lt;"


def test_digits_have_one_width() -> None:
    for bold in (False, True):
        assert len({style.text_width(digit, 20, bold=bold) for digit in "0123456789"}) == 1
    assert style.text_width("1", 20) < style.text_width("1", 20, bold=True) * 1.05
    assert style.text_width("比亚迪", 20) == 60


@given(st.text(max_size=400), st.floats(60, 2000), st.booleans())
def test_wrapped_lines_are_no_wider_than_asked_and_lose_nothing(text: str, width: float, bold: bool) -> None:
    lines = style.wrap(text, width=width, font_px=20, bold=bold)
    assert all(style.text_width(line, 20, bold=bold) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_number_stays_with_its_unit() -> None:
    for width in range(60, 400, 7):
        for line in style.wrap("share of 8.4 % after +1.2 pp and 1.64 M cars", width=width, font_px=20):
            assert not line.startswith(("%", "pp", "M "))


ends = st.lists(
    st.builds(
        LineEnd,
        st.just("Maker"),
        st.one_of(st.sampled_from([0.0, 0.1]), st.floats(-0.2, 1.2)),
        st.just("#000"),
    ),
    max_size=14,
)


@given(ends, st.floats(300, 900), st.sampled_from([13, 16]))
def test_end_labels_keep_apart_in_order_and_inside(lines: list[LineEnd], height: float, font: int) -> None:
    labels = style.line_end_labels(lines, height_px=height, font_px=font, value_range=(0.0, 1.0))
    assert [label.end for label in labels] == lines
    centres = [min(max(label.end.value, 0), 1) * height + label.offset_px for label in labels]
    for (i, one), (j, other) in combinations(enumerate(lines), 2):
        if one.value != other.value:
            assert (centres[i] < centres[j]) == (one.value < other.value) or (
                max(one.value, other.value) <= 0 or min(one.value, other.value) >= 1
            )
        assert abs(centres[i] - centres[j]) >= font * 1.3 - 1e-6
    assert all(font * 0.65 - 1e-6 <= centre <= height - font * 0.65 + 1e-6 for centre in centres)
    assert labels == style.line_end_labels(lines, height_px=height, font_px=font, value_range=(0.0, 1.0))


def test_a_label_with_room_stays_and_two_alike_part_evenly() -> None:
    lines = [LineEnd("a", 0.5, "#111"), LineEnd("b", 0.5, "#222"), LineEnd("c", 0.1, "#333")]
    a, b, c = style.line_end_labels(lines, height_px=1000, font_px=10, value_range=(0, 1))
    assert (a.offset_px, b.offset_px, c.offset_px) == pytest.approx((6.5, -6.5, 0))
    assert (a.leader, b.leader, c.leader) == (True, True, False)


def test_labels_that_cannot_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        style.line_end_labels([LineEnd("a", 0, "#111")] * 9, height_px=100, font_px=13, value_range=(0, 1))


@pytest.mark.parametrize("look", [SCREEN, PICTURE, replace(SHEET, theme="dark")])
def test_layout_is_small_and_of_one_grey(look: Look) -> None:
    made = style.layout(look)
    assert len(json.dumps(made)) < 2000
    assert made["colorway"] == [style.colour("other", look.theme)]
    assert made["font"]["family"].startswith('"Open Sans"')
    assert ("width" in made) == (look.width is not None)


def test_layout_merges_changes_into_its_defaults() -> None:
    made = style.layout(SCREEN, yaxis={"ticksuffix": " %"}, barmode="stack")
    assert made["yaxis"]["ticksuffix"] == " %"
    assert made["yaxis"]["gridcolor"] == INK["light"].grid
    assert made["barmode"] == "stack"
    assert "ticksuffix" not in style.layout(SCREEN)["yaxis"]


Box = tuple[float, float, float, float]


def frame_boxes(figure: style.Figure, look: Look) -> dict[str, Box]:
    """Left, top, right and bottom in pixels of the plot and of every text of the frame."""
    layout = figure["layout"]
    margin = layout["margin"]
    assert look.width is not None
    left, right, top, bottom = margin["l"], look.width - margin["r"], margin["t"], look.height - margin["b"]
    boxes: dict[str, Box] = {"plot": (left, top, right, bottom)}
    for note in layout["annotations"]:
        font = note["font"]
        lines = [
            line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for line in note["text"].split("<br>")
        ]
        width = max(style.text_width(line, font["size"], bold=font["weight"] == 600) for line in lines)
        height = len(lines) * font["size"] * style.LINE_HEIGHT
        x = left + note["x"] * (right - left) + note["xshift"] - (width if note["xanchor"] == "right" else 0)
        y = bottom - note["y"] * (bottom - top) - note["yshift"] - (height if note["yanchor"] == "bottom" else 0)
        boxes[note["name"]] = (x, y, x + width, y + height)
    return boxes


def overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] - 0.01 and other[1] < one[3] - 0.01


words = st.text(st.sampled_from("aeinrst WM%0123456789比亚迪Šō<&>./-"), min_size=1)


@given(
    title=words.map(lambda text: (text * 90)[:90]),
    subtitle=st.text(st.sampled_from("aeinrst WM<"), max_size=200),
    badge=st.text(st.sampled_from("aeinrst W比"), max_size=60),
    source=st.text(st.sampled_from("aeinrst W/&="), max_size=400),
    notes=st.lists(st.text(st.sampled_from("aeinrst W"), min_size=1, max_size=180), max_size=3),
    look=st.sampled_from([PICTURE, SHEET]),
)
def test_nothing_in_a_frame_overlaps_or_leaves_the_picture(
    title: str, subtitle: str, badge: str, source: str, notes: list[str], look: Look
) -> None:
    chart = {"data": [{"type": "scatter", "x": [1, 2], "y": [1, 2]}], "layout": style.layout(look)}
    figure = framing.framed(
        chart, title=title, subtitle=subtitle, badge=badge, source_line=source, notes=notes, look=look
    )
    boxes = frame_boxes(figure, look)
    assert len(boxes) == 1 + sum(bool(text.split()) for text in (title, subtitle, badge, source, *notes))
    assert look.width is not None
    for box in boxes.values():
        assert min(box) >= 0
        assert box[2] <= look.width
        assert box[3] <= look.height
    assert not [pair for pair in combinations(boxes, 2) if overlap(boxes[pair[0]], boxes[pair[1]])]
    plot = boxes["plot"]
    assert plot[3] - plot[1] >= look.height * 0.35


def test_the_longest_texts_still_leave_a_plot_and_a_frame_leaves_the_chart_as_it_was() -> None:
    chart = {"data": [], "layout": style.layout(PICTURE, title={"text": "old"})}
    before = json.dumps(chart)
    framed = framing.framed(
        chart,
        title="W" * 90,
        subtitle="m" * 200,
        badge="W" * 60,
        amber=True,
        source_line="m" * 400,
        notes=["m" * 200] * 3,
        look=PICTURE,
    )
    assert json.dumps(chart) == before
    assert "title" not in framed["layout"]
    assert (framed["layout"]["width"], framed["layout"]["height"]) == (1600, 900)
    assert framed["layout"]["shapes"][0]["fillcolor"] == INK["light"].amber
    with pytest.raises(ValueError, match="fixed width"):
        framing.framed(chart, title="t", look=SCREEN)


def test_end_labels_are_placed_anew_for_the_height_that_a_frame_leaves() -> None:
    lines = [LineEnd(f"Maker {n} & Co", 0.02 * n, "#111111") for n in range(8)]
    labels = style.line_end_labels(lines, height_px=880, font_px=20, value_range=(0, 1))
    chart = {
        "data": [],
        "layout": style.layout(PICTURE, yaxis={"range": [0, 1]})
        | {"annotations": style.end_annotations(labels, font_px=20)},
    }
    layout = framing.framed(chart, title="A finding", source_line="x" * 400, look=PICTURE)["layout"]
    height = 900 - layout["margin"]["t"] - layout["margin"]["b"]
    notes = [note for note in layout["annotations"] if note["name"] == "line-end"]
    centres = sorted(note["y"] * height + note.get("yshift", 0) - note.get("ay", 0) for note in notes)
    assert len(notes) == 8
    assert min(b - a for a, b in pairwise(centres)) >= 26 - 0.05
    assert notes[0]["text"] == "Maker 0 &amp; Co"
    assert layout["margin"]["r"] >= style.text_width("Maker 0 & Co", 20) + 20
