#!/usr/bin/env bash
# Installs Debian packages without letting one of them start or enable a
# service, or turn on a module in httpd. The part of need.sh that runs as root, and all that does: short, so
# that it can be read before a password is typed.
#
# Usage: apt-install.sh PACKAGE...
set -euo pipefail

[[ $EUID -eq 0 ]] || { echo "apt-install.sh: must be run as root" >&2; exit 1; }
[[ $# -gt 0 ]] || { echo "usage: apt-install.sh PACKAGE..." >&2; exit 2; }

export DEBIAN_FRONTEND=noninteractive

# Debian starts a server as soon as its package is installed, unless
# policy-rc.d says no. An administrator's own policy-rc.d is left as it is; one
# of ours that a killed run left behind is taken over, and removed at the end.
policy=/usr/sbin/policy-rc.d
marker='# mod_oxd scripts/apt-install.sh: no service is started now; safe to delete'
if [[ ! -e $policy ]] || grep -qxF "$marker" "$policy"; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    printf '#!/bin/sh\n%s\nexit 101\n' "$marker" >"$policy"
    chmod 0755 "$policy"
fi

# Another apt may be at work on a machine that has just started: wait for it.
apt=(apt-get -q -o DPkg::Lock::Timeout=300)

# Debian's modules for httpd turn themselves on in an httpd that is installed; which
# of them were on before is an administrator's choice.
enabled=/etc/apache2/mods-enabled
before=$(ls "$enabled" 2>/dev/null || true)

# Without lists nothing can be installed; with old ones it may still work.
"${apt[@]}" update || echo "apt-get update failed; going on with the package lists that are here" >&2
"${apt[@]}" install -y --no-install-recommends "$@"

for package in "$@"; do
    { dpkg-query -L "$package" 2>/dev/null || true; } |
        sed -nE 's#^/etc/apache2/mods-available/([^/]*)\.load$#\1#p' |
        while read -r module; do
            if [[ -e $enabled/$module.load ]] && ! grep -qxF "$module.load" <<<"$before"; then
                a2dismod -q "$module" || true
            fi
        done
done

# policy-rc.d keeps a service from starting now; this keeps it from starting
# at the next boot. Only what was asked for by name, never a dependency.
if command -v systemctl >/dev/null; then
    for package in "$@"; do
        { dpkg-query -L "$package" 2>/dev/null || true; } |
            sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]*\.(service|socket|timer))$#\2#p' |
            while read -r unit; do
                systemctl disable "$unit" >/dev/null 2>&1 || true
            done
    done
fi
