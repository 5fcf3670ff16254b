#!/bin/bash
# The demo's API: says as JSON who called. Every value came from outside, so every
# value is escaped.
set -eu

text() {
    local escaped=${1//\\/\\\\}
    escaped=${escaped//\"/\\\"}
    printf '"%s"' "${escaped//[[:cntrl:]]/ }"
}

printf 'Content-Type: application/json\r\nCache-Control: no-store\r\n\r\n'
printf '{"user": %s, "auth": %s, "client": %s, "scope": %s}\n' \
    "$(text "${REMOTE_USER-}")" "$(text "${OXD_AUTH-}")" "$(text "${OXD_CLIENT_ID-}")" "$(text "${OXD_SCOPE-}")"
