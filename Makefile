# On a fresh machine (Python 3.11 or newer, make): `make dev` runs the sample app, `make test` the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
N ?= 100
SEED ?= 1
JOBS ?= 3
WORKERS ?= 3
VERSIONS ?= 3.12 3.13 newest
PART ?= all
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE # dartsctl starts from byte code, as it does for users

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Create .venv with dartsctl, its tools and the sample app
$(VENV)/.ready: pyproject.toml compose/sample/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dartsctl needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev --requirement compose/sample/requirements.txt
	@touch $@

dev: setup ## Run the sample app on a leased port, with its services in Docker if possible
	$(BIN)/dartsctl dev

test: setup ## Run all tests, with a Docker engine those that need one: WORKERS=1 to run in order
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test-ports: setup ## Run only the tests of the port rules, on the engine that answers
	$(BIN)/python -m pytest -m ports

packages: $(VENV)/.packages ## Build the wheel and the source distribution, install and use them
	$(BIN)/python -m pytest tests/packages/packages.py
$(VENV)/.packages: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group packages
	@touch $@

test-pythons: $(VENV)/.packages ## Run the tests that need no engine with other Pythons: VERSIONS="3.12 newest" PART=quick
	WORKERS=$(WORKERS) TOOLS=$(BIN) PART=$(PART) tests/pythons/test.sh $(VERSIONS)

oracle: setup ## Compare `check` with what the engine does: N=500 SEED=7 JOBS=3
	$(BIN)/python tests/oracle/oracle.py --count $(N) --seed $(SEED) --jobs $(JOBS)

kills: setup ## Kill dartsctl at random moments and reuse pids: N=100 SEED=7
	$(BIN)/python tests/campaign/kills.py --count $(N) --seed $(SEED)

cold-starts: setup ## Bring a stack like the real darts server up from nothing: N=20 SEED=7
	PYTHONPATH=tests $(BIN)/python tests/campaign/cold_starts.py --count $(N) --seed $(SEED) --build

reserve: setup ## Squatters against `watch --reserve`, as root: N=50 SEED=7
	PYTHONPATH=tests $(BIN)/python tests/campaign/squatters.py --count $(N) --seed $(SEED)

fuzz: setup ## Feed dartsctl wrong input: N=10000 SEED=7; one case again: SEED=7 ONLY=engine:123
	$(BIN)/python tests/fuzz/fuzz.py --count $(N) --seed $(SEED) --jobs $(WORKERS) --only "$(ONLY)"
	$(if $(ONLY),,DARTSCTL_FUZZ_EXAMPLES=$(N) $(BIN)/python -m pytest -q tests/fuzz/test_parsers.py --hypothesis-seed=$(SEED))

help-screens: setup ## Write the help screens anew that dartsctl shows without Typer
	COLUMNS=80 $(BIN)/python tests/help_screens.py

lint: setup ## Run ruff and check who imports what
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: setup ## Run mypy --strict
	$(BIN)/mypy

check: lint types ## Run lint and types

bench-setup: ## Install the peers of `make bench`, and dartsctl from its wheel, in build/bench
	$(PYTHON) benchmarks/install.py

bench: ## Measure dartsctl against its peers: ONLY=ports JSON=FILE PYTHON=python3.12
	$(PYTHON) benchmarks/run.py --only "$(ONLY)" --json "$(JSON)"

bench-compare: ## Is this checkout slower than another commit? REF=main~20 ONLY=ports CPU=1
	$(PYTHON) benchmarks/compare.py "$(REF)" --only "$(ONLY)" --json "$(JSON)" $(if $(CPU),--cpu)

bench-readme: ## Write the table of JSON=FILE into the README
	$(PYTHON) benchmarks/readme.py $(JSON)

clean: ## Remove what `make setup` and the tools created
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build

.PHONY: help setup dev test test-ports packages test-pythons oracle kills cold-starts fuzz help-screens lint types check bench-setup bench bench-compare bench-readme clean
