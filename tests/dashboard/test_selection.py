"""One selection, one link: the grammar reads what it writes, and explains what it cannot read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboard.selection import (
    NAMES,
    BasisChoice,
    By,
    InvalidSelection,
    Measure,
    PowertrainChoice,
    Real,
    Selection,
    Tax,
    Window,
)
from db.vocabulary import Grain, PriceKind, RangeCycle

DEFAULTS = Selection()
TTM_OF_CHINA = Selection(market=("CN",), window=Window.TTM, makers=("byd", "tesla"), since=date(2020, 1, 1))


def read(query: str, *, defaults: Selection = DEFAULTS) -> Selection:
    return Selection.from_query(query, defaults=defaults)


slugs = st.sampled_from(("tesla", "byd", "tesla-model-y", "id-3", "5", "a1-b2-c3", "lynk-and-co"))
slug_lists = st.sets(slugs, max_size=3).map(lambda found: tuple(sorted(found)))
months = st.dates(date(1900, 1, 1), date(2099, 12, 31)).map(lambda day: day.replace(day=1))
ranges = st.lists(st.none() | months, min_size=2, max_size=2).map(
    lambda ends: sorted(ends) if None not in ends else ends  # type: ignore[type-var]
)


levers = st.dictionaries(
    st.sampled_from(("data_route", "demand", "price.CN", "approval.EU")),
    st.sampled_from(("both", "99@2027-01", "", "50%")),
).map(lambda moved: tuple(sorted(moved.items())))


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    since, until = draw(ranges)
    return Selection(
        market=tuple(sorted(draw(st.sets(st.sampled_from(("DE", "GB", "CN", "EU", "WORLD")), min_size=1)))),
        basis=draw(st.sampled_from(BasisChoice)),
        powertrain=draw(st.sampled_from(PowertrainChoice)),
        of=draw(st.none() | st.sampled_from(PowertrainChoice)),
        by=draw(st.sampled_from(By)),
        makers=draw(slug_lists),
        models=draw(slug_lists),
        grain=draw(st.sampled_from(Grain)),
        window=draw(st.sampled_from(Window)),
        measure=draw(st.sampled_from(Measure)),
        since=since,
        until=until,
        as_of=draw(st.none() | st.dates()),
        currency=draw(st.sampled_from(("local", "EUR", "CNY"))),
        tax=draw(st.none() | st.sampled_from(Tax)),
        real=draw(st.sampled_from(Real)),
        price_kind=draw(st.none() | st.sampled_from(PriceKind)),
        date=draw(st.none() | st.dates()),
        segment=draw(st.none() | slugs),
        cycle=draw(st.none() | st.sampled_from(RangeCycle)),
        scenario=draw(st.none() | slugs),
        levers=draw(levers),
    )


@settings(deadline=None, max_examples=60)
@given(selection=selections(), defaults=selections())
@example(selection=Selection(), defaults=TTM_OF_CHINA)
def test_a_selection_is_read_back_from_its_own_query(selection: Selection, defaults: Selection) -> None:
    defaults = replace(defaults, levers=())  # no chart begins with one moved
    assert read(selection.query(defaults=defaults), defaults=defaults) == selection


@settings(deadline=None, max_examples=60)
@given(selection=selections(), data=st.data())
def test_order_and_case_of_a_query_do_not_matter(selection: Selection, data: st.DataObject) -> None:
    query = selection.query(defaults=DEFAULTS)
    parts = data.draw(st.permutations(query.split("&")))
    assert read("&".join(parts).upper().replace("%2D", "-")) == selection
    assert read(f"?{query}") == selection


def test_defaults_are_left_out_of_a_link() -> None:
    assert Selection().query(defaults=DEFAULTS) == ""
    assert TTM_OF_CHINA.query(defaults=TTM_OF_CHINA) == ""
    assert Selection(market=("CN", "DE")).query(defaults=DEFAULTS) == "market=CN,DE"
    assert Selection(since=date(2024, 3, 1)).query(defaults=DEFAULTS) == "since=2024-03"


def test_what_a_default_chooses_can_be_unchosen() -> None:
    assert read("makers=&since=&window=none", defaults=TTM_OF_CHINA) == Selection(market=("CN",))


def test_the_united_kingdom_and_the_world_go_by_other_names_too() -> None:
    assert read("market=uk,de").market == ("DE", "GB")
    assert read("market=global").market == ("WORLD",)


def test_a_value_named_twice_in_a_list_counts_once() -> None:
    assert read("market=DE,GB,UK,de&makers=tesla, Tesla").makers == ("tesla",)
    assert read("market=DE,GB,UK,de").market == ("DE", "GB")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_given_twice_is_refused(name: str) -> None:
    value = {"market": "DE", "basis": "retail", "powertrain": "BEV", "by": "maker", "grain": "month"}.get(name)
    value = value or {"window": "ttm", "measure": "units", "currency": "EUR", "real": "real"}.get(name, "")
    with pytest.raises(InvalidSelection, match="given twice"):
        read(f"{name}={value}&{name.upper()}={value}")


def test_an_unknown_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(InvalidSelection) as refused:
        read("colour=red")
    assert refused.value.valid == NAMES
    assert "'colour' is no part of a selection; valid: market, basis" in str(refused.value)


@pytest.mark.parametrize("name", ["basis", "powertrain", "of", "by", "grain", "window", "measure", "tax", "real"])
def test_an_unknown_word_is_refused_with_the_words_that_there_are(name: str) -> None:
    with pytest.raises(InvalidSelection) as refused:
        read(f"{name}=nonsense")
    assert refused.value.name == name
    assert len(refused.value.valid) >= 2
    for word in refused.value.valid:
        assert read(f"{name}={word.upper()}")


@pytest.mark.parametrize(
    "query",
    [
        "since=2026-13",
        "since=2026-1",
        "since=2026",
        "since=20٢6-01",
        "until=2026-06-01",
        "as_of=2026-02-30",
        "as_of=20260723",
        "as_of=٢٠٢٦-٠١-٠١",
        "date=yesterday",
        "market=",
        "market=Germany",
        "market=D",
        "makers=tesla--y",
        "makers=-",
        "makers=a b",
        "models=" + "a" * 129,
        "scenario=one,two",
        "currency=EURO",
        "currency=",
        "since=2026-02&until=2026-01",
        "grain",
        "&".join(f"x{n}=1" for n in range(101)),
    ],
)
def test_values_out_of_form_are_refused_in_one_line(query: str) -> None:
    with pytest.raises(InvalidSelection) as refused:
        read(query)
    assert str(refused.value).isprintable()


def test_a_range_of_one_month_is_a_range() -> None:
    assert read("since=2026-01&until=2026-01").until == date(2026, 1, 1)


def test_a_share_is_of_the_powertrain_unless_said_otherwise() -> None:
    assert Selection().denominator is PowertrainChoice.BEV
    assert read("of=all").denominator is PowertrainChoice.ALL


def test_levers_of_a_scenario_are_part_of_a_link_and_written_one_way() -> None:
    moved = read("Price.cn=99@2027-01&scenario=export&DATA_ROUTE=both")
    assert moved.levers == (("data_route", "both"), ("price.CN", "99@2027-01"))
    assert moved.query(defaults=DEFAULTS) == "scenario=export&data_route=both&price.CN=99%402027-01"
    assert read(moved.query(defaults=DEFAULTS)) == moved


@pytest.mark.parametrize("query", ["price=99", "data_route.cn=both", "nothing.cn=1"])
def test_a_lever_of_a_region_needs_one_and_others_have_none(query: str) -> None:
    with pytest.raises(InvalidSelection, match="is no part of a selection"):
        read(query)


def test_a_lever_is_given_once() -> None:
    with pytest.raises(InvalidSelection, match=r"'price\.CN' is given twice"):
        read("price.CN=1&PRICE.cn=2")


hostile = st.text(st.characters(), max_size=60) | st.sampled_from(
    ("%00", "%ff%fe", "\ud800", "a\nb", "\x1b[31m", "'; drop table sales; --", "<b>x</b>", "=1+1", "%", "\u202e", "١")
)


@settings(deadline=None, max_examples=150)
@given(name=st.sampled_from(NAMES) | hostile, value=hostile, quoted=st.booleans())
def test_whatever_is_typed_is_read_or_refused_in_one_line(name: str, value: str, quoted: bool) -> None:
    text = quote(value, errors="replace") if quoted else value
    for query in (f"{name}={text}", text, f"{name}={text}&{text}"):
        explained = None
        try:
            selection = read(query)
        except InvalidSelection as refused:
            explained = str(refused)
        else:
            assert read(selection.query(defaults=DEFAULTS)) == selection
        assert explained is None or explained.isprintable()
