"""What is compared: each way to serve the file, and the configuration of httpd that it needs."""

import json
import os
import pathlib
import shutil
import ssl
import sys
import urllib.request

import bearer
from bed import Credentials, Failure, Httpd, SCRIPT_START, Servers, end, free_port, sign_in, start_oxd_dev

# The session stores besides the cookie, as OxdSessionStore takes them.
OXD_STORES = {
    "shmcb": "shmcb:@directory@/oxd-shmcb(4194304)",
    "redis": "redis:127.0.0.1:{redis}",
    "redis_url": "redis://127.0.0.1:{redis}",
    "memcache": "memcache:127.0.0.1:{memcache}",
    "dbm": "dbm:@directory@/oxd-dbm",
}
OPENIDC_CACHES = {
    "shm": "OIDCCacheType shm",
    "redis": "OIDCCacheType redis\nOIDCRedisCacheServer 127.0.0.1:{redis}",
    "memcache": "OIDCCacheType memcache\nOIDCMemCacheServers 127.0.0.1:{memcache}",
}
# The system's, as a script's first line names it. The one that runs this may be in a
# home directory, where httpd's user cannot go.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
# The module's own client: no module of httpd, the server of "redis".
OWN_CLIENTS = {"redis_url": "redis"}
LABELS = {"redis_url": "redis://"}
SERVER_PACKAGES = {"redis": "redis-server", "memcache": "memcached"}


class Variant:
    """A way to serve the file: which site configuration, which path, with a cookie or not."""

    under_load = True

    def __init__(self, key, label, site, path="/protected/file.txt", send_cookie=True):
        self.key, self.label, self.site = key, label, site
        self.path, self.send_cookie = path, send_cookie

    @property
    def family(self):
        return {"oxd": "oxd", "openidc": "openidc"}.get(self.site.split("_")[0], "alone")

    def facts(self):
        """What the report has to know of it."""
        return {"label": self.label, "family": self.family}


class TokenVariant(Variant):
    """One with a bearer token instead of a session, the same one again where answers may be kept."""

    def __init__(self, key, token, kept):
        super().__init__(key, bearer.LABELS[key], key, send_cookie=False)
        self.token, self.kept = token, kept
        # How many answers per second a stand-in has says nothing about the module.
        self.under_load = kept or token == "jwt"

    def facts(self):
        return {**super().facts(), "token": self.token, "kept": self.kept}


def variants(stores, caches, token_variants):
    found = [
        Variant("alone", "httpd alone", "none", "/plain/file.txt", False),
        Variant("plain", "mod_oxd loaded, page unprotected", "oxd", "/plain/file.txt", False),
        Variant("plain_cookie", "the same, session cookie sent", "oxd", "/plain/file.txt"),
        Variant("oxd", "mod_oxd, cookie", "oxd"),
    ]
    found += [Variant(f"oxd_{store}", f"mod_oxd, {LABELS.get(store, store)}", f"oxd_{store}") for store in stores]
    if caches:
        found.append(Variant("openidc_cookie", "mod_auth_openidc, client-cookie", "openidc_cookie"))
    found += [Variant(f"openidc_{cache}", f"mod_auth_openidc, server-cache, {cache}", f"openidc_{cache}")
              for cache in caches]
    return found + token_variants


def oxd_config(module, oxd, site, more=""):
    return f"""
LoadModule oxd_module "{module}"
{more}
OxdServer https://127.0.0.1:{oxd['port']}
OxdServerCAFile "{oxd['cert']}"
OxdSite "{site}"
OxdCryptoKey "only for the benchmark, and the same in each of its runs"
<Location /oxd>
    SetHandler oxd
</Location>
<Location /protected>
    AuthType oxd
    Require valid-user
</Location>
"""


def openidc_config(apache, oxd, client, port, session):
    return f"""
{apache.load_module("auth_openidc")}
OIDCProviderMetadataURL {oxd['provider']}/.well-known/openid-configuration
OIDCClientID {client['client_id']}
OIDCClientSecret {client['client_secret']}
OIDCRedirectURI http://127.0.0.1:{port}/protected/callback
OIDCCryptoPassphrase "only for the benchmark, and the same in each of its runs"
OIDCScope "openid profile email"
{session}
# As mod_oxd does unless told otherwise.
OIDCPassClaimsAs environment
<Location /protected>
    AuthType openid-connect
    Require valid-user
</Location>
"""


def script_config(apache, directory, environment):
    variables = "".join(f'SetEnv {name} "{value}"\n' for name, value in environment.items())
    return f"""
{apache.load_module("cgid")}
ScriptSock "@directory@/cgid.sock"
ScriptAlias /cgi-bin/ "{directory}/cgi-bin/"
{variables}
"""


class Bed:
    """The directory, the development server and the httpd configurations of one run."""

    def __init__(self, apache, directory, module, oxd_dev):
        self.apache, self.directory, self.module = apache, directory, module
        self.skipped, self.sites, self.ports = [], {"none": ""}, {"none": free_port()}
        self.servers = Servers(directory)
        self.oxd_process = self.key_provider = None
        try:
            self.oxd_process, self.oxd = start_oxd_dev(oxd_dev, directory)
            self.stores = [store for store in OXD_STORES if self._has_store(store)]
            self._add_oxd()
            self.caches, self.token_variants, self.token_clients = [], [], {}
            if bearer.has_openssl():
                self.key_provider = bearer.KeyProvider(directory, self.oxd["provider"] + "/introspect")
            else:
                self.skipped.append("JWTs as bearer tokens, and bearer tokens with mod_auth_openidc (package openssl)")
            self._add_oxd_bearer()
            if apache.has("auth_openidc"):
                self._add_openidc()
                if self.key_provider:
                    self._add_openidc_bearer()
            else:
                self.skipped.append("mod_auth_openidc (package libapache2-mod-auth-openidc)")
            self.script_environment = {}
            if apache.has("cgid"):
                self._add_script()
            else:
                self.skipped.append("the tutorial's script (httpd has no mod_cgid)")
        except BaseException:
            self.close()
            raise

    def _has_store(self, store):
        if store in OWN_CLIENTS:
            return OWN_CLIENTS[store] in self.servers.ports
        if not self.apache.has(f"socache_{store}"):
            self.skipped.append(f"{store} (httpd has no mod_socache_{store})")
        elif store in SERVER_PACKAGES and store not in self.servers.ports:
            self.skipped.append(f"{store}, with either module (package {SERVER_PACKAGES[store]})")
        else:
            return True
        return False

    def _add_oxd(self):
        for site in ["oxd", *(f"oxd_{store}" for store in self.stores)]:
            store = site.removeprefix("oxd_")
            directive = "" if site == "oxd" else self._store_config(store)
            # oxd exchanges codes with a site's first redirect address only: each port is a site of its own.
            registered = self._register(site, "/oxd/callback", "/oxd/logout")
            self.sites[site] = oxd_config(self.module, self.oxd, registered, directive)

    def _store_config(self, store):
        argument = OXD_STORES[store].format(**self.servers.ports)
        module = "" if store in OWN_CLIENTS else self.apache.load_module(f"socache_{store}")
        return module + f"OxdSessionStore {argument}\n"

    def _add_openidc(self):
        self.caches = [cache for cache in OPENIDC_CACHES if cache == "shm" or cache in self.servers.ports]
        sessions = {"cookie": "OIDCSessionType client-cookie"}
        for cache in self.caches:
            sessions[cache] = "OIDCSessionType server-cache\n" + OPENIDC_CACHES[cache].format(**self.servers.ports)
        for name, session in sessions.items():
            site, port = f"openidc_{name}", free_port()
            self.ports[site] = port
            client = register_client(self.oxd["provider"], f"http://127.0.0.1:{port}/protected/callback")
            self.sites[site] = openidc_config(self.apache, self.oxd, client, port, session)

    def _add_oxd_bearer(self):
        for site, (mode, token, kept) in bearer.OXD_WAYS.items():
            registration = {}
            if token == "jwt":
                if not self.key_provider:
                    continue
                # Nothing but its keys is asked of that provider: it need not know its clients.
                registration = {"op_host": self.key_provider.issuer,
                                "client_id": f"client-of-{site}", "client_secret": "of no use there"}
            registered = self._register(site, "/oxd/callback", "/oxd/logout", **registration)
            self.sites[site] = oxd_config(self.module, self.oxd, registered, bearer.oxd_directives(mode, kept))
            self._add_token_variant(site, token, kept, self.site_facts(site), "/oxd/callback")

    def _add_openidc_bearer(self):
        ways = ("openidc_bearer_introspect", "opaque"), ("openidc_bearer_jwt", "jwt")
        for site, token in ways:
            self.ports[site] = free_port()
            client = register_client(self.oxd["provider"], f"http://127.0.0.1:{self.ports[site]}/callback")
            validation = (bearer.openidc_introspection(self.key_provider, client) if token == "opaque" else
                          f"OIDCOAuthVerifyJwksUri {self.key_provider.tls_base}/jwks")
            self.sites[site] = bearer.openidc_config(self.apache, validation)
            # With what it keeps by default: of a JWT, that is the keys alone.
            self._add_token_variant(site, token, True, client, "/callback")

    def _add_token_variant(self, site, token, kept, client, callback):
        self.token_variants.append(TokenVariant(site, token, kept))
        self.token_clients[site] = (client, f"http://127.0.0.1:{self.ports[site]}{callback}")

    def _add_script(self):
        directory = self.directory / "script"
        for path in (directory, directory / "cgi-bin", directory / "token"):
            path.mkdir()
        site = self._register("cgi", SCRIPT_START + "/login", SCRIPT_START + "/logout")
        if os.geteuid() == 0:
            # Unlike the module, a script reads its secrets as the user that it runs as.
            for path in (directory / "token", site):
                shutil.chown(path, "www-data", "www-data")
        (directory / "token").chmod(0o700)
        script = directory / "cgi-bin" / "oxd.py"
        text = pathlib.Path(__file__).with_name("tutorial.py").read_text()
        script.write_text(f"#!{PYTHON}\n{text}")
        script.chmod(0o755)
        self.script = script
        self.script_environment = {
            "OXD_SERVER": f"https://127.0.0.1:{self.oxd['port']}", "OXD_CERT": str(self.oxd["cert"]),
            "OXD_SITE": str(site), "OXD_TOKEN_DIR": str(directory / "token")}
        self.sites["cgi"] = script_config(self.apache, directory, self.script_environment)

    def _register(self, site, callback, logout, **more):
        """A site at the development oxd server; answers the file with what it said."""
        self.ports[site] = free_port()
        base = f"http://127.0.0.1:{self.ports[site]}"
        answer = self.call_oxd("register-site", {
            "op_host": self.oxd["provider"], "redirect_uris": [base + callback],
            "post_logout_redirect_uris": [base + logout],
            "scope": ["openid", "profile", "email", "oxd"],
            "grant_types": ["authorization_code", "client_credentials"], **more})
        path = self.directory / f"{site}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(answer))
        return path

    def site_facts(self, site):
        return json.loads((self.directory / f"{site}.json").read_text())

    def call_oxd(self, command, body):
        request = urllib.request.Request(f"https://127.0.0.1:{self.oxd['port']}/{command}",
                                         json.dumps(body).encode(), {"Content-Type": "application/json"})
        context = ssl.create_default_context(cafile=str(self.oxd["cert"]))
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return json.load(answer)

    def credentials(self, httpd, variant):
        """A session or bearer tokens, for a variant that sends them."""
        if variant.site not in self.token_clients:
            return Credentials(sign_in(httpd.base + "/protected/file.txt") if variant.send_cookie else "")
        client, redirect_uri = self.token_clients[variant.site]
        if variant.token == "opaque":
            return Credentials(tokens=[bearer.user_token(self.oxd["provider"], client, redirect_uri)])
        jwts = self.key_provider.jwts(client["client_id"])
        return Credentials(tokens=jwts[:1] if variant.kept else jwts)

    def httpd(self, site, mpm, children=2):
        return Httpd(self.apache, self.directory, site, mpm, self.sites[site], self.ports[site], children)

    def close(self):
        if self.key_provider:
            self.key_provider.close()
        end(self.oxd_process)
        self.servers.close()


def register_client(provider, redirect_uri):
    """Dynamic registration, as the provider's metadata offers it."""
    with urllib.request.urlopen(provider + "/.well-known/openid-configuration", timeout=30) as answer:
        endpoint = json.load(answer).get("registration_endpoint")
    if not endpoint:
        raise Failure("the provider registers no clients")
    body = json.dumps({"redirect_uris": [redirect_uri], "client_name": "bench",
                       "scope": "openid profile email"}).encode()
    request = urllib.request.Request(endpoint, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
