# Two commands are enough on a fresh clone: `make demo` and `make test`.
# Everything is built in release; what the machine lacks is installed by scripts/setup.

CONFIGURATION := release
GPUCHECK := .build/$(CONFIGURATION)/gpucheck
# Testable imports are another build of everything: without them the tests run what users get.
TEST_OPTIONS := --disable-testable-imports
STATIC := .build/static/gpucheck
PREFIX ?= /usr/local
export DESTDIR

SWIFT_SOURCES = Package.swift Sources Tests $(if $(shell find benchmarks -name '*.swift' 2>/dev/null),benchmarks) fuzz
SHELL_SCRIPTS = scripts/* .ci/run

.NOTPARALLEL:
.PHONY: help build demo test format lint bench docs setup setup-test clean sanitize fuzz \
	test-recipes static test-static install uninstall deb test-deb

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: setup ## Build the library and the program, .build/release/gpucheck
	swift build -c $(CONFIGURATION)

demo: ## Check examples/digits on the best device there is (PoCL where there is no other)
	@scripts/setup demo
	swift build -c $(CONFIGURATION) --product gpucheck
	@scripts/demo $(GPUCHECK)

test: setup-test ## Run every test
	swift test -c $(CONFIGURATION) $(TEST_OPTIONS)

format: ## Rewrite the Swift sources in the house format
	swift format -i -r $(SWIFT_SOURCES)

lint: ## Check format, shell scripts, tracked paths and links
	swift format lint --strict -r $(SWIFT_SOURCES)
	@for script in $(SHELL_SCRIPTS); do bash -n "$$script" || exit 1; done
	@scripts/check-tree
	@scripts/check-links

bench: ## Run the benchmarks (Python with NumPy, in .venv); BENCH=--quick for a short run
	@scripts/setup bench
	swift build -c $(CONFIGURATION)
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet numpy
	@echo 'bench: for all peers and networks:' \
	  '.venv/bin/python -m pip install torch "jax[cpu]" onnx safetensors'
	.venv/bin/python benchmarks/run.py --program $(GPUCHECK) $(BENCH)

test-recipes: ## Test recipes/ with PyTorch, JAX and Keras, in .venv-recipes (several GB)
	@scripts/setup bench
	swift build -c $(CONFIGURATION) --product gpucheck
	@scripts/test-recipes $(GPUCHECK)

sanitize: setup-test ## Run every test under the address, thread and undefined sanitizers
	@scripts/sanitize

fuzz: setup ## Fuzz the readers of files for SECONDS (60), shared among them
	@CONFIGURATION=$(CONFIGURATION) scripts/fuzz $(or $(SECONDS),60)

static: setup ## Build .build/static/gpucheck, which needs glibc only, and its manual page
	@scripts/static

test-static: static ## Run the static program on a root without any OpenCL library
	@scripts/test-static

install: $(STATIC) ## Install under PREFIX (/usr/local), within DESTDIR
	@scripts/install $(PREFIX)

uninstall: ## Remove what make install put there
	@scripts/install --remove $(PREFIX)

deb: static ## Build a Debian package, .build/gpucheck_VERSION_ARCHITECTURE.deb
	@scripts/deb

test-deb: deb ## Install the package in a clean root, check a gradient there, remove it
	@scripts/setup deb
	@scripts/test-deb

# Built by whoever may not be the one who installs.
$(STATIC):
	@$(MAKE) static

docs: setup ## Build the API documentation in .build/docs and check the links of the Markdown files
	@scripts/docs
	@scripts/check-links

setup: ## Install what a build needs
	@scripts/setup build

setup-test: ## Install what the tests need too: PoCL, Oclgrind
	@scripts/setup test

clean: ## Remove what was built
	rm -rf .build .venv .venv-recipes
