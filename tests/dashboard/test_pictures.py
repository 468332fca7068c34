"""Pictures of exact size, in the bundled font, the same twice; one clear line when something is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from choreographer.browsers import Chromium
from PIL import Image
from playwright.sync_api import Browser

from dashboard import framing, pictures, style
from dashboard.pictures import PictureError
from dashboard.style import Figure, Look

BROWSER = Chromium.find_browser(skip_local=False)
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium, Chrome or Edge on this machine")

SMALL = Look(width=640, height=400, font_px=13, scale=2)


def bars(text: str = "A finding", *, look: Look = SMALL, **layout: Any) -> Figure:
    trace = {
        "type": "bar",
        "x": ["Tesla", "BYD"],
        "y": [3, 5],
        "marker": {"color": style.colour("tesla", look.theme)},
    }
    return framing.framed({"data": [trace], "layout": style.layout(look, **layout)}, title=text, look=look)


def written(text: str, family: str = style.FONT_FAMILY) -> Figure:
    """A figure of nothing but one text."""
    note = {
        "text": text,
        "x": 0.5,
        "y": 0.5,
        "xref": "paper",
        "yref": "paper",
        "showarrow": False,
        "font": {"size": 40},
    }
    hidden = {"visible": False}
    layout = style.layout(SMALL, xaxis=hidden, yaxis=hidden) | {"annotations": [note]}
    return {"data": [], "layout": {**layout, "font": {"family": family, "color": "#000000"}}}


def png(figure: Figure, look: Look = SMALL) -> bytes:
    return pictures.render(figure, format="png", look=look)


@pytest.fixture
def anew() -> Iterator[None]:
    """No browser is kept from an earlier picture, nor left to a later one."""
    pictures.close()
    yield
    pictures.close()


@needs_browser
def test_a_png_has_its_size_and_ink_and_is_the_same_twice(anew: None) -> None:
    first = png(bars())
    image = Image.open(BytesIO(first)).convert("RGB")
    assert image.size == (1280, 800)
    assert image.getpixel((2, 2)) == (255, 255, 255)
    assert (0xC8, 0x10, 0x2E) in {colour for _, colour in image.getcolors(1 << 24) or ()}
    assert png(bars()) == first
    pictures.close()
    assert png(bars()) == first


@needs_browser
def test_an_svg_is_the_same_twice_and_carries_its_font(anew: None) -> None:
    figure = bars()
    first = pictures.render(figure, format="svg", look=SMALL)
    pictures.close()
    assert pictures.render(figure, format="svg", look=SMALL) == first
    assert first.startswith(b'<svg class="main-svg"')
    assert b'width="640" height="400"' in first
    assert first.count(b"data:font/woff2;base64,") == 2
    assert b"clip-path" in first
    assert not [link for link in (b'href="http', b"url(http", b"<script") if link in first]


@needs_browser
def test_chinese_is_drawn_in_glyphs() -> None:
    name, boxes, other = png(written("比亚迪")), png(written("\u0378\u0378\u0378")), png(written("特斯拉"))
    assert len({name, boxes, other}) == 3


@needs_browser
def test_a_character_without_a_glyph_is_refused() -> None:
    with pytest.raises(PictureError, match=r"^no font for \U00010FA0 on this machine.*fonts-noto-cjk"):
        png(written("比亚迪 \U00010fa0"))


@needs_browser
def test_text_is_set_in_the_bundled_font(tmp_path: Path) -> None:
    """What the browser draws is as wide as Pillow measures in the bundled file; the fallback is not."""

    def width(figure: Figure) -> float:
        columns = np.asarray(Image.open(BytesIO(png(figure))).convert("L")).min(axis=0) < 128
        inked = np.flatnonzero(columns)
        return float(inked[-1] - inked[0]) / SMALL.scale

    text = "Hm wagons 1,234 Hm"
    fallback = width(written(text, "DejaVu Sans, Arial, sans-serif"))
    assert width(written(text)) == pytest.approx(style.text_width(text, 40), abs=8)
    assert abs(fallback - style.text_width(text, 40)) > 12
    assert width(written("H1111111111H")) == pytest.approx(width(written("H0000000000H")), abs=1)


@needs_browser
@pytest.mark.parametrize("format", ["png", "svg"])
@pytest.mark.parametrize("height", [400, 403, 417])
def test_a_picture_without_anything_in_its_plot_is_refused(format: pictures.Format, height: int) -> None:
    look = replace(SMALL, height=height)
    empty = {"type": "scatter", "x": ["2026-01-01"], "y": [None]}
    figure = framing.framed({"data": [empty], "layout": style.layout(look)}, title="Nothing", look=look)
    with pytest.raises(PictureError, match="blank"):
        pictures.render(figure, format=format, look=look)


@needs_browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_thin_line_is_not_blank(theme: style.Theme) -> None:
    look = replace(SMALL, theme=theme)
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": [1, 2],
        "y": [1, 2],
        "line": {"color": style.colour("other", theme)},
    }
    assert png(framing.framed({"data": [line], "layout": style.layout(look)}, title="A line", look=look), look)


@needs_browser
def test_an_error_in_a_figure_is_one_line_and_the_browser_lives_on() -> None:
    png(bars())
    browser = pictures._browser._kept
    with pytest.raises(PictureError, match=r"^the figure cannot be drawn: ") as caught:
        png({"data": [7], "layout": {}})
    assert "\n" not in str(caught.value)
    assert png(bars())
    assert pictures._browser._kept is browser is not None


@needs_browser
def test_many_pictures_come_in_order_from_one_browser(anew: None) -> None:
    figures = [bars(f"Finding {n}") for n in range(3)]
    many = pictures.render_all(figures, format="png", look=SMALL)
    assert many == [png(figure) for figure in figures]
    assert len(set(many)) == 3


@needs_browser
def test_threads_share_the_browser(anew: None) -> None:
    expected = [png(bars(f"Finding {n % 2}")) for n in range(2)]
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda n: png(bars(f"Finding {n % 2}")), range(6)))
    assert got == expected * 3


@needs_browser
def test_a_browser_that_died_is_replaced(anew: None) -> None:
    first = png(bars())
    browser = pictures._browser._kept
    assert browser is not None
    pictures._kill(browser.kaleido)
    assert png(bars()) == first
    assert pictures._browser._kept is not browser


@needs_browser
@pytest.mark.parametrize("format", ["png", "svg"])
def test_a_picture_is_the_same_whatever_was_drawn_before_it(anew: None, format: pictures.Format) -> None:
    def drawn(figure: Figure) -> bytes:
        return pictures.render(figure, format=format, look=SMALL)

    first = drawn(bars())
    assert drawn(bars("Another", xaxis={"title": {"text": "Makers"}})) != first
    with pytest.raises(PictureError):
        drawn({"data": [7], "layout": {}})
    assert drawn(bars()) == first


@needs_browser
def test_a_page_that_has_drawn_many_pictures_is_loaded_anew_and_draws_the_same(
    anew: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "PICTURES_A_PAGE", 2)
    assert len({png(bars()) for _ in range(2 * pictures.TABS + 1)}) == 1


@needs_browser
def test_a_browser_that_dies_over_two_pictures_is_replaced_for_both(anew: None) -> None:
    first = png(bars())
    browser = pictures._browser._kept
    assert browser is not None
    with ThreadPoolExecutor(2) as pool:
        drawn = [pool.submit(png, bars()) for _ in range(4)]
        pictures._kill(browser.kaleido)
        assert [picture.result() for picture in drawn] == [first] * 4


@needs_browser
def test_those_who_close_the_browser_at_once_do_not_wait_for_each_other_for_ever(anew: None) -> None:
    first = png(bars())
    with ThreadPoolExecutor(4) as pool:
        closing = [pool.submit(pictures.close) for _ in range(3)]
        drawing = pool.submit(png, bars())
        assert [done.result(60) for done in closing] == [None] * 3
        assert drawing.result(60) == first


@pytest.mark.parametrize(
    ("answered", "says"),
    [
        (b"", "no readable PNG"),
        (b"<svg/>", "no readable PNG"),
        (b"cut", "no readable PNG"),
        (b"smaller", "a PNG of"),
    ],
)
def test_what_is_no_whole_png_of_the_size_is_refused(
    monkeypatch: pytest.MonkeyPatch, answered: bytes, says: str
) -> None:
    def of(width: int) -> bytes:
        content = BytesIO()
        Image.effect_noise((width, SMALL.height * SMALL.scale), 50).save(content, "PNG")
        return content.getvalue()

    whole = of(SMALL.width * SMALL.scale) if SMALL.width else b""
    made = {b"cut": whole[: len(whole) // 2], b"smaller": of(7)}.get(answered, answered)
    monkeypatch.setattr(pictures._browser, "draw", lambda *_, **__: made)
    with pytest.raises(PictureError, match=says):
        png(bars())
    monkeypatch.setattr(pictures._browser, "draw", lambda *_, **__: whole)
    assert png(bars()) == whole


@needs_browser
def test_a_picture_that_takes_too_long_is_given_up(anew: None) -> None:
    with pytest.raises(PictureError, match=r"no picture within 0 s"):
        pictures.render(bars(), format="png", look=SMALL, timeout=0.05)
    assert png(bars())


@needs_browser
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_worker_has_a_browser_of_its_own_and_nothing_outlives_the_program() -> None:
    program = """
import os, sys
from tests.dashboard.test_pictures import bars, png
from dashboard import pictures
first = png(bars())
child = os.fork()
if child == 0:
    same = png(bars()) == first
    pictures.close()
    os._exit(0 if same else 3)
same = png(bars()) == first
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(pictures._browser._kept.kaleido.subprocess.pid)
sys.exit(status or (0 if same else 4))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    left = subprocess.run(["ps", "-o", "stat=", "-g", done.stdout.strip()], capture_output=True, text=True)
    assert not [state for state in left.stdout.split() if not state.startswith("Z")]


def test_no_text_of_a_full_frame_overlaps_as_the_browser_draws_it(browser: Browser) -> None:
    look = style.PICTURE
    ends = [style.LineEnd(f"Maker {n} 比亚迪", 0.1 + n / 500, style.colour("byd")) for n in range(8)]
    labels = style.line_end_labels(ends, height_px=400, font_px=20, value_range=(0, 1))
    lines = [{"type": "scatter", "x": ["2021-01-01", "2026-01-01"], "y": [0.5, end.value]} for end in ends]
    layout = style.layout(look, yaxis={"range": [0, 1], "title": {"text": "Share"}}, xaxis={"title": {"text": "Month"}})
    layout["annotations"] = style.end_annotations(labels, font_px=20)
    figure = framing.framed(
        {"data": lines, "layout": layout},
        title="Škoda & Lynk & Co took nine of ten “new” battery-electric buyers in 2026 from <others>"[:90],
        subtitle="Share of new battery-electric registrations of all makers in nineteen countries " * 2,
        badge="data to Jun 2026 · loaded 22 Nov · coverage 94 % · overdue",
        amber=True,
        source_line="Kraftfahrt-Bundesamt (dl-de/by-2-0), registrations, as known on 22 Nov 2026. " * 4,
        notes=["1 An event that needs a longer explanation than one line of the picture can hold " * 2] * 3,
        look=look,
    )
    svg = pictures.render(figure, format="svg", look=look).decode()
    page = browser.new_page(viewport={"width": 1600, "height": 900})
    page.set_content(f"<style>body{{margin:0}}</style>{svg}")
    page.evaluate("() => document.fonts.ready")
    boxes: list[dict[str, Any]] = page.evaluate(
        """() => [...document.querySelectorAll("text, .bglayer .bg")].map((shape) => {
            const { left, top, right, bottom } = shape.getBoundingClientRect();
            return { what: shape.textContent || "plot", left, top, right, bottom };
        }).filter((box) => box.right > box.left)"""
    )
    page.close()
    assert len(boxes) >= 8 + 3 + 4 + 8
    outside = [box for box in boxes if min(box["left"], box["top"]) < 0 or box["right"] > 1600 or box["bottom"] > 900]
    assert not outside
    touching = [
        (one["what"], other["what"])
        for one, other in combinations(boxes, 2)
        if min(one["right"], other["right"]) - max(one["left"], other["left"]) > 0.5
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 2.5
    ]
    assert not touching


def test_no_browser_is_one_line_with_the_remedy(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(Chromium, "find_browser", classmethod(lambda cls, **_: None))
    with pytest.raises(PictureError) as caught:
        png(bars())
    message = str(caught.value)
    assert message.startswith("no Chromium, Chrome or Edge found")
    assert "\n" not in message
    assert all(way in message for way in ("apt-get install chromium", "brew install", "Windows"))


def test_a_wrong_browser_path_is_named(anew: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nothing"))
    with pytest.raises(PictureError, match=f"^no browser at BROWSER_PATH={tmp_path / 'nothing'}"):
        png(bars())


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX program")
def test_a_program_that_is_no_browser_is_one_line(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", shutil.which("true") or "/bin/true")
    with pytest.raises(PictureError, match="BROWSER_PATH") as caught:
        pictures.render(bars(), format="png", look=SMALL, timeout=20)
    assert "\n" not in str(caught.value)


def test_a_missing_font_stops_the_picture(anew: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Chromium, "find_browser", classmethod(lambda cls, **_: sys.executable))
    monkeypatch.setattr(pictures, "FONTS", tmp_path)
    with pytest.raises(PictureError, match=r"the bundled font .*OpenSans-Regular.woff2 is missing: .*git checkout"):
        png(bars())


def test_a_picture_needs_a_width() -> None:
    with pytest.raises(ValueError, match="fixed width"):
        png(bars(), style.SCREEN)
