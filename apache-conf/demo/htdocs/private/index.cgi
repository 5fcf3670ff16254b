#!/bin/bash
# The demo's protected page: shows what mod_oxd tells an application about the
# user. Every value came from outside, so every value is escaped.
set -eu

escape() {
    sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g' <<<"$1"
}

row() {
    printf '<dt><code>%s</code></dt><dd>%s</dd>\n' "$(escape "$1")" "$(escape "$2")"
}

printf 'Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\r\n'
cat <<PAGE
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A protected page: mod_oxd demo</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
<h1>Hello, $(escape "${OXD_CLAIM_name:-${REMOTE_USER:-nobody}}")</h1>
<p><a class="button" href="/oxd/logoutme">Sign out</a></p>
<p>This page is protected, and a CGI script made it. mod_oxd put the following into the
script’s environment; another application finds it in the same place.</p>
<dl class="variables">
PAGE
for name in REMOTE_USER AUTH_TYPE "${!OXD_@}"; do
    row "$name" "${!name-}"
done
cat <<'PAGE'
</dl>
<p><a href="/">Back to the public page</a></p>
</main>
</body>
</html>
PAGE
