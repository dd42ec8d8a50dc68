# `make repro` and `make test` need Python 3.11 to 3.14, git and make; the rest they get.
SHELL := bash
.SHELLFLAGS := -e -u -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: setup repro test test-long lint bench recipe store requirements sheet clean help \
	compare report score browser plots-page show seeds paired needs journey servers faults

VENV ?= .venv
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	if "$$name" -c '$(SUPPORTED)' 2>/dev/null; then echo "$$name"; break; fi; done)
PY := "$(abspath $(VENV))/bin/python"
# Stages are run as `python -m stages.<name>`: by the python of the environment.
DVC := PATH="$(abspath $(VENV))/bin:$$PATH" $(PY) -m dvc
STORE_LIMIT_MB := 32

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Waiting OpenMP threads sleep: spinning ones cost 8 times the processor time on two
# busy cores (21.5 s instead of 2.6 s for the same training, same bytes).
export OMP_WAIT_POLICY := passive

setup: $(VENV)/.runtime ## make the environment in .venv, from requirements.txt

# Up to evaluate, not all stages: synthesize is left out unless `archive` names its zip.
repro: $(VENV)/.runtime ## run the pipeline; only what changed runs again
	@$(DVC) repro $(or $(ARGS),evaluate)

# A file's tests share what they set up: a file stays with one worker.
PYTEST := $(PY) -m pytest -n $(or $(WORKERS),2) --dist loadfile --no-loadscope-reorder
test: $(VENV)/.dev ## run the tests but the long ones, two files at a time (ARGS="-k ranking": some)
	@$(PYTEST) -m "not long" $(ARGS)

test-long: $(VENV)/.dev ## run the long tests: several processes, kills, clean-data, opposite settings
	@$(PYTEST) -m long $(ARGS)

lint: $(VENV)/.dev ## check style, types and spelling
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m codespell_lib

bench: $(VENV)-bench/.made ## time every hot path beside what others ship (ARGS="--only ranking"; an hour)
	@"$(VENV)-bench/bin/python" -m benchmarks.hot $(ARGS)

recipe: $(VENV)/.runtime ## list the recipes, or write params.yaml: NAME=iids DATASET=market1501
	@$(PY) -m recipes $(if $(FORCE),--force) $(NAME) $(DATASET)
	@$(if $(NAME),$(PY) -m experiments.needs)

needs: $(VENV)/.runtime ## say how long params.yaml will take, and how much memory and disk
	@$(PY) -m experiments.needs

sheet: $(VENV)/.runtime ## draw docs/synthetic.png: people by cameras
	@$(PY) -m benchmarks.sheet

store: $(VENV)/.runtime ## put the current run into .dvc-store, for git
	@cmp -s params.yaml recipes/default.yaml || { echo "store: params.yaml is not the default: only the synthetic run may go into git: make recipe NAME=default" >&2; exit 1; }
	@$(DVC) status -q || { echo "store: the pipeline is not up to date: make repro" >&2; exit 1; }
	@# Filled anew: dvc gc would also empty the user's cache. Not by dvc push, which sends no
	@# images: these may go, as nobody is in them.
	@new=.dvc/tmp/store; rm -rf "$$new"; mkdir -p "$$new"; trap 'rm -rf "$$new"' EXIT; \
	cache=$$($(DVC) cache dir)/files/md5; \
	tr -d "'" < dvc.lock | awk '/^    [a-z]+:/ {section = $$1} $$1 == "-" {path = $$3} \
	section == "outs:" && $$1 == "md5:" && path !~ /[.]json$$/ {print substr($$2, 1, 2) "/" substr($$2, 3), path}' | \
	while read -r object path; do \
		[[ -f $$cache/$$object ]] || { echo "store: the cache lacks $$path: .dvc-store is as it was: dvc pull, or make repro" >&2; exit 1; }; \
		mkdir -p "$$new/files/md5/$${object%/*}"; \
		cp "$$cache/$$object" "$$new/files/md5/$$object"; done; \
	size=$$(find "$$new" -type f -exec cat {} + | wc -c); \
	if ((size > $(STORE_LIMIT_MB) * 1000000)); then \
		echo "store: must be at most $(STORE_LIMIT_MB) MB, got $$size bytes: .dvc-store is as it was" >&2; exit 1; fi; \
	rm -rf .dvc-store; mv "$$new" .dvc-store; echo ".dvc-store: $$((size / 1000000)) MB"
	@$(PY) -m experiments.card
	@git add --force .dvc-store docs/model-card.md

# What differs in params.yaml, and three metrics: as it comes, the table has a column for
# every file and number, 60 of them.
HIDDEN := .*/|(counts|gallery|query|train|train_images_per_camera|published)[.]|md5$$|sha256$$|gallery_junk$$|num_queries$$|queries_without_match$$|test_only_cameras$$|(intra|inter)[.](loss|num_clusters|outliers|steps)$$|mAP_|rank1_|rank5$$|rank10$$|rank20$$|agrees$$|file$$|ignored[.]|requirements
show: $(VENV)/.runtime ## list the experiments of this commit, the best first
	@export COLUMNS=$${COLUMNS:-140}; $(DVC) exp show --no-pager --only-changed --hide-workspace --drop '$(HIDDEN)' --sort-by mAP --sort-order desc $(ARGS)

seeds: $(VENV)/.runtime ## run a recipe over seeds: N=5 RECIPE="iids synthetic" (or params.yaml)
	@$(PY) -m experiments.seeds --num $(or $(N),5) $(RECIPE) $(ARGS)

paired: $(VENV)/.runtime ## compare what make seeds wrote: A=iics-synthetic B=iids-synthetic
	@$(PY) -m experiments.paired $(A) $(B) $(ARGS)

compare: $(VENV)/.runtime ## draw runs into one picture: REVS="main my-experiment workspace"
	@$(PY) -m experiments.compare $(REVS) $(ARGS)

score: $(VENV)/.runtime ## print the metrics of data/features.npz, without a training (after dvc repro extract)
	@$(PY) -m experiments.score

report: $(VENV)/.runtime ## write the run as one HTML page, reports/report.html
	@$(PY) -m experiments.report $(ARGS)

browser: $(VENV)/.dev ## test the pages in a real browser (needs chromium, chromium-driver)
	@$(PY) -m pytest tests/browser $(ARGS)

servers: $(VENV)-servers/.made $(VENV)-moto/.made ## test docs/remotes.md against real servers (needs sshd)
	@MOTO="$(abspath $(VENV)-moto)" "$(VENV)-servers/bin/python" -m pytest \
		--numprocesses=2 --confcutdir=tests/servers tests/servers $(ARGS)

faults: $(VENV)/.dev ## kill runs, fill disks, cut pushes: docs/faults.md (needs Linux, unshare, mount)
	@$(PY) -m tests.faults --report docs/faults.md $(ARGS)

journey: $(VENV)/.runtime ## go through docs/experiments.md for real, on the smallest recipe
	@VIRTUAL="$(abspath $(VENV))" PATH="$(abspath $(VENV))/bin:$$PATH" tests/journey.sh

plots-page: $(VENV)/.runtime ## make .dvc/plots.html, DVC's page with vega in it (needs npm)
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	npm pack --silent --pack-destination "$$folder" $$($(PY) -m experiments.plots_page) >/dev/null; \
	$(PY) -m experiments.plots_page "$$folder"

COMPILE := $(PY) -m uv pip compile --quiet --universal --no-annotate --generate-hashes \
	--no-strip-extras --custom-compile-command "make requirements" $(ARGS)
# An entry is a name and its hashes, a line each, all but the last ended by a backslash.
NEW_ENTRIES := awk '{entry = entry $$0 "\n"} \
	!/\\$$/ {if (NR == FNR) known[entry]; else if (!(entry in known)) printf "%s", entry; entry = ""}'
requirements: $(VENV)/.dev ## compile requirements*.txt from pyproject.toml (ARGS=--upgrade)
	@$(COMPILE) pyproject.toml --output-file requirements.txt
	@$(COMPILE) --group dev --constraint requirements.txt --output-file requirements-dev.txt
	@only=$$($(NEW_ENTRIES) requirements.txt requirements-dev.txt); \
	{ sed -n 1,2p requirements.txt; echo "-r requirements.txt"; echo "$$only"; } > requirements-dev.txt
	@$(COMPILE) --group servers --constraint requirements.txt --constraint requirements-dev.txt \
		--output-file requirements-servers.txt
	@$(COMPILE) --group moto --output-file requirements-moto.txt
	@$(COMPILE) --group audit --output-file requirements-audit.txt
	@$(COMPILE) --group bench --no-deps --output-file requirements-bench.txt

# A list of faults that has none of PyYAML 5.3 (CVE-2020-1747) is not the list: some mirrors
# of the index give an answer and know nothing.
AUDIT := "$(VENV)-audit/bin/pip-audit" --strict --disable-pip --progress-spinner off
.PHONY: audit clean-data
audit: $(VENV)-audit/.made ## ask for known faults of what requirements*.txt name (needs the network)
	@told=$$($(AUDIT) --no-deps --requirement <(echo pyyaml==5.3) 2>&1 || true); \
	[[ $$told == *"Found "[1-9]*" known "* ]] || { echo "$${told##*$$'\n'}" >&2; \
		echo "audit: the list of known faults gives no answer: nothing was audited" >&2; exit 1; }
	@failed=; for list in requirements*.txt; do \
		echo "== $$list"; $(AUDIT) --require-hashes --requirement "$$list" || failed+=" $$list"; done; \
	[[ -z $$failed ]] || { echo "audit: known faults, or no answer, for$$failed" >&2; exit 1; }

clean: ## remove the environment and every tool's cache, no data and no result
	@rm -rf "$(VENV)" "$(VENV)-servers" "$(VENV)-moto" "$(VENV)-audit" "$(VENV)-bench" .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-data: $(VENV)/.runtime ## remove all that was made of datasets in this clone (RAW=1: the zips, too)
	@$(PY) -m experiments.clean_data $(if $(FORCE),--force) $(if $(RAW),--raw)

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# One line for an unsupported Python, before anything is made: $(error) ends make here.
RUNS = $(shell "$(PYTHON)" -c '$(1)' 2>/dev/null && echo yes)
define CHECK_PYTHON
$(if $(call RUNS,$(SUPPORTED)),,$(error crosscam needs Python 3.11 to 3.14, found \
'$(PYTHON)': install one, or name it with make PYTHON=/path/to/python3))
$(if $(call RUNS,import ensurepip),,$(error $(PYTHON) cannot make environments: \
install its venv module (Debian and Ubuntu: apt install python3-venv)))
endef

# No file is used that is not the one whose hash is written down. What has no wheel is built
# with the setuptools of the same list: pip would get the newest one for that, unchecked.
PIP_INSTALL := -m pip install --quiet --require-hashes --no-build-isolation --use-pep517 --requirement
SETUPTOOLS := awk '/^[a-z]/ {wanted = /^setuptools==/} wanted'

# The stamps are written last: an installation that was cut off is taken up again.
$(VENV)/.runtime: requirements.txt
	$(CHECK_PYTHON)
	@$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear "$(VENV)"
	@echo "installing the exact environment into $(VENV): some minutes, about 6 GB with CUDA"
	@$(PY) $(PIP_INSTALL) <($(SETUPTOOLS) $<)
	@$(PY) $(PIP_INSTALL) $<
	@touch "$@"

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@$(PY) $(PIP_INSTALL) $<
	@touch "$@"

# For what needs no torch, or other versions than the environment above.
$(VENV)-%/.made: requirements-%.txt
	$(CHECK_PYTHON)
	@"$(@D)/bin/python" -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear "$(@D)"
	@"$(@D)/bin/python" $(PIP_INSTALL) <($(SETUPTOOLS) $<)
	@"$(@D)/bin/python" $(PIP_INSTALL) $<
	@touch "$@"

# What the hot paths are timed beside, on the very numpy and torch of the environment
# above. fastreid's ranking comes as Cython, to be built.
SITE := -c "import sysconfig; print(sysconfig.get_path('purelib'))"
$(VENV)-bench/.made: requirements-bench.txt $(VENV)/.runtime
	@"$(@D)/bin/python" -m pip --version >/dev/null 2>&1 || $(PY) -m venv --clear "$(@D)"
	@$(PY) $(SITE) > "$$("$(@D)/bin/python" $(SITE))/crosscam.pth"
	@"$(@D)/bin/python" $(PIP_INSTALL) <($(SETUPTOOLS) $<)
	@"$(@D)/bin/python" $(PIP_INSTALL) $< --no-deps
	@include=$$($(PY) -c "import numpy; print(numpy.get_include())"); \
	cythonize=$$(realpath "$(@D)/bin/cythonize"); \
	cd "$$("$(@D)/bin/python" $(SITE))/fastreid/evaluation/rank_cylib"; \
	CFLAGS="-O3 -I$$include" "$$cythonize" --inplace --quiet rank_cy.pyx >/dev/null || \
		echo "bench: needs a C compiler for fastreid's ranking: goes on without it" >&2
	@touch "$@"
