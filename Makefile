# make demo          two tenants with the same addresses on three real hypervisors; Ctrl-C ends it
# make test          every test, those on real Open vSwitch included
# make bench         the benchmarks; see bench/README.md
# make instructions  what the hot paths cost in instructions; see bench/README.md

.PHONY: demo test bench instructions deps

# Namespaces need root. Only what needs them runs as root: the program itself and the test executables, never cargo.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -E)
HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p' | tr a-z- A-Z_)
RUNNER := $(if $(SUDO),CARGO_TARGET_$(HOST)_RUNNER="$(SUDO)")
TARGET := $(or $(CARGO_TARGET_DIR),target)

demo: deps
	cargo build --release --quiet --bin weir
	$(SUDO) $(TARGET)/release/weir demo $(ARGS)

# Without nextest the tests of a binary are threads of one process; two at a time, as .config/nextest.toml says.
test: deps
	cargo test --workspace --doc --quiet
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; $(RUNNER) cargo nextest run --workspace --no-fail-fast; \
	else \
		set -x; $(RUNNER) cargo test --workspace --lib --bins --tests --no-fail-fast -- --test-threads=2; \
	fi

bench: deps
	cargo build --release --quiet --workspace --bins
	@for name in install compile controller resync api; do $(TARGET)/release/$$name $(ARGS); echo; done
	@$(SUDO) $(TARGET)/release/datapath $(ARGS)

instructions:
	@bench/instructions $(ARGS)

deps:
	@.ci/deps
