# `make` alone says what there is. Every target that needs the virtual environment makes it first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is installed is known by the content of the files that say so: a checkout touches files without changing them.
INSTALLED := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml 2>/dev/null | cksum | tr ' ' '-')

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench lint types contracts lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## install everything into .venv, and fetch and prepare what the embedded Kafka needs

demo: setup ## run the mesh with live traffic, and the mission's tests against it
	@$(BIN)/caremesh demo

test: setup ## run every test, in three processes with servers of their own
	@$(BIN)/python -m pytest tests -n 3 --dist loadfile --no-loadscope-reorder

bench: setup ## measure the mesh beside its baselines
	@$(BIN)/python -m bench

lint: setup ## check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## check types, strictly
	@$(BIN)/mypy

contracts: setup ## write docs/contracts anew, from the models
	@$(BIN)/python -m shared.contracts

lock: setup ## resolve the dependencies anew, with hashes
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --extra build --extra embedded --extra bench --extra dev \
		--no-emit-index-url --no-header -o requirements.lock pyproject.toml
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --extra build --constraint requirements.lock \
		--no-emit-index-url --no-header -o requirements-production.lock pyproject.toml
	@$(BIN)/python -m shared.embedded.jars

clean: ## remove the environment and caches; the mesh's own state (.caremesh) stays
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED):
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON) here: install Python 3.11 or newer, or name one (make PYTHON=/path/to/python3 …)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) -V 2>&1), and 3.11 or newer is needed: name one (make PYTHON=python3.12 …)." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) lacks venv or ensurepip: install them (Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Making $(VENV) …"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing what requirements.lock names …"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-build-isolation --no-deps -e .
	@# Where Python is told to write no byte code (PYTHONDONTWRITEBYTECODE), every process would compile all of ours anew at its start.
	@$(BIN)/python -m compileall -q services shared
	@$(BIN)/python -m shared.embedded.kafka_setup
	@rm -f $(VENV)/.installed-*
	@touch $@
