"""A tour of every page, in both themes and at three widths: each fits, is accessible, and is kept as a picture.

GRIDGATE_TEST_PICTURES names the folder for all of them; without it they are looked at by nobody. GRIDGATE_README_PICTURES=1 writes those that
the README shows anew.
"""

import os
import re
from pathlib import Path

import pytest
from gate import ROOT

WIDTHS = [1440, 768, 360]

# The pages that the side bar leads to, and what else there is without a thing of its own.
PAGES = [
    "", "/keys", "/keys/new", "/refusals", "/refusals/check", "/live", "/usage", "/projects", "/limits", "/roles", "/members", "/audit",
    "/settings",
]

# What the README shows: page, theme.
README = [("", "light"), ("/keys", "light"), ("/key", "dark"), ("/refusals", "light")]

TRACE = b"""{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "%s"}}]}, "scopeSpans": [
    {"spans": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "GET /",
                "startTimeUnixNano": "1", "endTimeUnixNano": "2"}]}]}]}"""


@pytest.fixture(scope="module")
def furnished(gate):
    """A gate with keys of every status, telemetry that arrives, and some that is turned away. The path of the key to look at."""
    for grid in ("checkout", "search"):
        gate.run("grids", "create", grid, "--project", "demo")
    tokens = {name: gate.create_key(name, grid) for name, grid in [
        ("checkout-api", "checkout"), ("invoice-worker", "checkout"), ("search-indexer", "search"), ("old-importer", "search"),
    ]}
    for name, token in tokens.items():
        for _ in range(3):
            assert gate.post("/v1/traces", TRACE % name.encode(), token=token)[0] == 200
    keys = {key["name"]: key["id"] for key in gate.show("keys", "list")}
    gate.run("keys", "rotate", keys["checkout-api"])
    gate.post("/v1/traces", TRACE % b"invoice-worker", token=tokens["checkout-api"])
    gate.run("keys", "disable", keys["search-indexer"], "--force")
    gate.run("keys", "revoke", keys["old-importer"], "--force", "--yes")
    for name in ("search-indexer", "old-importer"):
        assert gate.post("/v1/traces", TRACE % name.encode(), token=tokens[name])[0] == 403
    assert gate.post("/v1/traces", TRACE % b"cart", token="ggi_wrong")[0] == 401
    gate.run("members", "invite", "--name", "Ada", "--role", "operator")
    return f"/keys/{keys['checkout-api']}"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_is_accessible(visitor, furnished, theme, width):
    console = visitor(viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce").sign_in()
    tabs = [f"{furnished}{tab}" for tab in ("", "/senders", "/secrets", "/refusals", "/audit", "/settings", "/rotate", "/revoke")]
    folder = os.environ.get("GRIDGATE_TEST_PICTURES")
    wrong, there = [], 0
    for path in PAGES + tabs:
        answer = console.open(path)
        if answer.status != 200:
            wrong.append(f"{path}: {answer.status}")
            continue
        there += 1
        name = re.sub(r"[^a-z]+", "-", re.sub(r"key_\w+", "key", path)).strip("-") or "overview"
        if folder:
            console.picture(Path(folder) / f"{name}-{theme}-{width}.png")
        readme = (path.replace(furnished, "/key"), theme)
        if os.environ.get("GRIDGATE_README_PICTURES") and width == 1440 and readme in README:
            console.picture(ROOT / "docs/pictures" / f"{name}.png", full=False)
        for check in (console.fits, console.is_accessible):
            try:
                check()
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, "\n\n".join(wrong)
    assert there == len(PAGES + tabs)


def test_the_theme_is_chosen_and_kept(visitor):
    console = visitor(color_scheme="light").sign_in()
    console.open("/audit")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = console.page.evaluate(ground)
    console.page.get_by_role("button", name="Switch between light and dark").click()
    console.page.wait_for_selector("html[data-theme=dark]")
    assert console.page.evaluate(ground) != light
    assert console.page.url.endswith("/audit"), "one stays where one is"
    console.open("/audit")
    assert console.page.evaluate(ground) != light
