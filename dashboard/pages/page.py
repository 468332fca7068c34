"""What a page is, and what every page has: the header with the navigation, the theme switch, and the footer.

`board` shows a page and answers what a reader does on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from dash import html
from dash.development.base_component import Component

from dashboard.charts.chart import Chart
from dashboard.controls import CONTROLS, aria, data
from dashboard.selection import NAMES, Selection, lever_name
from dashboard.style import SCREEN, Look

if TYPE_CHECKING:
    from db import Engine

PRODUCT = "EV Market"

LOOKS = ("light-wide", "light-narrow", "dark-wide", "dark-narrow")


@dataclass(frozen=True)
class Site:
    """What a page needs of the app that it is in: where figures are, its public address, and which day it is."""

    engine: Engine
    address: str
    today: Callable[[], date]


Extra = Callable[[Site, str], Sequence[Component]]
"""What a page has besides cards: components for the site and the page's query string."""


@dataclass(frozen=True)
class Page:
    """One page at its fixed path: a control bar, and a card for each chart.

    The query string applies to each chart over the chart's own defaults. The bar shows what it means to the first one.
    """

    path: str
    name: str
    description: str
    charts: tuple[Chart, ...]
    controls: tuple[str, ...] = CONTROLS
    """The names of a selection that the bar edits, in keyboard order."""
    above: Extra | None = None
    """Stands between the bar and the cards, and comes with the page."""
    below: Extra | None = None
    """Stands under the cards, and comes after the first card is there."""
    with_levers: bool = False
    """Whether the panel of the projection's levers stands between the bar and the cards."""

    @property
    def is_settled(self) -> bool:
        """Whether all that it shows follows from the data, the day and what is asked: it has cards alone, and
        none of them waits for a fit."""
        return bool(self.charts) and self.above is None and self.below is None and not self.with_levers

    def query(self, query: str, was: Selection, now: Selection) -> str:
        """The page's query string after the selection of one of its charts changed.

        What the string names stays in it, what changed comes in, and what is every chart's default is left out. An
        unreadable string counts as empty.
        """
        named = {name for name in NAMES if getattr(was, name) != getattr(now, name)}
        named |= {name for name, _ in set(was.levers) ^ set(now.levers)}
        with suppress(ValueError):
            pairs = parse_qsl(query.lstrip("?"), keep_blank_values=True, max_num_fields=100)
            named |= {lever_name(name) or name.strip().lower() for name, _ in pairs}
        told: dict[str, str] = {}
        for chart in self.charts:
            told |= parse_qsl(now.query(defaults=chart.defaults), keep_blank_values=True)
        order = (*NAMES, *sorted(told.keys() - set(NAMES)))
        said = [(name, told[name]) for name in order if name in told and name in named]
        # An emptied box of markets is each chart's own choice again: a link cannot name no market.
        return urlencode([(name, value) for name, value in said if value or name != "market"], safe=",")

    def link(self, query: str, chart: Chart) -> str:
        """The address of a chart's card: its anchor, unless the page begins with it."""
        begins = chart is self.charts[0] and not (self.above or self.with_levers)
        anchor = "" if begins else f"#{chart.slug}"
        return self.path + (f"?{query}" if query else "") + anchor


def look_name(asked: str) -> str:
    """The name of a look, such as `dark-narrow`; light and wide where it is none."""
    return asked if asked in LOOKS else "light-wide"


def look(name: str) -> Look:
    """The look of charts for a screen of that name."""
    chosen = replace(SCREEN, theme="dark") if name.startswith("dark") else SCREEN
    return replace(chosen, height=320, font_px=12) if is_narrow(name) else chosen


def is_narrow(name: str) -> bool:
    """Whether a screen has no room for labels beside a plot."""
    return name.endswith("narrow")


def framed(pages: Sequence[Page], current: Page, content: Component) -> Component:
    """A page's content below the header and above the footer."""
    return html.Div(
        [
            html.A("Skip to the charts", href="#content", className="skip"),
            html.Header(
                [
                    html.A(PRODUCT, href="/", className="product"),
                    html.Nav(
                        [
                            html.A(
                                page.name,
                                href=page.path,
                                **(aria(current="page") if page is current else {}),
                            )
                            for page in pages
                        ],
                        **aria(label="Pages"),
                    ),
                    html.Div(
                        [
                            html.Button(
                                label,
                                type="button",
                                title=title,
                                **data(theme_choice=name),
                                **aria(pressed="false"),
                            )
                            for name, label, title in (
                                ("light", "Light", "Light colours"),
                                ("dark", "Dark", "Dark colours"),
                                ("auto", "Auto", "As the system is set"),
                            )
                        ],
                        className="theme-switch",
                        role="group",
                        **aria(label="Colours"),
                    ),
                ],
                className="site-header",
            ),
            html.Main(content, id="content", tabIndex=-1),
            html.Footer(
                "Public figures, each with its receipt. Unlike figures are never added, divided or ranked together.",
                className="site-footer",
            ),
        ],
        className="site",
    )
