# Every recipe sets up what it needs first; an up-to-date set-up costs milliseconds (scripts/setup.sh).
# Set-up and progress go to stderr, so that stdout holds only the result.

PYTHON_ENV := .venv/bin/python
SETUP := scripts/setup.sh

.PHONY: help run demo parse unit test check format bench bench-ocr bench-genai bench-admin score sweep chaos lock sbom release-check clean
.SILENT:

help: ## this list
	grep -E '^[a-z-]+: ##' Makefile | sed 's/: ## /	/'

# The whole service: web, workers, Flower. Ctrl-C stops it.
run: ## the whole service on this machine: make run [PORT=8001 FLOWER_PORT=5556]
	$(SETUP) run
	exec $(PYTHON_ENV) manage.py run

# The same with every mode on fake models; it uses its own data folder, .leafmill-demo. Ctrl-C stops it.
demo: ## every mode on fake models, offline: make demo [PORT=8001 FLOWER_PORT=5556 MODELS_PORT=8091]
	$(SETUP) run
	exec $(PYTHON_ENV) -m tests.fakes.providers.demo

# One document: make parse FILE=report.pdf [MODE=fast] [OUT=report.md] [ARGS="--pages 1,3-5"]
# Modes other than fast use models and need a running service: ARGS="--server http://127.0.0.1:8000".
# FILE, MODE and OUT come through the environment, so that a name may hold spaces and quotes.
parse: ## one document: make parse FILE=report.pdf [MODE=fast] [OUT=report.md] [ARGS="--pages 1,3-5"]
	$(SETUP) run
	if [ -z "$$FILE" ]; then echo "Name the document: make parse FILE=report.pdf [MODE=fast] [OUT=report.md]" >&2; exit 2; fi
	exec $(PYTHON_ENV) manage.py parse "$$FILE" $${MODE:+--mode "$$MODE"} $${OUT:+-o "$$OUT"} $(ARGS)

# The tests without servers, in a minute: make unit [ARGS="-k name"]
unit: ## the quick tests, without servers: make unit [ARGS="-k name"]
	$(SETUP) development
	$(PYTHON_ENV) -m pytest tests/unit $(ARGS)

# All tests, quick ones first: make test [TESTS=tests/unit] [ARGS="-k name"]
test: ## all tests: make test [TESTS=tests/unit] [ARGS="-k name"]
	$(SETUP) development
	scripts/test.sh

# Lint, types, import contracts, forgotten migrations, known vulnerabilities. Changes nothing.
check: ## lint, types, import contracts, forgotten migrations, known vulnerabilities
	$(SETUP) development
	scripts/check.sh

# Format all files and apply the lint fixes that are safe.
format: ## format all files, apply safe lint fixes
	$(SETUP) development
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: ## the benchmarks
	$(SETUP) development
	$(PYTHON_ENV) -m bench $(ARGS)

# Accuracy and speed of every OCR engine: make bench-ocr [ARGS="accuracy|steps|speed"]
bench-ocr: ## accuracy and speed of OCR
	$(SETUP) development
	$(PYTHON_ENV) -m bench.ocr $(ARGS)

# Pages with models, on a fake provider: make bench-genai [ARGS="widths-2 requests-4 fallback"]
bench-genai: ## throughput, quotas and outages of pages with models
	$(SETUP) development
	$(PYTHON_ENV) -m bench.genai $(ARGS)

# Response times of the admin with a million pages in PostgreSQL.
bench-admin: ## response times of the admin with a million pages
	$(SETUP) development
	$(PYTHON_ENV) -m bench.admin

# Score our Markdown on the documents of ../shared/corpus.
score: ## the score of our Markdown on the corpus
	$(SETUP) development
	$(PYTHON_ENV) -m bench.quality $(ARGS)

# What is lost of the PDFs of a folder: make sweep DIR=~/pdfs [ARGS="--pages 10 --worst 20 --processes 2"]
sweep: ## recall of characters and words of every PDF of a folder: make sweep DIR=~/pdfs
	$(SETUP) development
	if [ -z "$$DIR" ]; then echo "Name the folder: make sweep DIR=~/pdfs" >&2; exit 2; fi
	exec $(PYTHON_ENV) -m bench.sweep "$$DIR" $(ARGS)

# Property tests with new examples, kill and flush scenarios, and long tests: make chaos [TIMES=10]
chaos: ## property tests with new examples, kill and flush scenarios, long tests, ten times
	$(SETUP) development
	TIMES=$${TIMES:-10} scripts/chaos.sh

# Run it after a change of requirements*.in. make lock ARGS=--upgrade takes the newest version of everything.
lock: ## resolve requirements*.in into locks with hashes
	$(SETUP) run
	scripts/lock.sh $(ARGS)

# A bill of materials (CycloneDX) per image, in out/sbom.
sbom: ## a bill of materials per image, in out/sbom
	$(SETUP) development
	scripts/supply_chain.sh sbom

# Before images are published: known vulnerabilities, base images by digest, bills of materials.
release-check: ## what must hold before images are published
	$(SETUP) development
	scripts/supply_chain.sh release

# Keeps the data folder and .venv.
clean: ## remove caches and results
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache out
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
