"""What schemathesis has to be told of the admin API, beyond its description."""

import collections
import os
import random

import schemathesis
from schemathesis import GenerationMode

# The key that the tests are run with. Whatever is done to it would end them.
OWN = os.environ["GRIDGATE_OWN_KEY"]
NOBODY = "key_000000000000"

# Where webhooks may be sent.
RECEIVER = os.environ["GRIDGATE_RECEIVER"]

# Where quickstart makes its keys.
TENANT = {"project": "demo", "grid": "demo", "environment": "development"}

# What was made so far, by the collection it is in.
made = collections.defaultdict(list)
chance = random.Random(1)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets good requests meet things that are there: names made up by chance never do."""
    path, parameters = case.operation.path, case.path_parameters or {}
    if case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
        # In chains of requests it is what the one before made that is asked for, and may be gone in others.
        known = made[path.split("/")[1]] if case.meta.phase.name != "stateful" else []
        for name in ("id", "slug"):
            if name in parameters and known and chance.random() < 0.8:
                parameters[name] = chance.choice(known)
        # A cursor is what the page before gave out, and a key of a request is used once.
        (case.query or {}).pop("cursor", None)
        if case.headers and "Idempotency-Key" in case.headers and chance.random() < 0.8:
            case.headers["Idempotency-Key"] = f"{chance.getrandbits(128):032x}"
        if case.method == "POST" and path in ("/keys", "/keys/import"):
            for row in case.body.get("keys", [case.body]):
                row.update(TENANT if row.get("kind") != "admin" else dict.fromkeys(TENANT))
                row["name"] = f"{row['name'][:80]} {chance.getrandbits(32)}"
        if path == "/members" and case.method == "POST":
            case.body.update(role="viewer", project=None)
        if path in ("/roles", "/webhooks") and case.method == "POST":
            case.body["project"] = None
        if path.startswith("/webhooks") and isinstance(case.body, dict) and "url" in case.body:
            case.body["url"] = RECEIVER
    if parameters.get("id") == OWN and case.method != "GET":
        parameters["id"] = NOBODY


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 201 and case.operation.path in ("/keys", "/members", "/webhooks", "/roles"):
        shown = response.json()
        shown = shown.get("key") or shown.get("member") or shown.get("webhook") or shown
        made[case.operation.path.strip("/")].append(shown.get("id") or shown["slug"])
