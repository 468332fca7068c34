"""The firewall: what is not alike is refused by name, with the nearest selection that is alike."""

from __future__ import annotations

import pytest

from dashboard.comparability import check_names, check_sales
from dashboard.selection import Incomparable, InvalidSelection, Measure, NotPublished, Refusal, Selection
from db.queries import Nouns, Published

NOUNS = Nouns(
    markets={"DE": "Germany", "FR": "France", "EU": "European Union", "OVERSEAS": "Abroad", "WORLD": "World"},
    adjectives={"DE": "German", "FR": "French", "EU": "EU", "OVERSEAS": "overseas", "WORLD": "world"},
    regions=frozenset({"EU", "OVERSEAS", "WORLD"}),
    makers={"tesla": "Tesla", "byd": "BYD", "skoda": "Škoda"},
    models={"tesla-model-y": "Model Y", "tesla-model-3": "Model 3", "byd-seal": "Seal"},
    model_makers={"tesla-model-y": "tesla", "tesla-model-3": "tesla", "byd-seal": "byd"},
    groups={"volkswagen-group": "Volkswagen Group"},
    members={"volkswagen-group": ("skoda",)},
)


def stated(markets: str, basis: str, powertrains: str, *, states: str = "market", names: bool = True) -> set[Published]:
    """That a source states figures of some markets and powertrains, written with spaces."""
    return {
        Published(market=market, basis=basis, powertrain=powertrain, states=states, names_makers=names)
        for market in markets.split()
        for powertrain in powertrains.split()
    }


PUBLISHED = (
    stated("DE FR EU WORLD", "registration", "BEV ALL")
    | stated("CN", "retail", "BEV", states="makers")
    | stated("CN", "retail", "BEV BEV+PHEV", names=False)
    | stated("CN", "registration", "ALL")
    | stated("WORLD", "delivery", "BEV", states="makers")
)
MEASURES = (Measure.SHARE, Measure.UNITS, Measure.GROWTH)


def asked(query: str) -> Selection:
    return Selection.from_query(query, defaults=Selection())


def check(query: str) -> None:
    selection = asked(query)
    check_names(selection, NOUNS)
    check_sales(selection, NOUNS, PUBLISHED, measures=MEASURES)


_REPORTED = "market=WORLD&basis=reported&measure=units"


@pytest.mark.parametrize(
    ("query", "kind", "sides", "nearest"),
    [
        ("basis=reported", Incomparable, ("Tesla's deliveries", "BYD's sales", "registrations"), _REPORTED),
        ("basis=wholesale", NotPublished, ("wholesale", "registration"), ""),
        ("powertrain=NEV", NotPublished, ("NEV", "BEV"), ""),
        ("powertrain=NEV&basis=retail&measure=hhi", NotPublished, ("retail", "registration"), ""),
        ("powertrain=PHEV&of=ALL", NotPublished, ("PHEV", "BEV"), ""),
        ("of=NEV", NotPublished, ("NEV", "registration"), ""),
        ("powertrain=ALL&of=BEV", Incomparable, ("all cars", "battery-electric"), "powertrain=ALL"),
        ("powertrain=ALL&by=model", NotPublished, ("all cars", "battery-electric"), "by=model"),
        ("measure=rank", NotPublished, ("rank", "share, units, growth"), ""),
        ("market=DE,EU", Incomparable, ("European Union", "Germany"), ""),
        ("market=EU,WORLD", Incomparable, ("European Union", "World"), "market=EU"),
        ("market=DE,FR,WORLD&by=market", Incomparable, ("World", "Germany, France"), "market=DE,FR&by=market"),
        ("market=DE,EU&measure=units", Incomparable, ("European Union", "Germany"), "measure=units"),
        (f"{_REPORTED}&powertrain=ALL", NotPublished, ("no maker states all cars", "BEV is available"), _REPORTED),
        (
            f"{_REPORTED}&by=group&makers=volkswagen-group",
            Incomparable,
            ("different bases", "by group"),
            f"{_REPORTED}&makers=skoda",
        ),
        (
            "market=WORLD&basis=delivery&by=market&measure=units",
            Incomparable,
            ("delivery figures of World", "add up to no market", "no total of battery-electric"),
            "market=WORLD&basis=delivery&measure=units",
        ),
        (
            "by=group&makers=volkswagen-group&models=byd-seal",
            Incomparable,
            ("models", "groups"),
            "by=model&makers=skoda&models=byd-seal",
        ),
        ("grain=year&window=3m", Incomparable, ("a year", "three months"), "grain=year"),
        ("models=tesla-model-y", Incomparable, ("models", "makers"), "by=model&models=tesla-model-y"),
        (
            "models=byd-seal&by=market&market=DE,FR",
            Incomparable,
            ("models", "markets"),
            "market=DE,FR&by=model&models=byd-seal",
        ),
    ],
)
def test_what_is_not_alike_is_refused_with_both_sides_and_the_nearest(
    query: str, kind: type[Refusal], sides: tuple[str, ...], nearest: str
) -> None:
    with pytest.raises(kind) as refused:
        check(query)
    for side in sides:
        assert side in str(refused.value)
    assert refused.value.nearest == asked(nearest)
    assert str(refused.value).isprintable()
    check(nearest)


def test_other_vehicles_are_no_passenger_cars_and_the_world_is_offered_for_a_part_of_it() -> None:
    selection = asked("market=OVERSEAS&basis=delivery&measure=units")
    with pytest.raises(NotPublished, match="passenger cars apart from other vehicles for Abroad") as refused:
        check_sales(selection, NOUNS, stated("DE", "registration", "BEV"), measures=MEASURES)
    assert refused.value.nearest == asked("market=WORLD&basis=delivery&measure=units")


def test_of_two_markets_the_one_without_passenger_cars_is_left_out() -> None:
    with pytest.raises(NotPublished, match="for Abroad, and") as refused:
        check("market=DE,OVERSEAS&by=market")
    assert refused.value.nearest == asked("by=market")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "market=EU",
        "market=DE,FR",
        "market=DE,EU&by=market&measure=units",
        "market=DE,EU,WORLD&by=market&measure=growth",
        "market=DE,EU&by=market&of=ALL",
        "market=DE,EU&by=market&makers=tesla",
        "powertrain=ALL",
        "powertrain=ALL&measure=units&of=BEV",
        "grain=quarter&window=3m",
        "by=model&models=tesla-model-y&makers=tesla",
        "by=group&makers=volkswagen-group,skoda",
    ],
)
def test_what_is_alike_passes(query: str) -> None:
    check(query)


@pytest.mark.parametrize(
    ("query", "name", "valid"),
    [
        ("market=XX", "market", ("DE", "EU", "FR", "OVERSEAS", "WORLD")),
        ("makers=teslaa", "makers", ("byd", "skoda", "tesla")),
        ("makers=volkswagen-group", "makers", ("byd", "skoda", "tesla")),
        ("makers=teslaa&by=group", "makers", ("byd", "skoda", "tesla", "volkswagen-group")),
        ("models=tesla-model-z&by=model", "models", ("tesla-model-3", "tesla-model-y")),
        ("models=nonsense&by=model", "models", ("byd-seal", "tesla-model-3", "tesla-model-y")),
    ],
)
def test_an_unknown_name_is_refused_with_those_that_there_are(query: str, name: str, valid: tuple[str, ...]) -> None:
    with pytest.raises(InvalidSelection) as refused:
        check(query)
    assert (refused.value.name, refused.value.valid) == (name, valid)
