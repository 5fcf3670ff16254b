"""What does a request with a session cost?

Serves one file of 1 KB, unprotected and protected, and measures

  instructions per request   under valgrind's callgrind, in a single httpd process
                             (prefork, -X): N1 and N2 requests in two runs, and the
                             difference divided by N2 - N1, so that start-up and the
                             first request cancel out. Repeatable to a fraction of a
                             percent, whatever else the machine does.
  requests per second        with wrk, on the event MPM, keep-alive: the variants take
                             turns for several rounds, and the median of each counts.
                             Only the ratio to the unprotected file means something;
                             the load runs on the same machine.

The session is a real one: signed in through the development oxd server and its
provider. Where mod_auth_openidc is installed, it is measured in the same run,
with a session from the same provider.

Prints a table, and writes results.json and results.md.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import urllib.request

from bed import (
    Apache,
    Client,
    FILE_SIZE,
    Failure,
    Httpd,
    Servers,
    end,
    free_port,
    sign_in,
    start_oxd_dev,
)


# --- what is compared --------------------------------------------------------------


class Variant:
    """A way to serve the file: which site configuration, which path, with a cookie or not."""

    def __init__(self, key, label, site, path, send_cookie):
        self.key, self.label, self.site = key, label, site
        self.path, self.send_cookie = path, send_cookie


# The session stores besides the cookie, with the modules that they need.
OXD_STORES = {
    "shmcb": "shmcb:{directory}/oxd-shmcb(4194304)",
    "redis": "redis:127.0.0.1:{redis}",
    "memcache": "memcache:127.0.0.1:{memcache}",
    "dbm": "dbm:{directory}/oxd-dbm",
}
OPENIDC_CACHES = {
    "shm": "OIDCCacheType shm",
    "redis": "OIDCCacheType redis\nOIDCRedisCacheServer 127.0.0.1:{redis}",
    "memcache": "OIDCCacheType memcache\nOIDCMemCacheServers 127.0.0.1:{memcache}",
}


def variants(stores, caches):
    found = [
        Variant("alone", "httpd without either module", "none", "/plain/file.txt", False),
        Variant("plain", "mod_oxd, unprotected", "oxd", "/plain/file.txt", False),
        Variant("plain_cookie", "mod_oxd, unprotected, same Cookie header", "oxd", "/plain/file.txt", True),
        Variant("oxd", "mod_oxd, protected, session in the cookie", "oxd", "/protected/file.txt", True),
    ]
    found += [Variant(f"oxd_{store}", f"mod_oxd, protected, {store}", f"oxd_{store}", "/protected/file.txt", True)
              for store in stores]
    if caches:
        found.append(Variant("openidc_cookie", "mod_auth_openidc, client-cookie", "openidc_cookie",
                             "/protected/file.txt", True))
    found += [Variant(f"openidc_{cache}", f"mod_auth_openidc, server-cache ({cache})", f"openidc_{cache}",
                      "/protected/file.txt", True) for cache in caches]
    return found


def oxd_config(module, oxd, site, store=""):
    return f"""
LoadModule oxd_module "{module}"
{store}
OxdServer https://127.0.0.1:{oxd['port']}
OxdServerCAFile "{oxd['cert']}"
OxdSite "{site}"
OxdCryptoKey "only for the benchmark, and the same in each of its runs"
<Location /oxd>
    SetHandler oxd
</Location>
<Location /protected>
    AuthType oxd
    Require valid-user
</Location>
"""


def openidc_config(apache, oxd, client, port, session):
    return f"""
{apache.load_module("auth_openidc")}
OIDCProviderMetadataURL {oxd['provider']}/.well-known/openid-configuration
OIDCClientID {client['client_id']}
OIDCClientSecret {client['client_secret']}
OIDCRedirectURI http://127.0.0.1:{port}/protected/callback
OIDCCryptoPassphrase "only for the benchmark, and the same in each of its runs"
OIDCScope "openid profile email"
{session}
# As mod_oxd does unless told otherwise.
OIDCPassClaimsAs environment
<Location /protected>
    AuthType openid-connect
    Require valid-user
</Location>
"""


class Bed:
    """The directory, the development server and the httpd configurations of one run."""

    def __init__(self, apache, directory, arguments):
        self.apache, self.directory = apache, directory
        self.servers = Servers(directory)
        uri = "http://127.0.0.1:{}".format
        self.stores = [store for store in OXD_STORES if self.has_cache(store)]
        oxd_sites = ["oxd", *(f"oxd_{store}" for store in self.stores)]
        self.ports = {site: free_port() for site in ["none", *oxd_sites]}
        self.oxd_process, self.oxd = start_oxd_dev(
            arguments.oxd_dev, directory,
            [uri(self.ports["oxd"]) + "/oxd/callback"], uri(self.ports["oxd"]) + "/oxd/logout")
        self.sites = {"none": ""}
        for site in oxd_sites:
            store = self.store_config(site.removeprefix("oxd_")) if site != "oxd" else ""
            # oxd exchanges codes with a site's first redirect address only: each port is a site of its own.
            registered = self.directory / f"{site}.json"
            registered.write_text(register_site(self.oxd, uri(self.ports[site])))
            self.sites[site] = oxd_config(arguments.module, self.oxd, registered, store)
        self.caches = []
        if apache.has("auth_openidc"):
            self.caches = [cache for cache in OPENIDC_CACHES if cache == "shm" or self.servers.port(cache)]
            sessions = {"cookie": "OIDCSessionType client-cookie"}
            for cache in self.caches:
                sessions[cache] = "OIDCSessionType server-cache\n" + OPENIDC_CACHES[cache].format(
                    **self.servers.ports)
            for name, session in sessions.items():
                site, port = f"openidc_{name}", free_port()
                self.ports[site] = port
                client = register_client(self.oxd["provider"], uri(port) + "/protected/callback")
                self.sites[site] = openidc_config(apache, self.oxd, client, port, session)

    def has_cache(self, store):
        module = self.apache.has(f"socache_{store}")
        return module and (store in ("shmcb", "dbm") or self.servers.port(store) is not None)

    def store_config(self, store):
        argument = OXD_STORES[store].format(directory=self.directory / "stores", **self.servers.ports)
        return self.apache.load_module(f"socache_{store}") + f"OxdSessionStore {argument}\n"

    def sign_in(self, httpd, site):
        """A Cookie header with a session, where there is something to sign in to."""
        return "" if site == "none" else sign_in(httpd.base + "/protected/file.txt")

    def httpd(self, site, mpm):
        return Httpd(self.apache, self.directory, site, mpm, self.sites[site], self.ports[site])

    def close(self):
        end(self.oxd_process)
        self.servers.close()


def register_site(oxd, base):
    """A site at the development oxd server; answers the text of its site file."""
    body = json.dumps({"op_host": oxd["provider"], "redirect_uris": [base + "/oxd/callback"],
                       "post_logout_redirect_uris": [base + "/oxd/logout"],
                       "scope": ["openid", "profile", "email", "oxd"],
                       "grant_types": ["authorization_code", "client_credentials"]}).encode()
    request = urllib.request.Request(f"https://127.0.0.1:{oxd['port']}/register-site", body,
                                     {"Content-Type": "application/json"})
    context = ssl.create_default_context(cafile=str(oxd["cert"]))
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        return answer.read().decode()


def register_client(provider, redirect_uri):
    """Dynamic registration, as the provider's metadata offers it."""
    with urllib.request.urlopen(provider + "/.well-known/openid-configuration", timeout=30) as answer:
        endpoint = json.load(answer)["registration_endpoint"]
    body = json.dumps({"redirect_uris": [redirect_uri], "client_name": "bench",
                       "scope": "openid profile email"}).encode()
    request = urllib.request.Request(endpoint, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


# --- instructions per request ------------------------------------------------------


def count_instructions(bed, variant, requests):
    """All instructions of one httpd process that answered so many requests."""
    httpd = bed.httpd(variant.site, "prefork")
    out = httpd.directory / f"callgrind.{variant.key}.{requests}"
    # Opened as root when httpd starts, and as www-data when it ends.
    out.touch()
    out.chmod(0o666)
    httpd.start("-X", under=("valgrind", "--tool=callgrind", "--vgdb=no", f"--callgrind-out-file={out}"))
    try:
        # Signing in is part of each run: a session in shared memory ends with its
        # httpd. It costs the same in both runs, within what the division hides.
        cookie = bed.sign_in(httpd, variant.site)
        client = Client(httpd.port)
        for _ in range(requests):
            client.get(variant.path, cookie if variant.send_cookie else None)
        client.connection.close()
    finally:
        httpd.stop()
    match = re.search(r"^(?:summary|totals): (\d+)", out.read_text(errors="replace"), re.M)
    if not match:
        raise Failure("callgrind left no count:\n" + httpd.logs())
    return int(match.group(1)), len(cookie)


def instructions_per_request(bed, variant, few, many):
    low, _ = count_instructions(bed, variant, few)
    high, cookie_size = count_instructions(bed, variant, many)
    return (high - low) / (many - few), cookie_size


# --- requests per second -----------------------------------------------------------


def wrk(httpd, variant, cookie, seconds, connections):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", "Accept: text/html"]
    if variant.send_cookie:
        command += ["-H", f"Cookie: {cookie}"]
    output = subprocess.check_output([*command, httpd.base + variant.path], text=True)
    if "Non-2xx" in output or "Socket errors" in output:
        raise Failure(f"{variant.label}: wrk met errors:\n{output}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))


def requests_per_second(bed, chosen, rounds, seconds, connections):
    """Every variant in turn, `rounds` times; answers {key: [figures]}."""
    figures = {variant.key: [] for variant in chosen}
    with contextlib.ExitStack() as stack:
        running, cookies = {}, {}
        for site in sorted({variant.site for variant in chosen}):
            running[site] = bed.httpd(site, "event").start("-D", "FOREGROUND")
            stack.callback(running[site].stop)
            cookies[site] = bed.sign_in(running[site], site)
        for number in range(rounds):
            # Each round starts with another variant, so that none is always first.
            shift = number % len(chosen)
            for variant in chosen[shift:] + chosen[:shift]:
                figure = wrk(running[variant.site], variant, cookies[variant.site], seconds, connections)
                figures[variant.key].append(figure)
    return figures


# --- the report --------------------------------------------------------------------


def table(rows):
    """Markdown that is readable as it is."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])])


def report(results):
    measured = results["variants"]
    base = measured["alone"]
    rows = [["1 KB file, keep-alive", "cookie", "instructions", "ratio", "requests/s", "ratio"]]
    for entry in measured.values():
        row = [entry["label"], f"{entry['cookie_bytes']} B" if entry["cookie_bytes"] else "-"]
        for key, form in (("instructions", "{:,.0f}"), ("requests_per_second", "{:,.0f}")):
            if key in entry and key in base:
                row += [form.format(entry[key]), f"{entry[key] / base[key]:.2f}"]
            else:
                row += ["-", "-"]
        rows.append(row)
    text = table(rows) + "\n"
    protected, unprotected = measured["oxd"], measured["plain"]
    for key, name in (("instructions", "instructions"), ("requests_per_second", "requests per second")):
        if key in protected:
            results[f"{key}_protected_to_unprotected"] = round(protected[key] / unprotected[key], 3)
            text += f"\nmod_oxd, protected to unprotected, {name}: {protected[key] / unprotected[key]:.2f}"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", type=pathlib.Path, required=True, help="the built module")
    parser.add_argument("--oxd-dev", type=pathlib.Path, required=True, help="the built development server")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="directory for the results")
    parser.add_argument("--requests", type=int, nargs=2, default=(200, 1200), metavar=("N1", "N2"))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of wrk")
    parser.add_argument("--seconds", type=int, default=4, help="of wrk, per variant and round")
    parser.add_argument("--connections", type=int, default=16, help="of wrk")
    parser.add_argument("--only", choices=("instructions", "rps"), help="measure one of the two")
    arguments = parser.parse_args()
    few, many = arguments.requests

    apache = Apache()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mod_oxd-bench."))
    # www-data, which httpd becomes when root starts it, has to reach the file.
    directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
    for path in ("htdocs", "htdocs/plain", "htdocs/protected", "stores"):
        (directory / path).mkdir()
    (directory / "stores").chmod(0o777)
    for path in ("plain", "protected"):
        (directory / "htdocs" / path / "file.txt").write_bytes(b"x" * FILE_SIZE)

    bed = None
    try:
        bed = Bed(apache, directory, arguments)
        chosen = variants(bed.stores, bed.caches)
        for store in OXD_STORES.keys() - set(bed.stores):
            print(f"no server or no module for {store}: skipped")
        if not bed.caches:
            print("mod_auth_openidc is not installed (package libapache2-mod-auth-openidc): skipped")
        results = {
            "httpd": apache.version, "machine": platform.machine(), "cpus": os.cpu_count(),
            "requests": [few, many], "rounds": arguments.rounds, "seconds": arguments.seconds,
            "connections": arguments.connections,
            "variants": {v.key: {"label": v.label, "cookie_bytes": 0} for v in chosen},
        }
        entries = results["variants"]
        if arguments.only != "rps":
            for variant in chosen:
                print(f"counting instructions: {variant.label} ...", flush=True)
                figure, cookie_size = instructions_per_request(bed, variant, few, many)
                entries[variant.key]["instructions"] = round(figure)
                entries[variant.key]["cookie_bytes"] = cookie_size if variant.send_cookie else 0
        if arguments.only != "instructions":
            print(f"counting requests: {arguments.rounds} rounds of {len(chosen)} variants, "
                  f"{arguments.seconds} s each ...", flush=True)
            figures = requests_per_second(
                bed, chosen, arguments.rounds, arguments.seconds, arguments.connections)
            for key, rounds in figures.items():
                entries[key]["requests_per_second"] = round(statistics.median(rounds))
                entries[key]["rounds"] = [round(figure) for figure in rounds]
    finally:
        if bed:
            bed.close()
        shutil.rmtree(directory, ignore_errors=True)

    text = report(results)
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (arguments.results / "results.md").write_text(text + "\n")
    print(f"\n{text}\n\nwritten to {arguments.results}/results.json and results.md")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit("bench: ended")
