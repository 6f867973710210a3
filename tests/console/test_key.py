"""The page of one key: its usage, senders, refusals, audit and settings, with real exports."""

import json
import os
import re
import time
import urllib.request
import uuid
from pathlib import Path

import pytest
from gate import eventually, key_id
from playwright.sync_api import expect

TABS = ["", "/senders", "/secrets", "/refusals", "/requests", "/audit", "/settings"]

# Where pictures are kept to be looked at; without it they are taken and thrown away.
PICTURES = os.environ.get("GRIDGATE_TEST_PICTURES")


def export(gate, token, service="checkout-api", host="node-1", agent="test"):
    """The status of an export of one span."""
    now = str(time.time_ns())
    names = {"service.name": service, "host.name": host, "telemetry.sdk.language": "java", "telemetry.sdk.version": "1.49.0"}
    attributes = [{"key": name, "value": {"stringValue": value}} for name, value in names.items()]
    span = {"traceId": uuid.uuid4().hex, "spanId": uuid.uuid4().hex[:16], "name": "GET /", "kind": 1,
            "startTimeUnixNano": now, "endTimeUnixNano": now}  # fmt: skip
    body = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span]}]}]}
    status, _ = gate.post("/v1/traces", json.dumps(body).encode(), token=token)
    return status


def ask(gate, path):
    """The rows that the admin API answers with."""
    headers = {"authorization": f"Bearer {gate.variables['GRIDGATE_ADMIN_KEY']}"}
    request = urllib.request.Request(f"http://{gate.admin}/api/v1{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def usage_of(gate, key):
    """The last minutes of a key, as the API tells them."""
    return ask(gate, f"/usage?key={key}&step=minute")


def used_key(gate, accepted=8, refused=3, **options):
    """The id and token of a key with so many accepted and refused exports, which `GET /usage` knows of."""
    token = gate.create_key(f"checkout-{uuid.uuid4().hex[:8]}", limits=[f"{accepted} items/day"], **options)
    key = key_id(token)
    for number in range(accepted):
        assert export(gate, token, *[("checkout-api", "node-1"), ("cart-worker", "node-2")][number % 2]) == 200
    for _ in range(refused):
        assert export(gate, token) == 403
    total = lambda: sum(row["received"] for row in usage_of(gate, key))  # noqa: E731
    eventually("usage is written down", lambda: total() == accepted + refused)
    eventually("refusals are written down", lambda: refused == 0 or ask(gate, f"/refusals?key={key}"))
    return key, token


def numbers(page):
    """The rows of the chart's table that are not zero: interval, accepted, refused."""
    rows = page.locator("#usage-chart tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.textContent))"
    )
    return [(row[0], int(row[1].replace(",", "")), int(row[2].replace(",", ""))) for row in rows if row[1:3] != ["0", "0"]]


def interval(at):
    """The quarter of an hour of an instant, as the chart names it."""
    hour, minute = int(at[11:13]), int(at[14:16]) // 15 * 15
    end_hour, end_minute = ((hour + 1) % 24, 0) if minute == 45 else (hour, minute + 15)
    return f"{hour:02}:{minute:02}–{end_hour:02}:{end_minute:02}"


@pytest.fixture(scope="module")
def used(gate):
    """A key with 8 accepted and 3 refused exports of two services."""
    return used_key(gate)


def test_chart_and_table_say_what_usage_says(owner, gate, used):
    key, _ = used
    page = owner.page
    owner.open(f"/keys/{key}")
    expect(page.locator("#usage .panel-head .meta")).to_have_text("8 exports accepted, 3 refused")
    expected = {}
    for row in usage_of(gate, key):
        accepted, refused = expected.get(interval(row["at"]), (0, 0))
        expected[interval(row["at"])] = (accepted + row["accepted"], refused + row["refused"])
    assert {name.split(", ")[1]: (accepted, refused) for name, accepted, refused in numbers(page)} == expected
    # What is drawn says the same in words, and every other range and unit as well.
    drawing = page.get_by_role("img", name=re.compile("Usage of .*: 8 exports accepted, 3 refused"))
    assert drawing.locator("path.ok").get_attribute("d") and drawing.locator("path.bad").get_attribute("d")
    for name in ["1 h", "7 d", "30 d"]:
        page.get_by_role("navigation", name="Range").get_by_role("link", name=name, exact=True).click()
        page.wait_for_url(f"**range={name.replace(' ', '')}**")
        assert sum(accepted for _, accepted, _ in numbers(page)) == 8, name
        assert sum(refused for *_, refused in numbers(page)) == 3, name
    page.get_by_label("Unit").select_option("Items")
    page.wait_for_url("**unit=items**")
    expect(page.locator("#usage .panel-head .meta")).to_have_text("8 items accepted")
    page.get_by_label("Signal").select_option("Logs")
    page.wait_for_url("**signal=logs**")
    expect(page.locator("#usage")).to_contain_text("No exports in this range")


def test_the_arrow_keys_go_along_the_columns(owner, used):
    key, _ = used
    page = owner.page
    owner.open(f"/keys/{key}?range=30d")
    plot = page.get_by_role("group", name=re.compile("Columns of the chart"))
    tip = page.locator(".chart-tip")
    expect(tip).to_be_hidden()
    plot.focus()
    page.keyboard.press("ArrowLeft")
    expect(tip).to_be_visible()
    for text in ["Accepted8", "Refused3", "Total11", "quota_exhausted: 3"]:
        expect(tip).to_contain_text(text)
    today = tip.locator("strong").text_content()
    expect(page.locator("#said")).to_contain_text(f"{today}, Accepted 8, Refused 3")
    page.keyboard.press("ArrowLeft")
    expect(tip).not_to_contain_text(today)
    page.keyboard.press("End")
    expect(tip).to_contain_text(today)
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    # And the mouse.
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 20)
    expect(tip).to_contain_text(today)
    seen = tip.bounding_box()
    assert seen["x"] >= box["x"] and seen["x"] + seen["width"] <= box["x"] + box["width"], "inside of the plot"
    page.mouse.move(0, 0)
    expect(tip).to_be_hidden()


def test_senders_refusals_and_audit_are_there(owner, used):
    key, _ = used
    page = owner.page
    owner.open(f"/keys/{key}/senders")
    for service in ["checkout-api", "cart-worker"]:
        expect(page.get_by_role("row", name=re.compile(service))).to_contain_text("v1")
    tabs = page.get_by_role("navigation", name="Parts of the key")
    expect(tabs.get_by_role("link", name="Senders")).to_have_attribute("aria-current", "page")
    tabs.get_by_role("link", name="Refusals 3").click()
    row = page.get_by_role("row", name=re.compile("quota_exhausted"))
    expect(row).to_contain_text("wait for the next period or have the quota raised")
    expect(row).to_contain_text("Dropped")
    # Each export for itself; all that are refused are there.
    tabs.get_by_role("link", name="Requests").click()
    refused = page.get_by_role("region", name="Requests").get_by_role("row", name=re.compile("quota_exhausted"))
    expect(refused).to_have_count(3)
    expect(page.get_by_role("columnheader", name="Tenant")).to_have_count(0)
    for name, path in [("Watch live", "live"), ("Search", "requests")]:
        link = page.get_by_role("main").get_by_role("link", name=name, exact=True)
        expect(link).to_have_attribute("href", f"/console/{path}?key={key}")
    tabs.get_by_role("link", name="Audit").click()
    created = page.get_by_role("row", name=re.compile("key.created"))
    created.locator("summary").click()
    expect(created).to_contain_text("8 items/day")
    tabs.get_by_role("link", name="Secrets").click()
    expect(page.get_by_role("row", name=re.compile("v1"))).to_contain_text("Current")
    expect(page.get_by_text("nobody can show it again")).to_be_visible()


def test_settings_are_edited_and_what_is_wrong_is_told_at_its_field(owner, gate):
    key = key_id(gate.create_key("edit-me"))
    page = owner.page
    owner.open(f"/keys/{key}/settings")
    page.get_by_label("Tags").fill("team:checkout tier:1")
    page.get_by_label("Allowed addresses").fill("10.4.0.1/16")
    page.get_by_label("Limits", exact=True).fill("2000 requests/second burst 4000\nlots of items")
    page.get_by_role("button", name="Save changes").click()
    # The form's own faults come first, and nothing that was typed is lost.
    expect(page.get_by_text("lots of items", exact=True)).to_be_visible()
    page.get_by_label("Limits", exact=True).fill("2000 requests/second burst 4000")
    page.get_by_role("button", name="Save changes").click()
    addresses = page.get_by_label("Allowed addresses")
    expect(addresses).to_have_attribute("aria-invalid", "true")
    expect(addresses).to_have_value("10.4.0.1/16")
    expect(page.locator("#allowed_addresses-help")).to_contain_text("Allowed: addresses and ranges")
    assert gate.show("keys", "show", key)["tags"] == [], "all or nothing"
    owner.is_accessible()
    addresses.fill("10.4.0.0/16")
    page.get_by_label("Expires (UTC)").fill("2099-04-11T20:30")
    page.get_by_label("Role").select_option("ingest-traces")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_have_text("Saved")
    view = gate.show("keys", "show", key)
    assert (view["tags"], view["allowed_addresses"]) == (["team:checkout", "tier:1"], ["10.4.0.0/16"])
    assert (view["expires_at"], view["role"]) == ("2099-04-11T20:30:00.000000Z", "ingest-traces")
    assert view["limits"][0]["burst"] == 4000 and view["name"] == "edit-me"
    # Saved again without a change it stays what it is; and what is emptied is removed.
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert gate.show("keys", "show", key)["version"] == view["version"]
    page.get_by_label("Expires (UTC)").fill("")
    page.get_by_label("Tags").fill("")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_have_text("Saved")
    view = gate.show("keys", "show", key)
    assert (view["tags"], view["expires_at"]) == ([], None)


def test_a_change_meanwhile_is_told_and_the_form_kept(owner, gate):
    key = key_id(gate.create_key("edited-by-two"))
    page = owner.page
    owner.open(f"/keys/{key}/settings")
    page.get_by_label("Note").fill("what I typed")
    gate.run("keys", "edit", key, "--note", "what somebody else wrote")
    page.get_by_role("button", name="Save changes").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The key was changed meanwhile")
    expect(alert).to_contain_text("what somebody else wrote")
    expect(page.get_by_label("Note")).to_have_value("what I typed")
    assert gate.show("keys", "show", key)["note"] == "what somebody else wrote"
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert gate.show("keys", "show", key)["note"] == "what I typed"


def test_a_revoked_key_keeps_its_history(owner, gate):
    key, token = used_key(gate, accepted=4, refused=1)
    gate.run("keys", "revoke", key, "--force", "--yes")
    assert export(gate, token) == 401
    eventually("the late export is counted", lambda: sum(row["received"] for row in usage_of(gate, key)) == 6)
    page = owner.page
    owner.open(f"/keys/{key}")
    head = page.locator(".page-head")
    expect(head).to_contain_text("Revoked")
    for gone in ["Rotate…", "Regenerate…", "Revoke…", "Snippets"]:
        expect(head.get_by_role("link", name=gone)).to_have_count(0)
    expect(page.locator("#usage .panel-head .meta")).to_have_text("4 exports accepted, 2 refused")
    expect(page.get_by_text("Somebody still sends with it.")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("checkout-api")).first).to_be_visible()
    expect(page.get_by_role("link", name="Settings", exact=True).and_(page.locator(".tabs a"))).to_have_count(0)
    owner.open(f"/keys/{key}/audit")
    expect(page.get_by_role("row", name=re.compile("key.revoked"))).to_be_visible()


def test_a_rotation_stands_first(owner, gate):
    token = gate.create_key("rotated")
    key = key_id(token)
    assert export(gate, token) == 200
    gate.run("keys", "rotate", key)
    page = owner.page
    owner.open(f"/keys/{key}")
    expect(page.locator("main h2").first).to_have_text("Rotation")
    expect(page.locator(".page-head")).to_contain_text("Rotating")
    expect(page.locator(".page-head").get_by_role("link", name="Rotate…")).to_have_count(0)
    expect(page.locator("#senders")).to_contain_text("v1 old")
    expect(page.get_by_role("navigation", name="Parts of the key").get_by_role("link", name="Secrets 2")).to_be_visible()
    # Both secrets are marked in the chart, and said in its table.
    expect(page.locator("#usage-chart .event")).not_to_have_count(0)
    expect(page.locator("#usage-chart tbody")).to_contain_text("v2 created")
    owner.is_accessible()


def test_an_admin_key_has_permissions_and_no_usage(visitor, owner, gate):
    made = gate.show("keys", "create", "--name", "on-call", "--kind", "admin", "--role", "viewer")
    page = owner.page
    owner.open(f"/keys/{made['key']['id']}")
    expect(page.get_by_role("heading", name="Permissions")).to_be_visible()
    expect(page.get_by_text("api.key.view", exact=True)).to_be_visible()
    expect(page.locator("#usage, #senders")).to_have_count(0)
    owner.is_accessible()
    # Who may only look is offered nothing else.
    other = key_id(gate.token)
    viewer = visitor().sign_in(made["token"])
    viewer.open(f"/keys/{other}")
    expect(viewer.page.get_by_role("link", name="Snippets").first).to_be_visible()
    for verb in ["Rotate…", "Regenerate…", "Disable…", "Revoke…"]:
        expect(viewer.page.get_by_role("link", name=verb)).to_have_count(0)
    for tab in ["Audit", "Settings"]:
        expect(viewer.page.locator(".tabs").get_by_role("link", name=tab)).to_have_count(0)
    viewer.is_accessible()
    binding = ["--project", "demo", "--grid", "demo", "--environment", "development"]
    ending = gate.show("keys", "create", "--name", "ending", *binding, "--expires-in", "2d")["key"]["id"]
    for console, links in [(viewer, 0), (owner, 1)]:
        console.open(f"/keys/{ending}")
        note = console.page.locator(".note").filter(has_text="It expires in")
        expect(note).to_contain_text("Change the expiry")
        expect(note.get_by_role("link", name="Change the expiry")).to_have_count(links)


def test_only_sections_that_one_may_see_are_linked(visitor, gate):
    made = gate.show("keys", "create", "--name", "keys-alone", "--kind", "admin", "--permission", "api.key.view")
    console = visitor().sign_in(made["token"])
    console.open("/keys")
    main = console.page.get_by_role("navigation", name="Main", exact=True)
    expect(main.locator("li")).to_have_text([re.compile("Overview"), re.compile("Keys"), re.compile("Settings")])
    expect(main.get_by_role("heading")).to_have_text(["Record"])
    # What it could not save it is not asked.
    console.open(f"/keys/{key_id(gate.token)}/settings")
    expect(console.page.get_by_label("Note")).to_have_count(0)


def test_names_of_keys_and_senders_are_inert(owner, gate):
    name = "<img src=x onerror=alert(1)>"
    token = gate.create_key(name)
    assert export(gate, token, service="<script>alert(2)</script>", host='"><b>') == 200
    eventually("it is seen", lambda: ask(gate, f"/keys/{key_id(token)}/senders"))
    page = owner.page
    owner.open(f"/keys/{key_id(token)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.locator("#senders")).to_contain_text("<script>alert(2)</script>")
    assert page.locator("main img, main script, main b").count() == 0


def test_what_is_no_key_is_no_page(owner):
    for path in ["/keys/nonsense", "/keys/key_AAAAAAAAAAAA", "/keys/key_AAAAAAAAAAAA%2Fsecrets"]:
        assert owner.open(path).status == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_every_tab_fits_and_is_accessible(visitor, used, tmp_path, scheme, width):
    key, _ = used
    console = visitor(viewport={"width": width, "height": 900}, color_scheme=scheme).sign_in()
    for tab in TABS:
        console.open(f"/keys/{key}{tab}")
        console.is_accessible()
        console.fits()
        name = f"key{tab.replace('/', '-')}-{width}-{scheme}.png"
        console.picture((Path(PICTURES) if PICTURES else tmp_path) / name)
    if width == 1440:
        console.open(f"/keys/{key}?range=1h")
        console.page.get_by_text("Show as table").click()
        console.is_accessible()
