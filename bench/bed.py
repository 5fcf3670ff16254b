"""The parts that the benchmark puts together: httpd, the development oxd server, a browser that signs in."""

import contextlib
import html.parser
import http.client
import http.cookiejar
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

USER, PASSWORD = "test_user", "secret"
FILE_SIZE = 1024
LOGIN_START, SCRIPT_START = LOGIN_STARTS = ("/oxd/login?return_to=/protected/file.txt", "/cgi-bin/oxd.py")
START_SECONDS = 120  # httpd under valgrind is slow to start
STOP_SECONDS = 60  # and callgrind writes its file when it ends


class Failure(Exception):
    """Something did not go as it has to; the text is for the person at the terminal."""


# --- httpd ---------------------------------------------------------------------


class Apache:
    """What is known of the installed httpd."""

    def __init__(self):
        apxs = shutil.which("apxs") or shutil.which("apxs2")
        if not apxs:
            raise Failure("apxs is missing (package apache2-dev)")

        def ask(name):
            return subprocess.check_output([apxs, "-q", name], text=True).strip()

        self.modules = pathlib.Path(ask("LIBEXECDIR"))
        self.binary = str(pathlib.Path(ask("SBINDIR")) / ask("PROGNAME"))
        self.built_in = subprocess.check_output([self.binary, "-l"], text=True)
        version = subprocess.check_output([self.binary, "-v"], text=True)
        self.version = re.search(r"Apache/([\d.]+)", version).group(1)

    def load_module(self, name):
        """The LoadModule line, or nothing when it is built in."""
        if f"mod_{name}.c" in self.built_in:
            return ""
        return f'LoadModule {name}_module "{self.modules}/mod_{name}.so"\n'

    def has(self, name):
        return (self.modules / f"mod_{name}.so").exists()


# What Debian turns on in a new httpd. A leaner one would make every ratio larger,
# and is not what people run.
USUAL_MODULES = (
    "unixd log_config logio access_compat alias auth_basic authn_core authn_file authz_core "
    "authz_host authz_user autoindex deflate dir env filter mime negotiation reqtimeout "
    "setenvif status"
).split()


class Httpd:
    """One httpd with a configuration and a directory of its own, which is `@directory@` in the configuration.

    Always a new one: what a run leaves there would spare the next run some work, and
    the difference between the two would be counted as the requests'.
    """

    numbers = itertools.count()

    def __init__(self, apache, directory, name, mpm, site_config, port, children=2):
        self.apache = apache
        self.mpm = mpm
        self.port = port
        self.children = children
        self.directory = directory / f"{next(self.numbers)}-{name}-{mpm}"
        self.directory.mkdir()
        # Under valgrind the process that has become www-data writes here.
        self.directory.chmod(0o777)
        self.config = self.directory / "httpd.conf"
        self.config.write_text(self._config(directory, site_config))
        self.process = None

    def _config(self, shared, site_config):
        load = "".join(map(self.apache.load_module, [f"mpm_{self.mpm}", *USUAL_MODULES]))
        run_as = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        # As many children during the whole run: one that is started or ended in a
        # round would be counted with it.
        pool = "" if self.mpm == "prefork" else f"""
ServerLimit {self.children}
StartServers {self.children}
ThreadsPerChild 25
MaxRequestWorkers {25 * self.children}
MinSpareThreads 1
MaxSpareThreads {25 * self.children}
"""
        return f"""
ServerRoot "{self.directory}"
DefaultRuntimeDir "{self.directory}"
PidFile "{self.directory}/httpd.pid"
ServerName 127.0.0.1:{self.port}
Listen 127.0.0.1:{self.port}
{load}{run_as}{pool}
ErrorLog "{self.directory}/error.log"
LogLevel warn
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog "{self.directory}/access.log" combined
TypesConfig /dev/null
AddType text/plain .txt
AddOutputFilterByType DEFLATE text/html
RequestReadTimeout header=0 body=0
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 300
Timeout 300
DocumentRoot "{shared}/htdocs"
<Directory />
    AllowOverride None
</Directory>
{site_config.replace("@directory@", str(self.directory))}
"""

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, *arguments, under=()):
        """Starts httpd in the foreground, `under` another program if given."""
        log = open(self.directory / "output.log", "wb")
        command = [*under, self.apache.binary, "-d", self.directory, "-f", self.config, *arguments]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
        wait_for_port(self.port, self.process, f"httpd ({self.directory.name})", self.logs)
        return self

    def logs(self):
        return tail(self.directory / "output.log") + tail(self.directory / "error.log")

    def stop(self):
        end(self.process)


def start_oxd_dev(binary, directory):
    """The development oxd server and its provider; answers (process, facts)."""
    port, provider_port = free_port(), free_port()
    cert, ready, log = directory / "oxd-cert.pem", directory / "oxd-ready", directory / "oxd-dev.log"
    command = [binary, "--listen", f"127.0.0.1:{port}", "--tls", "--cert-out", cert,
               "--provider-listen", f"127.0.0.1:{provider_port}", "--ready-file", ready]
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            end(process)
            raise Failure("the development oxd server does not start:\n" + tail(log))
        time.sleep(0.05)
    return process, {"port": port, "provider": f"http://127.0.0.1:{provider_port}", "cert": cert}


class Servers:
    """Redis and memcached, as far as they are installed, each on a free port."""

    def __init__(self, directory):
        self.ports, self.processes = {}, []
        try:
            self._start(directory)
        except BaseException:
            self.close()
            raise

    def _start(self, directory):
        commands = {
            "redis": ["redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1",
                      "--dir", directory, "--port"],
            "memcache": ["memcached", "-l", "127.0.0.1", "-U", "0",
                         *(["-u", "nobody"] if os.geteuid() == 0 else []), "-p"],
        }
        for name, command in commands.items():
            if not shutil.which(command[0]):
                continue
            port = free_port()
            process = subprocess.Popen([*map(str, command), str(port)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.processes.append(process)
            wait_for_port(port, process, command[0], lambda: "")
            self.ports[name] = port

    def close(self):
        for process in self.processes:
            end(process)


# --- a browser, as far as it is needed --------------------------------------------


class Forms(html.parser.HTMLParser):
    """Finds the forms of a page: (action, {name: value})."""

    def __init__(self, page):
        super().__init__()
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
                fields[attrs["name"]] = USER
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


def browse(jar, url, is_end, unserved=""):
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
        forms = Forms(page).found
        if not forms:
            raise Failure(f"signing in ended at {where} without a form")
        action, fields = forms[0]
        body = urllib.parse.urlencode(fields).encode()
        page, where = ask(urllib.parse.urljoin(where, action), body)
    raise Failure(f"signing in at {url} did not come to an end")


def sign_in(url):
    """Opens a protected page, signs in, and answers the Cookie header for that page."""
    jar = http.cookiejar.CookieJar()
    browse(jar, url, lambda where: where == url)
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
    """What a client brings: a Cookie header, or bearer tokens, of which each request takes the next one."""

    def __init__(self, cookie="", tokens=()):
        self.cookie, self.tokens = cookie, list(tokens)

    @property
    def size(self):
        return len(self.tokens[0] if self.tokens else self.cookie)


class Client:
    """One connection, kept open; each answer is checked. Takes new cookies as a browser does: both
    modules send one from time to time, and would again with each request of a client that is deaf."""

    def __init__(self, port, credentials=Credentials()):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookies = dict(pair.split("=", 1) for pair in credentials.cookie.split("; ") if pair)
        self.tokens = itertools.cycle(credentials.tokens or [""])

    def get(self, path):
        """The page, or a redirect to the provider where it is one that starts a login."""
        headers = {"Accept": "text/html", "User-Agent": "bench"}
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
        else:
            right = answer.status == 200 and len(body) == FILE_SIZE
            for header in answer.headers.get_all("Set-Cookie", ()):
                name, _, value = header.partition(";")[0].partition("=")
                self.cookies[name] = value
        if not right:
            raise Failure(f"{path}: status {answer.status}, {len(body)} bytes")

    def close(self):
        self.connection.close()


# --- small helpers -----------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, name, logs):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(f"{name} ended as soon as it was started:\n{logs()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Failure(f"{name} is not ready after {START_SECONDS} seconds:\n{logs()}")


def end(process):
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def tail(path, lines=15):
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) + "\n"
