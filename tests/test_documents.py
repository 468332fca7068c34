"""What the documents say is there: commands, files, sources and licences; and what must not be in the repository."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from etl import bundle
from etl.sources import CONNECTORS
from etl.sources.curated import CURATED

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "DATA_LICENCES.md")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_to_a_file_leads_to_one(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", text_of(name)) + re.findall(
        r"`((?:dashboard|db|etl)/[\w/.-]+)`", text_of(name)
    )
    links = [link for link in links if "SLUG" not in link]
    assert links
    for link in links:
        assert (ROOT / link).exists(), f"{name} names {link}"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_document_names_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)", text_of(name)))
    assert named
    assert named <= targets


def test_make_alone_lists_every_target_that_has_a_description() -> None:
    described = set(re.findall(r"^([a-z]+):.*?## ", text_of("Makefile"), re.MULTILINE))
    assert {"run", "test", "lint", "report", "bench"} <= described
    listed = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in listed for target in described)


def test_every_command_that_the_readme_shows_is_one() -> None:
    commands = {
        tuple(found.split()[:2])
        for found in re.findall(r"python -m ([a-z.]+ ?[a-z-]*)", text_of("README.md") + text_of("CONTRIBUTING.md"))
    }
    assert len(commands) >= 4
    for command in sorted(commands):
        shown = subprocess.run(
            [sys.executable, "-m", *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, (command, shown.stderr)


def test_the_example_of_the_readme_gives_the_rows_that_it_promises(bundled_url: str) -> None:
    query = re.search(r'--query "([^"]+)" --format csv', text_of("README.md"))
    assert query
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dashboard.export",
            "market-share",
            "--query",
            query[1],
            "--format",
            "csv",
            "--out",
            "-",
        ],
        cwd=ROOT,
        env={"DATABASE_URL": bundled_url, "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("period_start,grain,window,market,basis,powertrain,of,maker,model,")
    assert done.stdout.count("\n") > 100


def test_every_source_is_named_in_the_readme_and_every_bundled_one_among_the_licences() -> None:
    assert CONNECTORS
    for connector in CONNECTORS:
        assert f"[{connector.SOURCE.title}]({connector.SOURCE.url})" in text_of("README.md")
    for entry in CURATED:
        assert (ROOT / "etl" / "curated" / entry.file).exists()
    assert bundle.sources()
    for slug in bundle.sources():
        source = next(connector.SOURCE for connector in CONNECTORS if connector.SOURCE.slug == slug)
        assert f"etl/bundled/{slug}/" in text_of("DATA_LICENCES.md")
        if source.licence == "GPL-3.0":  # its text has to go with the figures; a Creative Commons licence is linked
            assert (bundle.FOLDER / slug / "COPYING").stat().st_size > 1000
        else:
            assert source.licence_url in (bundle.FOLDER / slug / "README.md").read_text(encoding="utf-8")


def test_pinned_versions_have_hashes_and_no_addresses() -> None:
    pins = text_of(".ci/requirements.txt") + text_of(".ci/uv.txt")
    assert pins.count("==") > 50
    assert "://" not in pins
    for pin in re.split(r"\n(?=\S)", pins.strip()):
        assert "--hash=sha256:" in pin, pin.splitlines()[0]


def test_the_bundled_figures_are_compact() -> None:
    size = sum(path.stat().st_size for path in (bundle.FOLDER / "open-ev-charts").iterdir())
    assert 500_000 < size < 2_000_000
