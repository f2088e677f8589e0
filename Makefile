# make setup            a virtual environment in .venv with uhop, its tests and its checks
# make setup TORCH=torch==2.13.0    the same, with the torch build of your choice
# make test             the plain tests; no network, no GPU, no data sets
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch
DEMO := build/demo
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help setup demo test lint types check docs acceptance benchmark stress mutants
.DEFAULT_GOAL := help

help:
	@echo 'make setup | demo | test | lint | types | check | docs | acceptance | benchmark | stress | mutants'

# What torch takes is about what it was for Linux on x86-64 when this was written; elsewhere pip's build without CUDA is the only one.
setup:
	@echo 'make setup: makes a virtual environment in $(VENV) and installs into it, in this order:'
	@echo '  1. $(TORCH), which is used on a GPU only and is by far the largest part:'
	@echo '     with CUDA (what pip takes on Linux) about 2.6 GB to download and 5 GB on disk;'
	@echo '     a CPU build about 0.2 GB and 1 GB: make setup TORCH=VERSION, where pip finds one'
	@echo '  2. uhop itself, its tests and checks: about 0.15 GB on disk'
	@echo 'Nothing outside $(VENV) is changed. This takes some minutes; Ctrl-C stops it, and it can be run again.'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if $(BIN)/python -m pip show --quiet torch 2>/dev/null; then echo 'torch is there already'; fi
	$(BIN)/python -m pip install --quiet '$(TORCH)'
	$(BIN)/python -m pip install --quiet --editable '.[dev,plot,heif,cluster]'
	@touch $(INSTALLED)
	@echo 'done: $(BIN)/uhop --help, or make demo'

$(INSTALLED): pyproject.toml
	$(MAKE) setup

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

check: lint types test

# Stores the sample pictures, restores their damaged copies into build/demo and shows both; works offline, and twice.
demo: $(INSTALLED)
	@$(BIN)/uhop demo --output $(DEMO)

# The help texts in docs/cli.md, and the pictures of the README and of docs/frames.md.
docs: $(INSTALLED)
	$(BIN)/python docs/write_cli.py
	$(BIN)/python docs/write_picture.py
	$(BIN)/python docs/write_frames_picture.py

# Prints the figures that the project promises. Data sets are taken from UHOP_DATA_DIR; what is missing is skipped by name.
acceptance: $(INSTALLED)
	status=0; \
	for run in 'command_line.py all' 'evidence.py --memories 50000 --seeds 1' 'evidence.py --memories 5000 --rows all' \
	    'evidence.py --dataset photos' 'evidence.py --dataset sprites' 'evidence.py --dataset mnist' 'confidence.py calibration' \
	    'confidence.py refusals --queries 1000 --seed 12' 'confidence.py forecast' known_masks.py reduced.py one_engine.py \
	    verification.py backgrounds.py 'frames.py all' 'stage_one.py all' 'stage_two.py all' metastable_sizes.py 'bench.py all' \
	    'forecasting.py controls' 'forecasting.py memory' 'forecasting.py events' \
	    'forecasting.py net' 'forecasting.py tune' 'learning.py all' 'layers.py all'; do \
	  echo "== $$run"; $(BIN)/python tests/acceptance/$$run || status=1; \
	done; exit $$status

benchmark: $(INSTALLED)
	$(BIN)/python -m pytest tests/benchmarks -s

# Hostile input, kills, faults and concurrent commands (SECURITY.md). Takes an hour; DATA names the folder of the data sets.
DATA ?= $(UHOP_DATA_DIR)
stress: $(INSTALLED)
	status=0; \
	for run in 'images.py --count 40000 $(if $(DATA),--data-dir $(DATA))' 'memory_files.py --count 20000' \
	    'kills.py --count 300' 'kills.py --count 300 --bench' concurrency.py 'faults.py $(if $(DATA),--data-dir $(DATA))'; do \
	  echo "== $$run"; $(BIN)/python tests/stress/$$run || status=1; \
	done; exit $$status

# Small errors put into copies of the code, one at a time; the plain tests must notice them (tests/mutants.py). Takes hours.
mutants: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[mutants]'
	$(BIN)/python tests/mutants.py $(MUTANTS)
