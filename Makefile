# Copyright (c) 2026, Slipway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `make demo` and `make test` do all of their own set-up. `make help` lists the rest.

# The distribution's Python is built with profile-guided optimization. With one that pyenv compiled as it does by default
# a deploy takes a tenth more processor time (docs/speed.md).
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 2 ? 2 : 4)))
VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest
LAB := $(PYTHON) tests/lab
TOOLBOX := $(PYTHON) tests/checks/toolbox

# Images with a Python often ask for no bytecode; then every worker would rewrite the assertions of every test anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup matrix unit lint types sanity docs-lint ansible-lint changelog-lint package check \
	lab lab-status lab-down lab-clean integration demo benchmark test clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## --- two commands for everybody ---

demo: setup lab ## the main job, start to end, on real engines, step by step
	$(VENV)/python examples/demo.py

# Each worker has a lab of its own (tests/conftest.py). Tests also wait: two workers for a
# processor keep it busy. Four at most, as each has its own engines.
test: matrix lab ## every test: unit, checks, integration; pytest's summary comes last
	$(PYTEST) -n $(WORKERS) --dist loadscope --no-loadscope-reorder --durations=30 tests/integration tests/lab/test_life_cycle.py tests/unit tests/checks

## --- the inner loop ---

setup: ## .venv with the reference ansible-core and every tool
	@$(TOOLBOX) setup

matrix: setup ## also the environments of the oldest and the newest ansible-core that this machine's Pythons allow
	@$(TOOLBOX) matrix

unit: setup ## unit tests, under a minute
	SLIPWAY_EXAMPLES=$${SLIPWAY_EXAMPLES:-quick} $(PYTEST) -n auto tests/unit

lint: setup ## ruff: findings and format
	$(PYTEST) tests/checks/test_format.py

types: setup ## mypy over plugins/
	$(PYTEST) tests/checks/test_types.py

sanity: matrix ## ansible-test sanity, all of it, on every ansible-core of the matrix
	$(PYTEST) tests/checks/test_sanity.py

docs-lint: setup ## antsibull-docs: module, role and plugin documentation
	$(PYTEST) tests/checks/test_documentation.py

ansible-lint: setup ## ansible-lint, profile production
	$(PYTEST) tests/checks/test_ansible_lint.py

changelog-lint: setup ## antsibull-changelog: fragments and changelog
	$(PYTEST) tests/checks/test_changelog.py

package: setup ## build the tarball, install it into an empty place, use everything from there by its full name
	$(PYTEST) tests/checks/test_package.py

check: matrix ## all checks above and the unit tests on the other cores, no lab
	$(PYTEST) -m 'not lab' tests/checks

## --- the lab: real Docker hosts, registries and config centres on this machine ---

lab: ## bring it up (seconds once its caches are warm)
	$(LAB) up

lab-status: ## what of it is running
	$(LAB) status

lab-down: ## stop it, keep its caches
	$(LAB) down

lab-clean: ## remove every trace of it
	$(LAB) clean

integration: setup lab ## integration tests against the lab
	$(PYTEST) tests/integration

benchmark: setup lab ## print how long no-op tasks and retags take
	$(VENV)/python tests/benchmarks/noop_fleet.py
	$(VENV)/python tests/benchmarks/retag.py

## --- housekeeping ---

clean: ## remove what builds and tests leave; environments and caches stay
	rm -rf .work .pytest_cache .ruff_cache .mypy_cache .hypothesis tests/output slipway-delivery-*.tar.gz
	find . -name __pycache__ -not -path './.venv/*' -not -path './.cache/*' -prune -exec rm -rf {} +

distclean: lab-clean clean ## remove everything that make made, caches and environments too
	rm -rf .cache .venv
