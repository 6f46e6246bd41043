.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
READY := $(VENV)/.ready
# Stages are run by DVC as plain `genline …`.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Nothing phones home: DVC's switch is in .dvc/config, the others are set by genline and here.
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
PORT ?= 5000
# torch brings its own CUDA packages, pinned by itself, where its build has CUDA.
CUDA_PACKAGES := cuda-bindings cuda-pathfinder cuda-toolkit triton nvidia-cublas nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand \
  nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink \
  nvidia-nvshmem-cu13 nvidia-nvtx

.PHONY: help setup repro test lint format ui report bench lock clean

help: ## list these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## create .venv from requirements.lock

# Made anew only when the lock or the project's own description changes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "genline needs Python 3.11 or newer, found $$($(PYTHON) --version); try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (once, a minute or two) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

repro: $(READY) ## run the pipeline: everything out of date, and nothing else
	@# A source archive has no git history: DVC then keeps its books without it.
	@git rev-parse --is-inside-work-tree >/dev/null 2>&1 || $(BIN)/dvc config --local core.no_scm true
	@$(BIN)/genline check
	@$(BIN)/dvc repro || { status=$$?; \
	  echo "The line stopped; nothing that was made before is lost: \`git restore reports\` and \`$(BIN)/dvc checkout\` bring back the last good outputs."; \
	  exit $$status; }
	@$(BIN)/genline summary

test: $(READY) ## run all tests
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

lint: $(READY) ## style, types, and that each layer imports only those below it
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

ui: $(READY) ## open MLflow on 127.0.0.1 (PORT=5000)
	@$(BIN)/genline ui --port $(PORT)

report: $(READY) ## write the report again from what is there
	@$(BIN)/dvc repro --single-item report

# tuning.py and text_catalogue.py train for most of an hour, to choose and to compare; preparation.py
# takes as long, and 10 GB of disk; image_quality.py wants a data set of one's own: run them by name.
LONG := $(addprefix benchmarks/,image_quality.py preparation.py text_catalogue.py tuning.py)
bench: $(READY) ## run the benchmarks; each prints ratios
	@for file in $(filter-out $(LONG),$(wildcard benchmarks/*.py)); do echo "== $$file"; $(BIN)/python $$file; done

lock: $(READY) ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra test --extra lint --no-annotate \
	  $(addprefix --no-emit-package ,$(CUDA_PACKAGES)) --custom-compile-command "make lock" \
	  --output-file requirements.lock pyproject.toml

clean: ## delete the environment, caches and temporary files; data, models and MLflow stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
