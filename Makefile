# One command each:  make lab   make test
PY    ?= python3
VENV  ?= .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
# JupyterLab asks for a word of consent before it runs as root, as it must in a container
ROOT  := $(if $(filter 0,$(shell id -u)),--allow-root)
# a file at a time on every core, and one more: who runs a chapter waits while its kernel computes, and the other way
# round; in the browser a chapter or explorer at a time
MORE   = $(shell $(PY) -c 'import os; print((os.cpu_count() or 1) + 1)')
FILES  = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(MORE) --ignore tests/browser
PAGES := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder tests/browser

.PHONY: help lab test test-slow test-all quick chapters book lint clean

help:
	@echo "make lab       set up and open the chapters in JupyterLab"
	@echo "make test      set up and run every chapter, the quick unit tests, and the explorers in a browser"
	@echo "make test-all  that, and what takes long: everything that CI runs"
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

lab: $(STAMP)
	$(BIN)/python -m jupyterlab $(ROOT) chapters

test: $(STAMP) lint
	$(FILES) --nbval -m "not slow" chapters tests
	$(PAGES) -m "not slow"

# kills and restarts of trainings, searches, all recorded runs; every chapter run in a real JupyterLab
test-slow: $(STAMP)
	$(FILES) -m slow tests
	$(PAGES) -m slow

test-all: test test-slow

quick: $(STAMP) lint
	$(FILES) -q -m "not slow" tests

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
