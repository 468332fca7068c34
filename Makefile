# Everything one can do here; `make` alone prints this list.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8050
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
LOCK := --universal --upgrade --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --quiet

.PHONY: help setup browser data run test test-postgres lint format docs pictures report weekly bench audit lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## the environment in .venv, with pinned and hashed dependencies

# uv installs in seconds what pip needs a minute for; where it cannot reach the packages as pip is set up to, pip does it.
$(READY): .ci/requirements.txt .ci/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/debian-packages python3-venv
	@echo "installing the dependencies into $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .ci/uv.txt 2>/dev/null \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r .ci/requirements.txt \
	  || $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .ci/requirements.txt
	@touch $@

browser: ## Chromium and fonts for PNG and SVG export, where Debian's packages can be installed
	@.ci/browser

data: $(READY) ## the database from the figures that ship with the project
	@$(BIN)/python -m etl load

run: $(READY) browser data ## the app with real figures on http://127.0.0.1:8050 (HOST and PORT override)
	@HOST=$(HOST) PORT=$(PORT) $(BIN)/python -m dashboard

test: $(READY) browser lint ## all checks and tests
	@$(BIN)/python -m pytest

# The tests that read or write a database, on a server that they start themselves and that is gone afterwards.
test-postgres: $(READY) ## the database's tests once more, on PostgreSQL
	@.ci/postgres
	@$(BIN)/python -m pytest --engine postgresql tests/db tests/etl \
	  tests/dashboard/test_every_selection.py tests/dashboard/test_remembered.py

lint: $(READY) ## format, lint, import contracts, types
	@$(BIN)/ruff format --check --quiet . || { echo "error: run 'make format'" >&2; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

format: $(READY) ## rewrite the code in the project's format
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

docs: $(READY) ## GLOSSARY.md and DATA_DICTIONARY.md, from the code
	@$(BIN)/python -m dashboard.reference

# As known on a fixed day and from what ships alone: the same code gives the same pictures.
pictures: $(READY) browser ## the pictures that README shows, from the figures that ship
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	  export DATABASE_URL=sqlite:///$$folder/ev_market.sqlite SNAPSHOTS=$$folder/snapshots PUBLIC_URL=; \
	  $(BIN)/python -m etl load; \
	  $(BIN)/python -m dashboard.export market-share --query "market=DE&window=ttm&since=2019-01&as_of=2026-07-23" \
	    --format svg --out pictures/market-share.svg; \
	  $(BIN)/python -m dashboard.export price-gap --query "market=CN&as_of=2026-07-23" \
	    --format svg --out pictures/price-gap.svg

report: $(READY) browser data ## this week's sheets in reports/ (WEEK=2026-W27 for another)
	@$(BIN)/python -m dashboard.report $(if $(WEEK),--week $(WEEK))

# A download that fails, in whole or in part, is said on every sheet: the report is made and sent all the same.
weekly: $(READY) browser ## the Monday job: fetch, report, send (see OPERATING.md)
	@trap 'exit 130' INT TERM; stale=; \
	  $(BIN)/python -m etl fetch || stale=--stale; \
	  $(BIN)/python -m dashboard.report --send $$stale $(if $(WEEK),--week $(WEEK))

bench: $(READY) browser ## the benchmarks, as ratios side by side in one run
	@.ci/postgres
	@$(BIN)/python -m bench

# A service is asked over the network: where it does not answer, or does not know a package, nothing was checked.
audit: $(READY) ## known holes in the pinned dependencies, as the OSV database has them
	@$(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit 2>/dev/null \
	  || { echo "error: nothing was checked: pip-audit cannot be installed" >&2; exit 1; }
	@if found=$$($(VENV)/audit/bin/pip-audit --vulnerability-service osv --strict --disable-pip --require-hashes \
	    --progress-spinner off -r .ci/requirements.txt 2>&1); then tail -n 1 <<< "$$found"; \
	  elif grep -q '^Found ' <<< "$$found"; then echo "$$found" >&2; exit 1; \
	  else echo "error: nothing was checked: the database of holes cannot be reached" >&2; exit 1; fi

lock: $(READY) ## pin the newest allowed versions anew
	@$(BIN)/uv pip compile pyproject.toml --all-extras $(LOCK) -o .ci/requirements.txt
	@echo uv | $(BIN)/uv pip compile - $(LOCK) -o .ci/uv.txt

clean: ## remove the environment and the caches; data and reports stay
	@rm -rf $(VENV) .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
