"""Who signs in: the user of the development provider, and others who differ from that one by their groups."""

import json

USER, PASSWORD = "test_user", "secret"
CLAIMS = {
    "sub": "7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11", "name": "Test User", "given_name": "Test", "family_name": "User",
    "preferred_username": "test_user", "user_name": "test_user", "email": "test_user@example.org",
    "email_verified": True, "locale": "en", "zoneinfo": "Europe/Vienna", "updated_at": 1_700_000_000,
    "groups": ["staff", "demo"],
}
GROUPS = (10, 100, 300)


def in_groups(number):
    """The name of the user who is in so many groups."""
    return f"user_{number}_groups"


def write(path):
    """A file for the development server. The first user owns what UMA protects."""
    people = [(USER, CLAIMS)]
    for number in GROUPS:
        groups = [f"group-{index:04}" for index in range(number)]
        people.append((in_groups(number), {**CLAIMS, "sub": f"sub-of-{in_groups(number)}", "groups": groups}))
    path.write_text(json.dumps([{"name": name, "password": PASSWORD, "claims": claims} for name, claims in people]))
    return path
