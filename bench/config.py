"""What httpd is told, for each site."""

from variants import RULES

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
# The module's own client: no module of httpd, the server of "redis".
OWN_CLIENTS = {"redis_url": "redis"}
SERVER_PACKAGES = {"redis": "redis-server", "memcache": "memcached"}


def oxd_config(module, oxd, site, more="", rule="valid-user"):
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
    Require {rule}
</Location>
"""


# All of them hold for the user, so that each is evaluated.
CLAIM_RULES = ("groups staff", "email_verified true", "locale en", "groups demo", "zoneinfo Europe/Vienna")


def rules_config():
    """A place for each number of rules, besides the one that only wants a user."""
    places = []
    for number in RULES:
        rules = "\n".join(f"        Require oxd-claim {CLAIM_RULES[index % len(CLAIM_RULES)]}"
                          for index in range(number))
        places.append(f"<Location /rules-{number}>\n    AuthType oxd\n    <RequireAll>\n{rules}\n"
                      "    </RequireAll>\n</Location>\n")
    return "".join(places)


def openidc_config(load, oxd, client, port, session):
    return f"""
{load}
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
