# One virtualenv, `.venv`, made from the first Python that is new enough. Its two stamps make
# set-up happen once: afterwards `make test` and `make check` need no network.

PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
VENV := .venv
BIN := $(abspath $(VENV))/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --retries 2
# Tests wait more than they compute: on two cores the suite takes 526 s with four, 627 s with two.
WORKERS ?= 4

RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# What is built is dated by its source, so that the same source gives the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1580601600)
# The tests start a thousand processes, and each would compile whatever it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-failed test-slow test-ticks test-systemd test-systemd-full test-engine test-engine-fence soak fuzz lowest check bench bench-quick bench-engine docs man dist deb site vendor screenshots clean distclean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name does; do \
		printf '  make %-12s %s\n' "$$name" "$$does"; done

demo: $(RUNTIME) ## run examples/quickstart until Ctrl-C
	@cd examples/quickstart && exec $(BIN)/python ../../.ci/foreground.py $(BIN)/codelocd dev --ui

test: $(DEVELOPMENT) ## run the tests that take seconds
	@$(BIN)/python .ci/page_tools.py --install
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not slow"

test-failed: $(DEVELOPMENT) ## run the tests that failed last time, one after the other
	@$(BIN)/pytest --collect-only -qq -m "not slow" > $(VENV)/collected || { cat $(VENV)/collected; exit 1; }
	@$(BIN)/pytest --last-failed --last-failed-no-failures none -m "not slow" -v

test-slow: $(DEVELOPMENT) ## run the tests that take minutes
	@$(BIN)/pytest -m slow

test-ticks: $(DEVELOPMENT) ## a thousand ticks twice, ten minutes each, while daemons and attempts are killed
	@TICKS_SECONDS=600 $(BIN)/pytest -q -s -m slow tests/end_to_end/test_ticks_survive.py

test-systemd: $(DEVELOPMENT) ## boot a real systemd, as root, and run codelocd under it
	@$(BIN)/pytest -m slow tests/systemd --ignore tests/systemd/emulated

test-systemd-full: $(DEVELOPMENT) ## the same, and in an emulated machine the kernel's limits and a power cut
	@$(BIN)/pytest -m slow tests/systemd

test-engine: $(DEVELOPMENT) ## run locations on three machines of a Ray cluster, as root, in namespaces of this one
	@CODELOCD_TEST_ENGINE=1 $(BIN)/pytest -m slow tests/engine --durations=10 --ignore tests/engine/test_default_fence.py

test-engine-fence: $(DEVELOPMENT) ## take machines from a daemon that has the default fence, in four minutes, with figures
	@CODELOCD_TEST_ENGINE=1 $(BIN)/pytest -m slow tests/engine/test_default_fence.py -s

soak: $(DEVELOPMENT) ## try to break a daemon and its runs for seven minutes, kill 200 of them, then a store for one
	@$(BIN)/python -m tests.faults --seconds 150 --seed $$(date +%s)
	@$(BIN)/python -m tests.faults --seconds 250 --seed $$(date +%s) --serve
	@$(BIN)/python -m tests.faults --kills 200 --seed $$(date +%s)
	@SOAK_SECONDS=60 $(BIN)/pytest -m slow tests/envs/test_store_under_fire.py

fuzz: $(DEVELOPMENT) ## five minutes of bytes, requests and snapshots that nobody would send
	@$(BIN)/python -m tests.fuzz --seconds 300

lowest: $(DEVELOPMENT) ## quick tests with the oldest dependencies that pyproject.toml allows
	@$(BIN)/python -m venv --clear .cache/lowest
	@$(BIN)/uv pip install --quiet --python .cache/lowest/bin/python --resolution lowest-direct \
		--editable . 'pytest>=8.4' 'pytest-asyncio>=1.2' 'pytest-timeout>=2.4' 'hypothesis>=6.140' \
		'python-dotenv>=1.2.4' 'watchdog>=4' 'mypy>=1.18' 'pyright[nodejs]>=1.1.400' 'hatchling>=1.27'
	@.cache/lowest/bin/python .ci/lowest.py --installed
	@.cache/lowest/bin/python -m pytest -q -m "not slow" tests/supervisor/config tests/supervisor/rpc \
		tests/supervisor/test_client.py tests/supervisor/test_render.py tests/supervisor/test_shapes.py \
		tests/supervisor/test_logs.py tests/runner/codeloc tests/ui/top/test_top_model.py \
		tests/ui/top/test_top_keys.py

check: $(DEVELOPMENT) site ## lint, types, layers, structure, units, oldest Python, links of the documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/project/test_units.py
	$(BIN)/python -m tests.architecture
	$(BIN)/vermin --quiet --no-tips --violations --target=3.8- runner
	$(BIN)/python .ci/lowest.py
	$(BIN)/python .ci/page_tools.py

bench: $(DEVELOPMENT) ## measure everything that is promised, and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks

bench-quick: $(DEVELOPMENT) ## measure a part of it, in two minutes
	@$(BIN)/python -m benchmarks --quick

bench-engine: $(DEVELOPMENT) ## measure locations on three nodes of a Ray cluster, as root, in six minutes
	@$(BIN)/python -m benchmarks.on_nodes $(BENCH_ENGINE)

docs: $(DEVELOPMENT) ## write what is made from the code: docs/cli.md and the schema of codelocd.toml
	@$(BIN)/python .ci/cli_reference.py

man: $(DEVELOPMENT) ## write the man pages into build/man
	@$(BIN)/python .ci/manual.py

dist: man ## build the sdist and the wheel into dist/, the same bytes each time
	@rm -rf dist && $(BIN)/python -m build --no-isolation --outdir dist . > build/dist.log || { cat build/dist.log; exit 1; }
	@cd dist && sha256sum *

deb: dist ## build dist/codelocd_VERSION_ARCH.deb, for the system's Python
	@$(BIN)/python .ci/deb.py

site: $(DEVELOPMENT) ## build the documents as a site into build/site
	@rm -rf build/pages && mkdir -p build/pages
	@git ls-files -co --exclude-standard README.md CHANGELOG.md CONTRIBUTING.md docs systemd examples "runner/*.md" | xargs cp --parents -t build/pages
	@$(BIN)/zensical build --strict

vendor: $(DEVELOPMENT) ## take the page's libraries and fonts from npm again
	@$(BIN)/python .ci/vendor.py

screenshots: $(DEVELOPMENT) ## take a picture of every page of the quickstart; two are the README's
	@$(BIN)/python -m tests.ui.screenshots

clean: ## remove what the targets above left behind, but not .venv
	rm -rf build dist .cache .*_cache .hypothesis benchmarks/results
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)

$(DEVELOPMENT): $(RUNTIME)
	@echo "make: installing the development tools into $(VENV)"
	@$(PIP) install --editable '.[dev]' || $(call offline)
	@touch $@

$(RUNTIME): pyproject.toml $(VENV)/pyvenv.cfg
	@echo "make: installing codelocd into $(VENV)"
	@$(PIP) install --editable . || $(call offline)
	@touch $@

$(VENV)/pyvenv.cfg:
	@for python in $(PYTHON); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			"$$python" -m venv $(VENV) && exit; \
			rm -rf $(VENV); \
			echo "make: $$python cannot make a virtualenv; on Debian and Ubuntu: apt install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "make: no Python 3.11 or newer found (tried: $(PYTHON)); make PYTHON=/path/to/python" >&2; \
	exit 1

offline = { echo "make: set-up was not finished; the lines above say why. It needs the package" \
	"index once; later runs need no network." >&2; exit 1; }
