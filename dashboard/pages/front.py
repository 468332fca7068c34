"""The front page: the questions that analysts ask, each a link to the chart and selection that answers it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dash import html
from dash.development.base_component import Component

from dashboard.controls import aria
from dashboard.pages.fsd import FSD
from dashboard.pages.head_to_head import HEAD_TO_HEAD
from dashboard.pages.market import MARKET
from dashboard.pages.page import Page, Site
from dashboard.pages.prices import PRICES
from dashboard.pages.projection import PROJECTION
from dashboard.pages.this_week import THIS_WEEK


@dataclass(frozen=True)
class Preset:
    """A question with the selection that answers it; `treatment` says how, where the trade commonly gets it wrong."""

    question: str
    page: Page
    chart: str
    query: str
    treatment: str

    @property
    def link(self) -> str:
        """The address of the chart with the selection."""
        return self.page.link(self.query, next(chart for chart in self.page.charts if chart.slug == self.chart))


_ROUTES = "until=2030-12&attach_basis=fleet_attach&region=cn&compare=local&scenario=both"
"""China's routes for the training data side by side, to 2030."""

PRESETS = (
    Preset(
        question="Who led world BEVs last quarter, Tesla or BYD?",
        page=HEAD_TO_HEAD,
        chart="duel-lines",
        query="",
        treatment="each maker's own worldwide figures; BYD's battery-electric cars, not its NEVs",
    ),
    Preset(
        question="Is Tesla's share of China falling?",
        page=MARKET,
        chart="market-share",
        query="market=CN&makers=tesla&window=ttm",
        treatment="registrations throughout, of all BEVs; retail and wholesale never mixed",
    ),
    Preset(
        question="How much of what Tesla builds in Shanghai is exported?",
        page=HEAD_TO_HEAD,
        chart="wholesale-split",
        query="",
        treatment="wholesale as retail, exports and the rest; the rest is shown",
    ),
    Preset(
        question="How fast does BYD grow abroad?",
        page=HEAD_TO_HEAD,
        chart="duel-lines",
        query="market=OVERSEAS&basis=wholesale&powertrain=NEV&makers=byd&grain=month",
        treatment="its sales overseas, which are part of its total",
    ),
    Preset(
        question="Who gained share in Europe this year so far?",
        page=MARKET,
        chart="share-change",
        query="",
        treatment="the same months a year ago, the same countries, in percentage points",
    ),
    Preset(
        question="How did the ranks move?",
        page=MARKET,
        chart="rank-bump",
        query="",
        treatment="trailing twelve months; 2-4 where unnamed cars could raise a maker",
    ),
    Preset(
        question="Is the market concentrating?",
        page=MARKET,
        chart="concentration",
        query="",
        treatment="HHI and the four largest makers' share, as ranges",
    ),
    Preset(
        question="Is that growth or season?",
        page=MARKET,
        chart="seasonal-years",
        query="market=CN&by=market",
        treatment="years over one another; January and February together in China",
    ),
    Preset(
        question="Do BYD's battery cars or its plug-in hybrids grow?",
        page=MARKET,
        chart="market-share",
        query="market=WORLD&basis=wholesale&powertrain=NEV&by=powertrain&makers=byd&window=ttm&measure=units",
        treatment="range-extended cars count as plug-in hybrids there",
    ),
    Preset(
        question="Did the US recover after the tax credit ended?",
        page=MARKET,
        chart="penetration",
        query="market=US&grain=quarter",
        treatment="the quarters before and after the end averaged: buyers came early",
    ),
    Preset(
        question="What does a Model Y cost in many markets?",
        page=PRICES,
        chart="price-ladder",
        query="models=tesla-model-y&tax=excluded",
        treatment="one trim, one day, that month's exchange rate, without tax where the rate is known",
    ),
    Preset(
        question="Is it dearer or cheaper than two years ago?",
        page=PRICES,
        chart="price-history",
        query="",
        treatment="a step for each move; another trim or kind of price is another line",
    ),
    Preset(
        question="How far is BYD below Tesla?",
        page=PRICES,
        chart="price-gap",
        query="",
        treatment="matched pairs of one segment, drive and range; the pairs are listed",
    ),
    Preset(
        question="Who gives most range for the money?",
        page=PRICES,
        chart="value-frontier",
        query="",
        treatment="ranges by one test only",
    ),
    Preset(
        question="Is that the list price or what is paid?",
        page=PRICES,
        chart="price-history",
        query="market=US&makers=tesla&models=",
        treatment="list price, price after incentive and average paid apart; the average is an estimate",
    ),
    Preset(
        question="Did a price cut buy share?",
        page=PRICES,
        chart="price-event",
        query="",
        treatment="against makers that did not cut, and months without a cut; an association, no proof",
    ),
    Preset(
        question="What did FSD cost, where and when?",
        page=FSD,
        chart="fsd-price",
        query="",
        treatment="purchase and month apart; the end of purchase in 2026 is an end, no price of zero",
    ),
    Preset(
        question="What share of owners pays for FSD?",
        page=FSD,
        chart="fsd-attach-history",
        query="",
        treatment="four definitions, a panel each: of new cars, of all delivered, of cars in use, of those that could",
    ),
    Preset(
        question="When could FSD reach ten million?",
        page=PROJECTION,
        chart="fsd-projection",
        query="",
        treatment="a fan and named scenarios, beside a straight line and what others forecast",
    ),
    Preset(
        question="China to 2030: local data centre, export, or both?",
        page=PROJECTION,
        chart="fsd-projection",
        query=_ROUTES,
        treatment="the share of cars in use under each data route, as seen today",
    ),
    Preset(
        question="The same as seen in May 2024",
        page=PROJECTION,
        chart="fsd-projection",
        query=f"as_of=2024-05-31&{_ROUTES}",
        treatment="nothing that was learned later is in it",
    ),
    Preset(
        question="What was trying both routes worth, as seen in May 2024?",
        page=PROJECTION,
        chart="fsd-revenue",
        query="as_of=2024-05-31&region=cn&compare=local&scenario=both",
        treatment="expected revenue of both less that of the better one, on the same draws; costs are left out",
    ),
    Preset(
        question="What changed since last week, and was it news or a revision?",
        page=THIS_WEEK,
        chart="change-ledger",
        query="",
        treatment="new, revised, vanished and overdue apart, with the old and the new value",
    ),
)
"""In the order in which the page lists them."""


def _questions(_site: Site, _query: str) -> Sequence[Component]:
    return [
        html.Section(
            [
                html.H2(page.name),
                html.P(page.description, className="subtitle"),
                html.Ol(
                    [
                        html.Li([html.A(preset.question, href=preset.link), html.Span(preset.treatment)])
                        for preset in PRESETS
                        if preset.page is page
                    ],
                    className="presets",
                ),
            ],
            className="card",
            **aria(label=f"Questions of {page.name}"),
        )
        for page in dict.fromkeys(preset.page for preset in PRESETS)
    ]


FRONT = Page(
    path="/",
    name="Questions",
    description="What analysts ask of the electric-car market, each answered by a chart that can be checked.",
    charts=(),
    controls=(),
    above=_questions,
)
