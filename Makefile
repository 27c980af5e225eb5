# make book    the book: environment, every chapter executed, _build/html/index.html
# make test    environment, lint, tests
# make lab     the chapters as notebooks in JupyterLab
# make env | lint | bench | browser | notebooks | clean
#
# Another interpreter: make PYTHON=python3.12 book

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
# Present while a book is being built, and after a build that failed or was interrupted.
UNFINISHED := _build/.unfinished

.DEFAULT_GOAL := help
.PHONY: help env lint test book lab bench browser notebooks clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || { \
	  $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "stmlab needs Python 3.11, 3.12 or 3.13; $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12" % v)' && \
	  echo "Making the environment in $(VENV)" && $(PYTHON) -m venv $(VENV); }
	@echo "Installing stmlab and what it needs into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[app,book,cluster,io,learn,test]"
	@touch $(STAMP)

lint: env
	$(BIN)/ruff check .

test: lint
	$(BIN)/python -m pytest

# Sphinx reports a warning only for pages that it reads again, so that a second -W build after a failed one would
# pass. Whatever a failed or interrupted build left is therefore thrown away; executed chapters stay in the cache.
book: env
	@if test -e $(UNFINISHED); then rm -rf _build/html _build/.doctrees; fi
	@mkdir -p _build && touch $(UNFINISHED)
	$(BIN)/jupyter-book build . -W -n --keep-going || { rm -rf _build/html; echo "The book was not built: see above" >&2; exit 1; }
	@rm $(UNFINISHED)
	@echo "The book: $(CURDIR)/_build/html/index.html"

# Settings inside the environment only: a click on a chapter opens it as a notebook.
lab: env
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@echo '{"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Jupytext Notebook"}}}' \
	  > $(VENV)/share/jupyter/lab/settings/overrides.json
	$(BIN)/jupyter lab --notebook-dir=book

bench: env
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

browser: env
	$(BIN)/python -m pytest tests/book

# Each downloaded notebook in an empty folder, with nothing but the wheel.
notebooks: env
	$(BIN)/python -m pytest tests/notebooks

clean:
	rm -rf _build dist .pytest_cache .ruff_cache .hypothesis
	find stmlab tests benchmarks book -name __pycache__ -type d -prune -exec rm -rf {} +
