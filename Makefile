# Every target sets up what it needs by itself: a virtual environment in .venv, from the locked versions.

VENV   := .venv
BIN    := $(VENV)/bin
MADE   := $(VENV)/.made
READY  := $(VENV)/.ready
DEV    := $(VENV)/.ready-dev
PIP    := $(BIN)/python -m pip -qq --disable-pip-version-check
# Python compiles what is imported, once; of all that is installed it is a small part.
PIN    := $(PIP) install --no-compile
LOCK   := --quiet --generate-hashes --strip-extras --allow-unsafe --build-deps-for editable \
          --no-header --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check bench lock clean
.DELETE_ON_ERROR:

help: ## what there is
	@echo "make demo      simulate a retail chain, load it, compare with the known answers"
	@echo "make test      the tests, ten minutes or so on two cores"
	@echo "make test-all  all tests, the long ones and longer random searches too"
	@echo "make check     formatting, types, import rules, SQL style"
	@echo "make bench     measurements side by side"
	@echo "make lock      renew the locked versions from pyproject.toml"
	@echo "make clean     remove .venv, caches and the demo"
	@echo
	@echo "Each sets up .venv by itself, once. Another Python: make test PYTHON=python3.12"

demo: $(READY)
	@$(BIN)/systock demo

test: $(DEV)
	@$(BIN)/pytest -q -n 2 --dist worksteal

test-all: $(DEV)
	@$(BIN)/pytest -q -n 2 --dist worksteal -m "" --hypothesis-profile long

check: $(DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/sqlfluff lint --nocolor src
	@if docker compose version >/dev/null 2>&1; then \
	    docker compose config -q && docker compose --profile demo config -q; \
	else echo "no Docker Compose here: docker-compose.yml is not checked" >&2; fi

bench: $(DEV)
	@$(BIN)/python -m benchmarks.run

# The locks are made anew for the oldest Python that is supported, so that they hold for the later ones.
lock: $(DEV)
	@$(PIP) install pip-tools
	@$(BIN)/pip-compile $(LOCK) --upgrade --output-file requirements.lock pyproject.toml
	@$(BIN)/pip-compile $(LOCK) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@$(BIN)/pip-compile $(LOCK) --extra dlt --extra mysql --extra postgres --extra remote --constraint requirements-dev.lock \
	    --output-file requirements-image.lock pyproject.toml

clean:
	@rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src test -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp, not the interpreter: what an interrupted set-up left is made anew.
$(MADE):
	@if $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then touch $@; exit 0; fi; \
	python=; for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	    if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "SyStock needs Python 3.11 or later; found: $$(python3 --version 2>/dev/null || echo none)." >&2; \
	    echo "Install one and try again, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! $$python -c 'import venv, ensurepip' 2>/dev/null; then \
	    echo "$$($$python --version) is here, but it cannot make virtual environments." >&2; \
	    echo "On Debian and Ubuntu: sudo apt install python3-venv; then try again." >&2; exit 1; \
	fi; \
	rm -rf $(VENV) && $$python -m venv $(VENV) && touch $@ || { rm -rf $(VENV); exit 1; }

$(READY): requirements.lock pyproject.toml | $(MADE)
	@echo "Setting up $(VENV) (once, about a minute) ..." >&2
	@$(PIN) --require-hashes --requirement requirements.lock
	@$(PIN) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.lock $(READY)
	@echo "Adding the tools for tests and checks (once) ..." >&2
	@$(PIN) --require-hashes --requirement requirements-dev.lock
	@touch $@
