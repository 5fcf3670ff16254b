"""Requests per second and processor time, as ratios of neighbours in time.

What a machine does in a second differs from the next one by a fifth and more, whoever else is on it. So no figure
stands alone: the unprotected page and the protected one, in the same httpd and with the same header fields,
take a second each, one right after the other. A ratio belongs to such a pair; reported are the median of the
pairs and the quartiles.

Processor time is that of httpd's children, user and system, as the scheduler counts it. Unlike requests per
second it has no part of wrk or of a store.
"""

import contextlib
import pathlib
import statistics

from bed import FILE_SIZE, PLAIN, Failure, children_of
from load import FULL_CONNECTIONS, checked, in_turns, start_all, wrk


def processor_seconds(httpd):
    """Of all threads of httpd's children, until now."""
    nanoseconds = 0
    for child in children_of(httpd.process.pid):
        for thread in pathlib.Path(f"/proc/{child}/task").glob("*/schedstat"):
            nanoseconds += int(thread.read_text().split()[0])
    if not nanoseconds:
        raise Failure("the kernel does not tell the processor time of threads (CONFIG_SCHED_INFO)")
    return nanoseconds / 1e9


def half(httpd, path, seconds, credentials, label):
    """Requests per second, and processor time for each in microseconds."""
    before = processor_seconds(httpd)
    run = wrk(httpd.base + path, seconds, FULL_CONNECTIONS, credentials)
    used = processor_seconds(httpd) - before
    if run["bytes"] < run["requests"] * FILE_SIZE:
        raise Failure(f"{label}: not every answer was the file")
    return {"rate": run["rate"], "cpu_us": used / run["requests"] * 1e6}


def pair(httpd, variant, path, seconds, credentials, protected_first):
    """(unprotected, protected); which one comes first changes from pair to pair."""
    paths = [PLAIN, path]
    order = reversed(paths) if protected_first else paths
    found = {}
    for which in order:
        # Where both are the same page, each half is a measurement all the same.
        found.setdefault(which, []).append(half(httpd, which, seconds, credentials, variant.label))
    halves = found[PLAIN] + (found[path] if path != PLAIN else [])
    return halves[0], halves[1]


def take(bed, httpd, variant, seconds, number):
    # wrk takes no new cookies, see Client: so none may become due during a pair.
    credentials = bed.credentials(httpd, variant)
    return checked(lambda: pair(httpd, variant, variant.path, seconds, credentials, number % 2 == 1),
                   httpd, variant.path, credentials)


def summary(pairs):
    """Medians of both halves, and the ratios protected to unprotected with their spread."""
    found = {"pairs": len(pairs)}
    for name in ("rate", "cpu_us"):
        ratios = sorted(protected[name] / plain[name] for plain, protected in pairs)
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if ratios[1:] else ratios * 3
        found[name] = {
            "plain": round(statistics.median(plain[name] for plain, _ in pairs), 1),
            "protected": round(statistics.median(protected[name] for _, protected in pairs), 1),
            "ratio": round(middle, 3), "low": round(low, 3), "high": round(high, 3),
            "all": [round(ratio, 3) for ratio in ratios]}
    return found


def pairs_of(bed, chosen, how, say_round):
    """{key: summary}"""
    found = {variant.key: [] for variant in chosen}
    with contextlib.ExitStack() as stack:
        running = start_all(bed, chosen, stack)
        for variant in in_turns(chosen, how["pairs"], say_round):
            if len(found[variant.key]) < pairs_wanted(variant, how):
                found[variant.key].append(take(bed, running[variant.site], variant, how["half_seconds"],
                                               len(found[variant.key])))
    return {key: summary(pairs) for key, pairs in found.items()}


def pairs_wanted(variant, how):
    """The goal is about sessions; and the other module is slower by so much that fewer pairs tell it."""
    if variant.family == "openidc":
        return how["pairs_openidc"]
    return how["pairs" if variant.session or variant.path == PLAIN else "pairs_tokens"]


def children(bed, variant, how, say):
    """The same with more and more children of httpd: a request should not need more of a processor."""
    found = []
    for number in how["children"]:
        httpd = bed.httpd(variant.site, "event", children=number).start("-D", "FOREGROUND")
        try:
            pairs = [take(bed, httpd, variant, how["half_seconds"], turn) for turn in range(how["pairs_children"])]
        finally:
            httpd.stop()
        found.append({"children": number, **summary(pairs)})
        cpu = found[-1]["cpu_us"]
        say(f"  {number} children: {cpu['protected']:.1f} us (unprotected {cpu['plain']:.1f})")
    return found
