"""What does mod_oxd cost? See docs/BENCHMARKS.md for the answer of the last whole run.

Serves one file of 1 KB, unprotected and protected, and measures

  instructions   per request, under valgrind's callgrind, in a single httpd process; see counts.py
  growth         the same with more claims, cookies of others, and rules
  memory         of a child of httpd (event MPM) after a load
  files          bytes of the modules
  requests       per second and processor time, as ratios of neighbouring pairs, with wrk on
                 the event MPM, keep-alive; see pairs.py. Also with more children of httpd
  latency        at a moderate load
  login          how a login starts: the module, the tutorial's CGI script, a bare call

Requests bring a session, a bearer token or an RPT of UMA, or nothing that lets them in.

The last three are timed: before them the machine has to be quiet for a minute. After three minutes of
waiting they begin all the same, and the page says so.

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
import re
import shutil
import subprocess
import sys
import tempfile
import time

import bearer
import counts
import load
import login
import machine
import measure
import pairs
import report
from bed import Apache, FILE_SIZE, Failure
from sites import Bed
from variants import RULES, curves, variants

TIMED = ("requests", "latency", "login")
PARTS = ("instructions", "growth", "memory", "files", *TIMED)
ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", type=pathlib.Path, required=True, help="the built module")
    parser.add_argument("--oxd-dev", type=pathlib.Path, required=True, help="the built development server")
    parser.add_argument("--results", type=pathlib.Path, required=True, help="directory for the results")
    parser.add_argument("--quick", action="store_true",
                        help="one short round: whether everything runs, with figures that mean little")
    parser.add_argument("--openidc-head", type=pathlib.Path, default=os.environ.get("OPENIDC_HEAD") or None,
                        metavar="FILE", help="a mod_auth_openidc.so of one's own, to compare with besides the "
                        "distribution's (or OPENIDC_HEAD)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART",
                        help="some of: " + ", ".join(PARTS))
    parser.add_argument("--match", default="", metavar="PATTERN",
                        help="only the variants whose name has this (a regular expression), as in --match '^oxd(_shmcb)?$'; "
                        "the names are those in results.json")
    parser.add_argument("--report", action="store_true",
                        help="measure nothing, write the document from the results of the last run")
    return parser.parse_args()


def settings(quick):
    found = {"quick": quick, "requests": 600, "requests_slow": 100,
             "pairs": 15, "pairs_tokens": 9, "pairs_openidc": 5, "pairs_children": 5, "children": [1, 2, 8], "half_seconds": 1,
             "rounds": 3, "moderate_seconds": 1, "login_rounds": 3, "login_seconds": 3, "memory_seconds": 1,
             "quiet_seconds": 60, "quiet_limit": 180,
             "connections": load.FULL_CONNECTIONS, "moderate_connections": load.MODERATE_CONNECTIONS,
             "moderate_pause_ms": load.MODERATE_PAUSE_MS, "login_connections": login.CONNECTIONS,
             "jwts": bearer.JWTS}
    if quick:
        found.update(requests=60, requests_slow=20, pairs=1, pairs_tokens=1, pairs_openidc=1, pairs_children=1, rounds=1,
                     login_rounds=1, login_seconds=2, quiet_seconds=5, quiet_limit=5)
    return found


@contextlib.contextmanager
def scratch():
    """A directory for one run."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mod_oxd-bench."))
    try:
        # www-data, which httpd becomes when root starts it, has to reach the file.
        directory.chmod(0o711 if os.geteuid() == 0 else 0o700)
        (directory / "htdocs").mkdir()
        for place in ("plain", "protected", *(f"rules-{number}" for number in RULES)):
            (directory / "htdocs" / place).mkdir()
            (directory / "htdocs" / place / "file.txt").write_bytes(b"x" * FILE_SIZE)
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
    head = arguments.openidc_head and arguments.openidc_head.resolve(strict=True)
    with scratch() as directory, contextlib.closing(
            Bed(apache, directory, arguments.module, arguments.oxd_dev, head)) as bed:
        for name in bed.skipped:
            say(f"not measured: {name}")
        everything = variants(bed)
        chosen = [variant for variant in everything if re.search(arguments.match, variant.key)]
        results = {
            "date": datetime.date.today().isoformat(), "parts": sorted(arguments.only), "settings": how,
            "skipped": bed.skipped, "match": arguments.match,
            "machine": machine.describe(apache, module_version(), head), "others": [],
            "variants": {v.key: v.facts() for v in everything}, "login": {}, "growth": {},
        }
        # What minds other work comes last: at first the build has just ended.
        points = [point for point in curves(bed) if re.search(arguments.match, point.key)]
        count(arguments.only, bed, chosen, points, results)
        weigh(arguments, apache, bed, chosen, results)
        if set(arguments.only) & set(TIMED):
            say("waiting for a quiet machine:")
            results["quiet"] = machine.wait_until_quiet(how["quiet_seconds"], how["quiet_limit"], say)
            say(f"  {'quiet' if results['quiet']['quiet'] else 'NOT quiet'} after {results['quiet']['waited']} s")
            clock(arguments.only, bed, chosen, results)
    results["minutes"] = round((time.monotonic() - began) / 60, 1)
    return results


def count(only, bed, chosen, points, results):
    """Instructions."""
    how, entries = results["settings"], results["variants"]
    counted = chosen if "instructions" in only else []
    points = points if "growth" in only else []
    if not counted and not points:
        return
    say("instructions per request:")
    login_start = [] if results["match"] else [counts.LOGIN_VARIANT]
    found = counts.instructions(bed, [*counted, *points, *login_start], how, say)
    results["login"].update(found.pop(counts.LOGIN_VARIANT.key, {}))
    for point in points:
        results["growth"].setdefault(point.curve, []).append(
            {"store": point.store, "number": point.number, **found.pop(point.key)})
    for key, figures in found.items():
        entries[key].update(figures)
    if counted and login_start and "cgi" in bed.sites:
        results["login"]["script_instructions"] = counts.script_instructions(bed)
        say(f"  the tutorial's script: {results['login']['script_instructions']:,}")


def weigh(arguments, apache, bed, chosen, results):
    """Memory and files."""
    if "memory" in arguments.only:
        say("memory of a child:")
        # What is kept of a few tokens changes little.
        asked = [variant for variant in chosen if variant.status == 200 and variant not in bed.token_variants]
        for key, kilobytes in measure.memory(bed, asked, results["settings"]["memory_seconds"], say).items():
            results["variants"][key]["memory"] = kilobytes
        if "cgi" in bed.sites:
            results["login"]["script_memory"] = measure.script_memory(bed)
    if "files" in arguments.only:
        results["files"] = {"mod_oxd": measure.module_file(apache, arguments.module)}
        for name, file in bed.openidc_files.items():
            results["files"][name] = measure.module_file(apache, file)


def clock(only, bed, chosen, results):
    """What is timed, with nothing else at work."""
    how, entries = results["settings"], results["variants"]
    say_round = progress(results["others"])
    if "requests" in only:
        say("requests per second and processor time, in pairs:")
        # Without a module there is nothing to compare; the page with itself tells what a difference means.
        asked = [variant for variant in chosen if variant.under_load and variant.key != "alone"]
        for key, figures in pairs.pairs_of(bed, asked, how, say_round).items():
            entries[key]["pairs"] = figures
        for cookie in (variant for variant in chosen if variant.key == "oxd"):
            say("the same with more children:")
            results["growth"]["children"] = pairs.children(bed, cookie, how, say)
    if "latency" in only:
        say("latency:")
        asked = [variant for variant in chosen if variant.under_load]
        for key, figures in load.latency(bed, asked, how["rounds"], how["moderate_seconds"], say_round).items():
            entries[key]["moderate"] = figures
    if "login" in only:
        say("login starts:")
        results["login"].update(login.login_starts(bed, how["login_rounds"], how["login_seconds"], say_round))


def progress(others):
    """Says what round it is, and from the second one on how long the rest will take. Nothing of
    the benchmark is at work then: the time to see whether anything else is."""
    began = [0.0]

    def say_round(done, rounds):
        if not done:
            began[0] = time.monotonic()
        left = (time.monotonic() - began[0]) / done * (rounds - done) if done else 0
        others.append(round(machine.cores_at_work(0.5), 2))
        say(f"  round {done + 1} of {rounds}" + (f", some {left:.0f} s to go" if done else "")
            + (f" (other processes keep {others[-1]} cores busy)" if others[-1] > machine.QUIET else ""))

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
    whole = (not results["settings"]["quick"] and not results["match"] and set(results["parts"]) == set(PARTS))
    docs = ROOT / "docs" if whole else arguments.results
    say("\n" + report.tables(results))
    written = report.write(results, docs)
    if whole:
        written += report.update_readme(results, ROOT / "README.md")
    else:
        written.append(arguments.results / "README-table.md")
        written[-1].write_text(report.readme_table(results))
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
