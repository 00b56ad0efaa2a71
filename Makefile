# Every target first installs what it needs into .venv, once.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
PEERS := $(VENV)/.peers
BIN := $(abspath $(VENV)/bin)
# One process a core, one thread each: small products gain nothing from a second thread.
# Worksteal: the tests of a module follow each other in one process, which makes what they share once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

# Real text for the tests that want it; they are skipped without.
ifneq ($(wildcard ../shared/data),)
ANYSEQ_DATA ?= $(abspath ../shared/data)
export ANYSEQ_DATA
endif

BENCHMARKS := limit training_speed time_spent reward_speed ranks_speed against_peers
CLAIMS := gradients memory one_vector reversed_and_ensembles depth speed

.PHONY: demo test full benchmark claims docs clean

demo: $(STAMP)  ## dates in 48 languages to ISO 8601, trained in about a minute
	$(BIN)/anyseq demo --output demo --overwrite

test: $(STAMP)  ## everything that must hold, in a few minutes
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not full"

full: test $(PEERS)  ## also with varying seeds, against other libraries, end to end
	$(PYTEST) -m full

benchmark: $(STAMP)  ## speed: of the limit, by operators, against the peers (installs them into benchmarks/.peers)
	for script in $(BENCHMARKS); do $(BIN)/python benchmarks/$$script.py || exit 1; done

claims: $(STAMP)  ## what the lectures say, measured: an hour or two; figures and plots in docs/claims
	for script in $(CLAIMS); do OMP_NUM_THREADS=1 $(BIN)/python benchmarks/claims/$$script.py || exit 1; done

docs: $(STAMP)  ## write docs/reference.md anew
	mkdir -p docs
	$(BIN)/python -m anyseq.cli.reference > docs/reference.draft
	mv docs/reference.draft docs/reference.md

clean:  ## remove the environment
	rm -rf $(VENV)

$(STAMP): pyproject.toml constraints.txt
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e '.[examples,dev]' -c constraints.txt
	touch $@

$(PEERS): $(STAMP)
	$(BIN)/python -m pip install -e '.[parity]' -c constraints.txt
	touch $@
