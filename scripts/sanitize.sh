#!/usr/bin/env bash
# Runs suites in a real httpd with the module built under AddressSanitizer and LeakSanitizer, and the
# threads of oxd-core and oxd-store under ThreadSanitizer. Run by `make sanitize`; takes most of an hour
# on two processors, and some GB below the target folder.
#
# Usage: sanitize.sh [address | thread]...
#
# Needs clang's runtime of the LLVM that rustc stands on (Debian: libclang-rt-22-dev for Rust 1.95) and,
# for threads, the source of the standard library (rustup component add rust-src). The flags are unstable:
# RUSTC_BOOTSTRAP lets the stable compiler take them.
#
# SUITES names other suites, FILTER tests in them, OXD_RESTARTS the number of graceful restarts.
set -euo pipefail
shopt -s inherit_errexit nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { printf 'sanitize: %s\n' "$*" >&2; exit 1; }

# All of them first: what comes before a wrong one would run for most of an hour.
[[ $# -gt 0 ]] || set -- address thread
for kind in "$@"; do
    case $kind in
    address | thread) ;;
    *) die "unknown argument '$kind'; known are address and thread" ;;
    esac
done

triple=$(rustc -vV | sed -n 's/^host: //p')
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
reports=$target/sanitize/reports
export CARGO_INCREMENTAL=0

# runtime NAME: clang's shared library of a sanitizer.
runtime() {
    local file
    for file in /usr/lib/llvm-"$llvm"/lib/clang/*/lib/linux/"libclang_rt.$1-${triple%%-*}.so" \
        /usr/lib*/clang/"$llvm"*/lib/{linux,"$triple"}/libclang_rt."$1"*.so; do
        printf '%s\n' "$file"
        return
    done
    die "clang's runtime for LLVM $llvm is missing: apt-get install libclang-rt-$llvm-dev"
}

# The names in stacks of a report.
symbolizer() {
    local file
    for file in "/usr/lib/llvm-$llvm/bin/llvm-symbolizer" "/usr/bin/llvm-symbolizer-$llvm"; do
        [[ -x $file ]] && { printf '%s\n' "$file"; return; }
    done
    command -v llvm-symbolizer || true
}

build_module() { # FLAGS C_FLAGS
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$target/sanitize RUSTFLAGS="$1" \
        env "CFLAGS_${triple//-/_}=$2" \
        cargo build --locked --target "$triple" -p mod_oxd
}

# What processes of httpd reported. A fault ends a process at once, and its suite fails of it; a leak is
# told when a process ends. One without a function of Rust's (their names have ::) is httpd's or APR's own,
# as when a thread is being made while its process ends: that is shown, and no failure.
judge() {
    local file ours=0 others=0 silent=0
    for file in "$reports"/*; do
        printf '%s\n' "--- $file"
        cat "$file"
        if grep -qE 'ERROR: AddressSanitizer|::' "$file"; then
            ours=$((ours + 1))
        elif grep -q 'detected memory leaks' "$file"; then
            others=$((others + 1))
        else
            # A child that is killed while it looks for leaks.
            silent=$((silent + 1))
        fi
    done
    printf 'sanitize: %d reports, %d of leaks of others, and %d processes that could not look for theirs\n' \
        "$ours" "$others" "$silent"
    [[ $ours -eq 0 ]]
}

address() {
    local asan filter suites suite status=0
    asan=$(runtime asan)
    build_module "-Zsanitizer=address -Cforce-frame-pointers=yes" "-fsanitize=address -fno-omit-frame-pointer"
    rm -rf "$reports"
    mkdir -p "$reports"
    # Every process of httpd writes there, whoever it runs as.
    chmod 1777 "$reports"
    read -r -a filter <<<"${FILTER:-}"
    read -r -a suites <<<"${SUITES:-bed access cookies stores login restarts}"
    export ASAN_SYMBOLIZER_PATH
    ASAN_SYMBOLIZER_PATH=$(symbolizer)
    # A leak is no other exit status, which httpd would log and a suite stumble over: its report counts.
    export ASAN_OPTIONS="log_path=$reports/asan:abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1"
    export LSAN_OPTIONS="exitcode=0:max_leaks=20"
    # The crowd's limit for the memory of a child is one without a sanitizer's own.
    for suite in "${suites[@]}"; do
        OXD_SANITIZER=$asan OXD_MODULE=$target/sanitize/$triple/debug/libmod_oxd.so \
            cargo test -p oxd-tests --test "$suite" -- --skip a_hundred_thousand_requests "${filter[@]}" || status=$?
    done
    judge || status=1
    return "$status"
}

thread() {
    local filter
    read -r -a filter <<<"${FILTER:-}"
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$target/sanitize-thread RUSTFLAGS="-Zsanitizer=thread" \
        TSAN_OPTIONS="halt_on_error=1" \
        cargo test --locked -Zbuild-std --target "$triple" -p oxd-core -p oxd-store --lib -- "${filter[@]}"
}

failed=()
for kind in "$@"; do
    began=$SECONDS
    printf '=== %s\n' "$kind"
    # Not in an `if`, which would turn `set -e` off inside.
    set +e
    (set -e; "$kind")
    status=$?
    set -e
    printf '=== %s: %s (%d s)\n' "$kind" "$([[ $status -eq 0 ]] && echo ok || echo FAILED)" $((SECONDS - began))
    [[ $status -eq 0 ]] || failed+=("$kind")
done
[[ ${#failed[@]} -eq 0 ]]
