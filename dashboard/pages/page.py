"""What a page is, and what every page has: the header with the navigation, the theme switch, and the footer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dash import Dash, html
from dash.development.base_component import Component

from dashboard.charts.chart import Chart
from dashboard.controls import aria, data
from dashboard.style import SCREEN, Look

if TYPE_CHECKING:
    from db import Engine

PRODUCT = "EV Market"

_LOOKS = ("light-wide", "light-narrow", "dark-wide", "dark-narrow")


@dataclass(frozen=True)
class Site:
    """What a page needs of the app that it is in: where figures are, and its public address for links in pictures."""

    engine: Engine
    address: str


@dataclass(frozen=True)
class Page:
    """One page at its fixed path."""

    path: str
    name: str
    description: str
    charts: tuple[Chart, ...]
    layout: Callable[[Site, str, str], Component]
    """What the page shows for a query string and the name of a look."""
    register: Callable[[Dash, Site], None]
    """Adds the page's callbacks to an app."""


def look_name(asked: str) -> str:
    """The name of a look, such as `dark-narrow`; light and wide where it is none."""
    return asked if asked in _LOOKS else "light-wide"


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
            html.A("Skip to the chart", href="#content", className="skip"),
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
