"""Load with wrk, and latency at a moderate one."""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess

from bed import Failure
from browser import Client, Credentials

FULL_CONNECTIONS = 16
# Eight browsers that pause for 15 ms on average: some 500 requests per second, which
# the slowest of the variants answers without a queue.
MODERATE_CONNECTIONS, MODERATE_PAUSE_MS = 8, 15


def wrk(url, seconds, connections, credentials=Credentials(), pause_ms=0, body=None, headers=()):
    """One run: requests per second and latencies in microseconds."""
    cookie, tokens = credentials.header, credentials.tokens
    headers = [*headers, *([f"Cookie: {cookie}"] if cookie else []),
               *([f"Authorization: Bearer {tokens[0]}"] if len(tokens) == 1 else [])]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
               "-s", str(pathlib.Path(__file__).with_name("wrk.lua"))]
    # A body is for oxd, which answers 406 to who does not take JSON.
    accept = "text/html" if body is None else "application/json"
    for header in (f"Accept: {accept}", *headers):
        command += ["-H", header]
    environment = dict(os.environ, BENCH_PAUSE_MS=str(pause_ms))
    if len(tokens) > 1:
        environment["BENCH_TOKENS"] = " ".join(tokens)
    if body is not None:
        environment["BENCH_BODY"] = json.dumps(body)
    output = subprocess.run([*command, url], env=environment, check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    line = next((line for line in output.splitlines() if line.startswith("JSON ")), None)
    if line is None:
        raise Failure("wrk left no figures:\n" + output)
    run = json.loads(line.removeprefix("JSON "))
    if run["failed"] or not run["requests"]:
        raise Failure(f"wrk met errors at {url}:\n{output}")
    run["rate"] = run["requests"] / run["seconds"]
    return run


def checked(run, httpd, path, credentials=Credentials()):
    """wrk counts a redirect as a good answer: look at one before the run and one after it."""
    try:
        client = Client(httpd.port, credentials)
        with contextlib.closing(client):
            client.get(path)
            figures = run()
            client.get(path)
    except Failure as failure:
        raise Failure(f"{failure}\n{httpd.logs()}") from None
    return figures


class Rounds:
    """The figures of several rounds, for each key."""

    def __init__(self):
        self.kept = {}

    def add(self, key, run):
        self.kept.setdefault(key, []).append(run)

    def summary(self, key):
        """The median of each figure over the rounds; of the rate also the lowest and the highest."""
        runs = self.kept[key]
        found = {name: round(statistics.median(run[name] for run in runs)) for name in ("p50", "p90", "p99")}
        rates = [run["rate"] for run in runs]
        digits = 0 if min(rates) > 100 else 1
        for name, figure in (("rate", statistics.median(rates)), ("low", min(rates)), ("high", max(rates))):
            found[name] = round(figure, digits) if digits else round(figure)
        found["rounds"] = [round(rate, 1) for rate in rates]
        return found


def in_turns(things, rounds, say_round):
    """Each thing in each round; each round starts with another one, so that none is always first."""
    for number in range(rounds):
        say_round(number, rounds)
        shift = number % len(things)
        yield from things[shift:] + things[:shift]


def latency(bed, chosen, rounds, seconds, say_round):
    """{key: latencies at a moderate load}"""
    found = Rounds()
    with contextlib.ExitStack() as stack:
        running = start_all(bed, chosen, stack)
        for variant in in_turns(chosen, rounds, say_round):
            httpd = running[variant.site]
            # wrk takes no new cookies, see Client: so none may become due during a run.
            credentials = bed.credentials(httpd, variant)
            run = checked(lambda: wrk(httpd.base + variant.path, seconds, MODERATE_CONNECTIONS, credentials,
                                      MODERATE_PAUSE_MS), httpd, variant.path, credentials)
            found.add(variant.key, run)
    return {variant.key: found.summary(variant.key) for variant in chosen}


def start_all(bed, chosen, stack):
    """{site: httpd} for these variants; the stack stops them."""
    running = {}
    for site in sorted({variant.site for variant in chosen}):
        running[site] = bed.httpd(site, "event").start("-D", "FOREGROUND")
        stack.callback(running[site].stop)
    return running
