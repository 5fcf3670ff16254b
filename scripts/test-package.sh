#!/usr/bin/env bash
# Tests the packages: builds them, looks into them, and lives with the Debian package
# in a Debian of its own, from installation to purge. Closes with a line like cargo
# test's. Run by `make test-package`.
#
# Usage: test-package.sh [--build] [--only NUMBERS]
#
#   --build   build the package in that Debian, too, with the commands of the README;
#             takes as long as compiling everything does
#   --only    only the tests with these numbers, a regular expression: 0 for those that need
#             no Debian, 2[12] for those of the pages. From 10 to 18 each stands on those
#             before it
#
# ARCH=arm64 builds the Debian package for that machine, too, and looks into it; that takes as
# long as compiling everything does. Where qemu-user is installed, its oxdctl is run.
#
# Needs root and a mirror of Debian, which is the one that this machine installs from.
# Where that cannot be had it fails; with SKIP_OK=1 it says so and is content.
#
# The other Debian has mounts, processes and a network of its own, all of which end
# with this script however it ends; its files are below target/test-package.
#
# OXD_DEV names the development server, and VISITOR the program that plays the user,
# when they are not where cargo puts them.
set -euo pipefail
shopt -s inherit_errexit nullglob

script=$(realpath "${BASH_SOURCE[0]}")
project=$(dirname "$(dirname "$script")")
cd "$project"
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
oxd_dev=${OXD_DEV:-$target/debug/oxd-dev}
visitor=${VISITOR:-$target/debug/package-visitor}
folder=$target/test-package
package=libapache2-mod-oxd
# With who this machine says it is, lintian may find fault. It has none with this domain,
# which is for networks at home (RFC 8375) and so nobody's.
export DEBFULLNAME='mod_oxd tests' DEBEMAIL=tests@mod-oxd.home.arpa

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; return 1; }

cannot() {
    say "test-package: $*"
    if [[ ${SKIP_OK:-} == 1 ]]; then
        say "SKIPPED: the packages were not tested"
        say
        say "test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out"
        exit 0
    fi
    say "SKIP_OK=1 goes on without these tests."
    exit 1
}

# has FILE TEXT
has() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "expected '$2' in the output"; }; }
lacks() { if grep -F -- "$2" "$1" >&2; then fail "expected no '$2' in the output"; fi; }

# --- in the tests' own Debian ------------------------------------------------

# inside COMMAND...: in the Debian at $root.
inside() {
    chroot "$root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb "$@" </dev/null
}

# There is no network any more: it finds what has been downloaded before.
apt() { inside apt-get -q -y "$@"; }

answers() { # ADDRESS STATUS
    local status
    status=$(curl -s --max-time 10 -H 'Accept: text/html' -o /dev/null -w '%{http_code}' "http://127.0.0.1$1") || true
    [[ $status == "$2" ]] || fail "expected $2 from $1, got $status"
}

# visitor SCENE: the site through a user's eyes (tests/visitor).
visitor() { "$visitor" --cookies "$work/cookies" --site http://127.0.0.1 --provider http://127.0.0.1:8445 "$1"; }

enabled() { inside a2query -m oxd >"$work/query" 2>&1 || { cat "$work/query" >&2; fail "expected the module to be on"; }; }
disabled() { ! inside a2query -m oxd >"$work/query" 2>&1 || fail "expected the module to be off"; }

# shellcheck disable=SC2016 # dpkg-query's variable
installed_version() { inside dpkg-query -W -f '${Version}' "$package"; }

# Every file with its owner, mode and content, but for logs and what dpkg and apt note,
# and the folders in which a2enmod notes who turned a module on.
snapshot() {
    (
        cd "$root"
        find . -xdev \( -path ./proc -o -path ./tmp -o -path ./packages -o -path ./var/log -o -path ./var/cache \
            -o -path ./var/lib/dpkg -o -path ./var/lib/apt \) -prune -o -printf '%p\t%y %m %u:%g %l\n'
        find . -xdev \( -path ./proc -o -path ./tmp -o -path ./packages -o -path ./var/log -o -path ./var/cache \
            -o -path ./var/lib/dpkg -o -path ./var/lib/apt \) -prune -o -type f -print0 |
            xargs -0 sha256sum | awk '{ print $2 "\t" $1 }'
    ) | grep -vE $'^./var/lib/apache2/[a-z]+/[a-z_]+\td ' | LC_ALL=C sort
}

site_file() { printf '%s' "$root/etc/apache2/sites-available/000-default.conf"; }

# In the order in which an administrator does these things; each stands on those before.
test_10_the_package_is_installed_on_a_running_httpd_and_is_on() {
    apt install apache2
    answers / 200
    inside service apache2 stop
    snapshot >"$work/before"
    inside service apache2 start
    apt install "/packages/1.deb"
    enabled
    has "$work/query" "enabled by maintainer script"
    inside apache2ctl configtest
    inside apache2ctl -M >"$work/output"
    has "$work/output" "oxd_module"
    answers / 200
}

test_11_everything_is_in_its_place() {
    local file
    for file in /usr/lib/apache2/modules/mod_oxd.so /etc/apache2/mods-available/oxd.{load,conf} /usr/bin/oxdctl \
        /usr/share/man/man1/oxdctl{,-register,-check,-doctor}.1.gz /usr/share/man/man5/mod_oxd.5.gz \
        /usr/share/bash-completion/completions/oxdctl /usr/share/zsh/vendor-completions/_oxdctl \
        /usr/share/fish/vendor_completions.d/oxdctl.fish \
        "/usr/share/doc/$package"/{README.Debian,README.md,copyright,changelog.Debian.gz,docs/DIRECTIVES.md} \
        "/usr/share/doc/$package/monitoring"/{grafana.json,oxd-rules.yml}; do
        [[ -f $root$file ]] || fail "$file is not there"
    done
    [[ $(stat -c '%a %U' "$root/etc/apache2/oxd") == "700 root" ]] || fail "/etc/apache2/oxd is not for root alone"
    [[ $(inside oxdctl --version) == "oxdctl $(scripts/version.sh)" ]] || fail "oxdctl has another version"
    # Both are compiled; what they ask of the system must be there.
    inside ldd /usr/bin/oxdctl >"$work/output"
    lacks "$work/output" "not found"
}

# What Debian's own testing of packages runs, too.
test_11b_the_packages_own_test_passes() {
    cp debian/tests/smoke "$root/tmp/smoke"
    inside bash /tmp/smoke
    rm "$root/tmp/smoke"
}

# The commands of README.Debian.
test_12_a_site_is_registered() {
    local lines
    inside bash -c 'openssl s_client -connect 127.0.0.1:8443 </dev/null 2>/dev/null |
        openssl x509 >/etc/apache2/oxd/oxd-server.pem'
    inside sh -ec 'cd /etc/apache2/oxd
        oxdctl register --server https://127.0.0.1:8443 --ca-file oxd-server.pem \
            --op-host http://127.0.0.1:8445 --base http://127.0.0.1/oxd
        oxdctl key --out oxd-key' >"$work/register"
    lines=$(sed -n '/^OxdServer /,$ { /^oxdctl /q; p }' "$work/register" | sed '/<\/Location>/,$ b; /^$/d')
    [[ $lines == *OxdServerCAFile*OxdSite*OxdCryptoKey*"SetHandler oxd"*"AuthType oxd"* ]] ||
        { cat "$work/register" >&2; fail "the lines for httpd are not in the output"; }
    cp "$(site_file)" "$work/site"
    awk -v lines="$lines" '/^<\/VirtualHost>/ { print lines } { print }' "$work/site" >"$(site_file)"
    [[ $(stat -c %a "$root/etc/apache2/oxd/oxd-site.json") == 600 ]] || fail "the site file is not for root alone"
    mkdir "$root/var/www/html/private"
    echo "Only for users" >"$root/var/www/html/private/index.html"
    inside apache2ctl configtest
    inside service apache2 reload
    inside sh -c 'cd /etc/apache2/oxd && oxdctl check' || fail "oxdctl check found something"
}

test_13_a_user_signs_in() {
    answers / 200
    visitor sign-in
    # What a purge removes by this name.
    [[ -e $root/run/apache2/oxd-sessions ]] || fail "the module keeps its notes elsewhere"
}

test_14_an_upgrade_keeps_configuration_choice_and_sessions() {
    echo '# a line of the administrator' >>"$root/etc/apache2/mods-available/oxd.conf"
    apt install "/packages/2.deb"
    [[ $(installed_version) == *-2 ]] || fail "not upgraded"
    enabled
    has "$root/etc/apache2/mods-available/oxd.conf" "# a line of the administrator"
    [[ -s $root/etc/apache2/oxd/oxd-site.json ]] || fail "the site file is gone"
    visitor come-back
}

test_15_a_user_signs_out() {
    visitor sign-out
}

# A protected place must never be open because the module is not there.
test_16_without_the_module_the_site_is_refused_not_open() {
    inside a2dismod -q oxd
    ! inside apache2ctl configtest >"$work/output" 2>&1 || fail "expected httpd to refuse the configuration"
    has "$work/output" "OxdServer"
    inside a2enmod -q oxd
    inside apache2ctl configtest
}

test_17_an_upgrade_leaves_a_module_off_that_was_turned_off() {
    inside a2dissite -q 000-default
    inside a2dismod -q oxd
    apt install --allow-downgrades "/packages/1.deb"
    disabled
    apt install "/packages/2.deb"
    disabled
    inside a2enmod -q oxd
    inside a2ensite -q 000-default
    inside service apache2 restart
    answers /private/ 302
}

# The lines are still in the site: httpd goes on with the module that it has.
test_18_a_removal_lets_httpd_run_and_nobody_in() {
    apt remove "$package"
    disabled
    [[ ! -e $root/usr/lib/apache2/modules/mod_oxd.so && ! -e $root/usr/bin/oxdctl ]] || fail "the programs are still there"
    [[ -e $root/etc/apache2/mods-available/oxd.conf ]] || fail "the configuration went with a removal"
    answers / 200
    answers /private/ 302
    # The administrator's own, without which httpd starts again.
    cp "$work/site" "$(site_file)"
    rm -r "$root/var/www/html/private"
    inside apache2ctl configtest
    inside service apache2 restart
    answers / 200
    answers /oxd 404
}

test_19_a_purge_leaves_no_trace() {
    local name
    apt purge "$package"
    answers / 200
    inside service apache2 stop
    # What is left for a dependency's sake goes as everywhere.
    apt autoremove --purge
    snapshot >"$work/after"
    # The snapshots are worth something: what there was to remove was seen.
    [[ $(wc -l <"$work/before") -gt 1000 ]] || fail "expected more files"
    diff "$work/before" "$work/after" >"$work/output" || { cat "$work/output" >&2; fail "expected the same files as before"; }
    for name in "$root"/var/lib/dpkg/info/"$package"*; do fail "$name is still there"; done
    ! inside dpkg-query -W "$package" >/dev/null 2>&1 || fail "dpkg still knows it"
    # httpd itself found nothing to complain of, in all this time.
    if grep -E '\[[a-z_]*:(emerg|alert|crit|error)\]|exit signal' "$root/var/log/apache2/error.log" >&2; then
        fail "expected no such line in httpd's log"
    fi
}

# httpd is unpacked, but not set up yet, when the module's turn comes.
test_20_one_command_installs_httpd_with_it() {
    apt purge 'apache2*'
    apt autoremove --purge
    rm -rf "$root/etc/apache2" "$root/var/lib/apache2"
    apt install "/packages/1.deb"
    inside dpkg-query -W apache2 >/dev/null || fail "httpd did not come along"
    enabled
    inside apache2ctl configtest
    answers / 200
}

# --- the pages that say how to install it ------------------------------------

# What a page says, and what is here in its place. httpd answers at the page's own name,
# and oxd at the page's own address.
here=(
    -e 's#https://op\.example\.org#http://127.0.0.1:8445#g'
    # Without an init system.
    -e 's#\bsystemctl \([a-z]*\) apache2#service apache2 \1#g'
    -e 's#\bsudo ##g'
    # The tests do these themselves: the package is built, and the stand-in for oxd has a
    # certificate of its own.
    -e '/^make /d'
    -e '/^keytool /,/[^\\]$/d'
)

# blocks LANGUAGE PAGE HEADING: the lines of the page's blocks in this language, below
# this heading and the deeper ones that follow. Between blocks stands an empty line.
blocks() {
    awk -v language="$1" -v wanted="$3" '
        /^```/ && !inside { inside = 1; take = below && $0 == "```" language; next }
        /^```/ { inside = 0; if (take) print ""; next }
        inside { if (take) print; next }
        /^#+ / { level = index($0, " ") - 1
            if (index($0, wanted) == level + 2) { below = 1; depth = level }
            else if (level <= depth) below = 0 }' "$2"
}

# follow PAGE HEADING: its commands in their order, in a Debian with httpd that answers as
# https://www.example.org and nothing else. Before the command that tests httpd's
# configuration, the lines that the page tells to put there are put there: those of its
# own, or else those that oxdctl has printed.
follow() {
    local page=$1 heading=$2 conf=$root/etc/apache2/sites-available/default-ssl.conf
    local folder=$root/root/mod_oxd
    ! installed_version >/dev/null 2>&1 || apt purge "$package"
    apt purge 'apache2*'
    apt autoremove --purge
    rm -rf "$root/etc/apache2" "$root/var/lib/apache2" "$root/var/www/html" "$folder"
    apt install apache2
    "$visitor" --cookies "$work/cookies" --site https://www.example.org --provider x --authority "$work/ca.pem" certify
    mkdir -p "$folder/target/packages"
    cp "$work/site.pem" "$work/site.key" "$root/etc/ssl/"
    sed -i -E -e 's#(SSLCertificateFile).*#\1 /etc/ssl/site.pem#' -e 's#(SSLCertificateKeyFile).*#\1 /etc/ssl/site.key#' \
        -e '/<VirtualHost/a ServerName www.example.org' "$conf"
    inside a2enmod -q ssl
    inside a2ensite -q default-ssl
    inside service apache2 restart
    cp "$work/packages/1.deb" "$folder/target/packages/${package}_1_all.deb"
    echo 'APT::Get::Assume-Yes "true";' >"$root/etc/apt/apt.conf.d/90yes"
    blocks apache "$page" "$heading" >"$root/root/lines"
    cat >"$root/usr/local/bin/put-lines" <<'SCRIPT'
#!/bin/sh
# As somebody with an editor does it.
[ -s /root/lines ] || sed -n '/^OxdServer /,$ { /^oxdctl /q; p }' /root/said >/root/lines
sed -i -e '/<\/VirtualHost>/ { e cat /root/lines
}' /etc/apache2/sites-available/default-ssl.conf
SCRIPT
    chmod 0755 "$root/usr/local/bin/put-lines"
    {
        say 'set -eux; cd /root/mod_oxd'
        blocks sh "$page" "$heading" | sed "${here[@]}" |
            awk '/configtest/ && !done { print "put-lines"; done = 1 } { print }'
    } >"$root/root/commands"
    has "$root/root/commands" "oxdctl register"
    has "$root/root/commands" "configtest"
    inside sh -c 'bash /root/commands >/root/said 2>&1' || { cat "$root/root/said" >&2; fail "$page: a command failed"; }
    rm "$root/etc/apt/apt.conf.d/90yes" "$root/usr/local/bin/put-lines"
}

# The page's own words end at a page of the site, for signed-in users only.
leads_to_a_page() {
    "$visitor" --cookies "$work/cookies" --site https://www.example.org --provider http://127.0.0.1:8445 \
        --authority "$work/ca.pem" sign-in
}

test_21_the_commands_of_the_readme_lead_to_a_page() {
    follow README.md Installing
    leads_to_a_page
}

test_22_the_commands_of_the_quick_start_lead_to_a_page() {
    follow docs/QUICKSTART.md "Quick start"
    leads_to_a_page
}

# --- of the packages as files ------------------------------------------------

test_01_the_same_sources_give_the_same_package() {
    mkdir "$work/again"
    build_deb "$work/again" 1
    cmp "$work/packages/1.deb" "$work/again/1.deb"
    rm -r "$work/again"
}

test_02_lintian_has_no_complaint() {
    lintian --allow-root --fail-on error,warning "$work"/packages/*.changes
}

test_03_the_package_names_httpds_abi() {
    local number
    number=$(sed -n 's/^#define MODULE_MAGIC_NUMBER_MAJOR *//p' "$(apxs -q INCLUDEDIR)/ap_mmn.h")
    dpkg-deb -f "$work/packages/1.deb" Depends >"$work/output"
    has "$work/output" "apache2-api-$number"
    has "$work/output" "libc6 (>="
    dpkg-deb -I "$work/packages/1.deb" conffiles >"$work/output"
    [[ $(<"$work/output") == $'/etc/apache2/mods-available/oxd.conf\n/etc/apache2/mods-available/oxd.load' ]] ||
        { cat "$work/output" >&2; fail "other conffiles"; }
}

test_04_the_manual_pages_are_well_formed() {
    local page
    mkdir "$work/deb"
    dpkg-deb -x "$work/packages/1.deb" "$work/deb"
    for page in "$work"/deb/usr/share/man/man?/*; do
        LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null |
            sed "s|^|${page##*/}: |" >>"$work/warnings"
    done
    [[ ! -s $work/warnings ]] || { cat "$work/warnings" >&2; fail "expected no warning"; }
    LC_ALL=C.UTF-8 MANWIDTH=80 man -l "$work/deb/usr/share/man/man5/mod_oxd.5.gz" >"$work/output"
    while read -r directive; do
        has "$work/output" "$directive"
    done < <(sed -n 's/^### //p' docs/DIRECTIVES.md)
    rm -r "$work/deb"
}

test_05_the_rpm_package_has_its_files_and_needs() {
    local file newest
    rpm -qlp "$work/packages/1.rpm" >"$work/output"
    for file in /usr/lib64/httpd/modules/mod_oxd.so /etc/httpd/conf.modules.d/10-oxd.conf /etc/httpd/conf.d/oxd.conf \
        /etc/httpd/oxd /usr/bin/oxdctl /usr/share/man/man5/mod_oxd.5.gz /usr/share/man/man1/oxdctl.1.gz \
        /usr/share/bash-completion/completions/oxdctl; do
        has "$work/output" "$file"
    done
    rpm -qp --configfiles "$work/packages/1.rpm" >"$work/output"
    [[ $(<"$work/output") == $'/etc/httpd/conf.d/oxd.conf\n/etc/httpd/conf.modules.d/10-oxd.conf' ]] ||
        { cat "$work/output" >&2; fail "other configuration files"; }
    rpm -qp --requires "$work/packages/1.rpm" >"$work/output"
    grep -qE '^httpd-mmn = [0-9]{8}[a-z0-9]+$' "$work/output" || { cat "$work/output" >&2; fail "no httpd-mmn"; }
    has "$work/output" "libc.so.6(GLIBC_"
    # What every Fedora has, and nothing else.
    if grep -vE '^(httpd-mmn|config\(mod_oxd\)) = |^(rpmlib|rtld)\(|^(ld-linux-.*|lib(c|m|gcc_s))\.so\.[0-9]+\(' "$work/output" >&2; then
        fail "expected no such need"
    fi
    # The README builds the package for RHEL 9, which has glibc 2.34, on Debian 12.
    if grep -q VERSION_CODENAME=bookworm /etc/os-release; then
        newest=$(grep -oP 'GLIBC_\K[0-9.]+' "$work/output" | sort -V | tail -n 1)
        [[ $(printf '%s\n' "$newest" 2.34 | sort -V | tail -n 1) == 2.34 ]] || fail "needs glibc $newest"
    fi
    [[ -z $(rpm -qp --scripts "$work/packages/1.rpm") ]] || fail "expected no scripts"
}

# fedora ARGUMENT...: rpm with a root that has nothing else. What the package needs is not there,
# and was looked at before: hence --nodeps.
fedora() { rpm --root "$work/fedora" --dbpath /var/lib/rpm "$@"; }

# Debian's httpd, with the files as they lie in Fedora.
httpd_loads_what_lies_in_fedora() {
    local tree=$work/fedora httpd name
    httpd=$(apxs -q SBINDIR)/$(apxs -q PROGNAME)
    {
        say "ServerRoot \"$tree/etc/httpd\""
        say "DefaultRuntimeDir \"$tree\""
        for name in mpm_event authn_core authz_core authz_user; do
            say "LoadModule ${name}_module \"$(apxs -q LIBEXECDIR)/mod_$name.so\""
        done
        say "ServerName localhost"
        say "Listen 127.0.0.1:8080"
        say "ErrorLog /dev/stderr"
        say "Include conf.modules.d/*.conf"
        say "Include conf.d/*.conf"
        say "OxdSessionLifetime 2h"
    } >"$work/httpd.conf"
    "$httpd" -t -f "$work/httpd.conf"
}

test_06_rpm_installs_it_and_httpd_loads_it() {
    mkdir "$work/fedora"
    fedora -i --nodeps "$work/packages/1.rpm"
    # Owners, modes and contents are those of the package.
    fedora -V --nodeps mod_oxd
    [[ $(stat -c '%a %U' "$work/fedora/etc/httpd/oxd") == "700 root" ]] || fail "/etc/httpd/oxd is not for root alone"
    ln -s ../../usr/lib64/httpd/modules "$work/fedora/etc/httpd/modules"
    [[ $("$work/fedora/usr/bin/oxdctl" --version) == "oxdctl $(scripts/version.sh)" ]] || fail "oxdctl has another version"
    httpd_loads_what_lies_in_fedora
    lacks "$work/fedora/etc/httpd/conf.d/oxd.conf" /etc/apache2
}

test_07_rpm_keeps_what_is_the_administrators() {
    local tree=$work/fedora
    if [[ ! -d $tree ]]; then test_06_rpm_installs_it_and_httpd_loads_it; fi
    echo '# a line of the administrator' >>"$tree/etc/httpd/conf.d/oxd.conf"
    echo secret >"$tree/etc/httpd/oxd/oxd-key"
    fedora -U --nodeps "$work/packages/2.rpm"
    [[ $(fedora -q --qf '%{RELEASE}' mod_oxd) == 2* ]] || fail "not upgraded"
    has "$tree/etc/httpd/conf.d/oxd.conf" "# a line of the administrator"
    httpd_loads_what_lies_in_fedora
    fedora -e mod_oxd
    has "$tree/etc/httpd/conf.d/oxd.conf.rpmsave" "# a line of the administrator"
    has "$tree/etc/httpd/oxd/oxd-key" secret
    find "$tree" -path "$tree/var" -prune -o ! -type d -printf '/%P\n' | LC_ALL=C sort >"$work/output"
    [[ $(<"$work/output") == $'/etc/httpd/conf.d/oxd.conf.rpmsave\n/etc/httpd/modules\n/etc/httpd/oxd/oxd-key' ]] ||
        { cat "$work/output" >&2; fail "expected only the administrator's files"; }
    rm -r "$tree"
}

# What ARCH asks for, where that is another machine than this one.
is_foreign() { [[ -n ${ARCH:-} && $ARCH != "$(dpkg --print-architecture)" ]]; }
foreign_test=test_08_the_package_for_another_machine_is_whole

test_08_the_package_for_another_machine_is_whole() {
    local machine file programs=0
    declare -A machines=([amd64]='Advanced Micro Devices X86-64' [arm64]=AArch64)
    machine=${machines[$ARCH]}
    mkdir "$work/foreign"
    build_deb "$work/foreign" 1 "$ARCH"
    [[ $(dpkg-deb -f "$work/foreign/1.deb" Architecture) == "$ARCH" ]] || fail "not for $ARCH"
    # What it needs is what the one for this machine needs, but for versions of the C library.
    for file in packages foreign; do
        dpkg-deb -f "$work/$file/1.deb" Depends Recommends | sed 's/ ([^)]*)//g'
    done | sort | uniq -c >"$work/output"
    [[ $(wc -l <"$work/output") == 2 ]] || { cat "$work/output" >&2; fail "the packages have other needs"; }
    # And the same files, but what is compiled and the list of crates in it.
    dpkg-deb -x "$work/foreign/1.deb" "$work/foreign/root"
    dpkg-deb -x "$work/packages/1.deb" "$work/foreign/native"
    diff -rq "$work/foreign/root" "$work/foreign/native" >"$work/output" || true
    if grep -vE '^Files .*/(mod_oxd\.so|oxdctl|THIRD-PARTY\.txt\.gz|mod_oxd\.cdx\.json) and ' "$work/output" >&2; then fail "expected the same files"; fi
    while read -r file; do
        [[ $(head -c 4 "$file" | tail -c 3) == ELF ]] || continue
        readelf -h "$file" >"$work/output"
        has "$work/output" "$machine"
        programs=$((programs + 1))
    done < <(find "$work/foreign/root" -type f)
    [[ $programs -eq 2 ]] || fail "expected the module and oxdctl, not $programs programs"
    lintian --allow-root --fail-on error,warning "$work"/foreign/*.changes
    if [[ $ARCH == arm64 ]] && command -v qemu-aarch64 >/dev/null; then
        [[ $(qemu-aarch64 "$work/foreign/root/usr/bin/oxdctl" --version) == "oxdctl $(scripts/version.sh)" ]] ||
            fail "oxdctl does not run there"
    fi
    rm -r "$work/foreign"
}

test_09_the_packages_say_what_they_are_made_of() {
    local tree=$work/made-of file
    mkdir -p "$tree/deb" "$tree/rpm"
    dpkg-deb -x "$work/packages/1.deb" "$tree/deb"
    rpm --root "$tree/rpm" --dbpath /var/lib/rpm -i --nodeps "$work/packages/1.rpm"
    for file in "deb/usr/share/doc/$package" rpm/usr/share/doc/mod_oxd; do
        has "$tree/$file/mod_oxd.cdx.json" '"bomFormat": "CycloneDX"'
        has "$tree/$file/mod_oxd.cdx.json" '"purl": "pkg:cargo/ring@'
    done
    for file in deb/usr/lib/apache2/modules/mod_oxd.so deb/usr/bin/oxdctl \
        rpm/usr/lib64/httpd/modules/mod_oxd.so rpm/usr/bin/oxdctl; do
        readelf -SW "$tree/$file" >"$work/output"
        has "$work/output" .dep-v0
    done
    rm -r "$tree"
}

# -----------------------------------------------------------------------------

# build_deb FOLDER REVISION [ARCH]: FOLDER/REVISION.deb
build_deb() {
    PACKAGES=$1 REVISION=$2 ARCH=${3:-} scripts/package.sh deb >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; return 1; }
    mv "$1/$package"_*-"$2"_*.deb "$1/$2.deb"
    # lintian looks for the package beside them, by its name. The one of debugging
    # information, which is named too, has kept its own.
    ln -sf "$2.deb" "$1/$(awk -v name="${package}_" 'index($3, name) == 1 && $3 ~ /\.deb$/ { print $3; exit }' \
        "$1"/*-"$2"_*.changes)"
}

# build_rpm FOLDER REVISION: FOLDER/REVISION.rpm
build_rpm() {
    PACKAGES=$1 REVISION=$2 ARCH='' scripts/package.sh rpm >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; return 1; }
    mv "$1"/mod_oxd-*-"$2".*.rpm "$1/$2.rpm"
}

build_packages() {
    mkdir "$work/packages"
    build_deb "$work/packages" 1
    [[ -z $(chosen 1) ]] || build_deb "$work/packages" 2
    [[ -z $(chosen '0[5-9]') ]] || { build_rpm "$work/packages" 1; build_rpm "$work/packages" 2; }
}

# What apt here installs from, as far as it is Debian (or Ubuntu) itself: lines of
# address, release, components.
mirrors() {
    # shellcheck disable=SC2016 # apt-get's variables
    apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' 'Created-By: Packages' |
        awk -F '|' '
            $1 == "Debian" || $1 == "Ubuntu" {
                key = $2 " " $3
                if (!(key in components)) order[++n] = key
                if (index(components[key] " ", " " $4 " ") == 0) components[key] = components[key] " " $4
            }
            END { for (i = 1; i <= n; i++) print order[i] components[order[i]] }'
}

# A minimal Debian of this machine's release at $root. It is kept for a day: another
# run needs only unpack it.
make_root() {
    local codename mirror options=(--variant=minbase) base
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    mirror=$(mirrors | awk -v name="$codename" '$2 == name { print $1; exit }')
    [[ -n $mirror ]] || fail "apt has no mirror of $codename; 'apt-get update' may help"
    [[ $mirror != https:* ]] || options+=(--include=ca-certificates)
    base=$folder/base-$codename.tar
    mkdir "$root"
    if [[ -n $(find "$base" -mtime -1 2>/dev/null) ]]; then
        tar -C "$root" --numeric-owner -xpf "$base"
    else
        debootstrap "${options[@]}" "$codename" "$root" "$mirror"
        inside apt-get clean
        tar -C "$root" --numeric-owner --one-file-system -cpf "$base.new" .
        mv "$base.new" "$base"
    fi
    mirrors | sed 's/^/deb /' >"$root/etc/apt/sources.list"
    apt-config dump | grep -iE '^Acquire::https?::Proxy' >"$root/etc/apt/apt.conf.d/80proxy" || true
    # Nothing here has to outlive a power cut; waiting for the disk takes most of the time.
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/tests"
    cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
}

# Everything that the tests need from the network.
download() {
    mkdir "$root/packages"
    cp "$work"/packages/[12].deb "$root/packages"
    inside apt-get -q update
    inside apt-get -q -y --download-only install apache2 /packages/1.deb
}

# --build: the README's commands in a Debian that has nothing yet, but Rust.
build_inside() {
    local cargo=${CARGO_HOME:-$HOME/.cargo} rustup=${RUSTUP_HOME:-$HOME/.rustup} work_root=$root
    root=$work/builder
    make_root
    mount -t proc proc "$root/proc"
    mkdir -p "$root/root/.cargo" "$root/root/.rustup" "$root/src"
    mount --bind "$cargo" "$root/root/.cargo"
    mount --bind "$rustup" "$root/root/.rustup"
    git ls-files -z --cached --others --exclude-standard | tar --null --files-from - -c | tar -C "$root/src" -x
    inside apt-get -q update
    inside apt-get -q -y --no-install-recommends install make ca-certificates
    inside env CI=true make -C /src deb
    mv "$root"/src/target/packages/"$package"_*.deb "$work_root/packages/1.deb"
    umount "$root/root/.cargo" "$root/root/.rustup" "$root/proc"
    rm -rf --one-file-system "$root"
    root=$work_root
}

start_oxd() {
    "$oxd_dev" --listen 127.0.0.1:8443 --tls --provider-listen 127.0.0.1:8445 \
        --ready-file "$work/oxd-ready" </dev/null >"$work/oxd-dev.log" 2>&1 &
    local pid=$! deadline=$((SECONDS + 30))
    until [[ -e $work/oxd-ready ]]; do
        kill -0 "$pid" 2>/dev/null || { cat "$work/oxd-dev.log" >&2; fail "the development oxd server ended"; }
        [[ $SECONDS -lt $deadline ]] || fail "the development oxd server does not get ready"
        sleep 0.05
    done
}

passed=0
failed=()

# chosen PATTERN: those tests of the pattern that are to run.
chosen() {
    compgen -A function test_ | grep -E "^test_($only)" | grep -E "^test_($1)" |
        { if is_foreign; then cat; else grep -v "^$foreign_test$"; fi; } | LC_ALL=C sort || true
}

# run_tests PATTERN: stops at the first failure, as each may stand on those before.
run_tests() {
    local name status began
    for name in $(chosen "$1"); do
        if [[ ${#failed[@]} -gt 0 ]]; then
            not_run=$((not_run + 1))
            continue
        fi
        began=$SECONDS
        set +e
        (set -e; "$name") >"$work/test.log" 2>&1
        status=$?
        set -e
        if [[ $status -eq 0 ]]; then
            printf 'test %s ... ok (%d s)\n' "$name" $((SECONDS - began))
            passed=$((passed + 1))
        else
            printf 'test %s ... FAILED\n' "$name"
            tail -n 60 "$work/test.log" | sed 's/^/    /'
            failed+=("$name")
        fi
    done
}
not_run=0

verdict() {
    local verdict=ok
    [[ ${#failed[@]} -eq 0 ]] || verdict=FAILED
    printf '\ntest result: %s. %d passed; %d failed; %d ignored; 0 measured; %d filtered out\n' \
        "$verdict" "$passed" "${#failed[@]}" "$not_run" \
        $(($(compgen -A function test_ | wc -l) - $(chosen . | wc -l)))
    [[ ${#failed[@]} -eq 0 ]]
}

# --- three stages, one script ------------------------------------------------

# In a network that has nothing but loopback.
stage_apart() {
    work=$1
    only=$2
    passed=$3
    root=$work/root
    ip link set lo up
    start_oxd
    run_tests '[12]'
    verdict
}

# In mounts and processes of its own; still with the network.
stage_own() {
    work=$1
    build=$2
    only=$3
    root=$work/root
    # What this namespace calls its processes.
    mount -t proc proc /proc
    say "Building the packages"
    build_packages
    run_tests 0
    [[ ${#failed[@]} -eq 0 && -n $(chosen '[12]') ]] || { verdict; exit; }
    say "Making a Debian in $root"
    {
        make_root
        download
    } >"$work/make.log" 2>&1 || { tail -n 40 "$work/make.log" >&2; fail "no Debian could be made"; exit 1; }
    mount -t proc proc "$root/proc"
    mount -t devpts devpts "$root/dev/pts"
    # Without an init system, services would be left alone; as with one, they shall be
    # restarted when a package asks for it.
    printf '#!/bin/sh\nexit 0\n' >"$root/usr/sbin/policy-rc.d"
    chmod 0755 "$root/usr/sbin/policy-rc.d"
    if [[ $build == true ]]; then
        say "Building the package in a Debian of its own"
        build_inside >"$work/make.log" 2>&1 || { tail -n 40 "$work/make.log" >&2; fail "the package could not be built there"; exit 1; }
    fi
    unshare --net bash "$script" --stage-apart "$work" "$only" "$passed"
}

case ${1:-} in
--stage-own) shift; stage_own "$@"; exit ;;
--stage-apart) shift; stage_apart "$@"; exit ;;
esac

build=false
only=.
while [[ $# -gt 0 ]]; do
    case $1 in
    --build) build=true ;;
    --only) only=${2:-}; shift ;;
    *) say "test-package: unknown argument '$1'"; exit 2 ;;
    esac
    shift || break
done

[[ $EUID -eq 0 ]] || cannot "only root may make another Debian and go into it"
for tool in debootstrap unshare chroot ip lintian rpm curl; do
    command -v "$tool" >/dev/null || cannot "$tool is missing: scripts/need.sh test-package"
done
for program in "$oxd_dev" "$visitor"; do
    [[ -x $program ]] || cannot "$program is not built: make test-package builds it"
done
unshare --mount --pid --fork --net true 2>/dev/null || cannot "no namespaces can be made here"
[[ -n $(mirrors) ]] || cannot "apt has no mirror of Debian: try apt-get update"

[[ -n $only && -n $(chosen .) ]] || { say "test-package: --only wants numbers of tests, like 2[12]"; exit 2; }

mkdir -p "$folder"
work=$(mktemp -d "$folder/run.XXXXXX")
chmod 0755 "$work"
# What was mounted was so in a namespace that has ended.
trap 'rm -rf --one-file-system "$work"' EXIT
unshare --mount --pid --fork --kill-child bash "$script" --stage-own "$work" "$build" "$only" &
# unshare takes no other signal while it waits; with it ends everything that it began.
trap 'kill -KILL $!; wait; exit 130' INT
trap 'kill -KILL $!; wait; exit 143' TERM HUP
wait $!
