# Everything a newcomer or CI runs. `make` alone lists the targets.

PYTHON ?= python3
VENV ?= .venv
# The environment of the newest versions, which `make test-newest` brings up to date each time.
NEWEST ?= .venv-newest
# Where pip finds a CPU-only torch, for those who do not want the CUDA libraries: make install TORCH_INDEX=URL
TORCH_INDEX ?=
# Where the benchmark tables lie.
DATA ?= ../shared/data

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-slow test-newest lint types docs check bench clean

help:  ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## Create the environment (.venv) with the tested versions and install synthgan in it

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
		--constraint constraints.txt --editable '.[benchmarks,dev,faker]'
	touch $@

demo: install  ## Fit the bundled table, sample it, show where the results lie and how good they are
	$(BIN)/synthgan demo --output synthgan-demo --force

test: test-fast test-slow test-newest  ## Run all tests: the fast suite, the slow one, the fast one on the newest versions

test-fast: install  ## Run the fast suite (minutes)
	$(BIN)/python -m pytest -m "not slow"

test-slow: install  ## Run the slow suite: real fits, larger tables, strict types
	$(BIN)/python -m pytest -m slow

test-newest:  ## Run the fast suite on the newest versions that pip resolves today (torch stays: others bring CUDA)
	test -x $(NEWEST)/bin/python || $(PYTHON) -m venv $(NEWEST)
	grep '^torch==' constraints.txt > $(NEWEST)/torch.txt
	$(NEWEST)/bin/python -m pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
		--upgrade --upgrade-strategy eager --constraint $(NEWEST)/torch.txt --editable '.[dev,faker]'
	$(NEWEST)/bin/python -m pytest -m "not slow"

lint: install  ## Check format, lint rules and import contracts
	PATH="$(abspath $(BIN)):$$PATH" scripts/check lint

types: install  ## Check types (mypy, strict)
	PATH="$(abspath $(BIN)):$$PATH" scripts/check types

docs: install  ## Write the generated parts of docs/ anew
	$(BIN)/python scripts/generate_docs.py

check: install  ## Run what must pass before a commit: lint, types, docs, fast tests
	PATH="$(abspath $(BIN)):$$PATH" scripts/check
	$(BIN)/python -m pytest -m "not slow"

bench: install  ## Measure fidelity on the benchmark tables (DATA=folder)
	$(BIN)/python benchmarks/fidelity.py --data $(DATA)

clean:  ## Remove caches and build leftovers (keeps the environments)
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
