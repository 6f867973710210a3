"""Creating a key: the dialog, the secret that is shown once, what is copied from there, and the first export."""

import os
import shlex
import subprocess
import sys
import uuid

import pytest
import yaml
from playwright.sync_api import expect

from gate import DEADLINE_SECONDS, eventually, key_id

TENANT = "demo/demo/production"


def fresh(name="shop"):
    """A name that no other key has."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def create(console, name, role="ingest"):
    """Creates a key on the page, which is the dialog's card, and stays at its secret."""
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.open("/keys/new")
    page = console.page
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("radio", name=role, exact=False).first.check()
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="Copy the secret now").wait_for()
    return page


def copied(page, name, tab=None):
    """What a button copies, after the tab of its text is chosen."""
    if tab:
        page.get_by_role("tab", name=tab, exact=True).click()
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator("#said")).to_have_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    page.evaluate("document.getElementById('said').textContent = ''")
    return text


def run(command, **variables):
    """Runs a sender as a user would, with nothing of the tests in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "GRIDGATE_"))}
    done = subprocess.run(
        command, env=clean | variables, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_python_snippet_turns_the_line_green(owner, gate):
    name = fresh()
    page = create(owner, name)
    expect(page.get_by_text("Waiting for first export…")).to_be_visible()
    owner.is_accessible()
    owner.fits()

    snippet = copied(page, "Copy Python", tab="Python")
    assert "•" not in snippet
    done = run([sys.executable, "-c", snippet])
    assert "rror" not in done.stderr, done.stderr
    expect(page.locator("#first-export").get_by_text("First export received")).to_be_visible()
    expect(page.locator("#said")).to_have_text("The first export has arrived")
    expect(page.locator("#first-export")).to_contain_text(name)
    owner.is_accessible()
    assert gate.rows(TENANT, "traces", name, "name")[0]["name"] == "first-export"

    # What is there needs no waiting for: the button leads to the key.
    page.get_by_role("button", name="I have copied it").click()
    page.wait_for_url(lambda url: "/keys/key_" in url and "waiting" not in url)


def test_shell_dotenv_and_curl_work_as_copied(owner, gate):
    name = fresh()
    page = create(owner, name)
    token = copied(page, "Copy")
    exports = copied(page, "Copy Env vars", tab="Env vars")
    dotenv = copied(page, "Copy .env", tab=".env")
    curl = copied(page, "Copy curl", tab="curl")

    expected = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{gate.http}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={token}",
        "OTEL_SERVICE_NAME": name,
    }
    assert dict(shlex.split(line)[0].split("=", 1) for line in dotenv.splitlines()) == expected
    # The shell itself reads the other.
    sender = (
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter\n"
        "provider = TracerProvider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))\n"
        "provider.get_tracer('t').start_span('by-variables').end()\n"
    )
    run(["sh", "-c", f"{exports}\nexec {shlex.quote(sys.executable)} -c {shlex.quote(sender)}"])
    assert gate.rows(TENANT, "traces", name, "name")[0]["name"] == "by-variables"

    run(["sh", "-c", curl])
    row = gate.rows(TENANT, "logs", name, "time_unix_nano")[0]
    assert row["time_unix_nano"], "the record is of this moment"


def test_yaml_is_what_its_readers_expect(owner, gate):
    # No name gets out of its place.
    name = fresh('a: "b" $(reboot) #')
    page = create(owner, name)
    token = copied(page, "Copy")
    text = {tab: copied(page, f"Copy {tab}", tab=tab) for tab in ("Collector", "Compose", "Actions")}
    parsed = {tab: yaml.safe_load(one) for tab, one in text.items()}

    service = name.replace('a: "b" $(reboot) #', "a---b----reboot---")
    endpoint = f"http://{gate.http}"
    assert parsed["Collector"] == {"exporters": {"otlp_http": {"endpoint": endpoint, "headers": {"api-key": token}}}}
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={token}",
        "OTEL_SERVICE_NAME": service,
    }
    assert parsed["Compose"] == {"services": {service: {"environment": environment}}}
    # A workflow is in the repository: the secret is not.
    assert token not in text["Actions"]
    header = {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=${{ secrets.GRIDGATE_KEY }}"}
    assert parsed["Actions"] == {"env": environment | header}


def test_a_key_for_one_signal_gets_what_works_for_it(owner, gate):
    name = fresh()
    page = create(owner, name, role="ingest-metrics")
    assert page.get_by_role("tab", name="Python").count() == 0, "it sends a span"
    run(["sh", "-c", copied(page, "Copy curl", tab="curl")])
    expect(page.locator("#first-export").get_by_text("First export received")).to_be_visible()


def test_exports_that_are_refused_are_told(owner, gate):
    page = create(owner, fresh(), role="ingest-logs")
    token = copied(page, "Copy")
    assert gate.post("/v1/traces", b"{}", token=token)[0] == 403
    expect(page.get_by_text("Exports arrive and are refused")).to_be_visible()
    # What is refused at first may be right at last.
    assert gate.post("/v1/logs", b'{"resourceLogs": []}', token=token)[0] == 200
    expect(page.locator("#first-export").get_by_text("First export received")).to_be_visible()


def test_the_secret_is_on_the_card_and_nowhere_else(owner, gate):
    answers = []
    owner.page.on("response", lambda answer: answers.append(answer))
    page = create(owner, fresh())
    token = copied(page, "Copy")
    assert token.startswith("ggi_prd_") and len(token) == 59
    shown = page.locator("body").inner_text()
    assert token not in shown and f"{token.rpartition('_')[0]}_••••••••••••" in shown
    page.get_by_role("button", name="Reveal").click()
    assert token in page.locator("body").inner_text()
    page.get_by_role("button", name="Reveal").click()
    assert token not in page.locator("body").inner_text()

    made = [answer for answer in answers if answer.request.method == "POST" and "/keys/new" in answer.url]
    assert made[-1].status == 200 and made[-1].headers["cache-control"] == "no-store"
    secret = token.rpartition("_")[2]
    assert not [answer.url for answer in answers if secret in answer.url]
    assert secret not in page.title()
    assert page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, history.state])") == "[{},{},null]"

    # Who looks for it later is told what to do.
    owner.open(f"/keys/{key_id(token)}/snippets")
    assert secret not in page.content()
    page.get_by_text("The secret cannot be shown again.").wait_for()
    expect(page.get_by_role("link", name="Regenerate…")).to_be_visible()
    expect(page.get_by_role("link", name="Rotate…")).to_be_visible()
    assert token.rpartition("_")[0] in page.locator("pre").first.inner_text()
    owner.is_accessible()
    owner.fits()
    assert secret not in gate.logged()


def test_it_is_not_closed_without_being_copied(owner):
    owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = owner.page
    owner.open("/keys")
    page.get_by_role("link", name="Create key").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    dialog.get_by_label("Name", exact=True).fill(fresh())
    page.keyboard.press("Enter")
    copy = dialog.get_by_role("button", name="Copy", exact=True)
    expect(copy).to_be_focused()

    # Escape leads there and back; only the button throws the secret away.
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(copy).to_be_focused()
    for leave in (lambda: page.keyboard.press("Escape"), lambda: dialog.get_by_role("link", name="Close").click()):
        leave()
        back = dialog.get_by_role("button", name="Back to the secret")
        expect(back).to_be_focused()
        expect(copy).to_be_hidden()
        owner.is_accessible()
        back.click()
        expect(copy).to_be_focused()

    done = dialog.get_by_role("button", name="I have copied it")
    expect(done).not_to_have_class("primary")
    # The id of the key is no secret.
    dialog.get_by_role("button", name="Copy key id").click()
    expect(page.locator("#said")).to_have_text("Copied")
    expect(done).not_to_have_class("primary")
    copy.click()
    expect(done).to_have_class("primary")
    done.click()
    expect(dialog.get_by_role("heading", name="is ready")).to_be_visible()
    expect(dialog.get_by_text("Waiting for first export…")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("in_dialog", [True, False])
def test_a_reload_asks_back_until_the_secret_is_copied(owner, in_dialog):
    asked = []
    page = owner.page
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
    owner.open("/keys" if in_dialog else "/keys/new")
    if in_dialog:
        page.get_by_role("link", name="Create key").click()
    page.get_by_label("Name", exact=True).fill(fresh())
    page.get_by_role("button", name="Create key").click()
    heading = page.get_by_role("heading", name="Copy the secret now")
    heading.wait_for()
    page.evaluate("setTimeout(() => location.reload())")
    eventually("it is asked", lambda: page.evaluate("1") and asked)
    assert asked == ["beforeunload"]
    expect(heading).to_be_visible()
    copied(page, "Copy")
    with page.expect_navigation():
        page.evaluate("setTimeout(() => location.assign('/console/keys'))")
    assert len(asked) == 1
    # The button that says that it was copied is taken at its word.
    create(owner, fresh()).get_by_role("button", name="I have copied it").click()
    page.get_by_role("heading", name="is ready").wait_for()
    assert len(asked) == 1


def test_what_was_typed_stays_where_the_server_cannot_take_it(owner, gate):
    page = owner.page
    owner.open("/keys")
    page.get_by_role("link", name="Create key").click()
    dialog = page.get_by_role("dialog")
    name = fresh()
    dialog.get_by_label("Name", exact=True).fill(name)
    card = '<main><div data-dialog-content><h1>Catalog unavailable</h1><p>Try again soon.</p></div></main>'
    for answer, said in [
        (lambda route: route.fulfill(status=503, content_type="text/html", body=card), "Catalog unavailable · Try again soon."),
        (lambda route: route.abort(), "The server was not reached. Nothing is known to have changed."),
    ]:
        page.route("**/keys/new", answer)
        dialog.get_by_role("button", name="Create key").click()
        # Seen, and told from within the dialog: what is behind it is told to nobody.
        expect(dialog.get_by_role("status")).to_have_text(said)
        expect(dialog.get_by_text(said)).to_be_visible()
        expect(dialog.get_by_label("Name", exact=True)).to_have_value(name)
        page.unroute("**/keys/new")
    owner.is_accessible()
    dialog.get_by_role("button", name="Create key").click()
    dialog.get_by_role("heading", name="Copy the secret now").wait_for()


def test_what_is_wrong_stands_at_its_field(owner, gate):
    name = fresh()
    gate.create_key(name, environment="production")
    owner.open("/keys/new")
    page = owner.page
    page.get_by_label("Name", exact=True).fill(name)
    page.locator(".key-advanced > summary").click()
    page.get_by_label("Note").fill("in the cellar")
    page.get_by_role("radio", name="Never").check()
    page.get_by_role("button", name="Create key").click()
    field = page.get_by_label("Name", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#name-help")).to_contain_text("revoke the key that has it")
    expect(field).to_have_value(name)
    owner.is_accessible()
    page.locator(".key-advanced > summary").click()
    expect(page.get_by_label("Note")).to_have_value("in the cellar")
    expect(page.get_by_role("radio", name="Never")).to_be_checked()

    # What is hidden comes out where it is wrong.
    field.fill(fresh())
    page.get_by_label("Allowed addresses").fill("10.4.0.0/46")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_label("Allowed addresses")).to_be_visible()
    expect(page.get_by_label("Allowed addresses")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Allowed addresses").fill("10.4.0.0/16")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="Copy the secret now").wait_for()


def test_a_form_that_is_sent_twice_makes_one_key(owner, gate):
    name = fresh()
    owner.open("/keys/new")
    owner.page.get_by_label("Name", exact=True).fill(name)
    pages = owner.page.evaluate(
        """async () => {
            const form = document.querySelector("form[data-create]");
            const send = () => fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
            return [await (await send()).text(), await (await send()).text()];
        }"""
    )
    first, second = (one.partition('data-copy="ggi_')[2].partition('"')[0] for one in pages)
    assert first and first == second
    assert len([key for key in gate.show("keys", "list", "--query", name) if key["name"] == name]) == 1


def test_what_was_chosen_is_what_the_key_has(owner, gate):
    name = fresh()
    owner.open("/keys/new?environment=staging")
    page = owner.page
    page.get_by_label("Name", exact=True).fill(name)
    expect(page.get_by_role("radio", name="Staging")).to_be_checked()
    expect(page.locator(".goes-to")).to_contain_text("Goes to demo / demo stg")
    page.get_by_role("radio", name="Development").check()
    expect(page.locator(".goes-to")).to_contain_text("Goes to demo / demo dev")
    page.get_by_role("radio", name="Own permissions…").check()
    page.get_by_label("Logs", exact=True).check()
    page.get_by_label("Others").fill("customer.read")
    page.locator(".key-advanced > summary").click()
    page.get_by_role("radio", name="30 d", exact=True).check()
    page.get_by_label("Limits").fill("20 requests/second burst 40")
    page.get_by_label("Tags").fill("blue, green")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="Copy the secret now").wait_for()
    key, = [key for key in gate.show("keys", "list", "--query", name) if key["name"] == name]
    assert key["environment"] == "development" and key["role"] is None and key["tags"] == ["blue", "green"]
    assert sorted(key["permissions"]) == ["customer.read", "telemetry.logs.write"]
    assert [(limit["amount"], limit["burst"]) for limit in key["limits"]] == [(20, 40)]
    assert key["expires_at"]


def test_it_works_without_script(visitor, gate):
    console = visitor(java_script_enabled=False).sign_in()
    page = console.page
    console.open("/keys/new")
    page.get_by_label("Name", exact=True).fill(fresh())
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name="Copy the secret now").wait_for()
    # There is nothing that could uncover or copy it.
    token = page.locator(".secret-line .whole").inner_text()
    assert gate.post("/v1/logs", b'{"resourceLogs": []}', token=token)[0] == 200
    expect(page.get_by_role("button", name="Reveal")).to_be_hidden()
    expect(page.get_by_text("from opentelemetry import trace")).to_be_visible()
    page.get_by_role("button", name="I have copied it").click()
    page.wait_for_url(lambda url: f"/keys/{key_id(token)}" in url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 768, 360])
def test_it_fits_and_is_accessible(visitor, scheme, width):
    console = visitor(viewport={"width": width, "height": 800}, color_scheme=scheme).sign_in()
    console.open("/keys/new")
    console.page.locator(".key-advanced > summary").click()
    console.page.get_by_role("radio", name="Own permissions…").check()
    console.is_accessible()
    console.fits()
    page = create(console, fresh())
    console.is_accessible()
    console.fits()
    page.get_by_role("button", name="I have copied it").click()
    page.get_by_role("heading", name="is ready").wait_for()
    console.is_accessible()
    console.fits()
