"""Figures as PNG or SVG, drawn by a Chromium that is kept until it is idle or at exit.

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
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from threading import Lock, RLock, Semaphore, Thread, Timer
from time import monotonic
from typing import Any, Literal, TypeVar
from xml.etree import ElementTree

from choreographer.browsers import Chromium
from choreographer.errors import ChromeNotFoundError
from kaleido import Kaleido, PageGenerator
from kaleido.errors import JavascriptError, KaleidoError
from PIL import Image, UnidentifiedImageError

from dashboard import plotly_bundle
from dashboard.style import FONT_FAMILY, FONTS, INK, SCREEN, Figure, Look

Format = Literal["png", "svg"]
Result = TypeVar("Result")

TIMEOUT_SECONDS = 60.0
"""For one picture, the start of the browser and the wait for other threads' pictures included."""

IDLE_SECONDS = 600.0
"""A browser that drew nothing for so long is closed; the next picture starts another."""

TABS = 2
"""How many pictures are drawn at once."""

PICTURES_A_PAGE = 50
"""After so many pictures a tab loads its page anew, which frees what they left in it."""

_FACES = (("OpenSans-Regular.woff2", 400), ("OpenSans-SemiBold.woff2", 600))
_LEAST_INK = 0.0001

_PAGE_SCRIPT = """
(() => {
  // Plotly names clip paths at random; a fixed sequence for each picture gives the same file twice.
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
  // How much of the plot has another colour than those from paper to axis, which a grid has too. Every eighth pixel
  // shows that a plot is full; only one that seems empty is looked at closely.
  const isBlank = (pen, figure, { width, height }, scale) => {
    const { l = 0, t = 0, r = 0, b = 0 } = figure.layout.margin || {};
    const [wide, high] = [Math.floor((width - l - r) * scale), Math.floor((height - t - b) * scale)];
    if (wide < 1 || high < 1) return true;
    const { data } = pen.getImageData(Math.floor(l * scale), Math.floor(t * scale), wide, high);
    const [paper, axis] = INKS[figure.layout.paper_bgcolor] || Object.values(INKS)[0];
    const along = axis.map((value, n) => value - paper[n]);
    const length = along.reduce((sum, value) => sum + value * value, 0);
    const ink = (step) => {
      let inked = 0, seen = 0;
      for (let row = 0; row < high; row += step) {
        for (let column = 0; column < wide; column += step) {
          const at = 4 * (row * wide + column);
          const apart = paper.map((value, n) => data[at + n] - value);
          const dot = apart.reduce((sum, value, n) => sum + value * along[n], 0);
          const part = Math.min(1, Math.max(0, dot / length));
          inked += apart.some((value, n) => Math.abs(value - part * along[n]) > 10);
          seen += 1;
        }
      }
      return inked / seen;
    };
    return ink(8) < 10 * LEAST_INK && ink(2) < LEAST_INK;
  };
  const plotlyImage = Plotly.toImage;
  Plotly.toImage = async (figure, options) => {
    state = 1;
    const load = (weight) => document.fonts.load(`${weight} 20px "Open Sans"`);
    const faces = await Promise.all([load(400), load(600)]);
    if (faces.some((face) => !face.length)) throw new Error("the bundled font did not load");
    const boxes = withoutGlyph(figure);
    if (boxes.length) throw new Error("no font for " + boxes.slice(0, 8).join(""));
    const drawn = await plotlyImage(figure, { ...options, format: "svg" });
    const svg = drawn.replace(/<svg[^>]*>/, (root) => `${root}<style>${FACES}</style>`);
    const scale = options.format === "svg" ? 2 : options.scale;
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(options.width * scale);
    canvas.height = Math.round(options.height * scale);
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(await loaded(svg), 0, 0, canvas.width, canvas.height);
    if (isBlank(pen, figure, options, scale)) throw new Error("blank");
    if (options.format === "svg") return svg;
    return canvas.toDataURL("image/png").split(",")[1];
  };
})();
"""


class PictureError(Exception):
    """A picture could not be made; the text is one line that says why and what to do."""


def render(figure: Figure, *, format: Format, look: Look, timeout: float = TIMEOUT_SECONDS) -> bytes:
    """One figure as a file of `look.width` x `look.height` px, for PNG times `look.scale`; from any thread.

    A figure whose plot comes out blank is refused.
    """
    if look.width is None:
        raise ValueError("a picture has a fixed width")
    picture = _browser.draw(figure, format=format, look=look, timeout=timeout)
    _check_svg(picture, look=look) if format == "svg" else _check_png(picture, look=look)
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


def start() -> None:
    """Have a browser running for the pictures to come; what prevents it is told by the first of them."""
    with suppress(Exception):
        _browser.start()


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


class _Keeping(Kaleido):  # type: ignore[misc]
    """Draws one picture after another on the same page, which takes longer to load than most pictures to draw."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._drawn: Counter[int] = Counter()

    async def _return_kaleido_tab(self, tab: Any) -> None:
        self._drawn[id(tab)] += 1
        if self._drawn[id(tab)] % PICTURES_A_PAGE:
            await self.tabs_ready.put(tab)
        else:
            await super()._return_kaleido_tab(tab)


class _Page:
    """kaleido's page with the bundled font in it, and with `Plotly.toImage` drawing in that font."""

    def generate_index(self) -> str:
        faces = "".join(_font_face(name, weight) for name, weight in _FACES)
        inks = {ink.background: [_rgb(ink.background), _rgb(ink.axis)] for ink in INK.values()}
        known = {"FAMILY": FONT_FAMILY, "FACES": faces, "INKS": inks, "LEAST_INK": _LEAST_INK}
        script = "".join(f"const {name} = {json.dumps(value)};" for name, value in known.items()) + _PAGE_SCRIPT
        page = str(PageGenerator(mathjax=False, plotly=(plotly_bundle.file().as_uri(), "utf-8")).generate_index())
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


@dataclass(frozen=True)
class _Kept:
    """A running browser, and the event loop that talks to it, in a thread of its own."""

    kaleido: Kaleido
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Result], seconds: float) -> Result:
        """What comes of some work, from any thread; `TimeoutError` where it takes longer."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(max(seconds, 0.1))


class _Browser:
    """One Chromium that is kept from picture to picture; it draws `TABS` of them at a time."""

    def __init__(self) -> None:
        self._all_turns = Lock()
        """Held by whoever takes them all: two who had one each would wait for each other."""
        self._turns = Semaphore(TABS)
        self._change = RLock()
        """Held by whoever starts or ends the browser."""
        self._kept: _Kept | None = None
        self._idle: Timer | None = None

    def start(self, seconds: float = TIMEOUT_SECONDS) -> _Kept:
        """The browser that is kept, or a new one where none is or where it has died."""
        with self._change:
            if self._idle:
                self._idle.cancel()
            if self._kept is not None and self._kept.kaleido.subprocess.poll() is not None:
                self._end(self._kept)
            if self._kept is None:
                self._kept = _Kept(_found(), asyncio.new_event_loop())
                Thread(target=_run_until_stopped, args=(self._kept.loop,), name="pictures", daemon=True).start()
                try:
                    self._kept.run(self._kept.kaleido.open(), seconds)
                except BaseException:
                    self._end(self._kept, failed=True)
                    raise
            return self._kept

    def draw(self, figure: Figure, *, format: Format, look: Look, timeout: float) -> bytes:
        """The picture as the browser made it. A browser that dies over it is replaced once."""
        until = monotonic() + timeout
        if not self._turns.acquire(timeout=timeout):
            raise PictureError(f"no picture within {timeout:.0f} s: the browser is busy with others; try again")
        scale = 1 if format == "svg" else look.scale
        options = {"format": format, "width": look.width, "height": look.height, "scale": scale}
        try:
            kept = self.start(until - monotonic())
            try:
                return self._attempt(kept, figure, options, until - monotonic())
            except (PictureError, TimeoutError):
                raise
            except Exception:
                return self._attempt(self.start(until - monotonic()), figure, options, until - monotonic())
        except TimeoutError as error:
            raise PictureError(
                f"no picture within {timeout:.0f} s: the browser hangs or the machine is overloaded"
            ) from error
        except PictureError:
            raise
        except Exception as error:
            raise PictureError(f"the browser failed: {_one_line(error)}; try another one with BROWSER_PATH") from error
        finally:
            self._close_when_idle()
            self._turns.release()

    def _attempt(self, kept: _Kept, figure: Figure, options: dict[str, Any], seconds: float) -> bytes:
        try:
            picture: bytes = kept.run(kept.kaleido.calc_fig(figure, opts=options), seconds)
            return picture
        except (KaleidoError, JavascriptError, TypeError, ValueError) as error:
            raise PictureError(_explained(_one_line(error))) from error
        except BaseException:
            self._end(kept, failed=True)
            raise

    def close(self) -> None:
        """End the browser after the pictures that are being drawn, if any."""
        self.before_fork()
        self.after_fork()

    def _close_when_idle(self) -> None:
        with self._change:
            if self._idle:
                self._idle.cancel()
            if self._kept is not None:
                self._idle = Timer(IDLE_SECONDS, self.close)
                self._idle.daemon = True
                self._idle.start()

    def _end(self, gone: _Kept, *, failed: bool = False) -> None:
        """End a browser, once; pictures that it is drawing fail."""
        with self._change:
            if gone is not self._kept:
                return
            self._kept = None
            if self._idle:
                self._idle.cancel()
            if failed:
                _kill(gone.kaleido)
            with suppress(Exception):
                gone.run(gone.kaleido.close(), 5)
            _kill(gone.kaleido)
            gone.loop.call_soon_threadsafe(gone.loop.stop)

    def before_fork(self) -> None:
        """A child must not share the browser, so it ends; nobody draws until the fork is done."""
        self._all_turns.acquire()
        for _ in range(TABS):
            self._turns.acquire()
        self._change.acquire()
        if self._kept is not None:
            self._end(self._kept)

    def after_fork(self) -> None:
        """Let others draw again."""
        self._change.release()
        for _ in range(TABS):
            self._turns.release()
        self._all_turns.release()


def _run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def _found() -> Kaleido:
    named = os.environ.get("BROWSER_PATH")
    try:
        return _Keeping(n=TABS, page_generator=_Page(), browser_cls=_OfflineChromium, timeout=None)
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
    if reason == "blank":
        return "the picture is blank: nothing is drawn in the plot; check that the selection has figures"
    if reason.startswith("no font for"):
        remedy = "sudo apt-get install fonts-noto-cjk, or a font that has it"
        return f"{reason} on this machine, where it would be drawn as a box: {remedy}"
    return f"the figure cannot be drawn: {reason}"


def _check_png(picture: bytes, *, look: Look) -> None:
    """Refuse what is no whole PNG, or has another size."""
    assert look.width is not None
    try:
        with Image.open(BytesIO(picture)) as image:
            size = image.size
            image.verify()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise PictureError(
            "the browser gave no readable PNG; try again or another browser with BROWSER_PATH"
        ) from error
    expected = (look.width * look.scale, look.height * look.scale)
    if size != expected:
        raise PictureError(f"the browser gave a PNG of {size} instead of {expected} pixels")


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


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
