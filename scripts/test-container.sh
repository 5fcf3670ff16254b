#!/usr/bin/env bash
# Builds the image of apache-conf/container from a package and lives with it. Closes with a line like
# cargo test's. Run by `make test-container`, as root.
#
# Usage: test-container.sh PACKAGE
#
# BASE names the image to build on, when it is not the one of the Containerfile; PODMAN_FLAGS
# are flags for each call of podman.
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
    local options=(--format docker --build-arg "PACKAGE=$package" --network host)
    [[ -z ${BASE:-} ]] || options+=(--build-arg "BASE=$BASE")
    pod build "${options[@]}" -f "$conf/Containerfile" -t "$image" .
}

# run OPTION... -- COMMAND...: a container with a root file system that cannot be written, as compose.yaml has it.
run() {
    local options=()
    while [[ $1 != -- ]]; do options+=("$1"); shift; done
    shift
    pod run --rm --ulimit host --read-only --tmpfs /run/apache2 --tmpfs /run/lock --tmpfs /tmp --cap-drop ALL \
        --cap-add NET_BIND_SERVICE,SETUID,SETGID,KILL,DAC_READ_SEARCH --security-opt no-new-privileges \
        "${options[@]}" "$image" "$@"
}

# asked PATH: what the container answers at the port of the probes.
asked() { pod exec "$name" curl -sS -o - -w '\n%{http_code}' "http://127.0.0.1:8090$1"; }

test_1_the_image_is_built() { build; }

test_2_the_example_site_is_valid() {
    mkdir "$scratch/oxd"
    printf '{"oxd_id":"7b2e9d1c-3f4a-4c5d-8e6f-0a1b2c3d4e5f","client_id":"c","client_secret":"s","op_host":"https://op.example"}' \
        >"$scratch/oxd/oxd-site.json"
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=oxd -days 2 -keyout /dev/null \
        -out "$scratch/oxd/oxd-server.pem" 2>/dev/null
    openssl rand -base64 32 >"$scratch/oxd/oxd-key"
    chmod 0600 "$scratch"/oxd/*
    run -v "$PWD/$conf/site.conf:/etc/apache2/sites-enabled/site.conf:ro" -v "$scratch/oxd:/etc/apache2/oxd:ro" -- \
        /usr/sbin/apache2 -t
}

test_3_it_runs_answers_the_probes_and_is_healthy() {
    run -d --name "$name" -v "$PWD/$conf/site.conf:/etc/apache2/sites-enabled/site.conf:ro" \
        -v "$scratch/oxd:/etc/apache2/oxd:ro" -- /usr/sbin/apache2 -DFOREGROUND
    for _ in $(seq 100); do
        [[ $(asked /health/live 2>/dev/null | tail -n 1) == 200 ]] && break
        sleep 0.1
    done
    [[ $(asked /health/live | tail -n 1) == 200 ]] || fail "it is not live: $(pod logs "$name" 2>&1 | tail -n 5)"
    # There is no oxd at this example's address.
    [[ $(asked /health/ready | tail -n 1) == 503 ]] || fail "it is ready without an oxd"
    [[ $(asked /metrics) == *oxd_* ]] || fail "no metrics"
    pod healthcheck run "$name"
}

test_4_it_ends_gracefully() {
    pod stop --time 20 "$name"
    ! pod container exists "$name" || fail "it is still there"
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
