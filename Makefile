# Two commands: `make demo` and `make test`. Each sets up .venv on a machine that has only Python, pip and make.
PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
PIP = .venv/bin/pip --disable-pip-version-check
BIN = .venv/bin

.PHONY: demo test slow fullsize lint clean

demo: .venv/ready
	$(BIN)/bench run control=melqcd learn=lab data.test=40 data.train=0

test: .venv/ready lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "not slow and not fullsize" --durations=8

slow: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow

# the published networks at their full size: 20 GB of disk under TMPDIR, 18 GB of memory, minutes each; skipped without ../shared
fullsize: .venv/ready
	rm -f results/fullsize.jsonl; mkdir -p results
	for file in tests/fullsize/test_*.py; do \
		BENCH_FULLSIZE=$(CURDIR)/results/fullsize.jsonl OMP_NUM_THREADS=1 $(BIN)/pytest -x -m fullsize $$file || exit 1; done

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --level error

# torch first and by itself: a looser range pulls gigabytes of CUDA on some machines
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) --no-deps "$(TORCH)"
	$(PIP) install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf .venv results/cache
