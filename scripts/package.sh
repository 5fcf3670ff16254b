#!/usr/bin/env bash
# Builds a package into target/packages. Run by `make deb` and `make rpm`.
#
# Usage: package.sh deb | rpm | source | changelog | control
#
#   deb         libapache2-mod-oxd, by dpkg-buildpackage and debian/
#   rpm         mod_oxd, by rpmbuild and rpm/mod_oxd.spec, with the programs that
#               `make release` makes on this machine
#   source      the archive that the spec file names, for who builds on Fedora
#   changelog   print debian/changelog
#   control     print debian/control
#
# REVISION is the package's own number behind the version (1). ARCH=arm64 builds the Debian
# package for that machine on this one. DEBFULLNAME and DEBEMAIL say who builds it, as for
# other tools of Debian's; otherwise git's user, or the one who runs this.
# SOURCE_DATE_EPOCH is its date; otherwise the last commit's. PACKAGES names another folder
# than target/packages.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
packages=$(realpath -m "${PACKAGES:-$target/packages}")
revision=${REVISION:-1}

die() { printf 'package.sh: %s\n' "$*" >&2; exit 1; }

[[ $revision =~ ^[0-9][0-9A-Za-z.+~]*$ ]] || die "REVISION=$revision: a revision is a number, like 1 or 1~bpo12"
version=$(scripts/version.sh --package)
arch=${ARCH:-$(dpkg --print-architecture 2>/dev/null || true)}

if [[ -z ${SOURCE_DATE_EPOCH:-} ]]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
    export SOURCE_DATE_EPOCH
fi

# cargo must find its own copies of the crates, whatever a build tool makes of HOME;
# make's variables are meant for this Makefile alone.
export CARGO_TARGET_DIR=$target CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# No mail gets to the domains of RFC 2606 and RFC 6761.
is_real() { [[ $1 == *@*.* && ! $1 =~ [@.](example(\.(com|net|org))?|invalid|localhost|test)$ ]]; }

# Who builds it is who answers for it.
maintainer() {
    local name=${DEBFULLNAME:-} address=${DEBEMAIL:-${EMAIL:-}}
    if [[ -z $address ]]; then
        address=$(git config user.email 2>/dev/null || true)
        if is_real "$address"; then
            name=${name:-$(git config user.name || true)}
        else
            address=$(id -un)@$(hostname --fqdn 2>/dev/null || uname -n)
        fi
    fi
    printf '%s <%s>\n' "${name:-${address%%@*}}" "$address"
}

control() {
    local line maintainer
    maintainer=$(maintainer)
    # Quoted: a bare & in it would stand for what is replaced.
    while IFS= read -r line; do printf '%s\n' "${line//@MAINTAINER@/"$maintainer"}"; done <debian/control.in
}

changelog() {
    cat <<TEXT
mod-oxd ($version-$revision) unstable; urgency=medium

  * Version $version. What is new stands in changelog.gz beside this file.

 -- $(maintainer)  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
}

deb() {
    local build=$packages/build/deb/mod-oxd file rust options=() files=()
    rm -rf "$packages/build/deb"
    mkdir -p "$build"
    cp -r apache-conf debian docs CHANGELOG.md LICENSE README.md "$build"
    ln -s "$root/Cargo.toml" "$build/Cargo.toml"
    changelog >"$build/debian/changelog"
    control >"$build/debian/control"
    rm "$build/debian/control.in"
    # cargo from rustup, which need.sh has looked for, is nothing that dpkg knows.
    rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    if ! dpkg --compare-versions "$(dpkg-query -W -f '${Version}' cargo 2>/dev/null || true)" ge "$rust"; then
        options+=(-Ppkg.mod-oxd.rustup)
    fi
    [[ $arch == "$(dpkg --print-architecture)" ]] || options+=("-a$arch" -d)
    (cd "$build" && dpkg-buildpackage -b -us -uc "${options[@]}")
    # Ubuntu names the package of debugging information .ddeb.
    shopt -s nullglob
    files=("$packages"/build/deb/*.{deb,ddeb,buildinfo,changes})
    shopt -u nullglob
    for file in "${files[@]}"; do
        mv -f "$file" "$packages/"
        [[ $file != *.deb || $file == *-dbgsym_* ]] || built=$packages/${file##*/}
    done
    rm -rf "$packages/build/deb"
}

# The files under git, or all but what was built.
source_archive() {
    local archive=$1
    mkdir -p "$(dirname "$archive")"
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -z --cached --others --exclude-standard
    else
        find . -path ./target -prune -o -type f -printf '%P\0'
    fi | LC_ALL=C sort -z | tar --create --gzip --file "$archive" --null --files-from - \
        --owner 0 --group 0 --numeric-owner --mtime "@$SOURCE_DATE_EPOCH" --transform "s|^|mod_oxd-$version/|"
}

rpm() {
    local build=$packages/build/rpm file
    # cargo would build nearly everything again with another date than last time.
    env -u SOURCE_DATE_EPOCH make --no-print-directory release NEED=skip
    rm -rf "$build"
    source_archive "$build/SOURCES/mod_oxd-$version.tar.gz"
    # Debian has no RPM database, which the dependencies would be looked up in.
    rpmbuild -bb --with prebuilt --nodeps \
        --define "_topdir $build" --define "_buildhost localhost" \
        --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" \
        --define "oxd_built $target/release" \
        --define "oxd_version $version" --define "oxd_release $revision" \
        rpm/mod_oxd.spec
    for file in "$build"/RPMS/*/*.rpm; do
        mv -f "$file" "$packages/"
        built=$packages/${file##*/}
    done
    rm -rf "$build"
}

built=''
case ${1:-} in
deb) deb ;;
rpm) rpm ;;
source)
    built=$packages/mod_oxd-$version.tar.gz
    source_archive "$built"
    ;;
changelog) changelog; exit ;;
control) control; exit ;;
*) die "deb, rpm, source, changelog or control?" ;;
esac
rmdir "$packages/build" 2>/dev/null || true
printf '\nBuilt: %s (%s)\n' "$built" "$(du -h --apparent-size "$built" | cut -f 1)"
