"""Bearer tokens: where they come from, and how httpd is told to take them.

Opaque ones are access tokens of a user who has signed in at the built-in provider of
the development oxd server. JWTs are signed here, as that provider issues none: with a
key of their own, which a provider that consists of its metadata and its keys
publishes. mod_oxd gets the keys through oxd, mod_auth_openidc from their address.

mod_auth_openidc asks over TLS only, which the built-in provider does not speak: what
publishes the keys also passes questions about opaque tokens on. Both modules ask
once and keep what they were told, so that this is not in the figures.
"""

import base64
import http.server
import json
import shutil
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from bed import Failure
from browser import sign_in_for_code
from load import FULL_CONNECTIONS

# With one token only, threads that check it at the same time share one check.
JWTS = 64
JWT_SECONDS = 7200  # longer than any run
KEY_ID = "bench"

# In the order of the table: which module, which kind of token, how often it is checked.
OXD_WAYS = {
    "oxd_bearer_introspect": ("introspect", "opaque", True),
    "oxd_bearer_jwt": ("jwt", "jwt", True),
    "oxd_bearer_jwt_each": ("jwt", "jwt", False),
    "oxd_bearer_introspect_each": ("introspect", "opaque", False),
}
LABELS = {
    "oxd_bearer_introspect": "mod_oxd, `introspect`, answer kept",
    "oxd_bearer_jwt": "mod_oxd, `jwt`, answer kept",
    "oxd_bearer_jwt_each": "mod_oxd, `jwt`, verified each time",
    "oxd_bearer_introspect_each": "mod_oxd, `introspect`, asked each time",
    "oxd_uma": "mod_oxd, UMA, an RPT that is kept",
    "oxd_bearer_none": "mod_oxd, no token: 401",
    "oxd_bearer_unknown": "mod_oxd, a made-up token: 401",
    "openidc_bearer_introspect": "mod_auth_openidc, introspection, answer kept",
    "openidc_bearer_jwt": "mod_auth_openidc, JWT, verified each time",
    "openidc_head_bearer_introspect": "mod_auth_openidc (own build), introspection, answer kept",
    "openidc_head_bearer_jwt": "mod_auth_openidc (own build), JWT, verified each time",
}


def has_openssl():
    return shutil.which("openssl") is not None


# --- what httpd is told ------------------------------------------------------------


def oxd_directives(mode, kept):
    """Answers are kept as they are by default, or not at all.

    Threads that check a token, or wait for another one that checks it, count among those
    that wait for oxd. With half of a child's threads, as by default, the load would get
    some 503 when all of its connections bring a token that this child does not know.
    """
    return f"OxdBearer {mode}\nOxdServerMaxCalls {FULL_CONNECTIONS}" + ("" if kept else "\nOxdBearerCache 0")


def openidc_config(load, validation):
    return f"""
{load}
{validation}
OIDCOAuthSSLValidateServer Off
OIDCOAuthRemoteUserClaim sub
# As mod_oxd does unless told otherwise.
OIDCPassClaimsAs environment
<Location /protected>
    AuthType oauth20
    Require valid-user
</Location>
"""


def openidc_introspection(keys, client):
    return (f"OIDCOAuthIntrospectionEndpoint {keys.tls_base}/introspect\n"
            f"OIDCOAuthClientID {client['client_id']}\n"
            f"OIDCOAuthClientSecret {client['client_secret']}")


# --- opaque tokens -----------------------------------------------------------------


def user_tokens(provider, client, redirect_uri):
    """Tokens of the user for this client, as an application gets them."""
    code = sign_in_for_code(provider + "/authorize?" + urllib.parse.urlencode({
        "response_type": "code", "client_id": client["client_id"], "redirect_uri": redirect_uri,
        "scope": "openid profile email", "state": "bench"}), redirect_uri)
    body = urllib.parse.urlencode({
        "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri,
        "client_id": client["client_id"], "client_secret": client["client_secret"]}).encode()
    with urllib.request.urlopen(provider + "/token", body, timeout=30) as answer:
        return json.load(answer)


# --- JWTs --------------------------------------------------------------------------


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class KeyProvider:
    """An issuer of JWT access tokens: a key, and an address that publishes it, with TLS and without."""

    def __init__(self, directory, introspection):
        self.key = directory / "jwt-key.pem"
        self._openssl("genrsa", "-out", self.key, "2048")
        modulus = self._openssl("rsa", "-in", self.key, "-noout", "-modulus").decode().strip().partition("=")[2]
        self.tokens = {}
        keys = {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID,
                          "n": base64url(bytes.fromhex(modulus)), "e": base64url((65537).to_bytes(3, "big"))}]}
        answers = handler(lambda: {"/.well-known/openid-configuration": self._metadata(), "/jwks": keys},
                          introspection)
        plain, tls = (http.server.ThreadingHTTPServer(("127.0.0.1", 0), answers) for _ in range(2))
        tls.socket = self._tls(directory).wrap_socket(tls.socket, server_side=True)
        self.servers = [plain, tls]
        self.issuer = f"http://127.0.0.1:{plain.server_port}"
        self.tls_base = f"https://127.0.0.1:{tls.server_port}"
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def _tls(self, directory):
        key, cert = directory / "tls-key.pem", directory / "tls-cert.pem"
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1",
                      "-keyout", key, "-out", cert)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context

    def _metadata(self):
        """What OpenID Connect Discovery 1.0 (section 3) requires; of the endpoints only the keys are there."""
        return {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks",
                "authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": f"{self.issuer}/token",
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"]}

    @staticmethod
    def _openssl(*arguments, data=b""):
        run = subprocess.run(["openssl", *map(str, arguments)], input=data,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if run.returncode:
            raise Failure("openssl: " + run.stderr.decode(errors="replace"))
        return run.stdout

    def jwts(self, audience):
        """So many different access tokens (RFC 9068) for this audience, the same ones each time."""
        if audience not in self.tokens:
            self.tokens[audience] = [self._sign(audience, number) for number in range(JWTS)]
        return self.tokens[audience]

    def _sign(self, audience, number):
        now = int(time.time())
        parts = ({"typ": "at+jwt", "alg": "RS256", "kid": KEY_ID},
                 {"iss": self.issuer, "sub": "7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11", "aud": audience,
                  "client_id": audience, "username": "test_user", "scope": "openid profile email",
                  "iat": now, "exp": now + JWT_SECONDS, "jti": f"bench-{number}"})
        signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{base64url(self._openssl('dgst', '-sha256', '-sign', self.key, data=signed.encode()))}"

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def handler(documents, introspection):
    """Answers the JSON documents that `documents` has at the time of the request, and passes a form on."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            document = documents().get(self.path)
            self.answer(200 if document else 404, json.dumps(document or {}).encode())

        def do_POST(self):
            form = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {"Authorization": self.headers["Authorization"], "Content-Type": self.headers["Content-Type"]}
            try:
                with urllib.request.urlopen(
                        urllib.request.Request(introspection, form, headers), timeout=30) as told:
                    self.answer(told.status, told.read())
            except urllib.error.HTTPError as error:
                self.answer(error.code, error.read())

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
