#!/usr/bin/env bash
# Copies the built module, and on Debian its files for a2enmod, to where httpd looks
# for them, and oxdctl with its manual pages and completions below a prefix; or takes
# all of it away again. Called by `make install` and `make uninstall`.
#
# Usage: install.sh MODULE OXDCTL SHARE
#        install.sh --uninstall
#
#   SHARE    the folder that `cargo xtask share` has made
#
# DESTDIR is put in front of every place, PREFIX is /usr/local unless set. APXS names
# the apxs to ask when there is more than one httpd. STRIP names the program that takes
# debugging information away; Debian's tools, which keep it in a package, name true.
set -euo pipefail
shopt -s inherit_errexit nullglob

destdir=${DESTDIR:-}
prefix=${PREFIX:-/usr/local}
conf=$(cd "$(dirname "${BASH_SOURCE[0]}")/../apache-conf" && pwd)

die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

apxs=${APXS:-$(command -v apxs || command -v apxs2 || true)}
[[ -n $apxs ]] || die "apxs is missing (package apache2-dev)"
modules=$("$apxs" -q LIBEXECDIR)
etc=$("$apxs" -q SYSCONFDIR)
available=$destdir$etc/mods-available

debian=false
[[ ! -e /etc/debian_version ]] || debian=true

# dpkg and this script would overwrite each other's files without a word.
refuse_over_a_package() {
    local owner
    [[ -z $destdir && $debian == true ]] || return 0
    owner=$(dpkg-query -S "$modules/mod_oxd.so" 2>/dev/null | cut -d : -f 1) || return 0
    die "$modules/mod_oxd.so belongs to the package $owner: remove that first (apt remove $owner)"
}

# put FILE MODE PLACE. install(1) makes a new file and so leaves a running httpd its
# old one; overwriting the file in place would pull the code from under it.
put() {
    install -D -m "$2" "$1" "$destdir$3"
    echo "installed $destdir$3"
}

# A program without debugging information, most of its bytes; what is no program stays as it is.
put_program() {
    local bare
    bare=$(mktemp)
    cp "$1" "$bare"
    "${STRIP:-strip}" --strip-debug "$bare" 2>/dev/null || cp "$1" "$bare"
    install -D -m "$2" "$bare" "$destdir$3"
    rm -f "$bare"
    echo "installed $destdir$3"
}

put_configuration() {
    install -d "$available"
    sed "s|/usr/lib/apache2/modules/|$modules/|" "$conf/oxd.load" >"$available/oxd.load"
    chmod 0644 "$available/oxd.load"
    echo "installed $available/oxd.load"
    if [[ -e $available/oxd.conf ]]; then
        echo "left as it is: $available/oxd.conf"
    else
        put "$conf/oxd.conf" 0644 "$etc/mods-available/oxd.conf"
    fi
    # The place for secrets that the configuration proposes.
    [[ -d $destdir$etc/oxd ]] || install -d -m 0700 "$destdir$etc/oxd"
}

install_all() {
    local module=$1 oxdctl=$2 share=$3 file
    refuse_over_a_package
    put_program "$module" 0644 "$modules/mod_oxd.so"
    put_program "$oxdctl" 0755 "$prefix/bin/oxdctl"
    while read -r file; do
        put "$share/$file" 0644 "$prefix/share/$file"
    done < <(cd "$share" && find . -type f | sed 's|^\./||' | sort)
    if [[ $debian == false ]]; then
        echo "now load it in httpd.conf:  LoadModule oxd_module $modules/mod_oxd.so"
        return
    fi
    put_configuration
    echo "now turn it on:  a2enmod oxd && apachectl configtest && apachectl graceful"
}

gone() {
    local file
    for file in "$@"; do
        [[ -e $file || -L $file ]] || continue
        rm -f "$file"
        echo "removed $file"
    done
}

uninstall_all() {
    local share=$destdir$prefix/share
    refuse_over_a_package
    # httpd would not start again with a LoadModule of a file that is not there.
    if [[ $debian == true ]]; then
        # It also forgets who turned the module on; says nothing where it was off.
        if [[ -z $destdir ]] && command -v a2dismod >/dev/null; then
            a2dismod --quiet --force --purge oxd >/dev/null 2>&1 || true
        fi
        gone "$destdir$etc/mods-enabled/oxd.load" "$destdir$etc/mods-enabled/oxd.conf"
        gone "$available/oxd.load"
        if cmp -s "$conf/oxd.conf" "$available/oxd.conf"; then
            gone "$available/oxd.conf"
        elif [[ -e $available/oxd.conf ]]; then
            echo "left, as it was changed: $available/oxd.conf"
        fi
        if [[ -d $destdir$etc/oxd ]]; then
            rmdir "$destdir$etc/oxd" 2>/dev/null || echo "left, as it holds your files: $destdir$etc/oxd"
        fi
    elif [[ -z $destdir ]] && grep -rqE '^[[:space:]]*LoadModule[[:space:]]+oxd_module' "$etc"; then
        die "httpd's configuration in $etc still loads the module: take the LoadModule line out first"
    fi
    gone "$destdir$modules/mod_oxd.so" "$destdir$prefix/bin/oxdctl" \
        "$share"/man/man1/oxdctl.1 "$share"/man/man1/oxdctl-*.1 "$share/man/man5/mod_oxd.5" \
        "$share/bash-completion/completions/oxdctl" "$share/zsh/site-functions/_oxdctl" \
        "$share/fish/vendor_completions.d/oxdctl.fish"
    echo "a running httpd has the module in memory until it is restarted"
}

case $# in
1)
    [[ $1 == --uninstall ]] || die "unknown argument '$1'"
    uninstall_all
    ;;
3) install_all "$@" ;;
*) die "usage: install.sh MODULE OXDCTL SHARE | --uninstall" ;;
esac
