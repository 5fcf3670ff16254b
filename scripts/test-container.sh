#!/usr/bin/env bash
# Builds the image of apache-conf/container from a package and lives with it. Closes with a line like
# cargo test's. Run by `make test-container`, as root.
#
# Usage: test-container.sh PACKAGE
#
# BASE names the image to build on, when it is not the one of the Containerfile, or a file with the
# root file system for one, where no registry can be reached: `make test-package` leaves
# target/test-package/base-*.tar, of debootstrap. PODMAN_FLAGS are flags for each call of podman:
# `--runtime runc` where crun refuses hybrid control groups, `--root`, `--runroot` and
# `--storage-driver vfs` for a store of its own.
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/.."
package=${1:?which package? PACKAGE=FILE names one that make deb has built}
for tool in podman openssl; do
    command -v "$tool" >/dev/null || { printf 'test-container: %s is missing\n' "$tool" >&2; exit 1; }
done
# The image is built of what lies in this folder.
package=$(realpath -e --relative-to=. "$package")
[[ $package != ../* ]] || { printf 'test-container: copy %s below %s\n' "$package" "$PWD" >&2; exit 1; }
conf=apache-conf/container
image=localhost/httpd-oxd-test
read -r -a flags <<<"${PODMAN_FLAGS:-}"
scratch=$(mktemp -d)
name=httpd-oxd-test-$$

fail() { printf '%s\n' "$*" >&2; return 1; }
pod() { podman "${flags[@]}" "$@"; }
trap 'pod rm -f "$name" >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT

# The proxy of apt, where there is one, is of use to the build too. podman's own format has no
# HEALTHCHECK.
build() {
    local options=(--format docker --build-arg "PACKAGE=$package" --network host) base=${BASE:-}
    if [[ $base == *.tar ]]; then
        pod import "$base" "$image-base"
        base=$image-base
    fi
    [[ -z $base ]] || options+=(--build-arg "BASE=$base")
    pod build "${options[@]}" -f "$conf/Containerfile" -t "$image" .
}

# What compose.yaml and kubernetes.yaml leave to httpd.
compose_capabilities=NET_BIND_SERVICE,SETUID,SETGID,KILL,DAC_READ_SEARCH
kubernetes_capabilities=NET_BIND_SERVICE,SETUID,SETGID,KILL

# run OPTION... -- COMMAND...: a container with a root file system that cannot be written, as those files
# have it, and a network that has nothing but loopback. podman's own limits are above what root may have
# in some virtual machines.
run() {
    local options=()
    while [[ $1 != -- ]]; do options+=("$1"); shift; done
    shift
    pod run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --read-only \
        --tmpfs /run/apache2 --tmpfs /run/lock --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
        "${options[@]}" "$image" "$@"
}

# start OPTION...: httpd, until its probe answers.
start() {
    run -d --name "$name" "$@" -- /usr/sbin/apache2 -DFOREGROUND
    for _ in $(seq 100); do
        [[ $(asked :8090/health/live 2>/dev/null | tail -n 1) == 200 ]] && return
        sleep 0.1
    done
    fail "it is not live: $(pod logs "$name" 2>&1 | tail -n 5)"
}

# asked :PORT/PATH: what the container answers, and on the last line its status.
asked() { pod exec "$name" curl -sS -H 'Accept: text/html' -o - -w '\n%{http_code}' "http://127.0.0.1$1"; }

# What has ended is removed a moment later.
gone() {
    for _ in $(seq 100); do
        pod container exists "$name" || return 0
        sleep 0.1
    done
    fail "it is still there"
}

stop() {
    pod stop --time 20 "$name"
    gone
}

# With the files that docs/CONTAINERS.md has made.
mounts=(-v "$PWD/$conf/site.conf:/etc/apache2/sites-enabled/site.conf:ro" -v "$scratch/oxd:/etc/apache2/oxd:ro")

test_1_the_image_is_built() { build; }

test_2_the_files_of_a_site_are_made_in_it() {
    mkdir -m 0700 "$scratch/oxd"
    run --cap-add "$compose_capabilities" -v "$scratch/oxd:/etc/apache2/oxd" -w /etc/apache2/oxd -- \
        oxdctl key --out oxd-key
    [[ $(stat -c %a "$scratch/oxd/oxd-key") == 600 ]] || fail "the key is not for root alone"
    # What oxdctl register would write: there is no oxd here.
    printf '{"oxd_id":"%s","client_id":"c","client_secret":"s","op_host":"https://op.example"}' \
        7b2e9d1c-3f4a-4c5d-8e6f-0a1b2c3d4e5f >"$scratch/oxd/oxd-site.json"
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=oxd -days 2 -keyout /dev/null \
        -out "$scratch/oxd/oxd-server.pem" 2>/dev/null
    chmod 0600 "$scratch"/oxd/*
}

test_3_the_example_site_is_valid() {
    run --cap-add "$compose_capabilities" "${mounts[@]}" -- /usr/sbin/apache2 -t
}

test_4_without_a_site_only_the_probes_answer() {
    start --cap-add "$compose_capabilities"
    [[ $(asked :80/ | tail -n 1) == 404 ]] || fail "expected 404, got: $(asked :80/ | tail -n 20)"
    stop
}

test_5_it_runs_answers_the_probes_and_is_healthy() {
    start --cap-add "$compose_capabilities" "${mounts[@]}"
    # There is no oxd at this example's address.
    [[ $(asked :8090/health/ready | tail -n 1) == 503 ]] || fail "it is ready without an oxd"
    [[ $(asked :8090/metrics) == *oxd_* ]] || fail "no metrics"
    pod healthcheck run "$name"
}

# Nobody gets in without oxd; the log of the container has the number of the page.
test_6_a_protected_page_stays_shut() {
    local page number
    page=$(asked :80/private/)
    [[ ${page##*$'\n'} == 503 ]] || fail "expected 503: $page"
    number=$(grep -oE '[A-Z0-9]{4}-[A-Z0-9]{4}' <<<"$page" | head -n 1)
    [[ -n $number ]] || fail "the page has no number: $page"
    pod logs "$name" >"$scratch/logs" 2>&1
    pod exec -i "$name" oxdctl explain "$number" --log - <"$scratch/logs" >"$scratch/explained"
    grep -qF "$number" "$scratch/explained" || fail "not explained: $(<"$scratch/explained")"
}

test_7_it_ends_gracefully() { stop; }

test_8_it_runs_with_what_kubernetes_gives() {
    start --cap-add "$kubernetes_capabilities" "${mounts[@]}"
    pod exec "$name" apache2 -k graceful-stop
    gone
}

passed=0 failed=0
for test in $(compgen -A function test_ | sort); do
    set +e
    (set -e; "$test") >"$scratch/log" 2>&1
    status=$?
    set -e
    if [[ $status -eq 0 ]]; then
        printf 'test %s ... ok\n' "$test"
        passed=$((passed + 1))
    else
        printf 'test %s ... FAILED\n' "$test"
        tail -n 40 "$scratch/log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
done
verdict=ok
[[ $failed -eq 0 ]] || verdict=FAILED
printf '\ntest result: %s. %d passed; %d failed; 0 ignored; 0 measured; 0 filtered out\n' "$verdict" "$passed" "$failed"
[[ $failed -eq 0 ]]
