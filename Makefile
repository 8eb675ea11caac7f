# Everything a newcomer needs is `make run` and `make test`; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# More than two cores have: half of what the tests of the service do is waiting for a disk.
WORKERS ?= 3
# Where this is set, each of the hundreds of processes that tests start compiles all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE
# Where tests look for Apache Kafka unless TILTWATCH_KAFKA_JARS says otherwise.
KAFKA_JARS := $(or $(TILTWATCH_KAFKA_JARS),$(CURDIR)/.kafka)

.DEFAULT_GOAL := help
.PHONY: help setup run test prove kafka check bench lock clean

help: ## show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## build .venv with everything in it (uv included)

$(READY): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("tiltwatch needs Python 3.11 or newer; say PYTHON=python3.12 make …") if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

run: setup ## start everything with simulated players; says which pages to open; Ctrl-C stops it
	@$(BIN)/tiltwatch run --demo

test: setup ## the whole suite but the storms, under ten minutes on two cores
	$(BIN)/pytest -n $(WORKERS) -m 'not storm'

# Schemathesis has no part in the storms. As they end it loads code that is being parsed then, at which a CPython
# before 3.11.8 can fall over (python/cpython#106905).
prove: setup ## the storms: kills, bursts, floods
	$(BIN)/pytest -p no:schemathesis -m storm

kafka: ## fetch Apache Kafka for the storms on it (needs Java 17 and Maven)
	mvn --batch-mode --quiet --file tests/kafka/pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory='$(KAFKA_JARS)'

check: setup ## format, lint, types, layers, rules, mappings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/tiltwatch rules check
	$(BIN)/tiltwatch rules test
	$(BIN)/tiltwatch map --check

bench: setup ## measure speed and size, peers beside it
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirements requirements/bench.txt
	$(BIN)/tiltwatch bench

lock: ## renew the requirements files from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' --extra dev pyproject.toml -c requirements/base.txt -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' --extra bench pyproject.toml -c requirements/base.txt -o requirements/bench.txt

clean: ## remove what was built
	rm -rf $(VENV) .kafka .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
