"""What the pages of five products let one do with keys, done here by clicks. `tests/it/scenarios` does the same by the command line."""

import re

import pytest
from exports import export
from gate import DEADLINE_SECONDS, eventually, key_id
from playwright.sync_api import expect
from test_projects import dialog, submit, unique

# The machines that test may be slow.
expect.set_options(timeout=30_000)

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def project(owner):
    """A project with the grid `web`, made by clicks, whose page is open."""
    page, slug = owner.page, unique("shop")
    owner.open("/projects")
    page.get_by_role("link", name="Create project").click()
    dialog(page).get_by_label("Slug").fill(slug)
    submit(page, "Create project")
    page.get_by_role("link", name="Create grid").click()
    dialog(page).get_by_label("Slug").fill("web")
    submit(page, "Create grid")
    expect(page.get_by_role("region", name="Grids, table")).to_contain_text("web")
    return slug


def fill(owner, project, name, environment="Production"):
    """Opens the dialog for a new key of the project's grid, and fills in what every key has."""
    page = owner.page
    owner.open(f"/keys?project={project}")
    page.get_by_role("link", name="Create key").first.click()
    card = dialog(page)
    card.get_by_label("Name", exact=True).fill(name)
    expect(card.get_by_label("Project")).to_have_value(project)
    expect(card.get_by_label("Grid")).to_have_value("web")
    card.get_by_role("radio", name=environment).check()
    return card


def issued(page, is_new=True):
    """The token on the card, which is closed once it is copied."""
    card = dialog(page)
    expect(card.get_by_role("heading", name="Copy the secret now")).to_be_visible()
    copy = card.get_by_role("button", name="Copy", exact=True).first
    token = copy.get_attribute("data-copy")
    copy.click()
    card.get_by_role("button", name="I have copied it").click()
    if is_new:
        expect(card.get_by_role("heading", name="is ready")).to_be_visible()
        with page.expect_navigation():
            page.keyboard.press("Escape")
    else:
        page.wait_for_url(re.compile(rf"/keys/{key_id(token)}\??$"))
    return token


def done(page, name):
    """Sends the form of the dialog, which leads to another page."""
    with page.expect_navigation():
        submit(page, name)


def create(owner, project, name, environment="Production"):
    fill(owner, project, name, environment)
    submit(owner.page, "Create key")
    return issued(owner.page)


def verb(owner, token, link):
    """Opens a dialog from the page of a key."""
    page = owner.page
    owner.open(f"/keys/{key_id(token)}")
    head = page.locator(".page-head")
    offered = head.get_by_role("link", name=link)
    if not offered.is_visible():
        head.locator("summary").click()
    offered.click()
    return dialog(page)


def row(owner, project, name, view=""):
    """The row of a key in the list of its project."""
    owner.open(f"/keys?project={project}&view={view}")
    return owner.page.get_by_role("row").filter(has=owner.page.get_by_role("link", name=name, exact=True))


def test_one_key_per_grid_is_regenerated_at_once(owner, gate, project):
    page = owner.page
    owner.open(f"/projects/{project}")
    page.get_by_role("link", name="Edit…").click()
    dialog(page).get_by_label("Active keys at most").fill("1")
    submit(page, "Save changes")
    expect(page.get_by_role("main")).to_contain_text("at most 1")

    # The key is a UUID, as the grid's exporters know it; and there is no second.
    card = fill(owner, project, "web")
    card.locator(".key-advanced > summary").click()
    card.get_by_role("radio", name="UUID").check()
    submit(page, "Create key")
    old = issued(page)
    assert re.fullmatch(UUID, old)
    fill(owner, project, "another")
    expect(dialog(page)).to_contain_text("1 of 1 active keys in use")
    submit(page, "Create key")
    expect(dialog(page).get_by_role("alert")).to_contain_text("Enough active keys")
    with page.expect_navigation():
        page.keyboard.press("Escape")
    assert export(gate, old, service="before") == 200

    row(owner, project, "web").get_by_role("link", name="web", exact=True).click()
    head = page.locator(".page-head")
    head.get_by_role("link", name="Regenerate…").click()
    expect(dialog(page)).to_contain_text("before sent data in the last minute.")
    submit(page, "Regenerate secret")
    new = issued(page, is_new=False)
    assert (export(gate, old), export(gate, new, service="after")) == (401, 200)
    assert gate.rows(f"{project}/web/production", "traces", "after")


def test_a_customers_key_has_an_environment_permissions_and_a_last_use(owner, gate, project):
    page = owner.page
    card = fill(owner, project, "acme-agent", "Staging")
    card.get_by_role("radio", name="Own permissions…").check()
    card.get_by_label("Traces", exact=True).check()
    card.get_by_label("Logs", exact=True).check()
    card.locator(".key-advanced > summary").click()
    card.get_by_label("Owner").fill("ACME")
    card.get_by_role("radio", name="90 d").check()
    submit(page, "Create key")
    token = issued(page)
    assert token.startswith("ggi_stg_")

    # The list shows what it may do, its environment, its status and that nobody has used it yet.
    listed = row(owner, project, "acme-agent")
    for words in ["stg", "Own permissions", "Traces, logs", "Active", "Never used", "Expires in"]:
        expect(listed).to_contain_text(words)
    assert (export(gate, token), export(gate, token, path="/v1/metrics")) == (200, 403)
    _by_and_by(owner, project, "acme-agent", re.compile("127.0.0.1"))
    expect(row(owner, project, "acme-agent")).not_to_contain_text("Never used")
    owner.open(f"/keys?project={project}&q=ACME")
    expect(page.get_by_role("link", name="acme-agent", exact=True)).to_be_visible()

    # «Revoke» for the time being, which can be undone.
    verb(owner, token, "Revoke…").get_by_role("radio", name="Disable temporarily").check()
    done(page, "Disable key")
    expect(row(owner, project, "acme-agent")).to_contain_text("Inactive")
    assert export(gate, token) == 401
    verb(owner, token, "Enable…")
    done(page, "Enable key")
    expect(row(owner, project, "acme-agent")).to_contain_text("Active")
    assert export(gate, token) == 200

    # And what happened stays to be looked up.
    owner.open(f"/keys/{key_id(token)}/audit")
    for action in ["key.created", "key.disabled", "key.enabled"]:
        expect(page.get_by_role("row", name=re.compile(action))).to_be_visible()


def test_a_key_with_a_role_has_an_id_to_show_and_a_secret_to_keep(owner, gate, project):
    page, role = owner.page, unique("shipper")
    owner.open("/roles")
    page.get_by_role("link", name="Create role").click()
    dialog(page).get_by_label("Slug").fill(role)
    dialog(page).get_by_label("Export logs").check()
    submit(page, "Create role")
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_have_text(role)

    card = fill(owner, project, "fluent")
    card.get_by_role("radio", name=re.compile(f"^{role}")).check()
    submit(page, "Create key")
    token = issued(page)
    assert (export(gate, token, path="/v1/logs"), export(gate, token)) == (200, 403)

    # The id stands in the list and finds the key; the secret stands nowhere.
    listed = row(owner, project, "fluent")
    for words in [key_id(token), role]:
        expect(listed).to_contain_text(words)
    owner.open(f"/keys?q={key_id(token)}")
    expect(page.get_by_role("link", name="fluent", exact=True)).to_be_visible()
    assert token.rpartition("_")[2] not in page.content()

    # Name and role are edited, and the token goes on; revoked, it is history.
    page.get_by_role("link", name="fluent", exact=True).click()
    page.locator(".tabs").get_by_role("link", name="Settings").click()
    page.get_by_label("Name").fill("vector")
    page.get_by_label("Role").select_option("ingest")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert export(gate, token) == 200
    card = verb(owner, token, "Revoke…")
    card.get_by_role("radio", name="Revoke permanently").check()
    card.get_by_label("Type vector to confirm").fill("vector")
    done(page, "Revoke key")
    expect(row(owner, project, "vector", view="revoked")).to_contain_text("Revoked")
    assert export(gate, token) == 401


def test_a_key_of_project_and_environment_routes_by_itself(owner, gate, project):
    tokens = {name: create(owner, project, f"sdk-{name.lower()}", name) for name in ["Staging", "Production"]}
    for name, token in tokens.items():
        # What the sender says of its environment changes nothing.
        assert export(gate, token, service=name, environment="elsewhere") == 200
    for name in tokens:
        assert gate.rows(f"{project}/web/{name.lower()}", "traces", name)
    assert not gate.rows_now(f"{project}/web/production", "traces", "Staging")

    # Each environment has its rows, and the page of the project leads to them.
    owner.open(f"/keys?project={project}&environment=staging")
    expect(owner.page.get_by_role("link", name="sdk-staging", exact=True)).to_be_visible()
    expect(owner.page.get_by_role("link", name="sdk-production", exact=True)).to_have_count(0)

    # A key that is lost is replaced: in its environment, and nowhere else.
    verb(owner, tokens["Staging"], "Regenerate…")
    submit(owner.page, "Regenerate secret")
    again = issued(owner.page, is_new=False)
    assert (export(gate, tokens["Staging"]), export(gate, again), export(gate, tokens["Production"])) == (401, 200, 200)


def test_usage_and_limits_of_a_key_are_seen_and_raised(owner, gate, project):
    page = owner.page
    card = fill(owner, project, "metered")
    card.locator(".key-advanced > summary").click()
    card.get_by_label("Limits").fill("3 items/day")
    submit(page, "Create key")
    token = issued(page)
    assert [export(gate, token) for _ in range(4)] == [200, 200, 200, 403]

    expect(row(owner, project, "metered")).to_contain_text("3/day")
    _by_and_by(owner, project, "metered", re.compile("1 refused"))
    owner.open(f"/keys/{key_id(token)}")
    expect(page.locator("#usage .panel-head .meta")).to_have_text("3 exports accepted, 1 refused")
    facts = page.get_by_role("complementary", name="About the key")
    expect(facts).to_contain_text(re.compile("Daily quota.*3 items/day.*100 % used", re.DOTALL))

    # The page says why nothing arrives, and the limit is raised where it stands.
    eventually("the refusal is written down", lambda: gate.show("refusals", "--project", project))
    page.locator(".tabs").get_by_role("link", name="Refusals").click()
    expect(page.get_by_role("row", name=re.compile("quota_exhausted"))).to_contain_text("have the quota raised")
    page.locator(".tabs").get_by_role("link", name="Settings").click()
    page.get_by_label("Limits", exact=True).fill("1000 items/day")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status")).to_have_text("Saved")
    assert export(gate, token) == 200

    # What the project sent is on the page of usage, and as much as its keys sent.
    owner.open(f"/usage?project={project}&by=key")
    expect(page.get_by_role("rowheader", name="metered")).to_be_visible(timeout=DEADLINE_SECONDS * 1000)


def _by_and_by(owner, project, name, words):
    """Opens the list until the row of the key has these words: uses are written down soon after."""
    for _ in range(60):
        try:
            expect(row(owner, project, name)).to_contain_text(words, timeout=1_000)
            return
        except AssertionError:
            continue
    expect(row(owner, project, name)).to_contain_text(words)
