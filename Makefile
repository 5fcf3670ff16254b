# `make` shows what there is. Everything is built below target/ (or
# CARGO_TARGET_DIR); what the demo and the tests write beside that is in TMPDIR, and
# goes with them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# rustup's directory is in the PATH of login shells only.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

# The module that is tested is the one that would be installed; PROFILE=dev builds
# faster, and with the checks of a debug build.
PROFILE ?= release
CARGO_TARGET := $(or $(CARGO_TARGET_DIR),target)
# Another kind of machine to build a release for, as cargo names it (aarch64-unknown-linux-gnu).
RUST_TARGET ?=
BUILT := $(abspath $(CARGO_TARGET)/$(RUST_TARGET))
MODULE := $(BUILT)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/libmod_oxd.so
DEMO := $(abspath $(CARGO_TARGET)/debug)
OXDCTL := $(BUILT)/release/oxdctl
SHARE := $(BUILT)/release/share
SBOM := $(BUILT)/release/mod_oxd.cdx.json

PORT ?= 8080
OXD_PORT ?= 8443
PROVIDER_PORT ?= 8444
# How long `make soak` and `make fuzz` run; each says what it does where nothing is said here.
HOURS ?=
DAY ?= 1
DESTDIR ?=
PREFIX ?= /usr/local
REVISION ?= 1
# Only from the command line: who builds kernels has an ARCH in the environment, and it
# means something else there.
ARCH =
PACKAGE =
SHARD ?=
# Of the fuzz targets.
SECONDS =
TARGET =
JOBS = 1

.PHONY: help build release module build-demo demo demo-check test test-unit test-httpd \
	test-scripts models lint lint-mutants lint-shell fmt bench keep-instructions docs install uninstall deb rpm \
	test-package soak msrv mutants coverage sanitize test-container crash fuzz fuzz-check \
	fuzz-minimise clean

help: ## show this list
	@echo "mod_oxd: sign users in through oxd, inside Apache httpd"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  CI=true or YES=1 answers every question with yes."

build: ## compile everything without optimisation
	@scripts/need.sh build
	cargo build --workspace

# Two calls, so that the module is the one that the tests load: one call would
# compile it with the features that oxdctl asks of common dependencies.
release: ## compile the module and oxdctl as they are installed, below target/release
	@scripts/need.sh build
	scripts/cargo-release.sh build --release --locked $(if $(RUST_TARGET),--target $(RUST_TARGET)) -p mod_oxd
ifeq ($(RUST_TARGET),)
	scripts/cargo-release.sh build --release --locked -p oxdctl -p xtask
	@umask 022; "$(dir $(OXDCTL))xtask" share --oxdctl "$(OXDCTL)" --out "$(SHARE)"
	@umask 022; "$(dir $(OXDCTL))xtask" sbom --out "$(SBOM)"
else
	scripts/cargo-release.sh build --release --locked --target $(RUST_TARGET) -p oxdctl
	@# What the programs say of themselves, those say that run here.
	cargo build --locked -p oxdctl -p xtask
	@umask 022; "$(DEMO)/xtask" share --oxdctl "$(DEMO)/oxdctl" --out "$(SHARE)"
	@umask 022; "$(DEMO)/xtask" sbom --target $(RUST_TARGET) --out "$(SBOM)"
endif

module:
	$(if $(filter dev,$(PROFILE)),cargo,scripts/cargo-release.sh) build --profile $(PROFILE) -p mod_oxd

# In one call, so that nothing is built twice, and unoptimised, so that somebody who
# wants to see it need not wait long.
build-demo:
	@scripts/need.sh demo
	@[[ -e "$(DEMO)/oxd-demo" ]] || \
		echo "The first build takes some two minutes on two processors, later ones seconds."
	cargo build -p mod_oxd -p oxd-tests --lib --bin oxd-demo

demo: build-demo ## httpd with the module and a sign-in to try (PORT, OXD_PORT, PROVIDER_PORT)
	@OXD_MODULE="$(DEMO)/libmod_oxd.so" exec "$(DEMO)/oxd-demo" \
		--port='$(PORT)' --oxd-port='$(OXD_PORT)' --provider-port='$(PROVIDER_PORT)'

demo-check: build-demo ## start the demo on free ports, sign in and out, stop it
	@OXD_MODULE="$(DEMO)/libmod_oxd.so" exec "$(DEMO)/oxd-demo" --check

# One cargo call for all packages, which builds their programs along the way: a
# call for a part of them would choose other features for some dependencies, and
# build half of them again. The rest runs even when a test fails, so that one run
# shows everything.
test: ## every test: units, real httpd, browser, demo, scripts
	@scripts/need.sh test
	@$(MAKE) --no-print-directory module
	@status=0; \
	OXD_MODULE=$(MODULE) cargo test --workspace --no-fail-fast || status=$$?; \
	OXD_MODULE=$(MODULE) scripts/test.sh || status=$$?; \
	exit $$status

test-unit: ## only the tests that need no httpd
	@scripts/need.sh build
	cargo test -p oxd-core -p oxd-dev -p oxdctl

test-httpd: ## only the tests in a real httpd (ARGS="name of a test")
	@scripts/need.sh test
	@$(MAKE) --no-print-directory module
	OXD_MODULE=$(MODULE) cargo test -p oxd-tests -- $(ARGS)

test-scripts: ## only the tests of the demo and the scripts
	@scripts/need.sh demo
	@$(MAKE) --no-print-directory module
	@status=0; \
	OXD_MODULE=$(MODULE) cargo test -p oxd-tests --test demo || status=$$?; \
	OXD_MODULE=$(MODULE) scripts/test.sh || status=$$?; \
	exit $$status

# `make test` runs them, too, with fewer preemptions and cases.
models: ## shared memory in every interleaving of a few processes, long state machines (PREEMPTIONS=3, CASES=20000)
	@scripts/need.sh build
	LOOM_MAX_PREEMPTIONS=$(or $(PREEMPTIONS),3) cargo test -p oxd-models -- --nocapture
	PROPTEST_CASES=$(or $(CASES),20000) cargo test -p oxd-core machines -- --nocapture

fuzz: ## all fuzz targets for long (HOURS=1 or SECONDS=n for all together, TARGET="names", JOBS=1)
	@scripts/need.sh fuzz
	@HOURS='$(HOURS)' SECONDS_ALL='$(SECONDS)' TARGETS='$(TARGET)' JOBS='$(JOBS)' scripts/fuzz.sh run

fuzz-check: ## each fuzz target over its corpus and 30 s of new inputs (SECONDS=n, TARGET="names")
	@scripts/need.sh fuzz
	@SECONDS_EACH='$(SECONDS)' TARGETS='$(TARGET)' scripts/fuzz.sh check

# After `make fuzz`: what it has found goes into the repository.
fuzz-minimise:
	@TARGETS='$(TARGET)' scripts/fuzz.sh minimise

lint: ## formatting, clippy, dependencies, shell scripts
	@scripts/need.sh lint
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	scripts/fuzz.sh clippy
	@$(MAKE) --no-print-directory lint-mutants
	scripts/deny.sh
	@$(MAKE) --no-print-directory lint-shell

# A workspace of its own.
lint-mutants:
	cargo fmt --manifest-path tests/mutants/Cargo.toml --check
	CARGO_TARGET_DIR='$(abspath $(CARGO_TARGET))/mutants/engine' \
		cargo clippy --quiet --locked --manifest-path tests/mutants/Cargo.toml --all-targets -- -D warnings

lint-shell:
	shellcheck -x scripts/*.sh .ci/run bench/*.sh debian/*.postrm debian/tests/smoke \
		apache-conf/demo/htdocs/*/index.cgi apache-conf/demo/htdocs/form/send/index.cgi

msrv: ## compile everything with the least Rust that Cargo.toml promises (by rustup)
	@scripts/need.sh build
	@scripts/msrv.sh

fmt: ## format the Rust sources
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	cargo fmt --manifest-path tests/mutants/Cargo.toml

bench: ## what a request and a login cost, into docs/BENCHMARKS.md (ARGS=--quick)
	@scripts/need.sh bench
	@$(MAKE) --no-print-directory module PROFILE=release
	cargo build -p oxd-dev
	@OXD_MODULE=$(abspath $(CARGO_TARGET)/release/libmod_oxd.so) bench/run.sh $(ARGS)

# The release module under load; the program itself need not be fast. HOURS=0.5 goes by time, DAY=0.1 by count, a tenth
# of a busy day. What was seen is in target/soak.
soak: ## mixed load, restarts and faults with every store, watched for growth (HOURS=8, or DAY=1 by count)
	@scripts/need.sh soak
	@$(MAKE) --no-print-directory module PROFILE=release
	cargo build -p oxd-tests --bin oxd-soak
	@OXD_MODULE=$(abspath $(CARGO_TARGET)/release/libmod_oxd.so) exec "$(DEMO)/oxd-soak" \
		--out='$(abspath $(CARGO_TARGET))/soak' $(if $(HOURS),--hours='$(HOURS)',--day='$(DAY)') $(ARGS)

# Not a part of `make test`: it compiles everything anew, and needs clang's runtime of the sanitizers.
sanitize: ## the suites under AddressSanitizer, the threads under ThreadSanitizer (ARGS=address)
	@scripts/need.sh test
	@scripts/sanitize.sh $(ARGS)

keep-instructions: ## write tests/instructions.json, which `make test` compares with, anew
	@scripts/need.sh test
	@$(MAKE) --no-print-directory module PROFILE=release
	OXD_KEEP_INSTRUCTIONS=1 OXD_MODULE=$(abspath $(CARGO_TARGET)/release/libmod_oxd.so) \
		cargo test -p oxd-tests --test instructions

# Neither of the two is a part of `make test`: they take long, and say how good the tests are, not the module.
mutants: ## change oxd-core in small ways, and see whether its tests notice (SHARD=0/4, ARGS=--again)
	@scripts/need.sh build
	@SHARD='$(SHARD)' scripts/mutants.sh $(ARGS)

coverage: ## which lines of oxd-core its own tests run, by folder (ARGS=fuzz: the fuzzing corpora)
	@scripts/need.sh build
	@scripts/coverage.sh $(ARGS)

docs: ## write docs/DIRECTIVES.md from the table in the code, and all pages as a site (target/book)
	@scripts/need.sh build
	cargo xtask docs
	@scripts/book.sh

# Do not build: `sudo make install` would leave root's files in target/.
install: ## copy the module into httpd, oxdctl below PREFIX (as root, after `make release`; DESTDIR)
	@for file in "$(MODULE)" "$(OXDCTL)" "$(SHARE)"; do \
		[[ -e $$file ]] || { echo "$$file is not there: run 'make release' first, as yourself" >&2; exit 1; }; \
	done
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" scripts/install.sh "$(MODULE)" "$(OXDCTL)" "$(SHARE)"

uninstall: ## take away what `make install` copied (as root; DESTDIR, PREFIX)
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" scripts/install.sh --uninstall

deb: ## Debian package, in target/packages (REVISION=1, ARCH=arm64)
	@ARCH=$(ARCH) scripts/need.sh deb
	@REVISION=$(REVISION) ARCH=$(ARCH) scripts/package.sh deb

rpm: ## package for Fedora, RHEL and their kin, in target/packages (REVISION=1)
	@scripts/need.sh rpm
	@REVISION=$(REVISION) scripts/package.sh rpm

# Not a part of `make test`: it needs root, some minutes and a mirror of Debian.
test-package: ## both packages, and the first one in a Debian of its own (as root; ARGS="--only 2[12]", ARCH=arm64)
	@ARCH=$(ARCH) scripts/need.sh test-package
	cargo build --locked -p oxd-dev -p oxd-tests --bin oxd-dev --bin package-visitor
	@ARCH=$(ARCH) scripts/test-package.sh $(ARGS)

# Neither is this: it needs podman, root and a mirror of Debian.
test-container: ## the image of docs/CONTAINERS.md with a package of `make deb` (as root; PACKAGE=FILE)
	@scripts/test-container.sh $(PACKAGE)

# The same suite as in `make test`, which strikes each kind of process once for each store.
ROUNDS ?= 200
SEED ?=
crash: ## kill random processes under load for long (ROUNDS=200 for each store, SEED)
	@scripts/need.sh test
	@$(MAKE) --no-print-directory module
	OXD_CRASH_ROUNDS=$(ROUNDS) $(if $(SEED),OXD_CRASH_SEED=$(SEED)) OXD_MODULE=$(MODULE) \
		cargo test -p oxd-tests --test crash -- --nocapture

clean: ## remove everything that was built
	cargo clean
