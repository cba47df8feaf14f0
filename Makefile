# Tiercel's commands; `make` alone lists them. Each sets up what it needs and nothing it has already.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
BENCH ?= *
# Nothing is installed that the locks do not name, and nothing is built from source.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:

# The type checker comes with its own Node and must not look for a newer self.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# What a test run depends on: when none of it changed, `make check` believes the last green run.
FILES = $(shell find src tests benchmarks docs examples *.md pyproject.toml Makefile requirements .ci \
	-type f -not -path '*/__pycache__/*' -not -path '*.egg-info/*' -not -path '*/results/*' 2>/dev/null)

.PHONY: help
help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r verb what; do \
		printf 'make %-7s %s\n' "$$verb" "$$what"; done

.PHONY: up
up: $(VENV)/.server ## set up and run Tiercel; ARGS="--silver URL" is handed on
	@trap : INT; $(BIN)/tiercel up $(ARGS) || [ $$? -eq 130 ]  # Ctrl-C is how it ends, and no error

.PHONY: test
test: $(VENV)/.dev ## set up and pass every test
	@$(RUN_TESTS)

.PHONY: check
check: style types floors coverage ## everything that must be green before a change is kept

.PHONY: fix
fix: $(VENV)/.dev ## format, and repair what can be repaired
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format
	$(BIN)/python docs/generate.py

.PHONY: bench
bench: $(VENV)/.dev ## measure the promises; BENCH=telemetry for one of them
	@for program in benchmarks/$(BENCH).py; do echo "== $$program"; $(BIN)/python $$program || exit 1; done

.PHONY: docs
docs: $(VENV)/.dev ## write the generated parts, run the examples, follow the links
	$(BIN)/python docs/generate.py
	$(BIN)/pytest --quiet tests/house/test_docs_run.py tests/house/test_papers.py tests/house/test_rooms.py

.PHONY: lock
lock: $(VENV)/.server ## pin the newest versions that are a week old, with hashes, for every Python and system
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(LOCK) pyproject.toml requirements/build.in --output-file requirements/lock.txt
	$(LOCK) pyproject.toml requirements/build.in --extra dev --constraint requirements/lock.txt \
		--output-file requirements/dev.txt

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(VENV) build dist .coverage .coverage.* .hypothesis .*_cache src/*.egg-info
	find src tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +

# -- the parts of `make check`

.PHONY: style
style: $(VENV)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check

.PHONY: types
types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/pyright

.PHONY: floors
floors: $(VENV)/.dev
	$(BIN)/lint-imports --no-logo

# The rules of the house (tests/house) are tests like the others, so a green run has checked them.
.PHONY: coverage
coverage: $(VENV)/.tested
	$(BIN)/coverage report
	$(BIN)/coverage report --include='src/tiercel/terms/*,src/tiercel/route/*' --fail-under=100

$(VENV)/.tested: $(VENV)/.dev $(FILES)
	@$(RUN_TESTS)

# Slow tests count too, but not traced: a simulation takes three times as long under the tracer. Pytest's 5 means
# that none is marked slow.
RUN_TESTS = rm -f $(VENV)/.tested; \
	$(BIN)/pytest -m 'not slow' --cov --cov-report= --cov-fail-under=0 && \
	{ $(BIN)/pytest -m slow || [ $$? -eq 5 ]; } && \
	touch $(VENV)/.tested

# -- setting up

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--exclude-newer '7 days' --upgrade --custom-compile-command 'make lock'

# An environment that works is kept, whoever made it.
define MAKE_ENVIRONMENT
if $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then exit 0; fi; \
found=; for try in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	if $$try -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$try; break; fi; done; \
if [ -z "$$found" ]; then \
	echo "Tiercel needs Python 3.11 or newer, and here is $$(python3 --version 2>/dev/null || echo none)." >&2; \
	echo "Install one (Debian: apt-get install python3 python3-venv), or name it: make up PYTHON=/path/to/python3" >&2; \
	exit 1; fi; \
if ! $$found -m venv --clear $(VENV) >&2; then \
	rm -rf $(VENV); \
	echo "$$found cannot make an environment; on Debian that is: apt-get install python3-venv" >&2; exit 1; fi
endef

$(VENV)/.made:
	@echo "Making the environment in $(VENV) ..."
	@$(MAKE_ENVIRONMENT)
	@touch $@

$(VENV)/.server: $(VENV)/.made requirements/lock.txt pyproject.toml
	@echo "Installing what a server needs ..."
	@$(INSTALL) -r requirements/lock.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation -e .
	@touch $@

# forbiddenfruit, which lets a test notice a blocking call, is published as source only.
$(VENV)/.dev: $(VENV)/.server requirements/dev.txt
	@echo "Installing what the tests and checks need ..."
	@$(INSTALL) --no-binary forbiddenfruit --no-build-isolation -r requirements/dev.txt
	@touch $@
