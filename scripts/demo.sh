#!/usr/bin/env bash
# Starts httpd with the module, and the development oxd server with its built-in
# provider, on 127.0.0.1; ends both on Ctrl-C and leaves nothing behind. Run by
# `make demo`, which builds first.
#
# Usage: demo.sh [--port N] [--oxd-port N] [--provider-port N] [--check]
#
#   --check   choose free ports, sign in and out with curl, and end; exit status
#             0 when everything answered as it should
#
# OXD_MODULE and OXD_DEV name the module and the development server when they
# are not where cargo puts them.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")
module=${OXD_MODULE:-$target/release/libmod_oxd.so}
oxd_dev=${OXD_DEV:-$target/debug/oxd-dev}

# How long a server may take to become ready, and to end when asked to.
start_seconds=30
stop_seconds=10

port=8080
oxd_port=8443
provider_port=8444
check=false

run=''       # the directory of this run
httpd_pid='' # empty while not running
oxd_pid=''
ended_badly=false # whether a server that was told to end did it with an error

say() { printf '%s\n' "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# --- before anything is started ----------------------------------------------

parse_arguments() {
    while [[ $# -gt 0 ]]; do
        case $1 in
        --port) port=${2:-}; shift 2 || die "--port needs a number" ;;
        --oxd-port) oxd_port=${2:-}; shift 2 || die "--oxd-port needs a number" ;;
        --provider-port) provider_port=${2:-}; shift 2 || die "--provider-port needs a number" ;;
        --check) check=true; shift ;;
        *) die "unknown argument '$1'" ;;
        esac
    done
}

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

occupied() { die "port $2 is in use: choose another, for example make demo $1=$(($2 + 10))"; }

# NAME is the make variable that chooses the port.
check_port() {
    local name=$1 number=$2
    [[ $number =~ ^[1-9][0-9]{0,4}$ && $number -le 65535 ]] ||
        die "$name=$number: a port is a number from 1 to 65535"
    [[ $number -ge 1024 || $EUID -eq 0 ]] ||
        die "$name=$number: only root may use ports below 1024"
    ! in_use "$number" || occupied "$name" "$number"
}

check_ports() {
    check_port PORT "$port"
    check_port OXD_PORT "$oxd_port"
    check_port PROVIDER_PORT "$provider_port"
    [[ $port != "$oxd_port" && $port != "$provider_port" && $oxd_port != "$provider_port" ]] ||
        die "PORT, OXD_PORT and PROVIDER_PORT must be three different ports"
}

# Below the range from which the kernel takes ports for outgoing connections, so
# that no such connection can be in the way.
free_port() {
    local number
    while number=$((20000 + RANDOM % 12000)); in_use "$number"; do :; done
    say "$number"
}

find_programs() {
    local apxs sbin
    [[ -f $module ]] || die "the module is not built ($module): run 'make demo'"
    [[ -x $oxd_dev ]] || die "the development server is not built ($oxd_dev): run 'make demo'"
    apxs=$(command -v apxs || command -v apxs2) || die "apxs is missing (package apache2-dev)"
    modules=$("$apxs" -q LIBEXECDIR)
    # Debian keeps httpd in a directory that is not in a user's PATH.
    sbin=$("$apxs" -q SBINDIR)
    httpd=$sbin/$("$apxs" -q PROGNAME)
    [[ -x $httpd ]] || die "httpd is missing ($httpd; package apache2-bin)"
}

# --- the run's own directory -------------------------------------------------

# www-data, which httpd becomes when root starts it, must reach the pages. It
# cannot when the project lies in root's home; and a Unix socket's path is at
# most 107 bytes long. In both cases the directory is made in /tmp.
make_run_directory() {
    mkdir -p "$target/demo"
    run=$(mktemp -d "$target/demo/run.XXXXXX")
    umask 022
    if [[ $EUID -eq 0 ]]; then
        chmod 0711 "$run"
    fi
    if [[ ${#run} -gt 80 ]] || ! as_httpd_user test -x "$run"; then
        rmdir "$run"
        run=$(mktemp -d /tmp/mod_oxd-demo.XXXXXX)
        if [[ $EUID -eq 0 ]]; then
            chmod 0711 "$run"
        fi
    fi
}

as_httpd_user() {
    if [[ $EUID -eq 0 ]]; then
        # Its own working directory may be closed to www-data too.
        (cd / && runuser -u www-data -- "$@")
    else
        "$@"
    fi
}

# LoadModule lines for what the demo needs and this httpd has not built in.
load_modules() {
    local built_in name
    built_in=$("$httpd" -l)
    for name in mpm_event unixd log_config authn_core authz_core authz_user alias dir mime cgid; do
        if [[ $built_in != *mod_$name.c* && -f $modules/mod_$name.so ]]; then
            say "LoadModule ${name}_module \"$modules/mod_$name.so\""
        fi
    done
}

# Copies stdin to stdout with the names between @ signs filled in.
fill() {
    local text run_as=''
    if [[ $EUID -eq 0 ]]; then
        run_as=$'User www-data\nGroup www-data'
    fi
    text=$(cat)
    text=${text//@RUN@/"$run"}
    text=${text//@PORT@/"$port"}
    text=${text//@OXD_PORT@/"$oxd_port"}
    text=${text//@MODULE@/"$module"}
    text=${text//@LOAD_MODULES@/"$(load_modules)"}
    text=${text//@RUN_AS@/"$run_as"}
    printf '%s\n' "$text"
}

write_files() {
    cp -r "$root/apache-conf/demo/htdocs" "$run/htdocs"
    chmod -R u=rwX,go=rX "$run/htdocs"
    fill <"$root/apache-conf/demo/htdocs/index.html" >"$run/htdocs/index.html"
    fill <"$root/apache-conf/demo.conf.in" >"$run/httpd.conf"
}

# --- the two servers ---------------------------------------------------------

# A session of its own for each server: Ctrl-C and a closed terminal reach this
# script alone, which then ends them one after the other.
start_oxd() {
    setsid "$oxd_dev" \
        --listen "127.0.0.1:$oxd_port" --tls --cert-out "$run/oxd-cert.pem" \
        --provider-listen "127.0.0.1:$provider_port" \
        --register-site "$run/site.json" \
        --redirect-uri "http://127.0.0.1:$port/oxd/callback" \
        --post-logout-redirect-uri "http://127.0.0.1:$port/oxd/logout" \
        --backchannel-logout-uri "http://127.0.0.1:$port/oxd/backchannel-logout" \
        --ready-file "$run/oxd-ready" </dev/null >"$run/oxd-dev.log" 2>&1 &
    oxd_pid=$!
    wait_for "the development oxd server" "$oxd_pid" "$run/oxd-dev.log" test -e "$run/oxd-ready"
}

# A second site, registered as the oxd tutorial does it.
register_tutorial_site() {
    local self=http://127.0.0.1:$port/cgi-bin/oxd.py
    (
        umask 077
        curl -sS --fail --max-time 10 --cacert "$run/oxd-cert.pem" \
            -H 'Content-Type: application/json' --data '{
                "op_host": "http://127.0.0.1:'"$provider_port"'",
                "redirect_uris": ["'"$self"'/login", "'"$self"'/index"],
                "post_logout_redirect_uris": ["'"$self"'/logout"],
                "scope": ["openid", "profile", "email", "oxd"],
                "grant_types": ["authorization_code", "client_credentials"],
                "client_name": "oxd tutorial"
            }' "https://127.0.0.1:$oxd_port/register-site" >"$run/tutorial-site.json"
    ) || die "the tutorial's site could not be registered; $(last_lines "$run/oxd-dev.log")"
}

start_httpd() {
    if ! "$httpd" -t -d "$run" -f "$run/httpd.conf" >"$run/configtest.log" 2>&1; then
        die "httpd does not accept its configuration; $(last_lines "$run/configtest.log")"
    fi
    setsid "$httpd" -d "$run" -f "$run/httpd.conf" -D FOREGROUND \
        </dev/null >"$run/httpd.log" 2>&1 &
    httpd_pid=$!
    wait_for httpd "$httpd_pid" "$run/httpd.log $run/error.log" \
        curl -s --fail --max-time 5 -o /dev/null "http://127.0.0.1:$port/"
}

# Waits until COMMAND succeeds; says why when the process ends or time is up.
wait_for() {
    local name=$1 pid=$2 logs=$3 deadline=$((SECONDS + start_seconds))
    shift 3
    until "$@"; do
        if ! kill -0 "$pid" 2>/dev/null; then
            explain_port "$logs"
            die "$name ended as soon as it was started; $(last_lines "$logs")"
        fi
        [[ $SECONDS -lt $deadline ]] ||
            die "$name is not ready after $start_seconds seconds; $(last_lines "$logs")"
        sleep 0.05
    done
}

# Somebody may have taken a port since it was looked at.
explain_port() {
    local name
    # shellcheck disable=SC2086 # a list of files
    grep -qis 'address already in use' $1 || return 0
    for name in PORT OXD_PORT PROVIDER_PORT; do
        case $name in
        PORT) ! in_use "$port" || occupied "$name" "$port" ;;
        OXD_PORT) ! in_use "$oxd_port" || occupied "$name" "$oxd_port" ;;
        PROVIDER_PORT) ! in_use "$provider_port" || occupied "$name" "$provider_port" ;;
        esac
    done
}

last_lines() {
    local log
    printf 'the end of its log:\n'
    for log in $1; do
        [[ ! -s $log ]] || tail -n 15 "$log" | sed 's/^/    /'
    done
}

end_process() {
    local pid=$1 deadline=$((SECONDS + stop_seconds))
    [[ -n $pid ]] || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        if [[ $SECONDS -ge $deadline ]]; then
            kill -KILL -- "-$pid" 2>/dev/null || true
            break
        fi
        sleep 0.05
    done
    wait "$pid" 2>/dev/null || ended_badly=true
}

# Runs once, however this script ends; a second Ctrl-C does not cut it short.
clean_up() {
    trap '' INT TERM HUP
    trap - EXIT
    end_process "$httpd_pid"
    end_process "$oxd_pid"
    [[ -z $run ]] || rm -rf "$run"
    rmdir "$target/demo" 2>/dev/null || true
}

# --- what a person reads -----------------------------------------------------

banner() {
    cat <<TEXT

  mod_oxd is running. Open this address in a browser:

      http://127.0.0.1:$port/

  and sign in as

      user      test_user
      password  secret

  To try:
      /private/         a protected page, which shows what an application is told
      /oxd              mod_oxd's own page: who you are, and the sign-out link
      /oxd/session      the same as JSON
      /cgi-bin/oxd.py   in place of the oxd tutorial's CGI script

  Logs and configuration of this run: $run
  Ctrl-C ends it.

TEXT
}

run_until_told() {
    trap 'say; say "demo: ending"; exit 0' INT TERM HUP
    banner
    # Returns when either server ends; a signal ends the wait through the trap.
    wait -n "$httpd_pid" "$oxd_pid" || true
    if kill -0 "$httpd_pid" 2>/dev/null; then
        die "the development oxd server has ended; $(last_lines "$run/oxd-dev.log")"
    fi
    die "httpd has ended; $(last_lines "$run/httpd.log $run/error.log")"
}

start_servers() {
    make_run_directory
    write_files
    start_oxd
    register_tutorial_site
    start_httpd
}

# -----------------------------------------------------------------------------

parse_arguments "$@"
find_programs
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [[ $check == true ]]; then
    port=$(free_port)
    oxd_port=$(free_port)
    provider_port=$(free_port)
    check_ports
    start_servers
    # shellcheck source=scripts/demo-walk.sh
    . "$root/scripts/demo-walk.sh"
    walk
    end_process "$httpd_pid"
    httpd_pid=''
    check_end
else
    check_ports
    start_servers
    run_until_told
fi
