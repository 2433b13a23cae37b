# `make run` and `make test` do everything on a fresh machine with Python 3.11+, Node and make.
PYTHON ?= python3
BIN := .venv/bin
# Compiled once, not at each start of the hundreds of programs that the tests start; of libraries only what is used.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test coverage slow fuzz faults bench lint clean install browser proxy

run: install
	@$(BIN)/overlay run --demo

# The unit tests alone must reach every branch of what a wrong one would hurt most; the others run without that weight. These wait
# for other programs a third of their time: one at a time more than there are cores.
ABREAST := $(shell echo $$(($$(nproc) + 1)))

test: install lint browser proxy
	@$(BIN)/pytest --numprocesses auto --dist worksteal tests/unit --cov --cov-report=term
	@$(BIN)/pytest --numprocesses $(ABREAST) --dist worksteal --durations 25 --ignore tests/unit

# Which lines of everything the tests reach.
coverage: install browser
	@mkdir -p build && printf '[run]\nbranch = true\nsource = overlay,markers,checklists\n[report]\nskip_covered = true\n' >build/coverage.ini
	@$(BIN)/pytest --numprocesses auto --dist worksteal --cov --cov-config=build/coverage.ini --cov-report=term-missing --cov-report=html:build/coverage

# A fresh labelled matching set at every run, and the peer beside us.
slow: install
	@$(BIN)/python -m pip install --quiet --editable '.[bench,bench-peer]'
	@$(BIN)/pytest -m slow -s

# Nonsense over HTTP under every role, and the store beside its model; SEED=... repeats the requests of a run.
REQUESTS ?= 50000
RUNS ?= 500

fuzz: install
	@FUZZ_REQUESTS=$(REQUESTS) FUZZ_RUNS=$(RUNS) FUZZ_SEED=$(SEED) $(BIN)/pytest -s tests/fuzz tests/store/test_store_machine.py

# Whatever may go wrong, for hours, and what came of it in one table; FAULT_SEED=... repeats the chances of a run.
KILLS ?= 1000
WRITES ?= 500
LOSSES ?= 200
CUT_EACH ?= 1
TAILS ?= 30
DISK ?= 25
FREEZES ?= 50
SUPERVISED ?= 100
DROPPED ?= 10000
ROTATIONS ?= 20
FAILOVERS ?= 100

faults: install
	@FAULT_KILLS=$(KILLS) FAULT_WRITES=$(WRITES) FAULT_LOSSES=$(LOSSES) FAULT_CUT_EACH=$(CUT_EACH) FAULT_TAILS=$(TAILS) \
	  FAULT_DISK=$(DISK) FAULT_FREEZES=$(FREEZES) FAULT_SUPERVISED=$(SUPERVISED) FAULT_DROPPED=$(DROPPED) \
	  FAULT_ROTATIONS=$(ROTATIONS) FAILOVERS=$(FAILOVERS) $(BIN)/pytest -v tests/faults

bench: install
	@$(BIN)/overlay bench check

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

install: .venv/.installed overlay/static/vendor/.built

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; PYTHON=... names another.")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[test]'
	@touch $@

overlay/static/vendor/.built: package.json package-lock.json $(wildcard overlay/static/*.scss overlay/static/styles/*.scss)
	npm ci --silent
	npm run --silent build
	@touch $@

# Browser tests use the system's chromium, its headless shell where there is one; where apt can be used it is installed.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -n)
APT = command -v apt-get >/dev/null && $(ROOT) apt-get update -qq 2>/dev/null && $(ROOT) apt-get install -y -qq --no-install-recommends
browser:
	@command -v chromium-headless-shell >/dev/null || { [ -z "$$CI" ] && command -v chromium >/dev/null; } || \
	  { $(APT) chromium-headless-shell >/dev/null 2>&1; } || \
	  command -v chromium >/dev/null || { $(APT) chromium >/dev/null; } || \
	  echo "No chromium and no way to install it: browser tests will be skipped (they fail with CI=true)."

# The proxy example is tried on the real proxy.
proxy:
	@command -v nginx >/dev/null || \
	  { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; } || \
	  echo "No nginx and no way to install it: its tests will be skipped (they fail with CI=true)."

clean:
	rm -rf .venv node_modules overlay/static/vendor build test-artefacts .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
