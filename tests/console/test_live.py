"""Live arrivals: rows come by themselves, wait where they are told to, and end with the session."""

import json

from playwright.sync_api import expect

from exports import export
from gate import eventually, key_id


def watching(gate):
    """How many watch."""
    line, = [line for line in gate.metrics().splitlines() if line.startswith("gridgate_request_watchers ")]
    return int(float(line.split()[1]))


def live(console, query=""):
    """The live page, once it is live."""
    console.open(f"/live{query}")
    expect(console.page.locator("[data-live-state=live]")).to_have_text("Live")
    return console.page.locator("[data-live-rows] tr")


def test_rows_arrive_without_a_reload(owner, gate):
    token = gate.create_key("live-one")
    rows = live(owner, f"?key={key_id(token)}")
    expect(rows).to_have_count(0)
    expect(owner.page.get_by_text("No export yet.")).to_be_visible()
    assert export(gate, token, service="checkout-web") == 200
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("checkout-web")
    expect(rows.first).to_contain_text("demo / demo")
    expect(rows.first).to_contain_text("Accepted")
    expect(rows.first.get_by_role("link")).to_have_attribute("href", f"/console/keys/{key_id(token)}")
    gate.run("keys", "disable", key_id(token), "--force")
    assert export(gate, token, agent="sdk/2") == 401
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Dropped")
    expect(rows.first).to_contain_text("key_disabled")
    expect(owner.page.get_by_text("No export yet.")).to_have_count(0)
    owner.is_accessible()


def test_pause_holds_rows_back_and_counts_them(owner, gate):
    token = gate.create_key("live-paused")
    rows = live(owner, f"?key={key_id(token)}")
    owner.page.get_by_role("button", name="Pause").click()
    expect(owner.page.get_by_role("status")).to_have_text("Paused")
    for _ in range(3):
        assert export(gate, token) == 200
    fresh = owner.page.get_by_role("button", name="3 new")
    expect(fresh).to_be_visible()
    expect(rows).to_have_count(0)
    fresh.click()
    expect(rows).to_have_count(3)
    expect(fresh).to_be_hidden()
    assert export(gate, token) == 200
    expect(owner.page.get_by_role("button", name="1 new")).to_be_visible()
    owner.page.get_by_role("button", name="Resume").click()
    expect(rows).to_have_count(4)


def test_rows_wait_while_somebody_is_inside(owner, gate):
    token = gate.create_key("live-inside")
    rows = live(owner, f"?key={key_id(token)}")
    assert export(gate, token) == 200
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link").focus()
    assert export(gate, token) == 200
    expect(owner.page.get_by_role("button", name="1 new")).to_be_visible()
    expect(rows).to_have_count(1)
    # The button goes with what it showed; the focus stays beside it.
    owner.page.get_by_role("button", name="1 new").focus()
    owner.page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    expect(owner.page.get_by_role("button", name="Pause")).to_be_focused()


def test_a_tenant_and_an_outcome_are_watched_alone(owner, gate):
    good, other = gate.create_key("live-filtered"), gate.create_key("live-other")
    rows = live(owner, "?project=demo&grid=demo&environment=development&outcome=refused")
    count = rows.count()
    assert export(gate, good) == 200
    gate.run("keys", "revoke", key_id(other), "--force", "--yes")
    assert export(gate, other) == 401
    expect(rows.first).to_contain_text(key_id(other))
    expect(rows).to_have_count(min(count + 1, 200))
    owner.page.get_by_label("Signal").select_option("logs")
    owner.page.wait_for_url("**signal=logs**")
    expect(owner.page.get_by_label("Outcome")).to_have_value("refused")


def test_what_senders_say_is_text_and_rows_are_bounded(owner, gate):
    token = gate.create_key("live-hostile")
    rows = live(owner, f"?key={key_id(token)}")
    evil = "<img src=x onerror=alert(1)>"
    for _ in range(205):
        assert export(gate, token, service=evil) == 200
    expect(rows).to_have_count(200)
    expect(rows.first).to_contain_text(evil)
    assert owner.page.locator("main img").count() == 0


def test_reloads_take_one_place_and_two_windows_do_not_fight(owner, gate):
    before = watching(gate)
    for _ in range(20):
        live(owner)
    eventually("one watches", lambda: watching(gate) == before + 1)
    second = owner.context.new_page()
    second.goto(f"{owner.url}/live")
    expect(second.locator("[data-live-state=live]")).to_have_text("Live")
    expect(owner.page.get_by_text("This session watches in another window.")).to_be_visible()
    second.close()


def test_the_feed_ends_with_the_session(visitor, gate):
    console = visitor().sign_in()
    live(console)
    other = console.context.new_page()
    other.goto(f"{console.url}/audit")
    other.get_by_role("button", name="Sign out").click()
    other.get_by_role("heading", name="Sign in").wait_for()
    expect(console.page.get_by_text("Your session is over. Sign in again.")).to_be_visible()
    other.close()


def test_a_key_that_is_only_claimed_is_no_link(owner, gate):
    claimed = key_id(gate.create_key("live-claimed"))
    row = live(owner).filter(has_text=claimed)
    assert export(gate, claimed) == 401
    expect(row).to_contain_text("claimed")
    expect(row.get_by_role("link")).to_have_count(0)
    logged = lambda: any(one.get("claimed_key") == claimed for one in gate.show("requests", "--limit", "50"))  # noqa: E731
    eventually("it is in the log", logged)
    owner.open("/requests")
    expect(row).to_contain_text("claimed")
    expect(row.get_by_role("link")).to_have_count(0)


def test_a_filter_that_is_wrong_is_said(owner):
    for path in ("/live", "/requests"):
        owner.open(f"{path}?key=mine")
        owner.page.get_by_text("Nothing was looked for.").wait_for()
        expect(owner.page.get_by_label("Key id")).to_have_value("mine")
        owner.is_accessible()


def test_the_log_is_searched_without_script(visitor, gate):
    token = gate.create_key("logged")
    gate.run("keys", "disable", key_id(token), "--force")
    for _ in range(60):
        assert export(gate, token) == 401
    logged = lambda: len(gate.show("requests", "--key", key_id(token), "--limit", "100")) == 60  # noqa: E731
    eventually("it is in the log", logged)
    console = visitor(java_script_enabled=False).sign_in()
    console.open(f"/live?key={key_id(token)}")
    rows = console.page.locator("table.live tbody tr")
    expect(rows).to_have_count(40)
    console.page.get_by_role("link", name="Search the log").click()
    expect(rows).to_have_count(50)
    console.page.get_by_label("Time").select_option("Last hour")
    console.page.get_by_label("Reason").select_option("key_disabled")
    console.page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(50)
    console.page.get_by_role("link", name="Next").click()
    expect(rows).to_have_count(10)
    console.page.get_by_label("Reason").select_option("key_revoked")
    console.page.get_by_role("button", name="Search").click()
    console.page.get_by_text("No export found").wait_for()


def test_the_feed_brings_no_more_than_the_api(owner, gate):
    """The console's feed is the API's: a session cannot watch what its key may not see."""
    answer = owner.page.request.get(f"{owner.url}/live/feed?project=nowhere")
    name, data = answer.text().strip().split("\n", 1)
    assert (answer.status, name) == (200, "event: end")
    assert json.loads(data.removeprefix("data: "))["reason"] == "project_not_found"


def test_the_page_fits_in_both_themes(visitor, gate):
    token = gate.create_key("live-look")
    export(gate, token)
    for scheme in ("light", "dark"):
        console = visitor(color_scheme=scheme).sign_in()
        live(console)
        for width in (1440, 768, 360):
            console.page.set_viewport_size({"width": width, "height": 900})
            console.fits()
        console.is_accessible()
