# Makes the manual page mod_oxd(5) of docs/DIRECTIVES.md, which `make docs` writes: the
# Markdown that occurs there and no more. Run by scripts/share.sh with -v version=...
#
# Every paragraph of the page is one line.

BEGIN { preamble() }

# --- inside an example, lines stand as they are ------------------------------

/^```/ {
    if (in_code) print ".EE\n.RE"
    else print ".PP\n.RS 4\n.EX"
    in_code = !in_code
    next
}
in_code { print verbatim($0); next }

# --- everything else ---------------------------------------------------------

/^# / || /^<!--/ || /^- \[/ { next }

/^## / {
    end_table()
    print ".SH " quoted(toupper(substr($0, 4)))
    next
}

/^### / {
    end_table()
    print ".SS " quoted(substr($0, 5))
    next
}

/^\|/ { row($0); next }
/^[ \t]*$/ { end_table(); next }

{
    end_table()
    print ".PP\n" line(inline($0))
}

END {
    end_table()
    print ".SH FILES"
    file("/etc/apache2/mods-available/oxd.load", "loads the module; turned on and off with \\fBa2enmod\\fR(8) and \\fBa2dismod\\fR(8)")
    file("/etc/apache2/mods-available/oxd.conf", "configuration for the whole server")
    file("/etc/apache2/oxd/", "the place for site files, keys and oxd's certificate; for root alone")
    print ".PP\nThese are Debian's names. Fedora and its kin have "
    print "\\fI/etc/httpd/conf.modules.d/10\\-oxd.conf\\fR, \\fI/etc/httpd/conf.d/oxd.conf\\fR and \\fI/etc/httpd/oxd/\\fR."
    print ".SH \"SEE ALSO\"\n\\fBoxdctl\\fR(1), \\fBapache2ctl\\fR(8), \\fBa2enmod\\fR(8)"
}

function preamble() {
    # The first line asks man for tbl.
    print "'\\\" t"
    print ".\\\" Made of docs/DIRECTIVES.md: change the table in crates/oxd-core/src/directive."
    # Names of directives are not to be hyphenated.
    print ".nr HY 0\n.ad l"
    print ".TH mod_oxd 5 \"\" " quoted("mod_oxd " version) " mod_oxd"
    print ".SH NAME\nmod_oxd \\- Apache httpd module that signs users in through Gluu oxd"
    print ".SH SYNOPSIS\n.EX"
    print "OxdServer       https://127.0.0.1:8443"
    print "OxdServerCAFile /etc/apache2/oxd/oxd\\-server.pem"
    print "OxdSite         /etc/apache2/oxd/oxd\\-site.json"
    print "OxdCryptoKey    file:/etc/apache2/oxd/oxd\\-key\n"
    print "<Location /oxd>\n    SetHandler oxd\n</Location>\n"
    print "<Location /private>\n    AuthType oxd\n    Require valid\\-user\n</Location>\n.EE"
    print ".SH DESCRIPTION"
    print "The handler \\fBoxd\\fR answers the addresses below its location: it starts logins, takes the"
    print "provider's answers and logs out. \\fBAuthType oxd\\fR protects any location, with httpd's own"
    print "\\fBRequire\\fR and with \\fBRequire oxd\\-claim\\fR and \\fBRequire oxd\\-acr\\fR."
    print "\\fBoxdctl register\\fR makes the site file and prints the lines above, filled in."
}

function file(name, what) {
    gsub(/-/, "\\-", name)
    print ".TP\n.I " name "\n" what
}

# A table's rows are kept until it ends: how it is set depends on its columns.
function row(text,    n, i, cells) {
    # The rule below the heads, and heads that are empty.
    if (text ~ /^[| -]*$/) return
    gsub(/\\\|/, "\001", text)
    n = split(text, cells, "|")
    rows++
    columns = n - 2
    for (i = 1; i <= columns; i++) {
        gsub(/^ +| +$/, "", cells[i + 1])
        gsub(/\001/, "|", cells[i + 1])
        cell[rows, i] = line(inline(cells[i + 1]))
    }
}

function end_table(    r, i, format) {
    if (!rows) return
    if (columns == 2) {
        # Needs no tbl, and may be broken between two pages.
        print ".PP\n.PD 0"
        for (r = 1; r <= rows; r++) print ".TP 10n\n" cell[r, 1] "\n" cell[r, 2]
        print ".PD"
    } else {
        for (i = 1; i <= columns; i++) format = format (i == 1 ? "l" : i < columns ? " lw(14n)" : " lx")
        print ".PP\n.TS\n" format "."
        for (r = 1; r <= rows; r++) {
            for (i = 1; i <= columns; i++) {
                printf "%sT{\n%s\nT}", (i > 1 ? "\t" : ""), cell[r, i]
            }
            print ""
        }
        print ".TE"
    }
    rows = 0
}

# A line that begins with a dot or an apostrophe would be a request.
function line(text) {
    return text ~ /^[.']/ ? "\\&" text : text
}

function quoted(text) {
    gsub(/"/, "\\(dq", text)
    return "\"" text "\""
}

# Text in which a hyphen is what one types, and not a typographic one.
function verbatim(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/~/, "\\(ti", text)
    gsub(/`/, "\\(ga", text)
    gsub(/'/, "\\(aq", text)
    return line(text)
}

function inline(text,    out, rest, at, label, url) {
    rest = text
    while (match(rest, /`[^`]*`|\*\*[^*]+\*\*|\*[^*]+\*|\[[^]]*\]\([^)]*\)/)) {
        at = substr(rest, RSTART, RLENGTH)
        out = out plain(substr(rest, 1, RSTART - 1))
        rest = substr(rest, RSTART + RLENGTH)
        if (at ~ /^`/) {
            out = out "\\fB" verbatim_inline(substr(at, 2, length(at) - 2)) "\\fR"
        } else if (at ~ /^\*\*/) {
            out = out "\\fB" plain(substr(at, 3, length(at) - 4)) "\\fR"
        } else if (at ~ /^\*/) {
            out = out "\\fI" plain(substr(at, 2, length(at) - 2)) "\\fR"
        } else {
            label = at
            sub(/^\[/, "", label)
            sub(/\].*/, "", label)
            url = at
            sub(/.*\(/, "", url)
            sub(/\)$/, "", url)
            out = out plain(label)
            # A link to another part of the page leads nowhere on paper.
            if (url ~ /^http/) out = out " <" verbatim_inline(url) ">"
        }
    }
    return out plain(rest)
}

function verbatim_inline(text) {
    text = verbatim(text)
    sub(/^\\&/, "", text)
    return text
}

function plain(text) {
    gsub(/\\/, "\\e", text)
    return text
}
