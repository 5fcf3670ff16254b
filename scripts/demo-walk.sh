# shellcheck shell=bash
# What a visitor of the demo does, with curl in place of a browser. Read by
# demo.sh --check, with the demo running; `port`, `provider_port` and `run` are
# its variables.
# shellcheck disable=SC2154

status=''  # of the last answer
address='' # where the last visit ended

# visit URL [curl arguments]: follows redirects, keeps cookies and the page. One
# curl for each step: curl 7.88 reads the cookie file again at every redirect that
# it follows itself, and so brings back the cookies that the answer took away.
visit() {
    local answer _
    address=$1
    shift
    for _ in {1..10}; do
        answer=$(curl -sS --max-time 30 -H 'Accept: text/html' \
            -b "$run/cookies" -c "$run/cookies" -o "$run/page" \
            -w '%{http_code} %{redirect_url}' "$@" "$address") || failed "curl $address"
        status=${answer%% *}
        [[ -n ${answer#* } ]] || return 0
        address=${answer#* }
        set -- # what was posted is not posted again
    done
    failed "too many redirects"
}

failed() {
    {
        say "not ok: $*"
        say "    the last answer was $status from $address"
        [[ ! -s $run/page ]] || head -c 2000 "$run/page" | sed 's/^/    | /'
        say "    httpd's error log:"
        tail -n 20 "$run/error.log" | sed 's/^/    | /'
    } >&2
    exit 1
}

# expect WHAT STATUS ADDRESS [TEXT...]: of the last answer. TEXT is in the page.
expect() {
    local what=$1 text
    [[ $status == "$2" ]] || failed "$what: expected status $2"
    # shellcheck disable=SC2053 # the address may be a pattern
    [[ $address == $3 ]] || failed "$what: expected to end at $3"
    shift 3
    for text in "$@"; do
        grep -qF -- "$text" "$run/page" || failed "$what: expected '$text' in the page"
    done
    say "  ok  $what"
}

# The value of an attribute of a tag, with HTML's escapes undone.
attribute() {
    sed -nE "s/.*[[:space:]]$1=\"([^\"]*)\".*/\1/p" <<<"$2" |
        sed -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&quot;/"/g' -e "s/&#\(39\|x27\);/'/g" -e 's/&amp;/\&/g'
}

# submit USER PASSWORD: sends the first form of the page as a browser would.
submit() {
    local form action tag name value arguments=() pressed=false
    form=$(tr '\n' ' ' <"$run/page" | grep -o '<form.*' | sed 's|</form>.*||') ||
        failed "expected a form"
    action=$(attribute action "$(grep -o '^<form[^>]*>' <<<"$form")")
    while read -r tag; do
        name=$(attribute name "$tag")
        value=$(attribute value "$tag")
        [[ -n $name ]] || continue
        case $tag in
        *'type="password"'*) value=$2 ;;
        *'type="text"'*) value=$1 ;;
        *'type="hidden"'*) ;;
        *)
            # A button: the first one goes on, the others do not.
            [[ $pressed == false ]] || continue
            pressed=true
            ;;
        esac
        arguments+=(--data-urlencode "$name=$value")
    done < <(grep -oE '<(input|button)[^>]*>' <<<"$form")
    [[ $action == http* ]] || action=$(sed -E 's|^(https?://[^/]+).*|\1|' <<<"$address")$action
    visit "$action" "${arguments[@]}"
}

# Fills in what the provider asks until it sends the visitor back.
sign_in() {
    local _
    for _ in 1 2 3; do
        [[ $address == "$provider"/* ]] || return 0
        submit test_user secret
    done
    failed "the provider does not send the visitor back"
}

walk() {
    local site=http://127.0.0.1:$port
    local provider=http://127.0.0.1:$provider_port

    visit "$site/"
    expect "the public page is public" 200 "$site/" "This page is public"
    visit "http://localhost:$port/"
    expect "another name leads to the registered one" 200 "$site/"
    visit "$site/oxd"
    expect "signed out, /oxd offers to sign in" 200 "$site/oxd" "/oxd/login"
    visit "$site/oxd/session"
    expect "signed out, there is no session" 401 "$site/oxd/session" '"active":false'

    visit "$site/private/?page=1&x=a%20b"
    expect "a protected page leads to the provider" 200 "$provider/*" 'type="password"'
    submit test_user wrong
    [[ $address == "$provider"/* ]] || failed "a wrong password signs nobody in"
    say "  ok  a wrong password signs nobody in"
    sign_in
    expect "the right one leads back, with the user's claims" 200 "$site/private/?page=1&x=a%20b" \
        REMOTE_USER OXD_CLAIM_sub OXD_CLAIM_email test_user@example.org "Hello, Test User"
    visit "$site/oxd/session"
    expect "signed in, there is a session" 200 "$site/oxd/session" '"active":true'
    visit "$site/oxd"
    expect "signed in, /oxd says who, and offers to sign out" 200 "$site/oxd" \
        test_user@example.org "/oxd/logoutme"

    visit "$site/oxd/logoutme"
    expect "signing out ends at the signed-out page" 200 "$site/oxd/logout*"
    visit "$site/oxd/session"
    expect "after that there is no session" 401 "$site/oxd/session" '"active":false'
    visit "$site/private/"
    expect "nor one at the provider" 200 "$provider/*" 'type="password"'

    visit "$site/cgi-bin/oxd.py"
    expect "the tutorial's address offers to sign in" 200 "$site/cgi-bin/oxd.py" "/cgi-bin/oxd.py/login"
    visit "$site/cgi-bin/oxd.py/login"
    sign_in
    expect "its sign-in ends there, signed in" 200 "$site/cgi-bin/oxd.py*" \
        test_user@example.org "/cgi-bin/oxd.py/logoutme"
    visit "$site/cgi-bin/oxd.py/logoutme"
    expect "its sign-out ends at its signed-out page" 200 "$site/cgi-bin/oxd.py/logout*"
}

# After httpd has ended: a child that crashed, at the end or before, is a line of
# level notice.
check_end() {
    if grep -E '\[[a-z_]*:(emerg|alert|crit|error)\]|exit signal' "$run/error.log" >&2; then
        failed "expected no such line in httpd's log"
    fi
    [[ $ended_badly == false ]] || failed "expected httpd to end without an error"
    say "  ok  httpd logged no error and ended well"
}
