#!/usr/bin/env bash
# Lists the crates that are compiled into the module and into oxdctl, with their
# licences: most of these ask that their text comes with the program. For packages.
#
# Usage: third-party.sh >FILE
#
# Reads the sources that cargo has fetched for the build. RUST_TARGET names the machine that was built
# for, when it is not this one.
set -euo pipefail
shopt -s inherit_errexit nullglob

cd "$(dirname "${BASH_SOURCE[0]}")/.."
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT

# name version licence repository; the project's own crates have a path behind the version.
crates() {
    cargo tree --locked --package mod_oxd --package oxdctl --edges normal \
        ${RUST_TARGET:+--target "$RUST_TARGET"} --prefix none --no-dedupe --format $'{p}\t{l}\t{r}' |
        sed -E '/^$/d; s/ \(proc-macro\)//; /^[^\t]*\(/d; s/ v/\t/' | sort -u
}

cat <<TEXT
mod_oxd $(scripts/version.sh): software of others in it

The module and oxdctl contain these Rust crates, and the standard library of Rust
(MIT OR Apache-2.0), all of them unchanged. The texts of their licences follow.

TEXT

list=$(crates)
[[ -n $list ]] || { echo "third-party.sh: cargo names no crate" >&2; exit 1; }

while IFS=$'\t' read -r name version licence repository; do
    printf '%s %s\n    %s\n    %s\n' "$name" "$version" "$licence" "$repository"
    found=false
    for text in "$sources"/*/"$name-$version"/{LICEN[CS]E,COPYING,COPYRIGHT,NOTICE,UNLICENSE}*; do
        [[ -f $text ]] || continue
        found=true
        # The same text, but for line ends, comes once.
        key=$(tr -d '\r' <"$text" | sha256sum | cut -c 1-64)
        tr -d '\r' <"$text" >"$texts/$key.text"
        printf '%s %s\n' "$name" "$version" >>"$texts/$key.crates"
    done
    if [[ $found == false ]]; then
        printf '    (comes without the text of its licence)\n'
    fi
done <<<"$list"

# In the order of the crates, so that the same sources give the same file.
grep -H '' "$texts"/*.crates | sed -E 's/^(.*)\.crates:(.*)$/\2\t\1/' | sort |
    awk -F '\t' '!seen[$2]++ { print $2 }' |
    while read -r text; do
        printf '\n%s\n' "------------------------------------------------------------------------"
        sort -u "$text.crates" | paste -sd , | sed 's/,/, /g' | fold -s -w 72
        printf '%s\n\n' "------------------------------------------------------------------------"
        cat "$text.text"
    done
