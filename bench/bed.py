"""The parts that the benchmark puts together: httpd, the development oxd server, the servers of the stores."""

import contextlib
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

FILE_SIZE = 1024
PLAIN, PROTECTED = "/plain/file.txt", "/protected/file.txt"
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


def start_oxd_dev(binary, directory, users):
    """The development oxd server and its provider with the users of a file; answers (process, facts)."""
    port, provider_port = free_port(), free_port()
    cert, ready, log = directory / "oxd-cert.pem", directory / "oxd-ready", directory / "oxd-dev.log"
    command = [binary, "--listen", f"127.0.0.1:{port}", "--tls", "--cert-out", cert,
               "--provider-listen", f"127.0.0.1:{provider_port}", "--users", users, "--ready-file", ready]
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


# --- small helpers -----------------------------------------------------------------


def children_of(parent):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended in the meantime
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


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
