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

# The tests on one other Python, in a virtual environment of its own: `make test-python3.12`
LEGS := test-python3.11 test-python3.12 test-python3.13

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-pythons test-lowest $(LEGS) lint docs tour demo-models

help: ## Show the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(INSTALLED): setup.cfg pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "mkbench needs Python 3.10 or newer, found " + sys.version.split()[0] + "; name one with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c $(CONSTRAINTS) -e '.[app,dev,data,docs,hf,llm,saliency]'
	touch $@

demo: $(INSTALLED) ## Benchmark the four bundled models on the bundled images (minutes, no GPU, no download)
	$(BIN)/mkbench demo --out runs/demo

test: $(INSTALLED) ## Run the fast tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: $(INSTALLED) ## Run all tests, the slow ones too
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m 'slow or not slow'

test-pythons: test-lowest test-python3.12 test-python3.13 ## Run the fast tests on the oldest Python and the newest two, one after the other

test-lowest: ## Run the fast tests on Python 3.10 with the oldest versions that setup.cfg allows
	$(MAKE) test PYTHON=python3.10 VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

$(LEGS): test-python%:
	$(MAKE) test PYTHON=python$* VENV=.venv-$*

lint: $(INSTALLED) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED) ## Build the documentation in site/ (a warning is an error)
	$(BIN)/python docs/site/reference.py
	$(BIN)/mkdocs build --strict

# Progress bars say that they miss a widget, with a path of this machine.
tour: $(INSTALLED) ## Run examples/tour.ipynb and keep what it prints
	cd examples && PYTHONWARNINGS='ignore:IProgress not found' $(abspath $(BIN))/jupyter execute --inplace tour.ipynb

demo-models: $(INSTALLED) ## Retrain the four bundled models (under 2 hours on two CPU cores, minutes on a GPU)
	for model in critters-vit-s critters-vit-m critters-vit-l critters-rn; do \
		$(BIN)/mkbench fit --config configs/critters/train/$$model.yaml || exit 1; \
	done
