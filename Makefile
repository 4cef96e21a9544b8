# Two commands on a fresh machine (Python 3.11 or newer, make): `make dev` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
N ?= 100
SEED ?= 1
JOBS ?= 3
WORKERS ?= 3
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE # dartsctl starts from byte code, as its users have it

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make the virtual environment with dartsctl, its tools and the sample app
$(VENV)/.ready: pyproject.toml compose/sample/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dartsctl needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev --requirement compose/sample/requirements.txt
	@touch $@

dev: setup ## Set up and run the sample app on a leased port, its services in Docker where there is an engine
	$(BIN)/dartsctl dev

test: setup ## Set up and pass the tests, engine tests included where a Docker engine answers: WORKERS=1 for one after the other
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test-ports: setup ## The port rules alone, against the engine that answers
	$(BIN)/python -m pytest -m ports

oracle: setup ## Compare `check` with what the engine really does: N=500 SEED=7 JOBS=3
	$(BIN)/python tests/oracle/oracle.py --count $(N) --seed $(SEED) --jobs $(JOBS)

kills: setup ## Kill dartsctl at random moments, reuse pids; nobody else may be touched: N=100 SEED=7
	$(BIN)/python tests/campaign/kills.py --count $(N) --seed $(SEED)

fuzz: setup ## Give dartsctl wrong settings, models, answers, files: N=10000 SEED=7, or one case again: SEED=7 ONLY=engine:123
	$(BIN)/python tests/fuzz/fuzz.py --count $(N) --seed $(SEED) --jobs $(WORKERS) --only "$(ONLY)"
	$(if $(ONLY),,DARTSCTL_FUZZ_EXAMPLES=$(N) $(BIN)/python -m pytest -q tests/fuzz/test_parsers.py --hypothesis-seed=$(SEED))

lint: setup ## ruff, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: setup ## mypy, strict
	$(BIN)/mypy

check: lint types ## Everything that needs no engine and no test run

bench: setup ## Ratios against a peer in the same run, one line a target
	$(BIN)/python benchmarks/run.py

clean: ## Remove what `make setup` and the tools have made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build

.PHONY: help setup dev test test-ports oracle kills fuzz lint types check bench clean
