"""Instructions per request, under valgrind's callgrind.

One httpd process (prefork, `-X`) answers all kinds of requests of its site, one kind after the other, each over
one connection. Between them stand marks: a request with OPTIONS, at which callgrind writes down what it has
counted since the last one. So neither the start nor a sign-in is in a figure, and all figures of a site
come from one run. What a mark itself takes is counted as well, and taken off.
"""

import concurrent.futures
import os
import re
import subprocess
import urllib.error

from bed import PLAIN, Failure
from browser import LOGIN_START, Client
from sites import PYTHON
from variants import GrowthVariant, Variant

# A login start, which calls oxd, as one more thing to count.
LOGIN_VARIANT = Variant("login", "login start", "oxd", LOGIN_START, False)
# Called for a request with OPTIONS for a file, and for no other.
MARK = "ap_send_http_options"
# Before the first mark, so that nothing in a figure is done for the first time.
WARM_UP = 30


def callgrind(out, *more):
    return ["valgrind", "--tool=callgrind", "--vgdb=no", *more, f"--callgrind-out-file={out}"]


def callgrind_total(out, logs):
    match = re.search(r"^(?:summary|totals): (\d+)", out.read_text(errors="replace"), re.M)
    if not match:
        raise Failure("callgrind left no count:\n" + logs)
    return int(match.group(1))


class Counter:
    """An httpd whose instructions are counted from mark to mark."""

    def __init__(self, bed, site):
        self.httpd = bed.httpd(site, "prefork")
        self.out = self.httpd.directory / "callgrind"
        # Opened as root when httpd starts, and as www-data when it ends.
        self.out.touch()
        self.out.chmod(0o666)
        # (name, requests) of what comes before each mark; no name for what is of no interest.
        self.spans = []
        self.httpd.start("-X", under=callgrind(self.out, f"--dump-before={MARK}"))

    def ask(self, name, client, path, requests):
        """So many requests, over the connection of this client."""
        for _ in range(WARM_UP):
            client.get(path)
        self.mark(None, client)
        # Two marks in a row tell, once, what a mark takes.
        if len(self.spans) == 1:
            self.mark("mark", client)
        for _ in range(requests):
            client.get(path)
        self.mark(name, client, requests)

    def mark(self, name, client, requests=1):
        client.mark()
        self.spans.append((name, requests))

    def figures(self):
        """{name: instructions per request}"""
        self.httpd.stop()
        dumps = sorted(self.out.parent.glob(self.out.name + ".*"), key=lambda path: int(path.suffix[1:]))
        if len(dumps) != len(self.spans):
            raise Failure(f"callgrind noticed {len(dumps)} of {len(self.spans)} marks:\n{self.httpd.logs()}")
        found, mark = {}, 0
        for (name, requests), dump in zip(self.spans, dumps):
            total = callgrind_total(dump, self.httpd.logs())
            if name == "mark":
                mark = total
            elif name:
                found[name] = round((total - mark) / requests)
        return found


def requests_of(variant, how):
    # Beside the slower module a small difference is nothing; an answer of the stand-in takes its time.
    slow = variant.family == "openidc" or variant.key in ("login", "oxd_bearer_introspect_each")
    return how["requests_slow" if slow else "requests"]


def count_site(bed, site, chosen, how, say):
    """{key: what has been found of the variant}"""
    counter = Counter(bed, site)
    found = {}
    try:
        for variant in chosen:
            try:
                credentials = bed.credentials(counter.httpd, variant)
            except (Failure, urllib.error.HTTPError):
                # Only a session that is too large for its cookie may fail.
                if not isinstance(variant, GrowthVariant) or variant.store != "cookie":
                    raise
                say(f"  {variant.label}: the session does not fit into its cookie")
                found[variant.key] = {"fits": False}
                continue
            for part, path in (("beside", PLAIN), ("instructions", variant.path)):
                if part == "beside" and not variant.compared:
                    continue
                client = Client(counter.httpd.port, credentials, variant.status, variant.accept)
                counter.ask((variant.key, part), client, path, requests_of(variant, how))
                client.close()
            found[variant.key] = {"token_bytes" if credentials.tokens else "cookie_bytes": credentials.size}
    except (Failure, OSError) as failure:
        raise Failure(f"{site}: {failure}\n{counter.httpd.logs()}") from failure
    finally:
        counter.httpd.stop()
    for (key, part), figure in counter.figures().items():
        found[key][part] = figure
    for variant in chosen:
        if "instructions" in found[variant.key]:
            beside = found[variant.key].get("beside")
            say(f"  {variant.label}: {found[variant.key]['instructions']:,}"
                + (f" (unprotected {beside:,})" if beside else ""))
    return found


def instructions(bed, chosen, how, say):
    """{key: {"instructions", "beside", and the bytes of the cookie or token}}. Counts do not mind what else the
    machine does, so httpds run beside each other."""
    by_site = {}
    for variant in chosen:
        by_site.setdefault(variant.site, []).append(variant)
    # The longest first, as the last one to begin decides when all is done.
    order = sorted(by_site.items(), key=lambda item: -sum(
        requests_of(v, how) * (10 if v.family == "openidc" else 1) for v in item[1]))
    found = {}
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for done in [pool.submit(count_site, bed, site, group, how, say) for site, group in order]:
            found.update(done.result())
    return found


def script_instructions(bed):
    """Of one process of the tutorial's script, from its start to its end, with a token at hand."""
    environment = dict(os.environ, **bed.script_environment)
    command = [PYTHON, bed.script]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    out = bed.directory / "callgrind.script"
    run = subprocess.run([*callgrind(out), *command], env=environment, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if "Status: 302" not in run.stdout:
        raise Failure("the script under callgrind did not start a login:\n" + run.stdout + run.stderr)
    return callgrind_total(out, run.stderr)
