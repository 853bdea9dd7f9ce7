# CareLoop 常伴. Two commands do everything on a fresh machine:
#   make run    set up, start with the demo clinic
#   make test   set up, run every test
# Both work again, and offline after the first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LANGUAGES := zh_Hant zh_Hans

.PHONY: help setup setup-dev run demo test test-fast check format types messages bench screenshots requirements wheel clean

help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(VENV)/.run-stamp assets ## make .venv with the careloop command and build the assets

setup-dev: $(VENV)/.dev-stamp assets

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "CareLoop needs Python 3.11 or newer; try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-stamp: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev-stamp: requirements-dev.txt $(VENV)/.run-stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: assets
assets: $(VENV)/.run-stamp
	@$(BIN)/python scripts/build_assets.py

run: setup ## set up and start everything with the demo clinic
	@$(BIN)/careloop up --demo

demo: setup ## make the demo clinic without starting
	@$(BIN)/careloop demo

test: setup-dev ## set up and run every test
	@sh scripts/prepare_browser.sh
	@$(BIN)/python scripts/run_tests.py

test-fast: setup-dev ## tests without browser walks and crash tests
	@$(BIN)/python -m pytest -q -n 2 -m "not browser and not crash"

check: setup-dev ## format, lint, types, floors, migrations, translations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet --profile django careloop
	$(BIN)/python scripts/check_messages.py
	$(BIN)/python scripts/check_migrations.py

format: setup-dev ## put the code into shape
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

messages: setup-dev ## collect strings of every slice into its catalogues (needs gettext)
	@$(BIN)/python scripts/collect_messages.py $(LANGUAGES)

bench: setup-dev ## measure everything (takes a while)
	@for name in import segment send journey pages booking queue waitlist ledger tiers policy; do $(BIN)/careloop bench $$name; done

screenshots: setup-dev ## make the pictures of the README from the demo clinic
	@$(BIN)/python scripts/readme_pictures.py

requirements: ## lock dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra build -o requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev --extra build -c requirements.txt -o requirements-dev.txt pyproject.toml

wheel: setup ## build the wheel that a clinic's PC installs
	@$(BIN)/python -m hatchling build -t wheel

clean: ## remove what was built; data folders are left alone
	rm -rf $(VENV) node_modules dist careloop/web/static/build
