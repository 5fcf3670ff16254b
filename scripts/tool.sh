#!/usr/bin/env bash
# Prints where a tool for cargo is that other scripts use. Where this machine has none, builds it
# into target/tools, once.
#
# Usage: tool.sh cargo-deny | cargo-auditable | cargo-mutants | cargo-llvm-cov
#
# One in the PATH is taken whatever its version is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
cargo-deny) version=0.20.2 ;;
cargo-auditable) version=0.7.7 ;;
cargo-mutants) version=27.1.0 ;;
cargo-llvm-cov) version=0.9.1 ;;
*) echo "tool.sh: cargo-deny, cargo-auditable, cargo-mutants or cargo-llvm-cov?" >&2; exit 2 ;;
esac
tools=$(realpath -m "${CARGO_TARGET_DIR:-target}")/tools

if command -v "$1"; then
    exit
fi
if ! cargo install --list --root "$tools" 2>/dev/null | grep -qx "$1 v$version:"; then
    echo "$1 is not here: building version $version into $tools (a minute or more, once)" >&2
    # It runs for seconds and is compiled for minutes: little optimisation. What this build was told
    # for the module's own programs is not meant for it.
    env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET \
        CARGO_TARGET_DIR="$tools/build" \
        CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_DEBUG=0 \
        cargo install --quiet --locked --root "$tools" --version "$version" "$1" >&2
    rm -rf "$tools/build"
fi
printf '%s\n' "$tools/bin/$1"
