# Every command a person needs. `make help` lists them.
PYTHON ?= python3
BOOK := .venv-book/bin
TEST := .venv/bin
PIP := pip install --quiet --disable-pip-version-check --constraint constraints.txt
export PYTHONWARNINGS ?= ignore::DeprecationWarning
# What a user's environment may hold must not change what is installed or imported here.
unexport PYTHONPATH PYTHONHOME
export PIP_USER := 0
export PYTHONNOUSERSITE := 1
export KERAS_BACKEND := tensorflow
OFFLINE := { echo "The packages could not be installed (see above). With a network, the same command goes on."; exit 1; }
# Asked for another Python than an environment was made with: make it anew.
ifeq ($(origin PYTHON),command line)
$(foreach e,.venv .venv-book,$(if $(filter-out $(shell command -v $(PYTHON)),$(shell cat $(e)/ready 2>/dev/null)),$(shell rm -f $(e)/ready)))
endif
ifneq ($(filter publish,$(MAKECMDGOALS)),)
ifneq ($(words $(MAKECMDGOALS)),1)
$(error nothing was changed: make publish takes one address without spaces, REPO=owner/name)
endif
endif

# The Pythons of test-newest and test-lowest, whose environments are their own.
NEWEST ?= python3.13
LOWEST ?= python3.11
NBVAL := --nbval-current-env --nbval-sanitize-with tests/nbval.cfg --timeout 1500
REPORT := --junitxml _build/reports
# Two at a time, each on one core: half as long as one after the other on both.
ONE_CORE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
TWO := --numprocesses 2 --dist loadfile

.PHONY: help book epub serve test lint tests labs filled test-newest test-lowest
.PHONY: colab execute seeds assignments handout bench publish clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

book: .venv-book/ready ## render the stored outputs (no TensorFlow) and say which page to open
	@# Sphinx does not read every page again when one of these changes, so begin anew.
	@[ -z "$$(find references.bib _config.yml _toc.yml _ext _static src/helpers/claims.py src/helpers/assets/seeds.json -newer _build/done -name '*.*' 2>&1)" ] || rm -rf _build
	@rm -f _build/done # begin anew after a failure: Sphinx warns of a page only when it reads it
	$(BOOK)/jupyter-book build . -q -W -n --keep-going
	@touch _build/done
	@echo "Open $(CURDIR)/_build/html/index.html"

epub: .venv-book/ready ## the book for an e-book reader: figures as pictures, equations as MathML
	$(BOOK)/jupyter-book build . -q -W -n --path-output _build/ebook --builder custom --custom-builder epub
	@echo "Open $(CURDIR)/_build/ebook/_build/epub/the-imagenet-moment.epub"

serve: book ## show the book in a browser, at http://localhost:8000
	$(BOOK)/python tools/serve.py

test: lint tests labs filled ## everything: lint, tests of helpers and book, every lab run again and compared
	@$(TEST)/python tools/summary.py lint tests labs filled

lint: .venv/ready ## ruff: rules and format, notebooks included
	$(TEST)/ruff check .
	$(TEST)/ruff format --check .

tests: .venv/ready book ## tests of the helpers, of the labs' form and of the rendered book
	@date "+$@ begin at %T"
	$(ONE_CORE) $(TEST)/pytest $(TWO) --durations 12 $(REPORT)/tests.xml --ignore tests/filled tests

labs: .venv/ready ## run every lab again; its text outputs must be the stored ones
	@date "+$@ begin at %T"
	$(ONE_CORE) $(TEST)/pytest --nbval $(NBVAL) $(TWO) $(REPORT)/labs.xml notebooks

filled: .venv/ready ## run what the reader's functions touch, one written wrongly: make filled [FILLED=whole]
	@date "+$@ begin at %T"
	$(ONE_CORE) $(TEST)/pytest --numprocesses 2 --dist load $(REPORT)/filled.xml tests/filled

test-newest: ## tests and labs with the newest versions of everything that there are today
test-lowest: ## tests and labs with the lowest versions that pyproject.toml allows
test-newest test-lowest: test-%: .venv-%/ready book
	$(if $(filter newest,$*),.venv-newest/bin/pip install --quiet --upgrade --upgrade-strategy eager --editable ".[test]")
	@.venv-$*/bin/pip list | grep -iE '^(tensorflow|keras|numpy|matplotlib|pillow) '
	.venv-$*/bin/pytest $(TWO) $(REPORT)/tests-$*.xml --ignore tests/filled tests
	$(ONE_CORE) .venv-$*/bin/pytest --nbval-lax $(NBVAL) $(TWO) $(REPORT)/labs-$*.xml notebooks # every claim holds
	@.venv-$*/bin/python tools/summary.py tests-$* labs-$*

colab: .venv-colab/ready ## run labs alone from their files, as Colab does: make colab [LABS=...]
	.venv-colab/bin/python tools/colab.py $(LABS)

execute: .venv/ready ## run the labs again in place: make execute [LABS="03-backward-pass ..."]
	$(TEST)/python tools/execute_labs.py $(LABS)

seeds: .venv/ready ## run the labs with seeds 0 to 4, store what each claim measured: make seeds [LABS=...]
	$(TEST)/python tools/seeds.py $(LABS)

assignments: .venv/ready ## build the assignments' open copies, or a class's: make assignments SECRET=...
	$(TEST)/python tools/make_assignments.py $(if $(SECRET),--secret "$(SECRET)")

handout: .venv/ready ## a lab without solutions, as slides, and its chapter on a page: make handout LAB=03
	$(TEST)/python tools/make_handout.py $(LAB)

bench: .venv/ready ## measure the speeds and sizes that the book reports
	$(TEST)/python tools/bench.py

publish: ## set the book's address everywhere: make publish REPO=owner/name
	$(PYTHON) tools/publish.py $(REPO)

clean: ## remove what was built, keep the environments
	rm -rf _build

# The environments. They are made again when what they are made from changes.
.venv-book/ready: constraints.txt
	$(PYTHON) tools/check_python.py
	$(PYTHON) -m venv --clear .venv-book
	$(BOOK)/$(PIP) jupyter-book brotli fonttools mini-racer pillow || $(OFFLINE)
	@command -v $(PYTHON) > $@

.venv/ready: constraints.txt pyproject.toml
	$(PYTHON) tools/check_python.py
	$(PYTHON) -m venv --clear .venv
	$(TEST)/$(PIP) --editable ".[test]" || $(OFFLINE)
	@command -v $(PYTHON) > $@

.venv-newest/ready: OTHER = $(NEWEST)
.venv-lowest/ready: OTHER = $(LOWEST)
.venv-newest/ready .venv-lowest/ready: .venv-%/ready: pyproject.toml tools/floors.py
	@command -v $(OTHER) > /dev/null || { echo "There is no $(OTHER): make test-$* NEWEST=... LOWEST=..."; exit 1; }
	$(OTHER) tools/check_python.py
	$(OTHER) -m venv --clear .venv-$*
	$(if $(filter lowest,$*),$(OTHER) tools/floors.py,true) > .venv-$*/pins.txt
	.venv-$*/bin/pip install --quiet --disable-pip-version-check --constraint .venv-$*/pins.txt --editable ".[test]" || $(OFFLINE)
	@command -v $(OTHER) > $@

.venv-colab/ready: constraints.txt
	$(NEWEST) -m venv --clear .venv-colab
	.venv-colab/bin/$(PIP) tensorflow tensorboard matplotlib scikit-image scikit-learn tqdm ipykernel nbclient || $(OFFLINE)
	@touch $@
