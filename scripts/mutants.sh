#!/usr/bin/env bash
# Mutation testing of what decides who is let in: changes oxd-core in small ways, one at a time, and looks whether a
# test of its own notices. .cargo/mutants.toml says which folders.
#
# Usage: mutants.sh [--plain | --resume | --again]
#
#   --plain    run cargo-mutants itself, which builds the crate and runs all tests for each mutant; without it
#              tests/mutants builds all of them at once, and runs for each the tests that come by it
#   --resume   go on with a run that was stopped; the sources and SHARD have to be the same
#   --again    run only what survived the last run, with the tests as they are now
#
# SHARD=0/4 runs every fourth mutant, the first of four shares. Results are in target/mutants.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=$*
case $mode in
'' | --plain | --resume | --again) ;;
*) echo "mutants.sh: unknown argument '$mode'; known are --plain, --resume and --again" >&2; exit 1 ;;
esac

root=$PWD
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
work=$target/mutants
mkdir -p "$work"

tool=$(scripts/tool.sh cargo-mutants)
mutants=("$tool" mutants --package oxd-core)
[[ -z ${SHARD:-} ]] || mutants+=(--shard "$SHARD" --sharding round-robin)

# Compiled often and run for seconds: nothing for debuggers, and only what has changed.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=1
# What it builds is not mixed up with other builds, and the crates of others are built once.
export CARGO_TARGET_DIR=$work/build
run=()
! command -v mold >/dev/null || run=(mold -run)

if [[ $mode == --plain ]]; then
    exec "${run[@]}" "${mutants[@]}" --output "$work" --jobs 1 --timeout-multiplier 5
fi

"${mutants[@]}" --list --json >"$work/list.json"
rm -rf "$work/tree"
mkdir "$work/tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/tree"
CARGO_TARGET_DIR=$work/engine cargo build --quiet --locked --manifest-path tests/mutants/Cargo.toml
"${run[@]}" "$work/engine/debug/mutants" "$work/list.json" "$work/tree" "$work" ${mode:+"$mode"}
rm -rf "$work/tree"
echo "each mutant's fate: ${work#"$root"/}/results"
