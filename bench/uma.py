"""UMA: a resource that covers the protected page, and an RPT that its owner has granted."""

import http.client
import json
import re

from bed import PROTECTED, Failure
from load import FULL_CONNECTIONS

RESOURCES = {"resources": [{"path": PROTECTED, "conditions": [{"httpMethods": ["GET"], "scopes": ["see"]}]}]}
SCOPE = "uma_protection"
ID_TOKEN = "http://openid.net/specs/openid-connect-core-1_0.html#IDToken"


def directives(file):
    """What is known of an RPT is kept longer than by default: the count is about a kept one. When it runs out all the same,
    every connection of the load may wait for oxd."""
    file.write_text(json.dumps(RESOURCES))
    return f'OxdUmaResources "{file}"\nOxdUmaCache 1h\nOxdServerMaxCalls {FULL_CONNECTIONS}'


def ticket(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", PROTECTED, headers={"Accept": "application/json"})
    answer = connection.getresponse()
    challenge = answer.getheader("WWW-Authenticate") or ""
    connection.close()
    found = re.search(r'ticket="([^"]+)"', challenge)
    if not found:
        raise Failure(f"no ticket for UMA: status {answer.status}, {challenge}")
    return found.group(1)


def granted(call_oxd, site, port, id_token):
    """An RPT for the owner of the resource."""
    token = client_token(call_oxd, site)
    answer = call_oxd("uma-rp-get-rpt", {
        "oxd_id": site["oxd_id"], "ticket": ticket(port), "claim_token": id_token,
        "claim_token_format": ID_TOKEN}, token)
    return answer["access_token"]


def protect(call_oxd, site):
    call_oxd("uma-rs-protect", {"oxd_id": site["oxd_id"], **RESOURCES}, client_token(call_oxd, site))


def client_token(call_oxd, site):
    return call_oxd("get-client-token", {
        "client_id": site["client_id"], "client_secret": site["client_secret"],
        "op_host": site["op_host"], "scope": ["openid", "oxd"]})["access_token"]
