"""Figures as PNG or SVG, drawn by one Chromium that is kept until it is idle or at exit.

kaleido drives the browser. The page that it loads carries the bundled font and plotly.js from the installed
package; nothing comes from another host. The same figure gives the same bytes on one machine. Whatever goes
wrong is a `PictureError` of one line with the remedy.
"""

import asyncio
import atexit
import json
import logging
import os
import re
import signal
import sys
from base64 import b64encode
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from threading import Lock, Thread, Timer
from time import monotonic
from typing import Any, Literal, TypeVar
from xml.etree import ElementTree

import numpy as np
from choreographer.browsers import Chromium
from choreographer.errors import ChromeNotFoundError
from kaleido import Kaleido, PageGenerator
from kaleido.errors import JavascriptError, KaleidoError
from PIL import Image, UnidentifiedImageError

from dashboard.style import FONT_FAMILY, FONTS, INK, SCREEN, Figure, Look

Format = Literal["png", "svg"]
Result = TypeVar("Result")

TIMEOUT_SECONDS = 60.0
"""For one picture, the start of the browser and the wait for other threads' pictures included."""

IDLE_SECONDS = 600.0
"""A browser that drew nothing for so long is closed; the next picture starts another."""

_FACES = (("OpenSans-Regular.woff2", 400), ("OpenSans-SemiBold.woff2", 600))
_LEAST_INK = 0.0001

_PAGE_SCRIPT = """
(() => {
  // Plotly names clip paths at random; a fixed sequence gives the same file twice.
  let state = 1;
  Math.random = () => (state = (state * 16807) % 2147483647) / 2147483647;

  const pixels = (text) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 48;
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.font = `32px ${FAMILY}`;
    pen.fillText(text, 4, 36);
    return pen.getImageData(0, 0, 48, 48).data.join();
  };
  const withoutGlyph = (figure) => {
    const foreign = JSON.stringify(figure).match(/[\\u2190-\\uFFEF]|[\\u{10000}-\\u{10FFFF}]/gu) || [];
    const box = pixels("\\u0378");
    const lost = (character) => !"\\uFE0F\\uFEFF".includes(character) && pixels(character) === box;
    return [...new Set(foreign)].filter(lost);
  };
  const loaded = async (svg) => {
    const image = new Image();
    const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml;charset=utf-8" }));
    image.src = url;
    await image.decode();
    URL.revokeObjectURL(url);
    return image;
  };
  const plotlyImage = Plotly.toImage;
  Plotly.toImage = async (figure, options) => {
    const load = (weight) => document.fonts.load(`${weight} 20px "Open Sans"`);
    const faces = await Promise.all([load(400), load(600)]);
    if (faces.some((face) => !face.length)) throw new Error("the bundled font did not load");
    const boxes = withoutGlyph(figure);
    if (boxes.length) throw new Error("no font for " + boxes.slice(0, 8).join(""));
    const drawn = await plotlyImage(figure, { ...options, format: "svg" });
    const svg = drawn.replace(/<svg[^>]*>/, (root) => `${root}<style>${FACES}</style>`);
    if (options.format === "svg") return svg;
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(options.width * options.scale);
    canvas.height = Math.round(options.height * options.scale);
    canvas.getContext("2d", { willReadFrequently: true })
      .drawImage(await loaded(svg), 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/png").split(",")[1];
  };
})();
"""


class PictureError(Exception):
    """A picture could not be made; the text is one line that says why and what to do."""


def render(figure: Figure, *, format: Format, look: Look, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """One figure as a file of `look.width` x `look.height` px, for PNG times `look.scale`; from any thread.

    A figure that comes out blank is refused; an SVG is checked by the PNG of the same figure.
    """
    if look.width is None:
        raise ValueError("a picture has a fixed width")
    if format == "svg":
        draft = replace(look, scale=2)
        _check_png(_browser.draw(figure, format="png", look=draft, timeout=timeout), figure=figure, look=draft)
    picture = _browser.draw(figure, format=format, look=look, timeout=timeout)
    _check_svg(picture, look=look) if format == "svg" else _check_png(picture, figure=figure, look=look)
    return picture


def inline(figure: Figure, *, width: int, height: int) -> str:
    """A figure as SVG text to stand in a page that has the font: as wide as its place, and without the font in it."""
    look = replace(SCREEN, width=width, height=height)
    drawn = _browser.draw(figure, format="svg", look=look, timeout=TIMEOUT_SECONDS)
    _check_svg(drawn, look=look)
    bare = re.sub(r"<style>@font-face.*?</style>", "", drawn.decode(), count=1, flags=re.DOTALL)
    root = f'<svg class="ready" role="presentation" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
    return re.sub(r"<svg[^>]*>", root, bare, count=1)


def render_all(
    figures: Iterable[Figure], *, format: Format, look: Look, timeout: float = TIMEOUT_SECONDS
) -> list[bytes]:
    """Many figures with one start of the browser, in the order given; the first that fails stops all."""
    return [render(figure, format=format, look=look, timeout=timeout) for figure in figures]


def close() -> None:
    """End the browser, if one is kept; the next picture starts another."""
    _browser.close()


class _OfflineChromium(Chromium):
    def get_cli(self) -> list[str]:
        """Chromium's command line: no network, and the same colours and glyph shapes on any screen."""
        return [
            *super().get_cli(),
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--force-color-profile=srgb",
            "--font-render-hinting=none",
            "--lang=en-US",
        ]


class _Page:
    """kaleido's page with the bundled font in it, and with `Plotly.toImage` drawing in that font."""

    def generate_index(self) -> str:
        faces = "".join(_font_face(name, weight) for name, weight in _FACES)
        script = f"const FAMILY = {json.dumps(FONT_FAMILY)}, FACES = {json.dumps(faces)};{_PAGE_SCRIPT}"
        page = str(PageGenerator(mathjax=False).generate_index())
        return page.replace("</head>", f"<style>{faces}</style><script>{script}</script></head>")


def _font_face(name: str, weight: int) -> str:
    try:
        font = b64encode((FONTS / name).read_bytes()).decode()
    except OSError as error:
        raise PictureError(
            f"the bundled font {FONTS / name} is missing: restore it (git checkout -- dashboard/assets/fonts)"
        ) from error
    source = f"url(data:font/woff2;base64,{font}) format('woff2')"
    return f"@font-face{{font-family:'Open Sans';font-weight:{weight};src:{source}}}"


class _Browser:
    """One kept Chromium with an event loop in a thread of its own; it draws one picture at a time."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kaleido: Kaleido | None = None
        self._idle: Timer | None = None

    def draw(self, figure: Figure, *, format: Format, look: Look, timeout: float) -> bytes:
        """The picture as the browser made it. A browser that died since the last picture is replaced once."""
        until = monotonic() + timeout
        if not self._turn.acquire(timeout=timeout):
            raise PictureError(f"no picture within {timeout:.0f} s: the browser is busy with others; try again")
        try:
            if self._idle:
                self._idle.cancel()
            if self._kaleido is not None and self._kaleido.subprocess.poll() is not None:
                self._end()
            kept = self._kaleido is not None
            scale = 1 if format == "svg" else look.scale
            options = {"format": format, "width": look.width, "height": look.height, "scale": scale}
            try:
                return self._attempt(figure, options, until - monotonic())
            except (PictureError, TimeoutError):
                raise
            except Exception:
                if not kept:
                    raise
                return self._attempt(figure, options, until - monotonic())
        except TimeoutError as error:
            raise PictureError(
                f"no picture within {timeout:.0f} s: the browser hangs or the machine is overloaded"
            ) from error
        except PictureError:
            raise
        except Exception as error:
            raise PictureError(f"the browser failed: {_one_line(error)}; try another one with BROWSER_PATH") from error
        finally:
            if self._kaleido:
                self._idle = Timer(IDLE_SECONDS, self.close)
                self._idle.daemon = True
                self._idle.start()
            self._turn.release()

    def _attempt(self, figure: Figure, options: dict[str, Any], seconds: float) -> bytes:
        try:
            return self._run(self._picture(figure, options), max(seconds, 0.1))
        except (KaleidoError, JavascriptError, TypeError, ValueError) as error:
            raise PictureError(_explained(_one_line(error))) from error
        except BaseException:
            self._end(failed=True)
            raise

    async def _picture(self, figure: Figure, options: dict[str, Any]) -> bytes:
        if self._kaleido is None:
            self._kaleido = _found()
            await self._kaleido.open()
        picture: bytes = await self._kaleido.calc_fig(figure, opts=options)
        return picture

    def _run(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            Thread(target=_run_until_stopped, args=(self._loop,), name="pictures", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def close(self) -> None:
        """End the browser after the picture that is being drawn, if any."""
        with self._turn:
            self._end()

    def _end(self, *, failed: bool = False) -> None:
        gone, self._kaleido = self._kaleido, None
        if self._idle:
            self._idle.cancel()
        if gone is not None:
            if failed:
                _kill(gone)
            with suppress(Exception):
                self._run(gone.close(), 5)
            _kill(gone)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    def before_fork(self) -> None:
        """A child must not share the browser, so it ends; the turn is held until the fork is done."""
        self._turn.acquire()
        self._end()

    def after_fork(self) -> None:
        self._turn.release()


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def _found() -> Kaleido:
    named = os.environ.get("BROWSER_PATH")
    try:
        return Kaleido(page_generator=_Page(), browser_cls=_OfflineChromium, timeout=None)
    except ChromeNotFoundError as error:
        missing = f"no browser at BROWSER_PATH={named}" if named else "no Chromium, Chrome or Edge found"
        raise PictureError(
            f"{missing}, which PNG and SVG need: install one (Debian, Ubuntu: sudo apt-get install chromium; "
            "macOS: brew install --cask google-chrome; Windows: winget install Google.Chrome) "
            "or set BROWSER_PATH"
        ) from error


def _kill(browser: Kaleido) -> None:
    process = getattr(browser, "subprocess", None)
    if process is None:
        return
    with suppress(OSError):
        process.kill() if sys.platform == "win32" else os.killpg(process.pid, signal.SIGKILL)
    with suppress(Exception):
        process.wait(5)


def _one_line(error: BaseException) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:300]


def _explained(message: str) -> str:
    reason = message.removeprefix("Error 525: ")
    if reason.startswith("no font for"):
        remedy = "sudo apt-get install fonts-noto-cjk, or a font that has it"
        return f"{reason} on this machine, where it would be drawn as a box: {remedy}"
    return f"the figure cannot be drawn: {reason}"


def _check_png(picture: bytes, *, figure: Figure, look: Look) -> None:
    """Refuse a PNG of another size, or whose plot holds only colours from paper to axis, as a grid does."""
    assert look.width is not None
    try:
        image = Image.open(BytesIO(picture))
        image.load()
    except (UnidentifiedImageError, OSError) as error:
        raise PictureError(
            "the browser gave no readable PNG; try again or another browser with BROWSER_PATH"
        ) from error
    expected = (look.width * look.scale, look.height * look.scale)
    if image.size != expected:
        raise PictureError(f"the browser gave a PNG of {image.size} instead of {expected} pixels")
    margin = figure.get("layout", {}).get("margin", {})
    left, top = margin.get("l", 0) * look.scale, margin.get("t", 0) * look.scale
    right, bottom = (
        expected[0] - margin.get("r", 0) * look.scale,
        expected[1] - margin.get("b", 0) * look.scale,
    )
    plot = np.asarray(image if image.mode in ("RGB", "RGBA") else image.convert("RGB"))
    plot = plot[int(top) : int(bottom), int(left) : int(right), :3]
    # Every eighth pixel shows that a plot is full; only one that seems empty is looked at closely.
    if _ink(plot[::8, ::8], look) < 10 * _LEAST_INK and _ink(plot[::2, ::2], look) < _LEAST_INK:
        raise PictureError("the picture is blank: nothing is drawn in the plot; check that the selection has figures")


def _ink(pixels: np.ndarray[Any, np.dtype[np.uint8]], look: Look) -> float:
    """The share of pixels in another colour than those from paper to axis; 0 where there are none."""
    paper, axis = _rgb(INK[look.theme].background), _rgb(INK[look.theme].axis)
    apart = pixels.astype(np.float32) - paper
    along = np.clip(apart @ (axis - paper) / ((axis - paper) ** 2).sum(), 0, 1)
    ink = np.abs(apart - along[..., None] * (axis - paper)).max(axis=2, initial=0) > 10
    return float(ink.mean()) if ink.size else 0.0


def _rgb(colour: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32)


def _check_svg(picture: bytes, *, look: Look) -> None:
    """Refuse an SVG that is not well formed or has another size."""
    try:
        root = ElementTree.fromstring(picture)
    except ElementTree.ParseError as error:
        raise PictureError(f"the browser gave no readable SVG: {_one_line(error)}") from error
    if (root.get("width"), root.get("height")) != (str(look.width), str(look.height)):
        raise PictureError(f"the browser gave an SVG of {root.get('width')} x {root.get('height')} px")


# What the browser's driver has to say is in the PictureError.
logging.getLogger("choreographer").setLevel(logging.ERROR)

_browser = _Browser()
atexit.register(_browser.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_browser.before_fork,
        after_in_parent=_browser.after_fork,
        after_in_child=_browser.after_fork,
    )
