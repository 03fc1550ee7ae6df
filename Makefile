# Commands for developers; `make` lists them. Longer scripts are in deploy/ and tests/.
PORT ?= 8000
MODEL_SECONDS ?= 3600
BIN := .venv/bin
export PORT

.DEFAULT_GOAL := help
.PHONY: help run demo-reset test test-fast check format messages model model-faults schemas requirements mutate bench screenshots picture dependencies

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## start the demonstration: web and worker, on PORT (8000); Ctrl-C stops both
	@sh deploy/install.sh requirements.txt
	@sh deploy/run-demo.sh

demo-reset: ## delete the demonstration's data and load it again
	@sh deploy/install.sh requirements.txt
	@$(BIN)/flask demo reset

# Twice as many processes as cores, because tests in a browser mostly wait.
test: dependencies ## install what tests need, then run all of them
	@sh tests/needs.sh
	@$(BIN)/python -m pytest -n 4 --dist worksteal

test-fast: dependencies ## the tests that need no browser
	@$(BIN)/python -m pytest -n 4 --dist worksteal -m "not journey"

check: dependencies ## lint, imports, format, types, security, templates, translations, schemas
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/mypy
	@$(BIN)/bandit -q -c pyproject.toml -r app.py pro
	@$(BIN)/djlint --lint --quiet templates
	@$(BIN)/python -m pytest -q -p no:cacheprovider tests/architecture/test_translations.py tests/catalogue/test_catalogue.py \
		-k "translations or schemas"

# The seed is printed, so that a failed history can be repeated: --hypothesis-seed.
model: dependencies ## random histories of alerts against an independent reference, for an hour (MODEL_SECONDS=60: a minute)
	@end=$$(($$(date +%s) + $(MODEL_SECONDS))); while [ $$(date +%s) -lt $$end ]; do seed=$$(od -An -N4 -tu4 /dev/urandom | tr -d ' '); \
		echo "seed $$seed"; MODEL_EXAMPLES=100 MODEL_STEPS=50 $(BIN)/python -m pytest -q -x -p no:logging --show-capture=no --tb=short \
		--hypothesis-seed=$$seed tests/alerts/test_alert_model.py || exit 1; done

model-faults: dependencies ## take out each fix of the alerts' life and show that the model finds it
	@$(BIN)/python -m tests.alerts.model_faults

# Continues where it was stopped. MUTANTS='pro.core.triage*' tries some only.
mutate: dependencies ## change each decision about signs and messages and count what no test notices (hours; continues where it stopped)
	@$(BIN)/mutmut run --max-children 2 $(MUTANTS)
	@$(BIN)/python -m bench.mutants

format: dependencies ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

messages: dependencies ## update translations/ from code and templates
	@sh translations/update.sh

schemas: dependencies ## write the JSON Schemas that editors use for the data files
	@$(BIN)/flask schema

requirements: dependencies ## update the pinned requirements
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@for name in requirements requirements-alibaba requirements-dev; do \
		$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-build --no-strip-extras \
			--generate-hashes --no-emit-index-url --no-header --output-file $$name.txt $$name.in; done

bench: dependencies ## measure everything in bench/ and write docs/performance.md
	@$(BIN)/python -m bench

screenshots: dependencies ## save screenshots of all pages in var/screenshots
	@$(BIN)/python -m bench.screenshots

picture: dependencies ## draw the picture of the README, docs/screens.jpg, and those of the tour
	@$(BIN)/python -m bench.picture
	@$(BIN)/python -m bench.tour

dependencies:
	@sh deploy/install.sh requirements-dev.txt
