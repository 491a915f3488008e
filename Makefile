# Everything a person types in a checkout. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV := $(shell command -v uv || echo .uv/bin/uv)
BIN := .venv/bin
ARGS ?=
# Hospitals and companies sign with their own authorities; trust what the machine trusts.
export UV_SYSTEM_CERTS := 1

.PHONY: help demo up down test test-fast lint format proto proto-release docs examples bench compare-coders few-labels train look-at-stays clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# ---- environments: one lock; what runs, what tests, what trains ----

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet uv

$(BIN)/.runtime: pyproject.toml uv.lock | $(if $(filter .uv/bin/uv,$(UV)),.uv/bin/uv)
	@command -v python3.11 >/dev/null || { echo "Vigil needs Python 3.11 (Triton's Python backend is built for it); install it, then run this again." >&2; exit 1; }
	$(UV) sync --frozen --inexact --quiet --python 3.11
	@touch $@

$(BIN)/.test: $(BIN)/.runtime
	$(UV) sync --frozen --inexact --quiet --python 3.11 --extra test
	@touch $@

.venv-train/.ready: pyproject.toml uv.lock | $(if $(filter .uv/bin/uv,$(UV)),.uv/bin/uv)
	UV_PROJECT_ENVIRONMENT=.venv-train $(UV) sync --frozen --quiet --python 3.11 --extra train
	@touch $@

# ---- run ----

demo: $(BIN)/.runtime ## start everything, play the sample ward, keep running (ARGS=--exit: stop after the summary)
	$(BIN)/vigil demo $(ARGS)

up: $(BIN)/.runtime ## start the stack in the background
	$(BIN)/vigil up --detach $(ARGS)

down: $(BIN)/.runtime ## stop it
	$(BIN)/vigil down

# ---- check ----

test: lint ## everything: lint, then all tests with real Kafka, Triton and Chromium
	$(BIN)/pytest $(ARGS)

test-fast: $(BIN)/.test ## no Kafka, no Triton, about a minute
	$(BIN)/pytest tests --ignore=tests/integration --ignore=tests/system -n 2 -q $(ARGS)

lint: $(BIN)/.test ## ruff, mypy, import rules, contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy services cli ward bench deploy tests
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint
	$(BIN)/buf breaking --against proto/released.binpb
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && proto/generate.sh "$$fresh" && \
		diff -r -x __pycache__ "$$fresh/vigil" generated/vigil || { echo "generated/ has drifted from proto/: run make proto" >&2; exit 1; }

format: $(BIN)/.test ## put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# ---- make ----

proto: $(BIN)/.test ## generate the code of the contracts
	proto/generate.sh

proto-release: $(BIN)/.test ## freeze the contracts as released; later changes may only add to them
	$(BIN)/buf build -o proto/released.binpb

docs: $(BIN)/.runtime ## draw docs/topics.md from the registry
	$(BIN)/python docs/topics_page.py

examples: $(BIN)/.runtime ## write examples/ from the sample ward
	$(BIN)/python -m ward.examples

bench: $(BIN)/.runtime ## the benchmarks (ARGS="ward")
	$(BIN)/vigil bench $(if $(ARGS),$(ARGS),ward)

ifeq ($(FROM),scratch)
compare-coders: .venv-train/.ready
	PYTHONPATH=.:generated OMP_NUM_THREADS=1 .venv-train/bin/python -m bench.compare_coders --from scratch $(ARGS)
else
compare-coders: $(BIN)/.runtime ## six families of ICD-10-CM coders: tables and figure of docs/coders.md (FROM=scratch: train them again)
	$(UV) sync --frozen --inexact --quiet --python 3.11 --extra figures
	$(BIN)/python -m bench.compare_coders
endif

ifeq ($(FROM),scratch)
few-labels: .venv-train/.ready
	PYTHONPATH=.:generated OMP_NUM_THREADS=1 .venv-train/bin/python -m bench.few_labels --from scratch
else
few-labels: $(BIN)/.runtime ## what helps when few images have labels: tables and figure of docs/few-labels.md (FROM=scratch: train again)
	$(UV) sync --frozen --inexact --quiet --python 3.11 --extra figures
	$(BIN)/python -m bench.few_labels
endif

train: .venv-train/.ready ## make a model again from the training data (MODEL=icd_coder)
	@test -n "$(MODEL)" || { echo "say which: make train MODEL=$$(ls triton_models | tr '\n' '|')" >&2; exit 2; }
	PYTHONPATH=. OMP_NUM_THREADS=$${OMP_NUM_THREADS:-2} .venv-train/bin/python triton_models/$(MODEL)/training/train.py $(ARGS)

look-at-stays: .venv-train/.ready ## plot 40 stays with their risks, right ones and wrong ones, to var/risk/stays
	PYTHONPATH=. OMP_NUM_THREADS=1 .venv-train/bin/python triton_models/icu_mortality/training/pictures.py

clean: ## remove environments and the local stack's state (asks the stack to stop first)
	-$(BIN)/vigil down
	rm -rf .venv .venv-train .uv var
