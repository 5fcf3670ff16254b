"""Writes the document with its tables and plots, and the table in README.md, from the results of a run."""

import pathlib

import goals
import plot
import tables as of
from tables import LOGIN_WAYS, measured, pairs_entries, pairs_label
from text import number, paragraph, quartiles, ratio, table, times

README_BEGIN, README_END = "<!-- written by make bench -->", "<!-- until here -->"


def tables(results):
    """For the terminal."""
    found = [make(results) for make in of.ALL]
    found += [paragraph(goal(results)) + "\n" for goal in (
        goals.cookie_goal, goals.requests_goal, goals.bearer_goal)] + [goals.busy(results)]
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
    entries = pairs_entries(results)
    if entries:
        keys = {id(entry): key for key, entry in results["variants"].items()}
        rates = [(e, e["pairs"]["rate"], keys[id(e)]) for e in entries]
        found["bench-requests.svg"] = plot.bars(
            "Requests per second, protected to unprotected (more is better)",
            [(pairs_label(key, e), rate["ratio"], ratio(rate), "alone" if key == "plain" else e["family"],
              (rate["low"], rate["high"])) for e, rate, key in rates])
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
    values = {name: number(value) if isinstance(value, (int, float)) else ", ".join(map(str, value))
              for name, value in results["settings"].items()}
    values.update(
        date=results["date"], minutes=str(results["minutes"]), quick=quick(results), busy=goals.busy(results),
        noise=goals.noise(results),
        **{name: paragraph(getattr(goals, name)(results)) for name in (
            "skipped", "short", "cookie_goal", "requests_goal", "bearer_goal", "login_counts", "rules_sentence")})
    for make in of.ALL:
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
            "requests": "Bars: requests per second as ratios, the figures of the table below",
            "login": "Bars: login starts per second, the figures of the table below"}[name]


def quick(results):
    return "**A short run (`--quick`): these figures mean little.**\n\n" if results["settings"]["quick"] else ""


def update_readme(results, path):
    """The few lines that most people want, between two marks; nothing when the marks are gone."""
    text = path.read_text()
    head, begin, rest = text.partition(README_BEGIN)
    _, end, foot = rest.partition(README_END)
    if not begin or not end:
        return []
    path.write_text(f"{head}{begin}\n{readme_table(results)}{end}{foot}")
    return [path]


def readme_table(results):
    """Each protected page beside the same file unprotected, which pays for the same header: no row depends on what
    the machine did during another one."""
    rows = [["one page of 1 KB, with a session", "instructions", "unprotected, same cookie", "ratio",
             "requests/s, ratio", "quartiles"]]
    for entry in measured(results, "instructions"):
        if "beside" not in entry:
            continue
        row = [entry["label"], number(entry["instructions"]), number(entry["beside"]),
               times(entry["instructions"], entry["beside"]), "-", "-"]
        if "pairs" in entry:
            row[4:] = [ratio(entry["pairs"]["rate"]), quartiles(entry["pairs"]["rate"])]
        rows.append(row)
    return table(rows)
