"""What hostile names, hostile pages and thieves achieve in a real browser: nothing."""

import json
import urllib.request

import pytest
from browser import CHROMIUM, FLAGS
from foreign import site
from gate import eventually

COOKIE = "__Host-gridgate"


def cookie_of(console):
    """The session's cookie."""
    one, = [one for one in console.context.cookies() if one["name"] == COOKIE]
    return one


def is_in(console):
    """Whether the session goes on."""
    console.open("/audit")
    return console.page.get_by_role("heading", name="Audit log").is_visible()


def api(gate, path, body):
    """What the admin API makes of `body`, as the owner."""
    headers = {"content-type": "application/json", "x-api-key": gate.variables["GRIDGATE_ADMIN_KEY"]}
    request = urllib.request.Request(f"http://{gate.admin}/api/v1{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_a_session_cannot_be_read_and_a_stolen_one_can_be_ended(visitor):
    console, thief = visitor().sign_in(), visitor()
    console.open("/audit")
    seen = console.page.evaluate("""() => JSON.stringify([
        document.cookie, {...localStorage}, {...sessionStorage}, location.href, document.documentElement.outerHTML, history.state,
    ])""")
    cookie = cookie_of(console)
    key = console.gate.variables["GRIDGATE_ADMIN_KEY"]
    assert cookie["value"] not in seen and key not in seen
    assert COOKIE not in seen

    # Stolen all the same, from the disk for instance: it is seen in the list, and ended.
    thief.context.add_cookies([cookie])
    assert is_in(thief)
    console.page.get_by_role("button", name="Sign out").click()
    console.page.get_by_role("heading", name="Sign in").wait_for()
    assert not is_in(thief)


def test_a_planted_session_is_not_taken_over(visitor):
    console = visitor()
    planted = {"name": COOKIE, "value": "A" * 32, "url": console.url.replace("http:", "https:"), "secure": True}
    console.context.add_cookies([{**planted, "httpOnly": True, "sameSite": "Strict"}])
    assert cookie_of(console)["value"] == "A" * 32
    console.sign_in()
    assert cookie_of(console)["value"] != "A" * 32


def test_another_sites_page_does_nothing_in_a_visitors_name(owner):
    assert is_in(owner)
    admin = owner.url.removesuffix("/console")
    forms = "".join(
        f"""<form method=post enctype="{enctype}" target=f{number} action="{owner.url}{path}">
            <input name=form_token value=x><input name=theme value=dark></form><iframe name=f{number}></iframe>"""
        for number, (path, enctype) in enumerate(
            [
                ("/sign-out", "application/x-www-form-urlencoded"),
                ("/sign-out-everywhere", "text/plain"),
                ("/theme", "multipart/form-data"),
                ("/theme", "application/x-www-form-urlencoded"),
                ("/sign-in", "application/x-www-form-urlencoded"),
            ]
        )
    )
    page = f"""<!doctype html><title>Prizes</title>{forms}<iframe src="{owner.url}/audit" name=framed></iframe>
        <img src="{owner.url}/audit"><script>
        for (const form of document.forms) form.submit();
        const read = async () => {{
            const tries = [];
            for (const [url, options] of [
                ["{owner.url}/audit", {{}}],
                ["{owner.url}/sign-out", {{ method: "POST", body: new URLSearchParams({{ form_token: "x" }}) }}],
                ["{admin}/api/v1/me", {{}}],
                ["{admin}/api/v1/sessions", {{ method: "DELETE" }}],
            ]) {{
                tries.push(await fetch(url, {{ credentials: "include", ...options }}).then((a) => a.text(), () => "refused"));
            }}
            const framed = await new Promise((done) => setTimeout(() => {{
                try {{ done(frames.framed.document.body.innerText) }} catch {{ done("refused") }}
            }}, 0));
            await fetch("/heard", {{ method: "POST", body: JSON.stringify([...tries, framed, frames.length]) }});
        }};
        addEventListener("load", read);
        </script>"""
    with site(page=page) as (url, heard):
        tab = owner.context.new_page()
        tab.goto(f"{url}/page")
        tried = json.loads(eventually("the page has tried everything", lambda: heard)[0])
        assert tried[:4] == ["refused"] * 4
        # What it embeds is shown to nobody: neither the console nor what its answers to the forms say.
        for frame in tab.frames[1:]:
            assert frame.locator("body").text_content().find("Audit log") < 0
        tab.close()
    assert is_in(owner), "it was not signed out"
    assert [one["name"] for one in owner.context.cookies()] == [COOKIE], "nor given a theme"


def test_a_link_from_elsewhere_leads_to_the_page_and_not_to_signing_in(owner):
    assert is_in(owner)
    with site(page=f'<!doctype html><title>Notes</title><a href="{owner.url}/audit?action=key.created">the log</a>') as (url, _):
        owner.page.goto(f"{url}/page")
        owner.page.get_by_role("link", name="the log").click()
        owner.page.get_by_role("heading", name="Audit log").wait_for()
        assert owner.page.url == f"{owner.url}/audit?action=key.created"


HOSTILE = [
    '<img src=x onerror="window.hacked = 1">',
    '"><script>window.hacked = 1</script>',
    "' autofocus onfocus='window.hacked = 1",
    "</textarea></title></select><svg onload=window.hacked=1>",
    "{{7*7}} ${7*7} <b>bold</b> &lt;",
    "javascript:window.hacked=1",
]


@pytest.fixture
def hostile(gate):
    """A project in which every text that somebody may choose is hostile."""
    slug = "hostile"
    api(gate, "/projects", {"slug": slug, "name": HOSTILE[0]})
    api(gate, f"/projects/{slug}/grids", {"slug": "web", "name": HOSTILE[1]})
    api(gate, "/plans", {"slug": "hostile-plan", "name": HOSTILE[3], "note": HOSTILE[0]})
    keys = []
    for name in HOSTILE:
        body = {"name": name, "note": name, "owner": name, "project": slug, "grid": "web", "environment": "development"}
        keys.append(api(gate, "/keys", body))
    api(gate, "/members", {"name": HOSTILE[1], "role": "viewer", "note": HOSTILE[0], "project": slug})
    role = {"slug": "hostile-role", "name": HOSTILE[0], "note": HOSTILE[1], "kind": "ingest"}
    api(gate, "/roles", {**role, "permissions": ["telemetry.logs.write"]})
    spans = [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": HOSTILE[0],
              "startTimeUnixNano": "1", "endTimeUnixNano": "2"}]
    for issued, name in zip(keys, HOSTILE, strict=True):
        attributes = [{"key": key, "value": {"stringValue": name}}
                      for key in ("service.name", "host.name", "telemetry.sdk.name", "deployment.environment.name")]
        body = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]}]}
        status, _ = gate.post("/v1/traces", json.dumps(body).encode(), token=issued["token"])
        assert status == 200
        # Turned away: a signal without a body that can be read.
        gate.post("/v1/logs", name.encode(), token=issued["token"])
    gate.run("keys", "disable", keys[-1]["key"]["id"], "--force")
    gate.post("/v1/traces", b"{}", token=keys[-1]["token"])
    return slug


# As many pages are looked at, at the most: all that are there when this was written, several times over.
MOST_PAGES = 120


def test_names_are_shown_and_never_run(owner, hostile):
    """Every page that a link leads to from the overview, with hostile texts wherever texts are."""
    owner.context.add_init_script("window.addEventListener('securitypolicyviolation', () => { window.violated = true })")
    base = owner.url
    waiting, seen, shown = [base, f"{base}/audit", f"{base}/keys?project={hostile}", f"{base}/projects?project={hostile}"], set(), 0
    while waiting and len(seen) < MOST_PAGES:
        url = waiting.pop(0).split("#")[0]
        # One page of each kind for each hostile thing is enough; filters make endless combinations.
        if url in seen or url.count("=") > 2:
            continue
        seen.add(url)
        answer = owner.page.goto(url, wait_until="load")
        if "html" not in (answer.headers.get("content-type") or ""):
            continue
        assert answer.status < 500, url
        state = owner.page.evaluate("[window.hacked, window.violated, document.querySelectorAll('[onerror],[onload],[onfocus]').length]")
        assert state == [None, None, 0], f"{url}: {state}"
        shown += owner.page.locator("body").text_content().count("window.hacked")
        links = owner.page.locator("a[href]").evaluate_all("all => all.map(one => one.href)")
        assert not [link for link in links if link.startswith("javascript:")], url
        waiting += [link for link in links if link.startswith(base) and "sign-out" not in link]
    assert shown > 0, "no page has shown a hostile name: this test sees nothing"


def test_over_plain_http_signing_in_says_why_it_cannot_work(chromium, gate):
    port = gate.admin.rpartition(":")[2]
    # By a name that is not this machine's own.
    rules = "--host-resolver-rules=MAP gate.test 127.0.0.1"
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, rules])
    page = browser.new_page()
    page.goto(f"http://gate.test:{port}/console/audit")
    page.get_by_role("heading", name="Sign in").wait_for()
    page.get_by_text("This page came as plain text.").wait_for()
    page.get_by_label("Admin key").fill(gate.variables["GRIDGATE_ADMIN_KEY"])
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("Nobody was signed in: this page did not come over TLS.").wait_for()
    page.get_by_text("[listen.admin_tls]").wait_for()
    assert page.context.cookies() == []
    # And this is why: the browser drops the cookie without a word.
    page.goto(f"http://gate.test:{port}/console/signed-in")
    page.get_by_role("heading", name="Your browser did not keep the session").wait_for()
    browser.close()
