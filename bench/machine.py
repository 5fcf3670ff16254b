"""What the figures were measured on: described so that others can judge them, and without names of hosts."""

import os
import pathlib
import re
import shutil
import subprocess
import time

from sites import PYTHON

# So many cores may be busy with something else on a machine that is called quiet.
QUIET = 0.3
LOOK_SECONDS = 5


def first_match(pattern, text, otherwise="unknown"):
    match = re.search(pattern, text, re.M)
    return match.group(1).strip() if match else otherwise


def said_by(*command):
    """What a program says of itself, or nothing when it is not installed."""
    if not shutil.which(command[0]):
        return ""
    run = subprocess.run(command, text=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return run.stdout


def package_version(name):
    text = said_by("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name)
    return first_match(r"^installed (\S+)", text, "")


def version_in(module):
    """The version that a mod_auth_openidc has in its code."""
    found = re.search(rb"mod_auth_openidc-(\d[\w.-]*)", module.read_bytes()) if module else None
    return found.group(1).decode() if found else "unknown" if module else ""


def describe(apache, module_version, openidc_head):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    kilobytes = int(first_match(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), "0"))
    release = pathlib.Path("/etc/os-release")
    versions = {
        "mod_oxd": module_version,
        "httpd": apache.version,
        "mod_auth_openidc": package_version("libapache2-mod-auth-openidc") if apache.has("auth_openidc") else "",
        "mod_auth_openidc (own build)": version_in(openidc_head),
        "Redis": first_match(r"v=([\d.]+)", said_by("redis-server", "--version"), ""),
        "memcached": first_match(r"([\d.]+)", said_by("memcached", "-V"), ""),
        "rustc": first_match(r"rustc ([\d.]+)", said_by("rustc", "--version"), ""),
        "Python": first_match(r"Python ([\d.]+)", said_by(PYTHON, "--version"), ""),
        "wrk": first_match(r"^wrk \D*([\d.]+)", said_by("wrk", "-v"), ""),
        "valgrind": first_match(r"valgrind-([\d.]+)", said_by("valgrind", "--version"), ""),
    }
    return {
        "processor": first_match(r"^(?:model name|Processor|CPU part)\s*:\s*(.+)$", cpuinfo),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(kilobytes / 1024 / 1024, 1),
        "architecture": os.uname().machine,
        # Only the numbers: what a builder of kernels appends tells where it came from.
        "kernel": first_match(r"^([\d.]*\d)", os.uname().release),
        "distribution": first_match(r'^PRETTY_NAME="?([^"\n]+)', release.read_text() if release.exists() else ""),
        "versions": {name: version for name, version in versions.items() if version},
    }


def cores_at_work(seconds):
    """How many cores are busy while this program sleeps. The load average would still tell of
    the build that has just ended."""

    def ticks():
        with open("/proc/stat") as file:
            user, nice, system, idle, wait, *others = (int(word) for word in file.readline().split()[1:9])
        return user + nice + system + sum(others), idle + wait

    (busy, idle), _, (busy_then, idle_then) = ticks(), time.sleep(seconds), ticks()
    busy, idle = busy_then - busy, idle_then - idle
    return len(os.sched_getaffinity(0)) * busy / max(1, busy + idle)


def wait_until_quiet(seconds, limit, say):
    """Waits until so many seconds in a row were quiet, and no longer than the limit; answers what it has seen.
    What starts now and then must not start during a measurement either: one look would not do."""
    began, looks = time.monotonic(), []
    wanted = max(1, round(seconds / LOOK_SECONDS))
    while True:
        looks.append(cores_at_work(LOOK_SECONDS))
        quiet = len(looks) >= wanted and max(looks[-wanted:]) < QUIET
        waited = time.monotonic() - began
        if quiet or waited + LOOK_SECONDS > limit:
            break
        if looks[-1] >= QUIET:
            say(f"  other processes keep {looks[-1]:.2f} cores busy: waiting, {max(0, limit - waited):.0f} s at most")
    last = looks[-wanted:]
    return {"quiet": quiet, "waited": round(waited), "seconds": seconds, "limit": limit,
            "busy": round(sum(last) / len(last), 2), "most": round(max(last), 2)}
