# Everything a person does with this project. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
DEVELOPED := $(VENV)/developed
TORCH := torch==2.13.0
RECIPES := .venv-recipes
PARALLEL ?= --numprocesses logical --dist loadfile --no-loadscope-reorder --durations 15
RUNS ?= 10

.DEFAULT_GOAL := help

.PHONY: help
help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# `$(call install,ENVIRONMENT,EXTRAS)` makes an environment if it is missing and installs the project into it, with what
# EXTRAS need. uv takes a third of pip's time: use it if it is on the PATH or can be installed. Otherwise, or if uv
# fails (it does not read pip's settings, such as another index), use pip.
# With bytecode, as pip does: otherwise each process that may not write it compiles pandas and datasets anew, in 1.5 s.
define install
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, %s is %s: make PYTHON=python3.11 ..." % (sys.executable, sys.version.split()[0]))'
	@test -x $(1)/bin/python || { echo 'Making the environment $(1) ...'; $(PYTHON) -m venv $(1); }
	@uv=$$(command -v uv) || { uv=$(1)/bin/uv; test -x $$uv || $(1)/bin/python -m pip install --quiet --disable-pip-version-check uv || uv=; }; \
	echo "Installing the project with $(2) into $(1), with $${uv:-pip (uv cannot be installed)} ..."; \
	if test -n "$$uv"; then "$$uv" pip install --compile-bytecode --python $(1)/bin/python --editable '.$(2)' && exit; echo 'uv failed, trying pip ...'; fi; \
	$(1)/bin/python -m pip install --disable-pip-version-check --editable '.$(2)'
endef

$(INSTALLED): pyproject.toml
	$(call install,$(VENV),[card])
	@touch $@

# What the tests and the linters need is several times as large, and nothing that a user of the project waits for.
$(DEVELOPED): $(INSTALLED)
	$(call install,$(VENV),[dev])
	@touch $@

.PHONY: install
install: $(DEVELOPED) ## make the environment .venv and install the project into it, with what its tests need

.PHONY: sample
sample: $(INSTALLED) ## build rocov2/ from sample/, check it, and show what load_dataset gives
	$(BIN)/python scripts/convert_to_parquet.py sample rocov2 --release any
	$(BIN)/python scripts/check_repository.py rocov2
	$(BIN)/python scripts/show_repository.py rocov2
	@echo
	@echo 'This is the sample, to try the tools on. To convert the release: . $(BIN)/activate, then rocov2 convert RAW (see README.md).'

.PHONY: preview
preview: $(INSTALLED) ## show the card and the first rows of rocov2/ as pages: rocov2.preview/index.html
	$(BIN)/python -m rocov2_build.preview rocov2 rocov2.preview

.PHONY: environments
environments: $(DEVELOPED) ## make the environments of the other versions of datasets, for make test
	$(BIN)/python -m tests.support.environments

.PHONY: test
test: environments ## run all tests but those of make test-torch and make test-recipes
	$(BIN)/python -m pytest $(PARALLEL)

.PHONY: test-fast
test-fast: $(DEVELOPED) ## run the tests of one process: no commands, other environments, browsers, clusters, kills, fuzzing
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow'

.PHONY: test-long
test-long: environments ## run the tests with random inputs, RUNS times as long, from SEED (default: 10 times, any seed)
	$(BIN)/python -m pytest $(PARALLEL) -m random --runs $(RUNS) $(if $(SEED),--seed $(SEED))

# torch comes first and alone, in the version that is tested: what depends on it would bring another.
$(INSTALLED)-torch: $(DEVELOPED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' --editable '.[dev,torch]'
	@touch $@

.PHONY: test-torch
test-torch: $(INSTALLED)-torch ## run the tests with torch, torchdata, accelerate and Lightning, which it installs
	$(BIN)/python -m pytest $(PARALLEL) -m torch

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

.PHONY: test-tools
test-tools: $(DEVELOPED) ## run the tools of docs/tools.md on a repository, each in an environment of its own (an hour), and write that page
	$(BIN)/python -m benchmarks.tools.run $(TOOLS)
	$(BIN)/python -m benchmarks.tools.page

.PHONY: lint
lint: $(DEVELOPED) ## check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: format
format: $(DEVELOPED) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: card
card: $(INSTALLED) ## rewrite README.md, its picture, LICENSE.md, dataset_infos.json and docs/commands.md
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/python scripts/convert_to_parquet.py sample "$$folder/rocov2" --release any --no-pictures --quiet && \
	$(BIN)/python -m rocov2_build.card.front_page "$$folder/rocov2"
	$(BIN)/python -m rocov2_commands.reference

.PHONY: clean
clean: ## remove environments and caches (never a built repository)
	rm -rf $(VENV) $(RECIPES) .cache .mypy_cache .pytest_cache .ruff_cache
