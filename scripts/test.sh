#!/usr/bin/env bash
# Tests of the installation and the other scripts. Closes with a line like cargo
# test's, so that .ci/run counts them together. Run by `make test`.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() { printf '%s\n' "$*" >&2; return 1; }

# has FILE TEXT
has() { grep -qF -- "$2" "$1" || { cat "$1" >&2; fail "expected '$2' in the output"; }; }

# refuses COMMAND...: it fails; its output is in $scratch/output.
refuses() { if "$@" >"$scratch/output" 2>&1 </dev/null; then fail "expected a failure: $*"; fi; }

# --- tests: each runs in a subshell of its own -------------------------------

test_demo_page_escapes_what_it_shows() {
    local page=$scratch/page
    env -i PATH="$PATH" REMOTE_USER='<script>"&' OXD_CLAIM_name=$'a&b\n<i>\\' \
        apache-conf/demo/htdocs/private/index.cgi >"$page"
    has "$page" '&lt;script&gt;&quot;&amp;'
    has "$page" 'a&amp;b'
    has "$page" '&lt;i&gt;'
    ! grep -qE '<script|<i>' "$page" || fail "unescaped output"
    local body='a=b&text=a+%3Cscript%3E%26%25+100%+%C3%A4%00%0Ab'
    env -i PATH="$PATH" CONTENT_LENGTH="${#body}" \
        apache-conf/demo/htdocs/form/send/index.cgi >"$page" <<<"$body"
    has "$page" '<blockquote>a &lt;script&gt;&amp;% 100% ä'
    ! grep -q '<script' "$page" || fail "unescaped output"
}

# What `make release` makes, as far as `make install` looks at it.
pretend_to_build() {
    built=$scratch/built
    mkdir -p "$built/share/man/man1"
    echo one >"$built/libmod_oxd.so"
    echo two >"$built/oxdctl"
    echo three >"$built/share/man/man1/oxdctl.1"
    echo four >"$built/share/man/man1/oxdctl-check.1"
    destination=$scratch/root
    modules=$destination$(apxs -q LIBEXECDIR)
    available=$destination$(apxs -q SYSCONFDIR)/mods-available
}

# make_with_built TARGET
make_with_built() {
    make -s "$1" MODULE="$built/libmod_oxd.so" OXDCTL="$built/oxdctl" SHARE="$built/share" \
        DESTDIR="$destination" PREFIX=/opt/oxd >"$scratch/output"
}

test_install_fills_a_directory() {
    pretend_to_build
    make_with_built install
    [[ $(<"$modules/mod_oxd.so") == one ]] || fail "the module is not there"
    [[ $(stat -c %a "$modules/mod_oxd.so") == 644 ]] || fail "wrong mode"
    [[ -x $destination/opt/oxd/bin/oxdctl ]] || fail "oxdctl is not there"
    [[ $(<"$destination/opt/oxd/share/man/man1/oxdctl-check.1") == four ]] || fail "the manual pages are not there"
    if [[ -e /etc/debian_version ]]; then
        has "$available/oxd.load" "LoadModule oxd_module $(apxs -q LIBEXECDIR)/mod_oxd.so"
        # An administrator's own configuration outlives the next installation.
        echo mine >"$available/oxd.conf"
        make_with_built install
        [[ $(<"$available/oxd.conf") == mine ]] || fail "oxd.conf was overwritten"
    fi
}

test_uninstall_takes_everything_away() {
    pretend_to_build
    make_with_built install
    make_with_built uninstall
    [[ -z $(find "$destination" ! -type d) ]] || { find "$destination" ! -type d >&2; fail "files are left"; }
    # Again, with nothing there.
    make_with_built uninstall
}

test_uninstall_leaves_what_is_the_administrators() {
    [[ -e /etc/debian_version ]] || return 0
    pretend_to_build
    make_with_built install
    echo mine >>"$available/oxd.conf"
    echo secret >"${available%/*}/oxd/oxd-key"
    make_with_built uninstall
    has "$available/oxd.conf" mine
    has "${available%/*}/oxd/oxd-key" secret
    has "$scratch/output" "left, as it was changed"
    has "$scratch/output" "left, as it holds your files"
}

test_install_wants_a_built_module() {
    refuses make -s install MODULE="$scratch/none.so" DESTDIR="$scratch/root"
    has "$scratch/output" "make release"
}

test_the_version_stands_in_one_place() {
    local rust
    [[ $(scripts/version.sh) =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || fail "no version"
    refuses grep -rnF -- "$(scripts/version.sh)" debian rpm scripts
    # The least Rust stands where each packager looks for it.
    rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    has debian/control.in "cargo:native (>= $rust)"
    has rpm/mod_oxd.spec "cargo >= $rust"
    has README.md "$rust or later"
}

test_a_package_tells_its_version_and_who_made_it() {
    SOURCE_DATE_EPOCH=0 REVISION=3 DEBFULLNAME='A Packager' DEBEMAIL=a@example.net \
        scripts/package.sh changelog >"$scratch/output"
    has "$scratch/output" "mod-oxd ($(scripts/version.sh --package)-3) "
    has "$scratch/output" " -- A Packager <a@example.net>  Thu, 01 Jan 1970 00:00:00 +0000"
    DEBFULLNAME='A Packager' DEBEMAIL=a@example.net scripts/package.sh control >"$scratch/output"
    has "$scratch/output" "Maintainer: A Packager <a@example.net>"
    has "$scratch/output" "Homepage: https://"
    DEBFULLNAME='Salt & Pepper' DEBEMAIL=a@example.net scripts/package.sh control >"$scratch/output"
    has "$scratch/output" "Maintainer: Salt & Pepper <a@example.net>"
    # An address that no mail gets to is nobody's.
    git init -q "$scratch/none"
    git -C "$scratch/none" config user.email someone@users.example
    GIT_DIR=$scratch/none/.git DEBFULLNAME='' DEBEMAIL='' EMAIL='' scripts/package.sh control >"$scratch/output"
    has "$scratch/output" "Maintainer: $(id -un) <$(id -un)@"
    REVISION=no refuses scripts/package.sh changelog
    has "$scratch/output" "REVISION=no"
}

test_packages_are_not_tested_where_that_cannot_be() {
    # A PATH without debootstrap; a user who is not root does not get that far.
    local tool
    mkdir "$scratch/bin"
    for tool in bash realpath dirname cat; do ln -s "$(command -v "$tool")" "$scratch/bin/"; done
    PATH=$scratch/bin SKIP_OK='' refuses bash scripts/test-package.sh
    has "$scratch/output" "SKIP_OK=1"
    PATH=$scratch/bin SKIP_OK=1 bash scripts/test-package.sh >"$scratch/output"
    has "$scratch/output" "test result: ok. 0 passed; 0 failed; 1 ignored"
}

test_a_container_is_made_of_a_package() {
    refuses scripts/test-container.sh
    has "$scratch/output" "make deb"
    refuses make -s test-container
    has "$scratch/output" "make deb"
    # A PATH without podman.
    local tool
    mkdir "$scratch/bin"
    for tool in bash dirname; do ln -s "$(command -v "$tool")" "$scratch/bin/"; done
    PATH=$scratch/bin refuses bash scripts/test-container.sh some.deb
    has "$scratch/output" "podman is missing"
}

test_need_knows_its_purposes() {
    local purpose
    for purpose in build demo test lint fuzz soak bench deb rpm test-package; do
        scripts/need.sh --list "$purpose" >"$scratch/output"
    done
    refuses scripts/need.sh fun
    has "$scratch/output" "build, demo, test, lint, soak, fuzz, bench, deb, rpm or test-package"
}

test_need_names_the_stores() {
    # A dpkg-query that knows no package.
    mkdir "$scratch/bin"
    printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/dpkg-query"
    chmod +x "$scratch/bin/dpkg-query"
    PATH=$scratch/bin:$PATH scripts/need.sh --list test >"$scratch/output"
    has "$scratch/output" redis-server
    has "$scratch/output" memcached
}

test_need_asks_for_rust() {
    # A PATH with what the script itself uses, and no cargo.
    local tool
    mkdir "$scratch/bin"
    for tool in bash dirname; do ln -s "$(command -v "$tool")" "$scratch/bin/"; done
    PATH=$scratch/bin refuses bash scripts/need.sh build
    has "$scratch/output" "rustup"
    printf '#!/bin/sh\necho cargo 1.63.0\n' >"$scratch/bin/cargo"
    chmod +x "$scratch/bin/cargo"
    PATH=$scratch/bin:/usr/bin:/bin refuses scripts/need.sh build
    has "$scratch/output" "or newer is needed, here is 1.63.0"
}

test_need_knows_what_is_built_for_another_machine() {
    [[ -e /etc/debian_version ]] || return 0
    # A Rust with no standard library at all.
    local architecture=arm64 target=aarch64-unknown-linux-gnu
    if [[ $(dpkg --print-architecture) == arm64 ]]; then
        architecture=amd64 target=x86_64-unknown-linux-gnu
    fi
    mkdir "$scratch/bin"
    printf '#!/bin/sh\necho /nowhere\n' >"$scratch/bin/rustc"
    chmod +x "$scratch/bin/rustc"
    PATH=$scratch/bin:$PATH ARCH=$architecture refuses scripts/need.sh deb
    has "$scratch/output" "rustup target add $target"
    ARCH=m68k refuses scripts/need.sh deb
    has "$scratch/output" "only for amd64 and arm64"
}

test_need_waits_for_no_trigger() {
    # A dpkg-query as it answers for man-db, while apt installs something else.
    mkdir "$scratch/bin"
    printf '#!/bin/sh\necho triggers-pending\n' >"$scratch/bin/dpkg-query"
    chmod +x "$scratch/bin/dpkg-query"
    PATH=$scratch/bin:$PATH scripts/need.sh --list demo >"$scratch/output"
    [[ ! -s $scratch/output ]] || { cat "$scratch/output" >&2; fail "expected nothing to be missing"; }
}

test_need_prints_the_command_when_it_cannot_ask() {
    # A dpkg-query that knows no package.
    mkdir "$scratch/bin"
    printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/dpkg-query"
    chmod +x "$scratch/bin/dpkg-query"
    PATH=$scratch/bin:$PATH CI='' YES='' refuses scripts/need.sh demo
    has "$scratch/output" "apt-get install --no-install-recommends gcc libc6-dev make apache2-dev"
    PATH=$scratch/bin:$PATH NEED=skip scripts/need.sh demo
}

test_need_does_without_what_is_optional() {
    # A dpkg-query that knows every package but two.
    mkdir "$scratch/bin"
    cat >"$scratch/bin/dpkg-query" <<'END'
#!/bin/sh
case $* in *memcached* | *openidc*) exit 1 ;; *) printf installed ;; esac
END
    chmod +x "$scratch/bin/dpkg-query"
    export PATH=$scratch/bin:$PATH
    CI='' YES='' scripts/need.sh bench >"$scratch/output" 2>&1 </dev/null || fail "it stopped"
    has "$scratch/output" "memcached"
    has "$scratch/output" "libapache2-mod-auth-openidc"
    ! grep -q redis "$scratch/output" || fail "redis is installed"
    scripts/need.sh --list bench >"$scratch/output"
    [[ $(wc -l <"$scratch/output") -eq 2 ]] || fail "expected two names"
    CI='' YES='' scripts/need.sh demo >"$scratch/output" 2>&1
    [[ ! -s $scratch/output ]] || fail "the demo wants nothing of that"
}

# Stripped as a package is; the template engine is some 0.7 MB of it. A build for development is not what anybody
# installs.
test_the_module_stays_small() {
    local most=7700000 module=${OXD_MODULE:-}
    [[ -e $module && $module == */release/* ]] || return 0
    strip --strip-unneeded --remove-section=.comment --remove-section=.note -o "$scratch/module.so" "$module"
    local bytes
    bytes=$(stat -c %s "$scratch/module.so")
    ((bytes <= most)) || fail "the module has $bytes bytes, and should have $most at most: see [profile.release]"
}

# Stripped as a package is: the section is no debugging information.
test_the_module_names_its_crates() {
    local module=${OXD_MODULE:-} bytes
    [[ -e $module && $module == */release/* && ${AUDITABLE:-} != no ]] || return 0
    strip --strip-unneeded -o "$scratch/module.so" "$module"
    objcopy --dump-section .dep-v0="$scratch/crates" "$scratch/module.so" /dev/null || : >"$scratch/crates"
    bytes=$(stat -c %s "$scratch/crates")
    ((bytes > 1000)) || fail "expected a list of crates in .dep-v0, there are $bytes bytes: see scripts/cargo-release.sh"
}

test_tools_that_are_here_are_taken() {
    mkdir "$scratch/bin"
    printf '#!/bin/sh\n' >"$scratch/bin/cargo-auditable"
    chmod +x "$scratch/bin/cargo-auditable"
    [[ $(PATH=$scratch/bin:$PATH scripts/tool.sh cargo-auditable) == "$scratch/bin/cargo-auditable" ]] ||
        fail "expected the one in the PATH"
    refuses scripts/tool.sh cargo-fun
    has "$scratch/output" "cargo-deny, cargo-auditable"
}

# One that cannot be built is no reason not to build.
test_programs_are_built_without_a_list_of_crates_where_there_is_no_tool() {
    local name
    mkdir "$scratch/bin"
    for name in bash dirname realpath sed env; do ln -s "$(command -v "$name")" "$scratch/bin/"; done
    # A cargo that installs nothing.
    # shellcheck disable=SC2016 # its own variables
    printf '#!/bin/bash\n[[ $1 != install ]] || exit 1\necho "cargo $*"\n' >"$scratch/bin/cargo"
    chmod +x "$scratch/bin/cargo"
    PATH=$scratch/bin CARGO_TARGET_DIR=$scratch/target scripts/cargo-release.sh build -p x >"$scratch/output" 2>&1
    has "$scratch/output" "WITHOUT cargo-auditable"
    has "$scratch/output" "cargo build -p x"
    PATH=$scratch/bin AUDITABLE=no scripts/cargo-release.sh build -p x >"$scratch/output" 2>&1
    has "$scratch/output" "AUDITABLE=no"
    ! grep -q WITHOUT "$scratch/output" || fail "that was asked for"
}

test_the_module_is_made_of_few_crates() {
    local most=104 crates
    cargo tree --locked -p mod_oxd -e normal --prefix none --format '{p}' >"$scratch/output"
    crates=$(awk '{ print $1, $2 }' "$scratch/output" | sort -u | wc -l)
    ((crates > 1 && crates <= most)) || fail "the module is made of $crates crates, and should be of $most at most"
}

test_make_lists_its_targets() {
    local target
    make >"$scratch/output"
    for target in demo test lint models fuzz fuzz-check sanitize crash soak mutants coverage msrv bench install uninstall deb rpm \
        test-package test-container; do
        has "$scratch/output" "make $target"
    done
}

# -----------------------------------------------------------------------------

passed=0
failed=()
for name in $(compgen -A function test_); do
    rm -rf "${scratch:?}"/*
    # Not in an `if`: that would turn `set -e` off inside the test.
    set +e
    (set -e; "$name") >"$scratch.log" 2>&1
    status=$?
    set -e
    if [[ $status -eq 0 ]]; then
        printf 'test %s ... ok\n' "$name"
        passed=$((passed + 1))
    else
        printf 'test %s ... FAILED\n' "$name"
        sed 's/^/    /' "$scratch.log"
        failed+=("$name")
    fi
    rm -f "$scratch.log"
done

verdict=ok
[[ ${#failed[@]} -eq 0 ]] || verdict=FAILED
printf '\ntest result: %s. %d passed; %d failed; 0 ignored; 0 measured; 0 filtered out\n' \
    "$verdict" "$passed" "${#failed[@]}"
[[ ${#failed[@]} -eq 0 ]]
