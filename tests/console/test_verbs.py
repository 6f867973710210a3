"""What can be done with a key, and its rotation."""

import json
import os
import re
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from gate import Gate, eventually, key_id
from playwright.sync_api import expect

THEMES = ["light", "dark"]

# The machine may be busy.
expect.set_options(timeout=20_000)


def send(gate, token, service="checkout", host="host-1"):
    """Sends one log record of a service; the status of the answer."""
    attributes = [
        {"key": name, "value": {"stringValue": value}} for name, value in [("service.name", service), ("host.name", host)]
    ]
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "x"}}
    resource = {"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": [record]}]}
    return gate.post("/v1/logs", json.dumps({"resourceLogs": [resource]}).encode(), token=token)[0]


class Load:
    """Somebody who sends again and again until the block ends."""

    def __init__(self, gate, token, service, host="host-1"):
        self._arguments = (gate, token, service, host)
        self.statuses = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            self.statuses.append(send(*self._arguments))
            self._stop.wait(0.05)

    def __enter__(self):
        self._thread.start()
        eventually("the first export", lambda: self.statuses)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def status(gate, token):
    return gate.show("keys", "show", key_id(token))["status"]


def open_verb(console, token, verb):
    console.open(f"/keys/{key_id(token)}/{verb}")
    return console.page


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def is_done(page, token):
    """The verb leads back to the key."""
    page.wait_for_url(re.compile(rf"/console/keys/{key_id(token)}$"))


def shown_secret(page):
    expect(page.get_by_role("heading", name="Copy the secret now")).to_be_visible()
    return page.get_by_role("button", name="Copy", exact=True).first.get_attribute("data-copy")


def look(console, name):
    """Holds the page against the rules in both themes; where `GRIDGATE_TEST_PICTURES` names a folder, with pictures."""
    folder = os.environ.get("GRIDGATE_TEST_PICTURES")
    for theme in THEMES:
        console.page.emulate_media(color_scheme=theme)
        for width in (1440, 360):
            console.page.set_viewport_size({"width": width, "height": 900})
            console.fits()
            if folder:
                console.picture(Path(folder) / f"{name}-{theme}-{width}.png")
        console.is_accessible()
    console.page.emulate_media(color_scheme="light")
    console.page.set_viewport_size({"width": 1440, "height": 900})


def test_a_key_is_rotated_under_load(owner, gate):
    old = gate.create_key("rotated-under-load")
    with Load(gate, old, "moves") as moving, Load(gate, old, "stays", "host-7") as staying:
        page = open_verb(owner, old, "rotate")
        usual = page.locator(".when-24h")
        expect(usual).to_be_visible()
        expect(usual).to_have_text(re.compile(r"Both secrets work until \d+ \w+, \d\d:\d\d UTC\."))
        look(owner, "rotate")
        page.get_by_role("radio", name="Drained").check()
        expect(page.get_by_text("Both secrets work until the old one is silent")).to_be_visible()
        expect(usual).to_be_hidden()
        expect(page.get_by_text("stops working now")).to_be_hidden()
        page.get_by_role("radio", name="6 h").check()
        press(page, "Rotate")
        new = shown_secret(page)
        expect(page.get_by_text("The old secret works until")).to_be_visible()
        assert new != old and key_id(new) == key_id(old)
        moving.__exit__()
        assert set(moving.statuses) == {200}

        with Load(gate, new, "moves") as moved:
            page = open_verb(owner, old, "rotation")
            panel = page.locator("#rotation")
            # Numbers come by themselves.
            expect(panel.get_by_role("img", name=re.compile(r"^Old: [1-9]\d* requests per minute"))).to_be_visible()
            expect(panel.get_by_role("img", name=re.compile(r"^New: [1-9]\d* requests per minute"))).to_be_visible()
            expect(panel.get_by_role("img", name=re.compile(r"^Old: [1-9]\d* requests since"))).to_be_visible()
            expect(panel).to_contain_text("0 of 2 senders moved")
            expect(panel).to_contain_text("2 senders still use v1")
            expect(panel).to_contain_text("stays on host-7")
            expect(panel.get_by_role("button", name="Complete rotation")).to_be_disabled()
            expect(panel).to_contain_text("Complete opens when v1 has been silent for 5 min.")
            look(owner, "rotation")

            panel.get_by_role("link", name="Complete anyway…").click()
            note = page.locator(".note.danger")
            expect(note).to_contain_text(re.compile(r"(stays|moves) and 1 more sent data in the last minute\."))
            expect(note).to_contain_text("They will lose telemetry.")
            look(owner, "complete")
            press(page, "Complete rotation")
            is_done(page, old)
            eventually("the old one is refused", lambda: staying.statuses[-1] == 401)
            sent = len(moved.statuses)
            eventually("the new one goes on", lambda: len(moved.statuses) > sent)
            assert set(moved.statuses) == {200}
    assert gate.show("keys", "show", key_id(old))["rotation"] is None


def test_a_rotation_opens_to_be_completed_once_the_old_secret_is_silent(visitor, tmp_path):
    gate = Gate(tmp_path, GRIDGATE_SENDERS__FLUSH_INTERVAL="100ms", GRIDGATE_KEYS__LAST_USED_INTERVAL="1s")
    try:
        old = gate.create_key("drained")
        assert send(gate, old, "moves") == 200
        assert send(gate, old, "nightly", "host-9") == 200
        new = gate.run("keys", "rotate", key_id(old))
        assert send(gate, new, "moves") == 200
        eventually("the use is known", lambda: gate.show("keys", "show", key_id(old))["rotation"]["old_last_used_at"])
        # What was six minutes ago for the gate, which is asleep meanwhile.
        gate.stop()
        with sqlite3.connect(gate.data / "catalog.sqlite") as catalog:
            ago = 6 * 60 * 1_000_000
            catalog.execute("UPDATE secrets SET last_used_at = last_used_at - ? WHERE version = 1", [ago])
            catalog.execute("UPDATE senders SET last_at = last_at - ?, accepted_at = accepted_at - ? WHERE secret_version = 1", [ago, ago])
        catalog.close()
        gate.start()

        console = visitor(gate=gate).sign_in()
        page = open_verb(console, old, "rotation")
        panel = page.locator("#rotation")
        expect(panel).to_contain_text("v1 has been silent for 5 min. You can complete the rotation.")
        expect(panel).to_contain_text("1 of 2 senders moved")
        expect(panel).to_contain_text("Last seen with it: nightly 6 min ago.")
        expect(panel.get_by_role("link", name="Complete anyway…")).to_have_count(0)
        look(console, "rotation-silent")

        # Somebody who comes back is not cut off by who looks at an old page.
        assert send(gate, old, "nightly", "host-9") == 200
        press(page, "Complete rotation")
        expect(page.get_by_text("nightly and 1 more sent data in the last 10 min.")).to_be_visible()
        assert gate.show("keys", "show", key_id(old))["rotation"]
        assert send(gate, old, "nightly", "host-9") == 200
        press(page, "Complete rotation")
        is_done(page, old)
        assert (send(gate, old), send(gate, new)) == (401, 200)
        console.open(f"/keys/{key_id(old)}/rotation")
        expect(page.get_by_text("The rotation is over. v2 works.")).to_be_visible()
    finally:
        gate.stop()


def test_a_silent_rotation_is_completed_at_once_and_another_is_cancelled(owner, gate):
    old = gate.create_key("never-used")
    gate.run("keys", "rotate", key_id(old))
    page = open_verb(owner, old, "rotation")
    expect(page.locator("#rotation")).to_contain_text("v1 was never used.")
    press(page, "Complete rotation")
    is_done(page, old)
    assert gate.show("keys", "show", key_id(old))["rotation"] is None

    new = gate.run("keys", "rotate", key_id(old))
    assert send(gate, new, "early") == 200
    page = open_verb(owner, old, "rotation")
    page.get_by_role("link", name="Cancel rotation…").click()
    expect(page.get_by_text("v3 stops working now, and v2 goes on working as before.")).to_be_visible()
    expect(page.get_by_text("early sent data in the last minute.")).to_be_visible()
    page.get_by_role("link", name="Keep rotating").click()
    is_done(page, old)
    assert send(gate, new, "early") == 200
    page = open_verb(owner, old, "cancel")
    press(page, "Cancel rotation")
    is_done(page, old)
    assert send(gate, new, "early") == 401
    assert gate.show("keys", "show", key_id(old))["rotation"] is None
    expect(open_verb(owner, old, "cancel").get_by_text("There is no rotation.")).to_be_visible()


def test_a_key_is_disabled_and_enabled(owner, gate):
    token = gate.create_key("off-and-on")
    # Nobody is named, and somebody begins to send before the button is pressed.
    page = open_verb(owner, token, "disable")
    expect(page.get_by_text("Exports are refused until you enable it again.")).to_be_visible()
    assert page.locator(".note").count() == 0
    assert send(gate, token, "late") == 200
    press(page, "Disable key")
    expect(page.get_by_text("late sent data in the last minute.")).to_be_visible()
    assert status(gate, token) == "active"
    press(page, "Disable key")
    is_done(page, token)
    assert (status(gate, token), send(gate, token)) == ("disabled", 401)

    page = open_verb(owner, token, "rotate")
    expect(page.get_by_text("Enable it before it is rotated.")).to_be_visible()
    page.get_by_role("link", name="Enable…").click()
    press(page, "Enable key")
    is_done(page, token)
    assert send(gate, token) == 200


def test_a_secret_is_regenerated_and_shown_once(owner, gate):
    old = gate.create_key("regenerated")
    for service in ("checkout-api", "cart", "mail"):
        assert send(gate, old, service) == 200
    page = open_verb(owner, old, "regenerate")
    expect(page.locator(".note.danger")).to_have_text(
        re.compile(r"mail and 2 more sent data in the last minute\.\s+They will lose telemetry\.")
    )
    look(owner, "regenerate")
    press(page, "Regenerate secret")
    new = shown_secret(page)
    expect(page.get_by_text("The old secret no longer works.")).to_be_visible()
    assert (send(gate, old), send(gate, new)) == (401, 200)
    assert new not in page.url and new not in page.title()
    # Sent once more it is the same secret, not another.
    page.reload()
    assert shown_secret(page) == new
    # And by rotating with no time left.
    page = open_verb(owner, old, "rotate")
    page.get_by_role("radio", name="Now").check()
    expect(page.locator(".note.danger")).to_be_visible()
    press(page, "Rotate")
    newest = shown_secret(page)
    assert (send(gate, new), send(gate, newest)) == (401, 200)


def test_a_key_in_use_is_revoked_by_who_types_its_name(owner, gate):
    token = gate.create_key("payment gateway")
    assert send(gate, token, "invoice-worker") == 200
    page = open_verb(owner, token, "revoke")
    expect(page.get_by_text("invoice-worker sent data in the last minute.")).to_be_visible()
    assert page.get_by_role("radio", name="Disable temporarily").is_checked(), "what can be undone comes first"
    expect(page.get_by_role("button", name="Disable key", exact=True)).to_be_enabled()
    expect(page.get_by_label("Type payment gateway to confirm")).to_be_hidden()
    page.get_by_role("radio", name="Revoke permanently").check()
    revoke = page.get_by_role("button", name="Revoke key", exact=True)
    expect(revoke).to_be_disabled()
    field = page.get_by_label("Type payment gateway to confirm")
    field.fill("payment gate")
    expect(revoke).to_be_disabled()
    look(owner, "revoke")
    # The server asks, too.
    page.evaluate("document.querySelector('form.verb').submit()")
    expect(page.get_by_text("It is not the name of this key. Nothing was revoked.")).to_be_visible()
    assert page.get_by_role("radio", name="Revoke permanently").is_checked()
    assert status(gate, token) == "active"
    field.fill("payment gateway")
    revoke.click()
    is_done(page, token)
    assert (status(gate, token), send(gate, token)) == ("revoked", 401)
    # Its history stays, and its record is kept for a while.
    for verb, words in [("rotate", "This key is revoked."), ("purge", "Erase record")]:
        expect(open_verb(owner, token, verb).get_by_text(words)).to_be_visible()
    press(owner.page, "Erase record")
    expect(owner.page.get_by_role("alert")).to_be_visible()
    assert status(gate, token) == "revoked"


def test_a_key_that_nobody_uses_is_revoked_without_its_name(owner, gate):
    token = gate.create_key("unused")
    page = open_verb(owner, token, "revoke")
    assert page.locator(".note").count() == 0
    page.get_by_role("radio", name="Revoke permanently").check()
    expect(page.get_by_text("Type unused to confirm")).to_have_count(0)
    press(page, "Revoke key")
    is_done(page, token)
    assert status(gate, token) == "revoked"

    other = gate.create_key("off for now")
    page = open_verb(owner, other, "revoke")
    press(page, "Disable key")
    is_done(page, other)
    assert status(gate, other) == "disabled"


def test_a_key_is_renewed(owner, gate):
    token = gate.create_key("renewed")
    page = open_verb(owner, token, "renew")
    expect(page.get_by_text("It never expires.")).to_be_visible()
    page.get_by_role("radio", name="30 d", exact=True).check()
    # Somebody else edits it meanwhile.
    gate.run("keys", "edit", key_id(token), "--note", "changed")
    press(page, "Renew key")
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.get_by_role("radio", name="30 d", exact=True).is_checked()
    press(page, "Renew key")
    is_done(page, token)
    assert gate.show("keys", "show", key_id(token))["expires_at"]


def test_dialogs_work_without_script(visitor, gate):
    token = gate.create_key("scriptless")
    assert send(gate, token, "checkout") == 200
    console = visitor(java_script_enabled=False).sign_in()
    page = open_verb(console, token, "revoke")
    page.get_by_role("radio", name="Revoke permanently").check()
    press(page, "Revoke key")
    expect(page.get_by_text("It is not the name of this key.")).to_be_visible()
    page.get_by_label("Type scriptless to confirm").fill("scriptless")
    press(page, "Revoke key")
    is_done(page, token)
    assert status(gate, token) == "revoked"


def test_what_a_visitor_may_not_do_is_not_offered(visitor, gate):
    old = gate.create_key("looked-at")
    gate.run("keys", "rotate", key_id(old))
    watcher = gate.run("members", "invite", "--name", "watcher-of-rotations", "--role", "viewer").splitlines()[-1]
    console = visitor().sign_in(watcher)
    page = open_verb(console, old, "rotation")
    expect(page.locator("#rotation")).to_contain_text("Both secrets work until")
    for name in ("Complete rotation", "Cancel rotation…"):
        expect(page.get_by_text(name)).to_have_count(0)
    page = open_verb(console, old, "complete")
    press(page, "Complete rotation")
    expect(page.get_by_role("alert")).to_be_visible()
    assert gate.show("keys", "show", key_id(old))["rotation"]


@pytest.mark.parametrize("path", ["/keys/key_AAAAAAAAAAAA/rotate", "/keys/..%2Fme/rotate", "/keys/x/rotation"])
def test_there_is_no_dialog_about_nothing(owner, path):
    assert owner.open(path).status == 404
