"""The list of keys, the import and the review."""

import json
import re
import urllib.request

import pytest
from gate import Gate, eventually, key_id
from playwright.sync_api import expect

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

TRACES = json.dumps(
    {"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "pay",
         "startTimeUnixNano": "1795256520000000000", "endTimeUnixNano": "1795256521000000000", "kind": 2}
    ]}]}]}
).encode()


def api(gate, method, path, body=None):
    """The JSON of an answer of the admin API to the owner."""
    request = urllib.request.Request(
        f"http://{gate.admin}/api/v1{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {gate.variables['GRIDGATE_ADMIN_KEY']}", "content-type": "application/json"},
    )
    with _direct.open(request) as answer:
        return json.loads(answer.read() or b"null")


@pytest.fixture(scope="module")
def shop(gate):
    """A project with keys of every kind: its tokens by name."""
    tokens = {}
    api(gate, "POST", "/projects", {"slug": "shop"})
    api(gate, "POST", "/projects/shop/grids", {"slug": "web"})

    def key(name, **more):
        body = {"name": name, "project": "shop", "grid": "web", "environment": "production", **more}
        tokens[name] = api(gate, "POST", "/keys", body)["token"]
        return f"/keys/{key_id(tokens[name])}"

    rate = {"unit": "requests", "per": "second", "amount": 2000}
    key("checkout", limits=[rate])
    api(gate, "POST", key("rotated") + "/rotate", {})
    api(gate, "POST", key("paused") + "/disable", {})
    api(gate, "POST", key("gone") + "/revoke", {})
    key("<script>alert(1)</script>", role="ingest-traces")
    for number in range(25):
        key(f"many {number:02}", environment="staging")
    for _ in range(3):
        assert gate.post("/v1/traces", TRACES, token=tokens["checkout"])[0] == 200
    assert gate.post("/v1/logs", b"{}", token=tokens["<script>alert(1)</script>"])[0] == 403
    eventually("usage is written", lambda: len(api(gate, "GET", "/usage?project=shop&group_by=key")["data"]) == 2)
    eventually("the use is written", lambda: api(gate, "GET", f"/keys/{key_id(tokens['checkout'])}")["last_used_at"])
    return tokens


def row(page, name):
    """The row of the key of that name."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_keys_are_listed_with_what_they_did(owner, shop):
    page = owner.page
    owner.open("/keys?project=shop")
    checkout = row(page, "checkout")
    expect(checkout).to_contain_text("shop / web")
    expect(checkout).to_contain_text("2,000/s")
    expect(checkout).to_contain_text("Active")
    expect(checkout.get_by_role("img")).to_have_attribute("aria-label", "3 accepted and 0 refused in 24 hours")
    expect(checkout.locator("time").first).to_have_text(re.compile(r"^\d+ (s|min) ago$"))
    expect(page.get_by_role("columnheader", name="Last used")).to_have_attribute("aria-sort", "descending")
    owner.is_accessible()

    # What was used last is first, and what is revoked in a list of its own.
    expect(page.get_by_role("row").nth(1)).to_contain_text("checkout")
    expect(row(page, "gone")).to_have_count(0)
    views = page.get_by_role("navigation", name="Saved views")
    expect(views.get_by_role("link")).to_have_text(
        ["Not revoked 29", "Needs attention 0", "Rotating 1", "Expires in 7 d 0", "Unused 45 d 0", "Revoked 1"]
    )
    views.get_by_role("link", name="Rotating").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(row(page, "rotated")).to_contain_text("Rotating")
    views.get_by_role("link", name="Revoked 1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(row(page, "gone")).to_contain_text("Revoked")
    assert "project=shop" in page.url
    views.get_by_role("link", name="Needs attention").click()
    expect(page.get_by_role("heading", name="No key needs attention")).to_be_visible()

    owner.open("/keys?project=shop&q=%3Cscript")
    hostile = row(page, "<script>alert(1)</script>")
    expect(hostile).to_contain_text("Traces")
    expect(hostile).to_contain_text("1 refused")


def test_keys_are_searched_filtered_sorted_and_paged(owner, shop):
    page = owner.page
    owner.open("/keys?project=shop")
    expect(page.get_by_text("1–15 of 29")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("16–29 of 29")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(14)
    page.get_by_role("link", name="First page").click()
    expect(page.get_by_text("1–15 of 29")).to_be_visible()

    page.keyboard.press("/")
    page.keyboard.type("MANY 1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1–10 of 10")).to_be_visible()
    expect(page.locator("tbody tr").first).to_contain_text("many 10")
    page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    expect(page.locator("tbody tr").first).to_contain_text("many 19")
    page.get_by_role("link", name="Clear").click()

    page.get_by_label("Status").select_option("Inactive")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(row(page, "paused")).to_contain_text("Inactive")
    page.get_by_label("Environment").select_option("Staging")
    expect(page.get_by_role("heading", name="No key matches")).to_be_visible()
    owner.is_accessible()
    page.get_by_role("link", name="Clear search and filters").click()
    page.get_by_role("searchbox").fill(key_id(shop["paused"]))
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_menu_offers_what_the_status_lets(owner, shop):
    page = owner.page
    owner.open("/keys?project=shop&q=paused")
    page.get_by_label("Actions for paused").click()
    menu = row(page, "paused").locator("details li")
    expect(menu).to_have_text(["Details", "Edit", "Snippets", "Enable…", "Regenerate…", "Revoke…"])
    page.keyboard.press("Escape")
    expect(menu.first).to_be_hidden()
    expect(page.get_by_label("Actions for paused")).to_be_focused()
    owner.open("/keys?project=shop&q=rotated")
    page.get_by_label("Actions for rotated").click()
    expect(row(page, "rotated").locator("details li")).to_have_text(
        ["Details", "Edit", "Snippets", "Complete rotation…", "Cancel rotation…", "Regenerate…", "Disable…", "Revoke…"]
    )
    owner.is_accessible()


def test_who_may_only_look_is_offered_nothing_else(visitor, gate, shop):
    body = {"name": "looks", "role": "viewer", "project": "shop"}
    viewer = visitor().sign_in(api(gate, "POST", "/members", body)["token"])
    viewer.open("/keys")
    page = viewer.page
    expect(page.get_by_role("heading", name="Keys", exact=True)).to_be_visible()
    for name in ["Create key", "Import", "Review"]:
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    page.get_by_label("Actions for checkout").click()
    expect(row(page, "checkout").locator("details li")).to_have_text(["Details", "Snippets"])


def test_keys_are_imported_and_no_token_is_shown_again(owner, shop):
    page = owner.page
    token = "0f8fad5b-d9cb-469f-a165-70867728950e"
    owner.open("/keys?project=shop")
    page.get_by_role("link", name="Import", exact=True).click()
    dialog = page.get_by_role("dialog")
    head = "name,project,grid,environment,tags,token\n"
    dialog.get_by_label("CSV or JSON").fill(f"{head}till,shop,web,production,pos,{token}\ncheckout,shop,web,production,,x\n")
    dialog.get_by_role("button", name="Import keys").click()
    wrong = dialog.get_by_role("region", name="What is wrong")
    expect(wrong.get_by_role("rowheader")).to_have_text(["line 3", "line 3"])
    expect(wrong).to_contain_text("it is no UUID")
    assert token not in page.content()
    owner.is_accessible()

    for text, said in [("name,nome\n", "there is no such column"), ("[1", "no JSON"), (head, "There is no row")]:
        dialog.get_by_label("CSV or JSON").fill(text)
        dialog.get_by_role("button", name="Import keys").click()
        expect(dialog.get_by_role("alert")).to_contain_text(said)

    dialog.get_by_label("Or take a file").set_input_files(
        {"name": "keys.csv", "mimeType": "text/csv", "buffer": f"{head}till,shop,web,production,pos,{token}\n".encode()}
    )
    expect(dialog.get_by_label("CSV or JSON")).to_have_value(re.compile("till"))
    dialog.get_by_role("button", name="Import keys").click()
    expect(dialog.get_by_role("heading", name="1 key imported")).to_be_visible()
    expect(dialog.get_by_role("rowheader", name="till")).to_be_visible()
    assert token not in page.content()
    dialog.get_by_role("link", name="Done").click()
    owner.open("/keys?project=shop&q=till")
    expect(row(page, "till")).to_contain_text("Weak secret")
    assert owner.gate.post("/v1/traces", TRACES, token=token)[0] == 200


def test_a_review_is_written_down(owner, shop, gate):
    page = owner.page
    owner.open("/keys/review?project=shop")
    expect(page.get_by_role("heading", name=re.compile(r"Review 20\d\d Q[1-4]"))).to_be_visible()
    owner.is_accessible()
    page.get_by_role("button", name="Confirm checkout").click()
    expect(row(page, "checkout")).to_contain_text("Confirmed")
    expect(page.get_by_text(re.compile(r"^1 of \d+ keys on this page confirmed$"))).to_be_visible()
    assert "project=shop" in page.url
    rows = api(gate, "GET", "/keys/review?project=shop&limit=200")["data"]
    assert [one["name"] for one in rows if one["reviewed_at"]] == ["checkout"]


def test_a_narrow_screen_lacks_nothing(visitor, shop):
    console = visitor(viewport={"width": 360, "height": 800}).sign_in()
    page = console.page
    console.open("/keys?project=shop")
    expect(page.get_by_role("link", name="Review", exact=True)).to_be_hidden()
    page.get_by_label("More", exact=True).click()
    expect(page.get_by_role("link", name="Import", exact=True)).to_be_visible()
    console.is_accessible()
    page.get_by_role("link", name="Review", exact=True).click()
    page.get_by_role("heading", name=re.compile("^Review")).wait_for()
    # There are no heads of columns to sort by, neither for the eye nor for the focus.
    console.open("/keys?project=shop")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Sort").select_option("Name")
    page.wait_for_url("**sort=name**")
    names = page.locator(".keys .name").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    assert page.locator(".keys thead a").first.evaluate("one => (one.focus(), document.activeElement !== one)")


def test_by_keys_one_passes_what_one_does_not_want(owner, shop):
    page = owner.page
    owner.open("/keys?project=shop")
    status = page.get_by_label("Status")
    status.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.selectedIndex === 2")
    assert "status" not in page.url
    page.keyboard.press("Enter")
    page.wait_for_url("**status=disabled**")
    expect(status).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0


@pytest.mark.parametrize("width", [1440, 1100, 768, 360])
def test_the_list_fits(visitor, shop, width):
    console = visitor(viewport={"width": width, "height": 800}, color_scheme="dark").sign_in()
    page = console.page
    for path in ["/keys?project=shop", "/keys/import", "/keys/review?project=shop"]:
        console.open(path)
        console.fits()
        console.is_accessible()
    console.open("/keys?project=shop")
    if width == 360:
        expect(page.get_by_label("Status")).to_be_hidden()
        page.get_by_role("button", name="Filters").click()
        expect(page.get_by_label("Status")).to_be_visible()
        console.fits()
    expect(row(page, "checkout").first).to_be_visible()


def test_without_keys_the_page_says_what_a_key_is_for(visitor, tmp_path):
    gate = Gate(tmp_path)
    try:
        demo = key_id(gate.token)
        api(gate, "POST", f"/keys/{demo}/revoke", {"force": True})
        console = visitor(gate=gate).sign_in()
        console.open("/keys")
        expect(console.page.get_by_role("heading", name="No ingest key yet")).to_be_visible()
        console.is_accessible()
        console.page.context.close()
    finally:
        gate.stop()


def test_the_page_works_without_script(visitor, shop):
    console = visitor(java_script_enabled=False)
    console.sign_in()
    console.open("/keys?project=shop&q=many")
    console.page.get_by_label("Status").select_option("Active")
    console.page.get_by_role("button", name="Search").click()
    expect(console.page.get_by_text("1–15")).to_be_visible()
    assert "status=active" in console.page.url


def test_the_side_bar_counts(owner, shop, gate):
    living = api(gate, "GET", "/keys/counts?project=shop&view=not_revoked")["data"][0]["count"]
    owner.open("/keys?project=shop")
    side = owner.page.get_by_role("navigation", name="Main")
    expect(side.get_by_role("link", name=re.compile("^Keys"))).to_have_text(re.compile(rf"^Keys ?{living}$"))
    expect(side.get_by_role("link", name=re.compile("^Refusals"))).to_have_text(re.compile(r"^Refusals ?1$"))
