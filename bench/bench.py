"""What does mod_oxd cost? See docs/BENCHMARKS.md for the answer of the last whole run.

Serves one file of 1 KB, unprotected and protected, and measures

  instructions   per request, under valgrind's callgrind, in a single httpd process
                 (prefork, -X): few and many requests in two runs, so that start-up
                 and sign-in cancel out of the difference
  memory         of a child of httpd (event MPM) after a load
  files          bytes of the modules
  requests       per second at full load, and latency at a moderate one, with wrk on
                 the event MPM, keep-alive: the variants take turns for several rounds
  login          how a login starts: the module, the tutorial's CGI script, a bare call

The same for requests with a bearer token instead of a session; see bearer.py.

Sessions are real ones: signed in through the development oxd server, which is a
stand-in for oxd, and its provider. Competitors and stores that are not installed are
skipped. A whole run writes docs/BENCHMARKS.md, its plots, and the table in README.md;
any other run writes the same below the directory for results.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import bearer
import load
import login
import machine
import measure
import report
from bed import Apache, FILE_SIZE, Failure
from sites import Bed, variants

PARTS = ("instructions", "memory", "files", "requests", "login")
ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", type=pathlib.Path, required=True, help="the built module")
    parser.add_argument("--oxd-dev", type=pathlib.Path, required=True, help="the built development server")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="directory for the results")
    parser.add_argument("--quick", action="store_true",
                        help="one short round: whether everything runs, with figures that mean little")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART",
                        help="some of: " + ", ".join(PARTS))
    parser.add_argument("--report", action="store_true",
                        help="measure nothing, write the document from the results of the last run")
    return parser.parse_args()


def settings(quick):
    found = {"quick": quick, "few": 200, "many": 3200, "many_openidc": 1200,
             "rounds": 5, "full_seconds": 2, "moderate_seconds": 2,
             "login_seconds": 3, "memory_seconds": 2, "connections": load.FULL_CONNECTIONS,
             "moderate_connections": load.MODERATE_CONNECTIONS, "moderate_pause_ms": load.MODERATE_PAUSE_MS,
             "login_connections": login.CONNECTIONS, "jwts": bearer.JWTS}
    if quick:
        found.update(few=50, many=250, many_openidc=150, rounds=1, full_seconds=1, moderate_seconds=1,
                     memory_seconds=1)
    return found


@contextlib.contextmanager
def scratch():
    """A directory for one run."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mod_oxd-bench."))
    try:
        # www-data, which httpd becomes when root starts it, has to reach the file.
        directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for path in ("htdocs", "htdocs/plain", "htdocs/protected"):
            (directory / path).mkdir()
        for path in ("plain", "protected"):
            (directory / "htdocs" / path / "file.txt").write_bytes(b"x" * FILE_SIZE)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def say(text):
    print(text, flush=True)


def measure_all(arguments):
    for tool in ("wrk", "valgrind", "ldd", "strip"):
        if not shutil.which(tool):
            raise Failure(f"{tool} is missing: scripts/need.sh bench")
    apache, began, how = Apache(), time.monotonic(), settings(arguments.quick)
    with scratch() as directory, contextlib.closing(
            Bed(apache, directory, arguments.module, arguments.oxd_dev)) as bed:
        for name in bed.skipped:
            say(f"not installed, skipped: {name}")
        chosen = variants(bed.stores, bed.caches, bed.token_variants)
        results = {
            "date": datetime.date.today().isoformat(), "parts": sorted(arguments.only), "settings": how,
            "skipped": bed.skipped,
            "machine": machine.describe(apache, module_version()), "others": [],
            "variants": {v.key: v.facts() for v in chosen}, "login": {},
        }
        entries = results["variants"]
        # What minds other work comes last: at first the build has just ended.
        if "instructions" in arguments.only:
            say("instructions per request:")
            for key, (figure, size) in measure.instructions(bed, chosen, how, say).items():
                where = results["login"] if key == measure.LOGIN_VARIANT.key else entries[key]
                where.update(instructions=figure, **{"token_bytes" if "token" in where else "cookie_bytes": size})
            if "cgi" in bed.sites:
                results["login"]["script_instructions"] = measure.script_instructions(bed)
                say(f"  the tutorial's script: {results['login']['script_instructions']:,}")
        if "memory" in arguments.only:
            say("memory of a child:")
            # What a browser sends changes nothing here, and what is kept of a few tokens little.
            tokens = [variant.key for variant in bed.token_variants]
            asked = [variant for variant in chosen if variant.key not in ("plain_cookie", *tokens)]
            for key, kilobytes in measure.memory(bed, asked, how["memory_seconds"], say).items():
                entries[key]["memory"] = kilobytes
            if "cgi" in bed.sites:
                results["login"]["script_memory"] = measure.script_memory(bed)
        if "files" in arguments.only:
            results["files"] = {"mod_oxd": measure.module_file(apache, arguments.module)}
            if apache.has("auth_openidc"):
                results["files"]["mod_auth_openidc"] = measure.module_file(
                    apache, apache.modules / "mod_auth_openidc.so")
        if "requests" in arguments.only:
            say("requests per second and latency:")
            full, moderate = load.requests_and_latency(
                bed, [variant for variant in chosen if variant.under_load], how["rounds"],
                how["full_seconds"], how["moderate_seconds"], progress(results["others"]))
            for key, figures in full.items():
                entries[key].update(full=figures, moderate=moderate[key])
        if "login" in arguments.only:
            say("login starts:")
            results["login"].update(login.login_starts(
                bed, how["rounds"], how["login_seconds"], progress(results["others"])))
    results["minutes"] = round((time.monotonic() - began) / 60, 1)
    return results


def progress(others):
    """Says what round it is, and from the second one on how long the rest will take. Nothing of
    the benchmark is at work then: the time to see whether anything else is."""
    began = time.monotonic()

    def say_round(done, rounds):
        left = (time.monotonic() - began) / done * (rounds - done) if done else 0
        others.append(round(machine.cores_at_work(0.5), 2))
        say(f"  round {done + 1} of {rounds}" + (f", some {left:.0f} s to go" if done else "")
            + (f" (other processes keep {others[-1]} cores busy)" if others[-1] > report.QUIET else ""))

    return say_round


def module_version():
    manifest = (ROOT / "Cargo.toml").read_text()
    return machine.first_match(r'^version = "([^"]+)"', manifest)


def main():
    arguments = parse_arguments()
    arguments.results.mkdir(parents=True, exist_ok=True)
    kept = arguments.results / "results.json"
    if arguments.report:
        results = json.loads(kept.read_text())
    else:
        results = measure_all(arguments)
        kept.write_text(json.dumps(results, indent=2) + "\n")
    whole = not results["settings"]["quick"] and set(results["parts"]) == set(PARTS)
    docs = ROOT / "docs" if whole else arguments.results
    say("\n" + report.tables(results))
    written = report.write(results, docs)
    if whole:
        written += report.update_readme(results, ROOT / "README.md")
    say(f"\nwritten after {results['minutes']} minutes:")
    for path in [kept, *written]:
        say(f"  {path}")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: ended")
