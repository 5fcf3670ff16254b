"""The tables of the document, from the results of a run."""

from text import (kilobytes, milliseconds, number, plain_table, quartiles, ratio, size, spread, table, times, whole)


def measured(results, part, tokens=False):
    """The variants of which this has been measured, with or without a token."""
    return [entry for entry in results["variants"].values() if part in entry and ("token" in entry) == tokens]


# --- instructions ------------------------------------------------------------------


def instructions_rows(entries, what, base):
    rows = [[f"one request{what}", "it sends", "instructions", "unprotected, same header", "ratio", "to httpd alone"]]
    for entry in entries:
        row = [entry["label"], size(entry), number(entry["instructions"]), "-", "-", "-"]
        if "beside" in entry:
            row[3:5] = [number(entry["beside"]), times(entry["instructions"], entry["beside"])]
        if base:
            row[5] = times(entry["instructions"], base)
        rows.append(row)
    return rows


def base_of(results):
    return results["variants"]["alone"].get("instructions")


def instructions_table(results):
    entries = measured(results, "instructions")
    return table(instructions_rows(entries, "", base_of(results))) if entries else ""


def bearer_table(results):
    """Those with a token."""
    entries = measured(results, "instructions", True)
    return table(instructions_rows(entries, " with a token", base_of(results))) if entries else ""


# --- pairs -------------------------------------------------------------------------


def pairs_entries(results):
    """Sessions first, then tokens."""
    return measured(results, "pairs") + measured(results, "pairs", True)


def pairs_label(key, entry):
    return "the unprotected page with itself" if key == "plain" else entry["label"]


def pairs_table(results, figure, unit):
    entries = pairs_entries(results)
    if not entries:
        return ""
    keys = {id(entry): key for key, entry in results["variants"].items()}
    rows = [["protected to unprotected", "ratio (median)", "quartiles", "pairs", f"unprotected, {unit}",
             f"protected, {unit}"]]
    for entry in entries:
        of = entry["pairs"][figure]
        forms = whole if figure == "rate" else (lambda microseconds: f"{microseconds:.1f}")
        rows.append([pairs_label(keys[id(entry)], entry), ratio(of), quartiles(of), str(entry["pairs"]["pairs"]),
                     forms(of["plain"]), forms(of["protected"])])
    return table(rows)


def requests_table(results):
    return pairs_table(results, "rate", "requests/s")


def processor_table(results):
    return pairs_table(results, "cpu_us", "µs")


# --- growth ------------------------------------------------------------------------

STORES = {"cookie": "session in the cookie", "shmcb": "session in shmcb"}
CURVES = {"claims": "groups in a claim", "cookies": "bytes of cookies of others", "rules": "`Require oxd-claim`"}


def growth_table(results, curve):
    points = results["growth"].get(curve)
    if not points:
        return ""
    rows = [[CURVES[curve], "place of the session", "its cookie", "instructions", "unprotected, same header",
             "difference"]]
    for point in points:
        row = [number(point["number"]), STORES[point["store"]], "-", "does not fit", "-", "-"]
        if "instructions" in point:
            row[2:] = [size(point), number(point["instructions"]), number(point["beside"]),
                       number(point["instructions"] - point["beside"])]
        rows.append(row)
    return table(rows)


def claims_table(results):
    return growth_table(results, "claims")


def cookies_table(results):
    return growth_table(results, "cookies")


def rules_table(results):
    return growth_table(results, "rules")


def children_table(results):
    points = results["growth"].get("children")
    if not points:
        return ""
    rows = [["children of httpd", "protected, µs", "unprotected, µs", "ratio (median)", "quartiles", "pairs"]]
    for point in points:
        cpu = point["cpu_us"]
        rows.append([str(point["children"]), f"{cpu['protected']:.1f}", f"{cpu['plain']:.1f}", ratio(cpu),
                     quartiles(cpu), str(point["pairs"])])
    return table(rows)


# --- the others --------------------------------------------------------------------


def latency_table(results):
    entries = measured(results, "moderate") + measured(results, "moderate", True)
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
    rows = [["processor", machine["processor"]], ["cores", str(machine["cores"])],
            ["memory", f"{machine['memory_gib']} GiB"],
            ["system", f"{machine['distribution']}, Linux {machine['kernel']}, {machine['architecture']}"]]
    return plain_table(rows + [[name, version] for name, version in machine["versions"].items()])


# In the order of the page.
ALL = (machine_table, instructions_table, requests_table, processor_table, latency_table, memory_table, files_table,
       bearer_table, claims_table, cookies_table, rules_table, children_table, login_table, login_parts_table)
