"""What is measured: ways to serve the file, requests that are refused, and what grows."""

import bearer
from bed import PLAIN, PROTECTED
from users import GROUPS, USER, in_groups

LABELS = {"redis_url": "redis://"}
# Cookies of others, as those of statistics and the like: so many bytes in each.
OTHERS, OTHER = (0, 4096), 512
RULES = (1, 10, 50)
# The stores that the curves are counted with; the others differ from shmcb by what asking them costs.
CURVE_STORES = ("cookie", "shmcb")


class Variant:
    """A way to serve the file: which site configuration, which path, what the client brings.

    Where something is brought, each figure is measured for the unprotected page as well, in the same httpd and
    with the same header fields: httpd itself pays for a long header.
    """

    def __init__(self, key, label, site, path=PROTECTED, session=True, status=200, accept="text/html",
                 user=USER, others=0):
        self.key, self.label, self.site, self.path, self.session = key, label, site, path, session
        self.status, self.accept, self.user = status, accept, user
        # What others keep at this address, as a Cookie header.
        self.others = "; ".join(f"other{number}={'v' * (OTHER - 9)}" for number in range(others // OTHER))
        self.under_load = status == 200

    @property
    def family(self):
        return {"oxd": "oxd", "openidc": "openidc"}.get(self.site.split("_")[0], "alone")

    @property
    def compared(self):
        """Whether the unprotected page with the same header fields stands beside it."""
        return self.path != PLAIN and self.status == 200 and self.key != "login"

    def facts(self):
        """What the report has to know of it."""
        return {"label": self.label, "family": self.family}


class TokenVariant(Variant):
    """One with a bearer token instead of a session, the same one again where answers may be kept."""

    def __init__(self, key, token, kept, site=None, **more):
        super().__init__(key, bearer.LABELS[key], site or key, session=False, **more)
        self.token, self.kept = token, kept
        # How many answers per second a stand-in has says nothing about the module.
        self.under_load = self.under_load and (kept or token == "jwt")

    def facts(self):
        return {**super().facts(), "token": self.token, "kept": self.kept, "status": self.status}


class GrowthVariant(Variant):
    """One point of a curve."""

    def __init__(self, curve, store, number, **more):
        site = "oxd" if store == "cookie" else f"oxd_{store}"
        super().__init__(f"{curve}_{store}_{number}", f"{curve} {number}, {store}", more.pop("site", site), **more)
        self.curve, self.store, self.number = curve, store, number
        self.under_load = False


def variants(bed):
    """All but the tokens, which the bed knows, and the curves."""
    found = [
        Variant("alone", "httpd alone", "none", PLAIN, False),
        Variant("plain", "mod_oxd loaded, page unprotected", "oxd", PLAIN, False),
        Variant("oxd", "mod_oxd, cookie", "oxd"),
    ]
    found += [Variant(f"oxd_{store}", f"mod_oxd, {LABELS.get(store, store)}", f"oxd_{store}") for store in bed.stores]
    found.append(Variant("oxd_refused", "mod_oxd, no session: 401 as JSON", "oxd", session=False, status=401,
                         accept="application/json"))
    for edition, name in bed.openidc.items():
        found.append(Variant(f"{edition}_cookie", f"{name}, client-cookie", f"{edition}_cookie"))
        found += [Variant(f"{edition}_{cache}", f"{name}, server-cache, {cache}", f"{edition}_{cache}")
                  for cache in bed.caches]
    return found + bed.token_variants


def curves(bed):
    stores = [store for store in CURVE_STORES if store == "cookie" or store in bed.stores]
    found = [GrowthVariant("claims", store, number, user=in_groups(number)) for store in stores for number in GROUPS]
    found += [GrowthVariant("cookies", store, number, others=number) for store in stores for number in OTHERS]
    found += [GrowthVariant("rules", "cookie", number, site="oxd_rules", path=f"/rules-{number}/file.txt")
              for number in RULES]
    return found
