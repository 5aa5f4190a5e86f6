# Two commands matter: `make run` starts the dashboard, `make test` runs every test. Both do all the set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8050

.PHONY: setup run test bench lint format types docker clean lock test-tools
.DELETE_ON_ERROR:

setup: $(VENV)/.ready

run: setup
	$(BIN)/energy-sim serve --port $(PORT)

test: $(VENV)/.test-ready test-tools
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: setup
	$(BIN)/python -m benchmarks

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test-ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.test-ready
	$(BIN)/mypy

docker:
	docker build -t kraftflyt .

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

lock: # writes both locks anew; needs uv
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes -q \
		--custom-compile-command 'make lock' -o requirements-dev.lock
	uv pip compile pyproject.toml --extra agents -c requirements-dev.lock --universal --python-version 3.11 --generate-hashes -q \
		--custom-compile-command 'make lock' -o requirements.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Kraftflyt needs Python 3.11 or newer; call make PYTHON=/path/to/it"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -c 'from energy_sim.zones.kernel import compile_kernel; compile_kernel()'
	@touch $@

$(VENV)/.test-ready: requirements-dev.lock $(VENV)/.ready
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

test-tools: # what tests run besides Python: a browser, and a broker, which Debian keeps outside the PATH of many users
	@PATH="$$PATH:/usr/sbin:/usr/local/sbin"; missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	command -v chromedriver >/dev/null || missing="$$missing chromium-driver"; \
	command -v mosquitto >/dev/null || missing="$$missing mosquitto"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	else echo "make test needs a browser and an MQTT broker: install$$missing, then call it again"; exit 1; fi
