# Everything Usher needs is installed into .venv from the hash-pinned locks. They are complete, so pip
# resolves nothing (--no-deps): what it would look up by itself has no hash, and moves.
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
export USHER_BASE_URL ?= http://127.0.0.1:$(PORT)

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show all targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/run.stamp: requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: setup
setup: .venv/dev.stamp ## Install everything, development tools included

.PHONY: run
run: .venv/run.stamp ## Set up, migrate and serve on 127.0.0.1:$(PORT)
	@exec $(BIN)/usher serve --upgrade --host 127.0.0.1 --port $(PORT)

.PHONY: demo
demo: .venv/run.stamp ## Run with an invented company: people, roles, limits, 30 days of usage
	@exec $(BIN)/usher demo --host 127.0.0.1 --port $(PORT)

.PHONY: test
test: .venv/dev.stamp ## Run the whole suite on SQLite and on PostgreSQL
	@$(BIN)/python -m pytest -n 3 --dist loadfile tests

.PHONY: e2e
e2e: .venv/dev.stamp ## Run against real identity providers (Debian 12, npm), a client of others and the real LiteLLM
	@$(BIN)/python -m pytest tests/idp/sign_ons.py tests/idp/oidc_sign_ons.py tests/e2e/test_applications.py tests/integrations/real_litellm.py

.PHONY: chaos
chaos: .venv/dev.stamp ## Run the long storms that make test runs briefly
	@$(BIN)/python -m pytest -n 2 --dist loadfile --chaos tests

.PHONY: bench
bench: .venv/dev.stamp ## Measure against the bare-stack yardstick (needs wrk)
	@$(BIN)/python -m bench

.PHONY: bench-scale
bench-scale: .venv/dev.stamp ## Measure 100,000 users beside 1,000, large groups, an import (needs wrk)
	@$(BIN)/python -m bench.scale

.PHONY: bench-governance
bench-governance: .venv/dev.stamp ## Measure new mapping orders over 50,000 people beside other requests
	@$(BIN)/python -m bench.governance

.PHONY: bench-spend
bench-spend: .venv/dev.stamp ## Measure authorizing and settling beside the yardstick (needs wrk)
	@$(BIN)/python -m bench.spend

.PHONY: bench-analytics
bench-analytics: .venv/dev.stamp ## Measure reports of 31 days over a million ledger rows
	@$(BIN)/python -m bench.analytics

.PHONY: bench-oauth
bench-oauth: .venv/dev.stamp ## Measure a question about a token beside 1,000 applications
	@$(BIN)/python -m bench.oauth

.PHONY: lint
lint: .venv/dev.stamp ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: format
format: .venv/dev.stamp ## Rewrite the code in the one format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: .venv/dev.stamp ## Check types
	@$(BIN)/mypy app tests bench migrations okta/scripts

.PHONY: migration
migration: .venv/dev.stamp ## Write the next migration from the models: make migration NAME=add_x
	@$(BIN)/alembic revision --autogenerate -m "$(NAME)"

.PHONY: docs
docs: .venv/run.stamp ## Write the generated pages in docs/
	@$(BIN)/python -m app.settings_page
	@$(BIN)/python -m app.tolerances_page
	@$(BIN)/python -m tests.support.conformance

.PHONY: lock
lock: .venv/dev.stamp ## Recompute the hash-pinned locks from pyproject.toml
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

.PHONY: clean
clean: ## Remove the virtual environment and caches (never var/)
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
