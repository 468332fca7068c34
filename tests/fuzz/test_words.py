"""What is typed: links and the files of sheets, thresholds and scenarios. An answer, or why not in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.charts import CHARTS
from dashboard.projections import scenarios
from dashboard.report_list import SHEETS, ReportError, sheets
from dashboard.selection import NAMES, InvalidSelection, Selection
from dashboard.thresholds import THRESHOLDS, ThresholdError, Thresholds
from tests.fuzz.mutations import damaged, odd_cells, rubbish

DEFAULTS = [chart.defaults for chart in CHARTS]
assert DEFAULTS

any_text = st.text(st.characters(), max_size=60)  # halves of surrogates too, which command lines can hold
values = odd_cells | st.sampled_from(
    ("DE", "de,UK,global", "tesla,byd", "maker", "ttm", "3M", "2026-06", "2026-07-23", "EUR", "local", "model-y", "")
)
names = st.sampled_from([*NAMES, "price.CN", "PRICE.us", "hedge", "utm_source"]) | odd_cells


@st.composite
def links(draw: st.DrawFn) -> str:
    pairs = draw(st.lists(st.tuples(names, values), max_size=5))
    return draw(st.sampled_from(("", "?"))) + "&".join(f"{name}={value}" for name, value in pairs)


@given(any_text | links(), st.sampled_from(DEFAULTS))
def test_any_text_is_a_selection_that_goes_round_or_told_what_is_valid(query: str, defaults: Selection) -> None:
    try:
        selection = Selection.from_query(query, defaults=defaults)
    except InvalidSelection as error:
        told = error
    else:
        again = selection.query(defaults=defaults)
        assert Selection.from_query(again, defaults=defaults) == selection
        assert Selection.from_query(again, defaults=defaults).query(defaults=defaults) == again
        return
    text = str(told)
    assert text.isprintable()
    helps = (
        "; valid: ",
        "such as",
        "separate its values",
        "later than",
        "takes one value",
        "more than 100 parts",
        "longer than",
    )
    assert any(words in text for words in helps), text


@pytest.mark.parametrize("name", NAMES)
@given(value=values | any_text, defaults=st.sampled_from(DEFAULTS))
@settings(max_examples=settings.default.max_examples // 4)
def test_each_name_takes_what_is_its_own(name: str, value: str, defaults: Selection) -> None:
    test_any_text_is_a_selection_that_goes_round_or_told_what_is_valid.hypothesis.inner_test(  # type: ignore[attr-defined]
        f"{name}={value}", defaults
    )


THERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
_SHEET = b"""
[[sheet]]
name = "Germany"
chart = "market-share"
query = "market=DE&since=2026-01"
when = "on-news"
news = ["price", "sales:CN"]
digest = false
"""
deep = st.just(b"a = " + b"[" * 50_000)


@THERE
@given(content=damaged(_SHEET) | rubbish() | deep)
def test_a_list_of_sheets_is_read_or_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sheets.toml"
    path.write_bytes(content)
    try:
        found = sheets(path)
    except ReportError as error:
        told = error
    else:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))["sheet"]
        assert [(sheet.name, sheet.chart.slug) for sheet in found] == [(of["name"], of["chart"]) for of in stated]
        return
    assert str(told).startswith(str(path))
    assert len(" ".join(str(told).split()).splitlines()) == 1


@THERE
@given(content=damaged(THRESHOLDS.read_bytes()) | rubbish() | deep)
def test_a_file_of_thresholds_is_read_or_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alerts.toml"
    path.write_bytes(content)
    try:
        found = Thresholds.read(path)
    except ThresholdError as error:
        told = error
    else:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
        assert found.revision_cars == stated["revision"]["cars"]
        assert found.price_cut_at_least == stated["price_cut"]["at_least"]
        return
    assert str(told).startswith(str(path))
    assert len(" ".join(str(told).split()).splitlines()) == 1


_SCENARIOS = Path(scenarios.__file__).with_name("scenarios.toml")


@settings(max_examples=settings.default.max_examples // 2)
@given(damaged(_SCENARIOS.read_bytes()) | rubbish())
def test_the_scenarios_are_read_or_refused_by_name(content: bytes) -> None:
    try:
        scenarios.parse(content.decode("utf-8", "replace"))
    except ValueError as error:
        told = str(error)
    else:
        return
    assert told


def test_the_shipped_files_are_read() -> None:
    assert sheets(SHEETS)
    assert Thresholds.read(THRESHOLDS).revision_cars > 0
    assert scenarios.parse(_SCENARIOS.read_text(encoding="utf-8")).scenarios
