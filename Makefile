# demo test check lab docs bench long clean: each makes the .venv it needs. Works in a folder with spaces in its name and
# without a usable home directory.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# the first Python here that is new enough; `make PYTHON=/path/to/python` overrides it
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
PY := .venv/bin/python
ARGS ?=

# no home, or one that cannot be written: keep what libraries write beside the venv, and no pip cache at all
ifneq ($(shell test -d "$${HOME:-}" && test -w "$$HOME" && echo usable),usable)
export HOME := $(CURDIR)/.cache/home
export PIP_NO_CACHE_DIR := 1
$(shell mkdir -p .cache/home)
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check lint lab docs bench long clean

help:  ## what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: .venv/with-demo  ## real data -> cloud -> diagram -> row -> token -> figure, in half a minute
	$(PY) -m toriwork demo $(ARGS)

test: lint  ## everything that CI runs: style, types, import contract, notebooks (two executors), tests
	$(PY) -m pytest --nbval -n 2 --dist loadfile $(ARGS)

check: lint  ## the fast part: style, types, import contract, tests that start no process
	$(PY) -m pytest -q tests -m "not process" -n 2 --dist loadfile $(ARGS)

lint: .venv/with-dev  ## style, types, import contract, notebook rules, plain words
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(PY) -c 'import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())'
	$(PY) tools/check_notebooks.py
	$(PY) tools/check_words.py

lab: .venv/with-lab  ## JupyterLab on the notebooks
	$(PY) -m jupyterlab notebooks $(ARGS)

docs: .venv/with-docs  ## the site, out/site/index.html: offline, searchable; a warning is an error
	$(PY) -m sphinx -q -W --keep-going -j 2 -c docs . out/site $(ARGS)

bench: .venv/with-bench  ## rates as ratios to SQLite, LMDB, DuckDB, Delta, measured in the same run
	$(PY) -m benchmarks $(ARGS)

long: .venv/with-dev  ## the long forms of the tests (many minutes)
	TORIWORK_HYPOTHESIS=long $(PY) -m pytest --long -m long $(ARGS)

clean:  ## removes what the targets wrote; the venv stays (rm -r .venv makes it anew)
	rm -rf build dist out __pycache__ .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find toriwork tests tools benchmarks research data_samples notebooks \
		\( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} + 2>/dev/null || true

# a stamp per set of extras; a changed pyproject.toml makes it anew
.venv/with-%: pyproject.toml | .venv/bin/python
	$(PY) -m pip install --quiet --editable '.[$*]'
	@touch $@

# the development set holds the others
.venv/with-dev: pyproject.toml | .venv/bin/python
	$(PY) -m pip install --quiet --editable '.[dev]'
	@touch .venv/with-demo .venv/with-lab .venv/with-docs .venv/with-bench $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
