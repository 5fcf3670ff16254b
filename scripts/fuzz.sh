#!/usr/bin/env bash
# Fuzz targets (fuzz/): builds them as `cargo fuzz` does, without its being there, and runs them.
#
# Usage: fuzz.sh build | check | run | minimise | seeds | clippy | table
#
#   build     compile the targets, below fuzz/target
#   check     each target over its corpus and SECONDS_EACH (30) seconds of new inputs, two at a time; the last line is
#             like cargo test's. What `make fuzz-check` and .ci/run do
#   run       all targets, one after the other, SECONDS_EACH each (HOURS or SECONDS_ALL for all of them together), over
#             a corpus that grows below fuzz/target/corpus. What `make fuzz` does
#   minimise  pack the smallest corpus with the coverage of the one that has grown (fuzz/corpus/*.tar.gz)
#   seeds     write the first inputs (fuzz/examples/seeds.rs) to the corpus below fuzz/target
#   clippy    the linter over the targets
#   table     the figures of the last `run`, as docs/RELIABILITY.md has them
#
# TARGETS names some targets ("trace claims"); JOBS how many run at a time.
set -euo pipefail
shopt -s inherit_errexit nullglob

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root/fuzz"

say() { printf '%s\n' "$*" >&2; }
die() { say "fuzz.sh: $*"; exit 1; }

built=$PWD/target
triple=$(rustc -vV | sed -n 's/^host: //p')
programs=$built/$triple/release
corpus=$built/corpus
found=$PWD/artifacts
logs=$built/logs

# The flags of `cargo fuzz build --sanitizer none`: coverage of blocks, edges and comparisons for libFuzzer. They need
# no nightly. AddressSanitizer would find nothing in code that forbids unsafe, and makes it several times slower.
flags=(
    --cfg fuzzing
    -Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
)

all_targets() { local file; for file in fuzz_targets/*.rs; do basename "$file" .rs; done; }

# Those that TARGETS names, or all.
targets() {
    local names=() name
    read -r -a names <<<"${TARGETS:-}"
    if [[ ${#names[@]} -eq 0 ]]; then
        all_targets
        return
    fi
    for name in "${names[@]}"; do
        [[ -e fuzz_targets/$name.rs ]] || die "there is no target '$name'; there are: $(all_targets | xargs)"
        printf '%s\n' "$name"
    done
}

# With --target the flags are not those of build scripts and macros.
build() {
    CARGO_TARGET_DIR=$built RUSTFLAGS="${flags[*]}" \
        cargo build --quiet --locked --release --target "$triple" --bins
}

# The corpus of a target, unpacked where it may grow; a newer archive comes on top.
unpack() {
    local target=$1 archive=corpus/$1.tar.gz mark=$corpus/$1.unpacked
    mkdir -p "$corpus/$target"
    if [[ -e $archive && ! $mark -nt $archive ]]; then
        tar -xzf "$archive" -C "$corpus/$target"
        touch "$mark"
    fi
}

# fuzz TARGET OPTION...: libFuzzer, its words in a log. -timeout is for one input; memory is far below the limit.
fuzz() {
    local target=$1
    shift
    mkdir -p "$found/$target" "$logs"
    unpack "$target"
    local dictionary=()
    [[ ! -e dictionaries/$target.dict ]] || dictionary=("-dict=dictionaries/$target.dict")
    "$programs/$target" -artifact_prefix="$found/$target/" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        "${dictionary[@]}" "$@" >"$logs/$target.log" 2>&1
}

# What somebody needs who wants to see it again.
explain() {
    local target=$1 input
    say "--- $target:"
    # What the property says, and where; or what libFuzzer says of the time or the memory.
    grep -A 4 -E "panicked at|ERROR: libFuzzer" "$logs/$target.log" | head -n 12 >&2 || tail -n 12 "$logs/$target.log" >&2
    input=$(sed -n 's/^.*Test unit written to //p' "$logs/$target.log" | tail -n 1)
    [[ -n $input ]] || return 0
    say "The input is $input. To see it again:"
    say "    fuzz/target/$triple/release/$target $input"
    say "    cargo fuzz run --sanitizer none $target $input     (with cargo-fuzz, in fuzz/)"
}

# one_check TARGET: the corpus, then new inputs. What is found stays out of the committed corpus.
one_check() {
    fuzz "$1" -max_total_time="${SECONDS_EACH:-30}" -seed=1 "$corpus/$1"
}

check() {
    local target passed=0 failed=() names
    names=$(targets)
    mapfile -t names <<<"$names"
    build
    # xargs runs so many at a time, and each writes whether it passed.
    rm -f "$logs"/*.passed
    printf '%s\n' "${names[@]}" | xargs -P "${JOBS:-2}" -n 1 "$root/scripts/fuzz.sh" one-check || true
    for target in "${names[@]}"; do
        if [[ -e $logs/$target.passed ]]; then
            passed=$((passed + 1))
            printf 'test fuzz::%s ... ok (%s)\n' "$target" "$(figures "$target" | cut -f 2 | sed 's/$/ executions/')"
        else
            printf 'test fuzz::%s ... FAILED\n' "$target"
            failed+=("$target")
            explain "$target"
        fi
    done
    local verdict=ok
    [[ ${#failed[@]} -eq 0 ]] || verdict=FAILED
    printf '\ntest result: %s. %d passed; %d failed; 0 ignored; 0 measured; 0 filtered out\n' \
        "$verdict" "$passed" "${#failed[@]}"
    [[ ${#failed[@]} -eq 0 ]]
}

# The figures of a target's last log: name, executions, seconds, executions a second, coverage, inputs of the corpus.
figures() {
    local log=$logs/$1.log
    [[ -e $log ]] || return 0
    awk -v name="$1" '
        /^stat::number_of_executed_units:/ { units = $2 }
        /^Done [0-9]+ runs in/ { seconds = $5 }
        / cov: / {
            for (i = 1; i < NF; i++) {
                if ($i == "cov:") edges = $(i + 1)
                if ($i == "corp:") { split($(i + 1), corp, "/"); inputs = corp[1] }
            }
        }
        END {
            printf "%s\t%d\t%d\t%d\t%d\t%d\n", name, units, seconds, seconds ? units / seconds : units, edges, inputs
        }' "$log"
}

run() {
    local target each=${SECONDS_EACH:-} count status=0 names
    names=$(targets)
    mapfile -t names <<<"$names"
    build
    count=${#names[@]}
    if [[ -z $each ]]; then
        each=$(awk -v all="${SECONDS_ALL:-}" -v hours="${HOURS:-1}" -v jobs="${JOBS:-1}" -v count="$count" 'BEGIN {
            each = int((all == "" ? hours * 3600 : all) * jobs / count)
            print (each > 0 ? each : 1)
        }')
    fi
    say "$count targets, $each seconds each"
    SECONDS_EACH=$each
    export SECONDS_EACH
    printf '%s\n' "${names[@]}" | xargs -P "${JOBS:-1}" -n 1 "$root/scripts/fuzz.sh" one-run || status=$?
    table
    return "$status"
}

one_run() {
    local target=$1 status=0
    fuzz "$target" -max_total_time="$SECONDS_EACH" -max_len="${MAX_LEN:-4096}" "$corpus/$target" || status=$?
    figures "$target" >>"$built/figures.tsv"
    [[ $status -eq 0 ]] || explain "$target"
    return "$status"
}

# All runs of a target together; edges and corpus are those of the last one.
table() {
    [[ -e $built/figures.tsv ]] || die "nothing has run"
    awk -F '\t' '
        { units[$1] += $2; seconds[$1] += $3; edges[$1] = $5; inputs[$1] = $6 }
        END {
            for (name in units)
                printf "%s\t%d\t%d\t%d\t%d\n", name, units[name], seconds[name], edges[name], inputs[name]
        }
    ' "$built/figures.tsv" | sort | awk -F '\t' '
        function grouped(n,   text) {
            text = ""
            while (length(n) > 3) {
                text = "," substr(n, length(n) - 2) text
                n = substr(n, 1, length(n) - 3)
            }
            return n text
        }
        BEGIN {
            print "| target | executions | seconds | executions/s | edges | corpus |"
            print "|---|---:|---:|---:|---:|---:|"
        }
        {
            printf "| `%s` | %s | %s | %s | %s | %s |\n", $1, grouped($2), grouped($3),
                grouped($3 ? int($2 / $3) : $2), grouped($4), grouped($5)
            units += $2; seconds += $3
        }
        END {
            printf "| together | %s | %s | %s | | |\n", grouped(units), grouped(seconds),
                grouped(seconds ? int(units / seconds) : units)
        }'
}

# In the folder and with the profile of the other clippy, so that crates are checked once; and libFuzzer, which is C++,
# is not compiled for that.
lint() {
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target} CUSTOM_LIBFUZZER_PATH=/nowhere/libfuzzer.a \
        cargo clippy --quiet --locked --all-targets -- -D warnings
}

minimise() {
    local target small names
    names=$(targets)
    build
    for target in $names; do
        unpack "$target"
        small=$built/minimised/$target
        rm -rf "$small"
        mkdir -p "$small"
        "$programs/$target" -merge=1 -timeout=20 "$small" "$corpus/$target" >"$logs/$target.merge" 2>&1 ||
            die "$target: see $logs/$target.merge"
        # The same files make the same archive.
        tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$small" -cf - . | gzip -9n >"corpus/$target.tar.gz"
        printf '%s\t%d inputs\t%d bytes\n' "$target" "$(find "$small" -type f | wc -l)" "$(stat -c %s "corpus/$target.tar.gz")"
    done
}

seeds() {
    CARGO_TARGET_DIR=$built RUSTFLAGS="${flags[*]}" \
        cargo run --quiet --locked --release --target "$triple" --example seeds -- "$corpus"
}

mkdir -p "$built" "$logs" corpus
case ${1:-} in
build) build ;;
check) check ;;
run) run ;;
minimise) minimise ;;
clippy) lint ;;
seeds) seeds ;;
table) table ;;
one-check) ! one_check "$2" || touch "$logs/$2.passed" ;;
one-run) one_run "$2" ;;
*) die "what? build, check, run, minimise, seeds, clippy or table" ;;
esac
