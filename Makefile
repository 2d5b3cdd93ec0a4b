# make demo     install (once), then train, measure and generate: about two minutes
# make test     lint, types and tests: minutes
# make test-all the slow tests too
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin
TEXT ?= demo:rifle-ru
WORKERS ?= 2
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-all lint types figures clean

demo: $(VENV)/installed
	@$(RUN)/chekhov demo $(TEXT)

test: $(VENV)/installed-dev lint types
	$(RUN)/pytest -n $(WORKERS)

test-all: $(VENV)/installed-dev lint types
	$(RUN)/pytest -n $(WORKERS) -m ""

lint: $(VENV)/installed-dev
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

types: $(VENV)/installed-dev
	$(RUN)/mypy

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "installing chekhov into $(VENV) (PyTorch first: the one large download) ..."
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@$(RUN)/pip install --quiet torch==2.13.0 -c constraints.txt
	@$(RUN)/pip install --quiet -e . -c constraints.txt
	@touch $@
	@echo "installed"

$(VENV)/installed-dev: $(VENV)/installed
	@echo "installing the development tools ..."
	@$(RUN)/pip install --quiet -c constraints.txt -e ".[all]" "pytest>=8" "pytest-xdist>=3.5" "hypothesis>=6.100" "ruff>=0.6" "mypy>=1.11" "markovify>=0.9.4" "expecttest>=0.2"
	@touch $@

figures: $(VENV)/installed-dev
	$(RUN)/python benchmarks/readme_figures.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache
