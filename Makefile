# Each target makes the virtual environment that it needs when it is missing, and says what it does.
PYTHON ?= python3
VENV ?= .venv
SCENARIO ?= B
SECONDS ?= 60
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# A cluster is three processes, and each would compile the whole package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check wheel judges screenshots bench bench-peers drill drill-bugs drill-memory drill-real fuzz docs clean

help:
	@echo "make demo        play scenario B on a real two-server cluster, and check each step (SCENARIO=A, C, all)"
	@echo "make test        the tests (no root, under 10 minutes with the installation)"
	@echo "make check       ruff, mypy --strict, bandit, import contracts, generated pages, vulnerable dependencies"
	@echo "make wheel       the wheel, and beside it what an installation brings (SBOM, CycloneDX), in dist"
	@echo "make judges      outside tools that judge what we make (may install packages)"
	@echo "make screenshots the README's pictures of the pages, anew (needs chromium)"
	@echo "make bench       speed, each figure beside its limit or a peer of the same run; a page in build"
	@echo "make bench-peers speed beside WireMock, mountebank, moto, Locust (installs them where it may)"
	@echo "make drill       faults from seeds on a simulated cluster (SECONDS=60, WORKERS=, SEED=: one again)"
	@echo "make drill-bugs  bugs on purpose, each of which the seeds have to find"
	@echo "make drill-memory  whether memory stays flat at a steady rate (MINUTES=60)"
	@echo "make drill-real  the long version of the drills with real kills (KILLS=20)"
	@echo "make fuzz        inputs that no one thought of, for MINUTES=10 (TARGET=name, REPLAY=file)"
	@echo "make docs        write the generated pages anew"
	@echo "make clean       remove what the other targets made"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …"; exit 1; }
	@echo "Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.server: pyproject.toml | $(BIN)/python
	@echo "Installing smartlic with its mock server into $(VENV)"
	@$(PIP) --editable '.[server]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing smartlic with the tools for tests into $(VENV)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.server

demo: $(VENV)/.server
	@$(BIN)/smartlic-mock demo --scenario $(SCENARIO)

test: $(VENV)/.dev
	@echo "Running the tests"
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup -m "not drill and not judge" tests

check: $(VENV)/.dev
	@echo "Checking style, types, security, import contracts, generated pages and dependencies"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive smartlic_client mock_server release
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/python -m release.audit

wheel: $(VENV)/.dev
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@$(BIN)/python -m release.sbom dist/smartlic-*.whl

judges: $(VENV)/.dev
	@echo "Running the judges from outside"
	@tests/judges/install
	@$(BIN)/python -m pytest -q -m judge tests/judges

screenshots: $(VENV)/.dev
	@tests/judges/install
	@SMARTLIC_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q -m judge tests/judges/test_browser.py tests/judges/test_fleet_page.py -k readme

bench: $(VENV)/.dev
	@mkdir -p build
	@$(BIN)/python -m benchmarks --json build/bench.json --html build/bench.html

bench-peers: $(VENV)/.dev
	@mkdir -p build
	@benchmarks/install-peers
	@$(BIN)/python -m benchmarks peers fleet_peer --json build/bench-peers.json --html build/bench-peers.html

drill-memory: $(VENV)/.dev
	@echo "A fleet at a steady rate against a cluster, for $(or $(MINUTES),60) minutes"
	@$(BIN)/python -m benchmarks.memory --minutes $(or $(MINUTES),60)

drill: $(VENV)/.dev
	@$(BIN)/python -m tests.drill --seconds $(SECONDS) $(if $(WORKERS),--workers $(WORKERS)) \
		$(if $(FIRST),--first $(FIRST)) $(if $(SEED),--seed $(SEED))

drill-bugs: $(VENV)/.dev
	@$(BIN)/python -m pytest -q -m drill tests/drill

drill-real: $(VENV)/.dev
	@echo "Drills with real processes: kills, stops, full disks"
	@KILLS=$(or $(KILLS),20) $(BIN)/python -m pytest -q -s -m drill --timeout=1200 --ignore tests/drill tests

fuzz: $(VENV)/.dev
	@$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(TARGET:%=--target %) $(if $(REPLAY),--replay '$(REPLAY)')

docs: $(VENV)/.dev
	@$(BIN)/python -m docs.generate

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .fuzz
