# Everything a person does with this project. `make help` tells what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
TORCH := torch==2.13.0
RECIPES := .venv-recipes

.DEFAULT_GOAL := help

.PHONY: help
help: ## tell what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, %s is %s: make PYTHON=python3.11 ..." % (sys.executable, sys.version.split()[0]))'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: install
install: $(INSTALLED) ## make the environment .venv and install the project into it

.PHONY: sample
sample: $(INSTALLED) ## build rocov2/ from sample/, check it, and show what load_dataset gives
	$(BIN)/python scripts/convert_to_parquet.py sample rocov2 --release any
	$(BIN)/python scripts/check_repository.py rocov2
	$(BIN)/python scripts/show_repository.py rocov2
	@echo
	@echo 'This is the sample, to try the tools on. The release: python scripts/convert_to_parquet.py RAW (see README.md).'

.PHONY: preview
preview: $(INSTALLED) ## show the card and the first rows of rocov2/ as pages: rocov2.preview/index.html
	$(BIN)/python -m rocov2_build.preview rocov2 rocov2.preview

.PHONY: environments
environments: $(INSTALLED) ## make the environments of the other versions of datasets, for make test
	$(BIN)/python -m tests.support.environments

.PHONY: test
test: environments ## run all tests
	$(BIN)/python -m pytest

# torch comes first and alone, in the version that is tested: what depends on it would bring another.
$(INSTALLED)-torch: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' --editable '.[dev,torch]'
	@touch $@

.PHONY: test-torch
test-torch: $(INSTALLED)-torch ## run the tests with torch, torchdata, accelerate and Lightning, which it installs
	$(BIN)/python -m pytest -m torch

# An environment of its own: what Ray and TRL bring is large, and of no use to the rest. No two of the other tools can be
# installed together.
$(RECIPES)/installed: pyproject.toml
	$(PYTHON) -m venv $(RECIPES)
	$(RECIPES)/bin/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(RECIPES)/bin/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' --editable '.[dev,recipes]'
	@touch $@

.PHONY: test-recipes
test-recipes: $(RECIPES)/installed ## run the recipes of the docs for large tools, which it installs (17 GB)
	$(RECIPES)/bin/python -m tests.support.environments tools
	$(RECIPES)/bin/python -m pytest -m recipes

.PHONY: lint
lint: $(INSTALLED) ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: format
format: $(INSTALLED) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: card
card: $(INSTALLED) ## rewrite README.md, LICENSE.md and dataset_infos.json
	$(BIN)/python -m rocov2_build.card.readme

.PHONY: clean
clean: ## remove environments and caches (never a built repository)
	rm -rf $(VENV) $(RECIPES) .cache .mypy_cache .pytest_cache .ruff_cache
