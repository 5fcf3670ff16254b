"""Builds the sites: a configuration of httpd for each, registered at the development oxd server."""

import json
import os
import pathlib
import shutil
import ssl
import sys
import urllib.request

import bearer
import uma
import users
from bed import Failure, Httpd, Servers, end, free_port, start_oxd_dev
from browser import SCRIPT_START, Credentials, sign_in
from config import (OPENIDC_CACHES, OWN_CLIENTS, OXD_STORES, SERVER_PACKAGES, openidc_config, oxd_config,
                    rules_config, script_config)
from variants import TokenVariant

# The system's, as a script's first line names it. The one that runs this may be in a
# home directory, where httpd's user cannot go.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable


class Bed:
    """The directory, the development server and the httpd configurations of one run."""

    def __init__(self, apache, directory, module, oxd_dev, openidc_head=None):
        self.apache, self.directory, self.module = apache, directory, module
        self.skipped, self.sites, self.ports = [], {"none": ""}, {"none": free_port()}
        self.servers = Servers(directory)
        self.oxd_process = self.key_provider = None
        try:
            people = users.write(directory / "users.json")
            self.oxd_process, self.oxd = start_oxd_dev(oxd_dev, directory, people)
            self.stores = [store for store in OXD_STORES if self._has_store(store)]
            self._add_oxd()
            self.caches, self.token_variants, self.token_clients = [], [], {}
            if bearer.has_openssl():
                self.key_provider = bearer.KeyProvider(directory, self.oxd["provider"] + "/introspect")
            else:
                self.skipped.append("JWTs as bearer tokens, and bearer tokens with mod_auth_openidc (package openssl)")
            self._add_oxd_bearer()
            self._add_uma()
            self._add_openidc_editions(openidc_head)
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
        # A site of its own: httpd compares the path of each request with all of these places.
        registered = self._register("oxd_rules", "/oxd/callback", "/oxd/logout")
        self.sites["oxd_rules"] = oxd_config(self.module, self.oxd, registered) + rules_config()

    def _store_config(self, store):
        argument = OXD_STORES[store].format(**self.servers.ports)
        module = "" if store in OWN_CLIENTS else self.apache.load_module(f"socache_{store}")
        return module + f"OxdSessionStore {argument}\n"

    def _add_openidc_editions(self, head):
        """The distribution's mod_auth_openidc, and another one that somebody has built."""
        self.openidc, self.openidc_files, loads = {}, {}, {}
        if self.apache.has("auth_openidc"):
            self.openidc["openidc"] = "mod_auth_openidc"
            loads["openidc"] = self.apache.load_module("auth_openidc")
            self.openidc_files["mod_auth_openidc"] = self.apache.modules / "mod_auth_openidc.so"
        else:
            self.skipped.append("mod_auth_openidc (package libapache2-mod-auth-openidc)")
        if head:
            self.openidc["openidc_head"] = "mod_auth_openidc (own build)"
            self.openidc_files["mod_auth_openidc (own build)"] = head
            loads["openidc_head"] = f'LoadModule auth_openidc_module "{head}"\n'
        else:
            self.skipped.append("a mod_auth_openidc of one's own build (OPENIDC_HEAD names none)")
        self.caches = [cache for cache in OPENIDC_CACHES if cache == "shm" or cache in self.servers.ports]
        for edition, load in loads.items():
            self._add_openidc(edition, load)
            if self.key_provider:
                self._add_openidc_bearer(edition, load)

    def _add_openidc(self, edition, load):
        sessions = {"cookie": "OIDCSessionType client-cookie"}
        for cache in self.caches:
            sessions[cache] = "OIDCSessionType server-cache\n" + OPENIDC_CACHES[cache].format(**self.servers.ports)
        for name, session in sessions.items():
            site, port = f"{edition}_{name}", free_port()
            self.ports[site] = port
            client = register_client(self.oxd["provider"], f"http://127.0.0.1:{port}/protected/callback")
            self.sites[site] = openidc_config(load, self.oxd, client, port, session)

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
        for key, token in (("oxd_bearer_none", "none"), ("oxd_bearer_unknown", "unknown")):
            self.token_variants.append(TokenVariant(key, token, True, "oxd_bearer_introspect", status=401,
                                                    accept="application/json"))

    def _add_uma(self):
        """A place that an RPT opens."""
        site = "oxd_uma"
        self.ports[site] = free_port()
        claims = f"http://127.0.0.1:{self.ports[site]}/oxd/claims"
        registered = self._register(site, "/oxd/callback", "/oxd/logout", port=self.ports[site],
                                    claims_redirect_uri=[claims], more_scopes=[uma.SCOPE])
        uma.protect(self.call_oxd, self.site_facts(site))
        directives = uma.directives(self.directory / "resources.json")
        self.sites[site] = oxd_config(self.module, self.oxd, registered, directives, "oxd-uma")
        self._add_token_variant(site, "rpt", True, self.site_facts(site), "/oxd/callback")

    def _add_openidc_bearer(self, edition, load):
        ways = ("bearer_introspect", "opaque"), ("bearer_jwt", "jwt")
        for way, token in ways:
            site = f"{edition}_{way}"
            self.ports[site] = free_port()
            client = register_client(self.oxd["provider"], f"http://127.0.0.1:{self.ports[site]}/callback")
            validation = (bearer.openidc_introspection(self.key_provider, client) if token == "opaque" else
                          f"OIDCOAuthVerifyJwksUri {self.key_provider.tls_base}/jwks")
            self.sites[site] = bearer.openidc_config(load, validation)
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

    def _register(self, site, callback, logout, port=None, more_scopes=(), **more):
        """A site at the development oxd server; answers the file with what it said."""
        self.ports[site] = port or free_port()
        base = f"http://127.0.0.1:{self.ports[site]}"
        answer = self.call_oxd("register-site", {
            "op_host": self.oxd["provider"], "redirect_uris": [base + callback],
            "post_logout_redirect_uris": [base + logout],
            "scope": ["openid", "profile", "email", "oxd", *more_scopes],
            "grant_types": ["authorization_code", "client_credentials"], **more})
        path = self.directory / f"{site}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(answer))
        return path

    def site_facts(self, site):
        return json.loads((self.directory / f"{site}.json").read_text())

    def call_oxd(self, command, body, token=None):
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        request = urllib.request.Request(f"https://127.0.0.1:{self.oxd['port']}/{command}",
                                         json.dumps(body).encode(), headers)
        context = ssl.create_default_context(cafile=str(self.oxd["cert"]))
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return json.load(answer)

    def credentials(self, httpd, variant):
        """A session or bearer tokens, for a variant that sends them."""
        if variant.session:
            return Credentials(sign_in(httpd.base + variant.path, variant.user), others=variant.others)
        token = getattr(variant, "token", "none")
        if token in ("none", "unknown"):
            return Credentials(tokens=["made-up-" * 4] if token == "unknown" else [])
        client, redirect_uri = self.token_clients[variant.site]
        if token == "jwt":
            jwts = self.key_provider.jwts(client["client_id"])
            return Credentials(tokens=jwts[:1] if variant.kept else jwts)
        tokens = bearer.user_tokens(self.oxd["provider"], client, redirect_uri)
        if token == "rpt":
            facts = self.site_facts(variant.site)
            return Credentials(tokens=[uma.granted(self.call_oxd, facts, httpd.port, tokens["id_token"])])
        return Credentials(tokens=[tokens["access_token"]])

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
