"""How a login starts: the module against the tutorial's script, and both against a bare call to oxd."""

import contextlib

from browser import LOGIN_START, SCRIPT_START
from load import Rounds, checked, in_turns, wrk

# Below OxdServerMaxCalls of a single child, should it get all of them.
CONNECTIONS = 8


def bare_call(bed):
    """What the module sends for a login, as arguments for wrk."""
    site = bed.site_facts("oxd")
    token = bed.call_oxd("get-client-token", {
        "client_id": site["client_id"], "client_secret": site["client_secret"],
        "op_host": site["op_host"], "scope": ["openid", "oxd"]})["access_token"]
    body = {"oxd_id": site["oxd_id"], "scope": ["openid", "profile", "email"],
            "state": "s" * 43, "nonce": "n" * 43,
            "redirect_uri": f"http://127.0.0.1:{bed.ports['oxd']}/oxd/callback"}
    return {"body": body, "headers": [f"Authorization: Bearer {token}"]}


def login_starts(bed, rounds, seconds, say_round):
    """{way: {"one": a single connection, "many": several of them}}"""
    ways = ["bare", "file", "module"] + (["script"] if "cgi" in bed.sites else [])
    one, many = Rounds(), Rounds()
    with contextlib.ExitStack() as stack:
        running = {}
        for site in ["oxd"] + (["cgi"] if "cgi" in bed.sites else []):
            running[site] = bed.httpd(site, "event").start("-D", "FOREGROUND")
            stack.callback(running[site].stop)

        def run(way, connections):
            if way == "bare":
                url = f"https://127.0.0.1:{bed.oxd['port']}/get-authorization-url"
                return wrk(url, seconds, connections, **bare_call(bed))
            site, path = {"file": ("oxd", "/plain/file.txt"), "module": ("oxd", LOGIN_START),
                          "script": ("cgi", SCRIPT_START)}[way]
            httpd = running[site]
            return checked(lambda: wrk(httpd.base + path, seconds, connections), httpd, path)

        for way in in_turns(ways, rounds, say_round):
            one.add(way, run(way, 1))
            many.add(way, run(way, CONNECTIONS))
    found = {way: {"one": one.summary(way), "many": many.summary(way)} for way in ways}
    # In each round, as what else the machine does changes from one to the next.
    found["overhead_us"] = round(_median_difference(one, "module", "bare"))
    found["overhead_without_httpd_us"] = round(_median_difference(one, "module", "bare", "file"))
    return found


def _median_difference(rounds, whole, *parts):
    found = sorted(rounds.kept[whole][i]["p50"] - sum(rounds.kept[part][i]["p50"] for part in parts)
                   for i in range(len(rounds.kept[whole])))
    return found[len(found) // 2]
