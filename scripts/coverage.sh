#!/usr/bin/env bash
# Which lines and regions of oxd-core run, as a table by folder. A region is a piece of code between two branches. Files
# of tests are left out; tests within a file count as its lines.
#
# Usage: coverage.sh [tests] [--missing] | coverage.sh fuzz
#
#   tests       by its own tests; this is the default
#   fuzz        by the inputs of the fuzz targets' corpora (fuzz/corpus)
#   --missing   list the lines that no test runs, instead of the table
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

by=tests lists=
for argument; do
    case $argument in
    tests | fuzz) by=$argument ;;
    --missing) lists=yes ;;
    *) echo "coverage.sh: unknown argument '$argument'; known are tests, fuzz and --missing" >&2; exit 1 ;;
    esac
done
[[ $by$lists != fuzzyes ]] || { echo "coverage.sh: --missing is for the tests" >&2; exit 1; }

tool=$(scripts/tool.sh cargo-llvm-cov)
coverage=("$tool" llvm-cov)
profdata=$(find "$(rustc --print sysroot)" -name llvm-profdata -print -quit)
[[ -n $profdata ]] || {
    echo "coverage.sh: LLVM's tools are missing: rustup component add llvm-tools" >&2
    exit 1
}

left_out='/testing/|/tests/|tests\.rs$|crates/oxd-(dev|store)/|registry/|fuzz/|rustlib/'
# Only our own crates count what runs; those of others are built as for the tests.
export CARGO_PROFILE_DEV_DEBUG=0

# Programs of an earlier build would count as not run.
by_tests() {
    "${coverage[@]}" clean --workspace >&2
    "${coverage[@]}" --package oxd-core --lib --test recorded --no-report >&2
    report=("${coverage[@]}" report --package oxd-core --ignore-filename-regex "$left_out")
}

# There oxd-core is no member of the workspace, whose report cargo-llvm-cov does not make.
by_corpora() {
    local archive target built=$PWD/fuzz/target/llvm-cov-target
    inputs=$(mktemp -d)
    trap 'rm -rf "$inputs"' EXIT
    for archive in fuzz/corpus/*.tar.gz; do
        target=$(basename "$archive" .tar.gz)
        mkdir "$inputs/$target"
        tar -xzf "$archive" -C "$inputs/$target"
    done
    (
        cd fuzz
        export CARGO_TARGET_DIR=$PWD/target
        "${coverage[@]}" clean --workspace
        "${coverage[@]}" run --dep-coverage oxd-core --example replay --no-report -- "$inputs"
    ) >&2
    "$profdata" merge --sparse "$built"/*.profraw -o "$built/corpora.profdata"
    report=("${profdata%/*}/llvm-cov" report --ignore-filename-regex "$left_out"
        --instr-profile "$built/corpora.profdata" "$built/debug/examples/replay")
}

case $by in
tests) by_tests ;;
fuzz) by_corpora ;;
esac
if [[ -n $lists ]]; then
    "${report[@]}" --show-missing-lines | sed -n '/^Uncovered/,$p'
    exit
fi

# Of each file: regions and those missed, functions and those missed, lines and those missed, each with a share.
"${report[@]}" | awk '
    function row(name, l, ml, r, mr) {
        printf "| %s | %d | %d | %.1f %% | %d | %d | %.1f %% |\n", name,
            l, ml, l ? 100 * (l - ml) / l : 100, r, mr, r ? 100 * (r - mr) / r : 100
    }
    $1 ~ /\.rs$/ {
        folder = $1
        sub(/^.*oxd-core\/src\//, "", folder)
        if (!sub(/\/.*/, "", folder)) folder = "(root)"
        lines[folder] += $8; missed_lines[folder] += $9; l += $8; ml += $9
        regions[folder] += $2; missed_regions[folder] += $3; r += $2; mr += $3
    }
    END {
        if (!l) {
            print "coverage.sh: the report names no line of oxd-core" >"/dev/stderr"
            exit 1
        }
        print "| folder | lines | not run | share | regions | not run | share |"
        print "|---|---|---|---|---|---|---|"
        for (folder in lines)
            row(folder, lines[folder], missed_lines[folder], regions[folder], missed_regions[folder])
        row("~all", l, ml, r, mr)
    }' | { read -r first; read -r second; printf '%s\n' "$first" "$second"; LC_ALL=C sort | sed 's/~all/all/'; }
