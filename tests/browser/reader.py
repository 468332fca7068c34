"""A reader of the pages: a fresh browser profile that notes whatever goes wrong, and what a reader looks at."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, expect

WAIT = 30_000
"""Milliseconds until something that does not come counts as missing."""
expect.set_options(timeout=WAIT)

PHONE = {"viewport": {"width": 390, "height": 844}}
DARK = {"color_scheme": "dark"}

MARKS = ".trace path.point, .trace path.js-line, .trace .point path, .heatmaplayer image, .trace path.js-fill"


class Reader:
    """A reader with a browser profile, who notes errors, failed requests and requests to another host."""

    def __init__(self, context: BrowserContext, site: str) -> None:
        self.site = site
        self.errors: list[str] = []
        self.abroad: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT)
        # What the content security policy stops is told as an error too.
        self.page.on(
            "console", lambda message: message.type in ("error", "warning") and self.errors.append(message.text)
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on(
            "response",
            lambda told: told.status >= 400 and self.errors.append(f"{told.status} {told.url}"),
        )

    def _note(self, url: str) -> None:
        if not url.startswith((self.site, "data:", "blob:")):
            self.abroad.append(url)

    def opens(self, path: str = "/market") -> Page:
        """Go to a page, and wait for its first finding."""
        self.page.goto(self.site + path)
        expect(self.page.locator("main h2").first).to_be_visible()
        return self.page

    def waits_for_all(self) -> None:
        """Scroll down past every card, which comes when it is near, and up again; each has its plot or its notice."""
        for part in self.page.locator("[data-later]").all():
            part.evaluate("part => part.scrollIntoView()")
            expect(part).not_to_have_attribute("data-old", "")
            expect(part.locator(".to-come")).to_have_count(0)
            expect(part.locator(":scope > div > *").first).to_be_attached()
        expect(self.page.locator(".card .plot:not(:has(.main-svg))")).to_have_count(0)
        self.page.evaluate("scrollTo(0, 0)")

    def goes_to(self, card: str) -> Locator:
        """Scroll to a card, which is asked for when it is near."""
        found = self.page.locator(f"#{card}")
        found.evaluate("card => card.scrollIntoView()")
        return found

    def headings(self) -> list[str]:
        """The cards' findings, when all cards are there."""
        self.waits_for_all()
        return self.page.locator(".card h2").all_inner_texts()

    def comes_to(self, seen: Callable[[], object], wanted: object) -> None:
        """Wait until what is seen is what is wanted: plots follow a change of the screen in a while."""
        for _ in range(WAIT // 100):
            if seen() == wanted:
                return
            self.page.wait_for_timeout(100)
        assert seen() == wanted

    def lines(self) -> Locator:
        return self.page.locator(".card .scatterlayer .js-line")

    def sees_lines(self) -> None:
        expect(self.lines().first).to_be_visible()

    def marks(self, slug: str) -> int:
        """The marks of a chart that are on its plot and have an extent."""
        found: int = self.page.locator(f"#{slug} .plot").evaluate(
            """(plot, marks) => {
                const frame = plot.getBoundingClientRect();
                return [...plot.querySelectorAll(marks)].filter((mark) => {
                    const box = mark.getBoundingClientRect();
                    return box.width + box.height > 0 && box.right > frame.left && box.left < frame.right
                        && box.bottom > frame.top && box.top < frame.bottom;
                }).length;
            }""",
            MARKS,
        )
        return found

    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.page.url).query)

    def chooses(self, control: str, label: str) -> None:
        self.page.locator(f".field.{control}").get_by_text(label, exact=True).click()

    def callbacks(self) -> list[str]:
        """The callbacks that the page asks for from now on."""
        asked: list[str] = []
        self.page.on("request", lambda request: "_dash-update-component" in request.url and asked.append(request.url))
        return asked

    def point(self, maker: str, at: int) -> tuple[float, float, int]:
        """Where a point of a maker's line is on the screen, and its month number."""
        found: Any = self.page.evaluate(
            """([maker, at]) => {
                const plot = document.querySelector(".js-plotly-plot"), box = plot.getBoundingClientRect();
                const line = plot.data.find((trace) => trace.customdata && trace.customdata[0][1] === maker);
                const { xaxis, yaxis } = plot._fullLayout, n = line.x.length + at;
                return [box.left + xaxis._offset + xaxis.d2p(line.x[n]), box.top + yaxis._offset + yaxis.d2p(line.y[n]),
                        line.customdata[n][3]];
            }""",
            [maker, at],
        )
        return found[0], found[1], found[2]


def rgb(text: str) -> str:
    """`#12161b` of `rgb(18, 22, 27)`."""
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", text)[:3])


def rgb_text(colour: str) -> str:
    """A pattern for how a browser words a colour such as `#12161B`."""
    return re.escape("rgb(" + ", ".join(str(int(colour[n : n + 2], 16)) for n in (1, 3, 5)) + ")")
