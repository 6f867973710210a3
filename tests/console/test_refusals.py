"""Why telemetry is missing: exports that are configured wrongly are found on the page, with what to do."""

import re

import pytest
from playwright.sync_api import expect

from exports import export
from gate import Gate, eventually, key_id

AGENTS = {"java": "OTel-OTLP-Exporter-Java/1.44.1", "js": "OTel-OTLP-Exporter-JavaScript/0.203.0"}


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """A gate for keys of development, that writes down at once."""
    gate = Gate(
        tmp_path_factory.mktemp("refusals"),
        GRIDGATE_ADMIN__REQUESTS_PER_SECOND="1000",
        GRIDGATE_ADMIN__BURST="1000",
        GRIDGATE_LISTEN__ENVIRONMENT="development",
        GRIDGATE_REFUSALS__FLUSH_INTERVAL="100ms",
        GRIDGATE_USAGE__FLUSH_INTERVAL="100ms",
        GRIDGATE_SENDERS__FLUSH_INTERVAL="100ms",
        GRIDGATE_REQUESTS__INTERVAL="100ms",
    )
    yield gate
    gate.stop()


@pytest.fixture(scope="module")
def refused(gate):
    """Exports of wrongly configured senders: the name of the key of each, by the reason that it gets."""
    tokens = {}

    def key(reason, **options):
        name = reason.replace("_", "-")
        tokens[reason] = gate.create_key(name, **options)
        return tokens[reason]

    # Whoever sends it was good once, so that the service is known.
    token = key("key_malformed")
    for _ in range(4):
        assert export(gate, key_id(token), agent=AGENTS["js"]) == 401

    token = key("secret_retired")
    assert export(gate, token, service="invoice-worker", agent=AGENTS["java"]) == 200
    seen = lambda: gate.show("keys", "show", key_id(token))["last_used_at"]  # noqa: E731
    eventually("the use is known", seen)
    gate.run("keys", "regenerate", key_id(token), "--force", "--yes")
    for _ in range(3):
        assert export(gate, token, service="invoice-worker", agent=AGENTS["java"]) == 401

    token = key("key_revoked")
    gate.run("keys", "revoke", key_id(token), "--force", "--yes")
    assert export(gate, token) == 401

    token = key("key_disabled")
    gate.run("keys", "disable", key_id(token), "--force")
    assert export(gate, token) == 401

    token = key("rate_limited", limits=["1 requests/second"])
    while export(gate, token) != 429:
        pass
    token = key("quota_exhausted", limits=["1 items/day"])
    assert [export(gate, token) for _ in range(3)] == [200, 403, 403]
    assert export(gate, key("environment_mismatch", environment="staging")) == 401
    assert export(gate, None, agent="curl/8.0") == 401

    reasons = {*tokens, "credentials_missing"}
    known = lambda: reasons <= {group["reason"] for group in gate.show("refusals", "--limit", "200")}  # noqa: E731
    eventually("every refusal is written down", known)
    counted = lambda: all(  # noqa: E731
        any(row["refused_by"].get(reason) for row in gate.show("usage", "--project", "demo"))
        for reason in ("secret_retired", "quota_exhausted")
    )
    eventually("and counted", counted)
    return tokens


def reason(console, code):
    """The row of a reason."""
    return console.page.locator("details.reason").filter(has=console.page.locator("summary code", has_text=code))


def opened(console, code):
    """The same, open."""
    row = reason(console, code)
    if row.get_attribute("open") is None:
        row.locator("summary").click()
    return row


def test_every_wrong_sender_is_found_with_its_fix(owner, refused):
    owner.open("/refusals")
    owner.page.get_by_role("heading", name="Why is my telemetry missing?").wait_for()
    for code, title, outcome, fix in [
        ("key_malformed", "Key id pasted instead of the secret", "Dropped", "Put the secret in OTEL_EXPORTER_OTLP_HEADERS."),
        ("secret_retired", "Secret was retired by a rotation", "Dropped", "and restart them"),
        ("key_revoked", "Revoked key still in use", "Dropped", "Create a key for this sender"),
        ("key_disabled", "Inactive key still in use", "Dropped", "Enable the key"),
        ("rate_limited", "Rate limit reached", "Retryable", "raise the limit"),
        ("quota_exhausted", "Quota used up", "Dropped", "Raise the quota"),
        ("environment_mismatch", "Key on the endpoint of another environment", "Dropped", "a key of the environment that it runs in"),
        ("credentials_missing", "No token sent", "Dropped", "Set OTEL_EXPORTER_OTLP_HEADERS=api-key="),
    ]:
        row = opened(owner, code)
        expect(row.get_by_role("heading", name=title)).to_be_visible()
        expect(row.locator("summary .chip")).to_have_text(outcome)
        expect(row.locator(".reason-fix")).to_contain_text(fix)
        expect(row.locator(".got")).to_contain_text("Needs")
        if code in refused:
            expect(row.locator(".who-table")).to_contain_text(code.replace("_", "-"))
        expect(row.locator(".who-table")).to_contain_text("127.0.0.1")
    owner.is_accessible()

    malformed = reason(owner, "key_malformed")
    token = refused["key_malformed"]
    expect(malformed.locator(".got")).to_contain_text(f"api-key: {key_id(token)}")
    expect(malformed.locator(".got")).to_contain_text(f"api-key: ggi_dev_{key_id(token)[4:]}_•••")
    expect(malformed.locator(".reason-count")).to_contain_text("4")
    expect(malformed.locator(".who-table")).to_contain_text("claimed, not proved")
    assert token[-32:] not in owner.page.content()
    expect(malformed.get_by_role("link", name="Regenerate secret…")).to_have_attribute(
        "href", f"/console/keys/{key_id(token)}/regenerate"
    )
    retired = reason(owner, "secret_retired")
    expect(retired.locator(".got")).to_contain_text("secret v1, retired")
    expect(retired.locator(".got")).to_contain_text("secret v2, current")
    expect(retired.locator(".who-table")).to_contain_text("invoice-worker")
    expect(retired.get_by_role("link", name="Open secret-retired")).to_be_visible()
    mismatch = reason(owner, "environment_mismatch")
    expect(mismatch.locator(".got")).to_contain_text("this endpoint is for development, the key for staging")
    expect(owner.page.locator(".why-totals")).to_contain_text("Dropped by the client")


def test_a_viewer_is_offered_no_new_secret(visitor, gate, refused):
    made = gate.show("keys", "create", "--name", "looks-on", "--kind", "admin", "--role", "viewer")
    viewer = visitor().sign_in(made["token"])
    viewer.open("/refusals")
    row = opened(viewer, "key_malformed")
    expect(row.get_by_role("link", name="Show snippets")).to_be_visible()
    expect(row.get_by_role("link", name="Regenerate secret…")).to_have_count(0)


def test_filters_narrow_the_page(owner, refused):
    owner.open("/refusals")
    rows = owner.page.locator("details.reason")
    owner.page.keyboard.press("/")
    owner.page.keyboard.type("secret-retired")
    owner.page.keyboard.press("Enter")
    owner.page.wait_for_url("**q=secret-retired**")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Secret was retired by a rotation")
    owner.page.get_by_role("link", name="Clear").click()
    owner.page.get_by_label("Outcome").select_option("Retryable")
    owner.page.wait_for_url("**outcome=retryable**")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Rate limit reached")
    expect(owner.page.locator(".why-totals strong.bad")).to_have_count(0)
    owner.page.get_by_role("link", name="7 d").click()
    expect(owner.page.get_by_role("link", name="7 d")).to_have_attribute("aria-current", "true")
    expect(owner.page.get_by_label("Outcome")).to_have_value("retryable")
    owner.open("/refusals?project=demo&signal=logs")
    owner.page.get_by_text("Nothing was turned away for this").wait_for()
    owner.open("/refusals?reason=key_revoked&range=nonsense")
    expect(rows).to_have_count(1)


def test_a_signal_is_counted_for_itself(owner, gate):
    token = gate.create_key("two-signals")
    gate.run("keys", "revoke", key_id(token), "--force", "--yes")
    assert [export(gate, token) for _ in range(3)] == [401] * 3
    assert export(gate, token, path="/v1/metrics") == 401
    name = ["usage", "--by", "key,signal", "--project", "demo"]
    counted = lambda: sum(one["refused"] for one in gate.show(*name) if one["key"] == key_id(token))  # noqa: E731
    eventually("all are counted", lambda: counted() == 4)
    for query, exports in [("", "4"), ("&signal=traces", "3"), ("&signal=metrics", "1")]:
        owner.open(f"/refusals?key={key_id(token)}{query}")
        expect(reason(owner, "key_revoked").locator(".reason-count")).to_have_text(re.compile(rf"^{exports} exports$"))


def test_a_project_sees_what_claims_its_keys(owner, refused):
    owner.open("/refusals?project=demo")
    expect(reason(owner, "key_malformed").locator(".reason-count")).to_contain_text("4")
    # Nobody's: it is of no project.
    expect(reason(owner, "credentials_missing")).to_have_count(0)


def test_drift_is_noted(owner, gate):
    token = gate.create_key("drifting")
    assert export(gate, token, service="route-planner", environment="production") == 200
    eventually("it is written down", lambda: gate.show("refusals", "--reason", "environment_drift"))
    owner.open("/refusals?project=demo")
    noted = owner.page.locator(".note.warning")
    expect(noted).to_contain_text("Accepted, but worth a look. route-planner")
    expect(noted).to_contain_text("production")
    expect(noted.get_by_role("link", name="Compare")).to_have_attribute("href", f"/console/keys/{key_id(token)}/senders")


def test_what_senders_say_of_themselves_is_text(owner, gate):
    token = gate.create_key("hostile", limits=["1 items/day"])
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    assert [export(gate, token, service=evil, agent=evil) for _ in range(2)] == [200, 403]
    group = lambda: gate.show("refusals", "--search", "hostile")  # noqa: E731
    eventually("it is written down", lambda: (found := group()) and found[0]["likely_service"])
    dialogs = []
    owner.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in ("/refusals?q=hostile", f"/requests?key={key_id(token)}"):
        owner.open(path)
        expect(owner.page.get_by_text("<img src=x onerror=alert(1)>").first).to_be_visible()
        assert owner.page.locator("main img, main script").count() == 0
    assert not dialogs


def test_a_key_is_checked_and_forgotten(owner, gate, refused):
    owner.open("/refusals")
    for token, verdict, words in [
        (refused["secret_retired"], "Exports with this key are refused", "Secret was retired by a rotation"),
        (refused["key_revoked"], "Exports with this key are refused", "Revoked key still in use"),
        (key_id(refused["key_malformed"]), "Exports with this key are refused", "Key id pasted instead of the secret"),
        (refused["key_malformed"][:-5], "Exports with this key are refused", "Token cut off"),
        (refused["key_malformed"], "This key is good", "Accepted"),
    ]:
        owner.page.get_by_role("link", name="Check a key…").first.click()
        dialog = owner.page.get_by_role("dialog")
        expect(dialog.get_by_label("Token, exactly as the exporter has it")).to_be_focused()
        owner.page.keyboard.type(token)
        dialog.get_by_role("button", name="Check key").click()
        dialog.get_by_role("heading", name=verdict).wait_for()
        expect(dialog).to_contain_text(words)
        assert token[-32:] not in owner.page.content() or token.startswith("key_"), "nothing of the token is shown"
        assert token not in owner.page.url
        owner.is_accessible()
        dialog.get_by_role("link", name="Close").click()
        # What is sent in a dialog may have changed the page behind it, which is loaded again.
        expect(dialog).to_be_hidden()
    log = (gate.data.parent / "stderr").read_text()
    assert all(token[-32:] not in log for token in refused.values())


def test_a_check_without_script_says_what_was_typed_wrong(visitor, refused):
    console = visitor(java_script_enabled=False).sign_in()
    console.open("/refusals/check")
    console.page.get_by_label("Token, exactly as the exporter has it").fill(refused["key_disabled"])
    console.page.get_by_text("What it sends, and where").click()
    console.page.get_by_label("Address of the sender").fill("home")
    console.page.get_by_role("button", name="Check key").click()
    expect(console.page.locator("#address-help")).to_contain_text("not an IP address")
    expect(console.page.get_by_label("Address of the sender")).to_have_value("home")
    expect(console.page.get_by_label("Token, exactly as the exporter has it")).to_have_value("")
    console.page.get_by_label("Token, exactly as the exporter has it").fill(refused["key_disabled"])
    console.page.get_by_label("Address of the sender").fill("192.0.2.1")
    console.page.get_by_role("button", name="Check key").click()
    console.page.get_by_role("heading", name="Exports with this key are refused").wait_for()
    expect(console.page.locator("main")).to_contain_text("Inactive key still in use")
    assert refused["key_disabled"][-32:] not in console.page.content()


def test_the_page_fits_and_is_accessible_in_both_themes(visitor, refused):
    for scheme in ("light", "dark"):
        console = visitor(color_scheme=scheme).sign_in()
        for path in ("/refusals", "/refusals/check", "/requests"):
            console.open(path)
            for width in (1440, 768, 360):
                console.page.set_viewport_size({"width": width, "height": 900})
                console.fits()
            console.is_accessible()


def test_nothing_refused_teaches_what_to_do(visitor, tmp_path):
    gate = Gate(tmp_path)
    try:
        console = visitor(gate=gate).sign_in()
        console.open("/refusals")
        console.page.get_by_role("heading", name="Nothing was turned away").wait_for()
        expect(console.page.locator(".three-checks li")).to_have_count(3)
        console.is_accessible()
    finally:
        gate.stop()
