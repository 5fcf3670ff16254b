"""What repeats: instructions per request, memory per child, bytes of the modules."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from bed import Client, Failure, LOGIN_START
from load import FULL_CONNECTIONS, wrk
from sites import PYTHON, Variant

# A login start, which calls oxd, as one more thing to count.
LOGIN_VARIANT = Variant("login", "login start", "oxd", LOGIN_START, False)


# --- instructions ------------------------------------------------------------------


def callgrind_total(out, logs):
    match = re.search(r"^(?:summary|totals): (\d+)", out.read_text(errors="replace"), re.M)
    if not match:
        raise Failure("callgrind left no count:\n" + logs)
    return int(match.group(1))


def callgrind(out):
    return ["valgrind", "--tool=callgrind", "--vgdb=no", f"--callgrind-out-file={out}"]


def count_instructions(bed, variant, requests):
    """All instructions of one httpd process that answered so many requests."""
    httpd = bed.httpd(variant.site, "prefork")
    out = httpd.directory / f"callgrind.{variant.key}.{requests}"
    # Opened as root when httpd starts, and as www-data when it ends.
    out.touch()
    out.chmod(0o666)
    httpd.start("-X", under=callgrind(out))
    try:
        # Signing in is part of each run: a session in shared memory ends with its httpd.
        credentials = bed.credentials(httpd, variant)
        client = Client(httpd.port, credentials)
        for _ in range(requests):
            client.get(variant.path)
        client.close()
    finally:
        httpd.stop()
    return callgrind_total(out, httpd.logs()), credentials.size


def instructions_per_request(bed, variant, few, many):
    low, _ = count_instructions(bed, variant, few)
    high, size = count_instructions(bed, variant, many)
    return round((high - low) / (many - few)), size


def instructions(bed, chosen, how, say):
    """{key: (instructions, bytes of the cookie or token)}; counts do not mind what else the machine does,
    so that httpds run beside each other. Variants of one site take turns: they have one port."""
    by_site = {}
    for variant in [*chosen, LOGIN_VARIANT]:
        by_site.setdefault(variant.site, []).append(variant)
    found = {}

    def count(group):
        for variant in group:
            # What a sign-in takes is not always the same, and the more requests, the less
            # of that is left in the figure. Beside the slower module it is nothing.
            many = how["many_openidc" if variant.family == "openidc" else "many"]
            found[variant.key] = instructions_per_request(bed, variant, how["few"], many)
            say(f"  {variant.label}: {found[variant.key][0]:,}")

    # The longest first, as the last one to begin decides when all is done.
    order = sorted(by_site.values(), key=lambda group: (-len(group), "openidc" not in group[0].site))
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for done in [pool.submit(count, group) for group in order]:
            done.result()
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


# --- memory ------------------------------------------------------------------------


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


def memory_of(pid):
    """Kilobytes of a process, as the kernel adds them up."""
    kept = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        kept[name] = int(rest.split()[0])
    return {"pss": kept["Pss"], "rss": kept["Rss"], "private": kept["Private_Clean"] + kept["Private_Dirty"]}


def memory(bed, chosen, seconds, say):
    """{key: kilobytes of a child after the load}. A single child, which did the sign-in and all
    requests, and no other httpd beside it that would share its pages."""
    found = {}
    for variant in chosen:
        httpd = bed.httpd(variant.site, "event", children=1).start("-D", "FOREGROUND")
        try:
            credentials = bed.credentials(httpd, variant)
            wrk(httpd.base + variant.path, seconds, FULL_CONNECTIONS, credentials)
            children = children_of(httpd.process.pid)
            if len(children) != 1:
                raise Failure(f"expected one child of httpd, here are {len(children)}")
            found[variant.key] = memory_of(children[0])
        finally:
            httpd.stop()
        say(f"  {variant.label}: {found[variant.key]['private']:,} kB private")
    return found


# Runs the script as it is and tells the most memory that the process had.
PEAK = """
import re, runpy, sys
runpy.run_path(sys.argv[1])
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1), file=sys.stderr)
"""


def script_memory(bed):
    """Kilobytes of one process of the tutorial's script."""
    run = subprocess.run([PYTHON, "-c", PEAK, bed.script], check=True, text=True,
                         env=dict(os.environ, **bed.script_environment),
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return int(run.stderr)


# --- the files ---------------------------------------------------------------------


def libraries(path):
    """The files that the loader adds for it."""
    output = subprocess.run(["ldd", path], text=True, stdout=subprocess.PIPE).stdout
    return {str(pathlib.Path(found).resolve()) for found in re.findall(r"(/\S+) \(0x", output)}


def module_file(apache, path):
    """Bytes of the module without symbols that nobody needs, and of the libraries that it brings."""
    with tempfile.TemporaryDirectory() as directory:
        stripped = pathlib.Path(directory) / "module.so"
        shutil.copy(path, stripped)
        # As Debian's own tools do it.
        subprocess.run(["strip", "--strip-unneeded", "--remove-section=.comment", "--remove-section=.note",
                        stripped], check=True)
        size = stripped.stat().st_size
    further = libraries(path) - libraries(apache.binary)
    return {"bytes": size, "libraries": len(further),
            "library_bytes": sum(os.stat(name).st_size for name in further)}
