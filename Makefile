# Each target sets up all that it needs from Python alone; a second run is quick.
# Each Python has its own environment, such as .venv-3.13: make test PYTHON=python3.13
PYTHON ?= python3
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv-$(PYTHON_VERSION)
BIN := $(VENV)/bin
NOT_IN_IMAGE := pygithub pynacl pyjwt cryptography cffi pycparser pygments markdown-it-py mdurl

.PHONY: demo environment test soak mutants check e2e smoke docs goldens screens stores outputs pictures lock package bench clean

demo: $(VENV)/demo
	@$(BIN)/ci3 demo

environment: $(VENV)/test

test: $(VENV)/test
	@$(BIN)/python -c 'import sys; print("Testing on Python", sys.version)'
	$(BIN)/python -m pytest -n 2 --dist loadscope --durations=10 $(PYTEST_ARGS)

# Long random runs, no part of test: SOAK_STEPS of the interleavings, SOAK_WORLDS with names and
# references, then a load run with kills.
SOAK_STEPS ?= 10000
SOAK_WORLDS ?= 12000
SOAK_OBJECTS ?= 200000
soak: $(VENV)/test
	SOAK_STEPS=$(SOAK_STEPS) $(BIN)/python -m pytest tests/integration/faults/test_interleavings.py
	SOAK_WORLDS=$(SOAK_WORLDS) $(BIN)/python -m pytest tests/unit/core/retention/test_reference_worlds.py
	$(BIN)/python -u -m tests.soak.load_run $(SOAK_OBJECTS)

# Change the safety logic in one place at a time and list the changes that no test detects. Only a
# module or package: make mutants MODULES=ci3/engine/gate.py
mutants: $(VENV)/mutants
	$(BIN)/python -m tools.mutants $(MODULES)

check: $(VENV)/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint --disable=all --enable=duplicate-code --min-similarity-lines=10 ci3
	$(BIN)/python -m tools.retired_words
	$(BIN)/python -m tools.docs.generate --check
	$(BIN)/actionlint .github/workflows/*.yml examples/*.yml tests/system/workflows/workflow.yml
	$(BIN)/zizmor --offline --quiet --min-severity low .github action.yml python/action.yml \
	  examples/*.yml tests/system/workflows/workflow.yml tests/system/workflows/stand_ins/*/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml python/action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms \
	  .github/ISSUE_TEMPLATE/bug_report.yml .github/ISSUE_TEMPLATE/feature_request.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml examples/*.yml \
	  tests/system/workflows/workflow.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/hadolint Dockerfile

# Build the image (as root, with podman) and test it: by itself, and in whole workflows with act.
e2e: $(VENV)/test
	tests/system/container/build-image
	CI3_IMAGE=localhost/ci3:dev $(BIN)/python -m pytest tests/system/container tests/system/workflows $(PYTEST_ARGS)

# Plan and apply once with a built image: make smoke IMAGE=… ENGINE=docker
smoke: $(VENV)/demo
	@CI3_IMAGE=$(IMAGE) CI3_ENGINE=$(ENGINE) $(BIN)/python -m tests.system.container.smoke

# Write again what is made from the code: action.yml, tables in README and docs, the schemas.
docs: $(VENV)/test
	$(BIN)/python -m tools.docs.generate

# Write again the expected texts of the tests; read the difference before you commit it.
goldens: $(VENV)/test
	UPDATE_GOLDENS=1 $(BIN)/python -m pytest $$(grep -rlE 'import assert_(golden|messages)|assert_screen\(' tests --include='test_*.py')

# Write again what the docs show of commands, from real runs; read the difference too.
screens: $(VENV)/test
	UPDATE_GOLDENS=1 $(BIN)/python -m pytest tests/repository/test_doc_screens.py

# Write docs/stores.md again from a run on each store; tests/system/stores/install installs them.
stores: $(VENV)/test
	UPDATE_GOLDENS=1 $(BIN)/python -m pytest tests/system/stores

# Show how what users see differs from a revision's: make outputs BEFORE=main
outputs: $(VENV)/test
	$(BIN)/python -m tools.recorded_outputs compare $(BEFORE) .

# Take the docs' pictures again, from real runs; needs Chromium and npm.
pictures: $(VENV)/test
	$(BIN)/python -m tools.docs.pictures

# Lock what the image and python/action.yml install; UPGRADE=--upgrade takes newer releases. What is used
# of actions-toolkit and of rich imports nothing that NOT_IN_IMAGE names.
lock: $(VENV)/test
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url $(foreach name,$(NOT_IN_IMAGE),--no-emit-package $(name)) \
	  --custom-compile-command "make lock" --quiet $(UPGRADE) --output-file requirements.lock

# Build the sdist, and from it the wheel, into dist/; the same sources give the same files.
package: $(VENV)/test
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/twine check --strict dist/*

# Measure ci3 and other tools, and write docs/performance.md. Only a part, or a second checkout
# too: bench/README.md.
bench: $(VENV)/test $(VENV)/peers/ready
	$(BIN)/python -m bench --into docs --raw build/bench/runs.json $(BENCH_ARGS)

clean:
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@test -n "$(PYTHON_VERSION)" || { echo "$(PYTHON) does not run; name Python 3.11 or newer with:" \
	  "make PYTHON=/path/to/python3.13 (or, with pyenv, set PYENV_VERSION)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "ci3 needs Python 3.11 or newer; name one with: make PYTHON=python3.13" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv is missing: on Debian and Ubuntu, apt install python3-venv" >&2; exit 2; }

$(VENV)/demo: pyproject.toml | $(VENV)/bin/python
	@echo "Setting up, once…"
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

# Without --no-compile, pip compiles 110 MB of sources, most of which no test imports.
$(VENV)/test: pyproject.toml tests/requirements.txt | $(VENV)/bin/python
	@echo "Setting up, once…"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -r tests/requirements.txt
	@touch $@ $(VENV)/demo

$(VENV)/mutants: tools/mutants/requirements.txt $(VENV)/test
	@echo "Setting up mutation testing, once…"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r tools/mutants/requirements.txt
	@touch $@

$(VENV)/peers/ready: bench/requirements.txt | $(VENV)/bin/python
	@echo "Setting up the peers, once…"
	@$(BIN)/python -m venv $(VENV)/peers
	@$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@
