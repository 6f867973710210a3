"""Sessions, the theme, jobs and webhooks."""

import http.server
import json
import re
import threading

import pytest
from gate import Gate
from playwright.sync_api import expect
from tenants import api


def test_another_session_is_ended(visitor):
    mine, other = visitor().sign_in(), visitor().sign_in()
    mine.open("/settings")
    assert mine.page.get_by_text("This session").count() == 1
    before = mine.page.get_by_role("button", name="End session").count()
    # The newest of the others is the other one.
    mine.page.get_by_role("button", name="End session").first.click()
    expect(mine.page.get_by_role("button", name="End session")).to_have_count(before - 1)
    other.open("/settings")
    other.page.get_by_role("heading", name="Sign in").wait_for()
    mine.open("/settings")
    mine.page.get_by_role("heading", name="Settings").wait_for()


def test_signing_out_everywhere_ends_other_browsers_sessions(visitor):
    mine, other = visitor().sign_in(), visitor().sign_in()
    mine.open("/settings")
    mine.page.get_by_role("button", name="Sign out everywhere").click()
    mine.page.get_by_role("heading", name="Sign in").wait_for()
    other.open("/usage")
    other.page.get_by_role("heading", name="Sign in").wait_for()


def test_the_theme_is_chosen(visitor):
    console = visitor(color_scheme="light").sign_in()
    console.open("/settings")
    for name, theme in [("Dark", "dark"), ("Light", "light")]:
        console.page.get_by_role("button", name=name, exact=True).click()
        expect(console.page.locator("html")).to_have_attribute("data-theme", theme)
    console.page.get_by_role("button", name="As the system").click()
    expect(console.page.locator("html:not([data-theme])")).to_have_count(1)


def test_shortcuts_of_one_character_can_be_switched_off(visitor):
    console = visitor().sign_in()
    page = console.page
    search = page.get_by_role("searchbox").first
    for name, works in [("off", False), ("on", True)]:
        console.open("/settings")
        page.get_by_role("button", name=f"Switch shortcuts {name}").click()
        page.get_by_role("heading", name="Shortcuts").wait_for()
        console.open("/keys")
        page.keyboard.press("/")
        assert search.evaluate("one => one === document.activeElement") == works
        page.locator("main").focus()
        page.keyboard.press("n")
        expect(page.get_by_role("dialog")).to_have_count(int(works))


def test_jobs_are_those_of_the_api(owner, gate):
    owner.open("/settings/jobs")
    shown = owner.page.locator("#jobs tbody .name").all_inner_texts()
    assert shown == [job["name"] for job in api(gate, "/jobs")["data"]]
    owner.is_accessible()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes messages."""

    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append(json.loads(body)["type"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    """A server of messages, with its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Receiver.got.clear()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def calling(tmp_path_factory):
    """A gate that may send messages to this machine."""
    settings = {"GRIDGATE_WEBHOOKS__ALLOW_HTTP": "true", "GRIDGATE_WEBHOOKS__ALLOW_NETWORKS": '["127.0.0.0/8"]'}
    gate = Gate(tmp_path_factory.mktemp("calling"), **settings)
    yield gate
    gate.stop()


def test_a_webhook_from_creation_to_its_end(visitor, calling, receiver):
    console = visitor(calling).sign_in()
    page = console.page
    console.open("/settings/webhooks")
    page.get_by_role("link", name="Create webhook").click()
    dialog = page.get_by_role("dialog")
    # What is wrong is said at its field, and what was typed stays.
    dialog.get_by_label("URL").fill(receiver)
    dialog.get_by_role("button", name="Create webhook").click()
    expect(dialog.get_by_text("Tick at least one.")).to_be_visible()
    expect(dialog.get_by_label("URL")).to_have_value(receiver)
    dialog.get_by_label("key.revoked").check()
    dialog.get_by_role("button", name="Create webhook").click()
    expect(dialog.get_by_role("heading", name="Copy the signing secret now")).to_be_visible()
    secret = dialog.locator("[data-copy]").get_attribute("data-copy")
    assert secret.startswith("whsec_")
    console.is_accessible()
    dialog.get_by_role("button", name="I have copied it").click()
    page.wait_for_url(re.compile(r"/settings/webhooks/whk_"))
    assert secret not in page.content(), "it is shown once"

    page.get_by_role("button", name="Send test").click()
    expect(page.get_by_text("The test arrived.")).to_be_visible()
    page.wait_for_url(re.compile(r"tested=evt_"))
    page.reload()
    expect(page.get_by_text("The test arrived.")).to_be_visible()
    assert Receiver.got == ["gridgate.webhook.test"], "a page that is loaded again sends nothing"
    console.is_accessible()

    page.get_by_role("link", name="Edit…").click()
    dialog.get_by_label("key.created").check()
    dialog.get_by_label("Note").fill("<b>bold</b>")
    dialog.get_by_role("button", name="Save webhook").click()
    expect(page.get_by_text("key.created, key.revoked")).to_be_visible()
    expect(page.get_by_text("<b>bold</b>")).to_be_visible()

    page.get_by_role("link", name="Rotate secret…").click()
    dialog.get_by_role("button", name="Rotate secret").click()
    assert dialog.locator("[data-copy]").get_attribute("data-copy") != secret
    dialog.get_by_role("button", name="I have copied it").click()
    expect(page.get_by_text(re.compile("the one before signs too"))).to_be_visible()

    page.get_by_role("link", name="Delete…").click()
    dialog.get_by_role("button", name="Delete webhook").click()
    page.get_by_role("heading", name="No webhooks").wait_for()
    assert api(calling, "/webhooks")["data"] == []


def test_an_edit_of_an_older_version_is_refused_and_kept(visitor, calling, receiver):
    console = visitor(calling).sign_in()
    body = {"url": receiver, "events": ["key.created"]}
    webhook = api(calling, "/webhooks", body)["webhook"]
    console.open(f"/settings/webhooks/{webhook['id']}/edit")
    calling.run("webhooks", "edit", webhook["id"], "--note", "changed meanwhile")
    console.page.get_by_label("Note").fill("mine")
    console.page.get_by_role("button", name="Save webhook").click()
    expect(console.page.get_by_role("alert")).to_be_visible()
    expect(console.page.get_by_label("Note")).to_have_value("mine")
    assert api(calling, f"/webhooks/{webhook['id']}")["note"] == "changed meanwhile"
    # Whoever has been told may put their own in its place.
    console.page.get_by_role("button", name="Save webhook").click()
    console.page.wait_for_url(f"**/settings/webhooks/{webhook['id']}")
    assert api(calling, f"/webhooks/{webhook['id']}")["note"] == "mine"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_it_fits_and_is_accessible(visitor, scheme, width):
    console = visitor(color_scheme=scheme, viewport={"width": width, "height": 900}).sign_in()
    for path in ["/settings", "/settings/jobs", "/settings/webhooks", "/settings/webhooks/new"]:
        console.open(path)
        console.fits()
        console.is_accessible()
