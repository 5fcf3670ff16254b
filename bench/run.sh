#!/usr/bin/env bash
# Measures what a request and a login cost; see bench.py for how. Run by
# `make bench`, which builds first; arguments go on to bench.py.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")

exec python3 "$root/bench/bench.py" \
    --module "${OXD_MODULE:-$target/release/libmod_oxd.so}" \
    --oxd-dev "${OXD_DEV:-$target/debug/oxd-dev}" \
    --results "$target/bench" \
    "$@"
