#!/usr/bin/env bash
# Copies the built module, and on Debian its files for a2enmod, to where httpd
# looks for them. Called by `make install`.
#
# Usage: install.sh MODULE [DESTDIR]
#
# APXS names the apxs to ask when there is more than one httpd.
set -euo pipefail

[[ $# -ge 1 ]] || { echo "usage: install.sh MODULE [DESTDIR]" >&2; exit 2; }
module=$1
destdir=${2:-}
conf=$(cd "$(dirname "${BASH_SOURCE[0]}")/../apache-conf" && pwd)

apxs=${APXS:-$(command -v apxs || command -v apxs2 || true)}
[[ -n $apxs ]] || { echo "install.sh: apxs is missing (package apache2-dev)" >&2; exit 1; }
modules=$("$apxs" -q LIBEXECDIR)
etc=$("$apxs" -q SYSCONFDIR)

# install(1) makes a new file and so leaves a running httpd its old one;
# overwriting the file in place would pull the code from under it.
install -D -m 0644 "$module" "$destdir$modules/mod_oxd.so"
echo "installed $destdir$modules/mod_oxd.so"

if [[ ! -e /etc/debian_version ]]; then
    echo "now load it in httpd.conf:  LoadModule oxd_module $modules/mod_oxd.so"
    exit 0
fi
available=$destdir$etc/mods-available
install -d "$available"
sed "s|/usr/lib/apache2/modules/|$modules/|" "$conf/oxd.load" >"$available/oxd.load"
chmod 0644 "$available/oxd.load"
if [[ -e $available/oxd.conf ]]; then
    echo "left as it is: $available/oxd.conf"
else
    install -m 0644 "$conf/oxd.conf" "$available/oxd.conf"
    echo "installed $available/oxd.conf"
fi
echo "now turn it on:  a2enmod oxd && apachectl configtest && apachectl graceful"
