PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Where pip looks for torch too; without a GPU its CPU build is a tenth of the size:
#   make TORCH_INDEX=https://download.pytorch.org/whl/cpu demo
TORCH_INDEX ?=

# Two processes, each of which takes whole files of tests: some share what is slow to make, one looks at what the others
# of its file left. One process, or one folder:
#   make test PYTEST_ARGS=tests/heads
PYTEST_ARGS ?= -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-lowest lint demo-models

help: ## Show the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(INSTALLED): setup.cfg pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "mkbench needs Python 3.10 or newer, found " + sys.version.split()[0] + "; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c $(CONSTRAINTS) -e '.[app,dev,data,hf,llm,saliency]'
	touch $@

demo: $(INSTALLED) ## Benchmark the four bundled models on the bundled images (minutes, no GPU, no download)
	$(BIN)/mkbench demo --out runs/demo

test: $(INSTALLED) ## Run the fast tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(INSTALLED) ## Run all tests, the slow ones too
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m 'slow or not slow'

test-lowest: ## Run the fast tests with the oldest versions that setup.cfg allows (PYTHON=python3.10)
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

lint: $(INSTALLED) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

demo-models: $(INSTALLED) ## Retrain the four bundled models (under 2 hours on two CPU cores, minutes on a GPU)
	for model in critters-vit-s critters-vit-m critters-vit-l critters-rn; do \
		$(BIN)/mkbench fit --config configs/critters/train/$$model.yaml || exit 1; \
	done
