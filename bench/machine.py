"""What the figures were measured on: described so that others can judge them, and without names of hosts."""

import os
import pathlib
import re
import shutil
import subprocess
import time

from sites import PYTHON


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


def describe(apache, module_version):
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    kilobytes = int(first_match(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), "0"))
    release = pathlib.Path("/etc/os-release")
    versions = {
        "mod_oxd": module_version,
        "httpd": apache.version,
        "mod_auth_openidc": package_version("libapache2-mod-auth-openidc") if apache.has("auth_openidc") else "",
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
