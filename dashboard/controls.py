"""The control bar: it edits a Selection, one name at a time.

`bar` draws it, `values` and `options` bring it up to date, and `edited` is a selection after the reader has changed one
control. Names of a selection without a control here stay as they are in the link.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from dash import dcc, html
from dash.development.base_component import Component

from dashboard.charts.chart import Chart
from dashboard.selection import (
    BasisChoice,
    By,
    InvalidSelection,
    Measure,
    PowertrainChoice,
    Real,
    Selection,
    Tax,
    Window,
    lever_name,
)
from db.queries import Nouns
from db.vocabulary import AttachBasis, Grain, PriceKind, RangeCycle

CONTROLS = (
    "market",
    "makers",
    "models",
    "basis",
    "by",
    "measure",
    "powertrain",
    "of",
    "grain",
    "window",
    "since",
    "until",
    "as_of",
)
"""The names of a selection that a bar of sales edits, in keyboard order."""

PRICE_CONTROLS = (
    "market",
    "makers",
    "models",
    "powertrain",
    "price_kind",
    "currency",
    "tax",
    "real",
    "date",
    "segment",
    "cycle",
    "since",
    "until",
    "as_of",
)
"""The names of a selection that a bar of prices edits, in keyboard order."""

WITH_OPTIONS = ("market", "makers", "models")
"""The controls whose options depend on the data and on the selection."""

_LABELS = {
    "market": "Markets",
    "makers": "Makers",
    "models": "Models",
    "basis": "Counted as",
    "by": "By",
    "measure": "Measure",
    "powertrain": "Cars",
    "of": "Share of",
    "grain": "Period",
    "window": "Summed over",
    "since": "From",
    "until": "To",
    "as_of": "As known on",
    "price_kind": "Price",
    "currency": "Currency",
    "tax": "Tax",
    "real": "Inflation",
    "date": "On the day",
    "segment": "Segment",
    "cycle": "Range by",
    "region": "Region",
    "attach_basis": "Share of",
}
_HINTS = {
    "market": "all markets",
    "makers": "the largest",
    "models": "the largest",
    "since": "YYYY-MM",
    "until": "YYYY-MM",
    "as_of": "YYYY-MM-DD",
    "date": "YYYY-MM-DD",
}
_TITLES = {
    "since": "First month, such as 2023-01; empty for the first that is published",
    "until": "Last month, such as 2026-06; empty for the latest",
    "as_of": "See the figures as they were known at the end of a day, such as 2025-12-31; empty for now",
    "date": "The day of a comparison, and of the exchange rate, such as 2024-05-31; empty for each price's own",
    "segment": "Cars of one size only",
    "cycle": "The test by which ranges were measured: those of two tests are never compared",
    "region": "Where figures on who pays, and forecasts, are of",
    "attach_basis": "What a figure on who pays is of; empty for the four definitions of a share, side by side",
}
_CHOICES: dict[str, tuple[tuple[str, str], ...]] = {
    "basis": (
        (BasisChoice.REGISTRATION, "Registrations"),
        (BasisChoice.RETAIL, "Retail sales"),
        (BasisChoice.WHOLESALE, "Wholesale"),
        (BasisChoice.DELIVERY, "Deliveries"),
        (BasisChoice.PRODUCTION, "Production"),
        (BasisChoice.EXPORT, "Exports"),
        (BasisChoice.REPORTED, "Makers' headlines"),
    ),
    "by": (
        (By.MAKER, "Brand"),
        (By.GROUP, "Group"),
        (By.MODEL, "Model"),
        (By.MARKET, "Market"),
        (By.POWERTRAIN, "Powertrain"),
    ),
    "measure": (
        (Measure.SHARE, "Share"),
        (Measure.UNITS, "Cars"),
        (Measure.GROWTH, "Growth"),
        (Measure.RANK, "Rank"),
        (Measure.HHI, "HHI"),
    ),
    "powertrain": (
        (PowertrainChoice.BEV, "BEV"),
        (PowertrainChoice.PHEV, "PHEV"),
        (PowertrainChoice.NEV, "NEV"),
        (PowertrainChoice.ALL, "All"),
    ),
    "of": (
        (PowertrainChoice.BEV, "BEV"),
        (PowertrainChoice.NEV, "NEV"),
        (PowertrainChoice.ALL, "All cars"),
    ),
    "grain": ((Grain.MONTH, "Month"), (Grain.QUARTER, "Quarter"), (Grain.YEAR, "Year")),
    "window": (
        (Window.NONE, "1 period"),
        (Window.THREE_MONTHS, "3 months"),
        (Window.TTM, "12 months"),
        (Window.YTD, "Year to date"),
    ),
    "price_kind": (
        ("", "All kinds"),
        (PriceKind.LIST, "List"),
        (PriceKind.STARTING, "Starting"),
        (PriceKind.AFTER_INCENTIVE, "After incentive"),
        (PriceKind.TRANSACTION_AVG, "Average paid"),
    ),
    "currency": (
        ("local", "As quoted"),
        *((code, code) for code in ("EUR", "USD", "CNY", "GBP", "JPY", "AUD", "BRL", "NOK", "SEK", "CHF")),
    ),
    "tax": (("", "As quoted"), (Tax.INCLUDED, "With"), (Tax.EXCLUDED, "Without")),
    "real": ((Real.NOMINAL, "As quoted"), (Real.REAL, "Corrected")),
    "segment": (
        ("", "All sizes"),
        *((code.lower(), code) for size in "ABCDEF" for code in (size, f"{size}-SUV")),
        ("mpv", "MPV"),
        ("pickup", "Pickup"),
        ("sports", "Sports"),
    ),
    "cycle": (
        ("", "Any test"),
        *((word, word.value) for word in RangeCycle if word is not RangeCycle.NONE),
    ),
    "region": (
        ("", "All regions"),
        ("global", "World"),
        ("nam", "North America"),
        ("us", "United States"),
        ("ca", "Canada"),
        ("eu", "Europe"),
        ("cn", "China"),
        ("apac", "Asia-Pacific"),
        ("kr", "South Korea"),
        ("jp", "Japan"),
        ("anz", "Australia, New Zealand"),
        ("row", "Rest of the world"),
    ),
    "attach_basis": (
        ("", "Four definitions"),
        (AttachBasis.TAKE_RATE, "New cars"),
        (AttachBasis.ALL_DELIVERED, "All delivered"),
        (AttachBasis.FLEET_ATTACH, "Cars in use"),
        (AttachBasis.ELIGIBLE, "Eligible cars"),
        *((word, word.value.replace("_", " ").capitalize()) for word in list(AttachBasis)[4:]),
    ),
}
_WORDS: dict[str, Any] = {
    "basis": BasisChoice,
    "by": By,
    "measure": Measure,
    "powertrain": PowertrainChoice,
    "of": PowertrainChoice,
    "grain": Grain,
    "window": Window,
    "price_kind": PriceKind,
    "tax": Tax,
    "real": Real,
    "cycle": RangeCycle,
    "attach_basis": AttachBasis,
}
_LISTS = ("basis", "price_kind", "currency", "segment", "cycle", "region", "attach_basis")
"""The controls with many choices or long words: lists that open, where others show all choices side by side."""
_USUAL = BasisChoice.REGISTRATION
_ALSO_FOUND_AS = {"GB": "UK Great Britain Britain England", "WORLD": "Global", "US": "USA America"}


def aria(**names: str) -> dict[str, Any]:
    """`aria-` attributes of a component."""
    return {f"aria-{name}": value for name, value in names.items()}


def data(**names: str) -> dict[str, Any]:
    """`data-` attributes of a component, which the page's script reads; `theme_choice` is `data-theme-choice`."""
    return {f"data-{name.replace('_', '-')}": value for name, value in names.items()}


def control_id(name: str) -> dict[str, str]:
    """The page's id of a control: a callback takes those that the page shows, whichever they are."""
    return {"control": name}


def field_id(name: str) -> dict[str, str]:
    """The page's id of a control with its label, which is hidden where the control has no meaning."""
    return {"field": name}


def _in_page(component_id: dict[str, str]) -> str:
    """What Dash makes of such an id in the browser's page."""
    return json.dumps(component_id, separators=(",", ":"), sort_keys=True)


def values(selection: Selection) -> dict[str, Any]:
    """The value of each control for a selection."""
    return {
        "market": list(selection.market),
        "makers": list(selection.makers),
        "models": list(selection.models),
        "basis": selection.basis.value,
        "by": selection.by.value,
        "measure": selection.measure.value,
        "powertrain": selection.powertrain.value,
        "of": selection.denominator.value,
        "grain": selection.grain.value,
        "window": selection.window.value,
        "since": f"{selection.since:%Y-%m}" if selection.since else "",
        "until": f"{selection.until:%Y-%m}" if selection.until else "",
        "as_of": selection.as_of.isoformat() if selection.as_of else "",
        "price_kind": selection.price_kind.value if selection.price_kind else "",
        "currency": selection.currency,
        "tax": selection.tax.value if selection.tax else "",
        "real": selection.real.value,
        "date": selection.date.isoformat() if selection.date else "",
        "segment": selection.segment or "",
        "cycle": selection.cycle.value if selection.cycle else "",
        **dict(selection.levers),
        "region": selection.region or "",
        "attach_basis": selection.attach_basis.value if selection.attach_basis else "",
    }


def same(shown: Any, value: Any) -> bool:
    """Whether a control shows a value, in whatever order, and with nothing for the empty one."""
    if isinstance(value, list):
        return bool(sorted(shown or ()) == value)
    return bool((shown or "") == value)


def hidden(selection: Selection) -> frozenset[str]:
    """The controls that mean nothing for a selection."""
    without: set[str] = set()
    if selection.by is not By.MODEL:
        without.add("models")
    if selection.measure is not Measure.SHARE:
        without.add("of")
    if selection.by is By.POWERTRAIN:
        without.add("powertrain")
    return frozenset(without)


def edited(selection: Selection, name: str, value: Any, *, defaults: Selection, nouns: Nouns) -> Selection:
    """The selection after one control got a value; what the change leaves without a meaning is dropped.

    Raises `InvalidSelection` for a value that is none of the name's.
    """
    if lever_name(name):
        text = str(value or "").strip()[:200]
        levers = dict(selection.levers) | {name: text}
        # What cannot be stays in the link: whoever reads it refuses it by name.
        return replace(selection, levers=tuple(sorted((lever, said) for lever, said in levers.items() if said)))
    if name not in _LABELS:
        raise InvalidSelection(f"'{name}' is no control", name=name, valid=tuple(_LABELS))
    if name in WITH_OPTIONS:
        slugs = tuple(sorted(str(slug) for slug in value or ()))
        if name == "market":
            return _counted_there(replace(selection, market=slugs or defaults.market), name, defaults=defaults)
        if name == "makers" and selection.models:
            models = tuple(slug for slug in selection.models if not slugs or nouns.model_makers.get(slug) in slugs)
            return replace(selection, makers=slugs, models=models)
        return replace(selection, makers=slugs) if name == "makers" else replace(selection, models=slugs)
    # The grammar of links is the grammar of these controls.
    query = urlencode({name: str(value or "").strip()})
    chosen = getattr(Selection.from_query(query, defaults=defaults), name)
    if name in ("since", "until"):
        return _in_order(replace(selection, **{name: chosen}), name)
    if name == "of":
        return replace(selection, of=None if chosen is selection.powertrain else chosen)
    if name == "by":
        return _regrouped(selection, chosen, defaults=defaults, nouns=nouns)
    return _counted_there(replace(selection, **{name: chosen}), name, defaults=defaults)


def _counted_there(selection: Selection, changed: str, *, defaults: Selection) -> Selection:
    """Makers' headline figures are worldwide: another market is seen by its registrations, headlines for the world."""
    is_of_world = selection.market == ("WORLD",)
    if selection.basis is BasisChoice.REPORTED and not is_of_world:
        if changed == "market":
            return replace(selection, basis=_USUAL)
        return replace(selection, market=("WORLD",)) if changed == "basis" else selection
    # Back to the world is back to what is counted there.
    if changed == "market" and is_of_world and defaults.basis is BasisChoice.REPORTED:
        return replace(selection, basis=defaults.basis)
    return selection


def _in_order(selection: Selection, changed: str) -> Selection:
    """A range that the change turned round loses its other end."""
    if selection.since and selection.until and selection.since > selection.until:
        return replace(selection, until=None) if changed == "since" else replace(selection, since=None)
    return selection


def _regrouped(selection: Selection, by: By, *, defaults: Selection, nouns: Nouns) -> Selection:
    """The same makers as brands or as the groups that they belong to; models are kept for models only.

    The parts of the NEVs are all powertrains: one part is looked at again when lines are something else.
    """
    makers = set(selection.makers)
    if by is By.GROUP:
        group_of = {brand: group for group, brands in nouns.members.items() for brand in brands}
        makers = {group_of.get(slug, slug) for slug in makers}
    else:
        makers = {brand for slug in makers for brand in _brands(slug, nouns)}
    models = selection.models if by is By.MODEL else ()
    was_split = selection.by is By.POWERTRAIN and by is not By.POWERTRAIN
    powertrain = defaults.powertrain if was_split else selection.powertrain
    return replace(selection, by=by, makers=tuple(sorted(makers)), models=models, powertrain=powertrain)


def _brands(slug: str, nouns: Nouns) -> tuple[str, ...]:
    return (slug,) if slug in nouns.makers else nouns.members.get(slug, ())


def options(name: str, selection: Selection, nouns: Nouns) -> list[dict[str, str]]:
    """The options of a control with `WITH_OPTIONS`: regions before countries, groups before brands.

    While a control is hidden it has none but those that are chosen: browsers index each of them.
    """
    if name == "market":
        regions = sorted(nouns.regions, key=lambda code: nouns.markets[code])
        countries = sorted(nouns.markets.keys() - nouns.regions, key=lambda code: nouns.markets[code])
        return [
            {"value": code, "label": nouns.markets[code], "search": _searched(code, nouns)}
            for code in [*regions, *countries]
        ]
    if name == "makers":
        groups = sorted(nouns.groups.items(), key=lambda item: item[1].casefold()) if selection.by is By.GROUP else []
        in_groups = {brand for brands in nouns.members.values() for brand in brands} if groups else set()
        brands = sorted(nouns.makers.items(), key=lambda item: item[1].casefold())
        listed = dict([*groups, *(pair for pair in brands if pair[0] not in in_groups)])
        listed |= {slug: nouns.makers.get(slug, slug) for slug in selection.makers if slug not in listed}
        return [{"value": slug, "label": label} for slug, label in listed.items()]
    wanted, is_hidden = set(selection.makers), name in hidden(selection)
    models = [
        (f"{nouns.makers.get(maker, maker)} {nouns.models[slug]}", slug)
        for slug, maker in nouns.model_makers.items()
        if slug in selection.models or (not is_hidden and (not wanted or maker in wanted))
    ]
    return [{"value": slug, "label": label} for label, slug in sorted(models, key=lambda pair: pair[0].casefold())]


def _searched(code: str, nouns: Nouns) -> str:
    """What finds a market when typed: its name, code, adjective and other names in use."""
    return " ".join((nouns.markets[code], code, nouns.adjectives[code], _ALSO_FOUND_AS.get(code, "")))


def bar(chart: Chart, selection: Selection, nouns: Nouns, *, names: Sequence[str] = CONTROLS) -> Component:
    """The control bar for a selection, with the controls of these names."""
    without = hidden(selection)
    current = values(selection)
    fields = [_field(name, current[name], chart, selection, nouns, is_hidden=name in without) for name in names]
    return html.Section(
        [
            html.Button(
                [
                    html.Span("Selection"),
                    html.Span(summary(selection, nouns, names=names), id="selection-summary", className="quiet"),
                ],
                type="button",
                className="bar-toggle",
                **data(toggles="bar"),
                **aria(controls="bar-fields", expanded="false"),
            ),
            html.Div(fields, id="bar-fields", className="fields"),
        ],
        id="bar",
        className="bar",
        **aria(label="What the charts show"),
    )


def summary(selection: Selection, nouns: Nouns, *, names: Sequence[str] = CONTROLS) -> str:
    """The selection in a few words, as far as it is about these names: for a screen that is too narrow for the bar."""
    markets = [nouns.markets.get(code, code) for code in selection.market]
    by = dict(_CHOICES["by"])[selection.by].lower()
    words = {
        "market": ", ".join(markets) if len(markets) <= 2 else f"{len(markets)} markets",
        "basis": dict(_CHOICES["basis"]).get(selection.basis, "") if selection.basis is not _USUAL else "",
        "powertrain": selection.powertrain.value,
        "measure": dict(_CHOICES["measure"])[selection.measure].lower() + (f" by {by}" if "by" in names else ""),
        "grain": selection.grain.value,
        "price_kind": f"{selection.price_kind.replace('_', ' ')} prices" if selection.price_kind else "",
        "currency": f"in {selection.currency}" if selection.currency != "local" else "",
        "tax": selection.tax.meaning if selection.tax else "",
        "real": "corrected for inflation" if selection.real is Real.REAL else "",
        "date": f"on {selection.date}" if selection.date else "",
        "segment": f"segment {selection.segment.upper()}" if selection.segment else "",
        "cycle": f"range by {selection.cycle}" if selection.cycle else "",
        "region": f"of {selection.region.upper()}" if selection.region else "",
        "attach_basis": selection.attach_basis.replace("_", " ") if selection.attach_basis else "",
        "as_of": f"as known on {selection.as_of}" if selection.as_of else "",
    }
    return " · ".join(text for name, text in words.items() if text and name in names)


def _field(name: str, value: Any, chart: Chart, selection: Selection, nouns: Nouns, *, is_hidden: bool) -> Component:
    label = _LABELS[name]
    if name in WITH_OPTIONS:
        control: Component = dcc.Dropdown(
            options=options(name, selection, nouns),
            value=value,
            multi=True,
            clearable=name != "market",
            placeholder=_HINTS.get(name, ""),
            maxHeight=360,
            optionHeight=32,
            id=control_id(name),
        )
    elif name in _LISTS:
        listed = _CHOICES[name]
        if value not in [word for word, _ in listed]:
            # A link may ask for one that is rarely wanted.
            listed = (*listed, (value, value.upper()))
        control = dcc.Dropdown(
            options=[{"value": str(word), "label": text, "title": _meaning(name, word)} for word, text in listed],
            value=value,
            multi=False,
            clearable=False,
            searchable=False,
            optionHeight=32,
            id=control_id(name),
        )
    elif name in _CHOICES:
        choices = _CHOICES[name]
        if name == "measure":
            choices = tuple(choice for choice in choices if choice[0] in chart.measures)
        control = dcc.RadioItems(
            options=[{"value": str(word), "label": text, "title": _meaning(name, word)} for word, text in choices],
            value=value,
            inline=True,
            className="segments",
            id=control_id(name),
        )
    else:
        control = dcc.Input(
            type="text",
            value=value,
            debounce=True,
            placeholder=_HINTS[name],
            maxLength=len(_HINTS[name]),
            size=str(len(_HINTS[name])),
            autoComplete="off",
            id=control_id(name),
        )
    if name in _CHOICES and name not in _LISTS:
        return html.Fieldset(
            [html.Legend(label), control], id=field_id(name), className=f"field {name}", hidden=is_hidden
        )
    return html.Div(
        [html.Label(label, htmlFor=_in_page(control_id(name)), className="label"), control],
        role="group",
        **aria(label=label),
        title=_TITLES.get(name, ""),
        id=field_id(name),
        className=f"field {name.replace('_', '-')}",
        hidden=is_hidden,
    )


def _meaning(name: str, word: str) -> str:
    """What a choice means, in a sentence; nothing for those whose words say it."""
    return str(_WORDS[name](word).meaning) if word and name in _WORDS else ""
