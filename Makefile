# Figures of compressed-code. Two commands do everything, each by itself: `make figures` and `make test`.

PYTHON ?= python3
VENV   ?= .venv

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NOTEBOOKS := $(sort $(wildcard notebooks/[0-9][0-9]-*.ipynb))
EXECUTED  := $(NOTEBOOKS:notebooks/%=build/notebooks/%)

# What every notebook depends on besides its own source. The helper modules it imports and the figures it wrote stand
# in the .d file that its last run left beside it. Folders are listed with their files, so that a deletion counts.
INPUTS := data $(wildcard data/*.yml) data/reference $(wildcard data/reference/*) \
          $(wildcard data/parallel-programs/*) $(wildcard data/parallel-programs/*/*) \
          $(wildcard data/benchmarks data/benchmarks/* data/zoo data/zoo/*/*)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env figures notebook lab test lint format lock bench zoo clean FORCE

help: ## show these targets
	@grep -hE '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

env: $(INSTALLED) ## create the environment in .venv (VENV=folder for another)

figures: $(EXECUTED) figures/README.md ## run every notebook that is not up to date and write the figures

CHOSEN := $(filter notebooks/$(N)-%,$(NOTEBOOKS))
notebook: $(INSTALLED) ## run one notebook: make notebook N=01 [P="name=value ..."] (with P, figures go to build/custom)
	@test -n "$(CHOSEN)" || { echo "make notebook: no notebook $(N); use N=01 ..." >&2; exit 2; }
ifeq ($(origin P),undefined)
	$(MAKE) --no-print-directory -W $(CHOSEN) $(CHOSEN:notebooks/%=build/notebooks/%)
else
	$(BIN)/python -m helpers run $(CHOSEN) $(CHOSEN:notebooks/%=build/custom/%) --parameters "figures='../build/custom' $$P"
endif

lab: $(INSTALLED) ## open JupyterLab with the kernel ready
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks

test: $(INSTALLED) ## run the whole test suite
	$(BIN)/python -m pytest

lint: $(INSTALLED) ## check style, notebooks and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --keep-id --verify $(NOTEBOOKS)
	$(BIN)/lint-imports

format: $(INSTALLED) ## format code and strip notebooks
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --keep-id $(NOTEBOOKS)

lock: $(INSTALLED) ## resolve requirements.lock and environment.yml anew from pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-annotate --no-header \
	  --upgrade pyproject.toml | awk '/^[^ ]/ {drop = /^(torch=|triton=|cuda-|nvidia-)/} !drop' > requirements.lock
	@{ printf 'name: compressed-code\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n'; \
	   printf '      - "%s"\n' "$$(sed -nE 's/.*"(torch==[^"]+)".*/\1/p' pyproject.toml)"; \
	   sed -nE 's/^([a-z0-9][^\\]*[^ \\]) *\\?$$/      - "\1"/p' requirements.lock; \
	   printf '      - "--editable=."\n'; } > environment.yml

bench: $(INSTALLED) ## measure speed side by side with what one would otherwise run
	$(BIN)/python tests/benchmarks/vocabularies.py
	$(BIN)/python tests/benchmarks/cold_start.py --cold
	$(BIN)/python tests/benchmarks/fidelity.py
	$(BIN)/python tests/benchmarks/generation.py
	$(BIN)/python tests/benchmarks/scoring.py
	$(BIN)/python tests/benchmarks/notebooks.py

zoo: $(INSTALLED) ## train the tiny models of data/zoo.yml that are not there yet (ONLY=key for one and what it needs)
	$(BIN)/python -m helpers zoo $(if $(ONLY),--only $(ONLY))

clean: ## remove executed notebooks, downloads and measured tables (the environment and figures stay)
	rm -rf build data/results .pytest_cache .ruff_cache .hypothesis .import_linter_cache src/*.egg-info

# The lock holds every package but torch, whose build (CPU or CUDA) depends on the machine; pyproject.toml pins its version.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python >= 3.11 is needed; set PYTHON=" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[dev]'
	@touch $@

missing = $(if $(filter-out $(wildcard $1),$1),FORCE)
-include $(EXECUTED:.ipynb=.d)

# Beside another notebook (make -j2) each gets one thread: threads that outnumber the cores mostly wait for each other.
ONE_THREAD = $(if $(filter -j%,$(MAKEFLAGS)),OMP_NUM_THREADS=1 )
build/notebooks/%.ipynb: notebooks/%.ipynb $(INPUTS) requirements.lock | $(INSTALLED)
	$(ONE_THREAD)$(BIN)/python -m helpers run $< $@

figures/README.md: $(EXECUTED) | $(INSTALLED)
	$(BIN)/python -m helpers gallery
