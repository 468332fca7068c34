"""The panel of levers: what can be played out on the page of the projection, group by group.

Each lever is a control like those of the bar, empty where it stands as in the scenario. Beside it stands where it does
so and why, and what it can be; a lever that was moved is marked and can be put back, and one that cannot be is refused
there by its name. The ready scenarios, and the question that all this began with, are links.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from dash import dcc, html
from dash.development.base_component import Component

from dashboard import projected
from dashboard.charts.projection_words import AREA_NAMES
from dashboard.controls import aria, control_id
from dashboard.projections import scenarios
from dashboard.projections.levers import CHIP_MONTHS, DEMAND_SHIFT, Demand, ImpossibleLever, Levers, Route
from dashboard.projections.regions import CURRENCY, REGIONS
from dashboard.projections.scenarios import Choice, Scenario
from dashboard.selection import InvalidSelection, Selection, lever_name
from db.vocabulary import AttachBasis

NAMES: Final = projected.lever_names()
"""The levers in the order of a link's names; the panel's own is that of its groups."""


@dataclass(frozen=True)
class Kind:
    """A lever, or one for each region: what it is called, its unit and what it does; `words` are its values where they
    are few. `neutral` is said where neither scenario nor default set it."""

    lever: str
    name: str
    unit: str
    does: str
    words: tuple[str, ...] = ()
    neutral: str = ""
    is_regional: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The levers' names in a link."""
        return tuple(f"{self.lever}.{region}" for region in REGIONS) if self.is_regional else (self.lever,)


_ON_OFF: Final = ("on", "off")
_CHIPS: Final = ", ".join(f"{chips.value} {months:.0f} months" for chips, months in CHIP_MONTHS.items())
_SHIFT: Final = f"{DEMAND_SHIFT[Demand.HIGH]:.0%}"

GROUPS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "Data route": (
        Kind(
            "data_route",
            "How driving in China trains the release",
            "",
            "Until it is trained there, the release in China is of the lower level and of lower quality.",
            words=tuple(Route),
        ),
        Kind("route_start", "Start of the route", "date", "From when a data centre is built or an export is assessed."),
        Kind("data_ready", "Data centre in use", "date", "Since when it trains; drawn: the time to build is drawn."),
        Kind("export_chance", "Chance that an export is granted", "0 to 1", "In the other draws it never is."),
        Kind("partner", "A Chinese partner", "", "Without one there is no data centre.", words=_ON_OFF),
        Kind("chip_supply", "Chips for a data centre", "", f"Wait: {_CHIPS}.", words=tuple(CHIP_MONTHS)),
    ),
    "Prices and policy": (
        Kind(
            "price",
            "Price a month",
            "in local money, or ±%",
            "As listed until the day; 99@2027-01 is 99 from January 2027, +50%@2027-01 half as much again.",
            neutral="as listed",
            is_regional=True,
        ),
        Kind(
            "one_off",
            "Price for good",
            "in local money, or ±%",
            "The same for the purchase.",
            neutral="as listed",
            is_regional=True,
        ),
        Kind(
            "sub_only",
            "End of the purchase",
            "date",
            "From then on by the month only.",
            neutral="none",
            is_regional=True,
        ),
        Kind(
            "basic_free",
            "Basic assistance standard until",
            "date",
            "After it, buyers of new cars need the package for what came with the car before.",
            neutral="it stays so",
            is_regional=True,
        ),
        Kind("transfer", "Purchase moves on to the next car", "", "When its car is scrapped.", words=_ON_OFF),
    ),
    "Approvals and level": (
        Kind(
            "approval",
            "Approval",
            "date, date+late, never",
            "+late: announced, and later by a drawn delay; what is approved already stays so.",
            neutral="none announced",
            is_regional=True,
        ),
        Kind(
            "level",
            "Level",
            "step@date, …",
            "What the release does from a day on; a higher level is worth more and frees deferred revenue.",
            neutral="city streets, supervised",
            is_regional=True,
        ),
    ),
    "Competition": (
        Kind(
            "free_adas",
            "Rivals' new cars with the same for free",
            "0 to 1, share@date, …",
            "Lowers what owners would pay.",
            neutral="0",
            is_regional=True,
        ),
    ),
    "Demand": (
        Kind("demand", "Deliveries", "", f"Growth a year as drawn, or {_SHIFT} less or more.", words=tuple(Demand)),
    ),
    "Licence": (
        Kind("licence", "Licence to Chinese makers", "", "Others fit the system and pay a royalty.", words=_ON_OFF),
        Kind("licence_start", "Start", "date", "The first quarter with royalties."),
        Kind("licence_volume", "Their cars", "cars a year", "What the licensed makers build."),
        Kind("licence_fit", "Share of them with it", "0 to 1", "Royalties are paid for these."),
        Kind("licence_royalty", "Royalty", "USD a car", "Drawn: from a range."),
        Kind("licence_lift", "What licensed rivals add to the free", "0 to 1", "In China, against Tesla's own cars."),
    ),
}
"""Every lever, in the groups and the order of the panel."""

CONTROLS: Final = tuple(name for kinds in GROUPS.values() for kind in kinds for name in kind.names)
"""The controls of the panel in keyboard order."""


@dataclass(frozen=True)
class Preset:
    """A ready question: what it is called, and the query string that asks it."""

    name: str
    query: str


_MAY: Final = f"as_of={projected.MAY_2024}"
THE_QUESTION: Final = (
    Preset(
        "China's data routes to 2030, as seen in May 2024",
        f"region=cn&attach_basis=fleet_attach&scenario=both&compare=local&until=2030-12&{_MAY}",
    ),
    Preset(
        "The same as seen today",
        "region=cn&attach_basis=fleet_attach&scenario=both&compare=local&until=2030-12",
    ),
    Preset(
        "What neither route costs, as seen in May 2024", f"region=cn&scenario=both&compare=shut&until=2030-12&{_MAY}"
    ),
)
"""The question of May 2024: attach rate and revenue in China under each data route, and what the hedge was worth."""


_DEFINED: Final[Mapping[AttachBasis | None, str]] = {
    None: "users",
    AttachBasis.TAKE_RATE: "share of new cars",
    AttachBasis.FLEET_ATTACH: "share of cars in use",
    AttachBasis.ALL_DELIVERED: "share of all delivered",
    AttachBasis.ELIGIBLE: "share of eligible cars",
}
"""What can be projected, as links name it."""


def chosen(query: str, *, defaults: Selection) -> Selection:
    """The selection of a page's query string; the defaults where it cannot be read, which the cards say."""
    try:
        return Selection.from_query(query, defaults=defaults)
    except InvalidSelection:
        return defaults


def values(selection: Selection) -> dict[str, str]:
    """What each control shows: the moved value, or nothing."""
    moved = dict(selection.levers)
    return {name: moved.get(name, "") for name in CONTROLS}


# Where levers stand


@dataclass(frozen=True)
class Standing:
    """Where a lever stands: its value in the scenario, in words, why, and what was wrong with the value given."""

    name: str
    usual: str
    moved: str = ""
    refusal: str = ""
    choice: Choice | None = None


def standings(selection: Selection, *, today: date) -> tuple[Standing, ...]:
    """Where every lever of the panel stands for a selection, in the panel's order."""
    scenario = scenario_of(selection, today=today)
    texts = projected.lever_texts(scenario.levers)
    why = projected.choices(scenario, as_of=selection.as_of or today)
    moved = dict(selection.levers)
    neutral = {name: kind.neutral for kinds in GROUPS.values() for kind in kinds for name in kind.names}
    return tuple(
        Standing(
            name=name,
            usual=texts.get(name, neutral[name]),
            moved=moved.get(name, ""),
            refusal=_refusal(name, moved[name]) if name in moved else "",
            choice=why.get(name),
        )
        for name in CONTROLS
    )


def scenario_of(selection: Selection, *, today: date) -> Scenario:
    """The selection's scenario as known on its day; history where it names none that there is."""
    known = {one.slug: one for one in scenarios.scenarios(selection.as_of or today)}
    return known.get(selection.scenario or "history") or scenarios.scenarios(date.max)[0]


def _refusal(name: str, text: str) -> str:
    try:
        Levers.from_text({name: text}, defaults=Levers())
    except ImpossibleLever as error:
        said = str(error).removeprefix(f"{name}: ").replace("; valid: ", "; it can be ")
        return said[:1].upper() + said[1:]
    return ""


# The panel


def lever_id(name: str) -> dict[str, str]:
    """The page's id of what stands beside a lever."""
    return {"lever": name}


def panel(query: str, *, defaults: Selection, today: date) -> Component:
    """The panel for a query string: presets, then the groups of levers with where they stand."""
    selection = chosen(query, defaults=defaults)
    told = {each.name: each for each in standings(selection, today=today)}
    return html.Section(
        [
            html.H2("What if"),
            html.Div(presets(query, defaults=defaults, today=today), id=lever_id("presets")),
            *(
                html.Details(
                    [
                        html.Summary(group),
                        html.Div([_kind(kind, told, query) for kind in kinds], className="levers"),
                    ],
                    open=any(told[name].moved for kind in kinds for name in kind.names),
                )
                for group, kinds in GROUPS.items()
            ),
        ],
        className="panel",
        **aria(label="Levers of the projection"),
    )


def beside(query: str, *, defaults: Selection, today: date) -> list[list[Component]]:
    """What stands beside the levers now: the presets first, then lever by lever in the order of `CONTROLS`."""
    selection = chosen(query, defaults=defaults)
    return [
        presets(query, defaults=defaults, today=today),
        *(_beside(each, query) for each in standings(selection, today=today)),
    ]


def presets(query: str, *, defaults: Selection, today: date) -> list[Component]:
    """The question as links, the ready scenarios, and what is moved, with the way back."""
    selection = chosen(query, defaults=defaults)
    now = scenario_of(selection, today=today)
    listed = scenarios.scenarios(selection.as_of or today)
    moved = [name for name, _ in selection.levers]
    return [
        html.P(
            [html.Span("The question of May 2024: "), *_joined([_link(each.name, each.query) for each in THE_QUESTION])]
        ),
        html.P(
            [
                html.Span("Of: "),
                *_joined(
                    [
                        html.Strong(name)
                        if basis == selection.attach_basis
                        else _link(name, _changed(query, attach_basis=basis.value if basis else ""))
                        for basis, name in _DEFINED.items()
                    ]
                ),
            ]
        ),
        html.P(
            [
                html.Span("Scenarios: "),
                *_joined(
                    [
                        html.Strong(one.name, title=one.story)
                        if one.slug == now.slug
                        else _link(
                            one.name, _changed(query, scenario="" if one.slug == "history" else one.slug), one.story
                        )
                        for one in listed
                    ]
                ),
            ]
        ),
        html.P(
            [
                html.Span("Beside it: "),
                *_joined(
                    [
                        html.Strong(one.name)
                        if one.slug == selection.compare
                        else _link(one.name, _changed(query, compare=one.slug))
                        for one in listed
                        if one.slug != now.slug or moved
                    ]
                    + ([_link("nothing", _changed(query, compare=""))] if selection.compare else [])
                ),
            ]
        ),
        html.P(f"{now.story}", className="quiet"),
        *(
            [
                html.P(
                    [
                        html.Span(f"Moved: {', '.join(moved)}. ", className="moved"),
                        _link("Put all back", _changed(query, **dict.fromkeys(moved, ""))),
                    ]
                )
            ]
            if moved
            else []
        ),
    ]


def _joined(links: Sequence[Component]) -> list[Any]:
    return [part for n, link in enumerate(links) for part in ([" · "] if n else []) + [link]]


def _link(text: str, query: str, title: str = "") -> Component:
    return dcc.Link(text, href=f"?{query}" if query else "?", title=title)


def _changed(query: str, **names: str) -> str:
    """A query string with some names set, or taken out where the value is empty."""
    try:
        pairs = parse_qsl(query.lstrip("?"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        pairs = []
    kept = [(name, value) for name, value in pairs if (lever_name(name) or name.strip().lower()) not in names]
    return urlencode([*kept, *((name, value) for name, value in names.items() if value)], safe=",")


def _kind(kind: Kind, told: Mapping[str, Standing], query: str) -> Component:
    """A lever's controls under its name: one, or one for each region."""
    unit = f" ({kind.unit})" if kind.unit else ""
    fields = [_field(kind, told[name], query) for name in kind.names]
    return html.Fieldset(
        [
            html.Legend(f"{kind.name}{unit}"),
            html.P([kind.does, html.Span(f" It can be {projected.allowed(kind.names[0])}.", className="quiet")]),
            html.Div(fields, className="regions" if kind.is_regional else ""),
        ],
        className="lever",
    )


def _field(kind: Kind, standing: Standing, query: str) -> Component:
    region = standing.name.partition(".")[2]
    label = AREA_NAMES[region.lower()] if region else kind.name
    if region and kind.lever in ("price", "one_off"):
        label += f", {CURRENCY[region]}"
    if kind.words:
        control: Component = dcc.RadioItems(
            options=[
                {"value": "", "label": "As in the scenario"},
                *({"value": word, "label": word.replace("_", " ").capitalize()} for word in kind.words),
            ],
            value=standing.moved,
            inline=True,
            className="segments",
            id=control_id(standing.name),
        )
    else:
        control = dcc.Input(
            type="text",
            value=standing.moved,
            debounce=True,
            placeholder="as in the scenario",
            maxLength=200,
            autoComplete="off",
            spellCheck="false",
            id=control_id(standing.name),
        )
    # What Dash makes of such an id in the browser's page.
    in_page = json.dumps(control_id(standing.name), separators=(",", ":"), sort_keys=True)
    return html.Div(
        [
            html.Label(label, htmlFor=in_page, className="label" if region else "label unseen"),
            control,
            html.Div(_beside(standing, query), id=lever_id(standing.name), className="beside", **aria(live="polite")),
        ],
        className="field",
    )


def _beside(standing: Standing, query: str) -> list[Component]:
    """Where a lever stands: in the scenario and why, or moved with the way back, or refused."""
    back = _link("put back", _changed(query, **{standing.name: ""}))
    usual = html.Span(f"Scenario: {standing.usual}", className="quiet")
    if standing.refusal:
        refused = html.Strong(f"{standing.name} is refused: {standing.refusal}.", className="refused", role="alert")
        return [refused, html.Span(" "), back]
    parts: list[Component] = [html.Strong("Moved. ", className="moved")] if standing.moved else []
    parts.append(usual)
    if standing.choice is not None:
        choice = standing.choice
        parts.append(html.Span(f". {choice.rationale} ", className="quiet"))
        if urlsplit(choice.citation).scheme in ("http", "https"):
            parts.append(html.A("Source", href=choice.citation, rel="noopener noreferrer", target="_blank"))
        else:
            parts.append(html.Span("(judgement)", className="quiet"))
    if standing.moved:
        parts += [html.Span(" "), back]
    return parts
