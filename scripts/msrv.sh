#!/usr/bin/env bash
# Checks that everything compiles with the least Rust that Cargo.toml promises (rust-version), and that no
# crate asks for a newer one, which is an error of cargo's. Run by `make msrv`.
#
# Takes as long as compiling everything once, and 2 GB below the target folder, which go again.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if ! command -v rustup >/dev/null; then
    echo "msrv: rustup is missing, which fetches Rust $rust" >&2
    exit 1
fi
rustup toolchain list | grep -q "^$rust-" || rustup toolchain install "$rust" --profile minimal --no-self-update

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/msrv
trap 'rm -rf "$target"' EXIT
# Warnings are those of the newest Rust, which `make lint` shows.
CARGO_TARGET_DIR=$target CARGO_INCREMENTAL=0 RUSTFLAGS='--cap-lints warn' \
    cargo "+$rust" check --workspace --all-targets --locked --quiet
echo "Rust $rust compiles everything"
