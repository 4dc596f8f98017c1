# One command each:  make lab   make test
PY    ?= python3
VENV  ?= .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
# JupyterLab asks for a word of consent before it runs as root, as it must in a container
ROOT  := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab test quick chapters book lint clean

help:
	@echo "make lab       set up and open the chapters in JupyterLab"
	@echo "make test      set up and run everything that CI runs"
	@echo "make quick     only the unit tests that do not take seconds each: two minutes in all"
	@echo "make chapters  run every chapter and store its outputs (ONLY=04_blob_position: just that one)"
	@echo "make book      build the book to read without a kernel: book/index.html"
	@echo "make lint      check style"
	@echo "make clean     remove the environment"

# the stamp comes last, so a broken installation is made again and not believed
$(STAMP): pyproject.toml constraints.txt
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed: make PY=/path/to/python3"; exit 1; }
	@$(PY) -m venv $(VENV) || { echo "venv is missing: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[course,test]"
	@touch $@

# the course's settings come before those that the user's own JUPYTER_CONFIG_PATH names
lab: $(STAMP)
	JUPYTER_CONFIG_PATH="$(CURDIR)/tools/jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
	  $(BIN)/python -m jupyterlab $(ROOT) chapters

# on every core a file at a time, then a chapter in the browser
test: $(STAMP) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbval -n auto --dist loadfile chapters tests --ignore tests/browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder tests/browser

quick: $(STAMP) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow" tests --ignore tests/browser

chapters: $(STAMP)
	$(BIN)/python tools/build_chapters.py $(ONLY)
	$(BIN)/python tools/build_pictures.py

book: $(STAMP)
	$(BIN)/python tools/build_book.py

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

clean:
	rm -rf $(VENV)
