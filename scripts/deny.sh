#!/usr/bin/env bash
# Runs cargo-deny with deny.toml, building it first where there is none.
#
# The check of known vulnerabilities needs the advisory database, a git
# repository. Where that cannot be had, the other checks still run, crates that
# their authors have withdrawn ("yanked") are still looked for, and the output
# says what was not.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

database=https://github.com/RustSec/advisory-db
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Without --workspace only the module's own tree would be looked at.
tool=$(scripts/tool.sh cargo-deny)
deny=("$tool" --workspace)

# The fuzz targets have a lock file of their own. What is only here of the others is worth no word.
"$tool" --log-level error --locked --manifest-path fuzz/Cargo.toml --config deny.toml \
    check --hide-inclusion-graph bans licenses sources

# A hanging network must not hang the check; no answer within a minute is a no.
if why=$(timeout 60 "${deny[@]}" fetch db 2>&1 </dev/null); then
    "${deny[@]}" check --hide-inclusion-graph advisories bans licenses sources
    exit
fi
"${deny[@]}" check --hide-inclusion-graph bans licenses sources

# Whether a crate is yanked stands in the registry's index, and cargo-deny asks it only along with a
# database, which must not be empty: here one that knows of a single vulnerability, the one that deny.toml
# argues away. git fetches it in place of the real one.
ask_for_yanked() {
    local small=$scratch/database
    mkdir -p "$small/crates/rsa"
    # shellcheck disable=SC2016 # a fence, no command
    printf '```toml\n[advisory]\nid = "RUSTSEC-2023-0071"\npackage = "rsa"\ndate = "2023-11-22"\n\n%s\n```\n\n# %s\n' \
        $'[versions]\npatched = []' "Known" >"$small/crates/rsa/RUSTSEC-2023-0071.md"
    git init -q -b main "$small"
    git -C "$small" add .
    git -C "$small" -c user.name=deny -c user.email=deny@localhost commit -q -m small
    sed "s#^\[advisories\]#&\ndb-path = \"$scratch/databases\"#" deny.toml >"$scratch/deny.toml"
    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.file://$small.insteadOf GIT_CONFIG_VALUE_0=$database \
        timeout 120 "${deny[@]}" --config "$scratch/deny.toml" check --hide-inclusion-graph \
        -D index-failure advisories
}
if ask_for_yanked >"$scratch/output" 2>&1 </dev/null; then
    echo "no crate is yanked"
elif grep -q '\[yanked\]' "$scratch/output"; then
    cat "$scratch/output"
    exit 1
else
    echo "cargo deny: YANKED CRATES were not looked for:"
    tail -n 5 "$scratch/output" | sed 's/^/    /'
fi
echo "cargo deny: ADVISORIES SKIPPED, known vulnerabilities were not looked for:"
if [[ -n $why ]]; then
    grep -v '^$' <<<"$why" | tail -n 1 | sed 's/^/    /'
else
    echo "    the advisory database did not answer within a minute"
fi
