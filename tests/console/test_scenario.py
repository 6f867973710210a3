"""What a new user does: from the words that quickstart prints to a key that is revoked, all of it in the browser."""

import os
import re
import subprocess
import sys
from pathlib import Path

from gate import DEADLINE_SECONDS, Gate
from playwright.sync_api import expect


def test_from_quickstart_to_a_revoked_key(visitor, tmp_path):
    gate = Gate(tmp_path, **{
        "GRIDGATE_USAGE__FLUSH_INTERVAL": "1s",
        "GRIDGATE_SENDERS__FLUSH_INTERVAL": "1s",
        "GRIDGATE_ADMIN__REQUESTS_PER_SECOND": "1000",
        "GRIDGATE_ADMIN__BURST": "1000",
    })  # fmt: skip
    try:
        _walk(visitor(gate=gate, permissions=["clipboard-read", "clipboard-write"]), tmp_path)
    finally:
        gate.stop()


def _walk(console, folder):
    page, gate = console.page, console.gate

    # Sign in with what quickstart printed, and create a key.
    console.sign_in()
    page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("^Keys")).click()
    page.get_by_role("link", name="Create key").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("checkout-api")
    dialog.get_by_role("radio", name="Development").check()
    dialog.get_by_role("button", name="Create key").click()

    # The Python snippet, as given, is all that a sender needs. The line turns green by itself.
    first = _snippet(page, dialog, folder / "first.py")
    expect(dialog.get_by_text("Waiting for first export…")).to_be_visible()
    _send(first)
    expect(dialog.get_by_text("First export received")).to_be_visible(timeout=DEADLINE_SECONDS * 1000)
    dialog.get_by_role("button", name="I have copied it").click()
    page.get_by_role("heading", name="checkout-api", level=1).wait_for()
    behind = folder / "behind.py"
    behind.write_text(first.read_text().replace("checkout-api", "invoice-worker"))
    _send(behind)

    # Rotate, while the old secret goes on sending.
    page.get_by_role("link", name="Rotate…").click()
    dialog.get_by_role("button", name="Rotate", exact=True).click()
    second = _snippet(page, dialog, folder / "second.py")
    assert first.read_text() != second.read_text()
    dialog.get_by_role("button", name="I have copied it").click()
    _send(second)
    _send(behind)

    # Who is behind?
    rotation = page.get_by_role("region", name="Rotation")
    expect(rotation.get_by_text("invoice-worker").first).to_be_visible(timeout=DEADLINE_SECONDS * 1000)
    rotation.get_by_role("link", name="Complete anyway…").click()
    expect(dialog).to_contain_text("invoice-worker")
    dialog.get_by_role("button", name="Complete rotation").click()
    expect(rotation).to_have_count(0)
    _is_refused(gate, first)
    _send(second)

    # Revoke: it was used a moment ago, so that its name is asked for.
    _open_menu(page, "Revoke…")
    dialog.get_by_role("radio", name=re.compile("Revoke permanently")).check()
    dialog.get_by_label(re.compile("Type checkout-api")).fill("checkout-api")
    dialog.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_role("main").get_by_text("Revoked", exact=True).first).to_be_visible()
    _is_refused(gate, second)
    # And all that can be read afterwards is what happened.
    page.get_by_role("link", name="Audit", exact=True).click()
    for action in ["key.created", "key.rotated", "key.rotation_completed", "key.revoked"]:
        expect(page.get_by_role("main").get_by_text(action).first).to_be_visible()


def _snippet(page, dialog, file: Path):
    """Copies the Python snippet of the card with the secret into a file."""
    dialog.get_by_role("heading", name="Copy the secret now").wait_for()
    dialog.get_by_role("tab", name="Python").click()
    dialog.get_by_role("button", name="Copy Python").click()
    expect(page.locator("#said")).to_have_text(re.compile("[Cc]opied"))
    text = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"ggi_\w{60,}", text)
    file.write_text(text)
    # It is in the page for the button, and nowhere that stays.
    assert "ggi_" not in page.url
    return file


def _open_menu(page, name):
    """Clicks the link `name`, which may stand in a menu."""
    link = page.get_by_role("main").get_by_role("link", name=name)
    if not link.is_visible():
        page.get_by_role("main").locator("summary").first.click()
    link.click()


def _send(script):
    """Runs a snippet as somebody would who has pasted it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
    assert done.returncode == 0 and "Hello" in done.stdout, done.stderr
    assert "Failed" not in done.stderr, done.stderr


def _is_refused(gate, script):
    """The gate no longer takes the token of a snippet."""
    token = re.search(r"ggi_\w+", script.read_text())[0]
    status, body = gate.post("/v1/traces", b"{}", token=token)
    assert status in (401, 403), body
