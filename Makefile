# Figures of compressed-code. Two commands do everything, each by itself: `make figures` and `make test`.

PYTHON ?= python3
VENV   ?= .venv

# A package index that torch alone is taken from, such as the one that pytorch.org names for CPU builds, which need 2 GB
# installed instead of 6; by default pip's own. Counts when the environment is made.
TORCH_INDEX ?=

# Notebooks run so many at a time, one thread each; make -jN figures has its own number.
JOBS   ?= 2

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SITE_TOOLS := $(VENV)/.installed-site
NOTEBOOKS := $(sort $(wildcard notebooks/[0-9][0-9]-*.ipynb))
# Those that take longest begin, so that none of them is left for the end.
FIRST     := $(wildcard $(foreach n,03 06 07 08 02 05 04,notebooks/$(n)-*.ipynb))
EXECUTED  := $(patsubst notebooks/%,build/notebooks/%,$(FIRST) $(filter-out $(FIRST),$(NOTEBOOKS)))
# Draws no figure; its panels' first answers go into the stored tier.
EXPLORER  := $(patsubst notebooks/%,build/notebooks/%,$(wildcard notebooks/explore.ipynb))

# On all cores, where pip takes one. Not left to the first import: where PYTHONDONTWRITEBYTECODE is set, as in many containers,
# every process would compile torch anew, ten seconds each. Some packages carry files that are no Python 3; those stay.
COMPILE = $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PRECIOUS: figures/README.md
.PHONY: help env figures stored notebook verify robustness site lab test test-long test-all lint format lock release bench zoo study published benchmarks scaling clean FORCE

help: ## show these targets
	@grep -hE '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

env: $(INSTALLED) ## create the environment in .venv (VENV=folder for another)

# What -jN was given; it stands in MAKEFLAGS only when a recipe is expanded.
GIVEN = $(filter -j%,$(MAKEFLAGS))
# A profile's notebooks have values of their own; its figures go to build/profiles, and figures/ stays as it is.
# Where the numbers come from: computed here, or the measured tables of a release, with which no model is run.
STORED ?=
figures: $(INSTALLED) ## run every notebook that is not up to date, write the figures, print what the claims came to (PROFILE=paper: the paper's models)
ifdef PROFILE
	@$(BIN)/python -m helpers profile $(PROFILE)
else
	@$(if $(STORED),COMPRESSED_CODE_COMPUTED=$$($(BIN)/python -m helpers unpack '$(STORED)') && export COMPRESSED_CODE_COMPUTED && )\
	$(MAKE) --no-print-directory $(if $(GIVEN),,-j$(JOBS)) GO_ON=- ALONE=$(filter 1 -j1,$(or $(GIVEN),$(JOBS))) figures/README.md
endif

stored: figures $(EXPLORER) ## pack the measured tables that figures and explorer rest on into one archive, for make figures STORED=PATH-OR-URL
	@$(BIN)/python -m helpers pack build/stored-tables.tar.xz $(EXECUTED:.ipynb=.tables) $(EXPLORER:.ipynb=.tables)

CHOSEN := $(if $(N),$(filter notebooks/$(N)-% notebooks/0$(N)-%,$(NOTEBOOKS)))
notebook: $(INSTALLED) ## run one notebook: make notebook N=01 [P="name=value ..."] (with P, figures go to build/custom)
	@test -n "$(CHOSEN)" || { echo "make notebook: no notebook $(N); use N=01 ..." >&2; exit 2; }
ifeq ($(origin P),undefined)
	@$(MAKE) --no-print-directory -W $(CHOSEN) $(CHOSEN:notebooks/%=build/notebooks/%)
	@$(BIN)/python -m helpers claims $(CHOSEN:notebooks/%=build/notebooks/%)
else
	@$(BIN)/python -m helpers run $(CHOSEN) $(CHOSEN:notebooks/%=build/custom/%) --parameters "$$P"
	@$(BIN)/python -m helpers claims $(CHOSEN:notebooks/%=build/custom/%)
endif

verify: $(INSTALLED) ## compute everything anew and compare it with what is committed (N=03 for one notebook)
	@$(BIN)/python -m helpers verify $(if $(N),--notebook $(N))

robustness: $(INSTALLED) ## repeat what the figures rest on as other machines would (SHORT=1 for the short form)
	@$(BIN)/python -m helpers robustness $(if $(SHORT),--short)

site: export PYTHONPATH := docs:$(PYTHONPATH)
site: $(SITE_TOOLS) ## build the site of what `make figures` left, build/site/index.html, which opens without a network
	@$(BIN)/python -m site_pages build/site-sources
	@$(BIN)/python -m sphinx --quiet --jobs auto -c docs -d build/site-doctrees build/site-sources build/site
	@echo "make site: build/site/index.html"

# JupyterLab refuses to run as root unless it is told to; in a container there is nobody else.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)
lab: $(INSTALLED) ## open JupyterLab on its start page; LAB="..." for further options (LAB="--no-browser --port 9999")
	@$(BIN)/python -m helpers start >/dev/null
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/jupyter lab --ServerApp.root_dir=. $(AS_ROOT) \
	  --LabApp.app_settings_dir=docs/jupyterlab --LabApp.default_url=/lab/tree/notebooks/start.md $(LAB)

test: $(SITE_TOOLS) ## run the test suite, all but its long tests
	$(BIN)/python -m pytest -m "not long"

test-long: $(SITE_TOOLS) ## run the long tests: every notebook with other models, whole matrices
	$(BIN)/python -m pytest -m long

test-all: test test-long ## run all that CI runs: the test suite, its long tests, the short form of robustness
	@$(MAKE) --no-print-directory robustness SHORT=1

lint: $(INSTALLED) ## check style, notebooks and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/nbstripout --keep-id --verify notebooks/*.ipynb
	$(BIN)/lint-imports

format: $(INSTALLED) ## format code and strip notebooks
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --keep-id notebooks/*.ipynb

lock: $(INSTALLED) ## resolve every locked list of packages anew, and environment.yml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra cluster --generate-hashes --no-annotate --no-header \
	  --upgrade pyproject.toml | awk '/^[^ ]/ {drop = /^(torch=|triton=|cuda-|nvidia-)/} !drop' > requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra site --generate-hashes --no-annotate --no-header \
	  --constraints requirements.lock pyproject.toml | awk 'NR == FNR {have[$$0]; next} \
	  /^[^ ]/ {drop = ($$0 in have) || /^(torch=|triton=|cuda-|nvidia-)/} !drop' requirements.lock - > docs/requirements.lock
	$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform linux --generate-hashes --no-annotate --no-header \
	  --constraints requirements.lock binder/requirements.in > binder/requirements.txt
	@{ printf 'name: compressed-code\nchannels: [conda-forge]\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n'; \
	   printf '      - "%s"\n' '$(TORCH)'; \
	   sed -nE 's/^([a-z0-9][^\\]*[^ \\]) *\\?$$/      - "\1"/p' requirements.lock; \
	   printf '      - "--editable=."\n'; } > environment.yml

TODAY := $(shell date -u +%Y-%m-%d)
release: ## write version and date into pyproject.toml, CITATION.cff and CHANGELOG.md: make release VERSION=1.2.3
	@echo '$(VERSION)' | grep -qxE '[0-9]+\.[0-9]+\.[0-9]+(rc[0-9]+)?' || \
	  { echo "make release: VERSION=1.2.3 is needed" >&2; exit 2; }
	@! grep -qF '## $(VERSION) (' CHANGELOG.md || { echo "make release: $(VERSION) is in CHANGELOG.md already" >&2; exit 2; }
	@sed -i -E 's/^version = ".*"/version = "$(VERSION)"/' pyproject.toml
	@sed -i -E 's/^version: .*/version: $(VERSION)/; s/^date-released: .*/date-released: "$(TODAY)"/' CITATION.cff
	@sed -i -E '0,/^## Unreleased$$/s//## Unreleased\n\n## $(VERSION) ($(TODAY))/' CHANGELOG.md
	@echo "make release: $(VERSION), $(TODAY); CONTRIBUTING.md says what comes next"

bench: $(INSTALLED) ## measure every speed goal beside what one would otherwise run, into data/reference/bench.csv (SHORT=1: try it out; ONLY="jobs scoring": these anew)
	@$(BIN)/python tests/speed/bench.py $(if $(SHORT),--short) $(ONLY)

zoo: $(INSTALLED) ## train the tiny models of data/zoo.yml that are not there yet (ONLY=key for one and what it needs)
	$(BIN)/python -m compressed_code zoo $(if $(ONLY),--only $(ONLY))

study: $(INSTALLED) ## train the further models of the study into build/study, hours, and sum up their cold starts (ONLY=key)
	@$(BIN)/python -m compressed_code zoo --study $(if $(ONLY),--only $(ONLY))

published: $(INSTALLED) ## measure the published model of data/published.yml in every variant, about an hour of one core
	@$(BIN)/python -m helpers published

benchmarks: $(INSTALLED) ## write the zoo's held-out tasks, data/benchmarks/zoo-*.jsonl, the same bytes on every machine
	$(BIN)/python -c 'from compressed_code.training_data.tasks import write_benchmarks; write_benchmarks()'

scaling: $(INSTALLED) ## write docs/scaling.md: what the paper's models cost on other machines
	$(BIN)/python -c 'from compressed_code.planning.scaling_page import write; write()'

clean: ## remove executed notebooks, downloads and measured tables (the environment and figures stay)
	rm -rf build data/results notebooks/start.md .pytest_cache .ruff_cache .hypothesis .import_linter_cache src/*.egg-info

# The lock holds every package but torch, whose build (CPU or CUDA) depends on the machine; pyproject.toml pins its version.
# So hashes of ours are checked for all but torch; pip compares torch with the hash that its index announces.
# Modules are compiled when they are first imported, as most of the 19,000 never are.
TORCH := $(shell sed -nE 's/.*"(torch==[^"]+)".*/\1/p' pyproject.toml)
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python >= 3.11 is needed; set PYTHON=" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements.lock
ifneq ($(TORCH_INDEX),)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --index-url '$(TORCH_INDEX)' '$(TORCH)'
	@$(BIN)/python -c 'from importlib.metadata import version; print("make: torch", version("torch"))'
endif
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-build-isolation -e '.[dev]'
	@$(COMPILE)
	@touch $@

# What only the site needs, beside the environment of everything else.
$(SITE_TOOLS): docs/requirements.lock | $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r docs/requirements.lock
	@$(COMPILE)
	@touch $@

missing = $(if $(filter-out $(wildcard $1),$1),FORCE)
# Beside each executed copy its last run left what it imports, read and wrote (.d) and the rows it looked up (.rows).
-include $(EXECUTED:.ipynb=.d) $(EXPLORER:.ipynb=.d)

# After an edit of a file of rows, and before anything is decided, the copies are found that rest on a row that changed.
ifneq ($(filter build/% figures/README.md,$(MAKECMDGOALS)),)
ifneq ($(wildcard $(INSTALLED)),)
-include build/notebooks/rows-compared.mk
endif
endif
build/notebooks/rows-compared.mk: data/models.yml data/quantizations.yml
	@mkdir -p $(@D)
	@$(BIN)/python -m helpers rows $(wildcard build/notebooks/*.rows)
	@touch $@

# Side by side each has one thread: threads that outnumber the cores mostly wait for each other.
ifeq ($(GO_ON)$(ALONE),-)
build/notebooks/%.ipynb: export OMP_NUM_THREADS ?= 1
endif
build/notebooks/%.ipynb: notebooks/%.ipynb requirements.lock | $(INSTALLED)
	$(GO_ON)@$(BIN)/python -m helpers run $< $@

figures/README.md: $(EXECUTED) | $(INSTALLED)
	@$(BIN)/python -m helpers gallery
	@$(BIN)/python -m helpers claims $(EXECUTED)
