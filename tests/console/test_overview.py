"""The first page: numbers, and what needs attention."""

import datetime
import re

import pytest
from gate import Gate, eventually
from playwright.sync_api import expect
from tenants import Tenant, api


def panel(console, name):
    """The region of that name."""
    return console.page.get_by_role("region", name=name, exact=True).first


def matter(console, title):
    """The row of what needs attention with that title."""
    return console.page.locator(".matters > li").filter(has=console.page.locator("strong", has_text=title))


def test_a_new_installation_shows_the_way_to_the_first_export(visitor, tmp_path):
    gate = Gate(tmp_path, GRIDGATE_USAGE__FLUSH_INTERVAL="1s", GRIDGATE_KEYS__LAST_USED_INTERVAL="1s")
    try:
        console = visitor(gate).sign_in()
        console.page.get_by_role("heading", name="Waiting for the first export").wait_for()
        for step in ["Create", "Paste two lines", "Watch it arrive"]:
            expect(console.page.get_by_role("heading", name=re.compile(rf"{step}$"))).to_be_visible()
        console.is_accessible()
        console.page.set_viewport_size({"width": 360, "height": 800})
        console.fits()
        tenant = Tenant(gate, "first")
        assert tenant.send(2) == 200
        tenant.counted(1)
        eventually("the use is written", lambda: api(gate, f"/keys/{tenant.id}")["last_used_at"])
        console.open()
        console.page.get_by_role("heading", name="Needs attention").wait_for()
    finally:
        gate.stop()


def test_numbers_are_those_of_the_api(owner, gate):
    tenant = Tenant(gate, "numbers")
    for count in [7, 30, 5]:
        assert tenant.send(count) == 200
    assert tenant.send(1, token=tenant.token[:-1] + ("x" if tenant.token[-1] != "x" else "y")) == 401
    usage = tenant.counted(3)
    eventually("the use is written", lambda: api(gate, f"/keys/{tenant.id}")["last_used_at"])
    assert (usage["items"], usage["received"], usage["refused"]) == (42, 3, 0)

    owner.open("?project=numbers")
    traces = owner.page.locator(".signal").filter(has_text="Traces")
    assert traces.locator(".big").inner_text() == "42"
    assert "0 refused of 3 exports" in traces.inner_text()
    assert "3 exports accepted, 0 refused" in traces.get_by_role("img").get_attribute("aria-label")
    row = panel(owner, "Top tenants").get_by_role("row").filter(has_text="numbers / web")
    assert row.locator("td").first.inner_text() == "42"
    # Of all projects: what nobody proved to be anybody's is counted, too.
    owner.open("?range=1h")
    refused = api(gate, "/usage/top?step=minute&from=" + hour_ago())["data"][0]["refused_by"]
    first = max(refused, key=lambda reason: (refused[reason], reason))
    shown = owner.page.locator(".by-reason li").first.locator(".number").get_attribute("title")
    assert int(shown.replace(",", "")) == refused[first]
    owner.is_accessible()


def hour_ago():
    """The beginning of the hour that the page shows: its first minute."""
    now = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0)
    return (now - datetime.timedelta(minutes=59)).isoformat().replace("+00:00", "Z")


def test_a_revoked_key_in_use_and_drift_need_attention(owner, gate):
    tenant = Tenant(gate, "leaver", key="legacy-agent")
    assert tenant.send(1, service="drifter", environment="production") == 200
    tenant.do("revoke", force=True)
    assert tenant.send(1) == 401
    eventually("both are written", lambda: len(api(gate, "/refusals?project=leaver")["data"]) == 2)
    owner.open("?project=leaver")
    revoked = matter(owner, "Revoked key still in use")
    assert "legacy-agent was revoked" in revoked.inner_text() and "1 export refused" in revoked.inner_text()
    assert revoked.get_by_role("link").get_attribute("href").endswith(f"/console/keys/{tenant.id}/senders")
    assert "legacy-agent" in matter(owner, "Environment drift").inner_text()
    titles = owner.page.locator(".matters strong").all_inner_texts()
    assert titles.index("Revoked key still in use") < titles.index("Environment drift"), "the worst comes first"
    owner.is_accessible()


def test_a_rotation_waits_for_who_sends_with_the_old_secret(owner, gate):
    tenant = Tenant(gate, "turning", key="checkout-api")
    tenant.do("rotate")
    assert tenant.send(1, service="cart-worker") == 200
    senders = f"/keys/{tenant.id}"
    eventually("the sender is known", lambda: (api(gate, senders)["rotation"] or {}).get("old_senders"))
    owner.open("?project=turning")
    row = matter(owner, "Rotation waits for 1 sender")
    assert "cart-worker still sends with v1, which stops in 23 h" in row.inner_text()
    row.get_by_role("link", name="Open rotation").click()
    owner.page.wait_for_url(re.compile(f"/keys/{tenant.id}$"))


def test_keys_that_expire_soon_need_attention(owner, gate):
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2, hours=1)).isoformat()
    first = Tenant(gate, "ending", key="ledger-writer", expires_at=soon)
    first.send(1)
    eventually("the use is written", lambda: api(gate, f"/keys/{first.id}")["last_used_at"])
    owner.open("?project=ending")
    row = matter(owner, "1 key expires within 7 days")
    assert "ledger-writer in 2 d" in row.inner_text()
    assert row.get_by_role("link").get_attribute("href").endswith(f"/console/keys/{first.id}")
    of_project = {"project": "ending", "grid": "web", "environment": "development"}
    api(gate, "/keys", {"name": "ledger-reader", "expires_at": soon, **of_project})
    api(gate, "/keys", {"name": "ledger-keeper", **of_project})
    owner.open("?project=ending")
    matter(owner, "2 keys expire within 7 days").get_by_role("link", name="Review keys").click()
    owner.page.wait_for_url("**/keys?*view=expiring_soon*")
    expect(owner.page.locator("main")).to_contain_text("ledger-reader")
    expect(owner.page.locator("main")).not_to_contain_text("ledger-keeper")


def test_what_finds_no_room_is_unfolded(owner, gate):
    tenant = Tenant(gate, "crowded")
    for number in range(13):
        key = {"name": f"left-{number}", "project": "crowded", "grid": "web", "environment": "development"}
        made = api(gate, "/keys", key)
        api(gate, f"/keys/{made['key']['id']}/revoke", {"force": True})
        assert tenant.send(1, token=made["token"]) == 401
    eventually("all are written", lambda: len(api(gate, "/refusals?project=crowded")["data"]) == 13)
    owner.open("?project=crowded")
    rows = owner.page.locator(".matters > li:visible")
    expect(rows).to_have_count(12)
    owner.page.locator(".more-matters summary").click()
    expect(rows).not_to_have_count(12)
    for number in range(13):
        expect(rows.filter(has_text=f"left-{number} was revoked")).to_have_count(1)
    owner.is_accessible()


def test_a_project_in_order_needs_nobody(owner, gate):
    tenant = Tenant(gate, "calm")
    tenant.send(1)
    eventually("the use is written", lambda: api(gate, f"/keys/{tenant.id}")["last_used_at"])
    owner.open("?project=calm")
    expect(owner.page.get_by_text("Nothing needs you")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_it_fits_and_is_accessible(visitor, gate, scheme, width):
    gate.post("/v1/traces", b"{}")
    console = visitor(color_scheme=scheme, viewport={"width": width, "height": 900}).sign_in()
    console.open("?range=1h")
    console.fits()
    console.is_accessible()
