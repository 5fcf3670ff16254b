"""Writes the document with its tables and plots from the results of a run."""

import pathlib
import statistics
import textwrap

import plot

# So many cores may be busy with something else on a machine that is called quiet.
QUIET = 0.1
README_BEGIN, README_END = "<!-- written by make bench -->", "<!-- until here -->"


# --- forms -------------------------------------------------------------------------


def number(figure):
    return f"{figure:,}"


def times(figure, base):
    return f"{figure / base:.2f}" if figure < 10 * base else f"{figure / base:.0f}"


def kilobytes(figure):
    return f"{round(figure / 1024, 1) + 0.0:.1f} MiB"  # + 0.0: without it there is a -0.0


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f}" if microseconds < 10_000 else f"{microseconds / 1000:.0f}"


def spread(entry):
    return f"{number(entry['low'])} to {number(entry['high'])}"


def table(rows):
    """Markdown that is readable as it is."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]

    def line(row):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:])]
        return "| " + " | ".join(cells) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(rows[0]), rule, *map(line, rows[1:])]) + "\n"


# --- tables ------------------------------------------------------------------------


def measured(results, part):
    """The variants without a token of which this has been measured, the one without a module first."""
    return [entry for entry in results["variants"].values() if part in entry and "token" not in entry]


def instructions_table(results):
    entries = measured(results, "instructions")
    if not entries:
        return ""
    base = entries[0]["instructions"]
    rows = [["one request", "cookie", "instructions", "to httpd alone"]]
    for entry in entries:
        cookie = f"{entry['cookie_bytes']} B" if entry["cookie_bytes"] else "-"
        rows.append([entry["label"], cookie, number(entry["instructions"]), times(entry["instructions"], base)])
    return table(rows)


def requests_table(results):
    entries = measured(results, "full")
    if not entries:
        return ""
    base = entries[0]["full"]["rate"]
    rows = [["full load", "requests/s", "lowest to highest", "to httpd alone"]]
    for entry in entries:
        full = entry["full"]
        rows.append([entry["label"], number(full["rate"]), spread(full), times(full["rate"], base)])
    return table(rows)


def latency_table(results):
    entries = measured(results, "moderate")
    if not entries:
        return ""
    rows = [["moderate load", "requests/s", "50 % within", "90 %", "99 %"]]
    for entry in entries:
        moderate = entry["moderate"]
        rows.append([entry["label"], number(moderate["rate"]),
                     *(f"{milliseconds(moderate[name])} ms" for name in ("p50", "p90", "p99"))])
    return table(rows)


def memory_table(results):
    entries = measured(results, "memory")
    if not entries:
        return ""
    base = entries[0]["memory"]["private"]
    rows = [["a child after the load", "private", "beyond httpd alone", "PSS", "RSS"]]
    for entry in entries:
        memory = entry["memory"]
        beyond = kilobytes(memory["private"] - base) if entry is not entries[0] else "-"
        rows.append([entry["label"], kilobytes(memory["private"]), beyond,
                     kilobytes(memory["pss"]), kilobytes(memory["rss"])])
    return table(rows)


def files_table(results):
    if "files" not in results:
        return ""
    rows = [["module", "its file, stripped", "libraries that httpd itself does not load", "their files"]]
    for name, file in results["files"].items():
        rows.append([name, f"{number(file['bytes'])} B", str(file["libraries"]), f"{number(file['library_bytes'])} B"])
    return table(rows)


# What stands beside the tokens for comparison.
BESIDE_TOKENS = ("alone", "oxd", "oxd_shmcb", "openidc_cookie", "openidc_shm")


def token_entries(results, part):
    """The variants with a token of which this has been measured."""
    return [entry for entry in results["variants"].values() if part in entry and "token" in entry]


def bearer_table(results):
    variants = results["variants"]
    if not token_entries(results, "instructions") and not token_entries(results, "full"):
        return ""
    beside = [variants[key] for key in BESIDE_TOKENS if key in variants]
    rows = [["one request", "cookie or token", "instructions", "to httpd alone", "requests/s", "lowest to highest",
             "50 % within", "99 %"]]
    for entry in beside + [entry for entry in variants.values() if "token" in entry]:
        size = entry.get("token_bytes") or entry.get("cookie_bytes")
        label = entry["label"] if "token" in entry or entry is variants["alone"] else f"session: {entry['label']}"
        row = [label, f"{size} B" if size else "-", "-", "-", "-", "-", "-", "-"]
        if "instructions" in entry:
            row[2:4] = [number(entry["instructions"]), times(entry["instructions"], variants["alone"]["instructions"])]
        if "full" in entry:
            row[4:] = [number(entry["full"]["rate"]), spread(entry["full"]),
                       *(f"{milliseconds(entry['moderate'][name])} ms" for name in ("p50", "p99"))]
        rows.append(row)
    return table(rows)


def bearer_goal(results):
    """Whether a token that is known costs at most what a session in a store does, as the figures have it."""
    stores = [(entry["instructions"], entry["label"]) for key, entry in results["variants"].items()
              if key.startswith("oxd_") and "token" not in entry and "instructions" in entry]
    kept = [entry for entry in token_entries(results, "instructions") if entry["family"] == "oxd" and entry["kept"]]
    goal = "The goal: with mod_oxd, a request with a token whose answer is kept costs at most what one with a session "
    if not stores or not kept:
        return goal + "in a store costs. What that takes was not counted in this run."
    most, store = min(stores)
    told = [f"{entry['label']}: {number(entry['instructions'])} instructions"
            + (", met" if entry["instructions"] <= most else f", {number(entry['instructions'] - most)} too many")
            for entry in kept]
    missed = [entry for entry in kept if entry["instructions"] > most]
    verdict = "The goal is met" if not missed else (
        "The goal is not met" if len(missed) == len(kept) else "The goal is met in part")
    return (goal + f"in the cheapest store costs ({store}: {number(most)} instructions). **{verdict}** ("
            + "; ".join(told) + ").")


def bearer_text(results):
    text = bearer_table(results)
    return f"{text}\n{paragraph(bearer_goal(results))}\n" if text else ""


LOGIN_WAYS = {"module": "mod_oxd", "script": "the tutorial's CGI script", "bare": "bare call, no httpd"}


def login_table(results):
    login = results["login"]
    ways = [way for way in LOGIN_WAYS if way in login]
    if not ways:
        return ""
    many = results["settings"]["login_connections"]
    rows = [["login start", f"per second, {many} at once", "lowest to highest", "50 % within", "90 %", "99 %",
             "one at a time, 50 %", "90 %", "99 %"]]
    for way in ways:
        one, load = login[way]["one"], login[way]["many"]
        rows.append([LOGIN_WAYS[way], number(load["rate"]), spread(load)]
                    + [f"{milliseconds(run[name])} ms" for run in (load, one) for name in ("p50", "p90", "p99")])
    return table(rows)


def login_parts_table(results):
    login = results["login"]
    if "overhead_us" not in login:
        return ""
    return table([
        ["one at a time, half of them within", "microseconds"],
        ["login start through httpd and mod_oxd", number(login["module"]["one"]["p50"])],
        ["bare `get-authorization-url`, same stand-in", number(login["bare"]["one"]["p50"])],
        ["**what httpd and mod_oxd add**", f"**{number(login['overhead_us'])}**"],
        ["a file of 1 KB from the same httpd, for comparison", number(login["file"]["one"]["p50"])],
        ["what is left for mod_oxd", number(login["overhead_without_httpd_us"])],
    ])


def machine_table(results):
    machine = results["machine"]
    rows = [["", ""], ["processor", machine["processor"]], ["cores", str(machine["cores"])],
            ["memory", f"{machine['memory_gib']} GiB"],
            ["system", f"{machine['distribution']}, Linux {machine['kernel']}, {machine['architecture']}"]]
    rows += [[name, version] for name, version in machine["versions"].items()]
    widest = [max(len(row[i]) for row in rows) for i in range(2)]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widest)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widest) + "|", *lines[1:]]) + "\n"


def tables(results):
    """For the terminal."""
    found = [make(results) for make in (instructions_table, requests_table, latency_table, memory_table,
                                        files_table, bearer_text, login_table, login_parts_table)]
    return "\n".join(text for text in found if text)


# --- plots -------------------------------------------------------------------------


def plots(results):
    """{name of the file: SVG}"""
    found = {}
    entries = measured(results, "instructions")
    if entries:
        found["bench-instructions.svg"] = plot.bars(
            "Instructions per request (less is better)",
            [(e["label"], e["instructions"], number(e["instructions"]), e["family"]) for e in entries])
    entries = measured(results, "full")
    if entries:
        found["bench-requests.svg"] = plot.bars(
            "Requests per second (more is better)",
            [(e["label"], e["full"]["rate"], number(e["full"]["rate"]), e["family"],
              (e["full"]["low"], e["full"]["high"])) for e in entries])
    login = results["login"]
    families = {"module": "oxd", "script": "script", "bare": "alone"}
    ways = [way for way in LOGIN_WAYS if way in login]
    if ways:
        found["bench-login.svg"] = plot.bars(
            "Login starts per second (more is better)",
            [(LOGIN_WAYS[way], login[way]["many"]["rate"], number(login[way]["many"]["rate"]), families[way],
              (login[way]["many"]["low"], login[way]["many"]["high"])) for way in ways])
    return found


# --- the document ------------------------------------------------------------------


def write(results, directory):
    """BENCHMARKS.md in the directory, and the plots in its images/; answers the files."""
    images = pathlib.Path(directory) / "images"
    images.mkdir(parents=True, exist_ok=True)
    written = []
    for name, svg in plots(results).items():
        (images / name).write_text(svg)
        written.append(images / name)
    document = pathlib.Path(directory) / "BENCHMARKS.md"
    template = pathlib.Path(__file__).with_name("BENCHMARKS.md.in").read_text()
    document.write_text(fill(template, results))
    return [document, *written]


def fill(template, results):
    """`@name@` is a value or a table. A section whose table is missing says so."""
    values = {name: number(value) for name, value in results["settings"].items()}
    values.update(
        date=results["date"], minutes=str(results["minutes"]),
        skipped=paragraph(skipped(results)), short=paragraph(short(results)), busy=busy(results),
        bearer_goal=paragraph(bearer_goal(results)),
        login_counts=paragraph(login_counts(results)), quick=quick(results))
    for make in (machine_table, instructions_table, requests_table, latency_table, memory_table, files_table,
                 bearer_table, login_table, login_parts_table):
        values[make.__name__] = (make(results) or "Not measured in this run.\n").rstrip("\n")
    shown = plots(results)
    for name in ("instructions", "requests", "login"):
        file = f"bench-{name}.svg"
        values[f"plot_{name}"] = f"![{alternative(name)}](images/{file})" if file in shown else ""
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


def alternative(name):
    return {"instructions": "Bars: instructions per request, the figures of the table below",
            "requests": "Bars: requests per second, the figures of the table below",
            "login": "Bars: login starts per second, the figures of the table below"}[name]


def quick(results):
    return "**A short run (`--quick`): these figures mean little.**\n\n" if results["settings"]["quick"] else ""


def paragraph(text):
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def busy(results):
    if not results["others"]:
        return ""
    usual, most = statistics.median(results["others"]), max(results["others"])
    text = (f"Between the rounds of load, other processes kept {usual:.2f} of {results['machine']['cores']} cores "
            f"busy (the median; at most {most:.2f}).")
    if usual > QUIET:
        text += " **So the machine was not quiet: requests per second and latencies of this run tell little.**"
    return paragraph(text) + "\n\n"


def short(results):
    """The plot in words, as figures that repeat."""
    entries = measured(results, "instructions")
    if not entries:
        return "No instructions were counted in this run."
    base, told = entries[0]["instructions"], []
    for family, name in (("oxd", "mod_oxd"), ("openidc", "mod_auth_openidc")):
        figures = [e["instructions"] for e in entries if e["family"] == family and e.get("cookie_bytes")
                   and e["label"].startswith(name)]
        if figures:
            told.append(f"with {name} {times(min(figures), base)} to {times(max(figures), base)} times")
    return ("A request with a session takes " + ", ".join(told) + " as many instructions as the same file from "
            "httpd alone, depending on where sessions are kept.")


def skipped(results):
    if not results["skipped"]:
        return "Nothing was skipped."
    return "Not installed, and therefore skipped: " + "; ".join(results["skipped"]) + "."


def login_counts(results):
    login, told = results["login"], []
    if "instructions" in login:
        told.append(f"A login start takes {number(login['instructions'])} instructions in httpd, the call to oxd "
                    "over TLS included.")
    if "script_instructions" in login:
        told.append(f"A process of the script takes {number(login['script_instructions'])} from its start to its end, "
                    "most of them for the start of Python and what it imports.")
    if "script_memory" in login:
        told.append(f"It needs {kilobytes(login['script_memory'])} while it runs (RSS), for each login that starts "
                    "at the same time.")
    return " ".join(told)


def update_readme(results, path):
    """The few lines that most people want, between two marks; nothing when the marks are gone."""
    text = path.read_text()
    head, begin, rest = text.partition(README_BEGIN)
    _, end, foot = rest.partition(README_END)
    if not begin or not end:
        return []
    entries = measured(results, "instructions")
    base = entries[0]
    rows = [["one page of 1 KB", "instructions", "to httpd alone", "requests/s", "private memory of a child"]]
    for entry in entries:
        rows.append([entry["label"], number(entry["instructions"]),
                     times(entry["instructions"], base["instructions"]), number(entry["full"]["rate"]),
                     kilobytes(entry["memory"]["private"]) if "memory" in entry else "-"])
    path.write_text(f"{head}{begin}\n{table(rows)}{end}{foot}")
    return [path]
