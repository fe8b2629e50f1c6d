# What a person types. Every target makes the environment first if it is missing or stale.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help env browser orthanc demo demo-pacs test test-all lint format bench lock docs demo-weights clean

BIN := .venv/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

env: ## Make the environment (.venv) from the lock, if it is missing or stale
	@tools/environment.sh

browser:
	@tools/browser.sh

orthanc:
	@tools/orthanc.sh

demo: env ## Build the synthetic hospital and run one night through the real DAGs
	@$(BIN)/fahr demo --night

demo-pacs: env orthanc ## The same with a PACS: Orthanc holds the DICOM photos, and the night pulls them through DICOMweb
	@FAHR_HOME=.fahr/pacs $(BIN)/fahr demo --pacs --night

test: env browser orthanc ## Run the tests (every commit)
	@$(PYTEST) -m "not slow"

test-all: env browser orthanc ## Run all tests, with slow, fault and soak tests
	@$(PYTEST)

lint: env ## Check style, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: env ## Mend style and formatting
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: env ## Measure speed and memory; results go to bench/results
	@$(BIN)/python -m bench

lock: env ## Compile the hashed requirements lock
	@$(BIN)/uv pip compile -q -p 3.11 --generate-hashes --no-header --no-annotate \
	  --override requirements/overrides.txt requirements/requirements.in -o requirements/requirements.lock

docs: env ## Regenerate the data dictionary from the catalogue of a fresh warehouse
	@export FAHR_HOME=$$(mktemp -d) && trap '$(BIN)/fahr warehouse stop >/dev/null; rm -rf $$FAHR_HOME' EXIT && \
	  $(BIN)/python -m jobs.warehouse.dictionary >$$FAHR_HOME/dictionary.md && \
	  cp $$FAHR_HOME/dictionary.md docs/data-dictionary.md

demo-weights: env ## Train the demo networks on drawn faces (half an hour or more)
	@$(BIN)/python -m model.training.demo --out model/weights/fahr-demo-1

clean: ## Stop the embedded warehouse and remove everything the product wrote here
	@[ ! -x $(BIN)/fahr ] || for home in .fahr/pacs .fahr; do FAHR_HOME=$$home $(BIN)/fahr warehouse stop; done
	@rm -rf .fahr
