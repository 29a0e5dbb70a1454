# Every target makes the virtual environment it needs when it is missing or out of date.
# On a machine with Python 3.11 or newer, pip, venv and make, `make demo` and `make test` are all the set-up there is.

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
READY   = $(VENV)/.ready

.PHONY: demo test venv bench format clean

demo: $(READY)
	$(BIN)/credenza demo

test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

venv: $(READY)

# The file is written last, so that an environment of which the install was interrupted is made again.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "credenza needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev -e '.[demo,encrypt,gguf,hub,kms,lz4,objectstore,onnx,pkcs11,pq,sigstore,torch]'
	touch $(READY)

bench: $(READY)
	$(BIN)/python -m benchmarks

bench-%: $(READY)
	$(BIN)/python -m benchmarks $*

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist credenza-demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
