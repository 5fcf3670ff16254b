#!/usr/bin/env bash
# Prints the version, which stands in Cargo.toml and nowhere else. --package prints
# it as dpkg and rpm want it: 1.0.0-rc.1 comes before 1.0.0 when it is 1.0.0~rc.1.
set -euo pipefail

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../Cargo.toml" | head -n 1)
[[ -n $version ]] || { echo "version.sh: Cargo.toml has no version" >&2; exit 1; }
if [[ ${1:-} == --package ]]; then
    version=${version/-/\~}
fi
printf '%s\n' "$version"
