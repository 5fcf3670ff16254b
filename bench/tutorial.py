"""Starts a login as the CGI script of oxd's tutorial does; written anew for the benchmark.

httpd starts a process of it for each request. Steps 2 and 3 of the tutorial: take a
client token from a file or get one, ask oxd for the authorization URL, send the
browser there. Two things are better than in the tutorial, since the module does
them too and the comparison is about how a login starts: oxd's certificate is
verified, and the file with the token is in a directory of its own.

Only Python's standard library, and of it only what is needed: a script that imports
`requests` and `cgi`, as one usually does, is slower.
"""

import http.client
import json
import os
import ssl
import time
from urllib.parse import urlsplit


def call(command, body, token=None):
    """One call to oxd; a process that ends with its request cannot keep a connection."""
    server = urlsplit(os.environ["OXD_SERVER"])
    context = ssl.create_default_context(cafile=os.environ["OXD_CERT"])
    connection = http.client.HTTPSConnection(server.hostname, server.port, timeout=30, context=context)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    connection.request("POST", "/" + command, json.dumps(body), headers)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def client_token(site):
    path = os.path.join(os.environ["OXD_TOKEN_DIR"], "token.json")
    try:
        with open(path) as file:
            kept = json.load(file)
        if kept["until"] > time.time():
            return kept["token"]
    except (FileNotFoundError, ValueError, KeyError):
        pass
    status, answer = call("get-client-token", {
        "client_id": site["client_id"], "client_secret": site["client_secret"],
        "op_host": site["op_host"], "scope": ["openid", "oxd"]})
    if status != 200:
        raise OSError(f"get-client-token: {status}")
    # Renamed into place: another process may be reading.
    new = f"{path}.{os.getpid()}"
    with open(new, "w") as file:
        json.dump({"token": answer["access_token"], "until": time.time() + answer["expires_in"] - 10}, file)
    os.replace(new, path)
    return answer["access_token"]


def main():
    with open(os.environ["OXD_SITE"]) as file:
        site = json.load(file)
    status, answer = call("get-authorization-url", {
        "oxd_id": site["oxd_id"], "scope": ["openid", "profile", "email"]}, client_token(site))
    if status != 200:
        print("Status: 502 Bad Gateway\r\nContent-Type: text/plain\r\n\r\noxd did not answer as it has to", end="")
        return
    print("Status: 302 Found\r\nLocation: {}\r\nCache-Control: no-store\r\n\r\n".format(
        answer["authorization_url"]), end="")


main()
