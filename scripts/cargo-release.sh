#!/usr/bin/env bash
# Runs cargo so that a release build has the same bytes wherever it is made, and names no
# folder of this machine: in panic messages and debugging information, the project's folder is
# /mod_oxd and crates are below /crates. Run by `make module` and `make release`.
#
# The programs name the crates that they are made of, in their section .dep-v0, which tools like
# `cargo audit bin` and `syft` read: cargo-auditable puts it there. Where that cannot be had, and with
# AUDITABLE=no, they are built without.
#
# Usage: cargo-release.sh ARGUMENT...
set -euo pipefail
shopt -s inherit_errexit nullglob

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cargo_home=$(realpath -m "${CARGO_HOME:-$HOME/.cargo}")
# Debian's build flags are meant for what dh compiles; other ones are the caller's own.
read -r -a flags <<<"${RUSTFLAGS:-}"

auditable=''
if [[ ${AUDITABLE:-} == no ]]; then
    echo "AUDITABLE=no: the programs will not name their crates (.dep-v0)"
elif ! auditable=$("$root/scripts/tool.sh" cargo-auditable); then
    echo "WITHOUT cargo-auditable: the programs will not name their crates (.dep-v0)" >&2
fi

# The folder of a registry is named after its address, and is there once cargo has loaded crates.
cargo fetch --locked --quiet --manifest-path "$root/Cargo.toml"
c_flags=${CFLAGS:-}

# called FOLDER NAME: for rustc, and for the C compiler, whose flags cannot hold spaces.
called() {
    flags+=("--remap-path-prefix=$1=$2")
    [[ $1 == *[[:space:]]* ]] || c_flags+=" -ffile-prefix-map=$1=$2"
}

# The last one that fits counts: what was built may be below the project's folder.
called "$root" /mod_oxd
called "$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")" /mod_oxd/target
for registry in "$cargo_home"/registry/src/*/; do called "${registry%/}" /crates; done

# Paths may hold spaces, which RUSTFLAGS would split at.
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; printf '%s' "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS CFLAGS=$c_flags
if [[ -n $auditable ]]; then
    exec "$auditable" auditable "$@"
fi
exec cargo "$@"
