#!/usr/bin/env bash
# Finds out what this machine lacks for a purpose and installs it, after asking.
#
# Usage: need.sh [--list] PURPOSE...
#
#   PURPOSE   build   compile the module
#             demo    build, and run httpd with it
#             test    demo, and a browser for the tests
#             lint    build, and the linters
#             soak    test, and what rotates piped logs
#             fuzz    build, and a C++ compiler for libFuzzer
#             bench   demo, and the measuring tools; what it compares with is
#                     asked for too, and may be left out
#             deb     build, and Debian's packaging tools
#             rpm     build, and rpm's
#             test-package   deb, rpm, and what tests their packages
#   --list    only print the missing packages, one a line
#
# CI=true or YES=1 answers the question with yes. Without a terminal to ask on,
# and without either, the command to run is printed and nothing is installed.
# NEED=skip turns the whole check off. ARCH names the kind of machine that deb is for.
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

say() { printf '%s\n' "$*" >&2; }
die() { say "need.sh: $*"; exit 1; }

purposes="build, demo, test, lint, soak, fuzz, bench, deb, rpm or test-package"

# --- what each purpose needs -------------------------------------------------

# name <tab> why; the first mention of a package counts.
needs() {
    case $1 in
    build)
        cat <<-'LIST'
		gcc	C compiler and linker
		libc6-dev	C headers
		make	this Makefile
		apache2-dev	headers of httpd and APR, apxs
		libclang-dev	bindgen reads those headers with it
		LIST
        ;;
    demo)
        needs build
        # apache2-bin is httpd without the system service of package apache2.
        cat <<-'LIST'
		apache2-bin	httpd and its modules
		ca-certificates	the system's trusted roots
		LIST
        ;;
    test)
        needs demo
        browser_packages || exit 1
        provider_packages
        # Without a font a browser shows no text; Chromium only recommends one.
        printf 'fonts-liberation\tfont for the browser\n'
        printf 'strace\tlists what a request asks of the system\n'
        printf 'valgrind\tcounts the instructions of a request\n'
        printf '%s\tkeeps sessions in the tests\n' redis-server memcached
        printf 'libapache2-mod-auth-openidc\tmod_auth_openidc, loaded beside the module\n'
        printf 'openssl\treads the certificate of oxd in the quick start\n'
        printf 'libfaketime\tsets the clock of httpd in the tests\n'
        ;;
    soak)
        needs test
        printf 'apache2-utils\trotatelogs\n'
        ;;
    lint)
        needs build
        printf 'shellcheck\tlinter for shell scripts\n'
        printf 'git\tfetches the database of known vulnerabilities\n'
        ;;
    fuzz)
        needs build
        printf 'g++\tcompiles libFuzzer\n'
        ;;
    bench)
        needs demo
        cat <<-'LIST'
		python3	the measuring program
		valgrind	counts instructions
		wrk	counts requests per second
		LIST
        ;;
    deb)
        needs build
        # apache2-dev has dh_apache2.
        cat <<-'LIST'
		build-essential	dpkg-buildpackage, and what it expects everywhere
		debhelper	makes the package
		LIST
        ! is_foreign || needs_to_cross "$ARCH"
        ;;
    rpm)
        needs build
        printf 'rpm\tmakes the package\n'
        ;;
    test-package)
        needs deb
        needs rpm
        cat <<-'LIST'
		apache2-bin	loads what the RPM package holds
		curl	asks whether httpd answers
		debootstrap	makes a Debian to install the package in
		iproute2	gives it a network of its own
		lintian	checks the Debian package
		man-db	checks the manual pages
		LIST
        ;;
    *) die "unknown purpose '$1': it is $purposes" ;;
    esac
}

# Is ARCH another kind of machine than this one?
is_foreign() { [[ -n ${ARCH:-} && $ARCH != "$(dpkg --print-architecture)" ]]; }

# What cargo calls a machine that is built for on another one; debian/rules knows the same.
rust_target() {
    case $1 in
    amd64) echo x86_64-unknown-linux-gnu ;;
    arm64) echo aarch64-unknown-linux-gnu ;;
    *) die "ARCH=$1: packages for another machine are built only for amd64 and arm64" ;;
    esac
}

# What builds for another kind of machine. Only the administrator says that this one may have
# packages of another architecture.
needs_to_cross() {
    local architecture=$1 type
    dpkg --print-foreign-architectures | grep -qx "$architecture" ||
        die "packages for $architecture are needed here: dpkg --add-architecture $architecture && apt-get update"
    type=$(dpkg-architecture -a "$architecture" -q DEB_HOST_GNU_TYPE 2>/dev/null) ||
        die "ARCH=$architecture: no such architecture, or dpkg-dev is missing"
    printf '%s\t%s\n' "gcc-${type//_/-}" "compiler and linker for $architecture" \
        "libc6-dev:$architecture" "C headers and library of $architecture"
}

# The same for what a purpose can do without: asked for on its own, and never a
# reason to stop.
wants() {
    case $1 in
    test) printf 'prometheus\tchecks the alert rules (promtool)\n' ;;
    bench)
        cat <<-'LIST'
		redis-server	sessions in Redis
		memcached	sessions in memcached
		libapache2-mod-auth-openidc	mod_auth_openidc, to compare with
		LIST
        ;;
    esac
}

# Ubuntu's packages of Chromium only fetch the snap, which works where snapd
# runs and nowhere else (no container, no chroot). A browser that is already
# here, wherever it came from, is as good.
browser_packages() {
    local browser=''
    for browser in chromium chromium-browser google-chrome google-chrome-stable ''; do
        [[ -n $browser ]] && command -v "$browser" >/dev/null && break
    done
    if [[ -n $browser ]] && command -v chromedriver >/dev/null; then
        return
    fi
    if [[ $distro != ubuntu ]]; then
        printf '%s\tbrowser for the tests\n' chromium chromium-driver
    elif [[ -S /run/snapd.socket ]]; then
        printf '%s\tbrowser for the tests\n' chromium-browser chromium-chromedriver
    else
        say "Ubuntu has Chromium only as a snap, and snapd does not run here. The browser"
        say "test needs a browser and its driver in PATH, for example Google Chrome's .deb"
        say "package and the chromedriver of the same version. NEED=skip goes on without."
        exit 1
    fi
}

# Node from elsewhere is as good, and Debian's npm brings hundreds of packages.
provider_packages() {
    command -v node >/dev/null || printf 'nodejs\truns the certified provider of the tests\n'
    command -v npm >/dev/null || printf 'npm\tfetches that provider, and axe-core\n'
}

# --- Rust --------------------------------------------------------------------

check_rust() {
    local wanted have part triple
    if ! command -v cargo >/dev/null; then
        say "Rust is missing: there is no 'cargo' in PATH."
        say "Install it with rustup (https://rustup.rs), open a new shell and try again."
        exit 1
    fi
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
    have=$(cargo --version | cut -d ' ' -f 2)
    have=${have%%-*}
    if [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1) != "$wanted" ]]; then
        say "Rust $wanted or newer is needed, here is $have ($(command -v cargo))."
        say "'rustup update' brings a newer one. A distribution's own Rust may be too old:"
        say "install rustup (https://rustup.rs) next to it."
        exit 1
    fi
    if [[ $1 == deb || $1 == test-package ]] && is_foreign; then
        triple=$(rust_target "$ARCH")
        [[ -d $(rustc --print sysroot)/lib/rustlib/$triple ]] ||
            die "Rust's standard library for $ARCH is missing: rustup target add $triple"
    fi
    [[ $1 == lint ]] || return 0
    for part in fmt clippy; do
        cargo "$part" --version >/dev/null 2>&1 ||
            die "cargo $part is missing: rustup component add ${part/#fmt/rustfmt}"
    done
}

# --- Debian's packages -------------------------------------------------------

installed() {
    # One line for each architecture that it is installed for. While apt sets others up, one that
    # is there may still wait for its triggers.
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qxE 'installed|triggers-(awaited|pending)'
}

# The packages of stdin (name <tab> why) that are not installed.
missing() {
    local name why
    while IFS=$'\t' read -r name why; do
        [[ -n $name ]] || continue
        installed "$name" || printf '%s\t%s\n' "$name" "$why"
    done
}

may_install() {
    local answer=''
    [[ ${CI:-} == true || ${YES:-} == 1 ]] && return 0
    if [[ ! -t 0 ]]; then
        say "There is no terminal to ask on. Run this, or set YES=1:"
        say ""
        say "    ${as_root:+sudo }apt-get install --no-install-recommends $*"
        return 1
    fi
    read -r -p "Install them now${as_root:+ with sudo}? [Y/n] " answer </dev/stdin
    [[ $answer =~ ^([yY].*)?$ ]] || { say "Nothing was installed."; return 1; }
}

# No is the answer of whoever only presses Return: servers and a module for httpd
# are more than tools, even when nothing starts them.
may_install_optional() {
    local answer=''
    [[ ${CI:-} == true || ${YES:-} == 1 ]] && return 0
    [[ -t 0 ]] || return 1
    say "No service will be started or enabled by this, and no module in httpd."
    read -r -p "Install that too${as_root:+ with sudo}? [y/N] " answer </dev/stdin
    [[ $answer =~ ^[yY] ]]
}

install_packages() {
    if [[ $EUID -eq 0 ]]; then
        "$here/apt-install.sh" "$@"
    elif ! command -v sudo >/dev/null; then
        say "There is no sudo here. As root, run:"
        say ""
        say "    apt-get install --no-install-recommends $*"
        exit 1
    elif [[ -t 0 ]]; then
        sudo -- "$here/apt-install.sh" "$@"
    else
        # Nobody could type a password: fail rather than hang.
        sudo -n -- "$here/apt-install.sh" "$@"
    fi
}

show() {
    awk -F '\t' '{ printf "    %-28s %s\n", $1, $2 }' <<<"$1" >&2
}

# -----------------------------------------------------------------------------

list_only=false
if [[ ${1:-} == --list ]]; then
    list_only=true
    shift
fi
[[ $# -gt 0 ]] || die "which purpose? $purposes"
[[ ${NEED:-} == skip ]] && exit 0

distro=other
if [[ -r /etc/os-release ]]; then
    # shellcheck source=/dev/null
    like=$(. /etc/os-release && printf ' %s %s ' "${ID:-}" "${ID_LIKE:-}")
    case $like in
    *" ubuntu "*) distro=ubuntu ;;
    *" debian "*) distro=debian ;;
    esac
fi

wanted='' optional=''
for purpose in "$@"; do
    [[ $list_only == true ]] || check_rust "$purpose"
    wanted+=$(needs "$purpose")$'\n'
    optional+=$(wants "$purpose")$'\n'
done
wanted=$(awk -F '\t' 'NF && !seen[$1]++' <<<"$wanted")
optional=$(awk -F '\t' 'NF && !seen[$1]++' <<<"$optional")

if [[ $distro == other ]]; then
    say "This script knows only Debian and Ubuntu. Needed here, under Debian's names:"
    say ""
    show "$wanted"
    say ""
    if [[ -n $optional ]]; then
        say "Used as well where it is there:"
        say ""
        show "$optional"
        say ""
    fi
    say "Install their like, then go on with NEED=skip make ..."
    exit 1
fi

lacking=$(missing <<<"$wanted")
lacking_optional=$(missing <<<"$optional")
if [[ $list_only == true ]]; then
    printf '%s\n%s\n' "$lacking" "$lacking_optional" | cut -f 1 | sed '/^$/d'
    exit 0
fi

if [[ $EUID -ne 0 ]]; then
    as_root=sudo
else
    as_root=''
fi

if [[ -n $lacking ]]; then
    mapfile -t packages < <(cut -f 1 <<<"$lacking")
    say "Missing for '$*', from the distribution's own packages:"
    say ""
    show "$lacking"
    say ""
    say "No service will be started or enabled by this."
    may_install "${packages[@]}" || exit 1
    install_packages "${packages[@]}"
fi

if [[ -n $lacking_optional ]]; then
    mapfile -t packages < <(cut -f 1 <<<"$lacking_optional")
    say "Not needed for '$*', but left out of it as long as it is missing:"
    say ""
    show "$lacking_optional"
    say ""
    if may_install_optional; then
        install_packages "${packages[@]}" || say "Going on without."
    fi
fi
