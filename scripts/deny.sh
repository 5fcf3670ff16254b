#!/usr/bin/env bash
# Runs cargo-deny with deny.toml, building it first where there is none.
#
# The check of known vulnerabilities needs the advisory database, a git
# repository. Where that cannot be had, the other checks still run, and the
# output says that this one did not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=0.20.2
target=${CARGO_TARGET_DIR:-target}
tools=$target/tools

if cargo deny --version >/dev/null 2>&1; then
    deny=(cargo deny)
elif [[ -x $tools/bin/cargo-deny && $("$tools/bin/cargo-deny" --version) == *" $version" ]]; then
    deny=("$tools/bin/cargo-deny")
else
    echo "cargo-deny is not here: building version $version into $tools (some minutes, once)"
    # It runs for seconds and is compiled for minutes: little optimisation.
    CARGO_TARGET_DIR=$tools/build \
        CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_DEBUG=0 \
        cargo install --quiet --locked --root "$tools" --version "$version" cargo-deny
    rm -rf "$tools/build"
    deny=("$tools/bin/cargo-deny")
fi

# Without --workspace only the module's own tree would be looked at.
deny+=(--workspace)

# A hanging network must not hang the check; no answer within a minute is a no.
if why=$(timeout 60 "${deny[@]}" fetch db 2>&1 </dev/null); then
    exec "${deny[@]}" check --hide-inclusion-graph advisories bans licenses sources
fi
"${deny[@]}" check --hide-inclusion-graph bans licenses sources
echo "cargo deny: ADVISORIES SKIPPED, known vulnerabilities were not looked for:"
if [[ -n $why ]]; then
    grep -v '^$' <<<"$why" | tail -n 1 | sed 's/^/    /'
else
    echo "    the advisory database did not answer within a minute"
fi
