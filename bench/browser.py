"""A browser, as far as it is needed: it signs in, keeps one connection, and looks at each answer."""

import html.parser
import http.client
import http.cookiejar
import itertools
import socket
import urllib.error
import urllib.parse
import urllib.request

from bed import FILE_SIZE, PLAIN, Failure
from users import PASSWORD, USER

LOGIN_START, SCRIPT_START = LOGIN_STARTS = ("/oxd/login?return_to=/protected/file.txt", "/cgi-bin/oxd.py")


class Forms(html.parser.HTMLParser):
    """Finds the forms of a page, filled in by this user: (action, {name: value})."""

    def __init__(self, page, user):
        super().__init__()
        self.user = user
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.found.append((attrs.get("action") or "", {}))
        elif tag in ("input", "button") and self.found and attrs.get("name"):
            fields = self.found[-1][1]
            kind = attrs.get("type", "text")
            if kind == "password":
                fields[attrs["name"]] = PASSWORD
            elif kind in ("text", "email"):
                fields[attrs["name"]] = self.user
            elif kind in ("hidden", "submit", "checkbox") or tag == "button":
                # Of several buttons the first is the one that goes on.
                fields.setdefault(attrs["name"], attrs.get("value", "on"))


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but for those to an address that nobody serves."""

    def __init__(self, unserved):
        self.unserved = unserved

    def redirect_request(self, request, file, code, message, headers, url):
        if self.unserved and url.startswith(self.unserved):
            return None
        return super().redirect_request(request, file, code, message, headers, url)


def browse(jar, url, is_end, unserved="", user=USER):
    """Fills in the forms of a sign-in until the browser is where it has to be; answers that address."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), Redirects(unserved))
    browser.addheaders = [("Accept", "text/html"), ("User-Agent", "bench")]

    def ask(*request):
        """(page, where)"""
        try:
            answer = browser.open(*request, timeout=120)
        except urllib.error.HTTPError as error:
            if error.code not in (302, 303):
                raise
            return "", error.headers["Location"]
        return answer.read().decode(), answer.geturl()

    page, where = ask(url)
    for _ in range(5):
        if is_end(where):
            return where
        forms = Forms(page, user).found
        if not forms:
            raise Failure(f"signing in ended at {where} without a form")
        action, fields = forms[0]
        body = urllib.parse.urlencode(fields).encode()
        page, where = ask(urllib.parse.urljoin(where, action), body)
    raise Failure(f"signing in at {url} did not come to an end")


def sign_in(url, user=USER):
    """Opens a protected page, signs in, and answers the Cookie header for that page."""
    jar = http.cookiejar.CookieJar()
    browse(jar, url, lambda where: where == url, user=user)
    request = urllib.request.Request(url)
    jar.add_cookie_header(request)
    return session_cookies(request.get_header("Cookie"))


def sign_in_for_code(url, redirect_uri):
    """Signs in at the provider for a client whose redirect address nobody serves, and answers the code."""
    where = browse(http.cookiejar.CookieJar(), url, lambda where: where.startswith(redirect_uri), redirect_uri)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(where).query)
    if "code" not in query:
        raise Failure(f"the provider gave no code: {where}")
    return query["code"][0]


def session_cookies(header):
    """Without the provider's own cookie: it came from the same host name, as none would in life."""
    ours = [c for c in header.split("; ") if c.startswith(("oxd_session", "mod_auth_openidc_session"))]
    if not ours:
        raise Failure(f"no session cookie among: {header}")
    return "; ".join(ours)


class Credentials:
    """What a client brings: a Cookie header, or bearer tokens, of which each request takes the next one. Cookies
    of others stand in front of the module's own, as those of a whole domain often do."""

    def __init__(self, cookie="", tokens=(), others=""):
        self.cookie, self.tokens, self.others = cookie, list(tokens), others

    @property
    def size(self):
        return len(self.tokens[0] if self.tokens else self.cookie)

    @property
    def header(self):
        return "; ".join(part for part in (self.others, self.cookie) if part)


class Client:
    """One connection, kept open; each answer is checked. Takes new cookies as a browser does: both
    modules send one from time to time, and would again with each request of a client that is deaf."""

    def __init__(self, port, credentials=Credentials(), status=200, accept="text/html"):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookies = dict(pair.split("=", 1) for pair in credentials.header.split("; ") if pair)
        self.tokens = itertools.cycle(credentials.tokens or [""])
        self.status, self.accept = status, accept

    def get(self, path):
        """The page, or a redirect to the provider where it is one that starts a login, or a refusal."""
        headers = {"Accept": self.accept, "User-Agent": "bench"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        token = next(self.tokens)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if path in LOGIN_STARTS:
            # Without the cookies of logins that never end: each start is a stranger's.
            right = answer.status == 302 and "/authorize?" in answer.getheader("Location", "")
        elif self.status != 200 and path != PLAIN:
            right = answer.status == self.status
        else:
            right = answer.status == 200 and len(body) == FILE_SIZE
            for header in answer.headers.get_all("Set-Cookie", ()):
                name, _, value = header.partition(";")[0].partition("=")
                self.cookies[name] = value
        if not right:
            raise Failure(f"{path}: status {answer.status}, {len(body)} bytes")

    def mark(self):
        """A request that callgrind notices: see counts.py."""
        self.connection.request("OPTIONS", PLAIN, headers={"User-Agent": "bench"})
        self.connection.getresponse().read()

    def close(self):
        self.connection.close()
