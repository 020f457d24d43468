# Everything a newcomer needs: `make demo` and `make test`. Each target sets up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

INSTALL = $(BIN)/python -m pip install -q --constraint constraints.txt

.PHONY: setup setup-all demo serve test lint protos bench bench-quality bundle clean

# What serving on the embedded model needs, and on top of it what tests and other models do. What is there is kept.
setup: $(VENV)/.server
$(VENV)/.server: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Kunnafoni needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[server]'
	touch $@

setup-all: $(VENV)/.all
$(VENV)/.all: $(VENV)/.server
	$(INSTALL) --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/kunnafoni demo

serve: setup
	$(BIN)/kunnafoni serve

test: setup-all
	$(BIN)/pytest

lint: setup-all
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --warnings
	$(BIN)/python protos/check.py

protos: setup-all
	$(BIN)/python protos/generate.py

bench: setup-all bench-quality
	$(BIN)/python -m tests.bench.start
	$(BIN)/python -m tests.bench.load
	$(BIN)/python -m tests.bench.limits

bench-quality: setup-all
	$(BIN)/python -m tests.bench.quality

# All wheels that a server needs, for this version of Python and kind of machine: copy dist/bundle to one without network.
bundle: setup
	rm -rf dist/bundle
	$(BIN)/python -m pip wheel -q --constraint constraints.txt --wheel-dir dist/bundle '.[server]' $(wildcard models/distributions/*)
	@echo "on the other machine: pip install --no-index --find-links dist/bundle 'kunnafoni[embedded]'"

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache bench-results dist
