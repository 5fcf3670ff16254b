"""Whether the goals are met, and other sentences that the figures decide."""

import statistics

from machine import QUIET
from tables import measured
from text import kilobytes, number, paragraph, quartiles, ratio, times

# A request with a session in the cookie takes at most so many times the instructions of the unprotected page.
COOKIE_GOAL = 1.25
# Requests per second with a session are at least this share of those of the unprotected page.
REQUESTS_GOAL = 0.95


def verdict(told, missed):
    return "met" if not missed else "not met" if missed == told else "met in part"


def own_sessions(results, part):
    """mod_oxd's variants with a session."""
    return [entry for key, entry in results["variants"].items() if key == "oxd" or (
        key.startswith("oxd_") and "token" not in entry and key != "oxd_refused") if part in entry]


def cookie_goal(results):
    goal = (f"The goal: a request with a session in the cookie takes at most {COOKIE_GOAL:.2f} times the instructions "
            "of the same file unprotected, with the same header. ")
    entry = results["variants"]["oxd"]
    if "instructions" not in entry:
        return goal + "That was not counted in this run."
    met = entry["instructions"] <= COOKIE_GOAL * entry["beside"]
    return (goal + f"**The goal is {'met' if met else 'not met'}**: {number(entry['instructions'])} to "
            f"{number(entry['beside'])}, {times(entry['instructions'], entry['beside'])} times.")


def requests_goal(results):
    goal = (f"The goal: requests per second with a session are at least {REQUESTS_GOAL:.2f} of those of the unprotected "
            f"page with the same cookie, as the median of {number(results['settings']['pairs'])} pairs. ")
    entries = own_sessions(results, "pairs")
    if not entries:
        return goal + "That was not measured in this run."
    told = [f"{entry['label']}: {ratio(entry['pairs']['rate'])} ({quartiles(entry['pairs']['rate'])})"
            for entry in entries]
    missed = [entry for entry in entries if entry["pairs"]["rate"]["ratio"] < REQUESTS_GOAL]
    return goal + f"**The goal is {verdict(entries, missed)}** (" + "; ".join(told) + ")."


def bearer_goal(results):
    """Whether a token that is known costs at most what a session in a store does, as the figures have it."""
    stores = [(entry["instructions"], entry["label"]) for entry in own_sessions(results, "instructions")
              if entry["label"] != "mod_oxd, cookie"]
    kept = [entry for entry in measured(results, "instructions", True)
            if entry["family"] == "oxd" and entry["kept"] and entry["status"] == 200]
    goal = "The goal: with mod_oxd, a request with a token whose answer is kept costs at most what one with a session "
    if not stores or not kept:
        return goal + "in a store costs. What that takes was not counted in this run."
    most, store = min(stores)
    told = [f"{entry['label']}: {number(entry['instructions'])} instructions"
            + (", met" if entry["instructions"] <= most else f", {number(entry['instructions'] - most)} too many")
            for entry in kept]
    missed = [entry for entry in kept if entry["instructions"] > most]
    return (goal + f"in the cheapest store costs ({store}: {number(most)} instructions). **The goal is "
            f"{verdict(kept, missed)}** (" + "; ".join(told) + ").")


def busy(results):
    """Above the timed tables: whether the machine was empty."""
    quiet = results.get("quiet")
    if not quiet:
        return paragraph("Nothing was timed in this run.") + "\n\n"
    cores = results["machine"]["cores"]
    if quiet["quiet"]:
        text = (f"Before the timed part, other processes kept at most {quiet['most']:.2f} of {cores} cores busy for "
                f"{quiet['seconds']} s ({quiet['busy']:.2f} on average).")
    else:
        text = (f"**The machine was not empty.** The timed part waited {quiet['waited']} s for {quiet['seconds']} s with "
                f"less than {QUIET} of {cores} cores busy, and began although other processes kept up to "
                f"{quiet['most']:.2f} of them busy ({quiet['busy']:.2f} on average). **Requests per second, processor "
                "time and latencies of this run tell little.**")
    if results["others"]:
        usual, most = statistics.median(results["others"]), max(results["others"])
        text += f" Between the rounds they kept {usual:.2f} busy (the median; at most {most:.2f})."
        if usual > QUIET and quiet["quiet"]:
            text += " **So the machine was not empty all the time: the timed figures of this run tell little.**"
    return paragraph(text) + "\n\n"


def short(results):
    """The plot in words, as figures that repeat."""
    told = []
    for family, name in (("oxd", "mod_oxd"), ("openidc", "mod_auth_openidc")):
        ratios = [(entry["instructions"] / entry["beside"], entry) for entry in measured(results, "instructions")
                  if entry["family"] == family and "beside" in entry]
        if ratios:
            least, most = (times(entry["instructions"], entry["beside"]) for _, entry in
                           (min(ratios, key=lambda pair: pair[0]), max(ratios, key=lambda pair: pair[0])))
            told.append(f"with {name} {least} to {most} times")
    if not told:
        return "No instructions were counted in this run."
    return ("A request with a session takes " + ", ".join(told) + " as many instructions as the same file unprotected "
            "with the same header, depending on where sessions are kept.")


def skipped(results):
    if not results["skipped"]:
        return "Nothing was skipped."
    return "Not measured, as it is not here: " + "; ".join(results["skipped"]) + "."


def noise(results):
    entry = results["variants"].get("plain", {})
    if "pairs" not in entry:
        return ""
    rate, cpu = entry["pairs"]["rate"], entry["pairs"]["cpu_us"]
    return paragraph(
        f"The first row is the same unprotected page twice: whatever differs there from 1 is the machine's doing (requests "
        f"per second {ratio(rate)}, quartiles {quartiles(rate)}; processor time {ratio(cpu)}, quartiles "
        f"{quartiles(cpu)}). Differences of that size are none.") + "\n"


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


def rules_sentence(results):
    points = [point for point in results["growth"].get("rules", []) if "instructions" in point]
    if len(points) < 2:
        return ""
    first, last = points[0], points[-1]
    each = (last["instructions"] - first["instructions"]) / (last["number"] - first["number"])
    return (f"One more `Require oxd-claim` that is evaluated takes {number(round(each))} instructions.")
