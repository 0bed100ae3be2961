# Everything runs in .venv, which is set up when needed: Python >= 3.11 and make are enough.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run test bench lint types imports format openapi clean

run: $(READY)
	$(BIN)/twin run scenarios/township.toml

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist worksteal --durations=15

bench: $(READY)
	@mkdir -p .benchmarks
	$(BIN)/python -m pytest benchmarks --benchmark-json=.benchmarks/latest.json

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: $(READY)
	$(BIN)/python -m twin.alarmcore.annexb.openapi docs/annex-b.openapi.json
	$(BIN)/python -m twin.alarmcore.service.document docs/core.openapi.json

clean:
	rm -rf .venv build dist *.egg-info

$(READY): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)
