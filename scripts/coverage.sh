#!/usr/bin/env bash
# Which lines and regions of oxd-core its own tests run, as a table by folder. A region is a piece of code between two
# branches. Files of tests are left out; tests within a file count as its lines.
#
# Usage: coverage.sh [--missing]
#
#   --missing   list the lines that no test runs, instead of the table
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arguments=$*
case $arguments in
'' | --missing) ;;
*) echo "coverage.sh: unknown argument '$arguments'; known is --missing" >&2; exit 1 ;;
esac

tool=$(scripts/tool.sh cargo-llvm-cov)
coverage=("$tool" llvm-cov)
[[ -n $(find "$(rustc --print sysroot)" -name llvm-profdata -print -quit) ]] || {
    echo "coverage.sh: LLVM's tools are missing: rustup component add llvm-tools" >&2
    exit 1
}

left_out='/testing/|/tests/|tests\.rs$|crates/oxd-(dev|store)/|registry/'
# Only our own crates count what runs; those of others are built as for the tests.
export CARGO_PROFILE_DEV_DEBUG=0
# Programs of an earlier build would count as not run.
"${coverage[@]}" clean --workspace >&2
"${coverage[@]}" --package oxd-core --lib --test recorded --no-report >&2
report=("${coverage[@]}" report --package oxd-core --ignore-filename-regex "$left_out")
if [[ $arguments == --missing ]]; then
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
