"""What repeats besides instructions: memory per child, bytes of the modules."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from bed import Failure, children_of
from load import FULL_CONNECTIONS, wrk
from sites import PYTHON

# --- memory ------------------------------------------------------------------------


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
