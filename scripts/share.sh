#!/usr/bin/env bash
# Makes what is installed besides the programs: manual pages and completions, laid
# out as below /usr/share. Run by `make release`.
#
# Usage: share.sh OXDCTL FOLDER
#
#   OXDCTL   the program, just built: it knows its own options
#   FOLDER   is made anew
set -euo pipefail

[[ $# -eq 2 ]] || { echo "usage: share.sh OXDCTL FOLDER" >&2; exit 2; }
oxdctl=$1
folder=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

umask 022
rm -rf "$folder"
mkdir -p "$folder"/{man/man1,man/man5,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}

"$oxdctl" manual --out "$folder/man/man1" >/dev/null
awk -v version="$("$root/scripts/version.sh")" -f "$root/scripts/directives-man.awk" \
    "$root/docs/DIRECTIVES.md" >"$folder/man/man5/mod_oxd.5"

"$oxdctl" completions bash >"$folder/bash-completion/completions/oxdctl"
"$oxdctl" completions zsh >"$folder/zsh/site-functions/_oxdctl"
"$oxdctl" completions fish >"$folder/fish/vendor_completions.d/oxdctl.fish"
