"""A gate in which every page of the console has something to show, and the tour of those pages."""

import contextlib
import sqlite3
import time

from gate import eventually, key_id

# The pages that the side bar leads to, and what else there is without a thing of its own.
PAGES = [
    "", "/keys", "/keys/new", "/refusals", "/refusals/check", "/live", "/usage", "/projects", "/limits", "/roles", "/members", "/audit",
    "/settings",
]

# The pages of one key.
TABS = ["", "/senders", "/secrets", "/refusals", "/requests", "/audit", "/settings", "/rotate", "/revoke"]

TRACE = b"""{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "%s"}}]}, "scopeSpans": [
    {"spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "GET /",
                "startTimeUnixNano": "1", "endTimeUnixNano": "2"}]}]}]}"""

# How a day goes, hour by hour: exports a minute of the busiest key.
DAY = [31, 30, 33, 30, 29, 26, 24, 21, 18, 16, 15, 14, 13, 14, 15, 15, 17, 19, 22, 26, 28, 31, 32, 31]


def tour(key):
    """Every page; `key` is the path of the key to look at."""
    return PAGES + [f"{key}{tab}" for tab in TABS]


def furnish(gate):
    """Puts keys of every status into a new gate, a day of telemetry that arrived, and some that is turned away. Returns the path of the
    key to look at."""
    for project, name, grids in [("storefront", "Storefront", ["checkout", "search"]), ("payments", "Payments", ["ledger"])]:
        gate.run("projects", "create", project, "--name", name)
        for grid in grids:
            gate.run("grids", "create", grid, "--project", project)
    tokens = {
        name: gate.run("keys", "create", "--name", name, "--project", project, "--grid", grid, "--environment", "production")
        for name, project, grid in [
            ("checkout-api", "storefront", "checkout"),
            ("cart-worker", "storefront", "checkout"),
            ("search-indexer", "storefront", "search"),
            ("old-importer", "storefront", "search"),
            ("ledger-writer", "payments", "ledger"),
        ]
    }
    gate.stop()
    remember_a_day(gate, tokens)
    gate.start()
    for name, token in tokens.items():
        for _ in range(3):
            assert gate.post("/v1/traces", TRACE % name.encode(), token=token)[0] == 200
    ids = {name: key_id(token) for name, token in tokens.items()}
    gate.run("keys", "rotate", ids["checkout-api"])
    gate.post("/v1/traces", TRACE % b"checkout-web", token=tokens["checkout-api"])
    gate.run("keys", "disable", ids["search-indexer"], "--force")
    gate.run("keys", "revoke", ids["old-importer"], "--force", "--yes")
    for name in ("search-indexer", "old-importer"):
        assert gate.post("/v1/traces", TRACE % name.encode(), token=tokens[name])[0] == 401
    assert gate.post("/v1/traces", TRACE % b"cart", token="ggi_wrong")[0] == 401
    gate.run("members", "invite", "--name", "Ada", "--role", "operator")
    eventually("refusals are written down", lambda: len(gate.show("refusals")) >= 3)
    return f"/keys/{ids['checkout-api']}"


def remember_a_day(gate, tokens):
    """Writes down a day of usage that was not: nobody waits a day for a picture."""
    now = int(time.time())
    rows = []
    with contextlib.closing(sqlite3.connect(gate.data / "catalog.sqlite")) as database, database:
        tenants = dict(
            (row[0], row[1:]) for row in database.execute("SELECT id, project, grid, environment FROM keys WHERE kind = 'ingest'")
        )
        for place, token in enumerate(tokens.values()):
            key = key_id(token)
            for hour in range(24):
                begin = (now // 3600 - hour) * 3600
                for step, at, minutes in [("hour", begin, 60), *(("minute", begin + 60 * minute, 1) for minute in range(60))]:
                    if at > now:
                        continue
                    for signal, share in [("traces", 10), ("metrics", 6), ("logs", 3)]:
                        exports = DAY[(hour + 3 * place) % 24] * share * minutes // (1 + place)
                        refused = exports // 90 if hour in (4, 5, 6) else 0
                        for outcome, number in [("received", exports), ("accepted", exports - refused), ("rate_limited", refused)]:
                            amounts = (0, 0, 0, 0) if number == 0 else (number, number * 50, number * 4_000, number * 20_000)
                            rows.append((step, at * 1_000_000, *tenants[key], key, signal, outcome, *amounts))
        database.executemany("INSERT OR IGNORE INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        names = "step, at, project, grid, environment, signal, outcome"
        sums = "SUM(exports), SUM(items), SUM(wire_bytes), SUM(bytes)"
        database.execute(f"INSERT OR REPLACE INTO tenant_usage SELECT {names}, {sums} FROM usage GROUP BY {names}")
