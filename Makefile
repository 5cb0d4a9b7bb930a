# make demo    set up, replay a real recording, ask who used the NAS
# make test    set up, lint, types and every test
# make lint    only style, types and the direction of imports
# make lab     only the tests in the virtual machine with real kernel NFS servers
# make lab-traces  record there anew who saturates the disk (tests/fixtures/traces), an hour; PLOTS="..." for some of them
# make bench   side-by-side measurements
# make bench-attribution  fresh scenarios whose truth is known, what the engine says of them beside others; SEEDS=1,2,3
# make soak    the collector for ten minutes while servers come and go, every call that can fail, 10,000 schedules of faults
# make docs    write docs/cli.md anew from the commands

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: demo test lint bench bench-attribution lab lab-traces soak docs packages clean

# the first Python on the PATH that is new enough
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
BIN := .venv/bin
READY := .venv/.ready
RECORDING ?= $(firstword $(wildcard tests/fixtures/recordings/demo/*.jsonl.zst tests/fixtures/recordings/*/*.jsonl.zst))
STORE := build/demo
# a moment of the demo recording at which its disk did not keep up
MOMENT := 2026-11-23T13:25Z

demo: $(READY)
	@test -f $(RECORDING) || { echo "there is no recording $(RECORDING): name one with make demo RECORDING=FILE" >&2; exit 66; }
	@rm -rf $(STORE) && mkdir -p $(dir $(STORE))
	$(BIN)/nasacct replay $(RECORDING) --root $(STORE)
	@echo; echo '$$ nasacct usage --by server'
	@$(BIN)/nasacct usage --root $(STORE) --by server
	@echo; echo '$$ nasacct top --once --window 10m'
	@$(BIN)/nasacct top --root $(STORE) --once --window 10m
	@$(if $(findstring /demo/,$(RECORDING)),echo; echo '$$ nasacct why $(MOMENT)'; $(BIN)/nasacct why --root $(STORE) $(MOMENT))
	@echo
	@echo 'These are the counters of real kernel NFS servers. Next, type for example'
	@echo '  $(BIN)/nasacct usage --root $(STORE) --by server --step 5m'
	@echo '  $(BIN)/nasacct usage --root $(STORE) --explain'
	@echo '  $(BIN)/nasacct check --root $(STORE)'
	@echo '  $(BIN)/nasacct doctor'
	@echo '  make test'

# tests that make up a small world of their own, two at a time, the longest first; of the others, those that own the
# machine's (namespaces, mounts) one by one, beside the virtual machine (tests/conftest.py)
BESIDE := tests/faults/test_sweep.py tests/faults/test_forgetting.py tests/faults/test_schedules.py tests/faults/test_telling.py $(wildcard tests/faults/test_*cop*.py) tests/unit tests/sql
# matrices are small, and two workers' threads would wait for one another
test: export OPENBLAS_NUM_THREADS = 1
test: packages lint
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(BESIDE)
	$(BIN)/pytest --numprocesses 2 --dist loadscope $(addprefix --ignore=,$(BESIDE))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	@.ci/packages bench
	@for bench in $(filter-out soak attribution scenarios judging,$(patsubst bench/%/__main__.py,%,$(wildcard bench/*/__main__.py))); do \
		echo "== bench/$$bench"; $(BIN)/python -m bench.$$bench || exit; done

bench-attribution: $(READY)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m bench.attribution.compared $(if $(SEEDS),--seeds $(SEEDS))

lab: packages $(READY)
	$(BIN)/pytest tests/lab

lab-traces: packages $(READY)
	$(BIN)/python tests/lab/record-traces $(PLOTS)

soak: packages $(READY)
	$(BIN)/python -m bench.soak
	NASACCT_SWEEP_READS=1 $(BIN)/pytest tests/faults/test_sweep.py
	PYTHONPATH=tests $(BIN)/python -m faults.soak

docs: $(READY)
	$(BIN)/python -m nasacct.cli.reference > docs/cli.md.new && mv docs/cli.md.new docs/cli.md

packages:
	@.ci/packages

# everything that Python installs; again only when what is asked for has changed
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "nasacct needs Python 3.11 or newer; install one or name it with make PYTHON=..." >&2; exit 69; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || .ci/packages venv
	@echo 'installing the Python packages of constraints.txt into .venv'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
