# Every recipe sets up what it needs first; an up-to-date set-up costs milliseconds (scripts/setup.sh).
# Set-up and progress go to stderr, so that stdout holds only what was asked for.

PYTHON_ENV := .venv/bin/python
SETUP := scripts/setup.sh

.PHONY: help run demo parse test check bench bench-ocr bench-genai bench-admin score chaos lock clean
.SILENT:

help: ## this list
	grep -E '^[a-z-]+: ##' Makefile | sed 's/: ## /	/'

# The whole service: web, workers, Flower. Ctrl-C stops it.
run: ## the whole service on this machine: make run [PORT=8001 FLOWER_PORT=5556]
	$(SETUP) run
	exec $(PYTHON_ENV) manage.py run

# The same with every mode, on models that are fakes; in a data folder of its own, .leafmill-demo. Ctrl-C stops it.
demo: ## every mode on fake models, offline: make demo [PORT=8001 FLOWER_PORT=5556 MODELS_PORT=8091]
	$(SETUP) run
	exec $(PYTHON_ENV) -m tests.fakes.providers.demo

# One document: make parse FILE=report.pdf [MODE=fast] [OUT=report.md] [ARGS="--pages 1,3-5"]
# Another MODE asks models, which a running service does: ARGS="--server http://127.0.0.1:8000".
# FILE, MODE and OUT come through the environment, so that a name may hold spaces and quotes.
parse: ## one document: make parse FILE=report.pdf [MODE=fast] [OUT=report.md] [ARGS="--pages 1,3-5"]
	$(SETUP) run
	if [ -z "$$FILE" ]; then echo "Say which document: make parse FILE=report.pdf [MODE=fast] [OUT=report.md]" >&2; exit 2; fi
	exec $(PYTHON_ENV) manage.py parse "$$FILE" $${MODE:+--mode "$$MODE"} $${OUT:+-o "$$OUT"} $(ARGS)

# All tests, quick ones first: make test [TESTS=tests/unit] [ARGS="-k name"]
test: ## all tests: make test [TESTS=tests/unit] [ARGS="-k name"]
	$(SETUP) development
	scripts/test.sh

# Lint, types, import contracts, forgotten migrations. Changes nothing.
check: ## lint, types, import contracts, forgotten migrations
	$(SETUP) development
	scripts/check.sh

bench: ## the benchmarks
	$(SETUP) development
	$(PYTHON_ENV) -m bench $(ARGS)

# OCR: accuracy and speed of every engine: make bench-ocr [ARGS="accuracy|steps|speed"]
bench-ocr: ## accuracy and speed of OCR
	$(SETUP) development
	$(PYTHON_ENV) -m bench.ocr $(ARGS)

# Pages with models, on a fake provider: make bench-genai [ARGS="widths-2 requests-4 fallback"]
bench-genai: ## throughput, quotas and outages of pages with models
	$(SETUP) development
	$(PYTHON_ENV) -m bench.genai $(ARGS)

# The admin's pages with a million rows of pages, on PostgreSQL.
bench-admin: ## time of the admin's pages with a million rows
	$(SETUP) development
	$(PYTHON_ENV) -m bench.admin

# The score of our Markdown over ../shared/corpus.
score: ## the score of our Markdown over the corpus
	$(SETUP) development
	$(PYTHON_ENV) -m bench.quality $(ARGS)

# New examples for the property tests, the kill and flush scenarios, and the third set of parts: make chaos [TIMES=10]
chaos: ## the kill and flush scenarios and the long tests, ten times
	$(SETUP) development
	TIMES=$${TIMES:-10} scripts/chaos.sh

# After a change of requirements*.in. make lock ARGS=--upgrade moves everything to its newest version.
lock: ## pin requirements*.in anew, with hashes
	$(SETUP) run
	scripts/lock.sh $(ARGS)

# Caches and results; never the data folder nor the environment.
clean: ## remove caches and results
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache out
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
