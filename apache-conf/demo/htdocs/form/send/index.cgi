#!/bin/bash
# Shows what the demo's form has sent. It came from outside, so it is escaped.
set -eu

# Undoes + and %20 of a form's value. What is no such code stays as it is.
decode() {
    local text=${1//+/ } code
    while [[ $text == *%* ]]; do
        printf '%s' "${text%%\%*}"
        text=${text#*%} code=${text:0:2}
        if [[ ! $code =~ ^[0-9A-Fa-f]{2}$ ]]; then
            printf '%%'
            continue
        fi
        # A NUL would end the text.
        [[ $code == 00 ]] || printf '%b' "\\x$code"
        text=${text:2}
    done
    printf '%s' "$text"
}

escape() {
    sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g'
}

export LC_ALL=C
length=${CONTENT_LENGTH:-0}
body=
# More than the form lets through is not read.
if [[ $length =~ ^[0-9]{1,5}$ ]]; then
    IFS= read -r -N "$length" body || true
fi
text=
IFS='&' read -r -a fields <<<"$body"
for field in "${fields[@]}"; do
    [[ $field != text=* ]] || text=${field#text=}
done

printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
cat <<PAGE
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your text has arrived: mod_oxd demo</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
<h1>Your text has arrived</h1>
<blockquote>$(decode "$text" | escape)</blockquote>
<p><a class="button" href="/oxd/logoutme">Sign out</a></p>
<p><a href="/">Back to the public page</a></p>
</main>
</body>
</html>
PAGE
