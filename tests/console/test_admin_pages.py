"""Limits and plans, members, roles and the audit log, by clicks."""

import pytest
from playwright.sync_api import expect
from test_projects import dialog, submit, unique

PAGES = ["/projects", "/projects/demo", "/limits", "/limits?project=demo", "/members", "/roles", "/roles/admin", "/audit"]
DIALOGS = ["/projects/-/new", "/projects/demo/edit", "/projects/demo/suspend", "/plans/-/new", "/members/new", "/roles/-/new?kind=admin", "/audit/verify"]


def test_a_plan_is_created_edited_and_deleted(owner, gate):
    page, slug = owner.page, unique("trial")
    owner.open("/limits")
    page.get_by_role("link", name="Create plan").first.click()
    dialog(page).get_by_label("Slug").fill(slug)
    dialog(page).get_by_label("Limits of the whole project").fill("5000000000 bytes/month")
    dialog(page).get_by_label("Limits of each key").fill("50 requests/day\n10 items/second burst 5")
    submit(page, "Create plan")
    # Everything that is wrong is told at once, at its line.
    expect(dialog(page)).to_contain_text("50 requests/day: a limit per day or month counts items or bytes")
    expect(dialog(page)).to_contain_text("10 items/second burst 5: a burst is a whole number")
    owner.is_accessible()
    dialog(page).get_by_label("Limits of each key").fill("50 requests/second burst 200")
    submit(page, "Create plan")
    row = page.get_by_role("row", name=slug)
    expect(row).to_contain_text("50 requests/s")

    page.get_by_role("link", name=f"Edit {slug}").click()
    expect(dialog(page).get_by_label("Limits of each key")).to_have_value("50 requests/second burst 200")
    dialog(page).get_by_label("Active keys at most").fill("2")
    submit(page, "Save changes")
    expect(row).to_contain_text("at most 2")
    assert gate.show("plans", "show", slug)["max_active_keys"] == 2

    project = unique("shop")
    gate.run("projects", "create", project, "--plan", slug)
    page.get_by_role("link", name=f"Delete {slug}").click()
    submit(page, "Delete plan")
    expect(dialog(page).get_by_role("alert")).to_contain_text("Plan is in use")
    gate.run("projects", "edit", project, "--no-plan")
    submit(page, "Delete plan")
    expect(page.get_by_role("row", name=slug)).to_have_count(0)


def test_limits_of_a_project_and_a_tenant_are_set_and_stand(owner, gate):
    page, project = owner.page, unique("shop")
    gate.run("projects", "create", project)
    gate.run("grids", "create", "web", "--project", project)
    owner.open("/limits")
    page.get_by_role("region", name="Projects, table").get_by_role("link", name=project).click()
    page.get_by_role("link", name=f"Edit limits of {project}").click()
    dialog(page).get_by_label("Limits").fill("1000000 items/day observe")
    submit(page, "Save limits")
    standing = page.get_by_role("region", name="Limits of the project, table")
    expect(standing).to_contain_text("1 M items/day")
    expect(standing).to_contain_text("Observes only: nothing was sent yesterday")

    page.get_by_label("Environment").select_option("staging")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Edit limits of the tenant").click()
    dialog(page).get_by_label("Limits").fill("2000 items/second burst 9000")
    submit(page, "Save limits")
    expect(page.get_by_role("region", name="Limits of the tenant, table")).to_contain_text("burst 9,000")
    owner.is_accessible()
    of_tenant = gate.show("limits", "show", "--tenant", f"{project}/web/staging")
    assert [limit["burst"] for limit in of_tenant["limits"]] == [9000]


def test_a_member_is_invited_signs_in_and_is_removed(owner, visitor, gate):
    page, name = owner.page, unique("Ada")
    owner.open("/members")
    page.get_by_role("link", name="Invite member").first.click()
    dialog(page).get_by_label("Expires").fill("yesterday")
    dialog(page).get_by_label("Name").fill(name)
    submit(page, "Invite member")
    expect(dialog(page).get_by_label("Expires")).to_have_attribute("aria-invalid", "true")
    dialog(page).get_by_label("Expires").fill("2036-04-30")
    dialog(page).get_by_label("Role").select_option("operator")
    submit(page, "Invite member")
    expect(dialog(page)).to_contain_text(f"{name} signs in with it")
    token = dialog(page).get_by_role("button", name="Copy", exact=True).first.get_attribute("data-copy")
    assert token.startswith("gga_") and token not in page.url
    owner.is_accessible()

    ada = visitor().sign_in(token)
    ada.open("/projects")
    expect(ada.page.get_by_role("main").get_by_role("heading", level=1)).to_have_text("Projects")

    owner.open("/members")
    assert token not in page.content(), "it was shown once"
    page.get_by_role("link", name=f"Edit {name}").click()
    dialog(page).get_by_label("Role").select_option("viewer")
    submit(page, "Save changes")
    expect(page.get_by_role("row", name=name)).to_contain_text("viewer")
    page.get_by_role("link", name=f"Remove {name}").click()
    expect(dialog(page)).to_contain_text("signed out everywhere at once")
    submit(page, "Remove member")
    expect(page.get_by_role("row", name=name)).to_have_count(0)
    ada.open("/projects")
    expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_role_is_created_edited_and_deleted(owner, gate):
    page, slug = owner.page, unique("support")
    owner.open("/roles")
    page.get_by_role("link", name="Create role").click()
    dialog(page).get_by_label("Slug").fill(slug)
    dialog(page).get_by_role("radio", name="For people and scripts").check()
    expect(dialog(page).get_by_label("See keys", exact=True)).to_be_visible()
    expect(dialog(page).get_by_label("Slug")).to_have_value(slug)
    submit(page, "Create role")
    expect(dialog(page)).to_contain_text("the list is empty")
    dialog(page).get_by_label("See keys", exact=True).check()
    dialog(page).get_by_label("See usage, senders").check()
    dialog(page).get_by_label("Permissions of your own").fill("customer.read")
    submit(page, "Create role")
    expect(page.get_by_role("main").get_by_role("heading", level=1)).to_have_text(slug)
    assert gate.show("roles", "show", slug)["permissions"] == ["api.key.view", "customer.read", "usage.view"]
    owner.is_accessible()
    page.get_by_role("link", name=f"Edit {slug}").click()
    expect(dialog(page).get_by_label("See keys", exact=True)).to_be_checked()
    dialog(page).get_by_label("See keys", exact=True).uncheck()
    submit(page, "Save changes")
    expect(page.get_by_text("Not: See keys")).to_be_attached()
    assert gate.show("roles", "show", slug)["permissions"] == ["customer.read", "usage.view"]
    page.get_by_role("link", name=f"Delete {slug}").click()
    submit(page, "Delete role")
    expect(page.get_by_role("row", name=slug)).to_have_count(0)


def test_what_the_visitor_lacks_is_not_given(visitor, gate):
    role = unique("steward")
    gate.run("roles", "create", role, "--kind", "admin", *(f"--permission={one}" for one in ["role.view", "role.create", "project.view"]))
    console = visitor().sign_in(gate.run("members", "invite", "--name", unique("joe"), "--role", role))
    console.open("/roles/-/new?kind=admin")
    expect(console.page.get_by_label("Create roles")).to_be_visible()
    expect(console.page.get_by_label("Revoke keys")).to_have_count(0)


def test_the_audit_log_tells_what_was_changed_and_is_verified(owner, gate):
    page, slug = owner.page, unique("shop")
    gate.run("projects", "create", slug, "--name", "Before")
    gate.run("projects", "edit", slug, "--name", "After")
    owner.open("/audit")
    page.get_by_label("What").select_option("project.edited")
    page.get_by_label("Target").fill(f"project:{slug}")
    page.get_by_role("button", name="Show").click()
    row, = page.get_by_role("region", name="Audit log, table").locator("tbody tr").all()
    row.get_by_text("1 field").click()
    expect(row.locator("del")).to_have_text("Before")
    expect(row.locator("ins")).to_have_text("After")
    owner.is_accessible()

    page.get_by_label("Target").fill("nothing at all")
    page.get_by_label("From").fill("someday")
    page.get_by_role("button", name="Show").click()
    for label in ["Target", "From"]:
        expect(page.get_by_label(label)).to_have_attribute("aria-invalid", "true")

    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Verify…").click()
    dialog(page).get_by_label("An end that you noted").fill("1:" + "0" * 64)
    submit(page, "Verify")
    expect(dialog(page)).to_contain_text("The log was changed")
    dialog(page).get_by_label("An end that you noted").fill("")
    submit(page, "Verify")
    expect(dialog(page)).to_contain_text("Every entry is as it was written")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_pages_fit_and_are_accessible(visitor, theme, width):
    console = visitor(viewport={"width": width, "height": 900}, color_scheme=theme).sign_in()
    for path in PAGES + DIALOGS:
        console.open(path)
        console.fits()
        console.is_accessible()
