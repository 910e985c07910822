# Every target installs what it needs into .venv by itself.
# PYTHON=python3.12 chooses the interpreter, STORY=free the demo's story, WORKERS=1 one test at a time.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && exit; \
	done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/installed
STUBS := $(VENV)/stubs
PIP := PIP_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet
STORY ?=
ARGS ?=
WORKERS ?= 6
CUTS ?= 50000
LANE ?= cpython
SEED ?=
LOG ?=
YEARS ?= 1
BOXES ?= 4

.PHONY: help demo test torture sim check bench size docs golden install clean

help: ## print every target with its sentence
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## a wallbox at work, in about a minute (STORY=free: from the keyboard)
	@$(BIN)/wallbox demo $(if $(STORY),--story $(STORY)) $(ARGS)

test: $(READY) ## run every test (ARGS="tests/test_keys.py -k name" runs some)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

torture: $(READY) ## cut the ring's power CUTS=50000 times (SEED=7, LANE=micropython) and check it each time
	@$(BIN)/python -m tests.torture --cuts $(CUTS) --lane $(LANE) $(if $(SEED),--seed $(SEED)) $(ARGS)

sim: $(READY) ## play BOXES=4 boxes for YEARS=1 each in simulated time (SEED=7, ARGS="--workers 2")
	@$(BIN)/python -m host.years --years $(YEARS) --boxes $(BOXES) \
		$(if $(filter-out file,$(origin LANE)),--lane $(LANE)) $(if $(SEED),--seed $(SEED)) $(ARGS)

check: $(READY) ## style and types: ruff, mypy over host/ and hw/, mypy with the ESP32 stubs over firmware/
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@MYPYPATH=$(STUBS) $(BIN)/mypy --config-file mypy-firmware.ini --custom-typeshed-dir $(STUBS)

bench: $(READY) ## measure memory, times and rates, each with its command
	@$(BIN)/wallbox bench $(ARGS)

size: $(READY) ## bytes per firmware module, and the heap after boot
	@$(BIN)/wallbox size $(ARGS)

docs: $(READY) ## write docs/rules.md anew from what the rules do, and the tables and drawings of docs/hil.md
	@$(BIN)/python -m host.rules
	@$(BIN)/python -m hw.bench.drawing

golden: $(READY) ## renew tests/golden/, what the core decides of recorded events (LOG=field.zip adds a log, ARGS=--record: other events)
	@$(BIN)/python -m tests.golden_field $(LOG)
	@$(BIN)/python -m tests.golden_logs $(ARGS)

install: $(READY) ## make .venv and install everything into it

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		echo "$(PYTHON) is missing or older than Python 3.10: install it, or name one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV), once"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[dev]'
	@$(PIP) --no-deps --upgrade --target $(STUBS) micropython-esp32-stubs micropython-stdlib-stubs
	@touch $@
